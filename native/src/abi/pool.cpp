#include "kernels/pool.h"

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

struct Window {
  int32_t window_h, window_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
  int32_t count_padding = 0;
};

kernels::PoolAxis axis_of(const char* op, const char* axis, const Tensor& x, int64_t size,
                          int32_t window, int32_t stride, int32_t before, int32_t after) {
  require(window >= 1, "[", op, "] window_", axis, " must be at least 1, but is ", window);
  require(stride >= 1, "[", op, "] stride_", axis, " must be at least 1, but is ", stride);
  require(before >= 0 && before < window && after >= 0 && after < window, "[", op,
          "] padding along ", axis, " must be in 0..", window - 1,
          " (less than the window), but is ", before, " and ", after);
  const int64_t room = size + before + after - window;
  require(room >= 0, "[", op, "] window_", axis, " = ", window, " with padding ", before, " and ",
          after, " does not fit into ", x);
  return {size, room / stride + 1, window, stride, before};
}

// x [N,H,W,C] and y [N,P,Q,C], real, or their gradients; taps like y, if there are any.
kernels::PoolGeometry geometry_of(const char* op, Named x, Named y, const Tensor* taps,
                                  const Window& window) {
  check_floating(op, {x, y});
  const Tensor& picture = *x.operand.tensor;
  check_rank(op, x.name, picture, 4);
  require(picture.dims[1] > 0 && picture.dims[2] > 0, "[", op, "] ", x.name,
          " has no pixels: ", x.name, " is ", picture);
  kernels::PoolGeometry g;
  g.images = picture.dims[0];
  g.channels = picture.dims[3];
  g.h = axis_of(op, "h", picture, picture.dims[1], window.window_h, window.stride_h, window.pad_top,
                window.pad_bottom);
  g.w = axis_of(op, "w", picture, picture.dims[2], window.window_w, window.stride_w,
                window.pad_left, window.pad_right);
  g.count_padding = window.count_padding != 0;
  check_shape(op, y.name, y.operand, {g.images, g.h.places, g.w.places, g.channels});
  if (taps != nullptr) {
    check_dtype(op, "taps", taps, DType::U8);
    check_same_shape(op, "taps", taps, y.name, y.operand);
    require(g.h.window * g.w.window <= 255, "[", op, "] a window may have 255 places, but has ",
            window.window_h, " x ", window.window_w);
  }
  return g;
}

}  // namespace

gt_status gt_max_pool(gt_stream stream, gt_tensor y, gt_tensor taps, gt_tensor x, int32_t window_h,
                      int32_t window_w, int32_t stride_h, int32_t stride_w, int32_t pad_top,
                      int32_t pad_left, int32_t pad_bottom, int32_t pad_right) {
  constexpr auto op = "max_pool";
  return instruction(op, stream, {y, taps}, {x}, [&](Launcher& launcher) {
    const Named to{"y", tensor(op, "y", y)};
    const Named places{"taps", tensor(op, "taps", taps)};
    const Named from{"x", tensor(op, "x", x)};
    const auto g = geometry_of(
        op, from, to, places.operand.tensor,
        {window_h, window_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right});
    check_disjoint(op, {to, places}, {from});
    launch::max_pool(launcher, *to.operand.tensor, *places.operand.tensor, *from.operand.tensor, g);
  });
}

gt_status gt_max_pool_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, gt_tensor taps,
                               int32_t window_h, int32_t window_w, int32_t stride_h,
                               int32_t stride_w, int32_t pad_top, int32_t pad_left,
                               int32_t pad_bottom, int32_t pad_right) {
  constexpr auto op = "max_pool_backward";
  return instruction(op, stream, {dx}, {dy, taps}, [&](Launcher& launcher) {
    const Named to{"dx", tensor(op, "dx", dx)};
    const Named from{"dy", tensor(op, "dy", dy)};
    const Named places{"taps", tensor(op, "taps", taps)};
    const auto g = geometry_of(
        op, to, from, places.operand.tensor,
        {window_h, window_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right});
    check_disjoint(op, {to}, {from, places});
    launch::max_pool_backward(launcher, *to.operand.tensor, *from.operand.tensor,
                              *places.operand.tensor, g);
  });
}

gt_status gt_average_pool(gt_stream stream, gt_tensor y, gt_tensor x, int32_t window_h,
                          int32_t window_w, int32_t stride_h, int32_t stride_w, int32_t pad_top,
                          int32_t pad_left, int32_t pad_bottom, int32_t pad_right,
                          int32_t count_padding) {
  constexpr auto op = "average_pool";
  return instruction(op, stream, {y}, {x}, [&](Launcher& launcher) {
    const Named to{"y", tensor(op, "y", y)};
    const Named from{"x", tensor(op, "x", x)};
    const auto g = geometry_of(op, from, to, nullptr,
                               {window_h, window_w, stride_h, stride_w, pad_top, pad_left,
                                pad_bottom, pad_right, count_padding});
    check_disjoint(op, {to}, {from});
    launch::average_pool(launcher, *to.operand.tensor, *from.operand.tensor, g);
  });
}

gt_status gt_average_pool_backward(gt_stream stream, gt_tensor dx, gt_tensor dy, int32_t window_h,
                                   int32_t window_w, int32_t stride_h, int32_t stride_w,
                                   int32_t pad_top, int32_t pad_left, int32_t pad_bottom,
                                   int32_t pad_right, int32_t count_padding) {
  constexpr auto op = "average_pool_backward";
  return instruction(op, stream, {dx}, {dy}, [&](Launcher& launcher) {
    const Named to{"dx", tensor(op, "dx", dx)};
    const Named from{"dy", tensor(op, "dy", dy)};
    const auto g = geometry_of(op, to, from, nullptr,
                               {window_h, window_w, stride_h, stride_w, pad_top, pad_left,
                                pad_bottom, pad_right, count_padding});
    check_disjoint(op, {to}, {from});
    launch::average_pool_backward(launcher, *to.operand.tensor, *from.operand.tensor, g);
  });
}
