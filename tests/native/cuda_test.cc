// CUDA devices behind the C ABI, on the emulation unless GATUN_CUDA_LIBRARY names another library:
// the same instructions as on the CPU, with its results up to rounding.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cuda_support.h"
#include "gatun.h"
#include "support.h"

namespace gatun::test {
namespace {

using Issue = std::function<gt_status(gt_stream, gt_tensor, const std::vector<gt_tensor>&)>;

// The result of an instruction on a device, eager, and the same of a program that runs twice.
template <typename Y, typename X>
Array<Y> result(const TestDevice& device, const Dims& dims, const std::vector<Array<X>>& inputs,
                const Issue& issue) {
  std::vector<TestTensor<X>> tensors;
  for (const Array<X>& input : inputs) tensors.emplace_back(device, input);
  const std::vector<gt_tensor> handles(tensors.begin(), tensors.end());
  TestTensor<Y> y(device, dims), kept(device, dims);
  EXPECT_OK(issue(device.stream(), y, handles));
  EXPECT_OK(gt_stream_begin_recording(device.stream()));
  EXPECT_OK(issue(device.stream(), kept, handles));
  gt_program program = nullptr;
  EXPECT_OK(gt_stream_end_recording(&program, device.stream()));
  expect_same_bits(kept.read(), Array<Y>(dims));
  for (int run = 0; run < 2; ++run) {
    EXPECT_OK(gt_program_run(program));
    expect_same_bits(kept.read(), y.read());
  }
  gt_program_destroy(program);
  return y.read();
}

template <typename Y, typename X>
void expect_agrees(const TestDevice& cuda, const TestDevice& cpu, const Dims& dims,
                   const std::vector<Array<X>>& inputs, double relative, const Issue& issue) {
  const Array<Y> actual = result<Y>(cuda, dims, inputs, issue);
  const Array<Y> expected = result<Y>(cpu, dims, inputs, issue);
  if constexpr (std::is_same_v<Y, Bf16>) {
    expect_same_bits(actual, expected);
  } else {
    expect_close(actual, expected, relative, relative);
  }
}

TEST_F(CudaTest, DescribesItself) {
  char text[256];
  ASSERT_OK(gt_device_describe(cuda->device(), text, sizeof(text)));
  EXPECT_EQ(std::string(text).rfind("cuda 0, ", 0), 0u) << text;
  int32_t count = -1;
  ASSERT_OK(gt_device_count(&count, GT_DEVICE_CPU));
  EXPECT_EQ(count, 1);
  ASSERT_OK(gt_device_count(&count, GT_DEVICE_CUDA));
  EXPECT_GE(count, 0);
}

TEST_F(CudaTest, RefusesADeviceThatIsNotThere) {
  gt_device device = nullptr;
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CUDA, 1000, 0), GT_UNSUPPORTED,
                 "[device_create] there is no CUDA device 1000");
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CUDA, -1, 0), GT_INVALID_ARGUMENT, "index");
  EXPECT_EQ(device, nullptr);
}

// In a process of its own, as the library is looked for once.
TEST(CudaLibraryDeathTest, SaysWhyThereIsNone) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("GATUN_CUDA_LIBRARY", "/nowhere/libgatun_cuda.so", 1);
        gt_device device = nullptr;
        const gt_status status = gt_device_create(&device, GT_DEVICE_CUDA, 0, 0);
        std::fputs(gt_last_error_message(), stderr);
        int32_t count = -1;
        std::_Exit(gt_device_count(&count, GT_DEVICE_CUDA) == GT_OK && count == 0 ? status : 99);
      },
      testing::ExitedWithCode(GT_UNSUPPORTED),
      "there is no CUDA device: the CUDA library cannot be loaded .*/nowhere/libgatun_cuda.so");
}

