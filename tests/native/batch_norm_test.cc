#include "kernels/batch_norm.h"

#include <optional>

#include "core/machine.h"
#include "kernels/batch_norm_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;

// What the three instructions take and give, filled with numbers that are neither 0 nor 1.
template <typename T>
struct Case {
  Array<T> x, residual, dy, gamma, beta, running_mean, running_variance;
  Array<T> y, mean, inv_std, dx, dresidual, dgamma, dbeta;

  explicit Case(const Dims& dims, double center = 0, double spread = 1)
      : x(random_array<T>(dims, 1, center - spread, center + spread)),
        residual(random_array<T>(dims, 2)),
        dy(random_array<T>(dims, 3)),
        gamma(random_array<T>({dims.back()}, 4, 0.5, 1.5)),
        beta(random_array<T>({dims.back()}, 5)),
        running_mean(random_array<T>({dims.back()}, 6)),
        running_variance(random_array<T>({dims.back()}, 7, 0.5, 1.5)),
        y(dims),
        mean({dims.back()}),
        inv_std({dims.back()}),
        dx(dims),
        dresidual(dims),
        dgamma({dims.back()}),
        dbeta({dims.back()}) {}

  int64_t channels() const { return x.dims().back(); }
  int64_t rows() const { return channels() == 0 ? 0 : x.count() / channels(); }

  void train(Launcher& launcher, bool with_residual, Activation activation) {
    std::optional<Tensor> added;
    if (with_residual) added = residual.tensor();
    kernels::batch_norm_training(launcher, y.tensor(), mean.tensor(), inv_std.tensor(),
                                 running_mean.tensor(), running_variance.tensor(), x.tensor(),
                                 gamma.tensor(), beta.tensor(), added ? &*added : nullptr, nullptr,
                                 running_mean.tensor(), running_variance.tensor(), kMomentum,
                                 kEpsilon, activation);
  }
  void train_naive(bool with_residual, Activation activation) {
    kernels::naive::batch_norm_training(
        y.data(), mean.data(), inv_std.data(), running_mean.data(), running_variance.data(),
        x.data(), gamma.data(), beta.data(), with_residual ? residual.data() : nullptr,
        static_cast<const T*>(nullptr), running_mean.data(), running_variance.data(), rows(),
        channels(), kMomentum, kEpsilon, activation == Activation::RELU);
  }

  void backward(Launcher& launcher, bool with_residual, Activation activation) {
    const Tensor output = y.tensor(), passed = dresidual.tensor();
    kernels::batch_norm_backward(launcher, dx.tensor(), dgamma.tensor(), dbeta.tensor(),
                                 with_residual ? &passed : nullptr, dy.tensor(), x.tensor(),
                                 activation == Activation::RELU ? &output : nullptr, mean.tensor(),
                                 inv_std.tensor(), gamma.tensor(), nullptr, activation);
  }
  void backward_naive(bool with_residual, Activation activation) {
    kernels::naive::batch_norm_backward(
        dx.data(), dgamma.data(), dbeta.data(), with_residual ? dresidual.data() : nullptr,
        dy.data(), x.data(), y.data(), mean.data(), inv_std.data(), gamma.data(),
        static_cast<const T*>(nullptr), rows(), channels(), activation == Activation::RELU);
  }

  void infer(Launcher& launcher, bool with_residual, Activation activation) {
    const Tensor added = residual.tensor();
    kernels::batch_norm_inference(launcher, y.tensor(), x.tensor(), gamma.tensor(), beta.tensor(),
                                  with_residual ? &added : nullptr, running_mean.tensor(),
                                  running_variance.tensor(), kEpsilon, activation);
  }
  void infer_naive(bool with_residual, Activation activation) {
    kernels::naive::batch_norm_inference(y.data(), x.data(), gamma.data(), beta.data(),
                                         with_residual ? residual.data() : nullptr,
                                         running_mean.data(), running_variance.data(), rows(),
                                         channels(), kEpsilon, activation == Activation::RELU);
  }
};

