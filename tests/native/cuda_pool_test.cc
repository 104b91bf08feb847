// Pooling on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaPool : public CudaTest {};

struct Window {
  Dims x;
  int32_t window_h, window_w, stride_h, stride_w, top, left, bottom, right;

  Dims y() const {
    return {x[0], (x[1] + top + bottom - window_h) / stride_h + 1,
            (x[2] + left + right - window_w) / stride_w + 1, x[3]};
  }
};

const std::vector<Window> kWindows = {
    {{2, 6, 8, 16}, 2, 2, 2, 2, 0, 0, 0, 0}, {{2, 7, 5, 3}, 3, 3, 2, 2, 1, 1, 1, 1},
    {{1, 9, 7, 8}, 3, 2, 1, 3, 2, 0, 1, 1},  {{3, 5, 5, 24}, 1, 1, 3, 2, 0, 0, 0, 0},
    {{3, 8, 7, 20}, 8, 7, 1, 1, 0, 0, 0, 0}, {{2, 9, 9, 150}, 7, 6, 2, 3, 3, 2, 3, 2},
    {{0, 4, 4, 4}, 2, 2, 2, 2, 0, 0, 0, 0},  {{1, 12, 11, 1}, 11, 11, 1, 1, 5, 5, 5, 5}};

TEST_F(CudaPool, TakesMaxima) {
  for_each_floating([&](DType dtype) {
    for (const Window& w : kWindows) {
      SCOPED_TRACE(testing::Message() << w.window_h << " of " << w.x[1]);
      Operand x = operand(dtype, w.x);
      for (int64_t i = 0; i < x.values.count(); ++i) {
        x.values[i] = std::round(2 * x.values[i]);  // ties
        if (i % 97 == 5) x.values[i] = NAN;
        if (i % 89 == 6) x.values[i] = -INFINITY;
      }
      expect_like_cpu(*cuda, cpu, {empty(dtype, w.y()), empty(DType::U8, w.y())}, {x}, 0,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_max_pool(s, out[0], out[1], in[0], w.window_h, w.window_w,
                                           w.stride_h, w.stride_w, w.top, w.left, w.bottom,
                                           w.right);
                      });
      Operand taps = operand(DType::U8, w.y(), 3, 0, w.window_h * w.window_w);
      for (int64_t i = 0; i < taps.values.count(); ++i) taps.values[i] = std::floor(taps.values[i]);
      expect_like_cpu(*cuda, cpu, {empty(dtype, w.x)}, {operand(dtype, w.y(), 2), taps}, 16,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_max_pool_backward(s, out[0], in[0], in[1], w.window_h, w.window_w,
                                                    w.stride_h, w.stride_w, w.top, w.left, w.bottom,
                                                    w.right);
                      });
    }
  });
}

TEST_F(CudaPool, TakesMeans) {
  for_each_floating([&](DType dtype) {
    for (const Window& w : kWindows) {
      for (const int32_t count_padding : {0, 1}) {
        SCOPED_TRACE(testing::Message() << w.window_h << " of " << w.x[1] << ", " << count_padding);
        expect_like_cpu(*cuda, cpu, {empty(dtype, w.y())}, {operand(dtype, w.x)}, 32,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_average_pool(s, out[0], in[0], w.window_h, w.window_w,
                                                 w.stride_h, w.stride_w, w.top, w.left, w.bottom,
                                                 w.right, count_padding);
                        });
        expect_like_cpu(*cuda, cpu, {empty(dtype, w.x)}, {operand(dtype, w.y())}, 32,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_average_pool_backward(s, out[0], in[0], w.window_h, w.window_w,
                                                          w.stride_h, w.stride_w, w.top, w.left,
                                                          w.bottom, w.right, count_padding);
                        });
      }
    }
  });
}

}  // namespace
}  // namespace gatun::test
