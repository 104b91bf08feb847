#include "kernels/winograd_simd.h"

#include <algorithm>
#include <cstring>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/winograd_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::winograd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;  // fixed width: arrays of vectors
using V = hn::Vec<D>;
constexpr int kLanes = hn::MaxLanes(D());
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;

HWY_INLINE V times(float a, V x) { return hn::Mul(hn::Set(D(), a), x); }
// y + a x
HWY_INLINE V plus(V y, float a, V x) { return hn::MulAdd(hn::Set(D(), a), x, y); }

// o = B^T d
HWY_INLINE void input_axis(const V (&d)[kPatch], V (&o)[kPatch]) {
  const V a = plus(d[4], -4, d[2]), b = plus(d[3], -4, d[1]);
  const V c = hn::Sub(d[4], d[2]), e = hn::Sub(d[3], d[1]);
  o[0] = plus(plus(d[4], -5, d[2]), 4, d[0]);
  o[1] = hn::Add(a, b);
  o[2] = hn::Sub(a, b);
  o[3] = plus(c, 2, e);
  o[4] = plus(c, -2, e);
  o[5] = plus(plus(d[5], -5, d[3]), 4, d[1]);
}

// o = A^T m
HWY_INLINE void output_axis(const V (&m)[kPatch], V (&o)[kTile]) {
  const V p = hn::Add(m[1], m[2]), q = hn::Sub(m[1], m[2]);
  const V r = hn::Add(m[3], m[4]), s = hn::Sub(m[3], m[4]);
  o[0] = hn::Add(m[0], hn::Add(p, r));
  o[1] = plus(q, 2, s);
  o[2] = plus(p, 4, r);
  o[3] = hn::Add(plus(q, 8, s), m[5]);
}

// o = A y
HWY_INLINE void gradient_axis(const V (&y)[kTile], V (&o)[kPatch]) {
  const V p = hn::Add(y[0], y[2]), q = hn::Add(y[1], y[3]);
  const V e = plus(y[0], 4, y[2]), f = plus(times(2, y[1]), 8, y[3]);
  o[0] = y[0];
  o[1] = hn::Add(p, q);
  o[2] = hn::Sub(p, q);
  o[3] = hn::Add(e, f);
  o[4] = hn::Sub(e, f);
  o[5] = y[3];
}

// o = G g
HWY_INLINE void weight_axis(const V (&g)[3], V (&o)[kPatch]) {
  const V s = times(-1.0f / 6, hn::Add(g[0], g[2])), t = times(1.0f / 6, g[1]);
  const V e = plus(times(1.0f / 24, g[0]), 1.0f / 6, g[2]), f = times(1.0f / 12, g[1]);
  o[0] = times(0.25f, g[0]);
  o[1] = hn::Sub(s, t);
  o[2] = hn::Add(s, t);
  o[3] = hn::Add(e, f);
  o[4] = hn::Sub(e, f);
  o[5] = g[2];
}

// o = G^T m
HWY_INLINE void weight_gradient_axis(const V (&m)[kPatch], V (&o)[3]) {
  const V p = hn::Add(m[1], m[2]), q = hn::Sub(m[2], m[1]);
  const V r = hn::Add(m[3], m[4]), s = hn::Sub(m[3], m[4]);
  o[0] = plus(plus(times(0.25f, m[0]), -1.0f / 6, p), 1.0f / 24, r);
  o[1] = plus(times(1.0f / 6, q), 1.0f / 12, s);
  o[2] = plus(m[5], 1.0f / 6, hn::Sub(r, p));
}

// The first n lanes from p, zero in the others, nothing beyond them read.
HWY_INLINE V load_some(const float* p, int64_t n) {
  const D d;
#if HWY_TARGET <= HWY_AVX2  // Only these load by a mask without touching the other lanes.
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, p);
#else
  if (n == kLanes) return hn::LoadU(d, p);
  HWY_ALIGN float lanes[kLanes] = {};
  if (n > 0) std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return hn::Load(d, lanes);
#endif
}

HWY_INLINE void store_some(V v, float* p, int64_t n) {
  const D d;
  if (n == kLanes) return hn::StoreU(v, d, p);
  HWY_ALIGN float lanes[kLanes];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
}

