// Functions of one and two operands, element by element, and chains of them.
#include <span>

#include "cuda/kernels/broadcast.h"
#include "cuda/kernels/functions.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/map.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::Binary;
using gatun::kernels::Unary;

struct UnaryFunction {
  Unary op;
  template <typename T, int N>
  __device__ Pack<T, N> operator()(const Pack<T, N>& x) const {
    return apply(op, x);
  }
};

template <typename W>
struct AffineFunction {
  W scale, shift;
  template <int N>
  __device__ Pack<W, N> operator()(const Pack<W, N>& x) const {
    return affine(x, scale, shift);
  }
};

struct BinaryFunction {
  Binary op;
  template <typename T, int N>
  __device__ Pack<T, N> operator()(const Pack<T, N>& a, const Pack<T, N>& b) const {
    return apply(op, a, b);
  }
};

template <typename T>
struct Operands {
  Global<T> y;
  Global<const T> a, b;
  Broadcast<2> shape;
  Binary op;

  template <int N>
  __device__ void at(int64_t i) const {
    const auto value = apply(op, widen(shape.load<N>(a, 0, i)), widen(shape.load<N>(b, 1, i)));
    y.template store<N>(i, narrow<T, N>(value));
  }
};

// The steps of a chain in the order of their values' numbers: inputs, then the steps' results. A
// value that the next step reads alone stays in registers, an input is read where it is used.
template <typename T>
struct Chain {
  using W = WideOf<T>;
  struct Step {
    int32_t kind, op, a, b;
    bool kept;  // a later step than the next one reads it
    W scale, shift;
  };

  Global<T> y;
  Global<const T> inputs[GT_ELEMENTWISE_MAX_INPUTS];
  Broadcast<GT_ELEMENTWISE_MAX_INPUTS> shape;
  int32_t input_count, step_count;
  Step steps[GT_ELEMENTWISE_MAX_STEPS];

  template <int N>
  __device__ void at(int64_t i) const {
    Pack<W, N> last{}, kept[GT_ELEMENTWISE_MAX_STEPS];
    for (int32_t k = 0; k < step_count; ++k) {
      const Step& step = steps[k];
      const auto operand = [&](int32_t number) {
        if (number < input_count) return widen(shape.template load<N>(inputs[number], number, i));
        return number == input_count + k - 1 ? last : kept[number - input_count];
      };
      const Pack<W, N> a = operand(step.a);
      if (step.kind == GT_STEP_UNARY) {
        last = apply(static_cast<Unary>(step.op), a);
      } else if (step.kind == GT_STEP_BINARY) {
        last = apply(static_cast<Binary>(step.op), a, operand(step.b));
      } else {
        last = affine(a, step.scale, step.shift);
      }
      last = widen(narrow<T, N>(last));  // as if it had been stored
      if (step.kept) kept[k] = last;
    }
    y.template store<N>(i, narrow<T, N>(last));
  }
};

}  // namespace

namespace kernels {

void unary(Queue& queue, const Tensor& y, const Tensor& x, Unary op) {
  with_floating(y.dtype,
                [&](auto zero) { launch_map<decltype(zero)>(queue, y, UnaryFunction{op}, x); });
}

void affine(Queue& queue, const Tensor& y, const Tensor& x, double scale, double shift) {
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    launch_map<T>(queue, y, AffineFunction<W>{static_cast<W>(scale), static_cast<W>(shift)}, x);
  });
}

void binary(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, Binary op) {
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (a.count == y.count && b.count == y.count) {
      return launch_map<T>(queue, y, BinaryFunction{op}, a, b);
    }
    const Tensor* const operands[] = {&a, &b};
    const Operands<T> work{elements<T>(y), elements<const T>(a), elements<const T>(b),
                           Broadcast<2>(y, operands, 2), op};
    launch_work<T>(queue, y.count, are_aligned({&y, &a, &b}) && work.shape.takes_packs(kPackOf<T>),
                   work);
  });
}

void elementwise(Queue& queue, const Tensor& y, std::span<const Tensor> inputs,
                 std::span<const gt_step> steps) {
  const auto input_count = static_cast<int32_t>(inputs.size());
  const Tensor* operands[GT_ELEMENTWISE_MAX_INPUTS] = {};
  bool aligned = are_aligned({&y});
  for (int32_t i = 0; i < input_count; ++i) {
    operands[i] = &inputs[i];
    aligned = aligned && are_aligned({&inputs[i]});
  }
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    using W = WideOf<T>;
    Chain<T> chain{elements<T>(y), {}, {y, operands, input_count}, input_count, 0, {}};
    for (int32_t i = 0; i < input_count; ++i) chain.inputs[i] = elements<const T>(inputs[i]);
    for (const gt_step& step : steps) {
      const int32_t k = chain.step_count++;
      chain.steps[k] = {step.kind,
                        step.op,
                        step.a,
                        step.b,
                        false,
                        static_cast<W>(step.scale),
                        static_cast<W>(step.shift)};
      const auto reads = [&](int32_t number) {
        const int32_t maker = number - input_count;
        if (maker >= 0 && maker < k - 1) chain.steps[maker].kept = true;
      };
      reads(step.a);
      if (step.kind == GT_STEP_BINARY) reads(step.b);
    }
    launch_work<T>(queue, y.count, aligned && chain.shape.takes_packs(kPackOf<T>), chain);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
