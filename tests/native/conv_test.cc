#include "kernels/conv.h"

#include "kernels/conv_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::ConvGeometry;

struct Case {
  int64_t N, H, W, C, K, R, S;
  ConvGeometry g;
  int64_t below = 0, right = 0;  // padding behind, beyond that before

  int64_t P() const { return (H + 2 * g.pad_h + below - R) / g.stride_h + 1; }
  int64_t Q() const { return (W + 2 * g.pad_w + right - S) / g.stride_w + 1; }
  Dims x() const { return {N, H, W, C}; }
  Dims w() const { return {K, R, S, C}; }
  Dims y() const { return {N, P(), Q(), K}; }
  int64_t taps() const { return R * S; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "x " << c.N << "," << c.H << "," << c.W << "," << c.C << " w " << c.K << "," << c.R
             << "," << c.S << " stride " << c.g.stride_h << "," << c.g.stride_w << " pad "
             << c.g.pad_h << "," << c.g.pad_w << " and behind " << c.g.pad_h + c.below << ","
             << c.g.pad_w + c.right;
}

// A stride beyond memory.
constexpr int64_t kFar = 1 << 30;

const Case kCases[] = {
    {0, 5, 5, 3, 4, 3, 3, {1, 1, 1, 1}},            // no images
    {2, 5, 5, 3, 0, 3, 3, {1, 1, 1, 1}},            // no output channels
    {2, 5, 5, 0, 4, 3, 3, {1, 1, 1, 1}},            // no input channels
    {1, 1, 1, 1, 1, 1, 1, {1, 1, 0, 0}},            //
    {2, 1, 1, 5, 3, 3, 3, {1, 1, 1, 1}},            // the kernel is larger than the input
    {1, 2, 3, 4, 5, 7, 7, {1, 1, 3, 3}},            //
    {1, 2, 2, 3, 4, 5, 3, {2, 3, 4, 4}},            // windows that see padding alone
    {2, 4, 5, 6, 9, 1, 1, {1, 1, 1, 2}},            // more padding than the kernel reaches
    {3, 7, 5, 17, 19, 3, 3, {1, 1, 1, 1}},          // ends inside vectors and tiles
    {2, 9, 6, 8, 33, 3, 5, {2, 1, 1, 2}},           // strides and pads that differ
    {2, 11, 10, 5, 12, 4, 2, {3, 2, 0, 1}},         // pixels that no window of an even kernel sees
    {2, 6, 7, 3, 8, 2, 2, {3, 4, 0, 0}},            // strides beyond the kernel
    {3, 11, 9, 20, 8, 3, 2, {5, 4, 1, 0}},          //
    {2, 4, 4, 20, 8, 3, 3, {kFar, kFar, 0, 0}},     //
    {2, 8, 9, 20, 24, 1, 1, {2, 2, 0, 0}},          // the projecting shortcut
    {3, 8, 9, 80, 70, 1, 1, {2, 2, 1, 1}},          // the same, padded
    {5, 6, 5, 18, 35, 1, 1, {1, 1, 0, 0}},          // pointwise
    {1, 23, 19, 3, 64, 7, 7, {2, 2, 3, 3}},         // stem of ResNet
    {3, 32, 32, 3, 16, 3, 3, {1, 1, 1, 1}},         // layers of ResNet-20
    {3, 32, 32, 16, 16, 3, 3, {1, 1, 1, 1}},        //
    {2, 32, 32, 16, 32, 3, 3, {2, 2, 1, 1}},        //
    {5, 16, 16, 32, 32, 3, 3, {1, 1, 1, 1}},        //
    {9, 8, 8, 64, 64, 3, 3, {1, 1, 1, 1}},          //
    {40, 4, 4, 8, 16, 3, 3, {1, 1, 1, 1}},          // many small images
    {1, 7, 7, 130, 150, 3, 3, {1, 1, 1, 1}},        // one image, many channels
    {2, 3, 3, 600, 500, 1, 1, {1, 1, 0, 0}},        // a gradient too large for several groups
    {2, 5, 6, 300, 20, 3, 3, {1, 1, 1, 1}},         // channels summed in blocks
    {1, 3, 4, 1300, 70, 1, 1, {1, 1, 0, 0}},        //
    {3, 7, 7, 40, 270, 3, 3, {2, 2, 1, 1}},         // packed pixels of dy
    {2, 6, 5, 1040, 33, 1, 1, {2, 2, 0, 0}},        // packed pixels of x
    {2, 9, 9, 64, 128, 3, 3, {2, 2, 1, 1}},         // the strided layers of ResNet-50
    {2, 1, 60, 5, 16, 1, 31, {1, 1, 0, 15}},        // one dimension
    {2, 7, 6, 5, 7, 3, 2, {2, 1, 2, 0}, -1, 1},     // padding that differs before and behind
    {2, 6, 5, 3, 8, 3, 3, {1, 1, 0, 0}, 2, 2},      //
    {2, 6, 5, 20, 24, 3, 3, {1, 2, 0, 0}, 2, 2},    //
    {2, 6, 5, 20, 24, 3, 3, {2, 1, 2, 2}, -2, -2},  //
    {3, 13, 14, 17, 72, 1, 1, {1, 1, 0, 0}, 3, 1},  // pointwise, padded behind alone
    {3, 6, 5, 64, 32, 1, 1, {1, 1, 0, 0}, 2, 0},    //
    {9, 13, 14, 17, 24, 1, 1, {2, 2, 0, 0}, 3, 3},  //
};

template <typename T, typename U>
Array<T> convert(const Array<U>& from) {
  Array<T> to(from.dims());
  for (int64_t i = 0; i < from.count(); ++i) to[i] = static_cast<T>(from[i]);
  return to;
}

// Everything a case computes. Data begin one element off alignment if `shift` is 1.
template <typename T>
struct Results {
  Array<T> y, dx, dw;
};

template <typename T>
struct Kernels {
  static constexpr auto forward = kernels::naive::conv2d<T>;
  static constexpr auto data = kernels::naive::conv2d_backward_data<T>;
  static constexpr auto weights = kernels::naive::conv2d_backward_weights<T>;
};
template <>
struct Kernels<float> {
  static void forward(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                      const Tensor* bias, const ConvGeometry& g, Activation activation) {
    kernels::direct::conv2d(launcher, y, x, w, bias, g, {.activation = activation});
  }
  static void data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                   const ConvGeometry& g) {
    kernels::direct::conv2d_backward_data(launcher, dx, dy, w, g, {});
  }
  static constexpr auto weights = kernels::direct::conv2d_backward_weights;
};

