#include "kernels/conv.h"
#include "kernels/conv_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::ConvGeometry;

struct Case {
  int64_t N, H, W, C, K, R, S;
  ConvGeometry g;

  int64_t P() const { return (H + 2 * g.pad_h - R) / g.stride_h + 1; }
  int64_t Q() const { return (W + 2 * g.pad_w - S) / g.stride_w + 1; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "x " << c.N << "," << c.H << "," << c.W << "," << c.C << " w " << c.K << "," << c.R
             << "," << c.S << " stride " << c.g.stride_h << "," << c.g.stride_w << " pad "
             << c.g.pad_h << "," << c.g.pad_w;
}

// A stride beyond memory.
constexpr int64_t kFar = 1 << 30;

const Case kCases[] = {
    {0, 5, 5, 3, 4, 3, 3, {1, 1, 1, 1}},      // no images
    {2, 5, 5, 3, 0, 3, 3, {1, 1, 1, 1}},      // no output channels
    {2, 5, 5, 0, 4, 3, 3, {1, 1, 1, 1}},      // no input channels
    {1, 1, 1, 1, 1, 1, 1, {1, 1, 0, 0}},      //
    {2, 1, 1, 5, 3, 3, 3, {1, 1, 1, 1}},      // the kernel is larger than the input
    {1, 2, 2, 3, 4, 5, 3, {2, 3, 4, 4}},      // windows that see padding alone
    {2, 4, 5, 6, 9, 1, 1, {1, 1, 1, 2}},      // more padding than the kernel reaches
    {3, 7, 5, 17, 19, 3, 3, {1, 1, 1, 1}},    // odd counts of channels and pixels
    {2, 9, 6, 8, 33, 3, 5, {2, 1, 1, 2}},     // strides and pads that differ
    {2, 11, 10, 5, 12, 4, 2, {3, 2, 0, 1}},   // pixels that no window of an even kernel sees
    {2, 6, 7, 3, 8, 2, 2, {3, 4, 0, 0}},      // strides beyond the kernel
    {3, 11, 9, 20, 8, 3, 2, {5, 4, 1, 0}},    //
    {2, 4, 4, 20, 8, 3, 3, {kFar, 4, 0, 0}},  //
    {2, 8, 9, 20, 24, 1, 1, {2, 2, 0, 0}},    // the projecting shortcut
    {5, 6, 5, 18, 35, 1, 1, {1, 1, 0, 0}},    // pointwise
    {1, 23, 19, 3, 64, 7, 7, {2, 2, 3, 3}},   // stem of ResNet
    {3, 32, 32, 16, 16, 3, 3, {1, 1, 1, 1}},  // layers of ResNet-20
    {2, 32, 32, 16, 32, 3, 3, {2, 2, 1, 1}},  //
    {9, 8, 8, 64, 64, 3, 3, {1, 1, 1, 1}},    //
    {40, 4, 4, 8, 16, 3, 3, {1, 1, 1, 1}},    // many small images
    {1, 7, 7, 130, 150, 3, 3, {1, 1, 1, 1}},  // one image, many channels
    {2, 3, 3, 600, 500, 1, 1, {1, 1, 0, 0}},  // a gradient too large for several groups
    {2, 1, 60, 5, 16, 1, 31, {1, 1, 0, 15}},  // one dimension
    {1, 3, 5, 32, 31, 1, 1, {1, 1, 0, 0}},    // fewer pixels than a tile of 16 has rows
    {1, 1, 17, 34, 48, 1, 1, {1, 1, 0, 0}},   // one more
    {3, 5, 11, 66, 49, 1, 1, {1, 1, 0, 0}},   // tasks that end inside a tile
    {1, 70, 65, 16, 16, 3, 3, {1, 1, 1, 1}},  // bands of one picture
    {2, 17, 33, 24, 20, 5, 3, {3, 2, 2, 1}},  // rows by their remainder
    {70, 2, 2, 31, 33, 3, 3, {1, 1, 1, 1}},   // pictures smaller than a tile
    {3, 9, 16, 32, 16, 3, 2, {1, 1, 2, 0}},   // pads of one axis alone
};

struct Numbers {  // bf16, and the same in f32
  Array<Bf16> stored;
  Array<float> wide;

  Numbers(const Dims& dims, int seed) : stored(dims), wide(random_array<float>(dims, seed)) {
    for (int64_t i = 0; i < wide.count(); ++i) {
      stored[i] = to_bf16(wide[i]);
      wide[i] = to_float(stored[i]);
    }
  }
};

struct Inputs {
  Numbers x, w, bias, dy;

