#include "abi/activation.h"
#include "abi/aliasing.h"
#include "abi/handles.h"
#include "kernels/winograd.h"

using namespace gatun;

namespace {

// As the caller gives it.
struct Window {
  int32_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w,
      groups;
};

// The count of window positions along one axis.
int64_t positions(const char* op, const char* axis, int64_t size, int64_t kernel, int64_t stride,
                  int64_t before, int64_t after, int64_t dilation) {
  require(kernel >= 1, "[", op, "] w has no taps along ", axis);
  require(stride >= 1, "[", op, "] stride along ", axis, " must be at least 1, but is ", stride);
  require(dilation >= 1, "[", op, "] dilation along ", axis, " must be at least 1, but is ",
          dilation);
  require(before >= 0 && after >= 0, "[", op, "] padding along ", axis,
          " must be at least 0, but is ", before, " and ", after);
  int64_t covered;  // of weights without filters or channels there may be any number of taps
  require(!__builtin_mul_overflow(kernel - 1, dilation, &covered), "[", op, "] ", kernel,
          " taps of w along ", axis, ", ", dilation, " pixels apart, cover more than any x");
  covered += 1;
  require(size + before + after >= covered, "[", op, "] w covers ", covered, " pixels along ", axis,
          ", but x has ", size, " pixels and ", before, " and ", after, " of padding");
  return (size + before + after - covered) / stride + 1;
}

// x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K], whichever of them is the result.
kernels::ConvGeometry check_geometry(const char* op, const Tensor& x, const Tensor& w,
                                     const char* y_name, const Tensor& y, const char* x_name,
                                     const char* w_name, const Window& window) {
  check_rank(op, x_name, x, 4);
  check_rank(op, w_name, w, 4);
  check_rank(op, y_name, y, 4);
  const int64_t groups = window.groups;
  require(groups >= 1, "[", op, "] groups must be at least 1, but are ", groups);
  require(x.dims[3] % groups == 0 && w.dims[0] % groups == 0, "[", op,
          "] channels do not divide into ", groups, " groups: ", x_name, " is ", x, ", ", w_name,
          " is ", w);
  require(x.dims[3] / groups == w.dims[3], "[", op, "] channels differ: ", x_name, " is ", x, ", ",
          w_name, " is ", w, " and the groups are ", groups,
          " (the last dimensions, the first divided by the groups, must be equal)");
  const int64_t p = positions(op, "height", x.dims[1], w.dims[1], window.stride_h, window.pad_top,
                              window.pad_bottom, window.dilation_h);
  const int64_t q = positions(op, "width", x.dims[2], w.dims[2], window.stride_w, window.pad_left,
                              window.pad_right, window.dilation_w);
  check_shape(op, y_name, y, {x.dims[0], p, q, w.dims[0]});
  return {window.stride_h,   window.stride_w,   window.pad_top, window.pad_left,
          window.dilation_h, window.dilation_w, groups};
}

kernels::ConvAlgorithm check_algorithm(const char* op, int32_t value, const Tensor& x,
                                       const Tensor& w, const kernels::ConvGeometry& g) {
  require(value >= GT_CONV_AUTO && value <= GT_CONV_WINOGRAD, "[", op,
          "] algorithm must be 0 (auto), 1 (direct) or 2 (Winograd), but is ", value);
  require(value != GT_CONV_WINOGRAD || g.is_plain(), "[", op,
          "] the Winograd algorithm has no form with dilation or groups, but the dilation is ",
          g.dilation_h, "x", g.dilation_w, " and the groups are ", g.groups);
  require(value != GT_CONV_WINOGRAD || kernels::winograd::fits(x, w, g), "[", op,
          "] the Winograd algorithm needs f32, a 3x3 kernel and stride 1, but the input is ", x,
          ", the weights are ", w, " and the stride is ", g.stride_h, "x", g.stride_w);
  return static_cast<kernels::ConvAlgorithm>(value);
}

}  // namespace

gt_status gt_conv2d(gt_stream stream, gt_tensor y, gt_tensor moments, gt_tensor x, gt_tensor w,
                    gt_tensor bias, gt_tensor residual, int32_t stride_h, int32_t stride_w,
                    int32_t pad_top, int32_t pad_left, int32_t pad_bottom, int32_t pad_right,
                    int32_t dilation_h, int32_t dilation_w, int32_t groups, int32_t activation,
                    int32_t algorithm) {
  constexpr auto op = "conv2d";
  return instruction(op, stream, {y, moments}, {x, w, bias, residual}, [&](Launcher& launcher) {
    const Tensor &ty = tensor(op, "y", y), &tx = tensor(op, "x", x), &tw = tensor(op, "w", w);
    const Tensor *tmoments = nullable(moments), *tbias = nullable(bias),
                 *tresidual = nullable(residual);
    check_floating(op, {{"y", ty}, {"x", tx}, {"w", tw}, {"bias", tbias}});
    if (tmoments != nullptr || tresidual != nullptr) {
      check_real(op, {{"y", ty}, {"moments", tmoments}, {"residual", tresidual}});
    }
    const auto geometry = check_geometry(op, tx, tw, "y", ty, "x", "w",
                                         {stride_h, stride_w, pad_top, pad_left, pad_bottom,
                                          pad_right, dilation_h, dilation_w, groups});
    check_shape(op, "bias", tbias, {tw.dims[0]});
    check_same_shape(op, "residual", tresidual, "y", ty);
    check_shape(op, "moments", tmoments, {2, tw.dims[0]});
    require(tmoments == nullptr || ty.dims[0] > 0, "[", op,
            "] there are no moments of nothing: y is ", ty);
    check_disjoint(op, {{"y", ty}, {"moments", tmoments}},
                   {{"x", tx}, {"w", tw}, {"bias", tbias}, {"residual", tresidual}});
    launch::conv2d(
        launcher, ty, tx, tw, tbias, geometry,
        {.addend = tresidual, .activation = check_activation(op, activation), .moments = tmoments},
        check_algorithm(op, algorithm, tx, tw, geometry));
  });
}

