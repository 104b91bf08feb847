// Packing of operands for the micro-kernels: rows of whole vectors, zeros behind the last column.
#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_pack_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;

// Operands are read in short stretches far apart, which no processor foresees.
constexpr int64_t kRowsAhead = 12;
constexpr int64_t kStepsAhead = 64;

// For panels cut for another level than the one that runs: element (k, j) is b[k * k_step + j *
// j_step].
void pack_plainly(float* panel, int64_t width, const float* b, int64_t k_step, int64_t j_step,
                  int64_t columns, int64_t depth) {
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t j = 0; j < width; ++j) {
      panel[k * width + j] = j < columns ? b[k * k_step + j * j_step] : 0;
    }
  }
}

template <typename D>
void pack_by(D d, float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
             int64_t depth) {
  constexpr int kLanes = hn::MaxLanes(D());
  if (width % kLanes != 0) {
    if constexpr (kLanes == 16) {  // rows of a tile may be half a vector
      return pack_by(hn::Half<D>(), panel, width, b, stride, columns, depth);
    } else {
      return pack_plainly(panel, width, b, stride, 1, columns, depth);
    }
  }
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t k = 0; k < depth; ++k, b += stride, panel += width) {
    int64_t j = 0;
    for (; j < whole; j += kLanes) {
      __builtin_prefetch(b + kRowsAhead * stride + j);
      hn::StoreU(hn::LoadU(d, b + j), d, panel + j);
    }
    if (j < columns) {
      hn::StoreU(load_first(d, b + j, columns - j, hn::Zero(d)), d, panel + j);
      j += kLanes;
    }
    for (; j < width; j += kLanes) hn::StoreU(hn::Zero(d), d, panel + j);
  }
}

void pack_columns(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                  int64_t depth) {
  pack_by(D(), panel, width, b, stride, columns, depth);
}

#if HWY_TARGET != HWY_SCALAR
// Transposes the 4x4 blocks of four vectors where they stand.
template <typename D, typename V>
HWY_INLINE void transpose_blocks(D d, V* v) {
  const V a = hn::InterleaveLower(d, v[0], v[2]), b = hn::InterleaveUpper(d, v[0], v[2]);
  const V e = hn::InterleaveLower(d, v[1], v[3]), f = hn::InterleaveUpper(d, v[1], v[3]);
  v[0] = hn::InterleaveLower(d, a, e);
  v[1] = hn::InterleaveUpper(d, a, e);
  v[2] = hn::InterleaveLower(d, b, f);
  v[3] = hn::InterleaveUpper(d, b, f);
}

// Transposes kLanes vectors of kLanes lanes: first inside blocks of four lanes, then the blocks.
template <typename D, typename V, int kLanes>
HWY_INLINE void transpose(D d, V (&v)[kLanes]) {
#pragma GCC unroll 4
  for (int g = 0; g < kLanes; g += 4) transpose_blocks(d, v + g);
  if constexpr (kLanes == 8) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const V low = v[i], high = v[i + 4];
      v[i] = hn::ConcatLowerLower(d, high, low);
      v[i + 4] = hn::ConcatUpperUpper(d, high, low);
    }
  } else if constexpr (kLanes == 16) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const V a = v[i], b = v[i + 4], e = v[i + 8], f = v[i + 12];
      const V even_ab = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a);
      const V odd_ab = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a));
      const V even_ef = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(f), e);
      const V odd_ef = hn::OddEvenBlocks(f, hn::SwapAdjacentBlocks(e));
      v[i] = hn::ConcatLowerLower(d, even_ef, even_ab);
      v[i + 4] = hn::ConcatLowerLower(d, odd_ef, odd_ab);
      v[i + 8] = hn::ConcatUpperUpper(d, even_ef, even_ab);
      v[i + 12] = hn::ConcatUpperUpper(d, odd_ef, odd_ab);
    }
  }
}

template <typename D>
void pack_transposed_by(D d, float* panel, int64_t width, const float* b, int64_t stride,
                        int64_t columns, int64_t depth) {
  using V = hn::Vec<D>;
  constexpr int kLanes = hn::MaxLanes(D());
  if (width % kLanes != 0) {
    if constexpr (kLanes == 16) {
      return pack_transposed_by(hn::Half<D>(), panel, width, b, stride, columns, depth);
    } else {
      return pack_plainly(panel, width, b, 1, stride, columns, depth);
    }
  }
  for (int64_t k = 0; k < depth; k += kLanes) {
    const int64_t steps = std::min<int64_t>(kLanes, depth - k);
    for (int64_t j = 0; j < width; j += kLanes) {
      const float* corner = b + j * stride + k;
      const int64_t count = columns - j;
      V v[kLanes];
      if (count >= kLanes && steps == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          __builtin_prefetch(corner + i * stride + kStepsAhead);
          v[i] = hn::LoadU(d, corner + i * stride);
        }
      } else if (steps == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          v[i] = hn::Zero(d);
          if (i >= count) continue;
          __builtin_prefetch(corner + i * stride + kStepsAhead);
          v[i] = hn::LoadU(d, corner + i * stride);
        }
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          v[i] = i < count ? load_first(d, corner + i * stride, steps, hn::Zero(d)) : hn::Zero(d);
        }
      }
      transpose(d, v);
      float* to = panel + k * width + j;
      if (steps == kLanes) {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) hn::StoreU(v[i], d, to + i * width);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          if (i < steps) hn::StoreU(v[i], d, to + i * width);
        }
      }
    }
  }
}

void pack_transposed(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                     int64_t depth) {
  pack_transposed_by(D(), panel, width, b, stride, columns, depth);
}
#else
void pack_transposed(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                     int64_t depth) {
  pack_plainly(panel, width, b, 1, stride, columns, depth);
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(pack_columns);
HWY_EXPORT(pack_transposed);

void pack_columns(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                  int64_t depth) {
  HWY_DYNAMIC_DISPATCH(pack_columns)(panel, width, b, stride, columns, depth);
}

void pack_transposed(float* panel, int64_t width, const float* b, int64_t stride, int64_t columns,
                     int64_t depth) {
  HWY_DYNAMIC_DISPATCH(pack_transposed)(panel, width, b, stride, columns, depth);
}

}  // namespace gatun::kernels
#endif