  explicit Inputs(const Case& c)
      : x({c.N, c.H, c.W, c.C}, 1),
        w({c.K, c.R, c.S, c.C}, 2),
        bias({c.K}, 3),
        dy({c.N, c.P(), c.Q(), c.K}, 4) {}
};

struct Results {
  Array<Bf16> y, dx;
  Array<float> dw;
};

Results run(const Case& c, const Inputs& in, bool fused, int workers) {
  const Bf16 nan = to_bf16(NAN);
  Results r{Array<Bf16>({c.N, c.P(), c.Q(), c.K}, nan), Array<Bf16>({c.N, c.H, c.W, c.C}, nan),
            Array<float>({c.K, c.R, c.S, c.C}, NAN)};
  Inputs copy = in;
  const Tensor bias = copy.bias.stored.tensor();
  SerialLauncher forward(workers), data(workers), weights(workers);
  kernels::direct::conv2d(forward, r.y.tensor(), copy.x.stored.tensor(), copy.w.stored.tensor(),
                          fused ? &bias : nullptr, c.g,
                          {.activation = fused ? Activation::RELU : Activation::NONE});
  kernels::direct::conv2d_backward_data(data, r.dx.tensor(), copy.dy.stored.tensor(),
                                        copy.w.stored.tensor(), c.g, {});
  kernels::direct::conv2d_backward_weights(weights, r.dw.tensor(), copy.x.stored.tensor(),
                                           copy.dy.stored.tensor(), c.g);
  return r;
}

// One rounding to bf16 of a sum of n products below 1 whose f32 terms round 2^-24 each.
void expect_rounded(const Array<Bf16>& actual, const Array<float>& expected, int64_t n,
                    const char* what) {
  for (int64_t i = 0; i < expected.count(); ++i) {
    const float value = to_float(actual.data()[i]), exact = expected.data()[i];
    const double allowed = std::abs(exact) * 0x1p-8 + 4 * 6e-8 * static_cast<double>(n + 4);
    ASSERT_NEAR(value, exact, allowed) << what << " element " << i;
  }
}

void expect_agreement(const Case& c) {
  const Inputs in(c);
  for (const bool fused : {false, true}) {
    Inputs wide = in;
    const Tensor bias = wide.bias.wide.tensor();
    Array<float> y(in.dy.wide.dims()), dx(in.x.wide.dims()), dw(in.w.wide.dims());
    SerialLauncher launcher(1);
    kernels::naive::conv2d<float>(launcher, y.tensor(), wide.x.wide.tensor(), wide.w.wide.tensor(),
                                  fused ? &bias : nullptr, c.g,
                                  fused ? Activation::RELU : Activation::NONE);
    kernels::naive::conv2d_backward_data<float>(launcher, dx.tensor(), wide.dy.wide.tensor(),
                                                wide.w.wide.tensor(), c.g);
    kernels::naive::conv2d_backward_weights<float>(launcher, dw.tensor(), wide.x.wide.tensor(),
                                                   wide.dy.wide.tensor(), c.g);
    const Results actual = run(c, in, fused, 1);
    expect_rounded(actual.y, y, c.R * c.S * c.C, "y");
    expect_rounded(actual.dx, dx, c.R * c.S * c.K, "dx");
    const double n = static_cast<double>(c.N * c.P() * c.Q());
    for (int64_t i = 0; i < dw.count(); ++i) {
      ASSERT_NEAR(actual.dw.data()[i], dw.data()[i], 4 * 6e-8 * (n + 4)) << "dw element " << i;
    }
    for (const int workers : {2, 3}) {
      const Results others = run(c, in, fused, workers);
      expect_same_bits(others.y, actual.y);
      expect_same_bits(others.dx, actual.dx);
      expect_same_bits(others.dw, actual.dw);
    }
  }
}

TEST(ConvBf16, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    for_each_simd_level([&](const char*) { expect_agreement(c); });
    if (HasFatalFailure()) return;
  }
}

// The cases above have the same padding before and behind.
TEST(ConvBf16, PointwiseMayBePaddedBehindAlone) {
  for_each_simd_level([](const char*) {
    Numbers x({3, 6, 5, 32}, 1), w({40, 1, 1, 32}, 2), dy({3, 8, 6, 40}, 3);
    Array<Bf16> y(dy.wide.dims()), dx(x.wide.dims());
    Array<float> dw(w.wide.dims()), expected_y(y.dims()), expected_dx(dx.dims()),
        expected_dw(dw.dims());
    const ConvGeometry g;
    SerialLauncher launcher(2);
    kernels::direct::conv2d(launcher, y.tensor(), x.stored.tensor(), w.stored.tensor(), nullptr, g,
                            {});
    kernels::naive::conv2d<float>(launcher, expected_y.tensor(), x.wide.tensor(), w.wide.tensor(),
                                  nullptr, g, Activation::NONE);
    expect_rounded(y, expected_y, 32, "y");
    kernels::direct::conv2d_backward_data(launcher, dx.tensor(), dy.stored.tensor(),
                                          w.stored.tensor(), g, {});
    kernels::naive::conv2d_backward_data<float>(launcher, expected_dx.tensor(), dy.wide.tensor(),
                                                w.wide.tensor(), g);
    expect_rounded(dx, expected_dx, 40, "dx");
    kernels::direct::conv2d_backward_weights(launcher, dw.tensor(), x.stored.tensor(),
                                             dy.stored.tensor(), g);
    kernels::naive::conv2d_backward_weights<float>(launcher, expected_dw.tensor(), x.wide.tensor(),
                                                   dy.wide.tensor(), g);
    expect_close(dw, expected_dw, 0, 4 * 6e-8 * 94);
  });
}

