#include "kernels/movement.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <vector>

#include "kernels/convert.h"
#include "kernels/movement_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

class MovementTest : public testing::Test {
 protected:
  TestDevice device{2};
};

template <typename T>
class MovementOf : public testing::Test {};
using AllTypes = testing::Types<float, double, int32_t, int64_t, uint8_t>;
TYPED_TEST_SUITE(MovementOf, AllTypes);

TYPED_TEST(MovementOf, FillsEveryElement) {
  TestDevice device(3);
  for (const Dims& dims : {Dims{}, Dims{0}, Dims{1}, Dims{3, 5}, Dims{16384}, Dims{7, 16385}}) {
    TestTensor<TypeParam> y(device, dims);
    ASSERT_OK(gt_fill(device.stream(), y, 42.75));
    expect_same_bits(y.read(), Array<TypeParam>(dims, static_cast<TypeParam>(42.75)));
  }
}

TEST_F(MovementTest, RoundsToBf16) {
  // Halfway cases go to the even neighbour; beyond the largest number lies infinity.
  const std::vector<float> from = {
      1.0f,       1.00390625f, 1.01171875f, 1.0039064f, -1.00390625f,    3.3895314e38f, 3.39615e38f,
      3.3962e38f, -INFINITY,   -NAN,        -0.0f,      1.17549435e-38f, 257.0f};
  TestTensor<float> x(device, Array<float>({13}, from)), back(device, Dims{13});
  TestTensor<Bf16> y(device, Dims{13});
  ASSERT_OK(gt_copy(device.stream(), y, x));
  ASSERT_OK(gt_copy(device.stream(), back, y));
  const std::vector<float> expected = {
      1.0f,     1.0f,      1.015625f, 1.0078125f, -1.0f,           3.3895314e38f, 3.3895314e38f,
      INFINITY, -INFINITY, -NAN,      -0.0f,      1.17549435e-38f, 256.0f};
  for (int i = 0; i < 13; ++i) {
    const float value = back.read().data()[i];
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(value) && std::signbit(value)) << i;
    } else {
      EXPECT_EQ(std::signbit(value), std::signbit(expected[i])) << i;
      EXPECT_EQ(value, expected[i]) << i;
    }
  }
}

// Whatever bits they have: rounding must not carry into the exponent, nor leave an infinity.
TEST_F(MovementTest, KeepsNaNsInBf16) {
  const std::vector<uint32_t> bits = {0x7fffffff, 0xffffffff, 0x7f800001, 0xff800001, 0x7fc00000};
  Array<float> from({37});
  for (int64_t i = 0; i < 37; ++i) from[i] = std::bit_cast<float>(bits[i % bits.size()]);
  TestTensor<float> x(device, from);
  TestTensor<Bf16> y(device, Dims{37});
  ASSERT_OK(gt_copy(device.stream(), y, x));
  const Array<Bf16> found = y.read();
  for (int64_t i = 0; i < 37; ++i) {
    EXPECT_TRUE(std::isnan(to_float(found[i]))) << i;
    EXPECT_EQ(found[i].bits >> 15, bits[i % bits.size()] >> 31) << i;
  }
}

TEST_F(MovementTest, SaturatesToIntegers) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const std::vector<double> from = {0.9, -0.9, 1e300,      -1e300,       kInf,          -kInf,
                                    NAN, 255,  2147483647, 2147483648.0, -2147483648.0, 300.5};
  TestTensor<double> x(device, Array<double>({12}, from));
  TestTensor<int32_t> i32(device, Dims{12});
  TestTensor<int64_t> i64(device, Dims{12});
  TestTensor<uint8_t> u8(device, Dims{12});
  ASSERT_OK(gt_copy(device.stream(), i32, x));
  ASSERT_OK(gt_copy(device.stream(), i64, x));
  ASSERT_OK(gt_copy(device.stream(), u8, x));
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max(), kMin = -kMax - 1;
  EXPECT_EQ(i32.read().to_vector(),
            (std::vector<int32_t>{0, 0, kMax, kMin, kMax, kMin, 0, 255, kMax, kMax, kMin, 300}));
  constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max(), kMin64 = -kMax64 - 1;
  EXPECT_EQ(i64.read().to_vector(),
            (std::vector<int64_t>{0, 0, kMax64, kMin64, kMax64, kMin64, 0, 255, 2147483647,
                                  2147483648, -2147483648, 300}));
  EXPECT_EQ(u8.read().to_vector(),
            (std::vector<uint8_t>{0, 0, 255, 0, 255, 0, 0, 255, 255, 255, 0, 255}));
  ASSERT_OK(gt_fill(device.stream(), u8, -3.5));
  EXPECT_EQ(u8.read().to_vector(), std::vector<uint8_t>(12, 0));
}

