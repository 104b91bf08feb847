#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <limits>
#include <string>
#include <vector>

#include "kernels/elementwise_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::Binary;
using kernels::Unary;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNotANumber = std::numeric_limits<float>::quiet_NaN();

const Unary kAllUnary[] = {Unary::NEGATE, Unary::ABS,  Unary::SQUARE,  Unary::SQRT, Unary::EXP,
                           Unary::LOG,    Unary::RELU, Unary::SIGMOID, Unary::TANH, Unary::SIGN};
const Binary kAllBinary[] = {Binary::ADD,     Binary::SUBTRACT, Binary::MULTIPLY, Binary::DIVIDE,
                             Binary::MAXIMUM, Binary::MINIMUM,  Binary::GATE};

// All others are a single correctly rounded operation.
int64_t ulps_allowed(Unary op) {
  switch (op) {
    case Unary::EXP:
    case Unary::LOG:
    case Unary::SIGMOID:
    case Unary::TANH:
      return 4;
    default:
      return 0;
  }
}

// Numbers of every magnitude and sign, the ends of the ranges, and what is not a number.
Array<float> numbers_of_every_size() {
  std::vector<float> numbers = {0.0f,       -0.0f,   1.0f,     -1.0f,       1000.0f,
                                -1000.0f,   kInf,    -kInf,    kNotANumber, FLT_MAX,
                                -FLT_MAX,   FLT_MIN, -FLT_MIN, 88.72283f,   88.72284f,
                                -87.33654f, -103.9f, 9.0f,     -9.0f,       10.0f};
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 2039) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnormal(x)) numbers.push_back(x);
  }
  return Array<float>({static_cast<int64_t>(numbers.size())}, numbers);
}

TEST(Unary, IsAccurateOnEveryLevel) {
  TestDevice device(2);
  const Array<float> x = numbers_of_every_size();
  TestTensor<float> input(device, x), output(device, x.dims());
  for_each_simd_level([&](const char*) {
    for (const Unary op : kAllUnary) {
      ASSERT_OK(gt_unary(device.stream(), output, input, static_cast<int32_t>(op)));
      const Array<float> y = output.read();
      int64_t worst = 0;
      for (int64_t i = 0; i < x.count(); ++i) {
        const auto expected = static_cast<float>(kernels::naive::apply<double>(op, x[i]));
        if (std::abs(expected) < FLT_MIN && std::abs(y[i]) <= FLT_MIN) continue;  // may be flushed
        const int64_t distance = ulps(y[i], expected);
        worst = std::max(worst, distance);
        ASSERT_LE(distance, ulps_allowed(op)) << "op " << static_cast<int>(op) << " of " << x[i]
                                              << " is " << y[i] << ", expected " << expected;
      }
      RecordProperty("worst_ulps_" + std::to_string(static_cast<int>(op)), static_cast<int>(worst));
    }
  });
}

TEST(Unary, IsStableFarOut) {
  TestDevice device(1);
  const std::vector<float> x = {-kInf, -1000, -0.0f, 1000, kInf, kNotANumber};
  TestTensor<float> input(device, Array<float>({6}, x)), output(device, Dims{6});
  const auto expect = [&](Unary op, const std::vector<float>& expected) {
    ASSERT_OK(gt_unary(device.stream(), output, input, static_cast<int32_t>(op)));
    const Array<float> y = output.read();
    for (int i = 0; i < 6; ++i) EXPECT_EQ(ulps(y[i], expected[i]), 0) << x[i] << " gives " << y[i];
  };
  for_each_simd_level([&](const char*) {
    expect(Unary::EXP, {0, 0, 1, kInf, kInf, kNotANumber});
    expect(Unary::SIGMOID, {0, 0, 0.5f, 1, 1, kNotANumber});
    expect(Unary::TANH, {-1, -1, 0, 1, 1, kNotANumber});
    expect(Unary::LOG, {kNotANumber, kNotANumber, -kInf, 6.9077554f, kInf, kNotANumber});
    expect(Unary::RELU, {0, 0, 0, 1000, kInf, kNotANumber});
    expect(Unary::SIGN, {-1, -1, 0, 1, 1, kNotANumber});
    expect(Unary::SQRT, {kNotANumber, kNotANumber, 0, 31.622776f, kInf, kNotANumber});
  });
}

// Tails of every length, more than one task, in place.
TEST(Unary, TouchesItsElementsOnly) {
  for_each_simd_level([&](const char*) {
    for (const int64_t count : {0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 33, 16'384, 40'007}) {
      for (const Unary op : kAllUnary) {
        const Array<float> x = random_array<float>({count + 1}, 7, 0.1, 3);
        Array<float> y = x;
        Tensor part = y.tensor();
        part.dims[0] = part.count = count;
        SerialLauncher launcher;
        kernels::unary(launcher, part, part, op);
        for (int64_t i = 0; i < count; ++i) {
          const auto expected = static_cast<float>(kernels::naive::apply<double>(op, x[i]));
          ASSERT_LE(ulps(y[i], expected), ulps_allowed(op));
        }
        ASSERT_EQ(y[count], x[count]);
      }
    }
  });
}

