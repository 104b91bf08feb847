#include "kernels/pool.h"

#include "kernels/pool_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

struct Window {
  int32_t h, w, stride_h, stride_w, pad_h, pad_w;
};

kernels::PoolAxis axis(int64_t size, int64_t window, int64_t stride, int64_t pad) {
  return {size, (size + 2 * pad - window) / stride + 1, window, stride, pad};
}

kernels::PoolGeometry geometry(const Dims& x, const Window& k) {
  return {x[0], x[3], axis(x[1], k.h, k.stride_h, k.pad_h), axis(x[2], k.w, k.stride_w, k.pad_w)};
}

Dims pooled(const kernels::PoolGeometry& g) {
  return {g.images, g.h.places, g.w.places, g.channels};
}

struct Case {
  Dims x;
  Window window;
};

// Overlapping windows, gaps, padding, windows that cut the border, the whole picture, one pixel,
// channel counts around the vector sizes, nothing at all.
const std::vector<Case> kCases = {
    {{2, 8, 8, 16}, {2, 2, 2, 2, 0, 0}},     {{2, 9, 7, 17}, {3, 3, 2, 2, 1, 1}},
    {{1, 5, 5, 3}, {3, 3, 1, 1, 1, 1}},      {{3, 8, 8, 64}, {8, 8, 8, 8, 0, 0}},
    {{1, 7, 7, 300}, {7, 7, 7, 7, 0, 0}},    {{2, 1, 1, 5}, {1, 1, 1, 1, 0, 0}},
    {{1, 9, 11, 4}, {2, 3, 4, 5, 0, 0}},     {{1, 6, 10, 1}, {4, 2, 1, 3, 3, 1}},
    {{1, 3, 3, 33}, {15, 17, 2, 3, 14, 16}}, {{1, 112, 20, 68}, {3, 3, 2, 2, 1, 1}},
    {{0, 4, 4, 3}, {2, 2, 2, 2, 0, 0}},      {{1, 4, 4, 0}, {2, 2, 2, 2, 0, 0}},
    {{40, 33, 31, 7}, {5, 1, 3, 2, 2, 0}}};

template <typename Check>
void for_each_case(Check check) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::PrintToString(c.x));
    check(c.x, geometry(c.x, c.window));
  }
}

// Whole numbers, so that there are ties.
Array<float> with_ties(const Dims& dims, uint32_t seed) {
  Array<float> x = random_array<float>(dims, seed, -3, 3);
  for (int64_t i = 0; i < x.count(); ++i) x[i] = std::round(x[i]);
  return x;
}

TEST(Pool, MaxAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for_each_case([&](const Dims& dims, const kernels::PoolGeometry& g) {
      Array<float> x = with_ties(dims, 1), y(pooled(g)), expected(pooled(g));
      Array<uint8_t> taps(pooled(g)), expected_taps(pooled(g));
      for (int64_t i = 5; i < x.count(); i += 37) x[i] = std::numeric_limits<float>::quiet_NaN();
      for (int64_t i = 3; i < x.count(); i += 11) x[i] = -std::numeric_limits<float>::infinity();
      kernels::max_pool(launcher, y.tensor(), taps.tensor(), x.tensor(), g);
      kernels::naive::max_pool(expected.data(), expected_taps.data(), x.data(), g);
      expect_same_bits(y, expected);
      expect_same_bits(taps, expected_taps);
    });
  });
}

TEST(Pool, MaxBackwardAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for_each_case([&](const Dims& dims, const kernels::PoolGeometry& g) {
      Array<float> x = with_ties(dims, 1), y(pooled(g)), dy = random_array<float>(pooled(g), 2);
      Array<float> dx(dims, 7), expected(dims);
      Array<uint8_t> taps(pooled(g));
      kernels::naive::max_pool(y.data(), taps.data(), x.data(), g);
      kernels::max_pool_backward(launcher, dx.tensor(), dy.tensor(), taps.tensor(), g);
      kernels::naive::max_pool_backward(expected.data(), dy.data(), taps.data(), g);
      expect_same_bits(dx, expected);  // both add the windows in the same order
    });
  });
}

