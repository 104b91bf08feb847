#include <utility>

#include "kernels/ahead.h"
#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;  // fixed width: accumulators are arrays of vectors
using V = hn::Vec<D>;
constexpr int kLanes = hn::MaxLanes(D());

// Two vectors by 14 rows fill 32 registers with 28 sums, and each element of B read serves 14
// multiply-adds; with 16 registers 6 rows leave room for B and a broadcast. One vector needs 10
// rows or so to hide the latency of the multiply-add. Gathered rows take a general register each:
// beyond 10 of them a Zen 4 core falls from 98 to 80-92 % of its peak.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;
constexpr int max_gathered(int vectors) { return vectors == 1 || kManyRegisters ? 10 : 6; }
constexpr int max_adjacent(int vectors) {
  return vectors == 1 ? (kManyRegisters ? 16 : 12) : (kManyRegisters ? 14 : 6);
}
// Three vectors by eight rows load 11 times for 24 multiply-adds, two by 14 load 16 times for 28.
// An Ice Lake core is 5 to 9 % faster for it.
constexpr int kPackedVectors = kManyRegisters ? 3 : 2;
constexpr int kPackedRows = kManyRegisters ? kMaxPackedRows : 6;

// A tile whose columns end inside a vector is computed beside its place.
HWY_NOINLINE void multiply_edge(const Tile& tile, MicroKernel kernel, int rows, int64_t width) {
  HWY_ALIGN float whole[kMaxRows * kMaxPackedVectors * kLanes];
  float* y_rows[kMaxRows];
  for (int i = 0; i < rows; ++i) {
    y_rows[i] = whole + i * width;
    if (!tile.accumulate) continue;
    std::copy_n(tile.y[i], tile.columns, y_rows[i]);
    std::fill(y_rows[i] + tile.columns, y_rows[i] + width, 0.0f);
  }
  Tile beside = tile;
  beside.y = y_rows;
  beside.columns = width;
  kernel(beside);
  for (int i = 0; i < rows; ++i) std::copy_n(y_rows[i], tile.columns, tile.y[i]);
}

template <int kRows, int kVectors>
HWY_INLINE void start(const Tile& tile, V (&sum)[kRows][kVectors]) {
  const D d;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(d);
  }
  if (tile.accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::LoadU(d, tile.y[i] + j * kLanes);
    }
  } else if (tile.bias != nullptr) {
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) {
      const V bias = hn::LoadU(d, tile.bias + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) sum[i][j] = bias;
    }
  }
}

template <int kRows, int kVectors>
HWY_INLINE void finish(const Tile& tile, V (&sum)[kRows][kVectors]) {
  const D d;
  if (tile.relu) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      // Not Max: a NaN must stay.
#pragma GCC unroll 3
      for (int j = 0; j < kVectors; ++j) {
        sum[i][j] = hn::IfThenZeroElse(hn::Lt(sum[i][j], hn::Zero(d)), sum[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) hn::StoreU(sum[i][j], d, tile.y[i] + j * kLanes);
  }
}

// One step of depth; a(i) is where row i's element lies.
template <int kRows, int kVectors, typename A>
HWY_INLINE void step(const A& a, const float* b, V (&sum)[kRows][kVectors]) {
  const D d;
  V columns[kVectors];
#pragma GCC unroll 3
  for (int j = 0; j < kVectors; ++j) columns[j] = hn::LoadU(d, b + j * kLanes);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const V value = hn::Set(d, *a(i));
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(value, columns[j], sum[i][j]);
  }
}

// Steps of depth between a request for operands and their use: hardware alone brings lines from L2
// too late on some processors. A short loop would ask for little but what lies behind them.
int64_t steps_ahead(const Tile& tile) { return tile.depth >= 192 ? 16 : 0; }
// With fewer rows a request costs as much as the multiply-adds that it serves.
constexpr int kRowsToFetch = 4;

template <int kRows, int kVectors>
void multiply_gathered(const Tile& tile) {
  constexpr int64_t kColumns = kVectors * kLanes;
  if (tile.columns != kColumns) {
    return multiply_edge(tile, multiply_gathered<kRows, kVectors>, kRows, kColumns);
  }
  V sum[kRows][kVectors];
  start(tile, sum);
  const float* rows[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    rows[i] = tile.a[i];
    for (int j = 0; j < kVectors; ++j) __builtin_prefetch(tile.y[i] + j * kLanes);
  }
  const int64_t b_step = tile.b_step, b_ahead = steps_ahead(tile) * b_step;
  for (int64_t r = 0; r < tile.run_count; ++r) {
    const float* b = tile.b + tile.runs[r].b * b_step;
    const int64_t end = tile.runs[r].a + tile.depth;
    int64_t k = tile.runs[r].a;
    for (; k < end; ++k, b += b_step) {
      if constexpr (kRows >= kRowsToFetch) fetch<kColumns>(b + b_ahead);
      step([&](int i) HWY_ATTR { return rows[i] + k; }, b, sum);
    }
  }
  finish(tile, sum);
}