TEST_F(MovementTest, SaturatesAmongIntegers) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  TestTensor<int64_t> x(device, Array<int64_t>({6}, {kMax, -kMax - 1, -1, 0, 256, 2147483648}));
  TestTensor<int32_t> i32(device, Dims{6});
  TestTensor<uint8_t> u8(device, Dims{6});
  ASSERT_OK(gt_copy(device.stream(), i32, x));
  ASSERT_OK(gt_copy(device.stream(), u8, x));
  EXPECT_EQ(i32.read().to_vector(),
            (std::vector<int32_t>{2147483647, -2147483647 - 1, -1, 0, 256, 2147483647}));
  EXPECT_EQ(u8.read().to_vector(), (std::vector<uint8_t>{255, 0, 0, 0, 255, 255}));
}

TYPED_TEST(MovementOf, CopiesFromEveryType) {
  TestDevice device(3);
  const auto from = [&](auto zero) {
    using From = decltype(zero);
    for (const int64_t n : {0, 1, 100, 40'000}) {
      const Array<From> values = random_array<From>({n}, 3, 0, 200);
      TestTensor<From> x(device, values);
      TestTensor<TypeParam> y(device, Dims{1, n});
      ASSERT_OK(gt_copy(device.stream(), y, x));
      const Array<TypeParam> copied = y.read();
      for (int64_t i = 0; i < n; ++i) ASSERT_EQ(copied[i], static_cast<TypeParam>(values[i]));
    }
  };
  from(float{});
  from(double{});
  from(int32_t{});
  from(int64_t{});
  from(uint8_t{});
}

// Every permutation of the axes, sizes with and without ones, tiles that are full and not.
TYPED_TEST(MovementOf, PermutesLikeThePlainLoops) {
  for (const Dims& dims : {Dims{5}, Dims{33, 70}, Dims{1, 1}, Dims{3, 0}, Dims{2, 3, 4},
                           Dims{3, 1, 65}, Dims{2, 5, 33, 3}, Dims{4, 1, 3, 2, 3}}) {
    Array<TypeParam> x = random_array<TypeParam>(dims, 5, 0, 250);
    kernels::Axes axes{};
    std::iota(axes.begin(), axes.begin() + dims.size(), 0);
    do {
      Dims permuted;
      for (size_t i = 0; i < dims.size(); ++i) permuted.push_back(dims[axes[i]]);
      Array<TypeParam> expected(permuted), actual(permuted);
      kernels::naive::permute<TypeParam>(expected.tensor(), x.tensor(), axes);
      SerialLauncher launcher;
      kernels::permute(launcher, actual.tensor(), x.tensor(), axes);
      expect_same_bits(actual, expected);
    } while (std::next_permutation(axes.begin(), axes.begin() + dims.size()));
  }
}

TEST_F(MovementTest, PermutesOnTheDevice) {
  const Array<float> values = random_array<float>({8, 32, 32, 3});
  Array<float> x = values, expected({8, 3, 32, 32});
  kernels::naive::permute<float>(expected.tensor(), x.tensor(), {0, 3, 1, 2});
  TestTensor<float> from(device, values), to(device, Dims{8, 3, 32, 32});
  const int32_t axes[] = {0, 3, 1, 2};
  ASSERT_OK(gt_permute(device.stream(), to, from, axes, 4));
  expect_same_bits(to.read(), expected);
}

// What a slice of x and two tensors around it, with zeros before and behind, look like by the
// kernels and by the plain loops. `parts` are extents along the axis.
template <typename T>
void check_slice_and_concat(const Dims& dims, int32_t axis, const std::vector<int64_t>& parts,
                            int64_t before, int64_t after) {
  SCOPED_TRACE(testing::PrintToString(dims) + " along " + std::to_string(axis));
  SerialLauncher launcher;
  Dims y_dims = dims;
  y_dims[axis] = std::accumulate(parts.begin(), parts.end(), before + after);
  std::vector<Array<T>> arrays;
  std::vector<Tensor> inputs;
  for (const int64_t part : parts) {
    Dims part_dims = dims;
    part_dims[axis] = part;
    arrays.push_back(random_array<T>(part_dims, static_cast<uint32_t>(arrays.size()), 1, 250));
  }
  for (Array<T>& array : arrays) inputs.push_back(array.tensor());
  Array<T> y(y_dims, T{9}), y_expected(y_dims, T{8});
  kernels::concat(launcher, y.tensor(), inputs, axis, before);
  kernels::naive::concat<T>(y_expected.tensor(), inputs, axis, before);
  expect_same_bits(y, y_expected);
  int64_t begin = before;
  for (const Array<T>& array : arrays) {
    Array<T> cut(array.dims(), T{9}), cut_expected(array.dims(), T{8});
    kernels::slice(launcher, cut.tensor(), y.tensor(), axis, begin);
    kernels::naive::slice<T>(cut_expected.tensor(), y.tensor(), axis, begin);
    expect_same_bits(cut, cut_expected);
    expect_same_bits(cut, array);
    begin += array.dims()[axis];
  }
}

TYPED_TEST(MovementOf, SlicesAndConcatenatesLikeThePlainLoops) {
  check_slice_and_concat<TypeParam>({5}, 0, {5, 1, 0, 3}, 0, 0);
  check_slice_and_concat<TypeParam>({7, 1}, 1, {3, 2}, 0, 0);
  check_slice_and_concat<TypeParam>({3, 1, 5}, 1, {2, 0, 4}, 1, 2);
  check_slice_and_concat<TypeParam>({2, 5, 7, 1}, 3, {3, 8, 1}, 0, 1);
  check_slice_and_concat<TypeParam>({2, 0, 3}, 2, {1, 2}, 1, 1);
  check_slice_and_concat<TypeParam>({2, 3}, 1, {0, 0}, 0, 0);
  check_slice_and_concat<TypeParam>({2, 3}, 0, {0}, 2, 0);
  // Tasks end inside of strips: long rows, short ones, strips longer than a task.
  check_slice_and_concat<TypeParam>({1, 50'001}, 0, {1, 2}, 1, 0);
  check_slice_and_concat<TypeParam>({9'973, 1}, 1, {3, 2}, 0, 1);
  check_slice_and_concat<TypeParam>({3, 1}, 1, {40'000, 17}, 5, 20'000);
}

TEST_F(MovementTest, SlicesAndConcatenatesOnTheDevice) {
  Array<float> a = random_array<float>({16, 32, 32, 16}), b = random_array<float>({16, 32, 32, 3}),
               y({16, 32, 32, 22});
  const std::vector<Tensor> inputs = {a.tensor(), b.tensor(), b.tensor()};
  kernels::naive::concat<float>(y.tensor(), inputs, 3, 0);
  TestTensor<float> first(device, a), second(device, b), to(device, y.dims()),
      back(device, a.dims());
  const gt_tensor handles[] = {first, second, second};
  ASSERT_OK(gt_concat(device.stream(), to, handles, 3, 3, 0));
  expect_same_bits(to.read(), y);
  ASSERT_OK(gt_slice(device.stream(), back, to, 3, 0));
  expect_same_bits(back.read(), a);
}

template <typename T>
void check_subsample_pad() {
  struct Case {
    Dims x;
    int64_t channels, stride;
  };
  for (const Case& c :
       {Case{{2, 8, 8, 16}, 32, 2}, Case{{3, 7, 5, 3}, 3, 2}, Case{{1, 1, 1, 1}, 4, 3},
        Case{{2, 5, 4, 6}, 7, 1}, Case{{2, 9, 10, 2}, 5, 4}, Case{{0, 4, 4, 2}, 4, 2},
        Case{{2, 4, 4, 0}, 4, 2}, Case{{1, 0, 3, 2}, 2, 2}, Case{{1, 2, 2, 0}, 0, 2},
        Case{{40, 32, 32, 16}, 32, 2}}) {
    const int64_t s = c.stride;
    const Dims y_dims = {c.x[0], (c.x[1] + s - 1) / s, (c.x[2] + s - 1) / s, c.channels};
    Array<T> x = random_array<T>(c.x, 1), y(y_dims, T{9}), y_expected(y_dims, T{8});
    SerialLauncher launcher;
    kernels::subsample_pad(launcher, y.tensor(), x.tensor(), s);
    kernels::naive::subsample_pad<T>(y_expected.tensor(), x.tensor(), s);
    expect_same_bits(y, y_expected);
    Array<T> dy = random_array<T>(y_dims, 2), dx(c.x, T{9}), dx_expected(c.x, T{8});
    kernels::subsample_pad_backward(launcher, dx.tensor(), dy.tensor(), s);
    kernels::naive::subsample_pad_backward<T>(dx_expected.tensor(), dy.tensor(), s);
    expect_same_bits(dx, dx_expected);
  }
}

TEST_F(MovementTest, SubsamplesLikeThePlainLoops) {
  check_subsample_pad<float>();
  check_subsample_pad<double>();
}

TEST_F(MovementTest, SubsamplesOnTheDevice) {
  Array<float> x = random_array<float>({16, 32, 32, 16}), y({16, 16, 16, 32});
  kernels::naive::subsample_pad<float>(y.tensor(), x.tensor(), 2);
  TestTensor<float> from(device, x), to(device, y.dims()), back(device, x.dims());
  ASSERT_OK(gt_subsample_pad(device.stream(), to, from, 2));
  expect_same_bits(to.read(), y);
  kernels::naive::subsample_pad_backward<float>(x.tensor(), y.tensor(), 2);
  ASSERT_OK(gt_subsample_pad_backward(device.stream(), back, to, 2));
  expect_same_bits(back.read(), x);
}

TEST_F(MovementTest, RefusesWrongArguments) {
  gt_stream stream = device.stream();
  TestTensor<float> a(device, Dims{2, 3}), b(device, Dims{3, 2}), scalar(device, Dims{});
  TestTensor<double> d(device, Dims{3, 2});
  TestTensor<int32_t> i(device, Dims{1, 2, 2, 1});
  EXPECT_REFUSED(gt_fill(stream, nullptr, 0), GT_INVALID_ARGUMENT, "[fill] y is NULL");
  EXPECT_REFUSED(gt_fill(nullptr, a, 0), GT_INVALID_ARGUMENT, "[fill] stream is NULL");
  EXPECT_REFUSED(gt_copy(stream, a, nullptr), GT_INVALID_ARGUMENT, "[copy] x is NULL");
  EXPECT_REFUSED(gt_copy(stream, a, scalar), GT_INVALID_ARGUMENT,
                 "element counts differ: y is f32 (2, 3), x is f32 ()");
  const int32_t swap[] = {1, 0}, twice[] = {1, 1}, outside[] = {2, 0}, negative[] = {-1, 0};
  EXPECT_REFUSED(gt_permute(stream, a, b, twice, 2), GT_INVALID_ARGUMENT,
                 "axes must be a permutation of 0..1, but axes[1] is 1");
  EXPECT_REFUSED(gt_permute(stream, a, b, outside, 2), GT_INVALID_ARGUMENT, "axes[0] is 2");
  EXPECT_REFUSED(gt_permute(stream, a, b, negative, 2), GT_INVALID_ARGUMENT, "axes[0] is -1");
  EXPECT_REFUSED(gt_permute(stream, a, b, nullptr, 2), GT_INVALID_ARGUMENT, "axes is NULL");
  EXPECT_REFUSED(gt_permute(stream, a, b, swap, 1), GT_INVALID_ARGUMENT, "rank 1");
  EXPECT_REFUSED(gt_permute(stream, a, d, swap, 2), GT_INVALID_ARGUMENT, "y must be f64");
  EXPECT_REFUSED(gt_permute(stream, a, a, swap, 2), GT_INVALID_ARGUMENT,
                 "y.dims[0] must be x.dims[1]: y is f32 (2, 3), x is f32 (2, 3)");
  TestTensor<float> x(device, Dims{1, 5, 4, 3}), y(device, Dims{1, 3, 2, 4});
  EXPECT_REFUSED(gt_subsample_pad(stream, y, x, 0), GT_INVALID_ARGUMENT, "stride");
  EXPECT_REFUSED(gt_subsample_pad(stream, y, x, 3), GT_INVALID_ARGUMENT,
                 "y must be f32 (1, 2, 2, 4), but is f32 (1, 3, 2, 4)");
  EXPECT_REFUSED(gt_subsample_pad(stream, y, i, 2), GT_INVALID_ARGUMENT,
                 "x must be f32, f64 or bf16, but is i32");
  TestTensor<float> few(device, Dims{1, 3, 2, 2});
  EXPECT_REFUSED(gt_subsample_pad(stream, few, x, 2), GT_INVALID_ARGUMENT,
                 "at least the 3 channels");
  EXPECT_REFUSED(gt_subsample_pad_backward(stream, x, few, 2), GT_INVALID_ARGUMENT,
                 "[subsample_pad_backward] dy must have at least");
  EXPECT_REFUSED(gt_subsample_pad(stream, a, x, 2), GT_INVALID_ARGUMENT, "y must have rank 4");
}

TEST_F(MovementTest, RefusesWrongSlices) {
  gt_stream stream = device.stream();
  TestTensor<float> x(device, Dims{2, 5}), y(device, Dims{2, 3}), other(device, Dims{3, 3}),
      scalar(device, Dims{});
  TestTensor<int32_t> i(device, Dims{2, 3});
  EXPECT_REFUSED(gt_slice(stream, y, nullptr, 1, 0), GT_INVALID_ARGUMENT, "[slice] x is NULL");
  EXPECT_REFUSED(gt_slice(stream, i, x, 1, 0), GT_INVALID_ARGUMENT, "[slice] y must be f32");
  EXPECT_REFUSED(gt_slice(stream, scalar, x, 1, 0), GT_INVALID_ARGUMENT, "y must have rank 2");
  EXPECT_REFUSED(gt_slice(stream, scalar, scalar, 0, 0), GT_INVALID_ARGUMENT, "axis must be");
  EXPECT_REFUSED(gt_slice(stream, y, x, 2, 0), GT_INVALID_ARGUMENT,
                 "axis must be 0..1 for x f32 (2, 5), but is 2");
  EXPECT_REFUSED(gt_slice(stream, y, x, -1, 0), GT_INVALID_ARGUMENT, "but is -1");
  EXPECT_REFUSED(gt_slice(stream, other, x, 1, 0), GT_INVALID_ARGUMENT,
                 "may differ along axis 1 alone: y is f32 (3, 3), x is f32 (2, 5)");
  EXPECT_REFUSED(gt_slice(stream, x, y, 1, 0), GT_INVALID_ARGUMENT, "y must not be longer than x");
  EXPECT_REFUSED(gt_slice(stream, y, x, 1, 3), GT_INVALID_ARGUMENT,
                 "begin must be 0..2 for y f32 (2, 3) and x f32 (2, 5), but is 3");
  EXPECT_REFUSED(gt_slice(stream, y, x, 1, INT64_MIN), GT_INVALID_ARGUMENT, "begin must be 0..2");
  EXPECT_REFUSED(gt_slice(stream, y, x, 1, INT64_MAX), GT_INVALID_ARGUMENT, "begin must be 0..2");
  EXPECT_REFUSED(gt_slice(stream, x, x, 1, 0), GT_INVALID_ARGUMENT, "share memory");
}

TEST_F(MovementTest, RefusesWrongConcatenations) {
  gt_stream stream = device.stream();
  TestTensor<float> a(device, Dims{2, 3}), b(device, Dims{2, 2}), y(device, Dims{2, 6}),
      other(device, Dims{3, 2});
  TestTensor<int32_t> i(device, Dims{2, 3});
  const gt_tensor good[] = {a, b}, null[] = {a, nullptr}, type[] = {a, i}, shape[] = {a, other},
                  many[] = {a, b, b}, self[] = {a, y};
  EXPECT_OK(gt_concat(stream, y, good, 2, 1, 0));
  EXPECT_OK(gt_concat(stream, y, good, 2, 1, 1));
  EXPECT_REFUSED(gt_concat(stream, nullptr, good, 2, 1, 0), GT_INVALID_ARGUMENT, "y is NULL");
  EXPECT_REFUSED(gt_concat(stream, y, nullptr, 2, 1, 0), GT_INVALID_ARGUMENT, "inputs is NULL");
  EXPECT_REFUSED(gt_concat(stream, y, good, 0, 1, 0), GT_INVALID_ARGUMENT,
                 "there must be 1..32 inputs, but are 0");
  EXPECT_REFUSED(gt_concat(stream, y, good, -1, 1, 0), GT_INVALID_ARGUMENT, "but are -1");
  TestTensor<float> long_y(device, Dims{2, 99});
  const std::vector<gt_tensor> most(33, a);
  EXPECT_OK(gt_concat(stream, long_y, most.data(), 32, 1, 0));
  EXPECT_REFUSED(gt_concat(stream, long_y, most.data(), 33, 1, 0), GT_INVALID_ARGUMENT,
                 "there must be 1..32 inputs, but are 33");
  EXPECT_REFUSED(gt_concat(stream, y, null, 2, 1, 0), GT_INVALID_ARGUMENT, "inputs[1] is NULL");
  EXPECT_REFUSED(gt_concat(stream, y, type, 2, 1, 0), GT_INVALID_ARGUMENT, "inputs[1] must be f32");
  EXPECT_REFUSED(gt_concat(stream, y, shape, 2, 1, 0), GT_INVALID_ARGUMENT,
                 "inputs[1] and y may differ along axis 1 alone: inputs[1] is f32 (3, 2), y is f32 "
                 "(2, 6)");
  EXPECT_REFUSED(gt_concat(stream, y, many, 3, 1, 0), GT_INVALID_ARGUMENT,
                 "inputs[2] is f32 (2, 2), but y f32 (2, 6) has room for 1 along axis 1");
  EXPECT_REFUSED(gt_concat(stream, y, good, 2, 2, 0), GT_INVALID_ARGUMENT, "axis must be 0..1");
  EXPECT_REFUSED(gt_concat(stream, y, good, 2, 1, 2), GT_INVALID_ARGUMENT,
                 "begin must be 0..1 for y f32 (2, 6), but is 2");
  EXPECT_REFUSED(gt_concat(stream, y, good, 2, 1, -1), GT_INVALID_ARGUMENT, "but is -1");
  EXPECT_REFUSED(gt_concat(stream, y, self, 2, 1, 0), GT_INVALID_ARGUMENT, "share memory");
}

TEST_F(MovementTest, RefusesMemoryThatOverlaps) {
  gt_buffer buffer;
  gt_tensor low, high, low64;
  const int64_t dims[] = {2, 4};
  ASSERT_OK(gt_buffer_create(&buffer, device.device(), 64, GT_MEMORY_DEVICE));
  ASSERT_OK(gt_tensor_create(&low, buffer, 0, GT_F32, 2, dims));
  ASSERT_OK(gt_tensor_create(&high, buffer, 4, GT_F32, 2, dims));
  ASSERT_OK(gt_tensor_create(&low64, buffer, 0, GT_F64, 2, dims));
  EXPECT_REFUSED(gt_copy(device.stream(), low, high), GT_INVALID_ARGUMENT,
                 "[copy] y and x share part of their memory");
  EXPECT_REFUSED(gt_copy(device.stream(), low, low64), GT_INVALID_ARGUMENT, "share memory");
  EXPECT_OK(gt_copy(device.stream(), low, low));
  const int32_t axes[] = {0, 1};
  EXPECT_REFUSED(gt_permute(device.stream(), low, low, axes, 2), GT_INVALID_ARGUMENT,
                 "share memory");
  gt_tensor_destroy(low);
  gt_tensor_destroy(high);
  gt_tensor_destroy(low64);
  gt_buffer_destroy(buffer);
}

}  // namespace
}  // namespace gatun::test
