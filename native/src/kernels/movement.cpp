#include "kernels/movement.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/convert.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

namespace gatun::kernels {
namespace {

// ---- Permutation

struct Axis {
  int64_t dim = 1;
  int64_t y_stride = 0;  // in elements
  int64_t x_stride = 0;
};

struct AxisList {
  int32_t rank = 0;
  std::array<Axis, GT_MAX_RANK> axes{};

  void push(const Axis& axis) { axes[rank++] = axis; }
};

// The axes in y's order, without those of size 1, and with axes that stay neighbours taken as one.
AxisList simplify(const Tensor& y, const Tensor& x, const Axes& permutation) {
  std::array<int64_t, GT_MAX_RANK> x_strides{};
  for (int64_t i = x.rank - 1, stride = 1; i >= 0; --i) {
    x_strides[i] = stride;
    stride *= x.dims[i];
  }
  AxisList list;
  int64_t y_stride = y.count;
  for (int32_t i = 0; i < y.rank; ++i) {
    const Axis axis{y.dims[i], y_stride /= y.dims[i], x_strides[permutation[i]]};
    if (axis.dim == 1) continue;
    Axis* former = list.rank > 0 ? &list.axes[list.rank - 1] : nullptr;
    if (former != nullptr && former->x_stride == axis.dim * axis.x_stride) {
      *former = {former->dim * axis.dim, axis.y_stride, axis.x_stride};
    } else {
      list.push(axis);
    }
  }
  return list;
}

// Where the element with the row-major index `i` over these axes lies in y and in x.
std::pair<int64_t, int64_t> locate(const AxisList& list, int64_t i) {
  int64_t in_y = 0, in_x = 0;
  for (int32_t k = list.rank - 1; k >= 0; --k) {
    const Axis& axis = list.axes[k];
    const int64_t at = i % axis.dim;
    i /= axis.dim;
    in_y += at * axis.y_stride;
    in_x += at * axis.x_stride;
  }
  return {in_y, in_x};
}

// The last axis stays the last: y's rows lie together in x too.
void permute_rows(Launcher& launcher, const Tensor& y, const Tensor& x, AxisList outer,
                  int64_t row_size) {
  const int64_t size = size_of(y.dtype);
  parallel_rows(launcher, y.count / row_size, row_size, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const auto [in_y, in_x] = locate(outer, row);
      std::memcpy(y.as<std::byte>() + in_y * size, x.as<std::byte>() + in_x * size,
                  row_size * size);
    }
  });
}

// Another axis, `row`, is the last one in x, and `column` is the last one in y: their planes are
// transposed in tiles small enough for the first-level cache to keep the lines of both sides.
template <typename T>
void permute_planes(Launcher& launcher, const Tensor& y, const Tensor& x, AxisList outer, Axis row,
                    Axis column) {
  constexpr int64_t kTile = 32;
  const int64_t row_tiles = (row.dim + kTile - 1) / kTile;
  const int64_t column_tiles = (column.dim + kTile - 1) / kTile;
  const int64_t planes = y.count / (row.dim * column.dim);
  parallel_rows(
      launcher, planes * row_tiles * column_tiles, kTile * kTile, [=](int64_t begin, int64_t end) {
        for (int64_t tile = begin; tile < end; ++tile) {
          const int64_t c0 = tile % column_tiles * kTile, c1 = std::min(column.dim, c0 + kTile);
          const int64_t r0 = tile / column_tiles % row_tiles * kTile,
                        r1 = std::min(row.dim, r0 + kTile);
          const auto [in_y, in_x] = locate(outer, tile / column_tiles / row_tiles);
          for (int64_t r = r0; r < r1; ++r) {
            T* to = y.as<T>() + in_y + r * row.y_stride;
            const T* from = x.as<T>() + in_x + r;
            for (int64_t c = c0; c < c1; ++c) to[c] = from[c * column.x_stride];
          }
        }
      });
}

// ---- Slices and concatenation