gt_status gt_conv2d_backward_data(gt_stream stream, gt_tensor dx, gt_tensor sums, gt_tensor dy,
                                  gt_tensor w, gt_tensor addend, gt_tensor gate, gt_tensor norm_x,
                                  gt_tensor norm_mean, int32_t stride_h, int32_t stride_w,
                                  int32_t pad_top, int32_t pad_left, int32_t pad_bottom,
                                  int32_t pad_right, int32_t dilation_h, int32_t dilation_w,
                                  int32_t groups, int32_t algorithm) {
  constexpr auto op = "conv2d_backward_data";
  return instruction(
      op, stream, {dx, sums}, {dy, w, addend, gate, norm_x, norm_mean}, [&](Launcher& launcher) {
        const Named to{"dx", tensor(op, "dx", dx)}, to_sums{"sums", nullable(sums)};
        const Named from{"dy", tensor(op, "dy", dy)}, weights{"w", tensor(op, "w", w)};
        const Named added{"addend", nullable(addend)}, gated{"gate", nullable(gate)};
        const Named centered{"norm_x", nullable(norm_x)}, center{"norm_mean", nullable(norm_mean)};
        check_floating(op, {to, from, weights});
        if (sums != nullptr || addend != nullptr || gate != nullptr || norm_x != nullptr ||
            norm_mean != nullptr) {
          check_real(op, {to, to_sums, added, gated, centered, center});
        }
        const Tensor &tdx = *to.operand.tensor, &tw = *weights.operand.tensor;
        const auto geometry = check_geometry(op, tdx, tw, "dy", *from.operand.tensor, "dx", "w",
                                             {stride_h, stride_w, pad_top, pad_left, pad_bottom,
                                              pad_right, dilation_h, dilation_w, groups});
        for (const Named& like : {added, gated, centered}) {
          check_same_shape(op, like.name, like.operand, "dx", tdx);
        }
        check_shape(op, to_sums.name, to_sums.operand, {2, tdx.dims[3]});
        check_shape(op, center.name, center.operand, {tdx.dims[3]});
        const bool summed = sums != nullptr;
        require((norm_x != nullptr) == summed && (norm_mean != nullptr) == summed, "[", op,
                "] sums, norm_x and norm_mean must be given together or not at all");
        check_disjoint(op, {to, to_sums}, {from, weights, added, gated, centered, center});
        launch::conv2d_backward_data(launcher, tdx, *from.operand.tensor, tw, geometry,
                                     {.addend = added.operand.tensor,
                                      .gate = gated.operand.tensor,
                                      .sums = to_sums.operand.tensor,
                                      .norm_x = centered.operand.tensor,
                                      .norm_mean = center.operand.tensor},
                                     check_algorithm(op, algorithm, tdx, tw, geometry));
      });
}

gt_status gt_conv2d_backward_weights(gt_stream stream, gt_tensor dw, gt_tensor x, gt_tensor dy,
                                     int32_t stride_h, int32_t stride_w, int32_t pad_top,
                                     int32_t pad_left, int32_t pad_bottom, int32_t pad_right,
                                     int32_t dilation_h, int32_t dilation_w, int32_t groups,
                                     int32_t algorithm) {
  return instruction("conv2d_backward_weights", stream, {dw}, {x, dy}, [&](Launcher& launcher) {
    const char* op = "conv2d_backward_weights";
    const Tensor &tdw = tensor(op, "dw", dw), &tx = tensor(op, "x", x), &tdy = tensor(op, "dy", dy);
    check_floating(op, {{"x", tx}, {"dy", tdy}}, {{"dw", tdw}});
    const auto geometry = check_geometry(op, tx, tdw, "dy", tdy, "x", "dw",
                                         {stride_h, stride_w, pad_top, pad_left, pad_bottom,
                                          pad_right, dilation_h, dilation_w, groups});
    check_no_overlap(op, "dw", tdw, "x", tx);
    check_no_overlap(op, "dw", tdw, "dy", tdy);
    launch::conv2d_backward_weights(launcher, tdw, tx, tdy, geometry,
                                    check_algorithm(op, algorithm, tx, tdw, geometry));
  });
}
