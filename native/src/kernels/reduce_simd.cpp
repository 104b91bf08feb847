#include "kernels/reduce_simd.h"

#include <algorithm>
#include <limits>

#include "kernels/reduce_naive.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// Headers made anew for every target come after foreach_target.h.
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Rows, or vectors of a dense row, that are summed in f32 before they join the sum in f64. The
// error of a run is some 2^-24 of its largest partial sum, whatever the length of the whole.
constexpr int64_t kRun = 64;

struct Sum {
  static constexpr float kStart = 0.0f;
  template <typename V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Add(a, b);
  }
  template <typename D, typename V>
  HWY_INLINE float across(D d, V v) const {
    return hn::GetLane(hn::SumOfLanes(d, v));
  }
  double into(double result, float x) const { return result + static_cast<double>(x); }
};

struct Max {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  template <typename V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
  }
  template <typename D, typename V>
  HWY_INLINE float across(D d, V v) const {
    const V nan = hn::IfThenElseZero(hn::IsNaN(v), v);
    const float any_nan = hn::GetLane(hn::SumOfLanes(d, nan));
    return any_nan != any_nan ? any_nan : hn::GetLane(hn::MaxOfLanes(d, v));
  }
  double into(double result, float x) const {
    return naive::combine(Reduction::MAX, result, static_cast<double>(x));
  }
};

// A dense row. Four vectors side by side hide the latency of the operation.
template <typename Op>
double reduce_dense(Op op, double result, const float* x, int64_t count) {
  const Floats d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const auto start = hn::Set(d, Op::kStart);
  int64_t i = 0;
  while (count - i >= 4 * n) {
    auto v0 = start, v1 = start, v2 = start, v3 = start;
    const int64_t end = i + std::min((count - i) / (4 * n), kRun / 4) * 4 * n;
    for (; i < end; i += 4 * n) {
      v0 = op(v0, hn::LoadU(d, x + i));
      v1 = op(v1, hn::LoadU(d, x + i + n));
      v2 = op(v2, hn::LoadU(d, x + i + 2 * n));
      v3 = op(v3, hn::LoadU(d, x + i + 3 * n));
    }
    result = op.into(result, op.across(d, op(op(v0, v1), op(v2, v3))));
  }
  if (i == count) return result;
  auto v = start;
  for (; i + n <= count; i += n) v = op(v, hn::LoadU(d, x + i));
  if (i < count) v = op(v, load_first(d, x + i, count - i, start));
  return op.into(result, op.across(d, v));
}

// Combines a run of rows of four vectors side by side, then of single vectors.
template <typename Op>
HWY_INLINE void reduce_run(Op op, float* run, const float* x, int64_t rows, int64_t columns,
                           int64_t row_stride) {
  const Floats whole;
  const auto n = static_cast<int64_t>(hn::Lanes(whole));
  int64_t done = 0;
  for (; done + 4 * n <= columns; done += 4 * n) {
    const float* p = x + done;
    const auto start = hn::Set(whole, Op::kStart);
    auto v0 = start, v1 = start, v2 = start, v3 = start;
    for (int64_t i = 0; i < rows; ++i, p += row_stride) {
      v0 = op(v0, hn::LoadU(whole, p));
      v1 = op(v1, hn::LoadU(whole, p + n));
      v2 = op(v2, hn::LoadU(whole, p + 2 * n));
      v3 = op(v3, hn::LoadU(whole, p + 3 * n));
    }
    hn::StoreU(v0, whole, run + done);
    hn::StoreU(v1, whole, run + done + n);
    hn::StoreU(v2, whole, run + done + 2 * n);
    hn::StoreU(v3, whole, run + done + 3 * n);
  }
  for_lanes(columns - done, [=](auto d, int64_t c) HWY_ATTR {
    auto even = hn::Set(d, Op::kStart), odd = even;
    const float* p = x + done + c;
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2, p += 2 * row_stride) {
      even = op(even, hn::LoadU(d, p));
      odd = op(odd, hn::LoadU(d, p + row_stride));
    }
    if (i < rows) even = op(even, hn::LoadU(d, p));
    hn::StoreU(op(even, odd), d, run + done + c);
  });
}

template <typename Op>
void reduce_columns(Op op, double* results, const float* x, int64_t rows, int64_t columns,
                    int64_t row_stride) {
  float run[kReduceColumns];
  for (int64_t row = 0; row < rows; row += kRun) {
    reduce_run(op, run, x + row * row_stride, std::min(kRun, rows - row), columns, row_stride);
    for (int64_t c = 0; c < columns; ++c) results[c] = op.into(results[c], run[c]);
  }
}

template <typename Op>
void reduce_with(Op op, double* results, const float* x, int64_t rows, int64_t columns,
                 int64_t row_stride) {
  if (row_stride == 1) {
    results[0] = reduce_dense(op, results[0], x, rows);
  } else {
    reduce_columns(op, results, x, rows, columns, row_stride);
  }
}

void reduce_all(Reduction op, double* results, const float* x, int64_t rows, int64_t columns,
                int64_t row_stride) {
  if (op == Reduction::MAX) {
    reduce_with(Max{}, results, x, rows, columns, row_stride);
  } else {
    reduce_with(Sum{}, results, x, rows, columns, row_stride);
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(reduce_all);

void reduce_block_f32(Reduction op, double* results, const float* x, int64_t rows, int64_t columns,
                      int64_t row_stride) {
  HWY_DYNAMIC_DISPATCH(reduce_all)(op, results, x, rows, columns, row_stride);
}

}  // namespace gatun::kernels
#endif
