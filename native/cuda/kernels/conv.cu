// Convolution and its gradients as products of what windows see: forward, windows of x by filters;
// the data gradient, windows of dy by filters, for each residue of the pixels modulo the strides,
// which meets its own taps; the weight gradient, windows of x by dy, summed over pixels. The
// Winograd algorithm is computed as the sum of products, which is more accurate.
#include <numeric>

#include "cuda/kernels/conv_hopper.h"
#include "cuda/kernels/conv_parts.h"
#include "cuda/kernels/conv_source.h"
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::ConvAlgorithm;
using gatun::kernels::ConvGeometry;
using gatun::kernels::Epilogue;

// Windows of x [N,H,W,C] that a result of `down` by `across` pixels has, with their taps; `data`
// has the channels of each group in whole chunks.
template <typename T>
WindowSource<T> windows_of(Global<const T> data, const Tensor& x, int64_t groups, int64_t down,
                           int64_t across, int64_t taps_down, int64_t taps_across,
                           const WindowAxis& rows, const WindowAxis& columns) {
  const int64_t channels = in_chunks<T>(x.dims[3] / groups);
  const int64_t pixel = groups * channels, row = x.dims[2] * pixel;
  return {.data = data,
          .lines = x.dims[0] * down * across,
          .positions = taps_down * taps_across * channels,
          .rows = rows,
          .columns = columns,
          .windows_down = Divisor(down),
          .windows_across = Divisor(across),
          .taps_across = Divisor(std::max<int64_t>(1, taps_across)),
          .channels = Divisor(std::max<int64_t>(1, channels)),
          .pixel_step = pixel,
          .row_step = row,
          .image_step = x.dims[1] * row};
}

WindowAxis axis(int64_t size, int64_t first, int64_t step, int64_t tap) {
  return {static_cast<int32_t>(size), static_cast<int32_t>(first), static_cast<int32_t>(step),
          static_cast<int32_t>(tap)};
}

// Windows of x that y and filters of `taps_down` by `taps_across` have.
template <typename T>
WindowSource<T> windows_of(Queue& queue, const Tensor& x, const Tensor& w, const Tensor& y,
                           const ConvGeometry& g) {
  return windows_of<T>(rows_in_chunks<T>(queue, x, x.dims[3] / g.groups), x, g.groups, y.dims[1],
                       y.dims[2], w.dims[1], w.dims[2],
                       axis(x.dims[1], -g.pad_h, g.stride_h, g.dilation_h),
                       axis(x.dims[2], -g.pad_w, g.stride_w, g.dilation_w));
}

template <typename T>
bool takes_packs(std::initializer_list<const Tensor*> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const Tensor* t) {
    return t == nullptr || reinterpret_cast<uintptr_t>(t->data) % (4 * sizeof(T)) == 0;
  });
}

// Whether a window is a pixel, so that tensors are matrices as they lie: 1x1 filters at all pixels.
bool is_product_of_pixels(const Tensor& x, const Tensor& w, const Tensor& y,
                          const ConvGeometry& g) {
  return w.dims[1] == 1 && w.dims[2] == 1 && g.groups == 1 && g.stride_h == 1 && g.stride_w == 1 &&
         x.dims[1] == y.dims[1] && x.dims[2] == y.dims[2];
}

// The product of such tensors, [pixels or filters, channels], if it is one for wgmma.
template <typename T, typename Y>
bool multiply_pixels(Queue& queue, const Tensor& a, const Tensor& b, bool a_along_depth,
                     bool b_along_depth, const Finish<Y>& finish) {
  if constexpr (std::is_same_v<T, Bf16>) {
    const auto matrix = [](const Tensor& t) {
      const int64_t width = t.dims[3];
      return MatrixSource<T>{elements<const T>(t), width == 0 ? 0 : t.count / width, width, width};
    };
    const MatrixSource<T> left = matrix(a), right = matrix(b);
    const int64_t columns = b_along_depth ? right.rows : right.columns;
    Product<MatrixSource<T>, MatrixSource<T>, EvenRows, Y> product{
        .a = left,
        .b = right,
        .place = {columns},
        .finish = finish,
        .rows = a_along_depth ? left.rows : left.columns,
        .columns = columns,
        .depth = a_along_depth ? left.columns : left.rows};
    return launch_on_hopper(queue, product, a_along_depth, b_along_depth);
  }
  return false;
}

