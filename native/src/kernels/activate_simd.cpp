#include "kernels/activate_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activate_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After highway.h.
#include "hwy/contrib/math/math-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Beyond it every activation is its asymptote to the last bit, or less than the least normal
// number; exp(-kFar) is 0, exp(kFar) is the end of the range.
constexpr float kFar = 88.7f;

template <typename D, typename V>
HWY_INLINE V clamp(D d, V x, float low, float high) {
  return hn::Min(hn::Max(x, hn::Set(d, low)), hn::Set(d, high));
}

template <typename D, typename V>
HWY_INLINE V or_nan(V x, V y, D) {
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// 1 / (1 + exp(-x)) of |x| <= kFar; 0 at the lower end, where it is no normal number.
template <typename D, typename V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V y = hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(x))));
  return hn::IfThenElseZero(hn::Gt(x, hn::Set(d, -kFar)), y);
}

// The normal density at 0 <= t <= kEndOfBell, without its constant: exp(-t^2 / 2). What rounding
// t^2 loses comes back, for in an exponent it would be many units of the result.
template <typename D, typename V>
HWY_INLINE V bell(D d, V t) {
  const V square = hn::Mul(t, t);
  const V lost = hn::MulSub(t, t, square);
  const V half = hn::Set(d, -0.5f);
  const V e = hn::Exp(d, hn::Mul(square, half));
  return hn::MulAdd(hn::Mul(e, lost), half, e);
}

// Phi(x), of full relative accuracy in its tail too: for t = |x| it is bell(t) R(t) above t, with
// R(t) (t + k) a polynomial in w = (t - k) / (t + k), k = 3.5, fitted to 7e-9.
template <typename D, typename V>
HWY_INLINE V normal_below(D d, V x, V t, V density) {
  const V k = hn::Set(d, 3.5f);
  const V by = hn::Div(hn::Set(d, 1.0f), hn::Add(t, k));
  const V w = hn::Mul(hn::Sub(t, k), by);
  V p = hn::Set(d, 0.000110689405f);
  p = hn::MulAdd(p, w, hn::Set(d, 0.000421897857f));
  p = hn::MulAdd(p, w, hn::Set(d, -0.000494943699f));
  p = hn::MulAdd(p, w, hn::Set(d, -0.00317531079f));
  p = hn::MulAdd(p, w, hn::Set(d, 0.0064931158f));
  p = hn::MulAdd(p, w, hn::Set(d, 0.0174063779f));
  p = hn::MulAdd(p, w, hn::Set(d, -0.116053037f));
  p = hn::MulAdd(p, w, hn::Set(d, 0.315425038f));
  p = hn::MulAdd(p, w, hn::Set(d, -0.565561771f));
  p = hn::MulAdd(p, w, hn::Set(d, 0.744416058f));
  const V above = hn::Mul(density, hn::Mul(p, by));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), above, hn::Sub(hn::Set(d, 1.0f), above));
}

constexpr float kEndOfBell = 14.5f;  // exp(-t^2 / 2) is 0 there

// 2 sqrt(2 / pi) (x + 0.044715 x^3), kept where sigmoid takes it.
template <typename D, typename V>
HWY_INLINE V twice_u(D d, V x) {
  const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715f), hn::Set(d, 1.0f));
  return clamp(d, hn::Mul(hn::Mul(x, hn::Set(d, 1.595769122f)), cubic), -kFar, kFar);
}

// Each has the value at x and the slope there. NaN is the caller's to keep.

struct LeakyRelu {
  float slope;
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, hn::Set(d, slope)));
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f), hn::Set(d, slope));
  }
};

struct Elu {
  float alpha;
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    // exp(-30) - 1 is -1.
    const V low = hn::Expm1(d, clamp(d, x, -30, 0));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(low, hn::Set(d, alpha)));
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    const V low = hn::Exp(d, clamp(d, x, -110, 0));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f),
                          hn::Mul(low, hn::Set(d, alpha)));
  }
};

struct Gelu {
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    const V t = hn::Min(hn::Abs(x), hn::Set(d, kEndOfBell));
    const V below = normal_below(d, x, t, bell(d, t));
    return hn::Mul(hn::Max(x, hn::Set(d, -kFar)), below);
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    const V near = clamp(d, x, -kEndOfBell, kEndOfBell);
    const V t = hn::Abs(near);
    const V density = bell(d, t);
    const V scaled = hn::Mul(hn::Mul(near, density), hn::Set(d, 0.3989422804f));
    return hn::Add(normal_below(d, near, t, density), scaled);
  }
};

