// Vectors of f32 from and to bf16 in memory. Included once per SIMD target.
#include "core/bf16.h"
#include "hwy/highway.h"

#if defined(GATUN_KERNELS_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GATUN_KERNELS_BF16_INL_H_
#undef GATUN_KERNELS_BF16_INL_H_
#else
#define GATUN_KERNELS_BF16_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load_bf16(D d, const Bf16* p) {
  const hn::RebindToUnsigned<D> bits;
  const hn::Rebind<uint16_t, D> halves;
  const auto upper = hn::LoadU(halves, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, upper)));
}

// The bits of v rounded to bf16, in the lower half of each lane.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> round_bf16(D d, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> bits;
  const auto x = hn::BitCast(bits, v);
  const auto odd = hn::And(hn::ShiftRight<16>(x), hn::Set(bits, 1));
  const auto rounded = hn::Add(x, hn::Add(odd, hn::Set(bits, 0x7fff)));
  const auto quiet = hn::Or(x, hn::Set(bits, 0x400000));
  // Not Ne: that is false for NaN above SSE4.
  const auto is_nan = hn::RebindMask(bits, hn::IsNaN(v));
  (void)d;
  return hn::ShiftRight<16>(hn::IfThenElse(is_nan, quiet, rounded));
}

template <class D>
HWY_INLINE void store_bf16(hn::Vec<D> v, D d, Bf16* p) {
  const hn::RebindToSigned<D> signed_bits;
  const hn::Rebind<uint16_t, D> halves;
  const auto narrow = hn::DemoteTo(halves, hn::BitCast(signed_bits, round_bf16(d, v)));
  hn::StoreU(narrow, halves, reinterpret_cast<uint16_t*>(p));
}

// Vectors of f32 from whatever loops are stored in.
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load(D d, const Bf16* p) {
  return load_bf16(d, p);
}
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// One instruction that rounds 16 numbers, in assembly as in gemm_bf16_simd.cpp. It makes zeros of
// denormals, which the workers' arithmetic does anyway.
inline const bool rounds_at_once = __builtin_cpu_supports("avx512bf16");
#endif

// What a kernel has computed; never past the caches: half a cache line at a time would not pay.
template <bool kStream, class D>
HWY_INLINE void store(hn::Vec<D> v, D d, Bf16* p) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if constexpr (hn::MaxLanes(D()) == 16) {
    if (rounds_at_once) {
      const hn::Rebind<uint16_t, D> halves;
      hn::Vec<decltype(halves)> rounded;
      asm("vcvtneps2bf16 %1, %0" : "=v"(rounded.raw) : "v"(v.raw));
      return hn::StoreU(rounded, halves, reinterpret_cast<uint16_t*>(p));
    }
  }
#endif
  store_bf16(v, d, p);
}

}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