// So is the file that was told, which the variable overrides.
TEST(CudaLibraryDeathTest, IsWhereItWasTold) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto open = [](const char* variable) {
    if (variable == nullptr) {
      unsetenv("GATUN_CUDA_LIBRARY");
    } else {
      setenv("GATUN_CUDA_LIBRARY", variable, 1);
    }
    const gt_status told = gt_cuda_library_locate("/told/libgatun_cuda.so");
    gt_device device = nullptr;
    const gt_status status = gt_device_create(&device, GT_DEVICE_CUDA, 0, 0);
    std::fputs(gt_last_error_message(), stderr);
    std::_Exit(told == GT_OK ? status : 99);
  };
  EXPECT_EXIT(open(nullptr), testing::ExitedWithCode(GT_UNSUPPORTED), "/told/libgatun_cuda.so");
  EXPECT_EXIT(open(""), testing::ExitedWithCode(GT_UNSUPPORTED), "/told/libgatun_cuda.so");
  EXPECT_EXIT(open("/nowhere/libgatun_cuda.so"), testing::ExitedWithCode(GT_UNSUPPORTED),
              "/nowhere/libgatun_cuda.so");
  EXPECT_REFUSED(gt_cuda_library_locate(nullptr), GT_INVALID_ARGUMENT, "path must not be NULL");
}

TEST_F(CudaTest, CountsMemoryAndSaysWhoHoldsIt) {
  TestTensor<float> a(*cuda, Dims{100}), b(*cuda, Dims{25});
  int64_t bytes, peak, allocations;
  ASSERT_OK(gt_device_memory(cuda->device(), &bytes, &peak, &allocations));
  EXPECT_EQ(bytes, 500);
  gt_buffer buffer = nullptr;
  EXPECT_REFUSED(gt_buffer_create(&buffer, cuda->device(), int64_t{1} << 60, GT_MEMORY_DEVICE),
                 GT_OUT_OF_MEMORY, "holds 500 bytes in 2 buffers, the largest of 400, 100");
}

// Memory that one thread gives back is another's at once, by the same address, as on a GPU.
TEST_F(CudaTest, CountsMemoryOfThreadsThatTakeTurnsWithIt) {
  mallopt(M_ARENA_MAX, 1);          // so that threads share what the emulation allocates
  constexpr int64_t kBytes = 5000;  // more than a thread keeps for itself
  const int turns = is_gpu(*cuda) ? 100 : 20'000;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < turns; ++i) {
        gt_buffer buffer = nullptr;
        ASSERT_OK(gt_buffer_create(&buffer, cuda->device(), kBytes, GT_MEMORY_DEVICE));
        gt_buffer_destroy(buffer);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t bytes, peak, allocations;
  ASSERT_OK(gt_device_memory(cuda->device(), &bytes, &peak, &allocations));
  EXPECT_EQ(bytes, 0);
}

TEST_F(CudaTest, SaysWhoHoldsMemoryThatScratchNeeds) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "a GPU has too much memory for it";
  const auto small = open_emulated("GATUN_EMULATED_MEMORY", "2600");
  TestTensor<float> dy(*small, Dims{4, 64}), x(*small, Dims{4, 64}), dgamma(*small, Dims{64}),
      inv_std(*small, Dims{4, 1});
  const auto backward = [&] {
    return gt_layer_norm_backward(small->stream(), dy, dgamma, nullptr, dy, x, nullptr, inv_std,
                                  nullptr);
  };
  EXPECT_REFUSED(backward(), GT_OUT_OF_MEMORY,
                 "[layer_norm_backward] out of device memory: asked for 512 bytes of scratch; "
                 "scratch of streams and programs holds 0 bytes; buffers hold 2320 bytes in 4 "
                 "buffers, the largest of 1024, 1024, 256, 16");
}