// Few channels and many, folded rows with and without rest, more rows than a tile and than a task,
// more channels than a block.
const std::vector<Dims> kShapes = {
    {2, 1},    {3, 1},    {1025, 1}, {2, 3},    {5, 3},      {40, 3},       {1100, 3},
    {7, 5},    {33, 16},  {9, 17},   {300, 31}, {5000, 16},  {2, 2, 3, 64}, {70, 100},
    {2, 2048}, {19, 513}, {600, 64}, {50, 600}, {70000, 2},  {4, 6, 5, 32}, {3, 9, 9, 256},
    {2, 0},    {515, 65}, {2, 63},   {16, 128}, {1, 2, 1, 7}};

template <typename Check>
void for_each_variant(Check check) {
  for (const bool with_residual : {false, true}) {
    for (const Activation activation : {Activation::NONE, Activation::RELU}) {
      check(with_residual, activation);
    }
  }
}

TEST(BatchNorm, TrainingAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for_each_variant([&](bool with_residual, Activation activation) {
        Case<float> fast(dims), naive(dims);
        fast.train(launcher, with_residual, activation);
        naive.train_naive(with_residual, activation);
        // The naive loops sum in f64. The fast ones sum up to 256 values in f32, eight at a time:
        // about 40 roundings of 6e-8 in a chain, relative to the spread of the values, which is 1.
        expect_close(fast.mean, naive.mean, 0, 1e-6);
        expect_close(fast.inv_std, naive.inv_std, 3e-6, 0);
        expect_close(fast.running_mean, naive.running_mean, 1e-6, 2e-7);
        expect_close(fast.running_variance, naive.running_variance, 3e-6, 0);
        expect_close(fast.y, naive.y, 1e-5, 5e-6);
      });
    }
  });
}

TEST(BatchNorm, BackwardAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for_each_variant([&](bool with_residual, Activation activation) {
        Case<float> fast(dims), naive(dims);
        naive.train_naive(false, activation);
        fast.y = naive.y, fast.mean = naive.mean, fast.inv_std = naive.inv_std;
        fast.backward(launcher, with_residual, activation);
        naive.backward_naive(with_residual, activation);
        // Sums of signed terms cancel: the error follows the number of terms, each at most 2 or so,
        // not the sum. With two rows inv_std, and all that is multiplied by it, may be large.
        const double m = static_cast<double>(fast.rows());
        double scale = 1;
        for (int64_t c = 0; c < fast.channels(); ++c) {
          scale = std::max<double>(scale, fast.inv_std[c]);
        }
        expect_close(fast.dbeta, naive.dbeta, 1e-6, 2e-7 * m);
        expect_close(fast.dgamma, naive.dgamma, 1e-6, 4e-7 * m * scale);
        expect_close(fast.dx, naive.dx, 1e-5, 4e-6 * scale);
        expect_same_bits(fast.dresidual, naive.dresidual);
      });
    }
  });
}

// Long rows, and so many that groups of channels are wide and no longer whole rows.
TEST(BatchNorm, LargeTensorAgreesWithNaive) {
  Case<float> fast({1100, 2100}), naive({1100, 2100});
  SerialLauncher launcher(2);
  fast.train(launcher, true, Activation::RELU);
  naive.train_naive(true, Activation::RELU);
  expect_close(fast.inv_std, naive.inv_std, 3e-6, 0);
  expect_close(fast.y, naive.y, 1e-5, 5e-6);
  fast.y = naive.y, fast.mean = naive.mean, fast.inv_std = naive.inv_std;
  fast.backward(launcher, true, Activation::RELU);
  naive.backward_naive(true, Activation::RELU);
  expect_close(fast.dgamma, naive.dgamma, 1e-6, 1e-4);
  expect_close(fast.dx, naive.dx, 1e-5, 1e-5);
  expect_same_bits(fast.dresidual, naive.dresidual);
}

