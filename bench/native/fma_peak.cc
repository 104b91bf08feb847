#include "fma_peak.h"

#include <algorithm>
#include <ctime>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fma_peak.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kSums = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON ? 24 : 12;

// FLOPs of `steps` steps.
double multiply_add(int64_t steps, float* out) {
  const hn::CappedTag<float, 16> d;
  const auto a = hn::Set(d, 0.999f), b = hn::Set(d, 1e-6f);
  hn::Vec<decltype(d)> sum[kSums];
  for (auto& s : sum) s = a;
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = hn::MulAdd(sum[i], a, b);
  }
  for (int i = 1; i < kSums; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  *out = hn::GetLane(sum[0]);
  return 2.0 * static_cast<double>(steps) * kSums * static_cast<double>(hn::MaxLanes(d));
}

}  // namespace gatun::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::bench {
HWY_EXPORT(multiply_add);

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double fma_peak(double seconds) {
  constexpr int64_t kSteps = 1 << 16;
  float sink;
  double flops = 0;
  const double begin = thread_seconds();
  for (;;) {
    flops += HWY_DYNAMIC_DISPATCH(multiply_add)(kSteps, &sink);
    asm volatile("" : : "g"(sink));
    const double time = thread_seconds() - begin;
    if (time >= seconds) return flops / time;
  }
}

}  // namespace gatun::bench
#endif