// Told once with its reason, and then by reference to it; other devices go on.
TEST_F(CudaTest, ClosesADeviceThatFails) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "no GPU is broken for a test";
  const auto failing = open_emulated("GATUN_EMULATED_FAILURE", "2");
  TestTensor<float> x(*failing, Dims{4}), other(*cuda, Dims{4});
  ASSERT_OK(gt_fill(failing->stream(), x, 1));
  ASSERT_OK(gt_stream_synchronize(failing->stream()));
  EXPECT_REFUSED(
      gt_stream_synchronize(failing->stream()), GT_DEVICE_FAILURE,
      "[stream_synchronize] cuda 0, emulated on the host failed and is closed, until the "
      "process starts anew: the work of the device failed: emulated failure; the last "
      "instruction was [fill]");
  const std::string closed =
      "cuda 0, emulated on the host is closed since it failed: the work of the device failed";
  EXPECT_REFUSED(gt_fill(failing->stream(), x, 1), GT_DEVICE_FAILURE, "[fill] " + closed);
  EXPECT_REFUSED(gt_stream_synchronize(failing->stream()), GT_DEVICE_FAILURE, closed);
  gt_buffer buffer = nullptr;
  EXPECT_REFUSED(gt_buffer_create(&buffer, failing->device(), 4, GT_MEMORY_DEVICE),
                 GT_DEVICE_FAILURE, closed);
  float value;
  EXPECT_REFUSED(gt_buffer_read(x.buffer(), 0, &value, 4), GT_DEVICE_FAILURE, closed);
  ASSERT_OK(gt_fill(cuda->stream(), other, 1));
  expect_same_bits(other.read(), Array<float>({4}, 1.0f));
}

TEST_F(CudaTest, ClosesADeviceWhoseProgramFails) {
  if (is_gpu(*cuda)) GTEST_SKIP() << "no GPU is broken for a test";
  const auto failing = open_emulated("GATUN_EMULATED_FAILURE", "1");
  TestTensor<float> x(*failing, Dims{4});
  ASSERT_OK(gt_stream_begin_recording(failing->stream()));
  ASSERT_OK(gt_fill(failing->stream(), x, 1));
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_end_recording(&program, failing->stream()));
  EXPECT_REFUSED(gt_program_run(program), GT_DEVICE_FAILURE, "[program_run] cuda 0");
  EXPECT_REFUSED(gt_program_run(program), GT_DEVICE_FAILURE, "is closed since it failed");
  gt_program_destroy(program);
}

TEST_F(CudaTest, RefusesToMapDeviceMemory) {
  TestTensor<float> x(*cuda, Dims{4});
  void* data = nullptr;
  EXPECT_REFUSED(gt_buffer_map(&data, x.buffer()), GT_UNSUPPORTED, "use staging memory");
}

TEST_F(CudaTest, SharesStagingMemoryWithTheHost) {
  gt_buffer buffer;
  gt_tensor x, y;
  void* data;
  const int64_t dims[] = {4};
  ASSERT_OK(gt_buffer_create(&buffer, cuda->device(), 64, GT_MEMORY_STAGING));
  ASSERT_OK(gt_buffer_map(&data, buffer));
  ASSERT_OK(gt_tensor_create(&x, buffer, 0, GT_F32, 1, dims));
  ASSERT_OK(gt_tensor_create(&y, buffer, 32, GT_F32, 1, dims));
  auto* floats = static_cast<float*>(data);
  floats[0] = 3;
  ASSERT_OK(gt_affine(cuda->stream(), y, x, 2, 1));
  EXPECT_EQ(floats[8], 7.0f);
  ASSERT_OK(gt_stream_begin_recording(cuda->stream()));
  ASSERT_OK(gt_affine(cuda->stream(), y, x, 2, 1));
  gt_program program;
  ASSERT_OK(gt_stream_end_recording(&program, cuda->stream()));
  for (int i = 0; i < 3; ++i) {
    floats[1] = static_cast<float>(i);
    ASSERT_OK(gt_program_run(program));
    EXPECT_EQ(floats[9], static_cast<float>(2 * i + 1));
  }
  gt_tensor_destroy(x);
  gt_tensor_destroy(y);
  gt_buffer_destroy(buffer);
  ASSERT_OK(gt_program_run(program));
  gt_program_destroy(program);
}

