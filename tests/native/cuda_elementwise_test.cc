// Elementwise functions, chains of them and activations on CUDA.
#include "cuda_support.h"

namespace gatun::test {
namespace {

class CudaElementwise : public CudaTest {};

TEST_F(CudaElementwise, Broadcasts) {
  for_each_floating([&](DType dtype) {
    for (const auto& [y, a, b] :
         std::vector<std::array<Dims, 3>>{{Dims{3, 5, 16}, {3, 5, 16}, {16}},
                                          {Dims{3, 5, 16}, {3, 1, 16}, {5, 1}},
                                          {Dims{2, 1, 3, 8}, {2, 1, 1, 8}, {1, 1, 3, 8}},
                                          {Dims{4, 3, 2}, {4, 1, 1}, {1, 3, 2}},
                                          {Dims{70, 24}, {}, {70, 1}},
                                          {Dims{0, 4}, {0, 4}, {4}},
                                          {Dims{1}, {}, {1, 1}},
                                          {Dims{1030}, {1030}, {}}}) {
      if (b.size() > y.size()) continue;
      expect_like_cpu(*cuda, cpu, {empty(dtype, y)}, {operand(dtype, a), operand(dtype, b, 2)}, 0,
                      [](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_binary(s, out[0], in[0], in[1], GT_BINARY_SUBTRACT);
                      });
    }
  });
}

TEST_F(CudaElementwise, RunsChains) {
  // (relu(a + b) * a - tanh(a + b)) / 2 + 1, and max with b
  const std::vector<gt_step> steps = {
      {GT_STEP_BINARY, GT_BINARY_ADD, 0, 1, 0, 0},      {GT_STEP_UNARY, GT_UNARY_RELU, 2, 0, 0, 0},
      {GT_STEP_BINARY, GT_BINARY_MULTIPLY, 3, 0, 0, 0}, {GT_STEP_UNARY, GT_UNARY_TANH, 2, 0, 0, 0},
      {GT_STEP_BINARY, GT_BINARY_SUBTRACT, 4, 5, 0, 0}, {GT_STEP_AFFINE, 0, 6, 0, 0.5, 1},
      {GT_STEP_BINARY, GT_BINARY_MAXIMUM, 7, 1, 0, 0}};
  for_each_floating([&](DType dtype) {
    for (const auto& [y, b] : std::vector<std::array<Dims, 2>>{
             {Dims{5, 7, 16}, {16}}, {Dims{5, 7}, {5, 1}}, {Dims{999}, {}}}) {
      expect_like_cpu(*cuda, cpu, {empty(dtype, y)}, {operand(dtype, y), operand(dtype, b, 2)}, 8,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_elementwise(s, out[0], in.data(), 2, steps.data(),
                                              static_cast<int32_t>(steps.size()));
                      });
    }
  });
}

// A chain has the bits of its steps, each an instruction.
TEST_F(CudaElementwise, ChainsHaveTheBitsOfTheirSteps) {
  for_each_floating([&](DType dtype) {
    const Dims dims = {37, 24};
    Placed in(*cuda, {operand(dtype, dims), operand(dtype, {24}, 2)}, 0);
    Placed out(*cuda, {empty(dtype, dims), empty(dtype, dims)}, 0);
    const gt_tensor inputs[] = {in[0].tensor(), in[1].tensor()};
    const gt_step steps[] = {{GT_STEP_UNARY, GT_UNARY_EXP, 0, 0, 0, 0},
                             {GT_STEP_BINARY, GT_BINARY_DIVIDE, 2, 1, 0, 0},
                             {GT_STEP_AFFINE, 0, 3, 0, 0.3, 0.7}};
    ASSERT_OK(gt_elementwise(cuda->stream(), out[0].tensor(), inputs, 2, steps, 3));
    const gt_tensor y = out[1].tensor();
    ASSERT_OK(gt_unary(cuda->stream(), y, inputs[0], GT_UNARY_EXP));
    ASSERT_OK(gt_binary(cuda->stream(), y, y, inputs[1], GT_BINARY_DIVIDE));
    ASSERT_OK(gt_affine(cuda->stream(), y, y, 0.3, 0.7));
    EXPECT_EQ(out[0].bytes(), out[1].bytes());
  });
}

TEST_F(CudaElementwise, Activates) {
  for_each_floating([&](DType dtype) {
    Operand x = operand(dtype, {1003}, 1, -6, 6), dy = operand(dtype, {1003}, 2);
    const std::vector<double> special = {0.0, -0.0, 1000, -1000, INFINITY, -INFINITY, NAN, 30, -30};
    for (size_t i = 0; i < special.size(); ++i) x.values[static_cast<int64_t>(i)] = special[i];
    for (int32_t f = GT_ACTIVATE_LEAKY_RELU; f <= GT_ACTIVATE_SOFTPLUS; ++f) {
      SCOPED_TRACE(f);
      expect_like_cpu(*cuda, cpu, {empty(dtype, {1003})}, {x}, 16,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_activate(s, out[0], in[0], f, 0.3);
                      });
      expect_like_cpu(*cuda, cpu, {empty(dtype, {1003})}, {dy, x}, 16,
                      [&](gt_stream s, const Handles& out, const Handles& in) {
                        return gt_activate_backward(s, out[0], in[0], in[1], f, 0.3);
                      });
    }
  });
}

}  // namespace
}  // namespace gatun::test
