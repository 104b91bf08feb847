#include "kernels/winograd.h"

#include "kernels/conv_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::ConvGeometry;
namespace winograd = kernels::winograd;

struct Case {
  int64_t N, H, W, C, K, pad_h, pad_w;

  ConvGeometry g() const { return {1, 1, pad_h, pad_w}; }
  Dims x() const { return {N, H, W, C}; }
  Dims w() const { return {K, 3, 3, C}; }
  Dims y() const { return {N, H + 2 * pad_h - 2, W + 2 * pad_w - 2, K}; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "x " << c.N << "," << c.H << "," << c.W << "," << c.C << " to " << c.K << " pad "
             << c.pad_h << "," << c.pad_w;
}

std::vector<Case> cases() {
  std::vector<Case> result = {
      {3, 32, 32, 16, 16, 1, 1},   // layers of ResNet-20
      {5, 16, 16, 32, 32, 1, 1},   //
      {19, 8, 8, 64, 64, 1, 1},    //
      {1, 56, 28, 64, 64, 1, 1},   // bands of an image
      {2, 7, 7, 96, 80, 1, 1},     //
      {1, 3, 150, 16, 16, 1, 1},   // a row of tiles is longer than a batch of them
      {2, 13, 11, 17, 33, 1, 1},   // ends inside vectors and tiles
      {2, 9, 10, 3, 48, 2, 0},     // paddings that differ
      {1, 6, 5, 40, 7, 0, 2},      //
      {2, 5, 6, 20, 5, 3, 4},      // windows that see padding alone
      {40, 20, 20, 9, 10, 1, 1},   // several groups of tiles
      {1, 14, 14, 130, 140, 1, 1}  // larger batches of tiles in the weight gradient
  };
  for (int64_t size = 1; size <= 7; ++size) {
    result.push_back({2, size, 8 - size, 5, 18, 1, 1});
    if (size >= 3) result.push_back({2, size, size, 16, 16, 0, 0});
  }
  return result;
}

Array<double> real(const Array<float>& from) {
  Array<double> to(from.dims());
  for (int64_t i = 0; i < from.count(); ++i) to[i] = from[i];
  return to;
}

struct Inputs {
  Array<float> x, w, dy, bias, addend, gate;

  explicit Inputs(const Case& c)
      : x(random_array<float>(c.x(), 1)),
        w(random_array<float>(c.w(), 2)),
        dy(random_array<float>(c.y(), 3)),
        bias(random_array<float>({c.K}, 4)),
        addend(random_array<float>(c.y(), 5)),
        gate(random_array<float>(c.y(), 6)) {}
};

template <typename T>
struct Results {
  Array<T> y, dx, dw;
};

Results<double> plain(const Case& c, const Inputs& inputs) {
  Results<double> r{Array<double>(c.y()), Array<double>(c.x()), Array<double>(c.w())};
  auto x = real(inputs.x), w = real(inputs.w), dy = real(inputs.dy);
  SerialLauncher launcher;
  kernels::naive::conv2d<double>(launcher, r.y.tensor(), x.tensor(), w.tensor(), nullptr, c.g(),
                                 Activation::NONE);
  kernels::naive::conv2d_backward_data<double>(launcher, r.dx.tensor(), dy.tensor(), w.tensor(),
                                               c.g());
  kernels::naive::conv2d_backward_weights<double>(launcher, r.dw.tensor(), x.tensor(), dy.tensor(),
                                                  c.g());
  return r;
}

Results<float> fast(const Case& c, Inputs inputs, int workers) {
  Results<float> r{Array<float>(c.y(), NAN), Array<float>(c.x(), NAN), Array<float>(c.w(), NAN)};
  SerialLauncher forward(workers), data(workers), weights(workers);
  winograd::conv2d(forward, r.y.tensor(), inputs.x.tensor(), inputs.w.tensor(), c.g(), {});
  winograd::conv2d_backward_data(data, r.dx.tensor(), inputs.dy.tensor(), inputs.w.tensor(), c.g(),
                                 {});
  winograd::conv2d_backward_weights(weights, r.dw.tensor(), inputs.x.tensor(), inputs.dy.tensor(),
                                    c.g());
  return r;
}

// The greatest error in units of the expected values' root mean square.
double error(const Array<float>& actual, const Array<double>& expected) {
  double greatest = 0, squares = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    if (!(difference <= greatest)) greatest = difference;
    squares += expected[i] * expected[i];
  }
  return greatest / std::sqrt(squares / static_cast<double>(expected.count()));
}

// A sum of c products in f32 is off by about sqrt(c) roundings of its root mean square; the
// transforms multiply by up to 64 and cancel again. Measured over 14 layers the worst of up to a
// million elements is 45 to 95 of these units off, so 200 hold, and would not if a single tile,
// tap or channel were left out.
double tolerance(int64_t channels) {
  return 200 * 0x1p-24 * std::sqrt(static_cast<double>(std::max<int64_t>(channels, 16)));
}
// Sums over tiles are taken in groups; 4e-5 was measured.
constexpr double kWeightTolerance = 1e-4;

TEST(Winograd, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    const auto expected = plain(c, inputs);
    for_each_simd_level([&](const char*) {
      const auto actual = fast(c, inputs, 1);
      EXPECT_LE(error(actual.y, expected.y), tolerance(c.C));
      EXPECT_LE(error(actual.dx, expected.dx), tolerance(c.K));
      EXPECT_LE(error(actual.dw, expected.dw), kWeightTolerance);
      for (const int workers : {2, 3}) {
        const auto again = fast(c, inputs, workers);
        expect_same_bits(again.y, actual.y);
        expect_same_bits(again.dx, actual.dx);
        expect_same_bits(again.dw, actual.dw);
      }
    });
  }
}

