// Normalisation on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaNorm : public CudaTest {};

// Packs and single channels, one row for a thread and many, more channels than a block takes, more
// rows than one block takes.
const std::vector<Dims> kShapes = {{2, 5, 7, 16}, {13, 3},   {2, 1, 1, 1}, {3, 9, 9, 20},
                                   {200, 160},    {2099, 3}, {5, 6, 4, 8}};

Operand channels(DType dtype, const Dims& x, uint32_t seed, double low = -2, double high = 2) {
  return operand(wide(dtype), {x.back()}, seed, low, high);
}

// A thousand standard deviations off centre where there are values enough for one, which sums of
// squares would not stand: then the mean's rounding is so many units of the result. In f32: the
// CPU's f64 sums one by one, and is no better than CUDA there.
constexpr double kOffCentre = 8000;

Operand off_centre(DType dtype, const Dims& dims, uint32_t seed, int64_t values) {
  const bool off = dtype == DType::F32 && values >= 40;
  return operand(dtype, dims, seed, off ? 999 : -2, off ? 1001 : 2);
}

TEST_F(CudaNorm, NormalisesBatches) {
  for_each_floating([&](DType dtype) {
    for (const Dims& dims : kShapes) {
      for (int form = 0; form < 8; ++form) {
        const bool residual = (form & 1) != 0, relu = (form & 2) != 0;
        const bool given = (form & 4) != 0 && dtype != DType::BF16;
        SCOPED_TRACE(testing::Message() << dims.back() << " channels, form " << form);
        const Operand c = empty(wide(dtype), {dims.back()});
        std::vector<Operand> inputs = {off_centre(dtype, dims, 1, count_of(dims) / dims.back()),
                                       channels(dtype, dims, 2),
                                       channels(dtype, dims, 3),
                                       channels(dtype, dims, 4),
                                       channels(dtype, dims, 5, 0.5, 2),
                                       operand(dtype, dims, 6),
                                       operand(wide(dtype), {2, dims.back()}, 7, 0.5, 2)};
        expect_like_cpu(*cuda, cpu, {empty(dtype, dims), c, c, c, c}, inputs, kOffCentre,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_batch_norm_training(
                              s, out[0], out[1], out[2], out[3], out[4], in[0], in[1], in[2],
                              residual ? in[5] : nullptr, given ? in[6] : nullptr, in[3], in[4],
                              0.1, 1e-5, relu ? GT_ACTIVATION_RELU : GT_ACTIVATION_NONE);
                        });
        inputs[0] = operand(dtype, dims, 1);
        expect_like_cpu(*cuda, cpu, {empty(dtype, dims)}, inputs, 32,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_batch_norm_inference(
                              s, out[0], in[0], in[1], in[2], residual ? in[5] : nullptr, in[3],
                              in[4], 1e-3, relu ? GT_ACTIVATION_RELU : GT_ACTIVATION_NONE);
                        });
      }
    }
  });
}

// 4225 rows for 66 blocks: with 65 for each, the last one has none. A mean of nothing is NaN.
TEST_F(CudaNorm, LeavesNoBlockWithoutRows) {
  const Dims dims = {4225, 32};
  const Operand c = empty(DType::F32, {32});
  expect_like_cpu(
      *cuda, cpu, {empty(DType::F32, dims), c, c, c, c},
      {operand(DType::F32, dims, 1), channels(DType::F32, dims, 2), channels(DType::F32, dims, 3),
       channels(DType::F32, dims, 4), channels(DType::F32, dims, 5, 0.5, 2)},
      32, [](gt_stream s, const Handles& out, const Handles& in) {
        return gt_batch_norm_training(s, out[0], out[1], out[2], out[3], out[4], in[0], in[1],
                                      in[2], nullptr, nullptr, in[3], in[4], 0.1, 1e-5,
                                      GT_ACTIVATION_NONE);
      });
}

TEST_F(CudaNorm, TakesGradientsOfBatchNorm) {
  for_each_floating([&](DType dtype) {
    for (const Dims& dims : kShapes) {
      for (int form = 0; form < 8; ++form) {
        const bool residual = (form & 1) != 0, relu = (form & 2) != 0;
        const bool given = (form & 4) != 0 && dtype != DType::BF16;
        SCOPED_TRACE(testing::Message() << dims.back() << " channels, form " << form);
        const Operand c = empty(wide(dtype), {dims.back()});
        // dy, x, y, mean, inv_std, gamma, sums
        const std::vector<Operand> inputs = {operand(dtype, dims, 1),
                                             operand(dtype, dims, 2),
                                             operand(dtype, dims, 3),
                                             channels(dtype, dims, 4),
                                             channels(dtype, dims, 5, 0.5, 2),
                                             channels(dtype, dims, 6),
                                             operand(wide(dtype), {2, dims.back()}, 7)};
        expect_like_cpu(*cuda, cpu, {empty(dtype, dims), c, c, empty(dtype, dims)}, inputs, 128,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_batch_norm_backward(
                              s, out[0], out[1], out[2], residual ? out[3] : nullptr, in[0], in[1],
                              relu ? in[2] : nullptr, in[3], in[4], in[5], given ? in[6] : nullptr,
                              relu ? GT_ACTIVATION_RELU : GT_ACTIVATION_NONE);
                        });
      }
    }
  });
}

