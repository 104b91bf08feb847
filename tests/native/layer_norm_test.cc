#include "kernels/layer_norm.h"

#include "core/machine.h"
#include "kernels/layer_norm_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr double kEpsilon = 1e-5;
const std::vector<Dims> kShapes = {{1, 1},   {3, 2},    {7, 13},   {2, 3, 16}, {5, 64},    {4, 65},
                                   {9, 100}, {2, 1000}, {3, 5000}, {700, 33},  {300, 128}, {0, 5}};

// Which of mean, gamma and beta are there.
struct Form {
  bool centered, scaled, shifted;
};
const std::vector<Form> kForms = {
    {true, true, true}, {true, false, false}, {false, true, false}, {true, false, true}};

const Tensor* when(bool present, const Tensor& tensor) { return present ? &tensor : nullptr; }

TEST(LayerNorm, AgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for (const Form& form : kForms) {
        const int64_t columns = dims.back();
        Dims row = dims;
        row.back() = 1;
        Array<float> x = random_array<float>(dims, 1, 2, 4), dy = random_array<float>(dims, 2);
        Array<float> gamma = random_array<float>({columns}, 3, 0.5, 1.5);
        Array<float> beta = random_array<float>({columns}, 4);
        Array<float> y(dims, 7), mean(row, 7), inv_std(row, 7), dx(dims, 7);
        Array<float> dgamma({columns}, 7), dbeta({columns}, 7);
        Array<float> expected(dims), expected_mean(row), expected_inverse(row), expected_dx(dims);
        const int64_t rows = x.count() / columns;

        const Tensor means = mean.tensor(), scale = gamma.tensor(), shift = beta.tensor();
        kernels::layer_norm(launcher, y.tensor(), when(form.centered, means), inv_std.tensor(),
                            x.tensor(), when(form.scaled, scale), when(form.shifted, shift),
                            kEpsilon);
        kernels::naive::layer_norm<float>(
            expected.data(), form.centered ? expected_mean.data() : nullptr,
            expected_inverse.data(), x.data(), form.scaled ? gamma.data() : nullptr,
            form.shifted ? beta.data() : nullptr, rows, columns, kEpsilon);
        // Sums of up to 32 values of about 3 in a chain; a row of one or two values may have a
        // large inverse deviation, which multiplies the rounding of the mean.
        double largest = 1;
        for (int64_t r = 0; r < rows; ++r) {
          largest = std::max<double>(largest, expected_inverse[r]);
        }
        if (form.centered) expect_close(mean, expected_mean, 1e-6, 0);
        expect_close(inv_std, expected_inverse, 1e-5, 0);
        expect_close(y, expected, 1e-5, 2e-6 * largest);

        const Tensor to_gamma = dgamma.tensor(), to_beta = dbeta.tensor();
        const Tensor known = expected_mean.tensor();
        kernels::layer_norm_backward(launcher, dx.tensor(), &to_gamma, &to_beta, dy.tensor(),
                                     x.tensor(), when(form.centered, known),
                                     expected_inverse.tensor(), when(form.scaled, scale));
        std::vector<double> by_gamma(columns), by_beta(columns);
        kernels::naive::layer_norm_backward<float>(
            expected_dx.data(), by_gamma.data(), by_beta.data(), dy.data(), x.data(),
            form.centered ? expected_mean.data() : nullptr, expected_inverse.data(),
            form.scaled ? gamma.data() : nullptr, rows, columns);
        expect_close(dx, expected_dx, 1e-5, 4e-6 * largest);
        for (int64_t c = 0; c < columns; ++c) {
          // 64 terms in a chain of f32, each at most 4, or so.
          const double error = 1e-6 * std::sqrt(static_cast<double>(rows)) * 4;
          ASSERT_NEAR(dgamma[c], by_gamma[c], error * largest);
          ASSERT_NEAR(dbeta[c], by_beta[c], error);
        }
      }
    }
  });
}