// Not Max: a NaN must stay.
HWY_INLINE V rectify(V v) { return hn::IfThenZeroElse(hn::Lt(v, hn::Zero(D())), v); }

// Walks over tiles, and tells which pixels of a square of `size` at a tile lie inside the image.
template <int kSize>
class Walk {
 public:
  Walk(const Tiles& tiles, int64_t first)
      : tiles_(tiles),
        image_(first / tiles.per_image()),
        row_(first % tiles.per_image() / tiles.columns),
        column_(first % tiles.columns) {}

  void next() {
    if (++column_ < tiles_.columns) return;
    column_ = 0;
    if (++row_ < tiles_.rows) return;
    row_ = 0;
    ++image_;
  }
  // The element of the square's first pixel, which may lie outside.
  int64_t origin() const {
    return ((image_ * tiles_.height + top()) * tiles_.width + left()) * tiles_.channels;
  }
  int64_t row_begin() const { return begin(top()); }
  int64_t row_end() const { return end(top(), tiles_.height); }
  int64_t column_begin() const { return begin(left()); }
  int64_t column_end() const { return end(left(), tiles_.width); }

 private:
  int64_t top() const { return row_ * kTile - tiles_.pad_h; }
  int64_t left() const { return column_ * kTile - tiles_.pad_w; }
  static int64_t begin(int64_t at) { return std::clamp<int64_t>(-at, 0, kSize); }
  static int64_t end(int64_t at, int64_t size) { return std::clamp<int64_t>(size - at, 0, kSize); }

  const Tiles& tiles_;
  int64_t image_, row_, column_;
};

// v = axis(axis(square)^T)^T, both ways along; load(i, j) is the square's vector in row i, and
// columns outside [column_begin, column_end) are zero.
template <int kSize, typename Axis, typename Load>
HWY_INLINE void transform_square(Axis axis, const Load& load, int64_t column_begin,
                                 int64_t column_end, float* v, int64_t point_step) {
  const D d;
  HWY_ALIGN float half[kSize][kPatch * kLanes];
  for (int64_t j = 0; j < kSize; ++j) {
    V in[kSize], out[kPatch];
    const bool inside = j >= column_begin && j < column_end;
#pragma GCC unroll 6
    for (int i = 0; i < kSize; ++i) in[i] = inside ? load(i, j) : hn::Zero(d);
    axis(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < kPatch; ++i) hn::Store(out[i], d, half[j] + i * kLanes);
  }
  for (int i = 0; i < kPatch; ++i, v += kPatch * point_step) {
    V in[kSize], out[kPatch];
#pragma GCC unroll 6
    for (int j = 0; j < kSize; ++j) in[j] = hn::Load(d, half[j] + i * kLanes);
    axis(in, out);
#pragma GCC unroll 6
    for (int j = 0; j < kPatch; ++j) hn::Store(out[j], d, v + j * point_step);
  }
}

// Transforms the squares of `count` tiles and of channel blocks [block_begin, block_end). Pixels
// outside the image and channels beyond the last are zero.
template <int kSize, typename Axis>
HWY_INLINE void transform_squares(Axis axis, const Tiles& tiles, const float* x, int64_t first,
                                  int64_t count, int64_t block_begin, int64_t block_end,
                                  const Planes& v) {
  const D d;
  const int64_t pixel = tiles.channels, row = tiles.width * pixel;
  Walk<kSize> walk(tiles, first);
  for (int64_t t = 0; t < count; ++t, walk.next()) {
    const float* origin = x + walk.origin();
    const int64_t row_begin = walk.row_begin(), row_end = walk.row_end();
    const int64_t column_begin = walk.column_begin(), column_end = walk.column_end();
    for (int64_t block = block_begin; block < block_end; ++block) {
      const float* square = origin + block * kLanes;
      const int64_t lanes = std::min<int64_t>(kLanes, tiles.channels - block * kLanes);
      float* to = v.data + (block - block_begin) * v.block_step + t * kLanes;
      const auto inside = [&](int i) { return i >= row_begin && i < row_end; };
#if HWY_TARGET <= HWY_AVX2  // Only these load by a mask without touching the other lanes.
      hn::Mask<D> masks[kSize];
#pragma GCC unroll 6
      for (int i = 0; i < kSize; ++i) {
        masks[i] = hn::FirstN(d, inside(i) ? static_cast<size_t>(lanes) : 0);
      }
      const auto load = [&](int i, int64_t j) HWY_ATTR {
        return hn::MaskedLoad(masks[i], d, square + i * row + j * pixel);
      };
#else
      const auto load = [&](int i, int64_t j) HWY_ATTR {
        return inside(i) ? load_some(square + i * row + j * pixel, lanes) : hn::Zero(d);
      };
#endif
      transform_square<kSize>(axis, load, column_begin, column_end, to, v.point_step);
    }
  }
}

