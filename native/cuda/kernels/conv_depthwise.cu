// Convolutions of each channel alone. They read little for each result and are bound by memory:
// neighbouring threads take neighbouring channels.
#include <algorithm>

#include "core/check.h"
#include "cuda/kernels/conv_parts.h"
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/product.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::ConvGeometry;
using gatun::kernels::Epilogue;

// x [N,H,W,C], w [C,R,S], y [N,P,Q,C].
struct Extents {
  int64_t N, H, W, C, R, S, P, Q;
  Divisor channels, rows, columns;  // of what threads are counted by
  ConvGeometry g;

  Extents(const Tensor& x, const Tensor& w, const Tensor& y, const Tensor& counted,
          const ConvGeometry& geometry)
      : N(x.dims[0]),
        H(x.dims[1]),
        W(x.dims[2]),
        C(x.dims[3]),
        R(w.dims[1]),
        S(w.dims[2]),
        P(y.dims[1]),
        Q(y.dims[2]),
        channels(C),
        rows(counted.dims[1]),
        columns(counted.dims[2]),
        g(geometry) {}
};

template <typename T>
__global__ void forward_kernel(Finish<T> finish, Global<const T> x, Global<const T> w, Extents e,
                               int64_t count) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    int64_t n = i;
    const int64_t c = e.channels.split(n), q = e.columns.split(n), p = e.rows.split(n);
    WideOf<T> sum = 0;
    for (int64_t r = 0; r < e.R; ++r) {
      const int64_t h = p * e.g.stride_h - e.g.pad_h + r * e.g.dilation_h;
      if (h < 0 || h >= e.H) continue;
      for (int64_t s = 0; s < e.S; ++s) {
        const int64_t v = q * e.g.stride_w - e.g.pad_w + s * e.g.dilation_w;
        if (v < 0 || v >= e.W) continue;
        sum = math::fma(widen(x[((n * e.H + h) * e.W + v) * e.C + c]),
                        widen(w[(c * e.R + r) * e.S + s]), sum);
      }
    }
    finish.template write<1>(i - c, c, e.C, {{sum}});
  }
}

// Which of `windows` sees a pixel at its tap; negative if none does.
__device__ int64_t window_of(int64_t pixel, int64_t tap, int64_t windows, int64_t stride,
                             int64_t pad, int64_t dilation) {
  const int64_t below = pixel + pad - tap * dilation;
  if (below < 0 || below % stride != 0 || below / stride >= windows) return -1;
  return below / stride;
}

template <typename T>
__global__ void backward_data_kernel(Finish<T> finish, Global<const T> dy, Global<const T> w,
                                     Extents e, int64_t count) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    int64_t n = i;
    const int64_t c = e.channels.split(n), v = e.columns.split(n), h = e.rows.split(n);
    WideOf<T> sum = 0;
    for (int64_t r = 0; r < e.R; ++r) {
      const int64_t p = window_of(h, r, e.P, e.g.stride_h, e.g.pad_h, e.g.dilation_h);
      if (p < 0) continue;
      for (int64_t s = 0; s < e.S; ++s) {
        const int64_t q = window_of(v, s, e.Q, e.g.stride_w, e.g.pad_w, e.g.dilation_w);
        if (q < 0) continue;
        sum = math::fma(widen(dy[((n * e.P + p) * e.Q + q) * e.C + c]),
                        widen(w[(c * e.R + r) * e.S + s]), sum);
      }
    }
    finish.template write<1>(i - c, c, e.C, {{sum}});
  }
}

constexpr int kAcross = kWarp;  // channels of a block
constexpr int kDown = 8;        // pixels at a time
constexpr int64_t kPixelsPerPart = 1024;

