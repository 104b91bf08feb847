#include "kernels/elementwise_chain.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support.h"

namespace gatun::test {
namespace {

gt_step unary(int32_t op, int32_t a) { return {GT_STEP_UNARY, op, a, 0, 0, 0}; }
gt_step binary(int32_t op, int32_t a, int32_t b) { return {GT_STEP_BINARY, op, a, b, 0, 0}; }
gt_step affine(int32_t a, double scale, double shift) {
  return {GT_STEP_AFFINE, 0, a, 0, scale, shift};
}

template <typename T>
Array<T> numbers(Dims dims, uint32_t seed) {
  if constexpr (std::is_same_v<T, Bf16>) {
    const Array<float> wide = random_array<float>(dims, seed, -2, 2);
    Array<Bf16> a(dims);
    for (int64_t i = 0; i < a.count(); ++i) a[i] = to_bf16(wide[i]);
    return a;
  } else {
    return random_array<T>(std::move(dims), seed, -2, 2);
  }
}

// Inputs, y's shape, and the steps.
struct Program {
  std::vector<Dims> inputs;
  Dims y;
  std::vector<gt_step> steps;
};

std::vector<Program> programs() {
  std::vector<Program> all;
  // SiLU and the tanh form of GELU.
  const std::vector<gt_step> silu = {unary(GT_UNARY_SIGMOID, 0), binary(GT_BINARY_MULTIPLY, 0, 1)};
  const std::vector<gt_step> gelu = {unary(GT_UNARY_SQUARE, 0),  binary(GT_BINARY_MULTIPLY, 1, 0),
                                     affine(2, 0.044715, 0),     binary(GT_BINARY_ADD, 3, 0),
                                     affine(4, 0.7978845608, 0), unary(GT_UNARY_TANH, 5),
                                     affine(6, 0.5, 0.5),        binary(GT_BINARY_MULTIPLY, 7, 0)};
  for (const int64_t n : {1, 3, 1023, 1024, 1025, 16'384, 40'007}) {
    all.push_back({{{n}}, {n}, silu});
    all.push_back({{{n}}, {n}, gelu});
  }
  // Every function, in one value that is read again at the end.
  std::vector<gt_step> every;
  for (int32_t op = 0; op <= GT_UNARY_SIGN; ++op) every.push_back(unary(op, op));
  every.push_back(binary(GT_BINARY_ADD, 2, GT_UNARY_SIGN + 1));
  all.push_back({{{5, 700}}, {5, 700}, every});
  for (int32_t op = 0; op <= GT_BINARY_GATE; ++op) {
    all.push_back({{{61, 67}, {61, 67}}, {61, 67}, {affine(0, 2, -1), binary(op, 2, 1)}});
  }
  // Inputs that repeat in every way.
  all.push_back({{{}, {17}, {5, 1}, {3, 1, 17}, {1, 5, 17}, {1}, {3, 5, 17}, {3, 1, 1}},
                 {3, 5, 17},
                 {binary(GT_BINARY_ADD, 0, 6), binary(GT_BINARY_MULTIPLY, 8, 1),
                  binary(GT_BINARY_SUBTRACT, 9, 2), binary(GT_BINARY_MAXIMUM, 10, 3),
                  binary(GT_BINARY_DIVIDE, 11, 4), binary(GT_BINARY_GATE, 12, 5),
                  binary(GT_BINARY_MINIMUM, 13, 7)}});
  all.push_back({{{1500}, {64, 1}}, {64, 1500}, {binary(GT_BINARY_MULTIPLY, 0, 1)}});
  // As many steps as there may be, whose results are all alive before the second half reads them.
  std::vector<gt_step> wide;
  for (int32_t k = 0; k < 8; ++k) wide.push_back(affine(0, 1 + k, 0.25 * k));
  for (int32_t k = 0; k < 8; ++k) {
    wide.push_back(binary(GT_BINARY_ADD, k == 0 ? 0 : 8 + k, 1 + k));
  }
  all.push_back({{{2, 3001}}, {2, 3001}, wide});
  return all;
}

template <typename T>
void run_one_by_one(const TestDevice& device, const Program& program,
                    const std::vector<TestTensor<T>>& inputs, const TestTensor<T>& y) {
  std::vector<TestTensor<T>> results;
  const auto value = [&](int32_t number) -> gt_tensor {
    const auto first = static_cast<int32_t>(inputs.size());
    return number < first ? inputs[number] : results[number - first];
  };
  const auto expand = [&](int32_t number) {  // a lone operand on y's shape
    TestTensor<T> full(device, program.y);
    EXPECT_OK(gt_binary(device.stream(), full, value(number), value(number), GT_BINARY_MAXIMUM));
    return full;
  };
  for (const gt_step& step : program.steps) {
    TestTensor<T> to(device, program.y);
    if (step.kind == GT_STEP_UNARY) {
      EXPECT_OK(gt_unary(device.stream(), to, expand(step.a), step.op));
    } else if (step.kind == GT_STEP_BINARY) {
      EXPECT_OK(gt_binary(device.stream(), to, value(step.a), value(step.b), step.op));
    } else {
      EXPECT_OK(gt_affine(device.stream(), to, expand(step.a), step.scale, step.shift));
    }
    results.push_back(std::move(to));
  }
  EXPECT_OK(gt_copy(device.stream(), y, results.back()));
}

template <typename T>
void expect_what_single_instructions_give() {
  TestDevice device(2);
  for (const Program& program : programs()) {
    std::vector<TestTensor<T>> inputs;
    std::vector<gt_tensor> handles;
    for (const Dims& dims : program.inputs) {
      inputs.emplace_back(device, numbers<T>(dims, static_cast<uint32_t>(inputs.size() + 1)));
      handles.push_back(inputs.back());
    }
    TestTensor<T> expected(device, program.y), y(device, program.y);
    run_one_by_one(device, program, inputs, expected);
    const auto input_count = static_cast<int32_t>(handles.size());
    const auto step_count = static_cast<int32_t>(program.steps.size());
    ASSERT_OK(gt_elementwise(device.stream(), y, handles.data(), input_count, program.steps.data(),
                             step_count));
    expect_same_bits(y.read(), expected.read());
    // In place with each input of y's shape, and as a program.
    for (int32_t i = 0; i < input_count; ++i) {
      if (program.inputs[i] != program.y) continue;
      const Array<T> before = inputs[i].read();
      gt_program recorded = nullptr;
      ASSERT_OK(gt_stream_begin_recording(device.stream()));
      ASSERT_OK(gt_elementwise(device.stream(), inputs[i], handles.data(), input_count,
                               program.steps.data(), step_count));
      ASSERT_OK(gt_stream_end_recording(&recorded, device.stream()));
      ASSERT_OK(gt_program_run(recorded));
      gt_program_destroy(recorded);
      expect_same_bits(inputs[i].read(), expected.read());
      inputs[i].write(before);
    }
  }
}

TEST(ElementwiseChain, GivesTheBitsOfSingleInstructionsOnEveryLevel) {
  for_each_simd_level([](const char*) { expect_what_single_instructions_give<float>(); });
}

TEST(ElementwiseChain, GivesTheBitsOfSingleInstructionsInBf16) {
  for_each_simd_level([](const char*) { expect_what_single_instructions_give<Bf16>(); });
}

TEST(ElementwiseChain, GivesTheBitsOfSingleInstructionsInF64) {
  expect_what_single_instructions_give<double>();
}

TEST(ElementwiseChain, RefusesWrongSteps) {
  TestDevice device(1);
  TestTensor<float> x(device, Dims{4}), y(device, Dims{4}), other(device, Dims{3});
  TestTensor<double> wide(device, Dims{4});
  const auto refused = [&](std::vector<gt_tensor> inputs, std::vector<gt_step> steps,
                           const char* part) {
    EXPECT_REFUSED(
        gt_elementwise(device.stream(), y, inputs.data(), static_cast<int32_t>(inputs.size()),
                       steps.data(), static_cast<int32_t>(steps.size())),
        GT_INVALID_ARGUMENT, part);
  };
  refused({}, {unary(0, 0)}, "[elementwise] there must be 1..8 inputs, but are 0");
  refused(std::vector<gt_tensor>(9, x), {unary(0, 0)}, "1..8 inputs, but are 9");
  refused({x}, {}, "1..16 steps, but are 0");
  refused({x}, std::vector<gt_step>(17, unary(0, 0)), "1..16 steps, but are 17");
  refused({x}, {unary(99, 0)}, "op must be 0..9, but is 99");
  refused({x}, {binary(-1, 0, 0)}, "op must be 0..6, but is -1");
  refused({x}, {{3, 0, 0, 0, 0, 0}}, "kind of step 0 must be 0..2, but is 3");
  refused({x}, {unary(0, 1)}, "a of step 0 must be 0..0, a value that exists, but is 1");
  refused({x}, {unary(0, 0), binary(0, 0, 2)}, "b of step 1 must be 0..1");
  refused({x, nullptr}, {unary(0, 0)}, "inputs[1] is NULL");
  refused({other}, {unary(0, 0)}, "inputs[0] does not broadcast to y");
  refused({wide}, {unary(0, 0)}, "dtypes differ");
  EXPECT_REFUSED(gt_elementwise(device.stream(), y, nullptr, 1, nullptr, 1), GT_INVALID_ARGUMENT,
                 "inputs is NULL");
}

}  // namespace
}  // namespace gatun::test