TEST_F(CudaNorm, WorksInPlace) {
  const Dims dims = {5, 6, 8};
  const auto gradient = [&](bool over_dx) {
    Placed t(*cuda,
             {operand(DType::F32, dims, 1), operand(DType::F32, dims, 2),
              operand(DType::F32, dims, 3), channels(DType::F32, dims, 4),
              channels(DType::F32, dims, 5, 0.5, 2), channels(DType::F32, dims, 6),
              empty(DType::F32, {8}), empty(DType::F32, {8}), empty(DType::F32, dims)},
             0);
    const gt_tensor dy = t[0].tensor(), other = t[8].tensor();
    EXPECT_OK(gt_batch_norm_backward(cuda->stream(), over_dx ? dy : other, t[6].tensor(),
                                     t[7].tensor(), over_dx ? other : dy, dy, t[1].tensor(),
                                     t[2].tensor(), t[3].tensor(), t[4].tensor(), t[5].tensor(),
                                     nullptr, GT_ACTIVATION_RELU));
    return std::pair(t[over_dx ? 0 : 8].bytes(), t[over_dx ? 8 : 0].bytes());
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

TEST_F(CudaNorm, NormalisesGroups) {
  for_each_floating([&](DType dtype) {
    for (const auto& [dims, groups] : std::vector<std::pair<Dims, int32_t>>{{{2, 3, 5, 6}, 2},
                                                                            {{3, 4}, 2},
                                                                            {{2, 70, 3, 5}, 1},
                                                                            {{3, 13, 11, 8}, 8},
                                                                            {{2, 40, 32}, 4},
                                                                            {{1, 9, 150}, 3},
                                                                            {{2, 150, 160}, 4},
                                                                            {{0, 3, 4}, 2}}) {
      SCOPED_TRACE(testing::Message() << groups << " groups of " << dims.back());
      const Operand each = empty(wide(dtype), {dims[0], groups});
      const Operand c = empty(wide(dtype), {dims.back()});
      expect_like_cpu(*cuda, cpu, {empty(dtype, dims), each, each},
                      {off_centre(dtype, dims, 1, count_of(dims) / (dims[0] * groups + 1)),
                       channels(dtype, dims, 2), channels(dtype, dims, 3)},
                      kOffCentre, [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_group_norm(s, out[0], out[1], out[2], in[0], in[1], in[2], groups,
                                             1e-5);
                      });
      expect_like_cpu(
          *cuda, cpu, {empty(dtype, dims), c, c},
          {operand(dtype, dims, 1), operand(dtype, dims, 2),
           operand(wide(dtype), {dims[0], groups}, 3),
           operand(wide(dtype), {dims[0], groups}, 4, 0.5, 2), channels(dtype, dims, 5)},
          128, [&](gt_stream s, const Handles& out, const Handles& in) {
            return gt_group_norm_backward(s, out[0], out[1], out[2], in[0], in[1], in[2], in[3],
                                          in[4], groups);
          });
    }
  });
}

TEST_F(CudaNorm, NormalisesRows) {
  for_each_floating([&](DType dtype) {
    // A warp's row, a block's, more than its registers hold; some rows and many.
    for (const Dims& dims :
         std::vector<Dims>{{7, 13}, {5, 1}, {2, 3, 64}, {300, 16}, {5, 1031}, {2, 4200}, {0, 5}}) {
      SCOPED_TRACE(testing::Message() << "rows of " << dims.back());
      Dims per_row = dims;
      per_row.back() = 1;
      const Operand r = empty(wide(dtype), per_row), c = empty(wide(dtype), {dims.back()});
      for (int form = 0; form < 4; ++form) {
        const bool centred = (form & 1) != 0, scaled = (form & 2) != 0;
        SCOPED_TRACE(testing::Message() << "form " << form);
        expect_like_cpu(
            *cuda, cpu, {empty(dtype, dims), r, r},
            {centred ? off_centre(dtype, dims, 1, dims.back()) : operand(dtype, dims, 1),
             channels(dtype, dims, 2), channels(dtype, dims, 3)},
            centred ? kOffCentre : 64, [&](gt_stream s, const Handles& out, const Handles& in) {
              return gt_layer_norm(s, out[0], centred ? out[1] : nullptr, out[2], in[0],
                                   scaled ? in[1] : nullptr, scaled ? in[2] : nullptr, 1e-5);
            });
        expect_like_cpu(
            *cuda, cpu, {empty(dtype, dims), c, c},
            {operand(dtype, dims, 1), operand(dtype, dims, 2), operand(wide(dtype), per_row, 3),
             operand(wide(dtype), per_row, 4, 0.5, 2), channels(dtype, dims, 5)},
            128, [&](gt_stream s, const Handles& out, const Handles& in) {
              return gt_layer_norm_backward(
                  s, out[0], scaled ? out[1] : nullptr, centred ? out[2] : nullptr, in[0], in[1],
                  centred ? in[2] : nullptr, in[3], scaled ? in[4] : nullptr);
            });
      }
    }
  });
}

}  // namespace
}  // namespace gatun::test