// Results that are stored past the caches, where rows begin at whole lines, and as large ones.
TEST(BatchNorm, TensorsBeyondTheCachesAgreeWithNaive) {
  for (const int64_t channels : {64, 65}) {
    SCOPED_TRACE(channels);
    const Dims dims{last_level_cache() / 8 / channels + 100, channels};
    Case<float> fast(dims), naive(dims);
    SerialLauncher launcher(2);
    fast.train(launcher, false, Activation::RELU);
    naive.train_naive(false, Activation::RELU);
    expect_close(fast.y, naive.y, 1e-5, 5e-6);
    fast.y = naive.y, fast.mean = naive.mean, fast.inv_std = naive.inv_std;
    fast.backward(launcher, false, Activation::RELU);
    naive.backward_naive(false, Activation::RELU);
    expect_close(fast.dx, naive.dx, 1e-5, 1e-5);
    fast.infer(launcher, true, Activation::NONE);
    naive.infer_naive(true, Activation::NONE);
    expect_close(fast.y, naive.y, 1e-6, 2e-6);
  }
}

TEST(BatchNorm, InferenceAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    std::vector<Dims> shapes = kShapes;
    shapes.insert(shapes.end(), {{1, 3}, {0, 5}, {1, 300}, {64}});
    for (const Dims& dims : shapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for_each_variant([&](bool with_residual, Activation activation) {
        Case<float> fast(dims), naive(dims);
        fast.infer(launcher, with_residual, activation);
        naive.infer_naive(with_residual, activation);
        expect_close(fast.y, naive.y, 1e-6, 1e-6);  // five roundings of values up to 4
      });
    }
  });
}

// With a mean of a thousand deviations, sums of x^2 in f32 would leave no digit of the variance.
TEST(BatchNorm, MeanFarFromZeroKeepsTheVariance) {
  for_each_simd_level([](const char*) {
    for (const Dims& dims : {Dims{4096, 16}, Dims{4099, 3}, Dims{700, 80}}) {
      Case<float> fast(dims, 1000, std::sqrt(3)), naive(dims, 1000, std::sqrt(3));
      SerialLauncher launcher;
      fast.train(launcher, false, Activation::NONE);
      naive.train_naive(false, Activation::NONE);
      expect_close(fast.mean, naive.mean, 1e-7, 0);
      expect_close(fast.inv_std, naive.inv_std, 2e-6, 0);
      expect_close(fast.y, naive.y, 1e-5, 5e-6);
    }
  });
}

// The row that values are taken relative to may be far from all others.
TEST(BatchNorm, OutlierInTheFirstRowKeepsTheVariance) {
  Case<float> fast({5000, 16}), naive({5000, 16});
  for (int64_t c = 0; c < 16; ++c) fast.x[c] = naive.x[c] = 1000;
  SerialLauncher launcher;
  fast.train(launcher, false, Activation::NONE);
  naive.train_naive(false, Activation::NONE);
  expect_close(fast.mean, naive.mean, 0, 3e-5);  // the deviation is 14
  expect_close(fast.inv_std, naive.inv_std, 1e-5, 0);
}

TEST(BatchNorm, ConstantChannelBecomesBeta) {
  Case<float> c({1000, 20}, 3.7, 0);
  SerialLauncher launcher;
  c.train(launcher, false, Activation::NONE);
  for (int64_t i = 0; i < c.y.count(); ++i) ASSERT_EQ(c.y[i], c.beta[i % 20]);
}

TEST(BatchNorm, NaNPassesReluAndStaysInItsChannel) {
  Case<float> c({100, 20});
  c.x[3] = std::numeric_limits<float>::quiet_NaN();
  SerialLauncher launcher;
  c.train(launcher, false, Activation::RELU);
  for (int64_t i = 0; i < c.y.count(); ++i) ASSERT_EQ(std::isnan(c.y[i]), i % 20 == 3);
}

// ---- Through the C ABI

