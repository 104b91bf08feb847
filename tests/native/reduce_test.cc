#include "kernels/reduce.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "kernels/reduce_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::Reduction;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();

struct Case {
  Dims x;
  uint32_t axes;
};

Dims reduced_dims(const Case& c) {
  Dims dims = c.x;
  for (size_t i = 0; i < dims.size(); ++i) {
    if ((c.axes >> i & 1) != 0) dims[i] = 1;
  }
  return dims;
}

// All; first axes; last axes; middle ones; several separate ones; none; tails of vectors, blocks
// and units; large and tiny.
const Case kCases[] = {
    {{}, 0},
    {{1}, 1},
    {{7}, 1},
    {{63}, 1},
    {{1000}, 1},
    {{16'384}, 1},
    {{100'003}, 1},
    {{40, 50, 60}, 7},
    {{1000, 10}, 1},
    {{1000, 3}, 1},
    {{3001, 16}, 1},
    {{700, 67}, 1},
    {{3, 2049}, 1},
    {{70, 4100}, 1},
    {{8, 30'000}, 1},
    {{4, 32, 32, 16}, 7},
    {{1000, 10}, 2},
    {{33, 1}, 2},
    {{5, 20'001}, 2},
    {{3, 100, 200}, 6},
    {{6, 300, 24}, 2},
    {{2, 5000, 65}, 2},
    {{6, 7, 8, 9}, 5},
    {{6, 7, 8, 9}, 10},
    {{30, 3, 500}, 5},
    {{300, 3, 2}, 5},
    {{2, 30, 2, 40, 33}, 10},
    {{2, 3, 2, 3, 2, 3, 2, 3}, 0x55},
    {{40'000}, 0},
    {{20, 3000}, 0},
    {{1, 5, 1, 7}, 5},
};

// Values that are positive in the mean, so that a sum is of the size of its terms' sum. Runs of at
// most 64 values in every lane are summed in f32, each rounding by at most half a unit of 2^-24 of
// the partial sum; the rest is f64 and one final rounding: far below 2e-6 of the result, 70 units.
template <typename T>
void check_reduce(const TestDevice& device, Reduction op, double relative) {
  for (const Case& c : kCases) {
    SCOPED_TRACE("x " + TestTensor<T>(device, c.x).read().tensor().to_string() + " axes " +
                 std::to_string(c.axes));
    Array<T> x = random_array<T>(c.x, 21, -0.5, 1.5);
    Array<T> expected(reduced_dims(c));
    kernels::naive::reduce<T>(expected.tensor(), x.tensor(), op, c.axes);
    TestTensor<T> input(device, x), output(device, expected.dims());
    ASSERT_OK(gt_reduce(device.stream(), output, input, static_cast<int32_t>(op), c.axes));
    expect_close(output.read(), expected, relative, relative);
  }
}

TEST(Reduce, AgreesWithThePlainLoopsInF32) {
  TestDevice device(3);
  for_each_simd_level([&](const char*) {
    check_reduce<float>(device, Reduction::SUM, 2e-6);
    check_reduce<float>(device, Reduction::MEAN, 2e-6);
    check_reduce<float>(device, Reduction::MAX, 0);
  });
}

// The same sums in another order: 1e5 roundings of 2^-53.
TEST(Reduce, AgreesWithThePlainLoopsInF64) {
  TestDevice device(2);
  check_reduce<double>(device, Reduction::SUM, 1e-11);
  check_reduce<double>(device, Reduction::MEAN, 1e-11);
  check_reduce<double>(device, Reduction::MAX, 0);
}

// A plain f32 loop gives 16777216 here.
TEST(Reduce, SumsManyEqualValuesExactly) {
  TestDevice device(2);
  const int64_t count = 20'000'003;
  TestTensor<float> x(device, Dims{count}), y(device, Dims{1});
  ASSERT_OK(gt_fill(device.stream(), x, 1));
  for_each_simd_level([&](const char*) {
    ASSERT_OK(gt_reduce(device.stream(), y, x, GT_REDUCE_SUM, 1));
    EXPECT_EQ(y.read()[0], static_cast<float>(count));
  });
}

TEST(Reduce, RunsTasksInAnyOrder) {
  for (const Case& c : kCases) {
    Array<float> x = random_array<float>(c.x, 5), y(reduced_dims(c), 9.0f), expected = y;
    SerialLauncher launcher(3);
    kernels::reduce(launcher, y.tensor(), x.tensor(), Reduction::MAX, c.axes);
    kernels::naive::reduce<float>(expected.tensor(), x.tensor(), Reduction::MAX, c.axes);
    expect_same_bits(y, expected);
  }
}

TEST(Reduce, GivesTheSameBitsForEveryNumberOfThreads) {
  for (const Case& c : kCases) {
    const Array<float> x = random_array<float>(c.x, 5);
    std::vector<Array<float>> results;
    for (const int threads : {1, 2, 3}) {
      TestDevice device(threads);
      TestTensor<float> input(device, x), y(device, reduced_dims(c));
      ASSERT_OK(gt_reduce(device.stream(), y, input, GT_REDUCE_SUM, c.axes));
      results.push_back(y.read());
    }
    expect_same_bits(results[1], results[0]);
    expect_same_bits(results[2], results[0]);
  }
}

// NaN at every place of a row and of a column, so that every accumulator meets it.
TEST(Reduce, LetsNanWinTheMaximum) {
  TestDevice device(1);
  for_each_simd_level([&](const char*) {
    for (int64_t at = 0; at < 150; ++at) {
      Array<float> x({150}, 1.0f);
      x[at] = kNotANumber;
      x[(at + 75) % 150] = kInf;
      TestTensor<float> row(device, x), y(device, Dims{1});
      ASSERT_OK(gt_reduce(device.stream(), y, row, GT_REDUCE_MAX, 1));
      ASSERT_TRUE(std::isnan(y.read()[0])) << "NaN at " << at;
      Array<float> columns({150, 70}, -kInf);
      columns[at * 70 + at % 70] = kNotANumber;
      TestTensor<float> matrix(device, columns), maxima(device, Dims{1, 70});
      ASSERT_OK(gt_reduce(device.stream(), maxima, matrix, GT_REDUCE_MAX, 1));
      for (int64_t c = 0; c < 70; ++c) {
        if (c == at % 70) {
          ASSERT_TRUE(std::isnan(maxima.read()[c])) << "NaN at " << at;
        } else {
          ASSERT_EQ(maxima.read()[c], -kInf);
        }
      }
    }
  });
}

TEST(Reduce, KnowsWhatNothingIs) {
  TestDevice device(2);
  TestTensor<float> x(device, Dims{0, 3}), y(device, Dims{1, 3}), none(device, Dims{0, 1});
  ASSERT_OK(gt_fill(device.stream(), y, 5));
  ASSERT_OK(gt_reduce(device.stream(), y, x, GT_REDUCE_SUM, 1));
  expect_same_bits(y.read(), Array<float>({1, 3}, 0.0f));
  ASSERT_OK(gt_reduce(device.stream(), y, x, GT_REDUCE_MEAN, 1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(y.read()[i]));
  EXPECT_REFUSED(gt_reduce(device.stream(), y, x, GT_REDUCE_MAX, 1), GT_INVALID_ARGUMENT,
                 "there is no maximum along an empty axis: x is f32 (0, 3)");
  EXPECT_OK(gt_reduce(device.stream(), none, x, GT_REDUCE_MAX, 2));
}

template <typename T>
void check_argmax() {
  TestDevice device(3);
  for (const Dims& dims : {Dims{1}, Dims{5}, Dims{0, 4}, Dims{100, 10}, Dims{3, 4, 1000}}) {
    const Array<T> x = random_array<T>(dims, 8);
    Dims y_dims = dims;
    y_dims.back() = 1;
    TestTensor<T> input(device, x);
    TestTensor<int32_t> y(device, y_dims);
    ASSERT_OK(gt_argmax(device.stream(), y, input));
    const Array<int32_t> places = y.read();
    for (int64_t row = 0; row < places.count(); ++row) {
      const T* begin = x.data() + row * dims.back();
      ASSERT_EQ(places[row], std::max_element(begin, begin + dims.back()) - begin);
    }
  }
}

TEST(Argmax, FindsTheFirstGreatest) {
  check_argmax<float>();
  check_argmax<double>();
  TestDevice device(1);
  const Array<float> x(
      {4, 3}, {1, 3, 3, kNotANumber, 5, kNotANumber, 7, kNotANumber, 8, -kInf, -kInf, -kInf});
  TestTensor<float> input(device, x);
  TestTensor<int32_t> y(device, Dims{4, 1});
  ASSERT_OK(gt_argmax(device.stream(), y, input));
  EXPECT_EQ(y.read().to_vector(), (std::vector<int32_t>{1, 0, 1, 0}));
}

TEST(Reduce, RefusesWrongArguments) {
  TestDevice device(1);
  gt_stream stream = device.stream();
  TestTensor<float> x(device, Dims{2, 3}), y(device, Dims{2, 1}), z(device, Dims{1, 3});
  TestTensor<double> d(device, Dims{2, 1});
  TestTensor<int32_t> i(device, Dims{2, 1});
  EXPECT_REFUSED(gt_reduce(stream, y, nullptr, 0, 2), GT_INVALID_ARGUMENT, "[reduce] x is NULL");
  EXPECT_REFUSED(gt_reduce(stream, y, x, 3, 2), GT_INVALID_ARGUMENT, "op must be 0..2, but is 3");
  EXPECT_REFUSED(gt_reduce(stream, y, x, 0, 4), GT_INVALID_ARGUMENT,
                 "axes must have bits of x's 2 axes only, but is 4");
  EXPECT_REFUSED(gt_reduce(stream, z, x, 0, 2), GT_INVALID_ARGUMENT,
                 "y must be f32 (2, 1), but is f32 (1, 3)");
  EXPECT_REFUSED(gt_reduce(stream, d, x, 0, 2), GT_INVALID_ARGUMENT, "dtypes differ");
  EXPECT_REFUSED(gt_reduce(stream, i, i, 0, 2), GT_INVALID_ARGUMENT, "must be f32 or f64");
  EXPECT_REFUSED(gt_reduce(stream, x, x, 0, 0), GT_INVALID_ARGUMENT, "y and x share memory");
  EXPECT_REFUSED(gt_argmax(stream, y, x), GT_INVALID_ARGUMENT,
                 "[argmax] y must be i32, but is f32 (2, 1)");
  EXPECT_REFUSED(gt_argmax(stream, i, z), GT_INVALID_ARGUMENT, "y must be i32 (1, 1)");
  TestTensor<float> empty(device, Dims{2, 0}), scalar(device, Dims{});
  EXPECT_REFUSED(gt_argmax(stream, i, empty), GT_INVALID_ARGUMENT, "the last axis of x");
  EXPECT_REFUSED(gt_argmax(stream, i, scalar), GT_INVALID_ARGUMENT, "at least one axis");
}

}  // namespace
}  // namespace gatun::test
