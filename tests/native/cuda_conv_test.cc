// Convolutions on CUDA.
#include "cuda_conv.h"

namespace gatun::test {
namespace {

constexpr double kUnits = 60;

class CudaConv : public CudaTest {
 protected:
  // All three instructions, in all types, without and with what each type allows beside.
  void expect_agrees(const Conv& v) {
    SCOPED_TRACE(testing::Message() << "x " << v.h << "x" << v.w << "x" << v.c << ", " << v.k
                                    << " filters " << v.r << "x" << v.s << ", stride " << v.stride_h
                                    << "x" << v.stride_w << ", groups " << v.groups);
    for_each_floating([&](DType dtype) {
      const Operand x = operand(dtype, v.x(), 1), w = operand(dtype, v.filters(), 2);
      const Operand bias = operand(dtype, {v.k}, 3), dy = operand(dtype, v.y(), 4);
      expect_like_cpu(*cuda, cpu, {empty(dtype, v.y())}, {x, w, bias}, kUnits,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return forward(v, s, out[0], nullptr, in[0], in[1], in[2], nullptr,
                                       GT_ACTIVATION_RELU);
                      });
      expect_like_cpu(*cuda, cpu, {empty(dtype, v.x())}, {dy, w}, kUnits,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return data_gradient(v, s, out[0], nullptr, in[0], in[1], nullptr, nullptr,
                                             nullptr, nullptr);
                      });
      expect_like_cpu(*cuda, cpu, {empty(wide(dtype), v.filters())}, {x, dy}, kUnits,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return weight_gradient(v, s, out[0], in[0], in[1]);
                      });
      if (dtype == DType::BF16) return;
      expect_like_cpu(*cuda, cpu, {empty(dtype, v.y()), empty(dtype, {2, v.k})}, {x, w, dy}, kUnits,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return forward(v, s, out[0], out[1], in[0], in[1], nullptr, in[2],
                                       GT_ACTIVATION_NONE);
                      });
      expect_like_cpu(*cuda, cpu, {empty(dtype, v.x()), empty(dtype, {2, v.c})},
                      {dy, w, operand(dtype, v.x(), 5), operand(dtype, v.x(), 6),
                       operand(dtype, v.x(), 7), operand(dtype, {v.c}, 8)},
                      kUnits, [&](gt_stream s, const Handles& out, const Handles& in) {
                        return data_gradient(v, s, out[0], out[1], in[0], in[1], in[2], in[3],
                                             in[4], in[5]);
                      });
    });
  }
};

TEST_F(CudaConv, ConvolvesSquares) {
  expect_agrees({.n = 2,
                 .h = 6,
                 .w = 5,
                 .c = 16,
                 .k = 24,
                 .r = 3,
                 .s = 3,
                 .top = 1,
                 .left = 1,
                 .bottom = 1,
                 .right = 1});
  expect_agrees({.n = 3, .h = 4, .w = 5, .c = 8, .k = 40, .r = 1, .s = 1});
}

TEST_F(CudaConv, ConvolvesWithStrides) {
  expect_agrees({.n = 2,
                 .h = 8,
                 .w = 7,
                 .c = 8,
                 .k = 16,
                 .r = 3,
                 .s = 3,
                 .stride_h = 2,
                 .stride_w = 2,
                 .top = 1,
                 .left = 1,
                 .bottom = 1,
                 .right = 1});
  // Pixels that no window sees.
  expect_agrees(
      {.n = 1, .h = 7, .w = 8, .c = 8, .k = 8, .r = 1, .s = 2, .stride_h = 2, .stride_w = 3});
}

