// Instructions that move elements, on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaMovement : public CudaTest {};

constexpr DType kTypes[] = {DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::BF16};

TEST_F(CudaMovement, Permutes) {
  for (const DType dtype : kTypes) {
    SCOPED_TRACE(name_of(dtype));
    for (const auto& [dims, axes] : std::vector<std::pair<Dims, std::vector<int32_t>>>{
             {{70, 45}, {1, 0}},
             {{3, 5, 7, 4}, {3, 0, 2, 1}},
             {{6, 3, 16}, {1, 0, 2}},  // rows change places
             {{2, 33, 3, 40}, {0, 3, 1, 2}},
             {{4, 1, 5, 6}, {2, 3, 0, 1}},
             {{3, 4, 5}, {0, 1, 2}},
             {{1, 1}, {1, 0}},
             {{3, 0, 2}, {2, 1, 0}},
             {{2, 3, 2, 3, 2, 3, 2, 3}, {7, 5, 3, 1, 0, 2, 4, 6}}}) {
      Dims y;
      for (const int32_t axis : axes) y.push_back(dims[axis]);
      SCOPED_TRACE(testing::PrintToString(dims));
      expect_like_cpu(*cuda, cpu, {empty(dtype, y)}, {operand(dtype, dims, 1, 0, 200)}, 0,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_permute(s, out[0], in[0], axes.data(),
                                          static_cast<int32_t>(axes.size()));
                      });
    }
  }
}

TEST_F(CudaMovement, Converts) {
  for (const DType from : kTypes) {
    for (const DType to : kTypes) {
      SCOPED_TRACE(testing::Message() << name_of(from) << " to " << name_of(to));
      for (const int64_t count : {1, 1003}) {
        const Operand x = operand(from, {count}, 1, from == DType::U8 ? 0 : -300, 250);
        expect_like_cpu(*cuda, cpu, {empty(to, {count})}, {x}, 0,
                        [](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_copy(s, out[0], in[0]);
                        });
      }
    }
  }
}

// Rows and strips that packs fit into and not, on the first axis, a middle one and the last.
TEST_F(CudaMovement, SlicesAndConcatenates) {
  for (const DType dtype : kTypes) {
    SCOPED_TRACE(name_of(dtype));
    for (const auto& [dims, axis, parts, before, after] :
         std::vector<std::tuple<Dims, int32_t, std::vector<int64_t>, int64_t, int64_t>>{
             {{5}, 0, {5, 1, 0, 3}, 0, 0},
             {{3, 1, 5}, 1, {2, 4}, 1, 2},
             {{3, 1, 16}, 1, {2, 4}, 1, 2},
             {{2, 5, 7, 1}, 3, {3, 8, 1}, 0, 1},
             {{2, 5, 7, 1}, 3, {16, 32}, 16, 16},
             {{2, 5, 7, 1}, 3, {16, 32}, 1, 15},
             {{1, 1003}, 0, {7, 2}, 0, 0},
             {{2, 0, 3}, 2, {1, 2}, 1, 1},
             {{2, 3}, 1, {0, 0}, 0, 0},
             {{2, 3}, 0, {0}, 2, 0}}) {
      SCOPED_TRACE(testing::PrintToString(dims));
      Dims y = dims;
      y[axis] = before + after;
      std::vector<Operand> inputs;
      for (const int64_t part : parts) {
        Dims x = dims;
        x[axis] = part;
        y[axis] += part;
        inputs.push_back(operand(dtype, x, static_cast<uint32_t>(inputs.size()), 1, 200));
      }
      expect_like_cpu(*cuda, cpu, {empty(dtype, y)}, inputs, 0,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_concat(s, out[0], in.data(), static_cast<int32_t>(in.size()),
                                         axis, before);
                      });
      int64_t begin = before;
      for (const Operand& input : inputs) {
        expect_like_cpu(*cuda, cpu, {empty(dtype, input.dims())}, {operand(dtype, y, 3, 1, 200)}, 0,
                        [&](gt_stream s, const Handles& out, const Handles& in) {
                          return gt_slice(s, out[0], in[0], axis, begin);
                        });
        begin += input.dims()[axis];
      }
    }
  }
}

TEST_F(CudaMovement, SubsamplesAndPads) {
  for_each_floating([&](DType dtype) {
    for (const auto& [x, channels, stride] :
         std::vector<std::tuple<Dims, int64_t, int32_t>>{{{2, 5, 7, 4}, 6, 2},
                                                         {{2, 6, 6, 16}, 32, 2},
                                                         {{1, 7, 4, 8}, 8, 3},
                                                         {{2, 3, 3, 0}, 4, 1}}) {
      const Dims y = {x[0], (x[1] + stride - 1) / stride, (x[2] + stride - 1) / stride, channels};
      expect_like_cpu(*cuda, cpu, {empty(dtype, y)}, {operand(dtype, x)}, 0,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_subsample_pad(s, out[0], in[0], stride);
                      });
      expect_like_cpu(*cuda, cpu, {empty(dtype, x)}, {operand(dtype, y)}, 0,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_subsample_pad_backward(s, out[0], in[0], stride);
                      });
    }
  });
}

TEST_F(CudaMovement, Drops) {
  const Operand step{DType::I64, Array<double>({}, 5.0)};
  for_each_floating([&](DType dtype) {
    expect_like_cpu(*cuda, cpu, {empty(dtype, {2051})}, {operand(dtype, {2051}), step}, 0,
                    [](gt_stream s, const Handles& out, const Handles& in) {
                      return gt_dropout(s, out[0], in[0], in[1], 0.4, -77, 3);
                    });
  });
}

}  // namespace
}  // namespace gatun::test
