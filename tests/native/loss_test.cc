#include "kernels/loss.h"

#include "kernels/loss_naive.h"
#include "support.h"

namespace gatun::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows x columns: one class, one row (of a weight below 1), class counts around the vector sizes,
// several tasks, long rows, none.
const std::vector<Dims> kShapes = {{1, 1},  {1, 5},    {3, 2},     {128, 10}, {5, 16},
                                   {7, 17}, {2000, 7}, {300, 100}, {9, 1000}, {2, 9001},
                                   {0, 10}, {3, 0},    {1500, 31}};

// Labels over all classes, some ignored.
Array<int32_t> random_labels(int64_t rows, int64_t columns) {
  Array<int32_t> labels({rows});
  for (int64_t r = 0; r < rows; ++r) {
    labels[r] = r % 9 == 4 || columns == 0 ? -1 : static_cast<int32_t>(r * 7919 % columns);
  }
  return labels;
}

// Rows that sum to 1, some with zeros, some ignored.
Array<float> random_distributions(const Dims& dims) {
  Array<float> t = random_array<float>(dims, 5, 0, 1);
  for (int64_t r = 0; r < dims[0] && dims[1] > 0; ++r) {
    float* row = t.data() + r * dims[1];
    float sum = 0;
    for (int64_t c = 0; c < dims[1]; ++c) sum += row[c] = (r + c) % 3 == 0 ? row[c] + 0.1f : 0;
    for (int64_t c = 0; c < dims[1]; ++c) row[c] /= sum == 0 ? 1 : sum;
    if (r % 9 == 4) row[0] = -1;
  }
  return t;
}

kernels::naive::TargetRows<float> rows_of(const kernels::Wanted& wanted, int64_t columns) {
  const bool labelled = wanted.targets.dtype == DType::I32;
  return {labelled ? wanted.targets.as<int32_t>() : nullptr,
          labelled ? nullptr : wanted.targets.as<float>(),
          wanted.class_weights == nullptr ? nullptr : wanted.class_weights->as<float>(),
          wanted.label_smoothing, columns};
}

// Loss, right answers and gradient, one by one and in one pass.
void expect_as_naive(const Dims& dims, const kernels::Wanted& wanted) {
  SerialLauncher launcher(2);
  Array<float> logits = random_array<float>(dims, 1, -5, 5), loss({});
  for (int64_t i = 0; i < logits.count(); i += 2) logits[i] = std::round(logits[i]);  // ties
  Array<int32_t> correct({});
  kernels::softmax_cross_entropy(launcher, loss.tensor(), correct.tensor(), logits.tensor(),
                                 wanted);
  const auto targets = rows_of(wanted, dims[1]);
  const auto expected = kernels::naive::softmax_cross_entropy(logits.data(), targets, dims[0]);
  EXPECT_EQ(correct[0], expected.correct);
  const double total = expected.total == 0 ? 1 : expected.total;
  EXPECT_NEAR(loss[0], expected.loss / total, 1e-5);

  Array<float> dlogits(dims, 7), dexpected(dims), dloss({}, 3);
  kernels::softmax_cross_entropy_backward(launcher, dlogits.tensor(), logits.tensor(), wanted,
                                          dloss.tensor());
  kernels::naive::softmax_cross_entropy_backward(dexpected.data(), logits.data(), targets, dims[0],
                                                 3 / total);
  // Probabilities to 1e-5, and p - q to an ulp of the greatest weight.
  expect_close(dlogits, dexpected, 1e-5, 4e-7 * 3 / total);

  Array<float> both_loss({}), both_dlogits(dims, 7);
  Array<int32_t> both_correct({});
  kernels::softmax_cross_entropy_training(launcher, both_loss.tensor(), both_correct.tensor(),
                                          both_dlogits.tensor(), logits.tensor(), wanted,
                                          dloss.tensor());
  expect_same_bits(both_loss, loss);
  expect_same_bits(both_dlogits, dlogits);
  EXPECT_EQ(both_correct[0], correct[0]);
}