struct Inputs {
  Array<float> x, w, bias, dy;

  explicit Inputs(const Case& c)
      : x(random_array<float>(c.x(), 1)),
        w(random_array<float>(c.w(), 2)),
        bias(random_array<float>({c.K}, 3)),
        dy(random_array<float>(c.y(), 4)) {}
};

template <typename T>
Results<T> run(const Case& c, const Inputs& inputs, bool fused, int workers) {
  Results<T> r{Array<T>(c.y(), NAN), Array<T>(c.x(), NAN), Array<T>(c.w(), NAN)};
  auto x = convert<T>(inputs.x), w = convert<T>(inputs.w), bias = convert<T>(inputs.bias),
       dy = convert<T>(inputs.dy);
  const Tensor tb = bias.tensor();
  SerialLauncher forward(workers), data(workers), weights(workers);
  Kernels<T>::forward(forward, r.y.tensor(), x.tensor(), w.tensor(), fused ? &tb : nullptr, c.g,
                      fused ? Activation::RELU : Activation::NONE);
  Kernels<T>::data(data, r.dx.tensor(), dy.tensor(), w.tensor(), c.g);
  Kernels<T>::weights(weights, r.dw.tensor(), x.tensor(), dy.tensor(), c.g);
  return r;
}

// Sums of n products below 1 in f32: each addition rounds by half a unit of a sum that random signs
// keep near sqrt(n), so sqrt(n) additions of that size are plenty; four for the tails.
double tolerance(int64_t n) { return 4 * 6e-8 * static_cast<double>(n + 4); }

