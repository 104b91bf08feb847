#include "kernels/elementwise.h"

#include "abi/handles.h"

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