TEST_F(CudaTest, LeavesTheRecordingAsItWasWhenAnInstructionIsRefused) {
  TestTensor<float> x(*cuda, Dims{4}), y(*cuda, Dims{5});
  ASSERT_OK(gt_stream_begin_recording(cuda->stream()));
  ASSERT_OK(gt_fill(cuda->stream(), x, 1));
  EXPECT_REFUSED(gt_copy(cuda->stream(), x, y), GT_INVALID_ARGUMENT, "element counts differ");
  gt_program program;
  ASSERT_OK(gt_stream_end_recording(&program, cuda->stream()));
  int64_t count;
  ASSERT_OK(gt_program_instructions(program, &count));
  EXPECT_EQ(count, 1);
  ASSERT_OK(gt_program_run(program));
  expect_same_bits(x.read(), Array<float>({4}, 1.0f));
  gt_program_destroy(program);
}

TEST_F(CudaTest, MovesElements) {
  const Array<float> x = random_array<float>({3, 5, 7, 4}, 1, -300, 300);
  const auto copy = [](gt_stream s, gt_tensor y, auto& in) { return gt_copy(s, y, in[0]); };
  expect_agrees<float, float>(*cuda, cpu, {420}, {x}, 0, copy);
  expect_agrees<int32_t, float>(*cuda, cpu, {420}, {x}, 0, copy);
  expect_agrees<uint8_t, float>(*cuda, cpu, {420}, {x}, 0, copy);
  expect_agrees<Bf16, float>(*cuda, cpu, {420}, {x}, 0, copy);
  expect_agrees<float, float>(*cuda, cpu, {0}, {Array<float>({0})}, 0, copy);
  const int32_t axes[] = {3, 0, 2, 1};
  expect_agrees<float, float>(
      *cuda, cpu, {4, 3, 7, 5}, {x}, 0,
      [&](gt_stream s, gt_tensor y, auto& in) { return gt_permute(s, y, in[0], axes, 4); });
  expect_agrees<float, float>(
      *cuda, cpu, {3, 3, 4, 6}, {x}, 0,
      [](gt_stream s, gt_tensor y, auto& in) { return gt_subsample_pad(s, y, in[0], 2); });
  expect_agrees<float, float>(
      *cuda, cpu, {3, 5, 7, 4}, {random_array<float>({3, 3, 4, 6})}, 0,
      [](gt_stream s, gt_tensor y, auto& in) { return gt_subsample_pad_backward(s, y, in[0], 2); });
}

template <typename T>
class CudaFloating : public CudaTest {};
using Floating = testing::Types<float, double, Bf16>;
TYPED_TEST_SUITE(CudaFloating, Floating);

template <typename T>
Array<T> floating_array(Dims dims, uint32_t seed, double low = -2, double high = 2) {
  const Array<double> values = random_array<double>(dims, seed, low, high);
  Array<T> result(dims);
  for (int64_t i = 0; i < result.count(); ++i) {
    if constexpr (std::is_same_v<T, Bf16>) {
      result[i] = to_bf16(static_cast<float>(values[i]));
    } else {
      result[i] = static_cast<T>(values[i]);
    }
  }
  return result;
}

template <typename T>
void expect_floating_agrees(const TestDevice& cuda, const TestDevice& cpu, const Dims& dims,
                            const std::vector<Array<T>>& inputs, const Issue& issue) {
  const auto widened = [&](const TestDevice& device) {
    const Array<T> y = result<T>(device, dims, inputs, issue);
    Array<double> wide(dims);
    for (int64_t i = 0; i < y.count(); ++i) {
      if constexpr (std::is_same_v<T, Bf16>) {
        wide[i] = to_float(y[i]);
      } else {
        wide[i] = static_cast<double>(y[i]);
      }
    }
    return wide;
  };
  const double unit = sizeof(T) == 2 ? 0x1p-7 : sizeof(T) == 4 ? 4e-6 : 1e-13;
  expect_close(widened(cuda), widened(cpu), unit, unit);
}