template <int kRows, int kVectors>
void multiply_adjacent(const Tile& tile) {
  constexpr int64_t kColumns = kVectors * kLanes;
  if (tile.columns != kColumns) {
    return multiply_edge(tile, multiply_adjacent<kRows, kVectors>, kRows, kColumns);
  }
  V sum[kRows][kVectors];
  start(tile, sum);
  const int64_t a_step = tile.a_step, b_step = tile.b_step;
  const float* ahead = tile.ahead;
  const int64_t a_ahead = steps_ahead(tile) * a_step, b_ahead = steps_ahead(tile) * b_step;
  const int64_t part = ahead == nullptr ? tile.depth : (tile.depth + kRows - 1) / kRows;
  for (int64_t r = 0; r < tile.run_count; ++r) {
    const float* a = tile.a[0] + tile.runs[r].a;
    const float* b = tile.b + tile.runs[r].b * b_step;
    for (int64_t left = tile.depth; left > 0; left -= part, ahead += tile.ahead_row) {
      if (tile.ahead != nullptr) {
        for (int j = 0; j < kVectors; ++j) __builtin_prefetch(ahead + j * kLanes);
      }
      for (int64_t k = std::min(part, left); k > 0; --k, a += a_step, b += b_step) {
        if constexpr (kRows >= kRowsToFetch) {
          fetch<kRows>(a + a_ahead);
          fetch<kColumns>(b + b_ahead);
        }
        step([&](int i) HWY_ATTR { return a + i; }, b, sum);
      }
    }
  }
  finish(tile, sum);
}

// Both operands lie in the order of use.
template <int kRows, int kVectors>
void multiply_packed(const Tile& tile) {
  constexpr int64_t kColumns = kVectors * kLanes;
  if (tile.columns != kColumns) {
    return multiply_edge(tile, multiply_packed<kRows, kVectors>, kRows, kColumns);
  }
  V sum[kRows][kVectors];
  start(tile, sum);
  const int64_t a_step = tile.a_step;
  const float *a = tile.a[0], *b = tile.b, *ahead = tile.ahead, *next_b = tile.next_b;
  const int64_t a_ahead = steps_ahead(tile) * a_step, b_ahead = steps_ahead(tile) * kColumns;
  const int64_t part = (tile.depth + kRows - 1) / kRows;
  for (int64_t left = tile.depth; left > 0; left -= part, ahead += tile.ahead_row) {
    for (int j = 0; j < kVectors; ++j) __builtin_prefetch(ahead + j * kLanes);
    for (int64_t k = std::min(part, left); k > 0; --k, a += a_step, b += kColumns) {
      __builtin_prefetch(next_b, 0, 2);
      next_b += tile.next_b_step;
      fetch<kRows>(a + a_ahead);
      fetch<kColumns>(b + b_ahead);
      step([&](int i) HWY_ATTR { return a + i; }, b, sum);
    }
  }
  finish(tile, sum);
}

constexpr int kDotRows = kManyRegisters ? 6 : 3;
constexpr int kDotColumns = 4;

template <int kRows, int kColumns, typename Load>
HWY_INLINE void dot_step(const float* const (&a)[kRows], const float* const (&b)[kColumns],
                         int64_t k, const Load& load, V (&sum)[kRows][kColumns]) {
  V rows[kRows];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) rows[i] = load(a[i] + k);
#pragma GCC unroll 4
  for (int j = 0; j < kColumns; ++j) {
    const V column = load(b[j] + k);
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) sum[i][j] = hn::MulAdd(rows[i], column, sum[i][j]);
  }
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void sum_lanes(const V (&v)[kDotColumns], float* sums) {
  for (int i = 0; i < kDotColumns; ++i) sums[i] = hn::GetLane(v[i]);
}
#else
// The sum of the blocks of four lanes.
template <typename Tag>
HWY_INLINE auto fold(Tag, hn::Vec<Tag> v) {
  if constexpr (hn::MaxLanes(Tag()) == 4) {
    return v;
  } else {
    const hn::Half<Tag> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// The sums of the lanes of four vectors, the order of the additions the same for each.
HWY_INLINE void sum_lanes(const V (&v)[kDotColumns], float* sums) {
  const D d;
  const V even = hn::Add(hn::InterleaveLower(d, v[0], v[2]), hn::InterleaveUpper(d, v[0], v[2]));
  const V odd = hn::Add(hn::InterleaveLower(d, v[1], v[3]), hn::InterleaveUpper(d, v[1], v[3]));
  const V all = hn::Add(hn::InterleaveLower(d, even, odd), hn::InterleaveUpper(d, even, odd));
  hn::Store(fold(d, all), hn::CappedTag<float, 4>(), sums);
}
#endif

template <int kRows, int kColumns>
void dot(const DotTile& tile) {
  const D d;
  V sum[kRows][kColumns];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) sum[i][j] = hn::Zero(d);
  }
  const float *a[kRows], *b[kColumns];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) a[i] = tile.a[i];