struct GeluTanh {
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    const V near = clamp(d, x, -kFar, kFar);
    return hn::Mul(hn::Max(x, hn::Set(d, -kFar)), sigmoid(d, twice_u(d, near)));
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    const V near = clamp(d, x, -kFar, kFar);
    const V s = sigmoid(d, twice_u(d, near));
    const V slope = hn::MulAdd(hn::Mul(near, near), hn::Set(d, 3 * 0.044715f * 1.595769122f),
                               hn::Set(d, 1.595769122f));
    const V bend = hn::Mul(s, hn::Sub(hn::Set(d, 1.0f), s));
    return hn::MulAdd(hn::Mul(near, bend), slope, s);
  }
};

struct Silu {
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    return hn::Mul(hn::Max(x, hn::Set(d, -kFar)), sigmoid(d, clamp(d, x, -kFar, kFar)));
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    const V near = clamp(d, x, -kFar, kFar);
    const V s = sigmoid(d, near);
    const V one = hn::Set(d, 1.0f);
    return hn::Mul(s, hn::MulAdd(near, hn::Sub(one, s), one));
  }
};

// log(1 + e) for 0 <= e <= 1: 2 artanh(z) with z = e / (2 + e) <= 1/3, whose series is short.
template <typename D, typename V>
HWY_INLINE V log_1_plus(D d, V e) {
  const V z = hn::Div(e, hn::Add(e, hn::Set(d, 2.0f)));
  const V square = hn::Mul(z, z);
  V series = hn::Set(d, 2.0f / 15);
  for (const float term : {2.0f / 13, 2.0f / 11, 2.0f / 9, 2.0f / 7, 2.0f / 5, 2.0f / 3, 2.0f}) {
    series = hn::MulAdd(series, square, hn::Set(d, term));
  }
  return hn::Mul(z, series);
}

struct Softplus {
  template <typename D, typename V>
  HWY_INLINE V value(D d, V x) const {
    const V far = hn::Max(hn::Neg(hn::Abs(x)), hn::Set(d, -110.0f));
    return hn::Add(hn::Max(x, hn::Zero(d)), log_1_plus(d, hn::Exp(d, far)));
  }
  template <typename D, typename V>
  HWY_INLINE V derivative(D d, V x) const {
    return sigmoid(d, clamp(d, x, -kFar, kFar));
  }
};

template <typename F>
void value_loop(F f, float* y, const float* x, int64_t count) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(or_nan(v, f.value(d, v), d), d, y + i);
  });
}

template <typename F>
void slope_loop(F f, float* dx, const float* dy, const float* x, int64_t count) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(hn::Mul(hn::LoadU(d, dy + i), or_nan(v, f.derivative(d, v), d)), d, dx + i);
  });
}

void values(Function f, float* y, const float* x, int64_t count, float parameter) {
  switch (f) {
    case Function::LEAKY_RELU:
      return value_loop(LeakyRelu{parameter}, y, x, count);
    case Function::ELU:
      return value_loop(Elu{parameter}, y, x, count);
    case Function::GELU:
      return value_loop(Gelu{}, y, x, count);
    case Function::GELU_TANH:
      return value_loop(GeluTanh{}, y, x, count);
    case Function::SILU:
      return value_loop(Silu{}, y, x, count);
    case Function::SOFTPLUS:
      return value_loop(Softplus{}, y, x, count);
  }
}

void slopes(Function f, float* dx, const float* dy, const float* x, int64_t count,
            float parameter) {
  switch (f) {
    case Function::LEAKY_RELU:
      return slope_loop(LeakyRelu{parameter}, dx, dy, x, count);
    case Function::ELU:
      return slope_loop(Elu{parameter}, dx, dy, x, count);
    case Function::GELU:
      return slope_loop(Gelu{}, dx, dy, x, count);
    case Function::GELU_TANH:
      return slope_loop(GeluTanh{}, dx, dy, x, count);
    case Function::SILU:
      return slope_loop(Silu{}, dx, dy, x, count);
    case Function::SOFTPLUS:
      return slope_loop(Softplus{}, dx, dy, x, count);
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(values);
HWY_EXPORT(slopes);

void activate_f32(Function f, float* y, const float* x, int64_t count, float parameter) {
  HWY_DYNAMIC_DISPATCH(values)(f, y, x, count, parameter);
}

void activate_backward_f32(Function f, float* dx, const float* dy, const float* x, int64_t count,
                           float parameter) {
  HWY_DYNAMIC_DISPATCH(slopes)(f, dx, dy, x, count, parameter);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
