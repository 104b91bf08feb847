// Convolutions with groups, dilation and unequal padding, depthwise ones among them.
#include "kernels/conv.h"
#include "kernels/conv_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::ConvGeometry;

struct Case {
  int64_t N, H, W, C, K, R, S;
  ConvGeometry g;
  int64_t bottom = 0, right = 0;  // padding there

  static int64_t places(int64_t size, int64_t pads, int64_t taps, int64_t dilation,
                        int64_t stride) {
    return (size + pads - (taps - 1) * dilation - 1) / stride + 1;
  }
  int64_t P() const { return places(H, g.pad_h + bottom, R, g.dilation_h, g.stride_h); }
  int64_t Q() const { return places(W, g.pad_w + right, S, g.dilation_w, g.stride_w); }
  Dims x() const { return {N, H, W, C}; }
  Dims w() const { return {K, R, S, C / g.groups}; }
  Dims y() const { return {N, P(), Q(), K}; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "x " << c.N << "," << c.H << "," << c.W << "," << c.C << " w " << c.K << "," << c.R
             << "," << c.S << " stride " << c.g.stride_h << "," << c.g.stride_w << " pad "
             << c.g.pad_h << "," << c.g.pad_w << " dilation " << c.g.dilation_h << ","
             << c.g.dilation_w << " groups " << c.g.groups;
}

const Case kCases[] = {
    // Dilation.
    {2, 9, 8, 5, 7, 3, 3, {1, 1, 2, 2, 2, 2}, 2, 2},
    {1, 12, 13, 3, 4, 3, 2, {2, 1, 2, 1, 3, 2}, 1, 2},
    {2, 11, 10, 16, 20, 3, 3, {2, 3, 1, 4, 4, 3}, 3, 0},
    {1, 7, 7, 33, 35, 3, 3, {3, 2, 4, 4, 2, 2}, 4, 4},
    {1, 40, 6, 17, 33, 3, 3, {1, 1, 0, 1, 1, 2}, 0, 1},
    {3, 5, 5, 4, 3, 2, 2, {1, 1, 9, 9, 3, 3}, 9, 9},  // windows that see padding alone
    {1, 1, 1, 1, 1, 3, 3, {1, 1, 5, 5, 5, 5}, 5, 5},
    // Groups.
    {2, 6, 5, 6, 4, 3, 3, {1, 1, 1, 1, 1, 1, 2}, 1, 1},
    {2, 7, 9, 12, 18, 3, 3, {2, 2, 1, 1, 1, 1, 3}, 1, 1},
    {1, 8, 8, 64, 128, 3, 3, {1, 1, 1, 1, 1, 1, 4}, 1, 1},
    {3, 4, 4, 70, 50, 1, 1, {1, 1, 0, 0, 1, 1, 2}},
    {2, 6, 6, 8, 24, 3, 3, {1, 2, 1, 0, 2, 1, 8}, 2, 1},  // three filters for each channel
    {2, 6, 6, 24, 8, 3, 3, {1, 1, 1, 1, 1, 1, 8}, 1, 1},
    {2, 6, 6, 4, 4, 3, 3, {1, 1, 0, 0, 1, 1, 2}, 1, 2},  // padding behind alone
    {0, 6, 6, 4, 4, 3, 3, {1, 1, 1, 1, 1, 1, 2}, 1, 1},
    {2, 6, 6, 0, 4, 3, 3, {1, 1, 1, 1, 1, 1, 2}, 1, 1},
    {2, 6, 6, 4, 0, 3, 3, {1, 1, 1, 1, 1, 1, 2}, 1, 1},
    // Depthwise.
    {2, 9, 11, 7, 7, 3, 3, {1, 1, 1, 1, 1, 1, 7}, 1, 1},
    {2, 9, 11, 40, 40, 3, 3, {2, 2, 1, 1, 1, 1, 40}, 1, 1},
    {1, 30, 21, 19, 19, 5, 5, {1, 1, 2, 2, 1, 1, 19}, 2, 2},
    {1, 14, 14, 16, 16, 5, 5, {2, 2, 2, 2, 1, 1, 16}, 2, 2},
    {2, 10, 10, 18, 18, 3, 3, {1, 2, 3, 2, 2, 3, 18}, 0, 1},
    {2, 8, 8, 5, 5, 4, 2, {3, 3, 0, 1, 1, 1, 5}},  // pixels that no window sees
    {1, 1, 40, 6, 6, 1, 7, {1, 1, 0, 3, 1, 1, 6}, 0, 3},
    {0, 5, 5, 3, 3, 3, 3, {1, 1, 1, 1, 1, 1, 3}, 1, 1},
    {1, 2, 2, 3, 3, 3, 3, {1, 1, 5, 5, 1, 1, 3}, 5, 5},
};

template <typename T>
T from_float(float x) {
  if constexpr (std::is_same_v<T, Bf16>) {
    return to_bf16(x);
  } else {
    return static_cast<T>(x);
  }
}

template <typename T>
Array<T> convert(const Array<float>& from) {
  Array<T> to(from.dims());
  for (int64_t i = 0; i < from.count(); ++i) to[i] = from_float<T>(from[i]);
  return to;
}

// Small halves and quarters are exact in bf16.
Array<float> coarse(const Dims& dims, uint64_t seed) {
  auto values = random_array<float>(dims, seed);
  for (int64_t i = 0; i < values.count(); ++i) values[i] = std::round(8 * values[i]) / 8;
  return values;
}

struct Inputs {
  Array<float> x, w, bias, dy;

