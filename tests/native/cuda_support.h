// What the tests of CUDA share: the device, which is the emulation unless GATUN_CUDA_LIBRARY names
// another library, and instructions with any operands that are run on it and on the CPU.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gatun.h"
#include "support.h"

namespace gatun::test {

class CudaTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
#if defined(GATUN_CUDA_EMULATED)
    setenv("GATUN_CUDA_LIBRARY", GATUN_CUDA_EMULATED, 0);
#endif
  }
  void SetUp() override {
    if (std::getenv("GATUN_CUDA_LIBRARY") == nullptr) GTEST_SKIP() << "built without emulation";
    cuda = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
  }

  std::unique_ptr<TestDevice> cuda;
  TestDevice cpu{1};
};

inline bool is_gpu(const TestDevice& device) {
  char text[256];
  EXPECT_OK(gt_device_describe(device.device(), text, sizeof(text)));
  return std::string(text).find("emulated") == std::string::npos;
}

// The emulation does what a variable asks of the next device that is opened.
inline std::unique_ptr<TestDevice> open_emulated(const char* variable, const char* value) {
  setenv(variable, value, 1);
  auto device = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
  unsetenv(variable);
  return device;
}

// An operand: its type, and its values as f64.
struct Operand {
  DType dtype;
  Array<double> values;

  const Dims& dims() const { return values.dims(); }
};

inline Operand operand(DType dtype, Dims dims, uint32_t seed = 1, double low = -2,
                       double high = 2) {
  return {dtype, random_array<double>(std::move(dims), seed, low, high)};
}
inline Operand scalar(DType dtype, double value) { return {dtype, Array<double>({}, value)}; }
// An output to come.
inline Operand empty(DType dtype, Dims dims) { return {dtype, Array<double>(std::move(dims))}; }

// What is f32 beside bf16.
inline DType wide(DType dtype) { return dtype == DType::BF16 ? DType::F32 : dtype; }

// An operand in memory of its own, `shift` elements behind the beginning.
class PlacedOperand {
 public:
  PlacedOperand(const TestDevice& device, const Operand& operand, int64_t shift)
      : operand_(operand), offset_(shift * size_of(operand.dtype)) {
    bytes_.resize(static_cast<size_t>(operand.values.count() * size_of(operand.dtype)));
    for (int64_t i = 0; i < operand.values.count(); ++i) put(i, operand.values[i]);
    const auto size = static_cast<int64_t>(bytes_.size());
    EXPECT_OK(gt_buffer_create(&buffer_, device.device(), offset_ + size, GT_MEMORY_DEVICE));
    EXPECT_OK(gt_buffer_write(buffer_, offset_, bytes_.data(), size));
    EXPECT_OK(gt_tensor_create(&tensor_, buffer_, offset_, static_cast<int32_t>(operand.dtype),
                               static_cast<int32_t>(operand.dims().size()), operand.dims().data()));
  }
  PlacedOperand(const PlacedOperand&) = delete;
  ~PlacedOperand() {
    gt_tensor_destroy(tensor_);
    gt_buffer_destroy(buffer_);
  }

  gt_tensor tensor() const { return tensor_; }
  std::vector<std::byte> bytes() {
    EXPECT_OK(gt_buffer_read(buffer_, offset_, bytes_.data(), static_cast<int64_t>(bytes_.size())));
    return bytes_;
  }
  Array<double> values() {
    bytes();
    Array<double> values(operand_.dims());
    for (int64_t i = 0; i < values.count(); ++i) values[i] = get(i);
    return values;
  }

 private:
  template <typename F>
  void visit(int64_t i, F f) {
    const auto at = [&]<typename T>(T*) { f(reinterpret_cast<T*>(bytes_.data())[i]); };
    switch (operand_.dtype) {
      case DType::F32:
        return at(static_cast<float*>(nullptr));
      case DType::F64:
        return at(static_cast<double*>(nullptr));
      case DType::I32:
        return at(static_cast<int32_t*>(nullptr));
      case DType::I64:
        return at(static_cast<int64_t*>(nullptr));
      case DType::U8:
        return at(static_cast<uint8_t*>(nullptr));
      case DType::BF16:
        return at(static_cast<Bf16*>(nullptr));
    }
  }
  void put(int64_t i, double value) {
    visit(i, [&]<typename T>(T& at) {
      if constexpr (std::is_same_v<T, Bf16>) {
        at = to_bf16(static_cast<float>(value));
      } else {
        at = static_cast<T>(value);
      }
    });
  }
  double get(int64_t i) {
    double value = 0;
    visit(i, [&]<typename T>(T& at) {
      if constexpr (std::is_same_v<T, Bf16>) {
        value = to_float(at);
      } else {
        value = static_cast<double>(at);
      }
    });
    return value;
  }

