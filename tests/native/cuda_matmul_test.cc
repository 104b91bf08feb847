// Matrix products on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaMatmul : public CudaTest {
 protected:
  // With tensors that are read by chunks of 16 bytes and with others.
  void expect_agrees(DType dtype, int64_t m, int64_t n, int64_t k, bool a_turned, bool b_turned,
                     bool biased = false, int32_t activation = GT_ACTIVATION_NONE) {
    SCOPED_TRACE(testing::Message()
                 << name_of(dtype) << ", " << m << "x" << n << "x" << k
                 << (a_turned ? ", a turned" : "") << (b_turned ? ", b turned" : ""));
    expect_like_cpu(*cuda, cpu, {empty(dtype, {m, n})},
                    {operand(dtype, a_turned ? Dims{k, m} : Dims{m, k}, 1),
                     operand(dtype, b_turned ? Dims{n, k} : Dims{k, n}, 2), operand(dtype, {n}, 3)},
                    60, [&](gt_stream s, const Handles& out, const Handles& in) {
                      return gt_matmul(s, out[0], in[0], in[1], biased ? in[2] : nullptr, a_turned,
                                       b_turned, activation);
                    });
  }
};

TEST_F(CudaMatmul, MultipliesEveryForm) {
  for_each_floating([&](DType dtype) {
    for (int turned = 0; turned < 4; ++turned) {
      const bool a = (turned & 1) != 0, b = turned >= 2;
      expect_agrees(dtype, 72, 40, 48, a, b);
      expect_agrees(dtype, 33, 65, 17, a, b, true, GT_ACTIVATION_RELU);
    }
  });
}

TEST_F(CudaMatmul, MultipliesOddSizes) {
  for_each_floating([&](DType dtype) {
    expect_agrees(dtype, 1, 1, 1, false, false);
    expect_agrees(dtype, 5, 7, 0, false, false, true);
    expect_agrees(dtype, 0, 3, 2, false, false);
    expect_agrees(dtype, 3, 0, 2, false, false);
    expect_agrees(dtype, 1, 10, 100, false, true, true);
    expect_agrees(dtype, 65, 64, 31, false, false);
    expect_agrees(dtype, 64, 72, 33, true, false);
  });
}

// Many terms of few results are cut into parts.
TEST_F(CudaMatmul, AddsThePartsOfLongSums) {
  for_each_floating([&](DType dtype) {
    expect_agrees(dtype, 24, 16, 1000, false, true, true, GT_ACTIVATION_RELU);
    expect_agrees(dtype, 7, 9, 2049, true, false, true);
  });
}

// Enough results for large tiles: seconds of emulation for each form, of which product_test.cc has
// all.
TEST_F(CudaMatmul, MultipliesLargeTiles) {
  expect_agrees(DType::BF16, 1416, 1288, 24, false, true, true, GT_ACTIVATION_RELU);
}

}  // namespace
}  // namespace gatun::test