TEST(Loss, SoftmaxAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for (const double range : {1.0, 60.0}) {
        Array<float> x = random_array<float>(dims, 1, -range, range), y(dims), expected(dims);
        kernels::softmax(launcher, y.tensor(), x.tensor());
        kernels::naive::softmax(expected.data(), x.data(), dims[0], dims[1]);
        // x - max rounds by 2^-18 at -120 to give a relative error of 4e-6; exp adds an ulp, a sum
        // of at most 1024 terms in a chain some.
        expect_close(y, expected, 1e-5, 1e-30);
      }
    }
  });
}

TEST(Loss, CrossEntropyAgreesWithNaive) {
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      Array<int32_t> labels = random_labels(dims[0], dims[1]);
      Array<float> distributions = random_distributions(dims), weights({dims[1]});
      for (int64_t c = 0; c < dims[1]; ++c) weights[c] = c % 5 == 3 ? 0 : 0.5f + 0.25f * (c % 7);
      const Tensor by_class = weights.tensor();
      for (const double smoothing : {0.0, 0.1}) {
        for (const Tensor* w : {static_cast<const Tensor*>(nullptr), &by_class}) {
          SCOPED_TRACE(testing::PrintToString(dims) + ", smoothing " + std::to_string(smoothing) +
                       (w == nullptr ? "" : ", weighted"));
          expect_as_naive(dims, {labels.tensor(), w, smoothing});
          expect_as_naive(dims, {distributions.tensor(), w, smoothing});
        }
      }
    }
  });
}

TEST(Loss, LogSoftmaxAgreesWithNaive) {
  SerialLauncher launcher(2);
  for_each_simd_level([&](const char*) {
    for (const Dims& dims : kShapes) {
      SCOPED_TRACE(testing::PrintToString(dims));
      for (const double range : {1.0, 1000.0}) {
        Array<float> x = random_array<float>(dims, 1, -range, range), y(dims), expected(dims);
        kernels::log_softmax(launcher, y.tensor(), x.tensor());
        kernels::naive::log_softmax(expected.data(), x.data(), dims[0], dims[1]);
        expect_close(y, expected, 4e-7, 4e-7 * range);
      }
    }
  });
}

