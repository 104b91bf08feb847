#include "kernels/matmul.h"

#include "kernels/matmul_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::MatmulLayout;

struct Shape {
  int64_t M, N, K;
};

// Tiny, empty, ends inside vectors and tiles, more than one pass of depth and block of columns,
// rows that collide in L1, depth in parts, rows beside those of one task; on every path.
const Shape kShapes[] = {
    {0, 3, 2},       {3, 0, 2},       {3, 4, 0},        {1, 1, 1},      {2, 3, 5},
    {5, 16, 3},      {14, 32, 7},     {15, 33, 8},      {29, 31, 64},   {17, 10, 256},
    {32, 10, 84},    {6, 128, 65},    {171, 48, 70},    {33, 200, 800}, {1, 300, 400},
    {40, 7, 900},    {200, 1, 33},    {64, 96, 512},    {260, 20, 520}, {29, 1100, 512},
    {140, 9, 1100},  {9, 21, 4100},   {3, 64, 5000},    {97, 65, 1030}, {49, 70, 32},
    {211, 540, 300}, {97, 1290, 260}, {50, 1290, 1030}, {70, 65, 2100}};
const MatmulLayout kLayouts[] = {{false, false}, {true, false}, {false, true}, {true, true}};

struct Operands {
  Array<float> a, b, bias;

  Operands(Shape s, MatmulLayout layout)
      : a(random_array<float>(layout.transpose_a ? Dims{s.K, s.M} : Dims{s.M, s.K}, 1)),
        b(random_array<float>(layout.transpose_b ? Dims{s.N, s.K} : Dims{s.K, s.N}, 2)),
        bias(random_array<float>({s.N}, 3)) {}
};

Array<double> in_double(Array<float>& a) {
  Array<double> d(a.dims());
  for (int64_t i = 0; i < a.count(); ++i) d[i] = a[i];
  return d;
}

Array<float> product(Shape s, Operands& o, MatmulLayout layout, bool bias, Activation activation,
                     int workers) {
  SerialLauncher launcher(workers);
  Array<float> y({s.M, s.N}, NAN);
  const Tensor tb = o.bias.tensor();
  kernels::matmul(launcher, y.tensor(), o.a.tensor(), o.b.tensor(), bias ? &tb : nullptr, layout,
                  activation);
  return y;
}

TEST(Matmul, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Shape s : kShapes) {
    for (const MatmulLayout layout : kLayouts) {
      Operands o(s, layout);
      auto a = in_double(o.a), b = in_double(o.b), bias = in_double(o.bias);
      const Tensor tb = bias.tensor();
      for (const bool fused : {false, true}) {
        SCOPED_TRACE(testing::Message() << s.M << "x" << s.N << "x" << s.K << " "
                                        << layout.transpose_a << layout.transpose_b << fused);
        const auto activation = fused ? Activation::RELU : Activation::NONE;
        Array<double> expected({s.M, s.N});
        SerialLauncher launcher;
        kernels::naive::matmul<double>(launcher, expected.tensor(), a.tensor(), b.tensor(),
                                       fused ? &tb : nullptr, layout, activation);
        for_each_simd_level([&](const char*) {
          const auto y = product(s, o, layout, fused, activation, 1);
          // Sums of K products below 1, each addition rounding by half a unit of a sum that random
          // signs keep near sqrt(K).
          expect_close(y, expected, 0, 4 * 6e-8 * (s.K + 4.0));
          for (const int workers : {2, 3, 16}) {
            expect_same_bits(product(s, o, layout, fused, activation, workers), y);
          }
        });
      }
    }
  }
}

TEST(Matmul, AgreesWithPlainLoopsOnBf16) {
  for (const Shape s : kShapes) {
    for (const MatmulLayout layout : kLayouts) {
      Operands o(s, layout);
      const auto rounded = [](Array<float>& from) {
        Array<Bf16> to(from.dims());
        for (int64_t i = 0; i < from.count(); ++i) {
          to[i] = to_bf16(from[i]);
          from[i] = to_float(to[i]);
        }
        return to;
      };
      auto a = rounded(o.a), b = rounded(o.b), bias = rounded(o.bias);
      auto exact_a = in_double(o.a), exact_b = in_double(o.b), exact_bias = in_double(o.bias);
      const Tensor tb = bias.tensor(), exact_tb = exact_bias.tensor();
      for (const bool fused : {false, true}) {
        SCOPED_TRACE(testing::Message() << s.M << "x" << s.N << "x" << s.K << " "
                                        << layout.transpose_a << layout.transpose_b << fused);
        const auto activation = fused ? Activation::RELU : Activation::NONE;
        Array<double> expected({s.M, s.N});
        SerialLauncher plain;
        kernels::naive::matmul<double>(plain, expected.tensor(), exact_a.tensor(), exact_b.tensor(),
                                       fused ? &exact_tb : nullptr, layout, activation);
        for_each_simd_level([&](const char*) {
          const auto multiply = [&](int workers) {
            SerialLauncher launcher(workers);
            Array<Bf16> y({s.M, s.N}, to_bf16(NAN));
            kernels::matmul(launcher, y.tensor(), a.tensor(), b.tensor(), fused ? &tb : nullptr,
                            layout, activation);
            return y;
          };
          const Array<Bf16> y = multiply(1);
          for (int64_t i = 0; i < y.count(); ++i) {
            ASSERT_NEAR(to_float(y.data()[i]), expected[i],
                        std::abs(expected[i]) * 0x1p-8 + 4 * 6e-8 * (s.K + 4.0))
                << "element " << i;
          }
          expect_same_bits(multiply(3), y);
        });
      }
    }
  }
}

