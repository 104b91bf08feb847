// Loops of f32 vectors over arrays of any length. Included once per SIMD target.
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

#if defined(GATUN_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GATUN_KERNELS_LANES_INL_H_
#undef GATUN_KERNELS_LANES_INL_H_
#else
#define GATUN_KERNELS_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Floats>;

// Calls body(tag, i) for i over [0, count): whole vectors, then four lanes, then single ones. No
// lane outside is touched. Lambdas given here need HWY_ATTR.
template <typename Body>
HWY_INLINE void for_lanes(int64_t count, Body body) {
  const Floats whole;
  const hn::CappedTag<float, 4> quad;
  const hn::CappedTag<float, 1> one;
  const auto n = static_cast<int64_t>(hn::Lanes(whole));
  const auto n4 = static_cast<int64_t>(hn::Lanes(quad));
  int64_t i = 0;
  for (; i + n <= count; i += n) body(whole, i);
  for (; i + n4 <= count; i += n4) body(quad, i);
  for (; i < count; ++i) body(one, i);
}

// The first n lanes from p, `fill` in the others. Nothing beyond them is read.
template <typename D>
HWY_INLINE hn::Vec<D> load_first(D d, const float* p, int64_t n, hn::Vec<D> fill) {
#if HWY_TARGET <= HWY_AVX2  // Only these load by a mask without touching the other lanes.
  const auto mask = hn::FirstN(d, static_cast<size_t>(n));
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), fill);
#else
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(fill, d, lanes);
  std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return hn::Load(d, lanes);
#endif
}

// The first n lanes to p. Nothing beyond them is written.
HWY_INLINE void store_first(Floats d, FloatVector v, float* p, int64_t n) {
#if HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, p);
#else
  HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, lanes);
  std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(float));
#endif
}

// To p, past the caches if kStream; then p is aligned to a whole vector wherever d is one.
template <bool kStream, class D>
HWY_INLINE void store(hn::Vec<D> v, D d, float* p) {
  if constexpr (kStream && hn::MaxLanes(d) == hn::MaxLanes(Floats())) {
    hn::Stream(v, d, p);
  } else {
    hn::StoreU(v, d, p);
  }
}

}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