// The instructions on tensors of a device. Absent residuals are NULL.
template <typename T>
struct DeviceCase {
  TestTensor<T> x, residual, dy, gamma, beta, running_mean, running_variance;
  TestTensor<T> y, mean, inv_std, dx, dresidual, dgamma, dbeta;
  gt_stream stream;

  DeviceCase(const TestDevice& device, const Case<T>& c)
      : x(device, c.x),
        residual(device, c.residual),
        dy(device, c.dy),
        gamma(device, c.gamma),
        beta(device, c.beta),
        running_mean(device, c.running_mean),
        running_variance(device, c.running_variance),
        y(device, c.y.dims()),
        mean(device, c.mean.dims()),
        inv_std(device, c.mean.dims()),
        dx(device, c.x.dims()),
        dresidual(device, c.x.dims()),
        dgamma(device, c.mean.dims()),
        dbeta(device, c.mean.dims()),
        stream(device.stream()) {}

  gt_status train(double epsilon = kEpsilon, double momentum = kMomentum) {
    return gt_batch_norm_training(stream, y, mean, inv_std, running_mean, running_variance, x,
                                  gamma, beta, residual, nullptr, running_mean, running_variance,
                                  momentum, epsilon, GT_ACTIVATION_RELU);
  }
  gt_status backward() {
    return gt_batch_norm_backward(stream, dx, dgamma, dbeta, dresidual, dy, x, y, mean, inv_std,
                                  gamma, nullptr, GT_ACTIVATION_RELU);
  }
  gt_status infer() {
    return gt_batch_norm_inference(stream, y, x, gamma, beta, residual, running_mean,
                                   running_variance, kEpsilon, GT_ACTIVATION_RELU);
  }
};

TEST(BatchNorm, KnownAnswers) {
  TestDevice device;
  Case<double> c({4, 1});
  c.x = Array<double>({4, 1}, {1, 2, 3, 4});
  c.gamma[0] = 1, c.beta[0] = 0;
  DeviceCase<double> d(device, c);
  ASSERT_OK(gt_batch_norm_training(device.stream(), d.y, d.mean, d.inv_std, d.running_mean,
                                   d.running_variance, d.x, d.gamma, d.beta, nullptr, nullptr,
                                   d.running_mean, d.running_variance, 1, 0, GT_ACTIVATION_NONE));
  expect_close(d.y.read(), Array<double>({4, 1}, {-1.34164, -0.44721, 0.44721, 1.34164}), 0, 1e-5);
  EXPECT_DOUBLE_EQ(d.mean.read()[0], 2.5);
  EXPECT_DOUBLE_EQ(d.inv_std.read()[0], 1 / std::sqrt(1.25));
  EXPECT_DOUBLE_EQ(d.running_mean.read()[0], 2.5);
  EXPECT_DOUBLE_EQ(d.running_variance.read()[0], 5.0 / 3);  // of a sample: divided by m - 1

  c.x = Array<double>({4, 1}, {-1e-3, 1e-3, -1e-3, 1e-3});
  d.x.write(c.x);
  ASSERT_OK(d.train(1e-5));
  EXPECT_NEAR(d.inv_std.read()[0], 301.5, 0.05);  // epsilon is inside the root
}

TEST(BatchNorm, SameBitsForEveryNumberOfThreads) {
  for (const Dims& dims : {Dims{20000, 16}, Dims{700, 300}, Dims{40, 2048}, Dims{30001, 3}}) {
    std::vector<Array<float>> first;
    for (const int threads : {1, 2, 3}) {
      TestDevice device(threads);
      DeviceCase<float> d(device, Case<float>(dims));
      ASSERT_OK(d.train());
      ASSERT_OK(d.backward());
      std::vector<Array<float>> all = {d.y.read(),     d.mean.read(),        d.inv_std.read(),
                                       d.dx.read(),    d.dresidual.read(),   d.dgamma.read(),
                                       d.dbeta.read(), d.running_mean.read()};
      ASSERT_OK(d.infer());
      all.push_back(d.y.read());
      if (first.empty()) first = all;
      for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
    }
  }
}