// Part of each row of y. All sizes in bytes.
struct Strip {
  const std::byte* from;  // the part of the first row; zeros if there is none
  int64_t stride;         // from one row's part to the next one's
  int64_t end;            // in y's row; it begins where the former strip ends
};

// How many bytes a row is along the axes from `axis` on.
int64_t row_bytes(const Tensor& tensor, int32_t axis) {
  int64_t bytes = size_of(tensor.dtype);
  for (int32_t i = axis; i < tensor.rank; ++i) bytes *= tensor.dims[i];
  return bytes;
}

// Tasks are parts of y, wherever rows and strips end: there may be one long row or many short ones.
void fill_rows(Launcher& launcher, const Tensor& y, int32_t axis, std::vector<Strip> strips) {
  const int64_t size = size_of(y.dtype), y_row = row_bytes(y, axis);
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK,
                  [=, strips = std::move(strips)](int64_t begin, int64_t end) {
                    int64_t i = begin * size;
                    int64_t row = i / y_row, in_row = i % y_row;
                    size_t k = 0;
                    while (strips[k].end <= in_row) ++k;
                    while (i < end * size) {
                      const Strip& strip = strips[k];
                      const int64_t count = std::min(strip.end - in_row, end * size - i);
                      const int64_t start = k == 0 ? 0 : strips[k - 1].end;
                      if (strip.from == nullptr) {
                        std::memset(y.as<std::byte>() + i, 0, count);
                      } else {
                        std::memcpy(y.as<std::byte>() + i,
                                    strip.from + row * strip.stride + in_row - start, count);
                      }
                      i += count;
                      in_row += count;
                      if (in_row < strip.end) continue;
                      if (++k < strips.size()) continue;
                      k = 0;
                      in_row = 0;
                      ++row;
                    }
                  });
}

// Rare pairs of types: small code is worth more than vectors.
template <typename To, typename From>
[[gnu::optimize("no-tree-vectorize")]] void convert_all(To* to, const From* from, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = convert<To>(from[i]);
}

}  // namespace

void fill(Launcher& launcher, const Tensor& y, double value) {
  with_type(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T converted = convert<T>(value);
    parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
      std::fill(y.as<T>() + begin, y.as<T>() + end, converted);
    });
  });
}

void copy(Launcher& launcher, const Tensor& y, const Tensor& x) {
  if (y.dtype == x.dtype) {
    if (y.data == x.data) return;
    const int64_t size = size_of(y.dtype);
    parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
      std::memcpy(y.as<std::byte>() + begin * size, x.as<std::byte>() + begin * size,
                  (end - begin) * size);
    });
    return;
  }
  with_type(y.dtype, [&](auto to_zero) {
    with_type(x.dtype, [&](auto from_zero) {
      using To = decltype(to_zero);
      using From = decltype(from_zero);
      parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
        To* to = y.as<To>();
        const From* from = x.as<From>();
        if constexpr (std::is_same_v<To, float> && std::is_same_v<From, Bf16>) {
          return widen(to + begin, from + begin, end - begin);
        } else if constexpr (std::is_same_v<To, Bf16> && std::is_same_v<From, float>) {
          return narrow(to + begin, from + begin, end - begin);
        }
        convert_all(to + begin, from + begin, end - begin);
      });
    });
  });
}

void permute(Launcher& launcher, const Tensor& y, const Tensor& x, const Axes& axes) {
  if (y.count == 0) return;
  const AxisList list = simplify(y, x, axes);
  if (list.rank <= 1) return copy(launcher, y, x);
  const Axis column = list.axes[list.rank - 1];
  if (column.x_stride == 1) {
    AxisList outer = list;
    --outer.rank;
    return permute_rows(launcher, y, x, outer, column.dim);
  }
  AxisList outer;
  Axis row;
  for (int32_t i = 0; i < list.rank - 1; ++i) {
    if (list.axes[i].x_stride == 1) {
      row = list.axes[i];
    } else {
      outer.push(list.axes[i]);
    }
  }
  with_type(y.dtype,
            [&](auto zero) { permute_planes<decltype(zero)>(launcher, y, x, outer, row, column); });
}