// What a window does not see must not get into its sum: infinity times a zero would be NaN.
TEST(ConvBf16, PackedZerosMeetNoStrangers) {
  const Case c{1, 3, 7, 3, 5, 1, 1, {1, 2, 0, 0}};  // windows see every second of 7 columns, odd Q
  Inputs in(c);
  for (int64_t h = 0; h < 3; ++h) {
    for (const int64_t w : {1, 3, 5}) {
      for (int64_t k = 0; k < 3; ++k) in.x.stored[(h * 7 + w) * 3 + k] = to_bf16(INFINITY);
    }
  }
  const Results r = run(c, in, false, 1);
  for (int64_t i = 0; i < r.y.count(); ++i) EXPECT_TRUE(std::isfinite(to_float(r.y.data()[i])));
  for (int64_t i = 0; i < r.dw.count(); ++i) EXPECT_TRUE(std::isfinite(r.dw.data()[i]));
}

bool is_finite(Bf16 x) { return std::isfinite(to_float(x)); }

// Whatever is copied, padded or computed beside them, only windows that see an infinity notice it.
TEST(ConvBf16, InfinitiesStayInTheirWindows) {
  for (const Case& c :
       {Case{2, 7, 9, 16, 16, 3, 3, {1, 1, 1, 1}}, Case{2, 9, 8, 6, 33, 3, 2, {2, 2, 1, 1}},
        Case{2, 6, 6, 33, 20, 1, 1, {1, 1, 0, 0}}, Case{1, 8, 8, 34, 8, 1, 1, {1, 1, 0, 0}}}) {
    SCOPED_TRACE(testing::Message() << c);
    for_each_simd_level([&](const char*) {
      Inputs in(c);
      const int64_t x_pixel = (c.H / 2 * c.W + c.W - 1) * c.C;  // at the end of a row
      const int64_t dy_pixel = (c.P() - 1) * c.Q() * c.K;       // at the start of the last
      in.x.stored[x_pixel] = to_bf16(INFINITY);
      in.dy.stored[dy_pixel + 1] = to_bf16(-INFINITY);
      in.x.wide[x_pixel] = INFINITY;
      in.dy.wide[dy_pixel + 1] = -INFINITY;
      const Results actual = run(c, in, false, 1);
      Array<float> y(in.dy.wide.dims()), dx(in.x.wide.dims());
      SerialLauncher launcher(1);
      kernels::naive::conv2d<float>(launcher, y.tensor(), in.x.wide.tensor(), in.w.wide.tensor(),
                                    nullptr, c.g, Activation::NONE);
      kernels::naive::conv2d_backward_data<float>(launcher, dx.tensor(), in.dy.wide.tensor(),
                                                  in.w.wide.tensor(), c.g);
      for (int64_t i = 0; i < y.count(); ++i) {
        ASSERT_EQ(is_finite(actual.y.data()[i]), std::isfinite(y[i])) << "y element " << i;
      }
      for (int64_t i = 0; i < dx.count(); ++i) {
        ASSERT_EQ(is_finite(actual.dx.data()[i]), std::isfinite(dx[i])) << "dx element " << i;
      }
      // The infinities are of channel 0 and of filter 1.
      for (int64_t i = 0; i < actual.dw.count(); ++i) {
        if (i % c.C == 0 || i / (c.R * c.S * c.C) == 1) continue;
        ASSERT_TRUE(std::isfinite(actual.dw.data()[i])) << "dw element " << i;
      }
    });
  }
}

TEST(ConvBf16, ReluKeepsNaN) {
  const Case c{1, 4, 4, 2, 3, 1, 1, {1, 1, 0, 0}};
  for_each_simd_level([&](const char*) {
    Inputs in(c);
    in.x.stored[0] = to_bf16(NAN);
    const Results r = run(c, in, true, 1);
    for (int64_t k = 0; k < 3; ++k) EXPECT_TRUE(std::isnan(to_float(r.y.data()[k])));
    for (int64_t i = 3; i < r.y.count(); ++i) EXPECT_GE(to_float(r.y.data()[i]), 0);
  });
}

}  // namespace
}  // namespace gatun::test
