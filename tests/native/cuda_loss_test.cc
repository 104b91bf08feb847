// Softmax and cross-entropy on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaLoss : public CudaTest {};

TEST_F(CudaLoss, TakesSoftmax) {
  for_each_floating([&](DType dtype) {
    // A warp's row, a block's, more than its registers hold; with packs and without.
    for (const Dims& dims : std::vector<Dims>{
             {5, 1}, {11, 7}, {9, 64}, {2, 2, 520}, {3, 1031}, {2, 8200}, {0, 4}, {3, 0}}) {
      SCOPED_TRACE(dims.back());
      Operand x = operand(dtype, dims, 1, -20, 20);
      if (x.values.count() > 30) {
        x.values[1] = 1000;
        x.values[dims.back()] = -INFINITY;
        x.values[2 * dims.back() - 1] = -1000;
      }
      for (const bool logarithm : {false, true}) {
        expect_like_cpu(*cuda, cpu, {empty(dtype, dims)}, {x}, 32,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return (logarithm ? gt_log_softmax : gt_softmax)(s, out[0], in[0]);
                        });
      }
    }
  });
}

TEST_F(CudaLoss, WorksInPlace) {
  const std::vector<Operand> x = {operand(DType::F32, {5, 9000})};
  Placed values(*cuda, x, 0), result(*cuda, x, 0);
  const gt_tensor in = values[0].tensor();
  ASSERT_OK(gt_softmax(cuda->stream(), result[0].tensor(), in));
  ASSERT_OK(gt_softmax(cuda->stream(), in, in));
  EXPECT_EQ(values[0].bytes(), result[0].bytes());
}

TEST_F(CudaLoss, SetsOnes) {
  Operand labels = empty(DType::I32, {6});
  labels.values = Array<double>({6}, {3, 0, -1, 15, 16, 7});
  for_each_floating([&](DType dtype) {
    for (const int64_t columns : {16, 5, 1, 0}) {
      expect_like_cpu(*cuda, cpu, {empty(dtype, {6, columns})}, {labels}, 0,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_one_hot(s, out[0], in[0]);
                      });
    }
  });
}

// logits, targets, class weights, dloss
std::vector<Operand> cross_entropy_inputs(DType dtype, int64_t rows, int64_t columns, bool soft) {
  std::vector<Operand> inputs = {operand(dtype, {rows, columns}, 1, -5, 5)};
  if (soft) {
    Operand targets = operand(dtype, {rows, columns}, 2, 0, 1);
    if (rows > 2) targets.values[2 * columns] = -1;  // ignored
    inputs.push_back(targets);
  } else {
    Operand labels = operand(DType::I32, {rows}, 3, 0, static_cast<double>(columns));
    for (int64_t r = 0; r < rows; ++r) {
      labels.values[r] = r % 5 == 3 ? -1 : std::floor(labels.values[r]);
    }
    inputs.push_back(labels);
  }
  inputs.push_back(operand(dtype, {columns}, 4, 0.5, 2));
  inputs.push_back(scalar(dtype, 1.5));
  return inputs;
}

// Of logits and logarithms.
constexpr double kTerms = 1;

TEST_F(CudaLoss, TakesCrossEntropy) {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const auto& [rows, columns] : std::vector<std::array<int64_t, 2>>{
             {1, 1}, {7, 10}, {300, 3}, {3, 640}, {2, 1031}, {1, 4200}, {0, 4}}) {
      for (int form = 0; form < 8; ++form) {
        const bool soft = (form & 1) != 0, weighted = (form & 2) != 0;
        const double smoothing = (form & 4) != 0 ? 0.1 : 0;
        // The emulation is slow: long rows and many are for a form with labels, one with weighted
        // distributions, and one with weighted labels that are smoothed.
        const bool slow = columns > 100 || rows > 100;
        if (slow && form != 0 && form != 3 && form != 6) continue;
        SCOPED_TRACE(testing::Message() << rows << " x " << columns << ", form " << form);
        const std::vector<Operand> inputs = cross_entropy_inputs(dtype, rows, columns, soft);
        const auto weights = [=](const Handles& in) { return weighted ? in[2] : nullptr; };
        const Operand loss = empty(dtype, {}), correct = empty(DType::I32, {}),
                      dlogits = empty(dtype, {rows, columns});
        expect_like_cpu(
            *cuda, cpu, {loss, correct}, inputs, 64,
            [&](gt_stream s, const Handles& out, const Handles& in) {
              return gt_softmax_cross_entropy(s, out[0], out[1], in[0], in[1], weights(in),
                                              smoothing);
            },
            kTerms);
        expect_like_cpu(
            *cuda, cpu, {dlogits}, inputs, 64,
            [&](gt_stream s, const Handles& out, const Handles& in) {
              return gt_softmax_cross_entropy_backward(s, out[0], in[0], in[1], weights(in), in[3],
                                                       smoothing);
            },
            kTerms);
        expect_like_cpu(
            *cuda, cpu, {loss, correct, dlogits}, inputs, 64,
            [&](gt_stream s, const Handles& out, const Handles& in) {
              return gt_softmax_cross_entropy_training(s, out[0], out[1], out[2], in[0], in[1],
                                                       weights(in), in[3], smoothing);
            },
            kTerms);
      }
    }
  }
}

TEST_F(CudaLoss, CountsTheFirstGreatestLogit) {
  Operand logits = empty(DType::F32, {4, 3}), labels = empty(DType::I32, {4});
  logits.values = Array<double>({4, 3}, {1, 1, 0, 0, 2, 2, NAN, 1, 0, 0, 0, 3});
  labels.values = Array<double>({4}, {0, 2, 1, 2});
  expect_like_cpu(*cuda, cpu, {empty(DType::F32, {}), empty(DType::I32, {})}, {logits, labels}, 8,
                  [](gt_stream s, const Handles& out, const Handles& in) {
                    return gt_softmax_cross_entropy(s, out[0], out[1], in[0], in[1], nullptr, 0);
                  });
  // A label that is too large makes the loss NaN, and its row of the gradient.
  labels.values[1] = 3;
  logits.values[6] = 0;
  expect_like_cpu(*cuda, cpu,
                  {empty(DType::F32, {}), empty(DType::I32, {}), empty(DType::F32, {4, 3})},
                  {logits, labels, scalar(DType::F32, 1)}, 8,
                  [](gt_stream s, const Handles& out, const Handles& in) {
                    return gt_softmax_cross_entropy_training(s, out[0], out[1], out[2], in[0],
                                                             in[1], nullptr, in[2], 0);
                  });
}

}  // namespace
}  // namespace gatun::test