// A block sums one tap of some channels over a part of the pixels: partial [parts, R S, C].
template <typename T>
__global__ void backward_weights_kernel(Global<WideOf<T>> partial, Global<const T> x,
                                        Global<const T> dy, Extents e, int64_t pixels,
                                        int64_t pixels_per_part) {
  using W = WideOf<T>;
  GATUN_SHARED(W, room, kAcross * kDown);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int64_t c = int64_t{blockIdx.x} * kAcross + tx;
  const int64_t tap = blockIdx.y, r = tap / e.S, s = tap % e.S, part = blockIdx.z;
  const int64_t begin = part * pixels_per_part;
  const int64_t end = begin + pixels_per_part < pixels ? begin + pixels_per_part : pixels;
  W sum = 0;
  for (int64_t i = begin + ty; i < end && c < e.C; i += kDown) {
    int64_t n = i;
    const int64_t q = e.columns.split(n), p = e.rows.split(n);
    const int64_t h = p * e.g.stride_h - e.g.pad_h + r * e.g.dilation_h;
    const int64_t v = q * e.g.stride_w - e.g.pad_w + s * e.g.dilation_w;
    if (h < 0 || h >= e.H || v < 0 || v >= e.W) continue;
    sum = math::fma(widen(dy[i * e.C + c]), widen(x[((n * e.H + h) * e.W + v) * e.C + c]), sum);
  }
  room[ty * kAcross + tx] = sum;
  barrier();
  if (ty != 0 || c >= e.C) return;
  for (int k = 1; k < kDown; ++k) sum += room[k * kAcross + tx];
  partial[(part * e.R * e.S + tap) * e.C + c] = sum;
}

template <typename W>
__global__ void add_parts_kernel(Global<W> dw, Global<const W> partial, int64_t parts,
                                 int64_t channels, int64_t taps) {
  GATUN_ROLL
  for (int64_t i = grid_thread(); i < channels * taps; i += grid_threads()) {
    const int64_t c = i / taps, tap = i % taps;
    W sum = 0;
    for (int64_t part = 0; part < parts; ++part) sum += partial[(part * taps + tap) * channels + c];
    dw[i] = sum;
  }
}

}  // namespace

namespace depthwise {

template <typename T>
void conv2d(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor* bias,
            const ConvGeometry& g, const Epilogue& epilogue) {
  Finish<T> finish;
  finish.y = elements<T>(y);
  finish.bias = elements<const T>(bias);
  finish.addend = elements<const T>(epilogue.addend);
  finish.relu = epilogue.activation == Activation::RELU;
  queue.launch(forward_kernel<T>, elements_grid(y.count), finish, elements<const T>(x),
               elements<const T>(w), Extents(x, w, y, y, g), y.count);
}

template <typename T>
void conv2d_backward_data(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue) {
  Finish<T> finish;
  finish.y = elements<T>(dx);
  finish.addend = elements<const T>(epilogue.addend);
  finish.gate = elements<const T>(epilogue.gate);
  queue.launch(backward_data_kernel<T>, elements_grid(dx.count), finish, elements<const T>(dy),
               elements<const T>(w), Extents(dx, w, dy, dx, g), dx.count);
}

template <typename T>
void conv2d_backward_weights(Queue& queue, const Tensor& dw, const Tensor& x, const Tensor& dy,
                             const ConvGeometry& g) {
  using W = WideOf<T>;
  const int64_t channels = dw.dims[0], taps = dw.dims[1] * dw.dims[2];
  const int64_t pixels = dy.dims[0] * dy.dims[1] * dy.dims[2];
  const int64_t parts = std::clamp<int64_t>(pixels / kPixelsPerPart, 1, 256);
  const Global<W> partial = queue.scratch<W>(parts * dw.count);
  if (taps >= 1 << 16) fail(GT_UNSUPPORTED, "[", queue.op(), "] filters of ", taps, " taps");
  const Grid grid{{static_cast<uint32_t>((channels + kAcross - 1) / kAcross),
                   static_cast<uint32_t>(taps), static_cast<uint32_t>(parts)},
                  {kAcross, kDown}};
  queue.launch(backward_weights_kernel<T>, grid, partial, elements<const T>(x),
               elements<const T>(dy), Extents(x, dw, dy, dy, g), pixels,
               (pixels + parts - 1) / parts);
  queue.launch(add_parts_kernel<W>, elements_grid(dw.count), elements<W>(dw),
               Global<const W>(partial), parts, channels, taps);
}

#define GATUN_DEPTHWISE(T)                                                                      \
  template void conv2d<T>(Queue&, const Tensor&, const Tensor&, const Tensor&, const Tensor*,   \
                          const ConvGeometry&, const Epilogue&);                                \
  template void conv2d_backward_data<T>(Queue&, const Tensor&, const Tensor&, const Tensor&,    \
                                        const ConvGeometry&, const Epilogue&);                  \
  template void conv2d_backward_weights<T>(Queue&, const Tensor&, const Tensor&, const Tensor&, \
                                           const ConvGeometry&);
GATUN_DEPTHWISE(float)
GATUN_DEPTHWISE(double)
GATUN_DEPTHWISE(Bf16)
#undef GATUN_DEPTHWISE

}  // namespace depthwise
}  // namespace gatun::cuda