TEST_F(CudaConv, ConvolvesOddShapes) {
  expect_agrees({.n = 1,
                 .h = 9,
                 .w = 8,
                 .c = 3,
                 .k = 10,
                 .r = 7,
                 .s = 7,
                 .stride_h = 2,
                 .stride_w = 2,
                 .top = 3,
                 .left = 3,
                 .bottom = 3,
                 .right = 3});
  expect_agrees({.n = 2,
                 .h = 7,
                 .w = 6,
                 .c = 5,
                 .k = 7,
                 .r = 3,
                 .s = 2,
                 .stride_h = 2,
                 .top = 2,
                 .left = 0,
                 .bottom = 1,
                 .right = 1});
}

TEST_F(CudaConv, ConvolvesWithDilationAndGroups) {
  expect_agrees({.n = 1,
                 .h = 9,
                 .w = 8,
                 .c = 8,
                 .k = 8,
                 .r = 3,
                 .s = 3,
                 .top = 2,
                 .left = 2,
                 .bottom = 2,
                 .right = 2,
                 .dilation_h = 2,
                 .dilation_w = 3});
  expect_agrees({.n = 2,
                 .h = 5,
                 .w = 6,
                 .c = 16,
                 .k = 32,
                 .r = 3,
                 .s = 3,
                 .stride_h = 2,
                 .top = 1,
                 .left = 1,
                 .bottom = 1,
                 .right = 1,
                 .groups = 2});
  expect_agrees({.n = 2,
                 .h = 8,
                 .w = 7,
                 .c = 6,
                 .k = 9,
                 .r = 3,
                 .s = 2,
                 .stride_h = 2,
                 .stride_w = 3,
                 .top = 1,
                 .left = 2,
                 .bottom = 1,
                 .right = 0,
                 .dilation_h = 2,
                 .dilation_w = 2,
                 .groups = 3});
}

TEST_F(CudaConv, ConvolvesEachChannelAlone) {
  expect_agrees({.n = 2,
                 .h = 6,
                 .w = 5,
                 .c = 16,
                 .k = 16,
                 .r = 3,
                 .s = 3,
                 .top = 1,
                 .left = 1,
                 .bottom = 1,
                 .right = 1,
                 .groups = 16});
  expect_agrees({.n = 2,
                 .h = 7,
                 .w = 40,
                 .c = 35,
                 .k = 35,
                 .r = 5,
                 .s = 3,
                 .stride_h = 2,
                 .stride_w = 2,
                 .top = 2,
                 .bottom = 2,
                 .dilation_w = 2,
                 .groups = 35});
}

// Weight gradients are sums over many pixels, which are cut into parts.
TEST_F(CudaConv, AddsThePartsOfLongSums) {
  expect_agrees({.n = 3,
                 .h = 16,
                 .w = 16,
                 .c = 4,
                 .k = 8,
                 .r = 3,
                 .s = 3,
                 .top = 1,
                 .left = 1,
                 .bottom = 1,
                 .right = 1});
  expect_agrees({.n = 9, .h = 16, .w = 16, .c = 2, .k = 2, .r = 2, .s = 1, .groups = 2});
}

// Windows see zeros alone, wherever the tensor without pixels lies.
TEST_F(CudaConv, TakesPicturesWithoutPixels) {
  expect_agrees(
      {.n = 2, .h = 0, .w = 3, .c = 5, .k = 4, .r = 2, .s = 2, .top = 1, .left = 1, .bottom = 1});
}

TEST_F(CudaConv, TakesNoPictures) {
  const Conv v{.n = 0, .h = 5, .w = 5, .c = 4, .k = 6, .r = 3, .s = 3};
  for_each_floating([&](DType dtype) {
    expect_like_cpu(*cuda, cpu, {empty(wide(dtype), v.filters())},
                    {operand(dtype, v.x()), operand(dtype, v.y())}, 0,
                    [&](gt_stream s, const Handles& out, const Handles& in) {
                      return gt_conv2d_backward_weights(s, out[0], in[0], in[1], 1, 1, 0, 0, 0, 0,
                                                        1, 1, 1, GT_CONV_AUTO);
                    });
  });
}

}  // namespace
}  // namespace gatun::test