template <typename T>
void forward(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor* bias,
             const ConvGeometry& g, const Epilogue& epilogue) {
  const int64_t filters = w.dims[0] / g.groups, channels = in_chunks<T>(w.dims[3]);
  const int64_t depth = w.dims[1] * w.dims[2] * channels;
  const Finish<T> finish{.y = elements<T>(y),
                         .bias = elements<const T>(bias),
                         .addend = elements<const T>(epilogue.addend),
                         .gate = {},
                         .relu = epilogue.activation == Activation::RELU,
                         .packs = filters % 4 == 0 && takes_packs<T>({&y, epilogue.addend})};
  if (is_product_of_pixels(x, w, y, g) && multiply_pixels<T>(queue, x, w, true, true, finish)) {
    return;
  }
  Product<WindowSource<T>, MatrixSource<T>, EvenRows, T> product{
      .a = windows_of<T>(queue, x, w, y, g),
      .b = {rows_in_chunks<T>(queue, w, w.dims[3]), filters, depth, depth},
      .place = {w.dims[0]},
      .finish = finish,
      .rows = y.dims[0] * y.dims[1] * y.dims[2],
      .columns = filters,
      .depth = depth,
      .a_step = channels,
      .b_step = filters * depth,
      .y_step = filters,
      .bias_step = filters,
      .count = g.groups};
  if constexpr (std::is_same_v<T, Bf16>) {
    const FilterBank bank{product.b.data, filters, w.dims[1] * w.dims[2], channels};
    if (launch_on_hopper(queue, product, bank, true)) return;
  }
  launch_product<T, true, true, true>(queue, product);
}

// The taps of one axis that pixels with this residue modulo the stride meet.
struct Residue {
  int64_t pixels, first_tap, tap_step, taps;
  WindowAxis axis;

  Residue(int64_t residue, int64_t size, int64_t windows, int64_t kernel, int64_t stride,
          int64_t pad, int64_t dilation)
      : pixels((size - residue + stride - 1) / stride),
        first_tap(0),
        tap_step(stride / std::gcd(stride, dilation)),
        taps(0) {
    const auto below = [&](int64_t tap) { return residue + pad - tap * dilation; };
    while (first_tap < kernel && below(first_tap) % stride != 0) ++first_tap;
    if (first_tap < kernel) taps = (kernel - 1 - first_tap) / tap_step + 1;
    axis = cuda::axis(windows, taps == 0 ? 0 : below(first_tap) / stride, 1,
                      -tap_step * dilation / stride);
  }
};

template <typename T>
void backward_data(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& w,
                   const ConvGeometry& g, const Epilogue& epilogue) {
  const int64_t H = dx.dims[1], W = dx.dims[2], C = dx.dims[3];
  const Finish<T> finish{
      .y = elements<T>(dx),
      .bias = {},
      .addend = elements<const T>(epilogue.addend),
      .gate = elements<const T>(epilogue.gate),
      .relu = false,
      .packs = w.dims[3] % 4 == 0 && takes_packs<T>({&dx, epilogue.addend, epilogue.gate})};
  if (is_product_of_pixels(dx, w, dy, g) && multiply_pixels<T>(queue, dy, w, true, false, finish)) {
    return;
  }
  const int64_t filter_count = w.dims[0] / g.groups, filters = in_chunks<T>(filter_count);
  const int64_t channels = in_chunks<T>(w.dims[3]);
  const int64_t tap_row = w.dims[2] * channels, filter = w.dims[1] * tap_row;
  const Global<const T> slopes = rows_in_chunks<T>(queue, dy, filter_count);
  const Global<const T> weights = rows_in_chunks<T>(queue, w, w.dims[3]);
  for (int64_t h = 0; h < std::min(g.stride_h, H); ++h) {
    for (int64_t v = 0; v < std::min(g.stride_w, W); ++v) {
      const Residue rows(h, H, dy.dims[1], w.dims[1], g.stride_h, g.pad_h, g.dilation_h);
      const Residue columns(v, W, dy.dims[2], w.dims[2], g.stride_w, g.pad_w, g.dilation_w);
      const int64_t depth = rows.taps * columns.taps * filters;
      Product<WindowSource<T>, FilterSource<T>, PixelRows, T> product{
          .a = windows_of<T>(slopes, dy, g.groups, rows.pixels, columns.pixels, rows.taps,
                             columns.taps, rows.axis, columns.axis),
          .b = {.data = weights,
                .lines = depth,
                .channels = channels,
                .filter_count = filter_count,
                .filters = Divisor(std::max<int64_t>(1, filters)),
                .taps_across = Divisor(std::max<int64_t>(1, columns.taps)),
                .first = rows.first_tap * tap_row + columns.first_tap * channels,
                .filter_step = filter,
                .tap_row_step = rows.tap_step * tap_row,
                .tap_step = columns.tap_step * channels},
          .place = {.down = Divisor(rows.pixels),
                    .across = Divisor(columns.pixels),
                    .first = (h * W + v) * C,
                    .pixel_step = g.stride_w * C,
                    .row_step = g.stride_h * W * C,
                    .image_step = H * W * C},
          .finish = finish,
          .rows = dx.dims[0] * rows.pixels * columns.pixels,
          .columns = w.dims[3],
          .depth = depth,
          .a_step = filters,
          .b_step = filter_count * filter,
          .y_step = w.dims[3],
          .count = g.groups};
      if constexpr (std::is_same_v<T, Bf16>) {
        const FilterBank bank{weights, filter_count, w.dims[1] * w.dims[2], channels};
        const bool side_by_side = g.stride_h == 1 && g.stride_w == 1;
        if (side_by_side && launch_on_hopper(queue, product, bank, false)) return;
      }
      launch_product<T, true, false, true>(queue, product);
    }
  }
}