// A row whose mean is a thousand deviations away from 0.
TEST(LayerNorm, MeanFarFromZeroKeepsTheVariance) {
  for_each_simd_level([](const char*) {
    Array<float> x = random_array<float>({3, 4096}, 1, 1000 - 1.7, 1000 + 1.7), y({3, 4096});
    Array<float> mean({3, 1}), inv_std({3, 1}), expected({3, 4096}), inverse({3, 1}),
        center({3, 1});
    SerialLauncher launcher;
    const Tensor means = mean.tensor();
    kernels::layer_norm(launcher, y.tensor(), &means, inv_std.tensor(), x.tensor(), nullptr,
                        nullptr, kEpsilon);
    kernels::naive::layer_norm<float>(expected.data(), center.data(), inverse.data(), x.data(),
                                      nullptr, nullptr, 3, 4096, kEpsilon);
    expect_close(inv_std, inverse, 2e-6, 0);
    expect_close(y, expected, 1e-5, 5e-6);
  });
}

// The gradients of gamma and beta are sums over all rows, however narrow these are.
TEST(LayerNorm, SumsOverManyNarrowRowsAreExactEnough) {
  for_each_simd_level([](const char*) {
    for (const int64_t columns : {1, 8}) {
      SCOPED_TRACE(columns);
      const int64_t rows = 200000 / columns;
      Array<float> x({rows, columns}, 1.0f), dy({rows, columns}, 0.1f), dx({rows, columns});
      Array<float> inv_std({rows, 1}, 1.0f), dgamma({columns}), dbeta({columns});
      const Tensor to_gamma = dgamma.tensor(), to_beta = dbeta.tensor();
      SerialLauncher launcher;
      kernels::layer_norm_backward(launcher, dx.tensor(), &to_gamma, &to_beta, dy.tensor(),
                                   x.tensor(), nullptr, inv_std.tensor(), nullptr);
      // 512 terms in a chain of f32 whose rounding goes one way.
      const Array<float> sum({columns}, 0.1f * static_cast<float>(rows));
      expect_close(dbeta, sum, 1e-5, 0);
      expect_close(dgamma, sum, 1e-5, 0);
    }
  });
}

// Results that are stored past the caches, where rows begin at whole lines, and as large ones.
TEST(LayerNorm, LargeTensorsAgreeWithNaive) {
  for (const int64_t columns : {33, 48}) {
    SCOPED_TRACE(columns);
    const int64_t rows = last_level_cache() / 8 / columns + 100;
    const Dims dims{rows, columns}, row{rows, 1};
    Array<float> x = random_array<float>(dims, 1), dy = random_array<float>(dims, 2), y(dims),
                 dx(dims), expected(dims);
    Array<float> mean(row), inv_std(row), center(row), inverse(row), gamma({columns}, 2);
    const Tensor means = mean.tensor(), scale = gamma.tensor();
    SerialLauncher launcher(2);
    kernels::layer_norm(launcher, y.tensor(), &means, inv_std.tensor(), x.tensor(), &scale, nullptr,
                        kEpsilon);
    kernels::naive::layer_norm<float>(expected.data(), center.data(), inverse.data(), x.data(),
                                      gamma.data(), nullptr, rows, columns, kEpsilon);
    expect_close(y, expected, 1e-5, 1e-5);
    kernels::layer_norm_backward(launcher, dx.tensor(), nullptr, nullptr, dy.tensor(), x.tensor(),
                                 &means, inv_std.tensor(), &scale);
    std::vector<double> by_gamma(columns), by_beta(columns);
    kernels::naive::layer_norm_backward<float>(expected.data(), by_gamma.data(), by_beta.data(),
                                               dy.data(), x.data(), center.data(), inverse.data(),
                                               gamma.data(), rows, columns);
    expect_close(dx, expected, 1e-5, 1e-4);
  }
}

// ---- Through the C ABI

