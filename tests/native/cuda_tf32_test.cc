// Products of f32 in tf32: on CUDA they are those of rounded factors, and nothing else changes.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#include "cuda_support.h"

namespace gatun::test {
namespace {

// To 11 significant bits, to nearest, ties away from 0.
double to_tf32(double x) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  return std::bit_cast<float>((bits + 0x1000) & ~uint32_t{0x1fff});
}

enum class Change { NONE, ROUND, SIZE };

// An instruction that is a sum of products of its two inputs, of `depth` terms.
struct Instruction {
  std::string name;
  Dims y, a, b;
  int64_t depth;
  IssueAny issue;

  std::vector<Operand> inputs(DType dtype, Change change) const {
    std::vector<Operand> operands = {operand(dtype, a, 1), operand(dtype, b, 2)};
    for (Operand& one : operands) {
      for (int64_t i = 0; i < one.values.count(); ++i) {
        double& x = one.values[i];
        x = static_cast<float>(x);
        x = change == Change::ROUND ? to_tf32(x) : change == Change::SIZE ? std::abs(x) : x;
      }
    }
    return operands;
  }
};

Instruction matmul(int64_t m, int64_t n, int64_t k, bool a_turned, bool b_turned) {
  return {std::string("matmul") + (a_turned ? ", a turned" : "") + (b_turned ? ", b turned" : ""),
          {m, n},
          a_turned ? Dims{k, m} : Dims{m, k},
          b_turned ? Dims{n, k} : Dims{k, n},
          k,
          [=](gt_stream s, const Handles& out, const Handles& in) {
            return gt_matmul(s, out[0], in[0], in[1], nullptr, a_turned, b_turned,
                             GT_ACTIVATION_NONE);
          }};
}

// 3x3 filters with a border of zeros, or at every second pixel, from c channels to k.
std::vector<Instruction> convolution(int64_t c, int64_t k, int32_t stride) {
  const int64_t n = 2, h = 6, w = 5, p = (h - 1) / stride + 1, q = (w - 1) / stride + 1;
  const Dims x = {n, h, w, c}, filters = {k, 3, 3, c}, y = {n, p, q, k};
  return {{"conv2d", y, x, filters, 9 * c,
           [=](gt_stream s, const Handles& out, const Handles& in) {
             return gt_conv2d(s, out[0], nullptr, in[0], in[1], nullptr, nullptr, stride, stride, 1,
                              1, 1, 1, 1, 1, 1, GT_ACTIVATION_NONE, GT_CONV_DIRECT);
           }},
          {"conv2d_backward_data", x, y, filters, 9 * k,
           [=](gt_stream s, const Handles& out, const Handles& in) {
             return gt_conv2d_backward_data(s, out[0], nullptr, in[0], in[1], nullptr, nullptr,
                                            nullptr, nullptr, stride, stride, 1, 1, 1, 1, 1, 1, 1,
                                            GT_CONV_DIRECT);
           }},
          {"conv2d_backward_weights", filters, x, y, n * p * q,
           [=](gt_stream s, const Handles& out, const Handles& in) {
             return gt_conv2d_backward_weights(s, out[0], in[0], in[1], stride, stride, 1, 1, 1, 1,
                                               1, 1, 1, GT_CONV_DIRECT);
           }}};
}

// Aligned and odd shapes, sums that are cut into parts, each tile but the large one.
std::vector<Instruction> instructions() {
  std::vector<Instruction> all;
  for (int turned = 0; turned < 4; ++turned) {
    all.push_back(matmul(72, 40, 48, (turned & 1) != 0, turned >= 2));
    all.push_back(matmul(33, 65, 17, (turned & 1) != 0, turned >= 2));
  }
  all.push_back(matmul(24, 16, 1000, false, true));
  for (const auto& some : {convolution(16, 40, 1), convolution(3, 10, 2), convolution(8, 16, 2)}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

class CudaTf32 : public CudaTest {
 protected:
  void multiply_in(int32_t products) {
    ASSERT_OK(gt_stream_set_products(cuda->stream(), products));
  }
  Array<double> run(const TestDevice& device, const Instruction& v, DType dtype, Change change) {
    Placed in(device, v.inputs(dtype, change), 0), out(device, {empty(dtype, v.y)}, 0);
    EXPECT_OK(v.issue(device.stream(), out.handles(), in.handles()));
    return out[0].values();
  }
};

// Then the rounding changes nothing, and what remains is a sum in f32.
TEST_F(CudaTf32, IsExactOnFactorsThatFit) {
  multiply_in(GT_PRODUCTS_TF32);
  for (const Instruction& v : instructions()) {
    SCOPED_TRACE(v.name);
    expect_like_cpu(*cuda, cpu, {empty(DType::F32, v.y)}, v.inputs(DType::F32, Change::ROUND), 60,
                    v.issue);
  }
}

// A rounded factor is off by 2^-11 of itself, so a product by 2^-10 and a little, and a sum of f32
// by 2^-24 of what it has reached for each term. All that is relative to the sum of the terms'
// sizes.
TEST_F(CudaTf32, IsOffByTheRoundingOfFactors) {
  multiply_in(GT_PRODUCTS_TF32);
  for (const Instruction& v : instructions()) {
    SCOPED_TRACE(v.name);
    const Array<double> exact = run(cpu, v, DType::F64, Change::NONE);
    const Array<double> sizes = run(cpu, v, DType::F64, Change::SIZE);
    const Array<double> actual = run(*cuda, v, DType::F32, Change::NONE);
    const double unit = 0x1p-10 + 0x1p-22 + static_cast<double>(v.depth) * 0x1p-24;
    double most = 0;
    for (int64_t i = 0; i < exact.count(); ++i) {
      const double error = std::abs(actual[i] - exact[i]);
      ASSERT_LE(error, unit * sizes[i]) << "element " << i;
      if (sizes[i] > 0) most = std::max(most, error / sizes[i]);
    }
    // f32 would be closer: the rounding takes place.
    EXPECT_GT(most, 0x1p-15);
  }
}

TEST_F(CudaTf32, LeavesOtherTypesAlone) {
  for (const Instruction& v : instructions()) {
    SCOPED_TRACE(v.name);
    if (v.name == "conv2d_backward_weights") continue;  // f32 beside bf16
    for (const DType dtype : {DType::F64, DType::BF16}) {
      multiply_in(GT_PRODUCTS_F32);
      const auto before = run(*cuda, v, dtype, Change::NONE).to_vector();
      multiply_in(GT_PRODUCTS_TF32);
      EXPECT_EQ(run(*cuda, v, dtype, Change::NONE).to_vector(), before);
    }
  }
}

// What is set counts for the instructions after it; a program keeps it.
TEST_F(CudaTf32, HoldsFromInstructionToInstruction) {
  const Instruction v = matmul(24, 40, 32, false, true);
  const auto exact = run(*cuda, v, DType::F32, Change::NONE).to_vector();
  multiply_in(GT_PRODUCTS_TF32);
  const auto rounded = run(*cuda, v, DType::F32, Change::NONE).to_vector();
  EXPECT_NE(rounded, exact);

  Placed in(*cuda, v.inputs(DType::F32, Change::NONE), 0);
  Placed first(*cuda, {empty(DType::F32, v.y)}, 0), second(*cuda, {empty(DType::F32, v.y)}, 0);
  ASSERT_OK(gt_stream_begin_recording(cuda->stream()));
  ASSERT_OK(v.issue(cuda->stream(), first.handles(), in.handles()));
  multiply_in(GT_PRODUCTS_F32);
  ASSERT_OK(v.issue(cuda->stream(), second.handles(), in.handles()));
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_end_recording(&program, cuda->stream()));
  multiply_in(GT_PRODUCTS_TF32);
  ASSERT_OK(gt_program_run(program));
  EXPECT_EQ(first[0].values().to_vector(), rounded);
  EXPECT_EQ(second[0].values().to_vector(), exact);
  gt_program_destroy(program);

  multiply_in(GT_PRODUCTS_F32);
  EXPECT_EQ(run(*cuda, v, DType::F32, Change::NONE).to_vector(), exact);
}

// The weights' gradient is one product over all steps; the steps themselves are exact.
TEST_F(CudaTf32, RoundsInTheWeightGradientsOfRecurrentLayers) {
  const int64_t steps = 5, batch = 4, units = 8;
  const Dims sequence = {steps, batch, units}, square = {units, units};
  const Operand y = operand(DType::F32, sequence, 2, -0.9, 0.9);
  const auto slopes = [&](int32_t products) {
    multiply_in(products);
    Placed in(*cuda,
              {operand(DType::F32, sequence, 1), y, operand(DType::F32, square, 3, -0.5, 0.5)}, 0);
    Placed out(*cuda, {empty(DType::F32, sequence), empty(DType::F32, square)}, 0);
    const gt_tensor none = nullptr;
    EXPECT_OK(gt_recurrent_backward(cuda->stream(), out[0].tensor(), none, out[1].tensor(), none,
                                    none, none, none, in[0].tensor(), none, none, in[1].tensor(),
                                    none, none, in[2].tensor(), none, none, none, none, none,
                                    GT_CELL_TANH, GT_DIRECTION_FORWARD, 0));
    return std::pair(out[0].values(), out[1].values());
  };
  const auto [dx, exact] = slopes(GT_PRODUCTS_F32);
  const auto [dx_again, rounded] = slopes(GT_PRODUCTS_TF32);
  EXPECT_EQ(dx.to_vector(), dx_again.to_vector());
  EXPECT_NE(exact.to_vector(), rounded.to_vector());
  for (int64_t i = 0; i < units; ++i) {
    for (int64_t j = 0; j < units; ++j) {
      double sizes = 0;  // of the terms: a step's slopes and the state before it
      for (int64_t n = batch; n < steps * batch; ++n) {
        sizes += std::abs(dx[n * units + i] * y.values[(n - batch) * units + j]);
      }
      ASSERT_NEAR(rounded[i * units + j], exact[i * units + j], 0x1.1p-10 * sizes);
    }
  }
}

}  // namespace
}  // namespace gatun::test