template <typename T>
void expect_in_place_agrees() {
  TestDevice device;
  const Case<T> c({300, 20});
  DeviceCase<T> d(device, c);
  TestTensor<T> new_mean(device, Dims{20}), new_variance(device, Dims{20});
  ASSERT_OK(gt_batch_norm_training(d.stream, d.y, d.mean, d.inv_std, new_mean, new_variance, d.x,
                                   d.gamma, d.beta, d.residual, nullptr, d.running_mean,
                                   d.running_variance, kMomentum, kEpsilon, GT_ACTIVATION_RELU));
  ASSERT_OK(d.train());
  expect_same_bits(d.running_mean.read(), new_mean.read());
  expect_same_bits(d.running_variance.read(), new_variance.read());

  ASSERT_OK(d.backward());
  TestTensor<T> both(device, c.dy);
  ASSERT_OK(gt_batch_norm_backward(d.stream, both, d.dgamma, d.dbeta, nullptr, both, d.x, d.y,
                                   d.mean, d.inv_std, d.gamma, nullptr, GT_ACTIVATION_RELU));
  expect_same_bits(both.read(), d.dx.read());
  both.write(c.dy);
  TestTensor<T> dx(device, c.dx.dims());
  ASSERT_OK(gt_batch_norm_backward(d.stream, dx, d.dgamma, d.dbeta, both, both, d.x, d.y, d.mean,
                                   d.inv_std, d.gamma, nullptr, GT_ACTIVATION_RELU));
  expect_same_bits(both.read(), d.dresidual.read());
  expect_same_bits(dx.read(), d.dx.read());

  ASSERT_OK(d.infer());
  const auto expected = d.y.read();
  ASSERT_OK(gt_batch_norm_inference(d.stream, d.x, d.x, d.gamma, d.beta, d.residual, d.running_mean,
                                    d.running_variance, kEpsilon, GT_ACTIVATION_RELU));
  expect_same_bits(d.x.read(), expected);
  d.x.write(c.x);
  ASSERT_OK(gt_batch_norm_inference(d.stream, d.residual, d.x, d.gamma, d.beta, d.residual,
                                    d.running_mean, d.running_variance, kEpsilon,
                                    GT_ACTIVATION_RELU));
  expect_same_bits(d.residual.read(), expected);
}

TEST(BatchNorm, InPlace) {
  expect_in_place_agrees<float>();
  expect_in_place_agrees<double>();
}

// Central differences of L = sum dy * y in f64. The step's error is of order h^2, that of the
// difference 1e-16 / h.
TEST(BatchNorm, GradientsAgreeWithFiniteDifferences) {
  TestDevice device;
  for (const Dims& dims : {Dims{5, 3}, Dims{2, 2, 2, 4}}) {
    const Case<double> c(dims);
    DeviceCase<double> d(device, c);
    ASSERT_OK(d.train());
    ASSERT_OK(d.backward());
    const auto check = [&](const char* name, TestTensor<double>& input, const Array<double>& values,
                           const Array<double>& gradient) {
      SCOPED_TRACE(name);
      constexpr double h = 1e-5;
      for (int64_t i = 0; i < values.count(); ++i) {
        double loss[2];
        for (const int side : {0, 1}) {
          Array<double> moved = values;
          moved[i] += side == 0 ? -h : h;
          input.write(moved);
          ASSERT_OK(d.train());
          const Array<double> y = d.y.read();
          loss[side] = 0;
          for (int64_t j = 0; j < y.count(); ++j) loss[side] += c.dy[j] * y[j];
        }
        input.write(values);
        ASSERT_NEAR((loss[1] - loss[0]) / (2 * h), gradient[i], 1e-7) << "element " << i;
      }
    };
    check("x", d.x, c.x, d.dx.read());
    check("gamma", d.gamma, c.gamma, d.dgamma.read());
    check("beta", d.beta, c.beta, d.dbeta.read());
    check("residual", d.residual, c.residual, d.dresidual.read());
  }
}

