#include "kernels/activate.h"

#include <cmath>

#include "abi/handles.h"

using namespace gatun;

namespace {

kernels::Function check_function(const char* op, int32_t code, double parameter) {
  require(code >= 0 && code <= GT_ACTIVATE_SOFTPLUS, "[", op, "] function must be 0..",
          GT_ACTIVATE_SOFTPLUS, ", but is ", code);
  require(std::isfinite(parameter), "[", op, "] parameter must be finite, but is ", parameter);
  return static_cast<kernels::Function>(code);
}

}  // namespace

gt_status gt_activate(gt_stream stream, gt_tensor y, gt_tensor x, int32_t function,
                      double parameter) {
  constexpr auto op = "activate";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "y", y);
    const Tensor& from = tensor(op, "x", x);
    const kernels::Function f = check_function(op, function, parameter);
    check_floating(op, {{"y", to}, {"x", from}});
    check_same_shape(op, "y", to, "x", from);
    check_in_place_or_disjoint(op, "y", to, "x", from);
    launch::activate(launcher, to, from, f, parameter);
  });
}

gt_status gt_activate_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, gt_tensor x,
                               int32_t function, double parameter) {
  constexpr auto op = "activate_backward";
  return instruction(op, stream, {dx}, {dy, x}, [&](Launcher& launcher) {
    const Tensor& to = tensor(op, "dx", dx);
    const Tensor& slope = tensor(op, "dy", dy);
    const Tensor& from = tensor(op, "x", x);
    const kernels::Function f = check_function(op, function, parameter);
    check_floating(op, {{"dx", to}, {"dy", slope}, {"x", from}});
    check_same_shape(op, "dx", to, "x", from);
    check_same_shape(op, "dy", slope, "x", from);
    check_in_place_or_disjoint(op, "dx", to, "dy", slope);
    check_in_place_or_disjoint(op, "dx", to, "x", from);
    launch::activate_backward(launcher, to, slope, from, f, parameter);
  });
}