TEST(Loss, OneHotIsOneAtTheLabel) {
  TestDevice device(2);
  TestTensor<int32_t> labels(device, Array<int32_t>({2, 2}, {2, -1, 3, 0}));
  TestTensor<float> y(device, Array<float>({2, 2, 3}, 7));
  ASSERT_OK(gt_one_hot(device.stream(), y, labels));
  expect_same_bits(y.read(), Array<float>({2, 2, 3}, {0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_REFUSED(gt_one_hot(device.stream(), labels, labels), GT_INVALID_ARGUMENT,
                 "y must be f32, f64 or bf16");
  TestTensor<float> flat(device, Dims{4, 3});
  EXPECT_REFUSED(gt_one_hot(device.stream(), flat, labels), GT_INVALID_ARGUMENT,
                 "y must have the axes of labels and one more");
}

TEST(Loss, CountsTheFirstGreatestLogitAlone) {
  for_each_simd_level([](const char*) {
    for (const int64_t columns : {5, 40}) {
      for (const int64_t tie : {int64_t{3}, columns - 1}) {
        Array<float> logits({4, columns}, -1), loss({});
        for (int64_t r = 0; r < 4; ++r) logits[r * columns + 2] = logits[r * columns + tie] = 4;
        // The first greatest, a later one, a lesser one, an ignored row.
        Array<int32_t> labels({4}, {2, static_cast<int32_t>(tie), 0, -1}), correct({});
        SerialLauncher launcher;
        kernels::softmax_cross_entropy(launcher, loss.tensor(), correct.tensor(), logits.tensor(),
                                       {labels.tensor(), nullptr, 0});
        EXPECT_EQ(correct[0], 1);
      }
    }
  });
}

TEST(Loss, NaNAndInfinity) {
  for_each_simd_level([](const char*) {
    for (const int64_t columns : {3, 37}) {
      SCOPED_TRACE(columns);
      SerialLauncher launcher;
      Array<float> x({3, columns}, 1), y({3, columns});
      x[1] = kNaN;
      x[2 * columns + 2] = kInfinity;
      kernels::softmax(launcher, y.tensor(), x.tensor());
      for (int64_t i = 0; i < columns; ++i) {
        EXPECT_TRUE(std::isnan(y[i]));
        EXPECT_NEAR(y[columns + i], 1.0 / static_cast<double>(columns), 1e-7);
      }
      EXPECT_TRUE(std::isnan(y[2 * columns + 2]));

      // A NaN is never right; an infinite logit is, though its loss is NaN.
      Array<int32_t> labels({3}, {1, 0, 2}), correct({});
      Array<float> loss({});
      kernels::softmax_cross_entropy(launcher, loss.tensor(), correct.tensor(), x.tensor(),
                                     {labels.tensor(), nullptr, 0});
      EXPECT_TRUE(std::isnan(loss[0]));
      EXPECT_EQ(correct[0], 2);
      labels[0] = 0;  // the greatest number, but there is a NaN beside it
      kernels::softmax_cross_entropy(launcher, loss.tensor(), correct.tensor(), x.tensor(),
                                     {labels.tensor(), nullptr, 0});
      EXPECT_EQ(correct[0], 2);

      // -inf is a probability of zero.
      x = Array<float>({1, columns}, -kInfinity);
      x[0] = 5;
      Array<float> one({1, columns});
      kernels::softmax(launcher, one.tensor(), x.tensor());
      EXPECT_EQ(one[0], 1);
      EXPECT_EQ(one[columns - 1], 0);
    }
  });
}

// Beside logits whose digits end far above 1, what the sum of the exponentials adds is not lost.
TEST(Loss, LargeLogitsKeepTheirDistances) {
  SerialLauncher launcher;
  Array<double> x({1, 3}, {1e17, 1e17, -1e17}), y({1, 3}), loss({}), dlogits({1, 3}), dloss({}, 1);
  Array<int32_t> label({1}, {0}), correct({});
  kernels::softmax(launcher, y.tensor(), x.tensor());
  expect_close(y, Array<double>({1, 3}, {0.5, 0.5, 0}), 1e-15, 0);
  kernels::log_softmax(launcher, y.tensor(), x.tensor());
  expect_close(y, Array<double>({1, 3}, {-std::log(2), -std::log(2), -2e17}), 1e-15, 0);
  kernels::softmax_cross_entropy_training(launcher, loss.tensor(), correct.tensor(),
                                          dlogits.tensor(), x.tensor(),
                                          {label.tensor(), nullptr, 0}, dloss.tensor());
  EXPECT_DOUBLE_EQ(loss[0], std::log(2));
  expect_close(dlogits, Array<double>({1, 3}, {-0.5, 0.5, 0}), 1e-15, 0);
}

// A class that cannot be, and that a row does not want, costs nothing: 0 times infinity counts as
// 0.
TEST(Loss, ImpossibleClassesCostNothingWhereTheyAreNotWanted) {
  for_each_simd_level([](const char*) {
    for (const int64_t columns : {3, 37}) {
      SCOPED_TRACE(columns);
      SerialLauncher launcher;
      Array<float> logits({2, columns}, 0.5f), wanted({2, columns}), weights({columns}, 1);
      Array<float> loss({}), dlogits({2, columns}), dloss({}, 1);
      Array<int32_t> correct({}), labels({2}, {1, static_cast<int32_t>(columns) - 1});
      const Tensor by_class = weights.tensor();
      logits[0] = logits[2 * columns - 1] = -kInfinity;
      wanted[1] = wanted[columns] = 1;
      const auto compute = [&](const kernels::Wanted& targets) {
        kernels::softmax_cross_entropy(launcher, loss.tensor(), correct.tensor(), logits.tensor(),
                                       targets);
        Array<float> both({});
        kernels::softmax_cross_entropy_training(launcher, both.tensor(), correct.tensor(),
                                                dlogits.tensor(), logits.tensor(), targets,
                                                dloss.tensor());
        expect_same_bits(both, loss);
      };
      const double all = std::log(static_cast<double>(columns) - 1);
      compute({wanted.tensor(), nullptr, 0});
      EXPECT_NEAR(loss[0], all, 1e-6);
      weights[columns - 1] = 0;  // the second row's label
      compute({labels.tensor(), &by_class, 0});
      EXPECT_NEAR(loss[0], all, 1e-6);
      for (int64_t c = 0; c < columns; ++c) {
        EXPECT_FALSE(std::isnan(dlogits[c]));
        EXPECT_EQ(dlogits[columns + c], 0);
      }
    }
  });
}

// ---- Through the C ABI

template <typename T>
void expect_known_answers() {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<T> logits(device, Dims{3, 10}), loss(device, Dims{}),
      dloss(device, Array<T>({}, T{1}));
  TestTensor<int32_t> labels(device, Array<int32_t>({3}, {0, -1, 9})), correct(device, Dims{});
  ASSERT_OK(gt_softmax_cross_entropy(s, loss, correct, logits, labels, nullptr, 0));
  EXPECT_NEAR(loss.read()[0], std::log(10.0), 1e-6);  // equal logits: ln C
  EXPECT_EQ(correct.read()[0], 1);

  TestTensor<T> dlogits(device, Dims{3, 10});
  ASSERT_OK(gt_softmax_cross_entropy_backward(s, dlogits, logits, labels, nullptr, dloss, 0));
  const Array<T> d = dlogits.read();
  EXPECT_NEAR(d[0], (0.1 - 1) / 2, 1e-7);  // two rows count
  EXPECT_NEAR(d[1], 0.1 / 2, 1e-7);
  EXPECT_EQ(d[10], 0);
  EXPECT_NEAR(d[29], (0.1 - 1) / 2, 1e-7);

  // Logits of any size: softmax is shifted, and exp(1000) never computed.
  logits.write(Array<T>({3, 10}, T{1000}));
  ASSERT_OK(gt_softmax(s, logits, logits));
  EXPECT_NEAR(logits.read()[17], 0.1, 1e-7);

  labels.write(Array<int32_t>({3}, {-1, -5, -1}));
  ASSERT_OK(gt_softmax_cross_entropy(s, loss, correct, logits, labels, nullptr, 0));
  EXPECT_EQ(loss.read()[0], 0);
  EXPECT_EQ(correct.read()[0], 0);
  ASSERT_OK(gt_softmax_cross_entropy_backward(s, dlogits, logits, labels, nullptr, dloss, 0));
  expect_same_bits(dlogits.read(), Array<T>({3, 10}));

  // Too large a label spoils the loss and its own row, and nothing is read out of bounds.
  labels.write(Array<int32_t>({3}, {1, 10, std::numeric_limits<int32_t>::max()}));
  ASSERT_OK(gt_softmax_cross_entropy(s, loss, correct, logits, labels, nullptr, 0));
  EXPECT_TRUE(std::isnan(loss.read()[0]));
  ASSERT_OK(gt_softmax_cross_entropy_backward(s, dlogits, logits, labels, nullptr, dloss, 0));
  for (int64_t i = 0; i < 30; ++i) EXPECT_EQ(std::isnan(dlogits.read()[i]), i >= 10);
}

TEST(Loss, KnownAnswers) {
  expect_known_answers<float>();
  expect_known_answers<double>();
}

TEST(Loss, SameBitsForEveryNumberOfThreads) {
  std::vector<Array<float>> first;
  for (const int threads : {1, 2, 3}) {
    TestDevice device(threads);
    const gt_stream s = device.stream();
    TestTensor<float> logits(device, random_array<float>({5000, 23})), y(device, Dims{5000, 23});
    TestTensor<float> loss(device, Dims{}), dloss(device, Array<float>({}, 1.0f));
    TestTensor<int32_t> labels(device, random_labels(5000, 23)), correct(device, Dims{});
    std::vector<Array<float>> all;
    ASSERT_OK(gt_softmax(s, y, logits));
    all.push_back(y.read());
    ASSERT_OK(gt_softmax_cross_entropy(s, loss, correct, logits, labels, nullptr, 0));
    all.push_back(loss.read());
    ASSERT_OK(gt_softmax_cross_entropy_backward(s, y, logits, labels, nullptr, dloss, 0));
    all.push_back(y.read());
    ASSERT_OK(
        gt_softmax_cross_entropy_training(s, loss, correct, y, logits, labels, nullptr, dloss, 0));
    expect_same_bits(loss.read(), all[1]);
    expect_same_bits(y.read(), all[2]);
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) expect_same_bits(all[i], first[i]);
  }
}

TEST(Loss, GradientAgreesWithFiniteDifferences) {
  TestDevice device;
  const gt_stream s = device.stream();
  const Array<double> values = random_array<double>({5, 4}, 1, -3, 3);
  TestTensor<double> logits(device, values), dlogits(device, values.dims()), loss(device, Dims{});
  TestTensor<double> dloss(device, Array<double>({}, 2.5));
  TestTensor<int32_t> labels(device, Array<int32_t>({5}, {0, 3, -1, 1, 3})), correct(device, {});
  ASSERT_OK(gt_softmax_cross_entropy_backward(s, dlogits, logits, labels, nullptr, dloss, 0));
  const Array<double> gradient = dlogits.read();
  constexpr double h = 1e-5;
  for (int64_t i = 0; i < values.count(); ++i) {
    double at[2];
    for (const int side : {0, 1}) {
      Array<double> moved = values;
      moved[i] += side == 0 ? -h : h;
      logits.write(moved);
      ASSERT_OK(gt_softmax_cross_entropy(s, loss, correct, logits, labels, nullptr, 0));
      at[side] = loss.read()[0];
    }
    EXPECT_NEAR(2.5 * (at[1] - at[0]) / (2 * h), gradient[i], 1e-9) << "element " << i;
  }
}

TEST(Loss, RefusesWhatItsContractDoesNotAllow) {
  TestDevice device;
  const gt_stream s = device.stream();
  TestTensor<float> logits(device, Dims{4, 3}), other(device, Dims{3, 4}), scalar(device, Dims{});
  TestTensor<double> wide(device, Dims{});
  TestTensor<int32_t> labels(device, Dims{4}), few(device, Dims{3}), correct(device, Dims{});
  TestTensor<int64_t> long_labels(device, Dims{4});
  const auto refused = [](gt_status status, const char* part) {
    EXPECT_REFUSED(status, GT_INVALID_ARGUMENT, part);
  };
  refused(gt_softmax(s, other, logits), "[softmax] shapes differ: y is f32 (3, 4)");
  refused(gt_softmax(s, scalar, scalar), "x needs a last axis");
  refused(gt_softmax(s, labels, labels), "y must be f32, f64 or bf16");
  refused(gt_softmax(s, nullptr, logits), "y is NULL");
  refused(gt_softmax_cross_entropy(s, scalar, correct, labels, labels, nullptr, 0),
          "logits must be f32 or f64");
  refused(gt_softmax_cross_entropy(s, scalar, correct, logits, few, nullptr, 0),
          "targets must be i32 (4)");
  refused(gt_softmax_cross_entropy(s, scalar, correct, logits, long_labels, nullptr, 0),
          "targets must be i32");
  refused(gt_softmax_cross_entropy(s, wide, correct, logits, labels, nullptr, 0),
          "dtypes differ: logits");
  refused(gt_softmax_cross_entropy(s, logits, correct, logits, labels, nullptr, 0),
          "loss must be f32 ()");
  refused(gt_softmax_cross_entropy(s, scalar, labels, logits, labels, nullptr, 0),
          "correct must be i32 ()");
  refused(gt_softmax_cross_entropy_training(s, scalar, correct, other, logits, labels, nullptr,
                                            scalar, 0),
          "[softmax_cross_entropy_training] shapes differ: dlogits");
  refused(gt_softmax_cross_entropy_backward(s, other, logits, labels, nullptr, scalar, 0),
          "[softmax_cross_entropy_backward] shapes differ: dlogits");
  refused(gt_softmax_cross_entropy_backward(s, logits, logits, labels, nullptr, scalar, 0),
          "dlogits and logits share memory");
  refused(gt_softmax_cross_entropy_backward(s, other, logits, labels, nullptr, nullptr, 0),
          "dloss is NULL");
}

}  // namespace
}  // namespace gatun::test
