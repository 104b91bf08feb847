#include "kernels/activate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <limits>
#include <vector>

#include "kernels/activate_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::Function;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

const Function kAll[] = {Function::LEAKY_RELU, Function::ELU,  Function::GELU,
                         Function::GELU_TANH,  Function::SILU, Function::SOFTPLUS};

double parameter_of(Function f) {
  return f == Function::LEAKY_RELU ? 0.01 : f == Function::ELU ? 1.5 : 0;
}

// Numbers of every magnitude and sign, and the ends of the ranges.
Array<float> numbers_of_every_size() {
  std::vector<float> numbers = {0.0f, -0.0f, 1000.0f, -1000.0f, FLT_MAX, -FLT_MAX, FLT_MIN};
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4079) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnormal(x)) numbers.push_back(x);
  }
  for (float x = -100; x < 100; x += 0.0078125f) numbers.push_back(x);
  return Array<float>({static_cast<int64_t>(numbers.size())}, numbers);
}

TEST(Activate, IsAccurateOnEveryLevel) {
  TestDevice device(2);
  const Array<float> x = numbers_of_every_size();
  TestTensor<float> input(device, x), output(device, x.dims());
  for_each_simd_level([&](const char*) {
    for (const Function f : kAll) {
      const auto p = static_cast<float>(parameter_of(f));
      ASSERT_OK(gt_activate(device.stream(), output, input, static_cast<int32_t>(f), p));
      const Array<float> y = output.read();
      for (int64_t i = 0; i < x.count(); ++i) {
        const auto expected = static_cast<float>(kernels::naive::apply(f, x[i], p));
        if (std::abs(expected) < 2e-36 && std::abs(y[i]) < 2e-36) continue;
        // Exponents far below 0 are rounded, and multiply the error of what they are made of.
        const int64_t allowed =
            8 + (x[i] < 0 ? static_cast<int64_t>(std::min(2000.0f, 4 * x[i] * x[i])) : 0);
        ASSERT_LE(ulps(y[i], expected), allowed)
            << "function " << static_cast<int>(f) << " of " << x[i] << " is " << y[i]
            << ", expected " << expected;
      }
    }
  });
}

TEST(Activate, SlopesAreAccurateOnEveryLevel) {
  TestDevice device(2);
  const Array<float> x = numbers_of_every_size();
  TestTensor<float> input(device, x), slopes(device, x.dims()),
      ones(device, Array<float>(x.dims(), 1));
  for_each_simd_level([&](const char*) {
    for (const Function f : kAll) {
      const auto p = static_cast<float>(parameter_of(f));
      ASSERT_OK(
          gt_activate_backward(device.stream(), slopes, ones, input, static_cast<int32_t>(f), p));
      const Array<float> y = slopes.read();
      for (int64_t i = 0; i < x.count(); ++i) {
        const double expected = kernels::naive::slope(f, x[i], p);
        // Where |x| is great, slopes are 0 or 1.
        ASSERT_NEAR(y[i], expected,
                    1e-6 * std::max(1.0, std::min(10.0, std::abs(static_cast<double>(x[i])))))
            << "function " << static_cast<int>(f) << " at " << x[i];
      }
    }
  });
}