void transform_input(const Tiles& tiles, const float* x, int64_t first, int64_t count,
                     int64_t block_begin, int64_t block_end, const Planes& v) {
  const auto axis = [](const V(&in)[kPatch], V(&out)[kPatch]) HWY_ATTR { input_axis(in, out); };
  transform_squares<kPatch>(axis, tiles, x, first, count, block_begin, block_end, v);
}

void transform_gradient(const Tiles& tiles, const float* dy, int64_t first, int64_t count,
                        const Planes& d) {
  const auto axis = [](const V(&in)[kTile], V(&out)[kPatch]) HWY_ATTR { gradient_axis(in, out); };
  transform_squares<kTile>(axis, tiles, dy, first, count, 0, (tiles.channels + kLanes - 1) / kLanes,
                           d);
}

void transform_output(const Tiles& tiles, float* y, const Epilogue& epilogue, int64_t first,
                      int64_t count, const Planes& m) {
  const D d;
  const int64_t pixel = tiles.channels, row = tiles.width * pixel;
  Walk<kTile> walk(tiles, first);
  for (int64_t t = 0; t < count; ++t, walk.next()) {
    const int64_t rows = walk.row_end(), columns = walk.column_end();
    for (int64_t c = 0; c < tiles.channels; c += kLanes) {
      const float* from = m.data + c / kLanes * m.block_step + t * kLanes;
      V half[kTile][kPatch];
#pragma GCC unroll 6
      for (int j = 0; j < kPatch; ++j) {
        V in[kPatch], out[kTile];
#pragma GCC unroll 6
        for (int i = 0; i < kPatch; ++i) {
          in[i] = hn::Load(d, from + (i * kPatch + j) * m.point_step);
        }
        output_axis(in, out);
#pragma GCC unroll 4
        for (int i = 0; i < kTile; ++i) half[i][j] = out[i];
      }
      const int64_t lanes = std::min<int64_t>(kLanes, tiles.channels - c);
      const V bias = epilogue.bias == nullptr ? hn::Zero(d) : load_some(epilogue.bias + c, lanes);
      const int64_t origin = walk.origin() + c;
#pragma GCC unroll 4
      for (int i = 0; i < kTile; ++i) {
        if (i >= rows) break;
        V out[kTile];
        output_axis(half[i], out);
#pragma GCC unroll 4
        for (int j = 0; j < kTile; ++j) {
          if (j >= columns) break;
          const int64_t at = origin + i * row + j * pixel;
          V value = hn::Add(out[j], bias);
          if (epilogue.addend != nullptr) {
            value = hn::Add(value, load_some(epilogue.addend + at, lanes));
          }
          if (epilogue.gate != nullptr) {
            const auto open = hn::Gt(load_some(epilogue.gate + at, lanes), hn::Zero(d));
            value = hn::IfThenElseZero(open, value);
          }
          if (epilogue.relu) value = rectify(value);
          store_some(value, y + at, lanes);
        }
      }
    }
  }
}

void transform_weights(const float* taps, int64_t tap_step, int64_t count, float* u,
                       int64_t point_step, int64_t u_step) {
  const auto axis = [](const V(&in)[3], V(&out)[kPatch]) HWY_ATTR { weight_axis(in, out); };
  for (int64_t n = 0; n < count; ++n, taps += kLanes, u += u_step) {
    const auto load = [&](int i, int64_t j)
                          HWY_ATTR { return hn::Load(D(), taps + (3 * i + j) * tap_step); };
    transform_square<3>(axis, load, 0, 3, u, point_step);
  }
}