// Y is f32 beside bf16.
template <typename T>
void backward_weights(Queue& queue, const Tensor& dw, const Tensor& x, const Tensor& dy,
                      const ConvGeometry& g) {
  using Y = WideOf<T>;
  Finish<Y> finish{};
  finish.y = elements<Y>(dw);
  if (is_product_of_pixels(x, dw, dy, g) &&
      multiply_pixels<T>(queue, dy, x, false, false, finish)) {
    return;
  }
  const int64_t filters = dw.dims[0] / g.groups, depth = dy.dims[0] * dy.dims[1] * dy.dims[2];
  const int64_t taps = dw.dims[1] * dw.dims[2], channels = in_chunks<T>(dw.dims[3]);
  const int64_t filter = taps * dw.dims[3];
  const WindowSource<T> windows = windows_of<T>(queue, x, dw, dy, g);
  const MatrixSource<T> slopes{elements<const T>(dy), depth, filters, dw.dims[0]};
  if constexpr (std::is_same_v<T, Bf16>) {
    const Product<MatrixSource<T>, WindowSource<T>, EvenRows, Y> turned{.a = slopes,
                                                                        .b = windows,
                                                                        .place = {filter},
                                                                        .finish = finish,
                                                                        .rows = filters,
                                                                        .columns = filter,
                                                                        .depth = depth,
                                                                        .count = g.groups};
    if (launch_on_hopper(queue, turned)) return;
  }
  Product<WindowSource<T>, MatrixSource<T>, TapRows, Y> product{
      .a = windows,
      .b = slopes,
      .place = {Divisor(channels), dw.dims[3]},
      .finish = finish,
      .rows = taps * channels,
      .columns = filters,
      .depth = depth,
      .a_step = channels,
      .b_step = filters,
      .y_step = filters * filter,
      .count = g.groups};
  product.finish.column_step = filter;
  launch_product<T, false, false, true>(queue, product);
}

// Pixels are counted in 32 bits along an axis.
void check_size(const Queue& queue, const Tensor& x, const Tensor& y) {
  for (const Tensor* t : {&x, &y}) {
    if (t->dims[1] >= 1 << 30 || t->dims[2] >= 1 << 30) {
      fail(GT_UNSUPPORTED, "[", queue.op(), "] images of 2^30 pixels along an axis, found ", *t);
    }
  }
}

bool is_depthwise(const Tensor& x, const Tensor& y, const ConvGeometry& g) {
  return g.groups > 1 && x.dims[3] == g.groups && y.dims[3] == g.groups;
}

}  // namespace

namespace kernels {

void conv2d(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor* bias,
            const ConvGeometry& g, const Epilogue& epilogue, ConvAlgorithm) {
  if (y.count == 0) return;
  check_size(queue, x, y);
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (is_depthwise(x, y, g)) {
      depthwise::conv2d<T>(queue, y, x, w, bias, g, epilogue);
    } else {
      forward<T>(queue, y, x, w, bias, g, epilogue);
    }
  });
  sum_channels(queue, y, epilogue);
}

void conv2d_backward_data(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue, ConvAlgorithm) {
  check_size(queue, dx, dy);
  if (dx.count > 0) {
    with_floating(dx.dtype, [&](auto zero) {
      using T = decltype(zero);
      if (is_depthwise(dx, dy, g)) {
        depthwise::conv2d_backward_data<T>(queue, dx, dy, w, g, epilogue);
      } else {
        backward_data<T>(queue, dx, dy, w, g, epilogue);
      }
    });
  }
  sum_channels(queue, dx, epilogue);
}

void conv2d_backward_weights(Queue& queue, const Tensor& dw, const Tensor& x, const Tensor& dy,
                             const ConvGeometry& g, ConvAlgorithm) {
  if (dw.count == 0) return;
  check_size(queue, x, dy);
  with_floating(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (is_depthwise(x, dy, g)) {
      depthwise::conv2d_backward_weights<T>(queue, dw, x, dy, g);
    } else {
      backward_weights<T>(queue, dw, x, dy, g);
    }
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