TEST(Pool, AverageAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for_each_case([&](const Dims& dims, const kernels::PoolGeometry& g) {
      Array<float> x = random_array<float>(dims), y(pooled(g)), expected(pooled(g));
      kernels::average_pool(launcher, y.tensor(), x.tensor(), g);
      kernels::naive::average_pool(expected.data(), x.data(), g);
      // Means of at most 255 values up to 1, added one after the other by the oracle.
      expect_close(y, expected, 1e-6, 2e-6);

      Array<float> dy = random_array<float>(pooled(g), 2), dx(dims, 7), dx_expected(dims);
      kernels::average_pool_backward(launcher, dx.tensor(), dy.tensor(), g);
      kernels::naive::average_pool_backward(dx_expected.data(), dy.data(), g);
      // The share of a window is rounded once more; the windows are added in the same order.
      expect_close(dx, dx_expected, 1e-6, 1e-6);
    });
  });
}

TEST(Pool, GlobalAverageOfALargePictureIsExactEnough) {
  Array<float> x({1, 224, 224, 5}, 0.1f), y({1, 1, 1, 5});
  SerialLauncher launcher;
  kernels::average_pool(launcher, y.tensor(), x.tensor(),
                        geometry(x.dims(), {224, 224, 1, 1, 0, 0}));
  // 50176 terms: one chain of additions would be wrong in the fourth digit, two of 224 are not.
  expect_close(y, Array<float>({1, 1, 1, 5}, 0.1f), 1e-5, 0);
}

// ---- Through the C ABI

TEST(Pool, KnownAnswers) {
  TestDevice device;
  const gt_stream s = device.stream();
  // Two channels: 1..9, and 9..1 with a NaN.
  Array<float> x({1, 3, 3, 2});
  for (int64_t i = 0; i < 9; ++i) x[2 * i] = 1.0f + i, x[2 * i + 1] = 9.0f - i;
  x[2 * 4 + 1] = std::numeric_limits<float>::quiet_NaN();
  TestTensor<float> in(device, x), out(device, Dims{1, 2, 2, 2});
  TestTensor<uint8_t> taps(device, Dims{1, 2, 2, 2});
  ASSERT_OK(gt_max_pool(s, out, taps, in, 2, 2, 1, 1, 0, 0, 0, 0));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_close(out.read(), Array<float>({1, 2, 2, 2}, {5, nan, 6, nan, 8, nan, 9, nan}), 0, 0);
  EXPECT_EQ(taps.read().to_vector(), (std::vector<uint8_t>{3, 3, 3, 2, 3, 1, 3, 0}));

  TestTensor<float> dy(device, Array<float>({1, 2, 2, 2}, {1, 10, 2, 20, 3, 30, 4, 40}));
  TestTensor<float> dx(device, x.dims());
  ASSERT_OK(gt_max_pool_backward(s, dx, dy, taps, 2, 2, 1, 1, 0, 0, 0, 0));
  EXPECT_EQ(dx.read().to_vector(),
            (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 1, 100, 2, 0, 0, 0, 3, 0, 4, 0}));

  // The corner windows hold 4 elements, those at the sides 6, whatever the padding.
  TestTensor<float> mean(device, Dims{1, 3, 3, 1}), picture(device, Dims{1, 3, 3, 1});
  picture.write(Array<float>({1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}));
  ASSERT_OK(gt_average_pool(s, mean, picture, 3, 3, 1, 1, 1, 1, 1, 1, 0));
  EXPECT_EQ(mean.read().to_vector(), (std::vector<float>{3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7}));

  // The middle pixel is in all nine windows, a corner in four.
  mean.write(Array<float>({1, 3, 3, 1}, {36, 36, 36, 36, 36, 36, 36, 36, 36}));
  ASSERT_OK(gt_average_pool_backward(s, picture, mean, 3, 3, 1, 1, 1, 1, 1, 1, 0));
  expect_close(picture.read(), Array<float>({1, 3, 3, 1}, {25, 40, 25, 40, 64, 40, 25, 40, 25}),
               1e-6, 0);
}

