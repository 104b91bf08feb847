// Products in bf16 by wgmma, which GATUN_CUDA_WGMMA=all asks for: on the emulation, and on GPUs of
// compute capability 9.0.
#include <cmath>
#include <optional>

#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaHopper : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    const char* const before = std::getenv("GATUN_CUDA_WGMMA");
    std::optional<std::string> kept;
    if (before != nullptr) kept = before;
    unsetenv("GATUN_CUDA_WGMMA");
    twin = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
    setenv("GATUN_CUDA_WGMMA", "all", 1);
    setenv("GATUN_EMULATED_SHARED", "232448", 1);  // 227 KB, as these GPUs have
    cuda = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
    unsetenv("GATUN_EMULATED_SHARED");
    if (kept) {
      setenv("GATUN_CUDA_WGMMA", kept->c_str(), 1);
    } else {
      unsetenv("GATUN_CUDA_WGMMA");
    }
    EXPECT_FALSE(has_wgmma(*twin));
    if (!has_wgmma(*cuda)) GTEST_SKIP() << "the GPU, or what the library is built for, has none";
  }
  static bool has_wgmma(const TestDevice& device) {
    char text[256];
    EXPECT_OK(gt_device_describe(device.device(), text, sizeof(text)));
    return std::string(text).find("wgmma") != std::string::npos;
  }

  static IssueAny matmul(bool a_turned, bool b_turned, bool biased, int32_t activation) {
    return [=](gt_stream s, const Handles& out, const Handles& in) {
      return gt_matmul(s, out[0], in[0], in[1], biased ? in[2] : nullptr, a_turned, b_turned,
                       activation);
    };
  }
  static std::vector<Operand> operands(int64_t m, int64_t n, int64_t k, bool a_turned,
                                       bool b_turned) {
    return {operand(DType::BF16, a_turned ? Dims{k, m} : Dims{m, k}, 1),
            operand(DType::BF16, b_turned ? Dims{n, k} : Dims{k, n}, 2),
            operand(DType::BF16, {n}, 3)};
  }
  void expect_agrees(int64_t m, int64_t n, int64_t k, bool a_turned, bool b_turned,
                     bool biased = false, int32_t activation = GT_ACTIVATION_NONE) {
    SCOPED_TRACE(testing::Message() << m << "x" << n << "x" << k << (a_turned ? ", a turned" : "")
                                    << (b_turned ? ", b turned" : ""));
    expect_like_cpu(*cuda, cpu, {empty(DType::BF16, {m, n})}, operands(m, n, k, a_turned, b_turned),
                    1, matmul(a_turned, b_turned, biased, activation));
  }

  std::unique_ptr<TestDevice> twin;  // without wgmma
};

TEST_F(CudaHopper, MultipliesEveryForm) {
  for (int turned = 0; turned < 4; ++turned) {
    const bool a = (turned & 1) != 0, b = turned >= 2;
    expect_agrees(136, 40, 72, a, b);
    expect_agrees(33, 135, 17, a, b, true, GT_ACTIVATION_RELU);
  }
}

TEST_F(CudaHopper, MultipliesOddSizes) {
  expect_agrees(1, 1, 1, false, false);
  expect_agrees(5, 7, 0, false, false, true);
  expect_agrees(0, 3, 2, false, false);
  expect_agrees(1, 10, 100, false, true, true);
  expect_agrees(129, 64, 31, false, false);
  expect_agrees(64, 130, 65, true, false);
}

// Many terms of few results are cut into parts.
TEST_F(CudaHopper, AddsThePartsOfLongSums) {
  expect_agrees(24, 16, 2048, false, true, true, GT_ACTIVATION_RELU);
  expect_agrees(7, 9, 2100, true, false, true);
}

// Up to a unit of rounding, which a few sums are apart that lie between two numbers of bf16.
TEST_F(CudaHopper, AgreesWithItsTwin) {
  const bool emulated = [&] {
    char text[256];
    EXPECT_OK(gt_device_describe(cuda->device(), text, sizeof(text)));
    return std::string(text).find("emulated") != std::string::npos;
  }();
  const int64_t m = emulated ? 150 : 2056, n = emulated ? 264 : 2312, k = emulated ? 136 : 1096;
  for (int turned = 0; turned < 3; ++turned) {
    const bool a = turned == 1, b = turned == 2;
    SCOPED_TRACE(testing::Message() << (a ? "a turned" : b ? "b turned" : ""));
    const auto in = operands(m, n, k, a, b);
    const auto run = [&](const TestDevice& device) {
      Placed inputs(device, in, 0), out(device, {empty(DType::BF16, {m, n})}, 0);
      EXPECT_OK(
          matmul(a, b, true, GT_ACTIVATION_RELU)(device.stream(), out.handles(), inputs.handles()));
      return out[0].values();
    };
    const Array<double> expected = run(*twin), actual = run(*cuda);
    const double size = std::sqrt(static_cast<double>(k));  // about, of a sum
    expect_close(actual, expected, 0x1p-7, 0x1p-20 * size);
    int64_t apart = 0;
    for (int64_t i = 0; i < expected.count(); ++i) apart += actual[i] != expected[i] ? 1 : 0;
    EXPECT_LT(apart, expected.count() / 100);
  }
}

// Convolutions whose windows are pixels, so that tensors are matrices.
TEST_F(CudaHopper, MultipliesPixels) {
  const Dims pixels_in = {2, 5, 7, 24}, pixels_out = {2, 5, 7, 40}, filters = {40, 1, 1, 24};
  const Operand x = operand(DType::BF16, pixels_in, 1), w = operand(DType::BF16, filters, 2);
  const Operand dy = operand(DType::BF16, pixels_out, 3), bias = operand(DType::BF16, {40}, 4);
  expect_like_cpu(*cuda, cpu, {empty(DType::BF16, pixels_out)}, {x, w, bias}, 1,
                  [](gt_stream s, const Handles& out, const Handles& in) {
                    return gt_conv2d(s, out[0], nullptr, in[0], in[1], in[2], nullptr, 1, 1, 0, 0,
                                     0, 0, 1, 1, 1, GT_ACTIVATION_RELU, GT_CONV_DIRECT);
                  });
  expect_like_cpu(*cuda, cpu, {empty(DType::BF16, pixels_in)}, {dy, w}, 1,
                  [](gt_stream s, const Handles& out, const Handles& in) {
                    return gt_conv2d_backward_data(s, out[0], nullptr, in[0], in[1], nullptr,
                                                   nullptr, nullptr, nullptr, 1, 1, 0, 0, 0, 0, 1,
                                                   1, 1, GT_CONV_DIRECT);
                  });
  expect_like_cpu(*cuda, cpu, {empty(DType::F32, filters)}, {x, dy}, 60,
                  [](gt_stream s, const Handles& out, const Handles& in) {
                    return gt_conv2d_backward_weights(s, out[0], in[0], in[1], 1, 1, 0, 0, 0, 0, 1,
                                                      1, 1, GT_CONV_DIRECT);
                  });
}

}  // namespace
}  // namespace gatun::test
