#include "kernels/widen.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/widen_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels {
namespace HWY_NAMESPACE {

void widen(float* to, const Bf16* from, int64_t count) {
  const hn::CappedTag<float, 16> d;
  constexpr int64_t n = hn::MaxLanes(d);
  int64_t i = 0;
  for (; i + n <= count; i += n) hn::StoreU(load_bf16(d, from + i), d, to + i);
  for (; i < count; ++i) to[i] = to_float(from[i]);
}

void narrow(Bf16* to, const float* from, int64_t count) {
  const hn::CappedTag<float, 16> d;
  constexpr int64_t n = hn::MaxLanes(d);
  int64_t i = 0;
  for (; i + n <= count; i += n) store_bf16(hn::LoadU(d, from + i), d, to + i);
  for (; i < count; ++i) to[i] = to_bf16(from[i]);
}

void round_to_bf16(float* x, int64_t count) {
  const hn::CappedTag<float, 16> d;
  constexpr int64_t n = hn::MaxLanes(d);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    const auto upper = round_bf16(d, hn::LoadU(d, x + i));
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(upper)), d, x + i);
  }
  for (; i < count; ++i) x[i] = to_float(to_bf16(x[i]));
}

}  // namespace HWY_NAMESPACE
}  // namespace gatun::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(widen);
HWY_EXPORT(narrow);
HWY_EXPORT(round_to_bf16);
void widen(float* to, const Bf16* from, int64_t count) {
  HWY_DYNAMIC_DISPATCH(widen)(to, from, count);
}
void narrow(Bf16* to, const float* from, int64_t count) {
  HWY_DYNAMIC_DISPATCH(narrow)(to, from, count);
}
void round_to_bf16(float* x, int64_t count) { HWY_DYNAMIC_DISPATCH(round_to_bf16)(x, count); }
}  // namespace gatun::kernels
#endif