  explicit Inputs(const Case& c)
      : x(coarse(c.x(), 1)), w(coarse(c.w(), 2)), bias(coarse({c.K}, 3)), dy(coarse(c.y(), 4)) {}
};

// Sums over weights are f32 beside bf16.
template <typename T, typename Sum>
struct Results {
  Array<T> y, dx;
  Array<Sum> dw;
};

template <typename T, typename Sum = T>
Results<T, Sum> run(const Case& c, const Inputs& inputs, bool fused, int workers) {
  Results<T, Sum> r{Array<T>(c.y()), Array<T>(c.x()), Array<Sum>(c.w())};
  auto x = convert<T>(inputs.x), w = convert<T>(inputs.w), bias = convert<T>(inputs.bias),
       dy = convert<T>(inputs.dy);
  const Tensor tb = bias.tensor();
  SerialLauncher forward(workers), data(workers), weights(workers);
  kernels::direct::conv2d(forward, r.y.tensor(), x.tensor(), w.tensor(), fused ? &tb : nullptr, c.g,
                          {.activation = fused ? Activation::RELU : Activation::NONE});
  kernels::direct::conv2d_backward_data(data, r.dx.tensor(), dy.tensor(), w.tensor(), c.g, {});
  kernels::direct::conv2d_backward_weights(weights, r.dw.tensor(), x.tensor(), dy.tensor(), c.g);
  return r;
}

double tolerance(int64_t n) { return 4 * 6e-8 * static_cast<double>(n + 4); }

TEST(GroupedConv, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    const auto plain = run<double>(c, inputs, false, 1), fused = run<double>(c, inputs, true, 1);
    for_each_simd_level([&](const char*) {
      const auto fast = run<float>(c, inputs, false, 1);
      const int64_t taps = c.R * c.S;
      expect_close(fast.y, plain.y, 0, tolerance(taps * c.C / c.g.groups));
      expect_close(fast.dx, plain.dx, 0, tolerance(taps * c.K / c.g.groups));
      expect_close(fast.dw, plain.dw, 0, tolerance(c.N * c.P() * c.Q()));
      expect_close(run<float>(c, inputs, true, 1).y, fused.y, 0,
                   tolerance(taps * c.C / c.g.groups));
      for (const int workers : {2, 3, 16}) {
        const auto again = run<float>(c, inputs, false, workers);
        expect_same_bits(again.y, fast.y);
        expect_same_bits(again.dx, fast.dx);
        expect_same_bits(again.dw, fast.dw);
      }
    });
  }
}

TEST(GroupedConv, RoundsOnceInBf16) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    // The sums of these products are exact in f32.
    const auto expected = run<float>(c, inputs, true, 1);
    for_each_simd_level([&](const char*) {
      const auto found = run<Bf16, float>(c, inputs, true, 2);
      for (int64_t i = 0; i < expected.y.count(); ++i) {
        ASSERT_EQ(to_bf16(expected.y[i]).bits, found.y[i].bits) << "y " << i;
      }
      for (int64_t i = 0; i < expected.dx.count(); ++i) {
        ASSERT_EQ(to_float(to_bf16(expected.dx[i])), to_float(found.dx[i])) << "dx " << i;
      }
      expect_close(found.dw, expected.dw, 0, 0);
    });
  }
}