TEST(Pool, PaddingNeverWins) {
  TestDevice device;
  TestTensor<float> x(device, Array<float>({1, 2, 2, 1}, {-4, -3, -2, -5}));
  TestTensor<float> y(device, Dims{1, 2, 2, 1});
  TestTensor<uint8_t> taps(device, Dims{1, 2, 2, 1});
  ASSERT_OK(gt_max_pool(device.stream(), y, taps, x, 3, 3, 1, 1, 1, 1, 1, 1));
  EXPECT_EQ(y.read().to_vector(), (std::vector<float>{-2, -2, -2, -2}));
  EXPECT_EQ(taps.read().to_vector(), (std::vector<uint8_t>{7, 6, 4, 3}));
}

TEST(Pool, SameBitsForEveryNumberOfThreads) {
  const Dims dims{9, 30, 30, 20};
  const auto g = geometry(dims, {3, 3, 2, 2, 1, 1});
  std::vector<Array<float>> first;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    TestTensor<float> x(device, random_array<float>(dims)), y(device, pooled(g));
    TestTensor<float> dy(device, random_array<float>(pooled(g))), dx(device, dims);
    TestTensor<uint8_t> taps(device, pooled(g));
    std::vector<Array<float>> all;
    ASSERT_OK(gt_max_pool(s, y, taps, x, 3, 3, 2, 2, 1, 1, 1, 1));
    all.push_back(y.read());
    ASSERT_OK(gt_max_pool_backward(s, dx, dy, taps, 3, 3, 2, 2, 1, 1, 1, 1));
    all.push_back(dx.read());
    ASSERT_OK(gt_average_pool(s, y, x, 3, 3, 2, 2, 1, 1, 1, 1, 0));
    all.push_back(y.read());
    ASSERT_OK(gt_average_pool_backward(s, dx, dy, 3, 3, 2, 2, 1, 1, 1, 1, 0));
    all.push_back(dx.read());
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
  }
}

// Differences of L = sum dy * y in f64. Both kinds of pooling are linear here: no element comes
// within the step of another.
TEST(Pool, GradientsAgreeWithFiniteDifferences) {
  TestDevice device;
  const gt_stream s = device.stream();
  const Dims dims{2, 5, 4, 3};
  const Window k{3, 2, 2, 1, 1, 1};
  const auto g = geometry(dims, k);
  const Array<double> values = random_array<double>(dims), dy = random_array<double>(pooled(g), 2);
  TestTensor<double> x(device, values), y(device, pooled(g)), dx(device, dims), up(device, dy);
  TestTensor<uint8_t> taps(device, pooled(g));
  for (const bool max : {true, false}) {
    SCOPED_TRACE(max ? "max" : "average");
    const auto forward = [&] {
      return max ? gt_max_pool(s, y, taps, x, k.h, k.w, k.stride_h, k.stride_w, k.pad_h, k.pad_w,
                               k.pad_h, k.pad_w)
                 : gt_average_pool(s, y, x, k.h, k.w, k.stride_h, k.stride_w, k.pad_h, k.pad_w,
                                   k.pad_h, k.pad_w, 0);
    };
    ASSERT_OK(forward());
    ASSERT_OK(max ? gt_max_pool_backward(s, dx, up, taps, k.h, k.w, k.stride_h, k.stride_w, k.pad_h,
                                         k.pad_w, k.pad_h, k.pad_w)
                  : gt_average_pool_backward(s, dx, up, k.h, k.w, k.stride_h, k.stride_w, k.pad_h,
                                             k.pad_w, k.pad_h, k.pad_w, 0));
    const Array<double> gradient = dx.read();
    constexpr double h = 1e-5;
    for (int64_t i = 0; i < values.count(); ++i) {
      double loss[2];
      for (const int side : {0, 1}) {
        Array<double> moved = values;
        moved[i] += side == 0 ? -h : h;
        x.write(moved);
        ASSERT_OK(forward());
        const Array<double> out = y.read();
        loss[side] = 0;
        for (int64_t j = 0; j < out.count(); ++j) loss[side] += dy[j] * out[j];
      }
      x.write(values);
      ASSERT_NEAR((loss[1] - loss[0]) / (2 * h), gradient[i], 1e-9) << "element " << i;
    }
  }
}

