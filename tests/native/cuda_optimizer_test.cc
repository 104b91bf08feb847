// Optimizer steps, clipping and rows of tables on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaOptimizer : public CudaTest {};

TEST_F(CudaOptimizer, StepsByAdaptiveRules) {
  const Operand step{DType::I64, Array<double>({}, 6.0)};
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const int64_t count : {0, 1, 1003}) {
      // parameter, m, v, greatest, gradient, learning rate, step
      std::vector<Operand> inputs = {operand(dtype, {count}, 1),
                                     operand(dtype, {count}, 2),
                                     operand(dtype, {count}, 3, 0, 2),
                                     operand(dtype, {count}, 4, 0, 2),
                                     operand(dtype, {count}, 5),
                                     scalar(dtype, 0.01),
                                     step};
      const Operand out = empty(dtype, {count});
      for (int32_t rule = GT_ADAPTIVE_AMSGRAD; rule <= GT_ADAPTIVE_LION; ++rule) {
        for (const int32_t decoupled : {0, 1}) {
          for (const double beta1 : {0.9, 0.0}) {
            SCOPED_TRACE(testing::Message() << "rule " << rule << ", beta1 " << beta1);
            const bool m =
                rule != GT_ADAPTIVE_ADAGRAD && !(rule == GT_ADAPTIVE_RMSPROP && beta1 == 0);
            const bool v = rule != GT_ADAPTIVE_LION, w = rule == GT_ADAPTIVE_AMSGRAD;
            expect_like_cpu(
                *cuda, cpu, {out, out, out, out}, inputs, 16,
                [&](gt_stream s, const Handles& to, const Handles& in) {
                  const auto kept = [](bool is, gt_tensor t) { return is ? t : nullptr; };
                  return gt_adaptive_step(s, to[0], kept(m, to[1]), kept(v, to[2]), kept(w, to[3]),
                                          in[0], kept(m, in[1]), kept(v, in[2]), kept(w, in[3]),
                                          in[4], in[5], in[6], rule, beta1, 0.99, 1e-8, 0.1,
                                          decoupled);
                });
          }
        }
      }
    }
  }
}

TEST_F(CudaOptimizer, StepsByAdamAndSgd) {
  const Operand step{DType::I64, Array<double>({}, 3.0)};
  for (const DType dtype : {DType::F32, DType::F64}) {
    const Operand out = empty(dtype, {1003});
    const std::vector<Operand> inputs = {
        operand(dtype, {1003}, 1), operand(dtype, {1003}, 2), operand(dtype, {1003}, 3, 0, 2),
        operand(dtype, {1003}, 4), scalar(dtype, 0.01),       step};
    for (const int32_t flag : {0, 1}) {
      expect_like_cpu(*cuda, cpu, {out, out, out}, inputs, 16,
                      [&](gt_stream s, const Handles& to, const Handles& in) {
                        return gt_adam_step(s, to[0], to[1], to[2], in[0], in[1], in[2], in[3],
                                            in[4], in[5], 0.9, 0.999, 1e-8, 0.1, flag);
                      });
      expect_like_cpu(*cuda, cpu, {out, out}, inputs, 16,
                      [&](gt_stream s, const Handles& to, const Handles& in) {
                        return gt_sgd_step(s, to[0], to[1], in[0], in[1], in[3], in[4], 0.9, 0.1,
                                           0.01, flag, 1 - flag);
                      });
    }
  }
}

// Gaps of a slab, and parameters that no gradient reaches; an epsilon that vanishes in f32 makes no
// 0 / 0 of them.
TEST_F(CudaOptimizer, LeavesWhatHasNoGradient) {
  const Operand step{DType::I64, Array<double>({}, 3.0)};
  for (const DType dtype : {DType::F32, DType::F64}) {
    const Operand zeros = empty(dtype, {40}), rate = scalar(dtype, 0.1);
    expect_like_cpu(*cuda, cpu, {zeros, zeros, zeros},
                    {operand(dtype, {40}), zeros, zeros, zeros, rate, step}, 0,
                    [](gt_stream s, const Handles& to, const Handles& in) {
                      return gt_adam_step(s, to[0], to[1], to[2], in[0], in[1], in[2], in[3], in[4],
                                          in[5], 0.9, 0.999, 1e-60, 0, 0);
                    });
    for (const int32_t rule : {GT_ADAPTIVE_NADAM, GT_ADAPTIVE_RMSPROP}) {
      expect_like_cpu(*cuda, cpu, {zeros, zeros, zeros},
                      {operand(dtype, {40}), zeros, zeros, zeros, rate, step}, 0,
                      [&](gt_stream s, const Handles& to, const Handles& in) {
                        return gt_adaptive_step(s, to[0], to[1], to[2], nullptr, in[0], in[1],
                                                in[2], nullptr, in[3], in[4], in[5], rule, 0.9,
                                                0.99, 1e-60, 0, 0);
                      });
    }
  }
}

TEST_F(CudaOptimizer, TakesNormsAndClips) {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const int64_t count : {1, 1000, 40'003}) {
      const std::vector<Operand> inputs = {operand(dtype, {count}), scalar(dtype, 7)};
      expect_like_cpu(*cuda, cpu, {empty(dtype, {})}, inputs, 4,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_norm(s, out[0], in[0]);
                      });
      expect_like_cpu(*cuda, cpu, {empty(dtype, {count})}, inputs, 4,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_clip_by_norm(s, out[0], in[0], in[1], 2);
                      });
    }
    for (const Dims& dims :
         std::vector<Dims>{{9, 7}, {5, 64}, {3, 1031}, {2, 4200}, {3, 0}, {0, 3}}) {
      std::vector<Operand> inputs = {operand(dtype, dims, 1), operand(dtype, dims, 2, -0.1, 0.1)};
      if (inputs[0].values.count() > 0) inputs[0].values[1] = INFINITY;  // a row that stays
      for (const bool relative : {false, true}) {
        expect_like_cpu(*cuda, cpu, {empty(dtype, dims)}, inputs, 4,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_clip_rows(s, out[0], in[0], relative ? in[1] : nullptr, 0.7,
                                              1e-3);
                        });
      }
    }
  }
}

TEST_F(CudaOptimizer, GathersAndScattersRows) {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const auto& [count, rows, width] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                                {70, 5, 3},
                                                                                {70, 9, 160},
                                                                                {300, 1000, 8},
                                                                                {0, 3, 4},
                                                                                {5, 0, 4},
                                                                                {5, 3, 0}}) {
      SCOPED_TRACE(testing::Message() << count << " of " << rows << " rows of " << width);
      Operand indices = operand(DType::I32, {count}, 3, -1, static_cast<double>(rows) + 2);
      for (int64_t i = 0; i < count; ++i) indices.values[i] = std::floor(indices.values[i]);
      expect_like_cpu(*cuda, cpu, {empty(dtype, {count, width})},
                      {operand(dtype, {rows, width}), indices}, 0,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_gather_rows(s, out[0], in[0], in[1]);
                      });
      // Summed in the same order, so with the same bits.
      expect_like_cpu(*cuda, cpu, {empty(dtype, {rows, width})},
                      {operand(dtype, {count, width}), indices}, 0,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_scatter_add_rows(s, out[0], in[0], in[1]);
                      });
    }
  }
}

}  // namespace
}  // namespace gatun::test