void slice(Launcher& launcher, const Tensor& y, const Tensor& x, int32_t axis, int64_t begin) {
  if (y.count == 0) return;
  const std::byte* from = x.as<std::byte>() + begin * row_bytes(x, axis + 1);
  fill_rows(launcher, y, axis, {{from, row_bytes(x, axis), row_bytes(y, axis)}});
}

void concat(Launcher& launcher, const Tensor& y, std::span<const Tensor> inputs, int32_t axis,
            int64_t begin) {
  if (y.count == 0) return;
  std::vector<Strip> strips;
  int64_t end = begin * row_bytes(y, axis + 1);
  if (end > 0) strips.push_back({nullptr, 0, end});
  for (const Tensor& input : inputs) {
    const int64_t bytes = row_bytes(input, axis);
    if (bytes == 0) continue;
    end += bytes;
    strips.push_back({input.as<std::byte>(), bytes, end});
  }
  if (end < row_bytes(y, axis)) strips.push_back({nullptr, 0, row_bytes(y, axis)});
  fill_rows(launcher, y, axis, std::move(strips));
}

// x [N,H,W,C], y [N,P,Q,K]
void subsample_pad(Launcher& launcher, const Tensor& y, const Tensor& x, int64_t stride) {
  const auto [P, Q, K] = std::array{y.dims[1], y.dims[2], y.dims[3]};
  const auto [H, W, C] = std::array{x.dims[1], x.dims[2], x.dims[3]};
  if (y.count == 0) return;
  const int64_t size = size_of(y.dtype);
  const int64_t y_bytes = K * size, x_bytes = C * size;
  parallel_rows(launcher, y.count / (Q * K), Q * K,
                [=, P = P, Q = Q, H = H, W = W](int64_t begin, int64_t end) {
                  for (int64_t np = begin; np < end; ++np) {
                    auto* to = y.as<std::byte>() + np * Q * y_bytes;
                    const int64_t h = np % P * stride;
                    const auto* from = x.as<std::byte>() + (np / P * H + h) * W * x_bytes;
                    for (int64_t q = 0; q < Q; ++q) {
                      std::memcpy(to + q * y_bytes, from + q * stride * x_bytes, x_bytes);
                      std::memset(to + q * y_bytes + x_bytes, 0, y_bytes - x_bytes);
                    }
                  }
                });
}

// dx [N,H,W,C], dy [N,P,Q,K]
void subsample_pad_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                            int64_t stride) {
  const auto [P, Q, K] = std::array{dy.dims[1], dy.dims[2], dy.dims[3]};
  const auto [H, W, C] = std::array{dx.dims[1], dx.dims[2], dx.dims[3]};
  if (dx.count == 0) return;
  const int64_t size = size_of(dx.dtype);
  const int64_t dy_bytes = K * size, dx_bytes = C * size;
  parallel_rows(launcher, dx.count / (W * C), W * C,
                [=, P = P, Q = Q, H = H, W = W](int64_t begin, int64_t end) {
                  for (int64_t nh = begin; nh < end; ++nh) {
                    auto* to = dx.as<std::byte>() + nh * W * dx_bytes;
                    const int64_t n = nh / H, h = nh % H;
                    if (h % stride != 0) {
                      std::memset(to, 0, W * dx_bytes);
                      continue;
                    }
                    const auto* from = dy.as<std::byte>() + (n * P + h / stride) * Q * dy_bytes;
                    for (int64_t w = 0; w < W; ++w) {
                      if (w % stride == 0) {
                        std::memcpy(to + w * dx_bytes, from + w / stride * dy_bytes, dx_bytes);
                      } else {
                        std::memset(to + w * dx_bytes, 0, dx_bytes);
                      }
                    }
                  }
                });
}

}  // namespace gatun::kernels