// Through one pixel's NaN: where a window sees it the result is NaN, and ReLU lets it pass.
TEST(GroupedConv, ReluKeepsNaN) {
  for (const Case& c : {Case{1, 3, 7, 8, 8, 3, 3, {1, 1, 1, 1, 1, 1, 2}, 1, 1},
                        Case{1, 3, 7, 21, 21, 3, 3, {1, 1, 1, 1, 1, 1, 21}, 1, 1}}) {
    SCOPED_TRACE(testing::Message() << c);
    Inputs inputs(c);
    for (int64_t i = 0; i < c.C; ++i) inputs.x[i] = NAN;
    for_each_simd_level([&](const char*) {
      const auto r = run<float>(c, inputs, true, 1);
      for (int64_t i = 0; i < r.y.count(); ++i) {
        const int64_t row = i / c.K / c.W, column = i / c.K % c.W;
        EXPECT_EQ(std::isnan(r.y[i]), row < 2 && column < 2) << i;
      }
    });
  }
}

TEST(GroupedConv, GradientsAreTheTransposesOfTheForwardPass) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    const auto r = run<double>(c, inputs, false, 1);
    const auto dot = [](const auto& a, const auto& b) {
      double sum = 0;
      for (int64_t i = 0; i < a.count(); ++i) sum += static_cast<double>(a[i]) * b[i];
      return sum;
    };
    const double forward = dot(inputs.dy, r.y);
    EXPECT_NEAR(dot(inputs.x, r.dx), forward, 1e-9 * (1 + std::abs(forward)));
    EXPECT_NEAR(dot(inputs.w, r.dw), forward, 1e-9 * (1 + std::abs(forward)));
  }
}

// A group is a convolution of its own channels.
TEST(GroupedConv, IsTheConvolutionsOfItsGroups) {
  const Case c{2, 6, 7, 12, 8, 3, 3, {1, 2, 1, 1, 1, 1, 4}, 1, 1};
  const Inputs inputs(c);
  const auto whole = run<double>(c, inputs, false, 1);
  for (int64_t group = 0; group < c.g.groups; ++group) {
    Case part = c;
    part.g.groups = 1;
    part.C /= c.g.groups;
    part.K /= c.g.groups;
    Inputs own(part);
    for (int64_t i = 0; i < own.x.count(); ++i) {
      own.x[i] = inputs.x[i / part.C * c.C + group * part.C + i % part.C];
    }
    for (int64_t i = 0; i < own.w.count(); ++i) own.w[i] = inputs.w[group * own.w.count() + i];
    const auto y = run<double>(part, own, false, 1).y;
    for (int64_t i = 0; i < y.count(); ++i) {
      EXPECT_EQ(whole.y[i / part.K * c.K + group * part.K + i % part.K], y[i]);
    }
  }
}

TEST(GroupedConv, RunsThroughTheInterfaceAndRefusesWhatDoesNotFit) {
  TestDevice device(2);
  const gt_stream s = device.stream();
  const Case c{2, 7, 9, 12, 6, 3, 3, {1, 2, 1, 0, 2, 1, 3}, 2, 1};
  const Inputs inputs(c);
  const auto expected = run<float>(c, inputs, true, 1);
  const TestTensor<float> x(device, inputs.x), w(device, inputs.w), bias(device, inputs.bias),
      y(device, c.y());
  const auto conv = [&](int dilation, int groups, int algorithm) {
    return gt_conv2d(s, y, nullptr, x, w, bias, nullptr, 1, 2, 1, 0, 2, 1, dilation, 1, groups,
                     GT_ACTIVATION_RELU, algorithm);
  };
  EXPECT_OK(conv(2, 3, GT_CONV_AUTO));
  expect_same_bits(y.read(), expected.y);
  EXPECT_REFUSED(conv(0, 3, 0), GT_INVALID_ARGUMENT,
                 "dilation along height must be at least 1, but is 0");
  EXPECT_REFUSED(conv(2, 0, 0), GT_INVALID_ARGUMENT, "groups must be at least 1, but are 0");
  EXPECT_REFUSED(conv(2, 5, 0), GT_INVALID_ARGUMENT, "channels do not divide into 5 groups");
  EXPECT_REFUSED(conv(2, 2, 0), GT_INVALID_ARGUMENT, "channels differ: x is");
  EXPECT_REFUSED(conv(6, 3, 0), GT_INVALID_ARGUMENT,
                 "w covers 13 pixels along height, but x has 7 pixels and 1 and 2 of padding");
  EXPECT_REFUSED(
      conv(2, 3, GT_CONV_WINOGRAD), GT_INVALID_ARGUMENT,
      "has no form with dilation or groups, but the dilation is 2x1 and the groups are 3");
}

}  // namespace
}  // namespace gatun::test
