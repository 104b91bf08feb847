// Sigmoid and hyperbolic tangent of f32 vectors from one exponential, to some 2 units in the last
// place, small arguments of tanh included. NaN stays NaN. Included once per SIMD target.
#include "hwy/highway.h"

#if defined(GATUN_KERNELS_SQUASH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GATUN_KERNELS_SQUASH_INL_H_
#undef GATUN_KERNELS_SQUASH_INL_H_
#else
#define GATUN_KERNELS_SQUASH_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// exp(x) = scale (1 + rest), scale a power of two. |x| < 87.
template <class D>
struct Exponential {
  hn::Vec<D> scale, rest;
};

template <class D, class V = hn::Vec<D>>
HWY_INLINE Exponential<D> exponential(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V k = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // ln 2 in two parts, the first exact when multiplied by k (Cody and Waite 1980).
  V r = hn::NegMulAdd(k, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(k, hn::Set(d, -2.12194440e-4f), r);
  // The minimax polynomial of Cephes' expf.
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  const auto exponent = hn::Add(hn::ConvertTo(di, k), hn::Set(di, 127));
  return {hn::BitCast(d, hn::ShiftLeft<23>(exponent)), hn::MulAdd(p, hn::Mul(r, r), r)};
}

// NaN stays NaN, whatever a target's Min and Max make of it.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V limit(D d, V x, float bound) {
  const V inside = hn::Max(hn::Set(d, -bound), hn::Min(hn::Set(d, bound), x));
  return hn::IfThenElse(hn::Eq(x, x), inside, x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V squash_sigmoid(D d, V x) {
  const auto e = exponential(d, limit(d, hn::Neg(x), 86.0f));
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, hn::MulAdd(e.scale, e.rest, e.scale)));
}

// (exp(2x) - 1) / (exp(2x) + 1); the numerator without cancellation. Beyond 10 it is 1 to the last
// bit.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V squash_tanh(D d, V x) {
  const auto e = exponential(d, limit(d, hn::Add(x, x), 20.0f));
  const V above = hn::MulAdd(e.scale, e.rest, hn::Sub(e.scale, hn::Set(d, 1.0f)));
  return hn::Div(above, hn::Add(above, hn::Set(d, 2.0f)));
}

}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