// On every path: direct, depth in parts, dots and packed.
TEST(Matmul, ReluKeepsNan) {
  struct Case {
    Shape s;
    MatmulLayout layout;
  };
  for (const auto& [s, layout] : {Case{{3, 20, 4}, {}}, Case{{3, 20, 4100}, {}},
                                  Case{{3, 21, 40}, {false, true}}, Case{{97, 65, 260}, {}}}) {
    SCOPED_TRACE(testing::Message() << s.M << "x" << s.N << "x" << s.K);
    Operands o(s, layout);
    o.a[s.K] = NAN;
    for_each_simd_level([&](const char*) {
      const auto y = product(s, o, layout, true, Activation::RELU, 1);
      for (int64_t j = 0; j < s.N; ++j) {
        EXPECT_TRUE(std::isnan(y[s.N + j]));
        EXPECT_GE(y[j], 0);
      }
    });
  }
}

TEST(Matmul, RunsInDoubleAndOnThreads) {
  const Shape s{37, 29, 50};
  for (const MatmulLayout layout : kLayouts) {
    Operands o(s, layout);
    auto a = in_double(o.a), b = in_double(o.b);
    Array<double> expected({s.M, s.N});
    SerialLauncher launcher;
    kernels::naive::matmul<double>(launcher, expected.tensor(), a.tensor(), b.tensor(), nullptr,
                                   layout, Activation::NONE);
    const auto one_worker = product(s, o, layout, false, Activation::NONE, 1);
    for (const int threads : {1, 2, 3}) {
      TestDevice device(threads);
      const TestTensor<double> ta(device, a), tb(device, b), ty(device, {s.M, s.N});
      EXPECT_OK(gt_matmul(device.stream(), ty, ta, tb, nullptr, layout.transpose_a,
                          layout.transpose_b, GT_ACTIVATION_NONE));
      expect_same_bits(ty.read(), expected);
      const TestTensor<float> fa(device, o.a), fb(device, o.b), fy(device, {s.M, s.N});
      EXPECT_OK(gt_matmul(device.stream(), fy, fa, fb, nullptr, layout.transpose_a,
                          layout.transpose_b, GT_ACTIVATION_NONE));
      expect_same_bits(fy.read(), one_worker);
    }
  }
}

TEST(Matmul, DoesNotDependOnThreads) {
  // Dots in blocks of rows and depth, depth in parts, packed in one and in more passes and blocks
  // of columns, direct.
  for (const Shape s : {Shape{140, 70, 1100},
                        {9, 21, 4100},
                        {211, 540, 300},
                        {300, 97, 1030},
                        {97, 1290, 1030},
                        {64, 96, 200}}) {
    for (const MatmulLayout layout : kLayouts) {
      Operands o(s, layout);
      const auto expected = product(s, o, layout, true, Activation::RELU, 1);
      for (const int threads : {1, 2, 3}) {
        TestDevice device(threads);
        const TestTensor<float> a(device, o.a), b(device, o.b), bias(device, o.bias),
            y(device, {s.M, s.N});
        EXPECT_OK(gt_matmul(device.stream(), y, a, b, bias, layout.transpose_a, layout.transpose_b,
                            GT_ACTIVATION_RELU));
        expect_same_bits(y.read(), expected);
      }
    }
  }
}

TEST(Matmul, RefusesWhatDoesNotFit) {
  TestDevice device;
  const auto stream = device.stream();
  const TestTensor<float> a(device, {2, 3}), b(device, {3, 4}), y(device, {2, 4}),
      bias(device, {4}), vector(device, {3}), wide(device, {2, 5});
  const TestTensor<double> real(device, {3, 4});
  const TestTensor<int32_t> whole(device, {3, 4});
  EXPECT_OK(gt_matmul(stream, y, a, b, bias, 0, 0, 0));
  EXPECT_REFUSED(gt_matmul(stream, y, a, nullptr, bias, 0, 0, 0), GT_INVALID_ARGUMENT, "b is NULL");
  EXPECT_REFUSED(gt_matmul(stream, y, a, vector, bias, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "b must have rank 2");
  EXPECT_REFUSED(gt_matmul(stream, y, a, b, bias, 1, 0, 0), GT_INVALID_ARGUMENT,
                 "a^T has 2 columns, b has 3 rows");
  EXPECT_REFUSED(gt_matmul(stream, y, a, b, bias, 0, 1, 0), GT_INVALID_ARGUMENT,
                 "a has 3 columns, b^T has 4 rows");
  EXPECT_REFUSED(gt_matmul(stream, wide, a, b, bias, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "y must be f32 (2, 4)");
  EXPECT_REFUSED(gt_matmul(stream, y, a, b, vector, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "bias must be f32 (4)");
  EXPECT_REFUSED(gt_matmul(stream, y, a, real, bias, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "dtypes differ");
  EXPECT_REFUSED(gt_matmul(stream, y, a, whole, bias, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "b must be f32, f64 or bf16");
  EXPECT_REFUSED(gt_matmul(stream, y, a, b, bias, 0, 0, 2), GT_INVALID_ARGUMENT, "activation");
  const TestTensor<float> square(device, {3, 3});
  EXPECT_REFUSED(gt_matmul(stream, square, square, square, nullptr, 0, 0, 0), GT_INVALID_ARGUMENT,
                 "share memory");
}

}  // namespace
}  // namespace gatun::test