TEST(LayerNorm, KnownAnswers) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<double> x(device, Array<double>({1, 4}, {1, 2, 3, 4})), y(device, Dims{1, 4});
  TestTensor<double> mean(device, Dims{1, 1}), inv_std(device, Dims{1, 1});
  ASSERT_OK(gt_layer_norm(s, y, mean, inv_std, x, nullptr, nullptr, 0));
  expect_close(y.read(), Array<double>({1, 4}, {-1.34164, -0.44721, 0.44721, 1.34164}), 0, 1e-5);
  EXPECT_DOUBLE_EQ(mean.read()[0], 2.5);
  EXPECT_DOUBLE_EQ(inv_std.read()[0], 1 / std::sqrt(1.25));
  ASSERT_OK(gt_layer_norm(s, y, nullptr, inv_std, x, nullptr, nullptr, 0));
  EXPECT_DOUBLE_EQ(inv_std.read()[0], 1 / std::sqrt(7.5));
  EXPECT_DOUBLE_EQ(y.read()[3], 4 / std::sqrt(7.5));
}

TEST(LayerNorm, InPlaceAndForEveryNumberOfThreads) {
  const Dims dims{1000, 96};
  std::vector<Array<float>> first;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    TestTensor<float> x(device, random_array<float>(dims, 1)), y(device, dims), dx(device, dims);
    TestTensor<float> dy(device, random_array<float>(dims, 2)),
        gamma(device, Array<float>({96}, 2));
    TestTensor<float> mean(device, Dims{1000, 1}), inv_std(device, Dims{1000, 1});
    TestTensor<float> dgamma(device, Dims{96}), dbeta(device, Dims{96});
    ASSERT_OK(gt_layer_norm(s, y, mean, inv_std, x, gamma, nullptr, kEpsilon));
    ASSERT_OK(gt_layer_norm_backward(s, dx, dgamma, dbeta, dy, x, mean, inv_std, gamma));
    ASSERT_OK(gt_layer_norm_backward(s, dy, nullptr, nullptr, dy, x, mean, inv_std, gamma));
    expect_same_bits(dy.read(), dx.read());
    const std::vector<Array<float>> all = {y.read(),  mean.read(),   inv_std.read(),
                                           dx.read(), dgamma.read(), dbeta.read()};
    ASSERT_OK(gt_layer_norm(s, x, mean, inv_std, x, gamma, nullptr, kEpsilon));
    expect_same_bits(x.read(), y.read());
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
  }
}

TEST(LayerNorm, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> x(device, Dims{2, 3}), y(device, Dims{2, 3}), row(device, Dims{2, 1});
  TestTensor<float> rows(device, Dims{2, 1}), few(device, Dims{2}), channel(device, Dims{3});
  TestTensor<float> none(device, Dims{2, 0}), empty(device, Dims{2, 0}), scalar(device, Dims{});
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(gt_layer_norm(s, few, row, rows, x, nullptr, nullptr, 0),
          "[layer_norm] shapes differ: y is f32 (2)");
  refused(gt_layer_norm(s, y, few, rows, x, nullptr, nullptr, 0),
          "mean must be f32 (2, 1), but is f32 (2)");
  refused(gt_layer_norm(s, y, row, rows, x, few, nullptr, 0), "gamma must be f32 (3)");
  refused(gt_layer_norm(s, y, row, nullptr, x, nullptr, nullptr, 0), "inv_std is NULL");
  refused(gt_layer_norm(s, y, row, rows, x, nullptr, nullptr, -1), "epsilon must be finite");
  refused(gt_layer_norm(s, none, row, rows, empty, nullptr, nullptr, 0), "at least one value");
  refused(gt_layer_norm(s, y, row, rows, scalar, nullptr, nullptr, 0), "x must be [...,C]");
  refused(gt_layer_norm(s, y, row, rows, x, y, nullptr, 0), "gamma must be f32 (3)");
  refused(gt_layer_norm_backward(s, x, channel, nullptr, y, x, row, rows, nullptr),
          "[layer_norm_backward] dx and x share memory");
  refused(gt_layer_norm_backward(s, y, channel, nullptr, few, x, row, rows, nullptr),
          "shapes differ: dy");
}

}  // namespace
}  // namespace gatun::test