TEST(Conv, AgreesWithPlainLoopsAndDoesNotDependOnWorkers) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    const auto plain = run<double>(c, inputs, false, 1), fused = run<double>(c, inputs, true, 1);
    for_each_simd_level([&](const char*) {
      const auto fast = run<float>(c, inputs, false, 1);
      expect_close(fast.y, plain.y, 0, tolerance(c.taps() * c.C));
      expect_close(fast.dx, plain.dx, 0, tolerance(c.taps() * c.K));
      expect_close(fast.dw, plain.dw, 0, tolerance(c.N * c.P() * c.Q()));
      expect_close(run<float>(c, inputs, true, 1).y, fused.y, 0, tolerance(c.taps() * c.C));
      for (const int workers : {2, 3, 16}) {
        const auto again = run<float>(c, inputs, false, workers);
        expect_same_bits(again.y, fast.y);
        expect_same_bits(again.dx, fast.dx);
        expect_same_bits(again.dw, fast.dw);
      }
    });
  }
}

TEST(Conv, GradientsAreTheTransposesOfTheForwardPass) {
  // <dy, conv(x, w)> = <x, dx> = <w, dw>: the definition, independent of the loops for gradients.
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c);
    const Inputs inputs(c);
    const auto r = run<double>(c, inputs, false, 1);
    const auto dot = [](const auto& a, const auto& b) {
      double sum = 0;
      for (int64_t i = 0; i < a.count(); ++i) sum += static_cast<double>(a[i]) * b[i];
      return sum;
    };
    const double forward = dot(inputs.dy, r.y);
    EXPECT_NEAR(dot(inputs.x, r.dx), forward, 1e-9 * (1 + std::abs(forward)));
    EXPECT_NEAR(dot(inputs.w, r.dw), forward, 1e-9 * (1 + std::abs(forward)));
  }
}

// A tensor of f32 that begins `offset` elements into its memory.
struct Shifted {
  Array<float> memory;
  Dims dims;

  explicit Shifted(const Array<float>& values, int64_t offset = 1)
      : memory({values.count() + offset}), dims(values.dims()), offset_(offset) {
    std::copy(values.data(), values.data() + values.count(), memory.data() + offset);
  }
  Tensor tensor() {
    Tensor t = memory.tensor();
    t.data = memory.data() + offset_;
    t.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t.dims.begin());
    t.count = count_of(dims);
    return t;
  }
  Array<float> values() {
    return {dims, {memory.data() + offset_, memory.data() + memory.count()}};
  }

 private:
  int64_t offset_;
};

TEST(Conv, TakesAnyAlignment) {
  for_each_simd_level([](const char*) {
    for (const Case& c :
         {Case{2, 8, 8, 16, 16, 3, 3, {1, 1, 1, 1}}, Case{2, 9, 8, 16, 32, 1, 1, {1, 1, 0, 0}},
          Case{2, 9, 8, 3, 32, 3, 3, {2, 2, 1, 1}}}) {
      const Inputs inputs(c);
      const auto expected = run<float>(c, inputs, false, 1);
      Shifted x(inputs.x), w(inputs.w), dy(inputs.dy);
      Shifted y{Array<float>(c.y())}, dx{Array<float>(c.x())}, dw{Array<float>(c.w())};
      SerialLauncher launcher;
      kernels::direct::conv2d(launcher, y.tensor(), x.tensor(), w.tensor(), nullptr, c.g, {});
      kernels::direct::conv2d_backward_data(launcher, dx.tensor(), dy.tensor(), w.tensor(), c.g,
                                            {});
      kernels::direct::conv2d_backward_weights(launcher, dw.tensor(), x.tensor(), dy.tensor(), c.g);
      expect_same_bits(y.values(), expected.y);
      expect_same_bits(dx.values(), expected.dx);
      expect_same_bits(dw.values(), expected.dw);
    }
  });
}

TEST(Conv, RunsOnThreadsAndFromPrograms) {
  const Case c{6, 16, 16, 32, 32, 3, 3, {1, 1, 1, 1}};
  const Inputs inputs(c);
  const auto expected = run<float>(c, inputs, true, 1);
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const TestTensor<float> x(device, inputs.x), w(device, inputs.w), dy(device, inputs.dy),
        bias(device, inputs.bias), y(device, c.y()), dx(device, c.x()), dw(device, c.w());
    EXPECT_OK(gt_stream_begin_recording(device.stream()));
    EXPECT_OK(gt_conv2d(device.stream(), y, nullptr, x, w, bias, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                        GT_ACTIVATION_RELU, GT_CONV_DIRECT));
    EXPECT_OK(gt_conv2d_backward_data(device.stream(), dx, nullptr, dy, w, nullptr, nullptr,
                                      nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, GT_CONV_DIRECT));
    EXPECT_OK(gt_conv2d_backward_weights(device.stream(), dw, x, dy, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                         GT_CONV_DIRECT));
    gt_program program = nullptr;
    ASSERT_OK(gt_stream_end_recording(&program, device.stream()));
    for (int i = 0; i < 3; ++i) EXPECT_OK(gt_program_run(program));
    gt_program_destroy(program);
    expect_same_bits(y.read(), expected.y);
    expect_same_bits(dx.read(), expected.dx);
    expect_same_bits(dw.read(), expected.dw);
  }
}

