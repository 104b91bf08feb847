// Convolutions in tests of CUDA, and their three instructions.
#pragma once

#include "cuda_support.h"

namespace gatun::test {

// x [n,h,w,c], filters [k,r,s,c/groups].
struct Conv {
  int64_t n, h, w, c, k, r, s;
  int32_t stride_h = 1, stride_w = 1;
  int32_t top = 0, left = 0, bottom = 0, right = 0;
  int32_t dilation_h = 1, dilation_w = 1, groups = 1;

  Dims x() const { return {n, h, w, c}; }
  Dims filters() const { return {k, r, s, c / groups}; }
  Dims y() const {
    return {n, (h + top + bottom - (r - 1) * dilation_h - 1) / stride_h + 1,
            (w + left + right - (s - 1) * dilation_w - 1) / stride_w + 1, k};
  }
};

inline gt_status forward(const Conv& v, gt_stream stream, gt_tensor y, gt_tensor moments,
                         gt_tensor x, gt_tensor w, gt_tensor bias, gt_tensor residual,
                         int32_t activation) {
  return gt_conv2d(stream, y, moments, x, w, bias, residual, v.stride_h, v.stride_w, v.top, v.left,
                   v.bottom, v.right, v.dilation_h, v.dilation_w, v.groups, activation,
                   GT_CONV_DIRECT);
}
inline gt_status data_gradient(const Conv& v, gt_stream stream, gt_tensor dx, gt_tensor sums,
                               gt_tensor dy, gt_tensor w, gt_tensor addend, gt_tensor gate,
                               gt_tensor norm_x, gt_tensor norm_mean) {
  return gt_conv2d_backward_data(stream, dx, sums, dy, w, addend, gate, norm_x, norm_mean,
                                 v.stride_h, v.stride_w, v.top, v.left, v.bottom, v.right,
                                 v.dilation_h, v.dilation_w, v.groups, GT_CONV_DIRECT);
}
inline gt_status weight_gradient(const Conv& v, gt_stream stream, gt_tensor dw, gt_tensor x,
                                 gt_tensor dy) {
  return gt_conv2d_backward_weights(stream, dw, x, dy, v.stride_h, v.stride_w, v.top, v.left,
                                    v.bottom, v.right, v.dilation_h, v.dilation_w, v.groups,
                                    GT_CONV_DIRECT);
}

}  // namespace gatun::test