  const Operand operand_;
  const int64_t offset_;
  std::vector<std::byte> bytes_;
  gt_buffer buffer_ = nullptr;
  gt_tensor tensor_ = nullptr;
};

using Handles = std::vector<gt_tensor>;
// Issues an instruction: outputs, inputs.
using IssueAny = std::function<gt_status(gt_stream, const Handles&, const Handles&)>;

class Placed {
 public:
  Placed(const TestDevice& device, const std::vector<Operand>& operands, int64_t shift) {
    for (const Operand& operand : operands) {
      all_.push_back(std::make_unique<PlacedOperand>(device, operand, shift));
    }
  }
  Handles handles() const {
    Handles handles;
    for (const auto& one : all_) handles.push_back(one->tensor());
    return handles;
  }
  PlacedOperand& operator[](size_t i) const { return *all_[i]; }

 private:
  std::vector<std::unique_ptr<PlacedOperand>> all_;
};

// Units of rounding; integers are exact.
inline double rounding(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return 0x1p-23;
    case DType::F64:
      return 0x1p-52;
    case DType::BF16:
      return 0x1p-7;
    default:
      return 0;
  }
}

// Every output of an instruction is that of the CPU, up to `units` of rounding of the element, of
// its tensor's root mean square, or of `terms`, the size of what is summed or subtracted on the way
// (bf16: one, as both round the same sums once), with tensors that packs fit into and with others;
// and a program gives the bits of the eager instruction, twice.
inline void expect_like_cpu(const TestDevice& cuda, const TestDevice& cpu,
                            const std::vector<Operand>& outputs, const std::vector<Operand>& inputs,
                            double units, const IssueAny& issue, double terms = 0) {
  Placed cpu_inputs(cpu, inputs, 0), cpu_outputs(cpu, outputs, 0);
  ASSERT_OK(issue(cpu.stream(), cpu_outputs.handles(), cpu_inputs.handles()));
  for (const int64_t shift : {0, 1}) {
    SCOPED_TRACE(testing::Message() << "shifted by " << shift);
    Placed in(cuda, inputs, shift), out(cuda, outputs, shift), kept(cuda, outputs, shift);
    ASSERT_OK(issue(cuda.stream(), out.handles(), in.handles()));
    ASSERT_OK(gt_stream_begin_recording(cuda.stream()));
    ASSERT_OK(issue(cuda.stream(), kept.handles(), in.handles()));
    gt_program program = nullptr;
    ASSERT_OK(gt_stream_end_recording(&program, cuda.stream()));
    for (size_t k = 0; k < outputs.size(); ++k) {
      SCOPED_TRACE(testing::Message() << "output " << k);
      const Array<double> actual = out[k].values(), expected = cpu_outputs[k].values();
      double squares = 0;
      for (int64_t i = 0; i < expected.count(); ++i) {
        if (std::isfinite(expected[i])) squares += expected[i] * expected[i];
      }
      const double size = std::sqrt(squares / static_cast<double>(expected.count() + 1));
      const double unit =
          rounding(outputs[k].dtype) * (outputs[k].dtype == DType::BF16 ? 1 : units);
      expect_close(actual, expected, unit, unit * std::max(size, terms));
    }
    for (int run = 0; run < 2; ++run) {
      ASSERT_OK(gt_program_run(program));
      for (size_t k = 0; k < outputs.size(); ++k) {
        EXPECT_EQ(out[k].bytes(), kept[k].bytes()) << "recorded, output " << k;
      }
    }
    gt_program_destroy(program);
  }
}

// Calls check(dtype) for f32, f64 and bf16.
template <typename F>
void for_each_floating(F&& check) {
  for (const DType dtype : {DType::F32, DType::F64, DType::BF16}) {
    SCOPED_TRACE(name_of(dtype));
    check(dtype);
  }
}

}  // namespace gatun::test
