#include "kernels/conv_epilogue.h"

#include "kernels/conv.h"
#include "kernels/conv_epilogue_naive.h"
#include "kernels/conv_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::Epilogue;
constexpr auto kAuto = kernels::ConvAlgorithm::AUTO;

// A convolution's result, and what its epilogue reads and writes.
struct Case {
  Dims dims;
  int64_t channels() const { return dims[3]; }
  int64_t pixels() const { return dims[0] * dims[1] * dims[2]; }
};

const Case kCases[] = {{{1, 1, 1, 1}},  {{3, 5, 7, 3}},     {{2, 32, 32, 16}}, {{70, 8, 8, 16}},
                       {{5, 8, 8, 64}}, {{2, 7, 7, 2049}},  {{1, 56, 56, 24}}, {{300, 1, 1, 5}},
                       {{2, 6, 6, 32}}, {{2, 3, 200, 160}}, {{0, 4, 4, 8}}};

template <typename T, typename U>
Array<T> convert(const Array<U>& from) {
  Array<T> to(from.dims());
  for (int64_t i = 0; i < from.count(); ++i) to[i] = static_cast<T>(from[i]);
  return to;
}

template <typename T>
struct Operands {
  Array<T> y, addend, gate, x, mean, moments, sums;

  explicit Operands(const Case& c)
      : y(random_array<T>(c.dims, 1)),
        addend(random_array<T>(c.dims, 2)),
        gate(random_array<T>(c.dims, 3)),
        x(random_array<T>(c.dims, 4)),
        mean(random_array<T>({c.channels()}, 5)),
        moments({2, c.channels()}, NAN),
        sums({2, c.channels()}, NAN) {}
};

template <typename T>
Operands<T> run(const Case& c, bool summed, bool changed, int workers) {
  Operands<T> r(c);
  const Tensor addend = r.addend.tensor(), gate = r.gate.tensor(), x = r.x.tensor(),
               mean = r.mean.tensor(), moments = r.moments.tensor(), sums = r.sums.tensor();
  Epilogue e;
  if (changed) {
    e.addend = &addend;
    e.activation = Activation::RELU;
    e.gate = &gate;
  }
  if (summed) {
    e.sums = &sums;
    e.norm_x = &x;
    e.norm_mean = &mean;
  } else {
    e.moments = &moments;
  }
  SerialLauncher launcher(workers);
  kernels::run_epilogue(launcher, r.y.tensor(), e);
  return r;
}

TEST(ConvEpilogue, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message()
                 << c.dims[0] << "x" << c.dims[1] << "x" << c.dims[2] << "x" << c.dims[3]);
    for (const bool summed : {false, true}) {
      if (!summed && c.pixels() == 0) continue;  // refused by the ABI
      for (const bool changed : {false, true}) {
        // The values are exact in f32, so the sums differ by the rounding of f32 tiles alone.
        Operands<double> expected(c);
        const Operands<float> given(c);
        expected.y = convert<double>(given.y);
        expected.addend = convert<double>(given.addend);
        expected.gate = convert<double>(given.gate);
        expected.x = convert<double>(given.x);
        expected.mean = convert<double>(given.mean);
        const Tensor addend = expected.addend.tensor(), gate = expected.gate.tensor(),
                     x = expected.x.tensor(), mean = expected.mean.tensor(),
                     moments = expected.moments.tensor(), sums = expected.sums.tensor();
        Epilogue e;
        if (changed) {
          e.addend = &addend;
          e.activation = Activation::RELU;
          e.gate = &gate;
        }
        if (summed) {
          e.sums = &sums;
          e.norm_x = &x;
          e.norm_mean = &mean;
        } else {
          e.moments = &moments;
        }
        SerialLauncher launcher(1);
        kernels::run_epilogue(launcher, expected.y.tensor(), e);
        for_each_simd_level([&](const char*) {
          const auto fast = run<float>(c, summed, changed, 1);
          expect_close(fast.y, expected.y, 0, 1e-6);
          // A sum of n values below 2 in size: sqrt(n) roundings of sums of size sqrt(n).
          const double n = static_cast<double>(c.pixels());
          if (summed) {
            expect_close(fast.sums, expected.sums, 0, 1e-6 * (n + 4));
          } else {
            expect_close(fast.moments, expected.moments, 0, 1e-6);
          }
          for (const int workers : {2, 3, 16}) {
            const auto again = run<float>(c, summed, changed, workers);
            expect_same_bits(again.y, fast.y);
            expect_same_bits(again.sums, fast.sums);
            expect_same_bits(again.moments, fast.moments);
          }
        });
      }
    }
  }
}