TYPED_TEST(CudaFloating, ComputesElementByElement) {
  using T = TypeParam;
  for (const int64_t count : {0, 1, 1000}) {
    for (int32_t op = GT_UNARY_NEGATE; op <= GT_UNARY_SIGN; ++op) {
      SCOPED_TRACE(op);
      const double low = op == GT_UNARY_SQRT || op == GT_UNARY_LOG ? 0.1 : -2;
      expect_floating_agrees<T>(
          *this->cuda, this->cpu, {count}, {floating_array<T>({count}, 1, low)},
          [&](gt_stream s, gt_tensor y, auto& in) { return gt_unary(s, y, in[0], op); });
    }
    expect_floating_agrees<T>(
        *this->cuda, this->cpu, {count}, {floating_array<T>({count}, 1)},
        [&](gt_stream s, gt_tensor y, auto& in) { return gt_affine(s, y, in[0], 1.5, -0.25); });
  }
  for (const auto& [a, b] : std::vector<std::pair<Dims, Dims>>{
           {{3, 5, 7}, {3, 5, 7}}, {{3, 5, 7}, {7}}, {{3, 1, 7}, {5, 1}}, {{}, {3, 5, 7}}}) {
    for (int32_t op = GT_BINARY_ADD; op <= GT_BINARY_GATE; ++op) {
      SCOPED_TRACE(op);
      expect_floating_agrees<T>(
          *this->cuda, this->cpu, {3, 5, 7},
          {floating_array<T>(a, 1), floating_array<T>(b, 2, 0.5, 2)},
          [&](gt_stream s, gt_tensor y, auto& in) { return gt_binary(s, y, in[0], in[1], op); });
    }
  }
}

// The masks are the same bit for bit.
TYPED_TEST(CudaFloating, DropsTheElementsThatTheCpuDrops) {
  using T = TypeParam;
  TestTensor<int64_t> cuda_step(*this->cuda, Array<int64_t>({}, {5})),
      cpu_step(this->cpu, Array<int64_t>({}, {5}));
  for (const int64_t count : {1, 7, 2051}) {
    const std::vector<Array<T>> x = {floating_array<T>({count}, 4)};
    const auto drop = [&](gt_tensor step) {
      return [=](gt_stream s, gt_tensor y, auto& in) {
        return gt_dropout(s, y, in[0], step, 0.4, -77, 3);
      };
    };
    expect_same_bits(result<T>(*this->cuda, {count}, x, drop(cuda_step)),
                     result<T>(this->cpu, {count}, x, drop(cpu_step)));
  }
}

TEST_F(CudaTest, Reduces) {
  const Array<float> x = random_array<float>({6, 70, 9, 11}, 3);
  for (uint32_t axes = 0; axes < 16; ++axes) {
    Dims dims = x.dims();
    for (int axis = 0; axis < 4; ++axis) {
      if ((axes >> axis & 1) != 0) dims[axis] = 1;
    }
    for (int32_t op = GT_REDUCE_SUM; op <= GT_REDUCE_MAX; ++op) {
      SCOPED_TRACE(testing::Message() << "axes " << axes << ", op " << op);
      expect_agrees<float, float>(
          *cuda, cpu, dims, {x}, 2e-5,
          [&](gt_stream s, gt_tensor y, auto& in) { return gt_reduce(s, y, in[0], op, axes); });
    }
  }
  const auto sum_all = [](gt_stream s, gt_tensor y, auto& in) {
    return gt_reduce(s, y, in[0], GT_REDUCE_SUM, 1);
  };
  expect_agrees<double, double>(*cuda, cpu, {1}, {random_array<double>({70'000})}, 1e-12, sum_all);
  expect_agrees<double, double>(*cuda, cpu, {1}, {Array<double>({0})}, 0, sum_all);
}

TEST_F(CudaTest, FindsTheFirstGreatest) {
  for (const int64_t length : {1, 5, 32, 33, 1000}) {
    Array<float> x = random_array<float>({9, length}, 5);
    for (int64_t i = 0; i < length; ++i) {
      x[length + i] = 1;                                 // all alike
      x[2 * length + i] = i % 7 == 3 ? NAN : -INFINITY;  // the first NaN wins
    }
    expect_agrees<int32_t, float>(
        *cuda, cpu, {9, 1}, {x}, 0,
        [](gt_stream s, gt_tensor y, auto& in) { return gt_argmax(s, y, in[0]); });
  }
}

}  // namespace
}  // namespace gatun::test