TEST(Winograd, AppliesWhatIsFusedIntoTheResult) {
  for (const Case& c :
       {Case{2, 13, 11, 17, 33, 1, 1}, Case{3, 8, 8, 32, 16, 1, 1}, Case{2, 5, 6, 20, 5, 2, 0}}) {
    SCOPED_TRACE(testing::Message() << c);
    Inputs inputs(c);
    auto expected = plain(c, inputs);
    for (int64_t i = 0; i < expected.y.count(); ++i) {
      double value = expected.y[i] + inputs.bias[i % c.K] + inputs.addend[i];
      if (!(inputs.gate[i] > 0)) value = 0;
      expected.y[i] = std::max(0.0, value);
    }
    for_each_simd_level([&](const char*) {
      Array<float> y(inputs.addend);
      SerialLauncher launcher;
      winograd::conv2d(launcher, y.tensor(), inputs.x.tensor(), inputs.w.tensor(), c.g(),
                       {.bias = inputs.bias.data(),
                        .addend = y.data(),
                        .gate = inputs.gate.data(),
                        .relu = true});
      EXPECT_LE(error(y, expected.y), tolerance(c.C));
    });
  }
}

TEST(Winograd, KeepsNaN) {
  const Case c{1, 8, 8, 16, 16, 1, 1};
  Inputs inputs(c);
  inputs.x[(4 * 8 + 4) * 16] = NAN;
  Array<float> y(c.y());
  SerialLauncher launcher;
  winograd::conv2d(launcher, y.tensor(), inputs.x.tensor(), inputs.w.tensor(), c.g(),
                   {.relu = true});
  EXPECT_TRUE(std::isnan(y[(4 * 8 + 4) * 16]));
}

TEST(Winograd, RunsOnThreadsAndFromPrograms) {
  const Case c{6, 16, 16, 32, 32, 1, 1};
  const Inputs inputs(c);
  const auto expected = fast(c, inputs, 1);
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const TestTensor<float> x(device, inputs.x), w(device, inputs.w), dy(device, inputs.dy),
        y(device, c.y()), dx(device, c.x()), dw(device, c.w());
    const gt_stream s = device.stream();
    EXPECT_OK(gt_stream_begin_recording(s));
    EXPECT_OK(gt_conv2d(s, y, nullptr, x, w, nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
                        GT_CONV_WINOGRAD));
    EXPECT_OK(gt_conv2d_backward_data(s, dx, nullptr, dy, w, nullptr, nullptr, nullptr, nullptr, 1,
                                      1, 1, 1, 1, 1, 1, 1, 1, GT_CONV_WINOGRAD));
    EXPECT_OK(
        gt_conv2d_backward_weights(s, dw, x, dy, 1, 1, 1, 1, 1, 1, 1, 1, 1, GT_CONV_WINOGRAD));
    gt_program program = nullptr;
    ASSERT_OK(gt_stream_end_recording(&program, s));
    for (int i = 0; i < 3; ++i) EXPECT_OK(gt_program_run(program));
    gt_program_destroy(program);
    expect_same_bits(y.read(), expected.y);
    expect_same_bits(dx.read(), expected.dx);
    expect_same_bits(dw.read(), expected.dw);
  }
}

TEST(Winograd, IsTakenWhereItPays) {
  const auto taken = [](const Case& c) {
    const Inputs inputs(c);
    TestDevice device;
    const TestTensor<float> x(device, inputs.x), w(device, inputs.w), y(device, c.y());
    const auto run = [&](int32_t algorithm) {
      EXPECT_OK(gt_conv2d(device.stream(), y, nullptr, x, w, nullptr, nullptr, 1, 1,
                          static_cast<int32_t>(c.pad_h), static_cast<int32_t>(c.pad_w),
                          static_cast<int32_t>(c.pad_h), static_cast<int32_t>(c.pad_w), 1, 1, 1, 0,
                          algorithm));
      return y.read().to_vector();
    };
    const auto chosen = run(GT_CONV_AUTO), direct = run(GT_CONV_DIRECT);
    EXPECT_NE(direct, run(GT_CONV_WINOGRAD));  // or the test could not tell them apart
    EXPECT_TRUE(chosen == direct || chosen == run(GT_CONV_WINOGRAD));
    return chosen != direct;
  };
  EXPECT_TRUE(taken({4, 32, 32, 16, 16, 1, 1}));
  EXPECT_TRUE(taken({8, 8, 8, 64, 64, 1, 1}));
  EXPECT_FALSE(taken({4, 32, 32, 3, 16, 1, 1}));   // few channels
  EXPECT_FALSE(taken({8, 5, 5, 32, 32, 1, 1}));    // tiles mostly outside
  EXPECT_FALSE(taken({1, 7, 7, 256, 256, 1, 1}));  // more work on weights than on tiles
}

TEST(Winograd, LeavesEmptyTensorsToTheDefinition) {
  TestDevice device;
  const TestTensor<float> x(device, {2, 5, 5, 0}), w(device, {3, 3, 3, 0}),
      none(device, {0, 5, 5, 3}), dw(device, random_array<float>({3, 3, 3, 3})),
      y(device, random_array<float>({2, 5, 5, 3}));
  EXPECT_OK(gt_conv2d(device.stream(), y, nullptr, x, w, nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1,
                      1, 0, GT_CONV_WINOGRAD));
  EXPECT_OK(gt_conv2d_backward_weights(device.stream(), dw, none, none, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                       GT_CONV_WINOGRAD));
  expect_same_bits(y.read(), Array<float>({2, 5, 5, 3}));
  expect_same_bits(dw.read(), Array<float>({3, 3, 3, 3}));
}

}  // namespace
}  // namespace gatun::test