TEST(Conv, RunsInDouble) {
  const Case c{2, 7, 6, 5, 4, 3, 2, {2, 1, 1, 1}};
  const Inputs inputs(c);
  const auto expected = run<double>(c, inputs, true, 1);
  TestDevice device;
  const auto stream = device.stream();
  const TestTensor<double> x(device, convert<double>(inputs.x)),
      w(device, convert<double>(inputs.w)), dy(device, convert<double>(inputs.dy)),
      bias(device, convert<double>(inputs.bias)), y(device, c.y()), dx(device, c.x()),
      dw(device, c.w());
  EXPECT_OK(gt_conv2d(stream, y, nullptr, x, w, bias, nullptr, 2, 1, 1, 1, 1, 1, 1, 1, 1,
                      GT_ACTIVATION_RELU, GT_CONV_AUTO));
  EXPECT_OK(gt_conv2d_backward_data(stream, dx, nullptr, dy, w, nullptr, nullptr, nullptr, nullptr,
                                    2, 1, 1, 1, 1, 1, 1, 1, 1, 0));
  EXPECT_OK(gt_conv2d_backward_weights(stream, dw, x, dy, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0));
  expect_same_bits(y.read(), expected.y);
  expect_same_bits(dx.read(), expected.dx);
  expect_same_bits(dw.read(), expected.dw);
}

