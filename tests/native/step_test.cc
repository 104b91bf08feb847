// What a recorded training step takes from the system once it is warm: nothing. Counted for a
// residual network as in He et al. (2015), with fewer blocks, and for a GRU over sequences.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "allocations.h"
#include "gatun.h"
#include "support.h"

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace gatun::test {
namespace {

// Sanitizers have shadows of the memory, with faults of their own.
int64_t page_faults() {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
#else
  return 0;
#endif
}

// The tensors of a step, and parameters with gradients and velocities, a slab of each.
class Step {
 public:
  struct Parameter {
    gt_tensor value, gradient;
    int64_t place;
  };

  explicit Step(int64_t most)
      : values_(device, random_array<float>({most}, 7, -0.1, 0.1)),
        gradients_(device, Dims{most}),
        velocities_(device, Dims{most}),
        rate(device, Array<float>({}, 0.01f)),
        labels(device, Dims{8}),
        loss(device, Dims{}),
        correct(device, Dims{}),
        one(device, Array<float>({}, 1.0f)) {}
  ~Step() {
    for (gt_tensor view : views_) gt_tensor_destroy(view);
  }

  gt_stream stream() const { return device.stream(); }
  gt_tensor tensor(const Dims& dims) { return tensors_.emplace_back(device, dims); }
  gt_tensor input(const Dims& dims) {
    return tensors_.emplace_back(device, random_array<float>(dims, 3));
  }
  // The last tensor, in another shape.
  gt_tensor reshaped(const Dims& dims) { return view(tensors_.back().buffer(), 0, dims); }

  Parameter parameter(const Dims& dims) {
    const int64_t place = used_;
    used_ += (count_of(dims) + 15) / 16 * 16;
    return {view(values_.buffer(), place, dims), view(gradients_.buffer(), place, dims), place};
  }
  gt_tensor gradient(const Parameter& p, const Dims& dims) {
    return view(gradients_.buffer(), p.place, dims);
  }
  void update() const {
    EXPECT_OK(gt_sgd_step(stream(), values_, velocities_, values_, velocities_, gradients_, rate,
                          0.9, 0, 1e-4, 0, 0));
  }

 private:
  gt_tensor view(gt_buffer buffer, int64_t place, const Dims& dims) {
    EXPECT_OK(gt_tensor_create(&views_.emplace_back(), buffer, 4 * place, GT_F32,
                               static_cast<int32_t>(dims.size()), dims.data()));
    return views_.back();
  }

  TestDevice device{2};
  TestTensor<float> values_, gradients_, velocities_;
  std::deque<TestTensor<float>> tensors_;
  std::vector<gt_tensor> views_;
  int64_t used_ = 0;

 public:
  const TestTensor<float> rate;
  const TestTensor<int32_t> labels;
  const TestTensor<float> loss;
  const TestTensor<int32_t> correct;
  const TestTensor<float> one;
};

// Logits, their loss, and back to dx.
struct Head {
  Step::Parameter w, b;
  gt_tensor db_row, y, dy;

  Head(Step& s, int64_t batch, int64_t inputs)
      : w(s.parameter({10, inputs})),
        b(s.parameter({10})),
        db_row(s.gradient(b, {1, 10})),
        y(s.tensor({batch, 10})),
        dy(s.tensor({batch, 10})) {}

  void run(const Step& s, gt_tensor x, gt_tensor dx) const {
    EXPECT_OK(gt_matmul(s.stream(), y, x, w.value, b.value, 0, 1, GT_ACTIVATION_NONE));
    EXPECT_OK(gt_softmax_cross_entropy_training(s.stream(), s.loss, s.correct, dy, y, s.labels,
                                                nullptr, s.one, 0));
    EXPECT_OK(gt_matmul(s.stream(), w.gradient, dy, x, nullptr, 1, 0, GT_ACTIVATION_NONE));
    EXPECT_OK(gt_reduce(s.stream(), db_row, dy, GT_REDUCE_SUM, 1));
    EXPECT_OK(gt_matmul(s.stream(), dx, dy, w.value, nullptr, 0, 0, GT_ACTIVATION_NONE));
  }
};

// A 3x3 convolution, batch norm, ReLU.
struct ConvNorm {
  int32_t stride;
  Step::Parameter w, gamma, beta;
  gt_tensor conv, y, mean, inv_std, running_mean, running_variance;

  ConvNorm(Step& s, int64_t batch, int64_t size, int64_t in, int64_t out, int32_t strides)
      : stride(strides),
        w(s.parameter({out, 3, 3, in})),
        gamma(s.parameter({out})),
        beta(s.parameter({out})),
        conv(s.tensor({batch, size / stride, size / stride, out})),
        y(s.tensor({batch, size / stride, size / stride, out})),
        mean(s.tensor({out})),
        inv_std(s.tensor({out})),
        running_mean(s.tensor({out})),
        running_variance(s.tensor({out})) {}

  void forward(const Step& s, gt_tensor x, gt_tensor residual, int32_t algorithm) const {
    EXPECT_OK(gt_conv2d(s.stream(), conv, nullptr, x, w.value, nullptr, nullptr, stride, stride, 1,
                        1, 1, 1, 1, 1, 1, GT_ACTIVATION_NONE,
                        stride == 1 ? algorithm : GT_CONV_DIRECT));
    EXPECT_OK(gt_batch_norm_training(s.stream(), y, mean, inv_std, running_mean, running_variance,
                                     conv, gamma.value, beta.value, residual, nullptr, running_mean,
                                     running_variance, 0.1, 1e-5, GT_ACTIVATION_RELU));
  }
  // dy becomes the slope of the convolution; dx is NULL where nobody asks for it.
  void backward(const Step& s, gt_tensor dy, gt_tensor dresidual, gt_tensor x, gt_tensor dx,
                gt_tensor addend, int32_t algorithm) const {
    if (stride != 1) algorithm = GT_CONV_DIRECT;
    EXPECT_OK(gt_batch_norm_backward(s.stream(), dy, gamma.gradient, beta.gradient, dresidual, dy,
                                     conv, y, mean, inv_std, gamma.value, nullptr,
                                     GT_ACTIVATION_RELU));
    EXPECT_OK(gt_conv2d_backward_weights(s.stream(), w.gradient, x, dy, stride, stride, 1, 1, 1, 1,
                                         1, 1, 1, algorithm));
    if (dx == nullptr) return;
    EXPECT_OK(gt_conv2d_backward_data(s.stream(), dx, nullptr, dy, w.value, addend, nullptr,
                                      nullptr, nullptr, stride, stride, 1, 1, 1, 1, 1, 1, 1,
                                      algorithm));
  }
};

// Records the step, warms it up, and counts.
void expect_to_take_nothing(Step& step, const std::function<void()>& instructions) {
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_begin_recording(step.stream()));
  instructions();
  ASSERT_OK(gt_stream_end_recording(&program, step.stream()));
  const auto run = [&](int steps) {
    gt_status status = GT_OK;
    for (int i = 0; i < steps && status == GT_OK; ++i) status = gt_program_run(program);
    EXPECT_OK(status);
  };
  run(3);
  const float first = step.loss.read()[0];
  const int64_t heap_before = heap_allocations;
  // What a step takes it takes every time. A fault that the system brings about, such as when it
  // joins pages to huge ones, does not come five times on end.
  int64_t faults = 0;
  for (int round = 0; round < 5; ++round) {
    const int64_t before = page_faults();
    run(10);
    faults = page_faults() - before;
    if (faults == 0) break;
  }
  EXPECT_EQ(heap_allocations - heap_before, 0);
  EXPECT_EQ(faults, 0);
  EXPECT_LT(step.loss.read()[0], first) << "it does not train";
  gt_program_destroy(program);
}

TEST(Allocations, AreCounted) {
  const int64_t before = heap_allocations;
  const auto number = std::make_unique<int>(1);
  EXPECT_EQ(heap_allocations - before, 1);
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  char* text = strdup("of the C library");
  EXPECT_EQ(heap_allocations - before, 2);
  std::free(text);
#endif
}

TEST(TrainingStep, OfAResidualNetworkTakesNothingFromTheSystem) {
  for (const int32_t algorithm : {GT_CONV_DIRECT, GT_CONV_WINOGRAD}) {
    SCOPED_TRACE(algorithm);
    constexpr int64_t kBatch = 8, kSize = 32;
    Step s(1 << 16);
    gt_tensor pictures = s.input({kBatch, kSize, kSize, 3});
    gt_tensor d_stem = s.tensor({kBatch, kSize, kSize, 16});
    const ConvNorm stem(s, kBatch, kSize, 3, 16, 1);
    const ConvNorm first(s, kBatch, kSize, 16, 16, 1), second(s, kBatch, kSize, 16, 16, 1);
    const ConvNorm third(s, kBatch, kSize, 16, 32, 2), fourth(s, kBatch, kSize / 2, 32, 32, 1);
    const Dims large = {kBatch, kSize, kSize, 16}, small = {kBatch, kSize / 2, kSize / 2, 32};
    gt_tensor dy = s.tensor(large), d_inner = s.tensor(large), d_shortcut = s.tensor(large);
    gt_tensor shortcut = s.tensor(small), halved_dy = s.tensor(small);
    gt_tensor halved_inner = s.tensor(small), halved_shortcut = s.tensor(small);
    gt_tensor added = s.tensor(large);
    gt_tensor pooled = s.tensor({kBatch, 1, 1, 32}), rows = s.reshaped({kBatch, 32});
    gt_tensor d_pooled = s.tensor({kBatch, 1, 1, 32}), d_rows = s.reshaped({kBatch, 32});
    const Head head(s, kBatch, 32);
    gt_stream stream = s.stream();
    expect_to_take_nothing(s, [&] {
      stem.forward(s, pictures, nullptr, GT_CONV_DIRECT);
      first.forward(s, stem.y, nullptr, algorithm);
      second.forward(s, first.y, stem.y, algorithm);
      EXPECT_OK(gt_subsample_pad(stream, shortcut, second.y, 2));
      third.forward(s, second.y, nullptr, algorithm);
      fourth.forward(s, third.y, shortcut, algorithm);
      EXPECT_OK(gt_average_pool(stream, pooled, fourth.y, 16, 16, 16, 16, 0, 0, 0, 0, 0));
      head.run(s, rows, d_rows);
      EXPECT_OK(
          gt_average_pool_backward(stream, halved_dy, d_pooled, 16, 16, 16, 16, 0, 0, 0, 0, 0));
      fourth.backward(s, halved_dy, halved_shortcut, third.y, halved_inner, nullptr, algorithm);
      EXPECT_OK(gt_subsample_pad_backward(stream, added, halved_shortcut, 2));
      third.backward(s, halved_inner, nullptr, second.y, dy, added, algorithm);
      second.backward(s, dy, d_shortcut, first.y, d_inner, nullptr, algorithm);
      first.backward(s, d_inner, nullptr, stem.y, d_stem, d_shortcut, algorithm);
      stem.backward(s, d_stem, nullptr, pictures, nullptr, nullptr, GT_CONV_DIRECT);
      s.update();
    });
  }
}

TEST(TrainingStep, OfAGruTakesNothingFromTheSystem) {
  constexpr int64_t kSteps = 20, kBatch = 8, kInputs = 24, kUnits = 64;
  Step s(1 << 16);
  gt_tensor x = s.input({kSteps * kBatch, kInputs});
  const Step::Parameter w = s.parameter({3 * kUnits, kInputs}), b = s.parameter({3 * kUnits});
  const Step::Parameter u = s.parameter({3 * kUnits, kUnits}), bias = s.parameter({kUnits});
  gt_tensor db_row = s.gradient(b, {1, 3 * kUnits});
  gt_tensor gates = s.tensor({kSteps, kBatch, 3 * kUnits});
  gt_tensor gate_rows = s.reshaped({kSteps * kBatch, 3 * kUnits});
  gt_tensor d_gates = s.tensor({kSteps, kBatch, 3 * kUnits});
  gt_tensor d_gate_rows = s.reshaped({kSteps * kBatch, 3 * kUnits});
  gt_tensor y = s.tensor({kSteps, kBatch, kUnits}), dy = s.tensor({kSteps, kBatch, kUnits});
  gt_tensor saved = s.tensor({kSteps, kBatch, 4 * kUnits});
  gt_tensor last = s.tensor({1, kBatch, kUnits}), rows = s.reshaped({kBatch, kUnits});
  gt_tensor d_last = s.tensor({1, kBatch, kUnits}), d_rows = s.reshaped({kBatch, kUnits});
  const Head head(s, kBatch, kUnits);
  gt_stream stream = s.stream();
  expect_to_take_nothing(s, [&] {
    EXPECT_OK(gt_matmul(stream, gate_rows, x, w.value, b.value, 0, 1, GT_ACTIVATION_NONE));
    EXPECT_OK(gt_recurrent(stream, y, last, nullptr, saved, gates, nullptr, u.value, bias.value,
                           nullptr, nullptr, nullptr, nullptr, nullptr, GT_CELL_GRU,
                           GT_DIRECTION_FORWARD, 0));
    head.run(s, rows, d_rows);
    EXPECT_OK(gt_fill(stream, dy, 0));
    EXPECT_OK(gt_recurrent_backward(stream, d_gates, nullptr, u.gradient, bias.gradient, nullptr,
                                    nullptr, nullptr, dy, d_last, nullptr, y, saved, nullptr,
                                    u.value, nullptr, nullptr, nullptr, nullptr, nullptr,
                                    GT_CELL_GRU, GT_DIRECTION_FORWARD, 0));
    EXPECT_OK(gt_matmul(stream, w.gradient, d_gate_rows, x, nullptr, 1, 0, GT_ACTIVATION_NONE));
    EXPECT_OK(gt_reduce(stream, db_row, d_gate_rows, GT_REDUCE_SUM, 1));
    s.update();
  });
}

TEST(TrainingStep, FindsItsMemoryThere) {
  const TestDevice device;
  const TestTensor<float> large(device, Dims{8 << 20});
  void* data = nullptr;
  ASSERT_OK(gt_buffer_map(&data, large.buffer()));
  const int64_t before = page_faults();
  std::memset(data, 1, 32 << 20);
  EXPECT_LE(page_faults() - before, 1) << "a page of the test's own, at most";
}

}  // namespace
}  // namespace gatun::test