TEST(Unary, RunsInF64) {
  TestDevice device(3);
  const Array<double> x = random_array<double>({33'000}, 3, 0.1, 4);
  TestTensor<double> input(device, x), output(device, x.dims());
  for (const Unary op : kAllUnary) {
    ASSERT_OK(gt_unary(device.stream(), output, input, static_cast<int32_t>(op)));
    const Array<double> y = output.read();
    for (int64_t i = 0; i < x.count(); ++i) {
      ASSERT_EQ(y[i], kernels::naive::apply<double>(op, x[i]));
    }
  }
}

struct Shapes {
  Dims y, a, b;
};

const Shapes kBroadcasts[] = {
    {{}, {}, {}},
    {{0}, {0}, {1}},
    {{5}, {5}, {}},
    {{5}, {1}, {5}},
    {{5}, {1}, {}},
    {{40'007}, {40'007}, {40'007}},
    {{40'007}, {40'007}, {1}},
    {{3000, 16}, {3000, 16}, {16}},
    {{301, 67}, {67}, {301, 67}},
    {{301, 67}, {301, 1}, {301, 67}},
    {{301, 67}, {301, 1}, {67}},
    {{301, 67}, {301, 1}, {301, 1}},
    {{4, 9, 11, 5}, {4, 9, 11, 5}, {1, 1, 1, 5}},
    {{4, 9, 11, 5}, {4, 1, 1, 5}, {4, 9, 11, 5}},
    {{4, 9, 11, 5}, {4, 1, 11, 1}, {9, 1, 5}},
    {{4, 9, 11, 5}, {9, 1, 1}, {4, 1, 11, 5}},
    {{2, 1, 3, 1, 40, 1, 50, 2}, {3, 1, 1, 1, 50, 1}, {2, 1, 1, 1, 40, 1, 1, 2}},
    {{2, 0, 3}, {2, 1, 3}, {0, 1}},
};

// One correctly rounded operation per element: the same bits at every level.
template <typename T>
void check_binary(const TestDevice& device) {
  for (const Shapes& shapes : kBroadcasts) {
    Array<T> a = random_array<T>(shapes.a, 11), b = random_array<T>(shapes.b, 12);
    TestTensor<T> left(device, a), right(device, b), output(device, shapes.y);
    for (const Binary op : kAllBinary) {
      Array<T> expected(shapes.y);
      kernels::naive::binary<T>(expected.tensor(), a.tensor(), b.tensor(), op, 0, expected.count());
      ASSERT_OK(gt_binary(device.stream(), output, left, right, static_cast<int32_t>(op)));
      expect_same_bits(output.read(), expected);
    }
  }
}

TEST(Binary, BroadcastsLikeThePlainLoops) {
  TestDevice device(3);
  check_binary<double>(device);
  for_each_simd_level([&](const char*) { check_binary<float>(device); });
}

TEST(Binary, IsInPlaceWithEitherOperand) {
  TestDevice device(2);
  const Array<float> x = random_array<float>({500, 33}, 1), row = random_array<float>({33}, 2);
  TestTensor<float> bias(device, row);
  Array<float> expected = x;
  for (int64_t i = 0; i < x.count(); ++i) expected[i] = x[i] - row[i % 33];
  TestTensor<float> y(device, x);
  ASSERT_OK(gt_binary(device.stream(), y, y, bias, GT_BINARY_SUBTRACT));
  expect_same_bits(y.read(), expected);
  for (int64_t i = 0; i < x.count(); ++i) expected[i] = row[i % 33] - x[i];
  y.write(x);
  ASSERT_OK(gt_binary(device.stream(), y, bias, y, GT_BINARY_SUBTRACT));
  expect_same_bits(y.read(), expected);
  y.write(x);
  ASSERT_OK(gt_binary(device.stream(), y, y, y, GT_BINARY_SUBTRACT));
  expect_same_bits(y.read(), Array<float>({500, 33}, 0.0f));
}

TEST(Binary, LetsNanWinAndGateShut) {
  TestDevice device(1);
  const Array<float> a({6}, {kNotANumber, 1, 2, -kInf, kNotANumber, 3});
  const Array<float> b({6}, {1, kNotANumber, 1, kInf, -1, 0});
  TestTensor<float> left(device, a), right(device, b), y(device, Dims{6});
  for_each_simd_level([&](const char*) {
    const auto expect = [&](int32_t op, const std::vector<float>& expected) {
      ASSERT_OK(gt_binary(device.stream(), y, left, right, op));
      const Array<float> actual = y.read();
      for (int i = 0; i < 6; ++i) EXPECT_EQ(ulps(actual[i], expected[i]), 0) << op << ": " << i;
    };
    expect(GT_BINARY_MAXIMUM, {kNotANumber, kNotANumber, 2, kInf, kNotANumber, 3});
    expect(GT_BINARY_MINIMUM, {kNotANumber, kNotANumber, 1, -kInf, kNotANumber, 0});
    expect(GT_BINARY_GATE, {kNotANumber, 0, 2, -kInf, 0, 0});
  });
}

TEST(Affine, ScalesAndShifts) {
  TestDevice device(2);
  for_each_simd_level([&](const char*) {
    const Array<float> x = random_array<float>({20'003});
    TestTensor<float> y(device, x);
    ASSERT_OK(gt_affine(device.stream(), y, y, 2.5, -0.25));
    Array<double> expected(x.dims());
    for (int64_t i = 0; i < x.count(); ++i) expected[i] = 2.5 * x[i] - 0.25;
    // A product and a sum, rounded once or twice: 1 ULP of the largest term, which is below 4.
    expect_close(y.read(), expected, 0, 2.4e-7);
  });
  const Array<double> x = random_array<double>({20'003});
  TestTensor<double> from(device, x), to(device, x.dims());
  ASSERT_OK(gt_affine(device.stream(), to, from, 0.1, 3));
  const Array<double> y = to.read();
  for (int64_t i = 0; i < x.count(); ++i) ASSERT_EQ(y[i], 0.1 * x[i] + 3);
}

TEST(Elementwise, GivesTheSameBitsForEveryNumberOfThreads) {
  const Array<float> x = random_array<float>({70'001}, 1, -5, 5);
  std::vector<Array<float>> results;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    TestTensor<float> input(device, x), y(device, x.dims());
    ASSERT_OK(gt_unary(device.stream(), y, input, GT_UNARY_TANH));
    ASSERT_OK(gt_binary(device.stream(), y, y, input, GT_BINARY_DIVIDE));
    ASSERT_OK(gt_affine(device.stream(), y, y, 1.7, 0.1));
    results.push_back(y.read());
  }
  expect_same_bits(results[1], results[0]);
  expect_same_bits(results[2], results[0]);
}

TEST(Elementwise, RefusesWrongArguments) {
  TestDevice device(1);
  gt_stream stream = device.stream();
  TestTensor<float> y(device, Dims{2, 3}), row(device, Dims{3}), column(device, Dims{2});
  TestTensor<double> d(device, Dims{2, 3});
  TestTensor<int32_t> i(device, Dims{2, 3});
  EXPECT_REFUSED(gt_unary(stream, nullptr, y, 0), GT_INVALID_ARGUMENT, "[unary] y is NULL");
  EXPECT_REFUSED(gt_unary(stream, y, y, 10), GT_INVALID_ARGUMENT, "op must be 0..9, but is 10");
  EXPECT_REFUSED(gt_unary(stream, y, row, 0), GT_INVALID_ARGUMENT,
                 "shapes differ: y is f32 (2, 3), x is f32 (3)");
  EXPECT_REFUSED(gt_unary(stream, i, i, 0), GT_INVALID_ARGUMENT, "y must be f32, f64 or bf16");
  EXPECT_REFUSED(gt_affine(stream, y, d, 1, 1), GT_INVALID_ARGUMENT,
                 "[affine] dtypes differ: y is f32 (2, 3), x is f64 (2, 3)");
  EXPECT_REFUSED(gt_binary(stream, y, y, nullptr, 0), GT_INVALID_ARGUMENT, "[binary] b is NULL");
  EXPECT_REFUSED(gt_binary(stream, y, y, y, -1), GT_INVALID_ARGUMENT, "op must be 0..6");
  EXPECT_REFUSED(gt_binary(stream, y, column, row, 0), GT_INVALID_ARGUMENT,
                 "a does not broadcast to y: a is f32 (2), y is f32 (2, 3)");
  EXPECT_REFUSED(gt_binary(stream, row, row, y, 0), GT_INVALID_ARGUMENT, "b does not broadcast");
  EXPECT_REFUSED(gt_binary(stream, y, y, d, 0), GT_INVALID_ARGUMENT, "dtypes differ");
}

TEST(Elementwise, RefusesAnOperandThatRepeatsInsideTheOutput) {
  TestDevice device(1);
  TestTensor<float> y(device, Dims{2, 3});
  gt_tensor first_row, shifted;
  const int64_t row[] = {3}, all[] = {1, 3};
  ASSERT_OK(gt_tensor_create(&first_row, y.buffer(), 0, GT_F32, 1, row));
  ASSERT_OK(gt_tensor_create(&shifted, y.buffer(), 4, GT_F32, 2, all));
  EXPECT_REFUSED(gt_binary(device.stream(), y, y, first_row, 0), GT_INVALID_ARGUMENT,
                 "[binary] y and b share memory");
  EXPECT_REFUSED(gt_binary(device.stream(), first_row, shifted, first_row, 0), GT_INVALID_ARGUMENT,
                 "a does not broadcast");
  EXPECT_REFUSED(gt_binary(device.stream(), shifted, shifted, first_row, 0), GT_INVALID_ARGUMENT,
                 "y and b share part of their memory");
  gt_tensor_destroy(first_row);
  gt_tensor_destroy(shifted);
}

}  // namespace
}  // namespace gatun::test