TEST(Conv, RefusesWhatDoesNotFit) {
  TestDevice device;
  const auto s = device.stream();
  const TestTensor<float> x(device, {2, 6, 5, 3}), w(device, {4, 3, 3, 3}), y(device, {2, 6, 5, 4}),
      bias(device, {4}), flat(device, {4, 27}), deep(device, {4, 3, 3, 5}),
      big(device, {4, 9, 3, 3});
  const TestTensor<double> real(device, {4, 3, 3, 3});
  const auto conv = [&](gt_tensor to, gt_tensor from, gt_tensor weights, gt_tensor b, int stride_h,
                        int pad_w) {
    return gt_conv2d(s, to, nullptr, from, weights, b, nullptr, stride_h, 1, 1, pad_w, 1, pad_w, 1,
                     1, 1, 0, 0);
  };
  EXPECT_OK(conv(y, x, w, bias, 1, 1));
  EXPECT_REFUSED(conv(nullptr, x, w, bias, 1, 1), GT_INVALID_ARGUMENT, "y is NULL");
  EXPECT_REFUSED(conv(y, x, flat, bias, 1, 1), GT_INVALID_ARGUMENT, "w must have rank 4");
  EXPECT_REFUSED(conv(y, x, deep, bias, 1, 1), GT_INVALID_ARGUMENT, "channels differ");
  EXPECT_REFUSED(conv(y, x, w, bias, 0, 1), GT_INVALID_ARGUMENT,
                 "stride along height must be at least 1, but is 0");
  EXPECT_REFUSED(conv(y, x, w, bias, 1, -1), GT_INVALID_ARGUMENT,
                 "padding along width must be at least 0, but is -1");
  EXPECT_REFUSED(conv(y, x, w, bias, 2, 1), GT_INVALID_ARGUMENT, "y must be f32 (2, 3, 5, 4)");
  EXPECT_REFUSED(conv(y, x, big, bias, 1, 1), GT_INVALID_ARGUMENT,
                 "w covers 9 pixels along height");
  EXPECT_REFUSED(conv(y, x, w, flat, 1, 1), GT_INVALID_ARGUMENT, "bias must be f32 (4)");
  EXPECT_REFUSED(conv(y, x, real, bias, 1, 1), GT_INVALID_ARGUMENT, "dtypes differ");
  EXPECT_REFUSED(gt_conv2d(s, y, nullptr, x, w, bias, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7, 0),
                 GT_INVALID_ARGUMENT, "activation");
  EXPECT_REFUSED(gt_conv2d(s, y, nullptr, x, w, bias, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, -1),
                 GT_INVALID_ARGUMENT,
                 "algorithm must be 0 (auto), 1 (direct) or 2 (Winograd), but is -1");
  EXPECT_REFUSED(gt_conv2d_backward_data(s, x, nullptr, y, w, nullptr, nullptr, nullptr, nullptr, 1,
                                         1, 1, 1, 1, 1, 1, 1, 1, 9),
                 GT_INVALID_ARGUMENT, "algorithm must be 0");
  EXPECT_REFUSED(gt_conv2d_backward_weights(s, w, x, y, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9),
                 GT_INVALID_ARGUMENT, "algorithm must be 0");
  EXPECT_REFUSED(gt_conv2d_backward_data(s, x, nullptr, y, deep, nullptr, nullptr, nullptr, nullptr,
                                         1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
                 GT_INVALID_ARGUMENT, "channels differ: dx is");
  EXPECT_REFUSED(gt_conv2d_backward_data(s, x, nullptr, y, w, nullptr, nullptr, nullptr, nullptr, 1,
                                         2, 1, 1, 1, 1, 1, 1, 1, 0),
                 GT_INVALID_ARGUMENT, "dy must be f32 (2, 6, 3, 4)");
  EXPECT_REFUSED(gt_conv2d_backward_weights(s, w, x, y, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0),
                 GT_INVALID_ARGUMENT, "dy must be f32 (2, 4, 5, 4)");
  EXPECT_REFUSED(
      gt_conv2d_backward_weights(s, w, x, y, 2, 1, 1, 1, 1, 1, 1, 1, 1, GT_CONV_WINOGRAD),
      GT_INVALID_ARGUMENT, "dy must be");
  const TestTensor<float> strided(device, {2, 3, 5, 4}), wide(device, {4, 5, 3, 3});
  EXPECT_REFUSED(gt_conv2d(s, strided, nullptr, x, w, bias, nullptr, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0,
                           GT_CONV_WINOGRAD),
                 GT_INVALID_ARGUMENT, "needs f32, a 3x3 kernel and stride 1");
  EXPECT_REFUSED(gt_conv2d_backward_data(s, x, nullptr, y, wide, nullptr, nullptr, nullptr, nullptr,
                                         1, 1, 2, 1, 2, 1, 1, 1, 1, GT_CONV_WINOGRAD),
                 GT_INVALID_ARGUMENT, "needs f32, a 3x3 kernel and stride 1");
  const TestTensor<double> x64(device, {2, 6, 5, 3}), y64(device, {2, 6, 5, 4});
  EXPECT_REFUSED(
      gt_conv2d_backward_weights(s, real, x64, y64, 1, 1, 1, 1, 1, 1, 1, 1, 1, GT_CONV_WINOGRAD),
      GT_INVALID_ARGUMENT, "needs f32, a 3x3 kernel and stride 1");
  const TestTensor<float> endless(device, {0, (int64_t{1} << 33) + 1, 1, 3}),
      nothing(device, {2, 6, 5, 0});
  EXPECT_REFUSED(gt_conv2d(s, nothing, nullptr, x, endless, nullptr, nullptr, 1, 1, 0, 0, 0, 0,
                           INT32_MAX, 1, 1, 0, 0),
                 GT_INVALID_ARGUMENT, "cover more than any x");
  const TestTensor<float> square(device, {4, 3, 3, 4}), kernel(device, {4, 3, 3, 4});
  EXPECT_REFUSED(conv(square, square, kernel, nullptr, 1, 1), GT_INVALID_ARGUMENT, "share memory");
  EXPECT_REFUSED(gt_conv2d_backward_data(s, square, nullptr, square, kernel, nullptr, nullptr,
                                         nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
                 GT_INVALID_ARGUMENT, "share memory");
  EXPECT_REFUSED(
      gt_conv2d_backward_weights(s, kernel, square, kernel, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
      GT_INVALID_ARGUMENT, "share memory");
}

}  // namespace
}  // namespace gatun::test