TEST(Pool, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> x(device, Dims{2, 6, 6, 3}), y(device, Dims{2, 3, 3, 3}), flat(device, Dims{9});
  TestTensor<double> wide(device, Dims{2, 3, 3, 3});
  TestTensor<uint8_t> taps(device, Dims{2, 3, 3, 3}), few_taps(device, Dims{2, 3, 3, 2});
  TestTensor<int32_t> integers(device, Dims{2, 3, 3, 3});
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(gt_max_pool(s, y, taps, nullptr, 2, 2, 2, 2, 0, 0, 0, 0), "[max_pool] x is NULL");
  refused(gt_max_pool(s, y, taps, flat, 2, 2, 2, 2, 0, 0, 0, 0), "x must have rank 4");
  refused(gt_max_pool(s, y, taps, x, 0, 2, 2, 2, 0, 0, 0, 0), "window_h must be at least 1");
  refused(gt_max_pool(s, y, taps, x, 2, 2, 2, 0, 0, 0, 0, 0), "stride_w must be at least 1");
  refused(gt_max_pool(s, y, taps, x, 2, 2, 2, 2, 2, 0, 2, 0), "padding along h must be in 0..1");
  refused(gt_max_pool(s, y, taps, x, 2, 2, 2, 2, 0, -1, 0, -1), "padding along w must be in 0..1");
  refused(gt_max_pool(s, y, taps, x, 7, 2, 2, 2, 0, 0, 0, 0),
          "window_h = 7 with padding 0 and 0 does not fit");
  refused(gt_max_pool(s, y, taps, x, 2, 2, 1, 1, 0, 0, 0, 0), "y must be f32 (2, 5, 5, 3)");
  refused(gt_max_pool(s, wide, taps, x, 2, 2, 2, 2, 0, 0, 0, 0), "dtypes differ");
  refused(gt_max_pool(s, y, few_taps, x, 2, 2, 2, 2, 0, 0, 0, 0), "shapes differ: taps is u8");
  refused(gt_max_pool(s, y, integers, x, 2, 2, 2, 2, 0, 0, 0, 0), "taps must be u8");
  refused(gt_max_pool_backward(s, x, y, integers, 2, 2, 2, 2, 0, 0, 0, 0),
          "[max_pool_backward] taps must be u8");
  refused(gt_average_pool(s, integers, x, 2, 2, 2, 2, 0, 0, 0, 0, 0),
          "[average_pool] y must be f32, f64 or bf16");
  refused(gt_average_pool_backward(s, x, x, 1, 1, 2, 2, 0, 0, 0, 0, 0),
          "[average_pool_backward] dy must be f32 (2, 3, 3, 3)");
  refused(gt_average_pool(s, x, x, 1, 1, 1, 1, 0, 0, 0, 0, 0), "y and x share memory");

  // A window would see padding alone.
  TestTensor<float> flat_h(device, Dims{1, 0, 4, 8}), flat_w(device, Dims{1, 4, 0, 8});
  TestTensor<float> above(device, Dims{1, 1, 3, 8}), beside(device, Dims{1, 3, 1, 8});
  TestTensor<uint8_t> taps_above(device, Dims{1, 1, 3, 8}), taps_beside(device, Dims{1, 3, 1, 8});
  refused(gt_max_pool(s, above, taps_above, flat_h, 2, 2, 1, 1, 1, 0, 1, 0),
          "[max_pool] x has no pixels: x is f32 (1, 0, 4, 8)");
  refused(gt_max_pool(s, beside, taps_beside, flat_w, 2, 2, 1, 1, 0, 1, 0, 1),
          "[max_pool] x has no pixels");
  refused(gt_max_pool_backward(s, flat_h, above, taps_above, 2, 2, 1, 1, 1, 0, 1, 0),
          "[max_pool_backward] dx has no pixels");
  refused(gt_average_pool(s, above, flat_h, 2, 2, 1, 1, 1, 0, 1, 0, 0),
          "[average_pool] x has no pixels");
  refused(gt_average_pool_backward(s, flat_w, beside, 2, 2, 1, 1, 0, 1, 0, 1, 0),
          "[average_pool_backward] dx has no pixels");

  TestTensor<float> large(device, Dims{1, 16, 16, 1}), one(device, Dims{1, 1, 1, 1});
  TestTensor<uint8_t> tap(device, Dims{1, 1, 1, 1});
  refused(gt_max_pool(s, one, tap, large, 16, 16, 1, 1, 0, 0, 0, 0),
          "a window may have 255 places");
}

}  // namespace
}  // namespace gatun::test