#pragma GCC unroll 4
  for (int j = 0; j < kColumns; ++j) b[j] = tile.b + j * tile.b_row;
  int64_t k = 0;
  for (; k + kLanes <= tile.depth; k += kLanes) {
    dot_step(
        a, b, k, [&](const float* p) HWY_ATTR { return hn::LoadU(d, p); }, sum);
  }
  if (k < tile.depth) {
    const int64_t rest = tile.depth - k;
    dot_step(
        a, b, k, [&](const float* p) HWY_ATTR { return load_first(d, p, rest, hn::Zero(d)); }, sum);
  }
  HWY_ALIGN float sums[kRows][kDotColumns];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    V of_columns[kDotColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kDotColumns; ++j) of_columns[j] = j < kColumns ? sum[i][j] : hn::Zero(d);
    sum_lanes(of_columns, sums[i]);
  }
  for (int i = 0; i < kRows; ++i) {
    float* y = tile.y[i];
    const float* before = tile.accumulate ? y : tile.bias;
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      const float value = before == nullptr ? sums[i][j] : sums[i][j] + before[j];
      y[j] = tile.relu && value < 0 ? 0 : value;
    }
  }
}

template <int kRows, int... kColumnsMinusOne>
void fill_dot_row(MicroKernels& k, std::integer_sequence<int, kColumnsMinusOne...>) {
  ((k.dot[kRows][kColumnsMinusOne + 1] = dot<kRows, kColumnsMinusOne + 1>), ...);
}

template <int... kRowsMinusOne>
void fill_dot(MicroKernels& k, std::integer_sequence<int, kRowsMinusOne...>) {
  k.dot_rows = kDotRows;
  k.dot_columns = kDotColumns;
  (fill_dot_row<kRowsMinusOne + 1>(k, std::make_integer_sequence<int, kDotColumns>()), ...);
}

template <int kVectors, int... kRowsMinusOne>
void fill_gathered(KernelFamily& family, std::integer_sequence<int, kRowsMinusOne...>) {
  family.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((family.of[kVectors][kRowsMinusOne + 1] = multiply_gathered<kRowsMinusOne + 1, kVectors>), ...);
}

template <int kVectors, int... kRowsMinusOne>
void fill_adjacent(KernelFamily& family, std::integer_sequence<int, kRowsMinusOne...>) {
  family.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((family.of[kVectors][kRowsMinusOne + 1] = multiply_adjacent<kRowsMinusOne + 1, kVectors>), ...);
}

template <int kVectors, int... kRowsMinusOne>
void fill_packed(KernelFamily& family, std::integer_sequence<int, kRowsMinusOne...>) {
  family.max_rows[kVectors] = sizeof...(kRowsMinusOne);
  ((family.of[kVectors][kRowsMinusOne + 1] = multiply_packed<kRowsMinusOne + 1, kVectors>), ...);
}

template <int... kVectorsMinusOne>
void fill_all_packed(KernelFamily& family, std::integer_sequence<int, kVectorsMinusOne...>) {
  (fill_packed<kVectorsMinusOne + 1>(family, std::make_integer_sequence<int, kPackedRows>()), ...);
}

const MicroKernels* table() {
  static const MicroKernels kernels = [] {
    MicroKernels k;
    k.lanes = kLanes;
    fill_gathered<1>(k.gathered, std::make_integer_sequence<int, max_gathered(1)>());
    fill_gathered<2>(k.gathered, std::make_integer_sequence<int, max_gathered(2)>());
    fill_adjacent<1>(k.adjacent, std::make_integer_sequence<int, max_adjacent(1)>());
    fill_adjacent<2>(k.adjacent, std::make_integer_sequence<int, max_adjacent(2)>());
    k.packed_vectors = kPackedVectors;
    fill_all_packed(k.packed, std::make_integer_sequence<int, kPackedVectors>());
    fill_dot(k, std::make_integer_sequence<int, kDotRows>());
    return k;
  }();
  return &kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(table);
const MicroKernels& micro_kernels() { return *HWY_DYNAMIC_DISPATCH(table)(); }
}  // namespace gatun::kernels
#endif
