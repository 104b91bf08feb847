// Products in bf16 by wgmma, which GATUN_CUDA_UNTRIED=all asks for: on the emulation, and on GPUs
// of compute capability 9.0.
#include <cmath>
#include <optional>

#include "cuda_conv.h"

namespace gatun::test {
namespace {

class CudaHopper : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (IsSkipped()) return;
    const char* const before = std::getenv("GATUN_CUDA_UNTRIED");
    std::optional<std::string> kept;
    if (before != nullptr) kept = before;
    unsetenv("GATUN_CUDA_UNTRIED");
    twin = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
    setenv("GATUN_CUDA_UNTRIED", "all", 1);
    setenv("GATUN_EMULATED_SHARED", "232448", 1);  // 227 KB, as these GPUs have
    cuda = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
    unsetenv("GATUN_EMULATED_SHARED");
    if (kept) {
      setenv("GATUN_CUDA_UNTRIED", kept->c_str(), 1);
    } else {
      unsetenv("GATUN_CUDA_UNTRIED");
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

  // A convolution, without and with what may be beside in bf16, and its gradients.
  void expect_convolves(const Conv& v) {
    SCOPED_TRACE(testing::Message()
                 << v.n << " x " << v.h << "x" << v.w << "x" << v.c << ", " << v.k << " filters "
                 << v.r << "x" << v.s << ", stride " << v.stride_h << "x" << v.stride_w);
    const Operand x = operand(DType::BF16, v.x(), 1), w = operand(DType::BF16, v.filters(), 2);
    const Operand dy = operand(DType::BF16, v.y(), 3), bias = operand(DType::BF16, {v.k}, 4);
    expect_like_cpu(*cuda, cpu, {empty(DType::BF16, v.y())}, {x, w}, 1,
                    [&](gt_stream s, const Handles& out, const Handles& in) {
                      return forward(v, s, out[0], nullptr, in[0], in[1], nullptr, nullptr,
                                     GT_ACTIVATION_NONE);
                    });
    expect_like_cpu(*cuda, cpu, {empty(DType::BF16, v.y())}, {x, w, bias}, 1,
                    [&](gt_stream s, const Handles& out, const Handles& in) {
                      return forward(v, s, out[0], nullptr, in[0], in[1], in[2], nullptr,
                                     GT_ACTIVATION_RELU);
                    });
    expect_like_cpu(*cuda, cpu, {empty(DType::BF16, v.x())}, {dy, w}, 1,
                    [&](gt_stream s, const Handles& out, const Handles& in) {
                      return data_gradient(v, s, out[0], nullptr, in[0], in[1], nullptr, nullptr,
                                           nullptr, nullptr);
                    });
    expect_like_cpu(*cuda, cpu, {empty(DType::F32, v.filters())}, {x, dy}, 60,
                    [&](gt_stream s, const Handles& out, const Handles& in) {
                      return weight_gradient(v, s, out[0], in[0], in[1]);
                    });
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

// Tiles that cross images, and end behind the last one.
TEST_F(CudaHopper, Convolves) {
  expect_convolves({.n = 3,
                    .h = 7,
                    .w = 9,
                    .c = 16,
                    .k = 24,
                    .r = 3,
                    .s = 3,
                    .top = 1,
                    .left = 1,
                    .bottom = 1,
                    .right = 1});
}

TEST_F(CudaHopper, ConvolvesWithStrides) {
  expect_convolves({.n = 5,
                    .h = 11,
                    .w = 12,
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
  expect_convolves(
      {.n = 3, .h = 7, .w = 8, .c = 8, .k = 8, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2});
}

TEST_F(CudaHopper, ConvolvesWithDilationAndPadding) {
  expect_convolves({.n = 2,
                    .h = 9,
                    .w = 8,
                    .c = 8,
                    .k = 8,
                    .r = 3,
                    .s = 2,
                    .top = 2,
                    .left = 0,
                    .bottom = 1,
                    .right = 3,
                    .dilation_h = 2,
                    .dilation_w = 3});
}

// Channels of less than a chunk, of a stage and some more, and filters beyond a tile.
TEST_F(CudaHopper, ConvolvesAnyChannels) {
  for (const int64_t channels : {1, 63, 64, 70, 134}) {
    expect_convolves(
        {.n = 1, .h = 5, .w = 3, .c = channels, .k = 135 - channels, .r = 2, .s = 2, .left = 1});
  }
}

// What no map of the copy engine describes, and groups: by the twin.
TEST_F(CudaHopper, LeavesOtherConvolutionsToItsTwin) {
  expect_convolves({.n = 1, .h = 30, .w = 5, .c = 8, .k = 8, .r = 3, .s = 1, .stride_h = 9});
  expect_convolves({.n = 1, .h = 5, .w = 5, .c = 16, .k = 8, .r = 3, .s = 3, .groups = 2});
}

// 2^24 + 1 - 2^24 is 0 by sums of 24 bits, and 1 in two parts, of which one has the 1 beside the
// smaller number. Only the twin cuts so few terms.
TEST_F(CudaHopper, ConvolvesByItself) {
  constexpr int64_t kChannels = 64;
  const Conv y{.n = 1, .h = 3, .w = 3, .c = kChannels, .k = 1, .r = 3, .s = 3};
  const Conv dx{.n = 1, .h = 5, .w = 5, .c = 1, .k = kChannels, .r = 3, .s = 3};
  Operand pixels = empty(DType::BF16, y.x());
  const Operand w = operand(DType::BF16, y.filters(), 1, 1, 1);
  const Operand dx_w = operand(DType::BF16, dx.filters(), 1, 1, 1);
  const auto put = [&](std::initializer_list<std::pair<int64_t, double>> values) {
    pixels = empty(DType::BF16, y.x());
    for (const auto& [i, value] : values) pixels.values[i] = value;
  };
  const auto result = [&](const TestDevice& device) {
    Placed in(device, {pixels, w}, 0), out(device, {empty(DType::BF16, y.y())}, 0);
    EXPECT_OK(forward(y, device.stream(), out[0].tensor(), nullptr, in[0].tensor(), in[1].tensor(),
                      nullptr, nullptr, GT_ACTIVATION_NONE));
    return out[0].values()[0];
  };
  const auto gradient = [&](const TestDevice& device) {
    Placed in(device, {pixels, dx_w}, 0), out(device, {empty(DType::BF16, dx.x())}, 0);
    EXPECT_OK(data_gradient(dx, device.stream(), out[0].tensor(), nullptr, in[0].tensor(),
                            in[1].tensor(), nullptr, nullptr, nullptr, nullptr));
    return out[0].values()[12];  // the pixel that all taps meet
  };
  put({{0, 0x1p24}, {5 * kChannels, 1}, {8 * kChannels, -0x1p24}});
  EXPECT_EQ(result(*twin), 1);
  EXPECT_EQ(result(*cuda), 0);
  // The twin begins with the last pixel.
  put({{0, 0x1p24}, {7 * kChannels, 1}, {8 * kChannels, -0x1p24}});
  EXPECT_EQ(gradient(*twin), 1);
  EXPECT_EQ(gradient(*cuda), 0);

  // A weight gradient's terms are pixels.
  const Conv dw{.n = 1, .h = 1, .w = 513, .c = kChannels, .k = 1, .r = 1, .s = 2};
  Operand x = empty(DType::BF16, dw.x());
  x.values[0] = 0x1p24;
  x.values[256 * kChannels] = 1;
  x.values[511 * kChannels] = -0x1p24;
  const auto sum = [&](const TestDevice& device) {
    Placed in(device, {x, operand(DType::BF16, dw.y(), 1, 1, 1)}, 0);
    Placed out(device, {empty(DType::F32, dw.filters())}, 0);
    EXPECT_OK(
        weight_gradient(dw, device.stream(), out[0].tensor(), in[0].tensor(), in[1].tensor()));
    return out[0].values()[0];
  };
  EXPECT_EQ(sum(*twin), 1);
  EXPECT_EQ(sum(*cuda), 0);
}

}  // namespace
}  // namespace gatun::test
