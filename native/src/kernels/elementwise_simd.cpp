#include "kernels/elementwise_simd.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// Headers made anew for every target come after foreach_target.h.
#include "hwy/contrib/math/math-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();

// ---- Functions that Highway's library leaves open at the ends of their range

template <typename D, typename V>
HWY_INLINE V exp_of(D d, V x) {
  // Highway's is right from -104 to 89; conversion to an integer is undefined far outside.
  const V inside = hn::Min(hn::Max(x, hn::Set(d, -110.0f)), hn::Set(d, 88.9f));
  const V y =
      hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.722839f)), hn::Set(d, kInfinity), hn::Exp(d, inside));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

template <typename D, typename V>
HWY_INLINE V log_of(D d, V x) {
  V y = hn::Log(d, x);
  y = hn::IfThenElse(hn::Eq(x, hn::Set(d, kInfinity)), x, y);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Set(d, -kInfinity), y);
  return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), y, hn::Set(d, kNotANumber));
}

template <typename D, typename V>
HWY_INLINE V sigmoid_of(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp_of(d, hn::Neg(x))));
}

template <typename D, typename V>
HWY_INLINE V tanh_of(D d, V x) {
  // Beyond 10 tanh is 1 to the last bit; NaN and infinities do not reach Highway's.
  const V limit = hn::Set(d, 10.0f);
  const V y = hn::Tanh(d, hn::Min(hn::Max(x, hn::Neg(limit)), limit));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// ---- Operations

struct Negate {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Neg(x);
  }
};
struct Abs {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Abs(x);
  }
};
struct Square {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Mul(x, x);
  }
};
struct Sqrt {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Sqrt(x);
  }
};
struct Exp {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    return exp_of(d, x);
  }
};
struct Log {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    return log_of(d, x);
  }
};
struct Relu {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);  // not Max: NaN stays NaN
  }
};
struct Sigmoid {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    return sigmoid_of(d, x);
  }
};
struct Tanh {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    return tanh_of(d, x);
  }
};
struct Sign {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V x) const {
    const V zero = hn::Zero(d);
    const V y = hn::IfThenElse(hn::Gt(x, zero), hn::Set(d, 1.0f), x);
    return hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, -1.0f), y);
  }
};

struct Add {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Add(a, b);
  }
};
struct Subtract {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Sub(a, b);
  }
};
struct Multiply {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};
struct Divide {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Div(a, b);
  }
};
struct Maximum {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Minimum {
  template <typename D, typename V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Gate {
  template <typename D, typename V>
  HWY_INLINE V operator()(D d, V a, V b) const {
    return hn::IfThenElseZero(hn::Gt(b, hn::Zero(d)), a);
  }
};

// ---- Loops

template <typename Op>
void unary_loop(Op op, float* y, const float* x, int64_t count) {
  for_lanes(count,
            [=](auto d, int64_t i) HWY_ATTR { hn::StoreU(op(d, hn::LoadU(d, x + i)), d, y + i); });
}

template <bool kDense, typename D>
HWY_INLINE hn::Vec<D> load(D d, const float* p, int64_t i) {
  if constexpr (kDense) return hn::LoadU(d, p + i);
  return hn::Set(d, *p);
}

template <bool kADense, bool kBDense, typename Op>
void binary_rows(Op op, float* y, const float* a, const float* b, const RowBlock& block) {
  for (int64_t row = 0; row < block.rows; ++row) {
    for_lanes(block.columns, [=](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(op(d, load<kADense>(d, a, i), load<kBDense>(d, b, i)), d, y + i);
    });
    y += block.columns;
    a += block.a_row_stride;
    b += block.b_row_stride;
  }
}

template <typename Op>
void binary_loop(Op op, float* y, const float* a, const float* b, const RowBlock& block) {
  if (block.a_is_dense && block.b_is_dense) return binary_rows<true, true>(op, y, a, b, block);
  if (block.a_is_dense) return binary_rows<true, false>(op, y, a, b, block);
  if (block.b_is_dense) return binary_rows<false, true>(op, y, a, b, block);
  binary_rows<false, false>(op, y, a, b, block);
}

void unary_all(Unary op, float* y, const float* x, int64_t count) {
  switch (op) {
    case Unary::NEGATE:
      return unary_loop(Negate{}, y, x, count);
    case Unary::ABS:
      return unary_loop(Abs{}, y, x, count);
    case Unary::SQUARE:
      return unary_loop(Square{}, y, x, count);
    case Unary::SQRT:
      return unary_loop(Sqrt{}, y, x, count);
    case Unary::EXP:
      return unary_loop(Exp{}, y, x, count);
    case Unary::LOG:
      return unary_loop(Log{}, y, x, count);
    case Unary::RELU:
      return unary_loop(Relu{}, y, x, count);
    case Unary::SIGMOID:
      return unary_loop(Sigmoid{}, y, x, count);
    case Unary::TANH:
      return unary_loop(Tanh{}, y, x, count);
    case Unary::SIGN:
      return unary_loop(Sign{}, y, x, count);
  }
}

void binary_all(Binary op, float* y, const float* a, const float* b, const RowBlock& block) {
  switch (op) {
    case Binary::ADD:
      return binary_loop(Add{}, y, a, b, block);
    case Binary::SUBTRACT:
      return binary_loop(Subtract{}, y, a, b, block);
    case Binary::MULTIPLY:
      return binary_loop(Multiply{}, y, a, b, block);
    case Binary::DIVIDE:
      return binary_loop(Divide{}, y, a, b, block);
    case Binary::MAXIMUM:
      return binary_loop(Maximum{}, y, a, b, block);
    case Binary::MINIMUM:
      return binary_loop(Minimum{}, y, a, b, block);
    case Binary::GATE:
      return binary_loop(Gate{}, y, a, b, block);
  }
}

void affine_all(float* y, const float* x, int64_t count, float scale, float shift) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::MulAdd(hn::Set(d, scale), hn::LoadU(d, x + i), hn::Set(d, shift)), d, y + i);
  });
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(unary_all);
HWY_EXPORT(binary_all);
HWY_EXPORT(affine_all);

void unary_f32(Unary op, float* y, const float* x, int64_t count) {
  HWY_DYNAMIC_DISPATCH(unary_all)(op, y, x, count);
}

void binary_f32(Binary op, float* y, const float* a, const float* b, const RowBlock& block) {
  HWY_DYNAMIC_DISPATCH(binary_all)(op, y, a, b, block);
}

void affine_f32(float* y, const float* x, int64_t count, float scale, float shift) {
  HWY_DYNAMIC_DISPATCH(affine_all)(y, x, count, scale, shift);
}

}  // namespace gatun::kernels
#endif
