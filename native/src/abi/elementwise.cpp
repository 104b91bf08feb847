#include "kernels/elementwise.h"

#include <string>
#include <vector>

#include "abi/handles.h"
#include "kernels/elementwise_chain.h"

using namespace gatun;

namespace {

void check_operand(const char* op, const char* name, const Tensor& operand, const Tensor& y) {
  require(kernels::broadcasts(operand, y), "[", op, "] ", name, " does not broadcast to y: ", name,
          " is ", operand, ", y is ", y);
  // Where the operand repeats, its elements are read again after y's have been written.
  if (operand.count == y.count) {
    check_in_place_or_disjoint(op, "y", y, name, operand);
  } else {
    check_no_overlap(op, "y", y, name, operand);
  }
}

void check_code(const char* op, int32_t code, int32_t last) {
  require(code >= 0 && code <= last, "[", op, "] op must be 0..", last, ", but is ", code);
}

// y = f(x), real, equal shapes
void check_map(const char* op, const Tensor& y, const Tensor& x) {
  check_floating(op, {{"y", y}, {"x", x}});
  check_same_shape(op, "y", y, "x", x);
  check_in_place_or_disjoint(op, "y", y, "x", x);
}

// Step number k of a chain on `inputs` inputs.
void check_step(const char* op, const gt_step& step, int32_t k, int32_t inputs) {
  const auto check_operand_number = [&](const char* name, int32_t value) {
    require(value >= 0 && value < inputs + k, "[", op, "] ", name, " of step ", k, " must be 0..",
            inputs + k - 1, ", a value that exists, but is ", value);
  };
  require(step.kind >= GT_STEP_UNARY && step.kind <= GT_STEP_AFFINE, "[", op, "] kind of step ", k,
          " must be 0..", GT_STEP_AFFINE, ", but is ", step.kind);
  check_operand_number("a", step.a);
  if (step.kind == GT_STEP_UNARY) check_code(op, step.op, GT_UNARY_SIGN);
  if (step.kind == GT_STEP_BINARY) {
    check_code(op, step.op, GT_BINARY_GATE);
    check_operand_number("b", step.b);
  }
}

void check_count(const char* op, const char* name, int32_t count, int32_t most, const void* array) {
  require(count >= 1 && count <= most, "[", op, "] there must be 1..", most, " ", name,
          ", but are ", count);
  require(array != nullptr, "[", op, "] ", name, " is NULL");
}

}  // namespace

gt_status gt_unary(gt_stream stream, gt_tensor y, gt_tensor x, int32_t code) {
  constexpr auto op = "unary";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_code(op, code, GT_UNARY_SIGN);
    check_map(op, to, from);
    launch::unary(launcher, to, from, static_cast<kernels::Unary>(code));
  });
}

gt_status gt_binary(gt_stream stream, gt_tensor y, gt_tensor a, gt_tensor b, int32_t code) {
  constexpr auto op = "binary";
  return instruction(op, stream, {y}, {a, b}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& left = tensor(op, "a", a);
    const Tensor& right = tensor(op, "b", b);
    check_code(op, code, GT_BINARY_GATE);
    check_floating(op, {{"y", to}, {"a", left}, {"b", right}});
    check_operand(op, "a", left, to);
    check_operand(op, "b", right, to);
    launch::binary(launcher, to, left, right, static_cast<kernels::Binary>(code));
  });
}

gt_status gt_affine(gt_stream stream, gt_tensor y, gt_tensor x, double scale, double shift) {
  constexpr auto op = "affine";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    check_map(op, to, from);
    launch::affine(launcher, to, from, scale, shift);
  });
}

gt_status gt_elementwise(gt_stream stream, gt_tensor y, const gt_tensor* inputs,
                         int32_t input_count, const gt_step* steps, int32_t step_count) {
  constexpr auto op = "elementwise";
  return guard([&] {
    check_count(op, "inputs", input_count, GT_ELEMENTWISE_MAX_INPUTS, inputs);
    check_count(op, "steps", step_count, GT_ELEMENTWISE_MAX_STEPS, steps);
    issue(op, stream, {&y, 1}, {inputs, static_cast<size_t>(input_count)}, [&](Launcher& launcher) {
      const Tensor& to = tensor(op, "y", y);
      std::vector<Tensor> from;
      for (int32_t i = 0; i < input_count; ++i) {
        const std::string name = "inputs[" + std::to_string(i) + "]";
        from.push_back(tensor(op, name.c_str(), inputs[i]));
        check_floating(op, {{"y", to}, {name.c_str(), from.back()}});
        check_operand(op, name.c_str(), from.back(), to);
      }
      for (int32_t k = 0; k < step_count; ++k) check_step(op, steps[k], k, input_count);
      launch::elementwise(launcher, to, from, {steps, static_cast<size_t>(step_count)});
    });
  });
}