TEST(Activate, IsStableFarOut) {
  TestDevice device(1);
  const std::vector<float> x = {-kInf, -1000, 0, 1000, kInf, kNaN};
  TestTensor<float> input(device, Array<float>({6}, x)), output(device, Dims{6}),
      ones(device, Array<float>({6}, 1));
  const auto expect = [&](Function f, const std::vector<float>& value,
                          const std::vector<float>& slope) {
    const auto code = static_cast<int32_t>(f);
    const double p = parameter_of(f);
    ASSERT_OK(gt_activate(device.stream(), output, input, code, p));
    const Array<float> y = output.read();
    ASSERT_OK(gt_activate_backward(device.stream(), output, ones, input, code, p));
    const Array<float> d = output.read();
    for (int i = 0; i < 6; ++i) {
      EXPECT_LE(ulps(y[i], value[i]), 1) << x[i] << " gives " << y[i];
      EXPECT_LE(ulps(d[i], slope[i]), 1) << "slope " << d[i] << " at " << x[i];
    }
  };
  for_each_simd_level([&](const char*) {
    expect(Function::LEAKY_RELU, {-kInf, -10, 0, 1000, kInf, kNaN},
           {0.01f, 0.01f, 0.01f, 1, 1, kNaN});
    expect(Function::ELU, {-1.5, -1.5, 0, 1000, kInf, kNaN}, {0, 0, 1.5, 1, 1, kNaN});
    expect(Function::GELU, {-0.0f, -0.0f, 0, 1000, kInf, kNaN}, {0, 0, 0.5, 1, 1, kNaN});
    expect(Function::GELU_TANH, {-0.0f, -0.0f, 0, 1000, kInf, kNaN}, {0, 0, 0.5, 1, 1, kNaN});
    expect(Function::SILU, {-0.0f, -0.0f, 0, 1000, kInf, kNaN}, {0, 0, 0.5, 1, 1, kNaN});
    expect(Function::SOFTPLUS, {0, 0, 0.693147181f, 1000, kInf, kNaN}, {0, 0, 0.5, 1, 1, kNaN});
  });
}

// Tails of every length, more than one task, in place.
TEST(Activate, TouchesItsElementsOnly) {
  for_each_simd_level([&](const char*) {
    for (const int64_t count : {0, 1, 3, 5, 16, 33, 40'007}) {
      for (const Function f : kAll) {
        const Array<float> x = random_array<float>({count + 1}, 7, -3, 3);
        Array<float> y = x;
        Tensor part = y.tensor();
        part.dims[0] = part.count = count;
        SerialLauncher launcher;
        kernels::activate(launcher, part, part, f, 0.5);
        for (int64_t i = 0; i < count; ++i) {
          ASSERT_NEAR(y[i], kernels::naive::apply(f, x[i], 0.5), 2e-6);
        }
        ASSERT_EQ(y[count], x[count]);
      }
    }
  });
}

TEST(Activate, RunsInF64) {
  TestDevice device(3);
  const Array<double> x = random_array<double>({33'000}, 3, -4, 4);
  TestTensor<double> input(device, x), output(device, x.dims());
  for (const Function f : kAll) {
    ASSERT_OK(gt_activate(device.stream(), output, input, static_cast<int32_t>(f), 0.5));
    const Array<double> y = output.read();
    ASSERT_OK(
        gt_activate_backward(device.stream(), output, input, input, static_cast<int32_t>(f), 0.5));
    const Array<double> d = output.read();
    for (int64_t i = 0; i < x.count(); ++i) {
      ASSERT_EQ(y[i], kernels::naive::apply(f, x[i], 0.5));
      ASSERT_EQ(d[i], x[i] * kernels::naive::slope(f, x[i], 0.5));
    }
  }
}

TEST(Activate, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> y(device, Dims{2, 3}), row(device, Dims{3});
  TestTensor<int32_t> i(device, Dims{2, 3});
  EXPECT_REFUSED(gt_activate(s, nullptr, y, 0, 0), GT_INVALID_ARGUMENT, "[activate] y is NULL");
  EXPECT_REFUSED(gt_activate(s, y, y, 6, 0), GT_INVALID_ARGUMENT,
                 "function must be 0..5, but is 6");
  EXPECT_REFUSED(gt_activate(s, y, y, 0, kInf), GT_INVALID_ARGUMENT, "parameter must be finite");
  EXPECT_REFUSED(gt_activate(s, y, row, 0, 0), GT_INVALID_ARGUMENT, "shapes differ");
  EXPECT_REFUSED(gt_activate(s, i, i, 0, 0), GT_INVALID_ARGUMENT, "y must be f32, f64 or bf16");
  EXPECT_REFUSED(gt_activate_backward(s, y, row, y, 0, 0), GT_INVALID_ARGUMENT, "shapes differ");
}

}  // namespace
}  // namespace gatun::test