// Max would make a zero of it.
TEST(ConvEpilogue, ReluKeepsNaN) {
  for_each_simd_level([](const char*) {
    const Dims dims{1, 1, 3, 7};
    Array<float> y = random_array<float>(dims, 1), addend = random_array<float>(dims, 2);
    addend[3] = y[20] = NAN;
    const Tensor added = addend.tensor();
    SerialLauncher launcher;
    kernels::run_epilogue(launcher, y.tensor(), {.addend = &added, .activation = Activation::RELU});
    for (int64_t i = 0; i < y.count(); ++i) EXPECT_EQ(std::isnan(y[i]), i == 3 || i == 20) << i;
  });
}

// Every path of the convolution finishes its result in the same way.
TEST(ConvEpilogue, FollowsEveryConvolution) {
  struct Shape {
    Dims x, w;
    kernels::ConvGeometry g;
  };
  const Shape shapes[] = {{{3, 9, 8, 16}, {16, 3, 3, 16}, {1, 1, 1, 1}},
                          {{2, 9, 7, 5}, {40, 3, 3, 5}, {2, 2, 1, 1}},
                          {{5, 6, 6, 24}, {72, 1, 1, 24}, {1, 1, 0, 0}},
                          {{2, 7, 7, 8}, {16, 1, 1, 8}, {2, 2, 0, 0}},
                          {{1, 40, 30, 3}, {64, 7, 7, 3}, {2, 2, 3, 3}},
                          {{9, 4, 4, 128}, {130, 3, 3, 128}, {1, 1, 1, 1}},
                          // Channels that are summed in several blocks.
                          {{2, 5, 5, 1400}, {70, 1, 1, 1400}, {1, 1, 0, 0}},
                          {{1, 7, 5, 200}, {20, 3, 3, 200}, {2, 2, 1, 1}}};
  for (const Shape& s : shapes) {
    auto x = random_array<float>(s.x, 1), w = random_array<float>(s.w, 2),
         bias = random_array<float>({s.w[0]}, 3);
    const Dims dims{s.x[0], (s.x[1] + 2 * s.g.pad_h - s.w[1]) / s.g.stride_h + 1,
                    (s.x[2] + 2 * s.g.pad_w - s.w[2]) / s.g.stride_w + 1, s.w[0]};
    auto addend = random_array<float>(dims, 4);
    SCOPED_TRACE(testing::Message() << s.w[0] << " filters " << s.w[1] << "x" << s.w[2]);

    Array<float> bare(dims), y(dims), moments({2, s.w[0]}), expected_moments({2, s.w[0]});
    const Tensor tbias = bias.tensor(), tadded = addend.tensor(), tmoments = moments.tensor(),
                 tmoments2 = expected_moments.tensor();
    SerialLauncher launcher(2);
    kernels::conv2d(launcher, bare.tensor(), x.tensor(), w.tensor(), &tbias, s.g, {}, kAuto);
    kernels::run_epilogue(
        launcher, bare.tensor(),
        {.addend = &tadded, .activation = Activation::RELU, .moments = &tmoments2});
    kernels::conv2d(launcher, y.tensor(), x.tensor(), w.tensor(), &tbias, s.g,
                    {.addend = &tadded, .activation = Activation::RELU, .moments = &tmoments},
                    kAuto);
    expect_close(y, bare, 0, 1e-4);
    expect_close(moments, expected_moments, 1e-5, 1e-5);

    auto dy = random_array<float>(dims, 5), gate = random_array<float>(s.x, 6),
         other = random_array<float>(s.x, 7), mean = random_array<float>({s.x[3]}, 8);
    Array<float> bare_dx(s.x), dx(s.x), sums({2, s.x[3]}), expected_sums({2, s.x[3]});
    const Tensor tgate = gate.tensor(), tx = x.tensor(), tmean = mean.tensor(),
                 tother = other.tensor(), tsums = sums.tensor(), tsums2 = expected_sums.tensor();
    kernels::conv2d_backward_data(launcher, bare_dx.tensor(), dy.tensor(), w.tensor(), s.g, {},
                                  kAuto);
    Epilogue e{
        .addend = &tother, .gate = &tgate, .sums = &tsums2, .norm_x = &tx, .norm_mean = &tmean};
    kernels::run_epilogue(launcher, bare_dx.tensor(), e);
    e.sums = &tsums;
    kernels::conv2d_backward_data(launcher, dx.tensor(), dy.tensor(), w.tensor(), s.g, e, kAuto);
    expect_close(dx, bare_dx, 0, 1e-4);
    expect_close(sums, expected_sums, 1e-4, 1e-2);
    Array<float> again(s.x);
    SerialLauncher more(7);
    kernels::conv2d_backward_data(more, again.tensor(), dy.tensor(), w.tensor(), s.g, e, kAuto);
    expect_same_bits(again, dx);
  }
}

}  // namespace
}  // namespace gatun::test