void transform_weight_gradient(const float* u, int64_t point_step, int64_t groups,
                               int64_t group_step, float* dw, int64_t tap_step, int64_t channels) {
  const D d;
  V half[3][kPatch];
  for (int j = 0; j < kPatch; ++j) {
    V in[kPatch], out[3];
    for (int i = 0; i < kPatch; ++i) {
      const float* from = u + (i * kPatch + j) * point_step;
      in[i] = hn::Load(d, from);
      for (int64_t g = 1; g < groups; ++g) {
        in[i] = hn::Add(in[i], hn::Load(d, from + g * group_step));
      }
    }
    weight_gradient_axis(in, out);
    for (int i = 0; i < 3; ++i) half[i][j] = out[i];
  }
  for (int i = 0; i < 3; ++i) {
    V out[3];
    weight_gradient_axis(half[i], out);
    for (int j = 0; j < 3; ++j) store_some(out[j], dw + (i * 3 + j) * tap_step, channels);
  }
}

template <int kRows, int kVectors>
void product(const Product& p) {
  const D d;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(d);
  }
  const float *v = p.v, *u = p.u, *ahead = p.ahead.from;
  for (int64_t block = 0; block < p.blocks; ++block, v += p.v_block_step) {
    for (int c = 0; c < kLanes; ++c, u += kVectors * kLanes, ahead += p.ahead.step) {
      __builtin_prefetch(ahead, 0, 2);
      V columns[kVectors];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) columns[j] = hn::Load(d, u + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const V value = hn::Set(d, v[i * kLanes + c]);
#pragma GCC unroll 2
        for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      hn::Store(sum[i][j], d, p.m + j * p.m_block_step + i * kLanes);
    }
  }
}

template <int kRows, int kVectors>
void accumulate(const Accumulation& a) {
  const D d;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = a.first ? hn::Zero(d) : hn::Load(d, a.u + i * a.u_row_step + j * kLanes);
    }
  }
  const float* ahead = a.ahead.from;
  for (int64_t t = 0; t < a.tiles; ++t, ahead += a.ahead.step) {
    __builtin_prefetch(ahead, 0, 2);
    V columns[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      columns[j] = hn::Load(d, a.v + j * a.v_block_step + t * kLanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const V value = hn::Set(d, a.d[t * kLanes + i]);
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      hn::Store(sum[i][j], d, a.u + i * a.u_row_step + j * kLanes);
    }
  }
}

// As many sums as registers hold beside the operands.
constexpr int product_rows(int vectors) {
  return vectors == 1 ? (kManyRegisters ? 16 : 12) : (kManyRegisters ? 14 : 6);
}
constexpr int accumulation_rows(int vectors) {
  return std::min(kLanes, (kManyRegisters ? 16 : 8) / vectors);
}

template <int kVectors, int... kHalvesMinusOne>
void fill_products(Kernels& k, std::integer_sequence<int, kHalvesMinusOne...>) {
  k.max_rows[kVectors] = 2 * sizeof...(kHalvesMinusOne);
  ((k.product[kVectors][kHalvesMinusOne + 1] = product<2 * (kHalvesMinusOne + 1), kVectors>), ...);
}

template <int kVectors>
void fill(Kernels& k) {
  fill_products<kVectors>(k, std::make_integer_sequence<int, product_rows(kVectors) / 2>());
  k.accumulation_rows[kVectors] = accumulation_rows(kVectors);
  k.accumulation[kVectors] = accumulate<accumulation_rows(kVectors), kVectors>;
}

const Kernels* table() {
  static const Kernels kernels = [] {
    Kernels k;
    k.lanes = kLanes;
    fill<1>(k);
    fill<2>(k);
    k.transform_input = transform_input;
    k.transform_output = transform_output;
    k.transform_gradient = transform_gradient;
    k.transform_weights = transform_weights;
    k.transform_weight_gradient = transform_weight_gradient;
    return k;
  }();
  return &kernels;
}

}  // namespace
}  // namespace gatun::kernels::winograd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels::winograd {
HWY_EXPORT(table);
const Kernels& kernels() { return *HWY_DYNAMIC_DISPATCH(table)(); }
}  // namespace gatun::kernels::winograd
#endif