TEST(BatchNorm, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  DeviceCase<float> d(device, Case<float>({6, 4}));
  const gt_stream s = device.stream();
  TestTensor<float> short_vector(device, Dims{3}), one_row(device, Dims{1, 4}), scalar(device, {});
  TestTensor<double> wide(device, Dims{4});

  const auto train = [&](gt_tensor y, gt_tensor x, gt_tensor gamma, gt_tensor running_mean,
                         double momentum, double epsilon, int32_t activation) {
    return gt_batch_norm_training(s, y, d.mean, d.inv_std, d.running_mean, d.running_variance, x,
                                  gamma, d.beta, d.residual, nullptr, running_mean,
                                  d.running_variance, momentum, epsilon, activation);
  };
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(train(d.y, nullptr, d.gamma, d.running_mean, .1, 0, 0),
          "[batch_norm_training] x is NULL");
  refused(train(d.y, scalar, d.gamma, d.running_mean, .1, 0, 0), "x must be [...,C]");
  refused(train(one_row, d.x, d.gamma, d.running_mean, .1, 0, 0), "shapes differ: y is f32 (1, 4)");
  refused(train(d.y, d.x, short_vector, d.running_mean, .1, 0, 0), "gamma must be f32 (4)");
  refused(train(d.y, d.x, wide, d.running_mean, .1, 0, 0), "dtypes differ: x is f32");
  refused(train(d.y, d.x, d.gamma, d.running_mean, 1.5, 0, 0), "momentum must be in 0..1");
  refused(train(d.y, d.x, d.gamma, d.running_mean, .1, -1, 0), "epsilon must be finite");
  refused(train(d.y, d.x, d.gamma, d.running_mean, .1, NAN, 0), "epsilon must be finite");
  refused(train(d.y, d.x, d.gamma, d.running_mean, .1, 0, 7), "activation must be");
  refused(train(d.x, d.x, d.gamma, d.running_mean, .1, 0, 0), "y and x share memory");
  refused(train(d.y, d.x, d.running_mean, d.running_mean, .1, 0, 0),
          "new_running_mean and gamma share memory");
  refused(gt_batch_norm_training(s, one_row, d.mean, d.inv_std, d.running_mean, d.running_variance,
                                 one_row, d.gamma, d.beta, nullptr, nullptr, d.running_mean,
                                 d.running_variance, .1, 0, 0),
          "at least 2 values per channel");

  const auto backward = [&](gt_tensor dx, gt_tensor dresidual, gt_tensor dy, gt_tensor y) {
    return gt_batch_norm_backward(s, dx, d.dgamma, d.dbeta, dresidual, dy, d.x, y, d.mean,
                                  d.inv_std, d.gamma, nullptr, GT_ACTIVATION_RELU);
  };
  refused(backward(d.dx, d.dresidual, d.dy, nullptr), "[batch_norm_backward] y is NULL");
  refused(backward(d.dx, d.dresidual, one_row, d.y), "shapes differ: dy is f32 (1, 4)");
  refused(backward(d.x, d.dresidual, d.dy, d.y), "dx and x share memory");
  refused(backward(d.y, nullptr, d.dy, d.y), "dx and y share memory");
  EXPECT_EQ(backward(d.dy, d.dy, d.dy, d.y), GT_INVALID_ARGUMENT);  // only one may be in place

  refused(gt_batch_norm_inference(s, d.y, d.x, d.gamma, short_vector, nullptr, d.running_mean,
                                  d.running_variance, 0, 0),
          "[batch_norm_inference] beta must be f32 (4)");
  refused(gt_batch_norm_inference(s, d.gamma, d.x, d.gamma, d.beta, nullptr, d.running_mean,
                                  d.running_variance, 0, 0),
          "shapes differ: y is f32 (4)");
}

}  // namespace
}  // namespace gatun::test
