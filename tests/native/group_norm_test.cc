#include "kernels/group_norm.h"

#include "kernels/group_norm_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

struct Case {
  Dims dims;
  int64_t groups;
};
const std::vector<Case> kCases = {{{1, 1}, 1},        {{2, 3, 6}, 2},    {{3, 4}, 4},
                                  {{2, 70, 5}, 1},    {{2, 9, 33}, 3},   {{3, 5, 7, 64}, 8},
                                  {{2, 200, 17}, 17}, {{1, 300, 40}, 4}, {{0, 3, 4}, 2}};

TEST(GroupNorm, AgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Case& test : kCases) {
      SCOPED_TRACE(testing::PrintToString(test.dims));
      const int64_t pictures = test.dims[0], channels = test.dims.back();
      const Dims statistics = {pictures, test.groups};
      Array<float> x = random_array<float>(test.dims, 1, 2, 4),
                   dy = random_array<float>(test.dims, 2);
      Array<float> gamma = random_array<float>({channels}, 3, 0.5, 1.5);
      Array<float> beta = random_array<float>({channels}, 4);
      Array<float> y(test.dims, 7), mean(statistics, 7), inv_std(statistics, 7), dx(test.dims, 7);
      Array<float> dgamma({channels}, 7), dbeta({channels}, 7);
      Array<float> expected(test.dims), center(statistics), inverse(statistics), slope(test.dims);
      std::vector<double> by_gamma(channels), by_beta(channels);
      kernels::group_norm(launcher, y.tensor(), mean.tensor(), inv_std.tensor(), x.tensor(),
                          gamma.tensor(), beta.tensor(), test.groups, 1e-5);
      const int64_t picture = pictures == 0 ? 0 : x.count() / pictures;
      const kernels::GroupShape shape{picture / channels, channels, test.groups};
      for (int64_t n = 0; n < pictures; ++n) {
        kernels::naive::group_norm(expected.data() + n * picture, center.data() + n * test.groups,
                                   inverse.data() + n * test.groups, x.data() + n * picture,
                                   gamma.data(), beta.data(), shape, 1e-5);
        kernels::naive::group_norm_backward(slope.data() + n * picture, by_gamma.data(),
                                            by_beta.data(), dy.data() + n * picture,
                                            x.data() + n * picture, center.data() + n * test.groups,
                                            inverse.data() + n * test.groups, gamma.data(), shape);
      }
      double largest = 1;
      for (int64_t i = 0; i < inverse.count(); ++i) largest = std::max<double>(largest, inverse[i]);
      expect_close(mean, center, 1e-6, 0);
      expect_close(inv_std, inverse, 1e-5, 0);
      // The rounding of the mean, about 2e-7, is multiplied by the inverse deviation.
      expect_close(y, expected, 1e-5, 1e-6 * largest);
      kernels::group_norm_backward(launcher, dx.tensor(), dgamma.tensor(), dbeta.tensor(),
                                   dy.tensor(), x.tensor(), center.tensor(), inverse.tensor(),
                                   gamma.tensor(), test.groups);
      expect_close(dx, slope, 1e-5, 1e-5 * largest);
      for (int64_t c = 0; c < channels; ++c) {
        EXPECT_NEAR(dgamma[c], by_gamma[c], 2e-5 * largest);
        EXPECT_NEAR(dbeta[c], by_beta[c], 2e-5);
      }
    }
  });
}

// Groups whose means are ten thousand deviations away from 0.
TEST(GroupNorm, MeanFarFromZeroKeepsTheVariance) {
  for_each_simd_level([](const char*) {
    const Dims dims{1, 256, 32}, statistics{1, 4};
    Array<float> x = random_array<float>(dims, 1, 1e4 - 1.7, 1e4 + 1.7), y(dims), expected(dims);
    Array<float> gamma = random_array<float>({32}, 2, 0.5, 1.5),
                 beta = random_array<float>({32}, 3);
    Array<float> mean(statistics), inv_std(statistics), center(statistics), inverse(statistics);
    SerialLauncher launcher;
    kernels::group_norm(launcher, y.tensor(), mean.tensor(), inv_std.tensor(), x.tensor(),
                        gamma.tensor(), beta.tensor(), 4, 1e-5);
    kernels::naive::group_norm(expected.data(), center.data(), inverse.data(), x.data(),
                               gamma.data(), beta.data(), {256, 32, 4}, 1e-5);
    expect_close(mean, center, 1e-7, 0);
    expect_close(inv_std, inverse, 2e-6, 0);
    expect_close(y, expected, 1e-5, 5e-6);
  });
}

TEST(GroupNorm, SameBitsForEveryNumberOfThreads) {
  std::vector<Array<float>> first;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    const Dims dims = {7, 50, 24}, channel = {24}, statistics = {7, 3};
    TestTensor<float> x(device, random_array<float>(dims)),
        dy(device, random_array<float>(dims, 2));
    TestTensor<float> gamma(device, random_array<float>(channel, 3)), beta(device, channel);
    TestTensor<float> mean(device, statistics), inv_std(device, statistics), y(device, dims),
        dgamma(device, channel), dbeta(device, channel);
    std::vector<Array<float>> all;
    ASSERT_OK(gt_group_norm(s, y, mean, inv_std, x, gamma, beta, 3, 1e-5));
    all.push_back(y.read());
    ASSERT_OK(gt_group_norm_backward(s, y, dgamma, dbeta, dy, x, mean, inv_std, gamma, 3));
    all.push_back(y.read());
    all.push_back(dgamma.read());
    all.push_back(dbeta.read());
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
  }
}

TEST(GroupNorm, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> x(device, Dims{2, 3, 4}), y(device, Dims{2, 3, 4}), c(device, Dims{4}),
      mean(device, Dims{2, 2}), inverse(device, Dims{2, 2}), few(device, Dims{2}),
      none(device, Dims{2, 0, 4});
  const auto refused = [](gt_status status, const char* why) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, why);
  };
  refused(gt_group_norm(s, y, mean, inverse, x, c, few, 2, 0), "beta must be f32 (4)");
  refused(gt_group_norm(s, y, mean, few, x, c, c, 2, 0), "inv_std must be f32 (2, 2)");
  refused(gt_group_norm(s, y, mean, inverse, x, c, c, 3, 0), "groups must divide the channels");
  refused(gt_group_norm(s, y, mean, inverse, x, c, c, 0, 0), "groups must divide the channels");
  refused(gt_group_norm(s, y, mean, inverse, x, c, c, 2, -1), "epsilon must be finite");
  refused(gt_group_norm(s, y, mean, inverse, few, c, c, 2, 0), "x must be [N,...,C]");
  refused(gt_group_norm(s, none, mean, inverse, none, c, c, 2, 0), "a group must have a value");
  refused(gt_group_norm(s, y, mean, nullptr, x, c, c, 2, 0), "inv_std is NULL");
  refused(gt_group_norm_backward(s, x, c, few, y, x, mean, inverse, c, 2), "dbeta must be f32 (4)");
}

}  // namespace
}  // namespace gatun::test
