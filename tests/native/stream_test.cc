// Streams and programs behind the C ABI, and what recording promises.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "allocations.h"
#include "core/check.h"
#include "core/cpu.h"
#include "gatun.h"
#include "support.h"

namespace gatun::test {
namespace {

class StreamTest : public testing::Test {
 protected:
  TestDevice device{3};
};

gt_program record(const TestDevice& device, const std::function<void()>& body) {
  gt_program program = nullptr;
  EXPECT_OK(gt_stream_begin_recording(device.stream()));
  body();
  EXPECT_OK(gt_stream_end_recording(&program, device.stream()));
  return program;
}

TEST_F(StreamTest, KeepsWhatItRecordsForTheProgram) {
  TestTensor<float> x(device, Dims{100'000}), y(device, Dims{100'000});
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_copy(device.stream(), y, x));
    EXPECT_OK(gt_fill(device.stream(), x, 7));
  });
  expect_same_bits(y.read(), Array<float>({100'000}));
  expect_same_bits(x.read(), Array<float>({100'000}));
  int64_t count;
  EXPECT_OK(gt_program_instructions(program, &count));
  EXPECT_EQ(count, 2);
  x.write(Array<float>({100'000}, 3.0f));
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(y.read(), Array<float>({100'000}, 3.0f));
  expect_same_bits(x.read(), Array<float>({100'000}, 7.0f));
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(y.read(), Array<float>({100'000}, 7.0f));
  gt_program_destroy(program);
}

// Two convolutions and a copy with held weights, of which the convolutions keep a packed form: as
// long as nobody says that the weights have changed, the programs may go on with the old ones.
TEST_F(StreamTest, KeepsWhatItDerivesFromHeldTensors) {
  for (const int32_t algorithm : {GT_CONV_DIRECT, GT_CONV_WINOGRAD}) {
    const Array<float> ones({40, 3, 3, 20}, 1.0f), twos({40, 3, 3, 20}, 2.0f);
    TestTensor<float> x(device, Array<float>({2, 9, 9, 20}, 1.0f)), w(device, ones);
    TestTensor<float> y(device, Dims{2, 9, 9, 40}), between(device, Dims{2, 9, 9, 40});
    TestTensor<float> dx(device, Dims{2, 9, 9, 20}), copy(device, Dims{40, 3, 3, 20});
    gt_stream stream = device.stream();
    const auto convolve = [&](gt_tensor to) {
      EXPECT_OK(gt_conv2d(stream, to, nullptr, x, w, nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                          GT_ACTIVATION_NONE, algorithm));
    };
    gt_program program = record(device, [&] {
      convolve(between);  // not held yet
      EXPECT_OK(gt_stream_hold(stream, w));
      convolve(y);
      EXPECT_OK(gt_conv2d_backward_data(stream, dx, nullptr, between, w, nullptr, nullptr, nullptr,
                                        nullptr, 1, 1, 1, 1, 1, 1, 1, 1, 1, algorithm));
      EXPECT_OK(gt_copy(stream, copy, w));
    });
    const auto middle = [](const Array<float>& pixels, int64_t channels) {
      Array<float> at = pixels;
      return at[(4 * 9 + 4) * channels];
    };
    for (int run = 0; run < 2; ++run) {
      EXPECT_OK(gt_program_run(program));
      EXPECT_NEAR(middle(y.read(), 40), 180, 1e-3);
      EXPECT_NEAR(middle(dx.read(), 20), 180 * 360, 1);
    }
    w.write(twos);
    EXPECT_OK(gt_program_run(program));
    EXPECT_NEAR(middle(between.read(), 40), 360, 1e-3);
    EXPECT_NEAR(middle(y.read(), 40), 180, 1e-3) << "derived twice";
    EXPECT_NEAR(middle(dx.read(), 20), 360 * 360, 1) << "derived twice";
    expect_same_bits(copy.read(), twos);
    EXPECT_OK(gt_program_refresh(program));
    for (int run = 0; run < 2; ++run) {
      EXPECT_OK(gt_program_run(program));
      EXPECT_NEAR(middle(y.read(), 40), 360, 1e-3);
      EXPECT_NEAR(middle(dx.read(), 20), 360 * 720, 2);
    }
    gt_program_destroy(program);
  }
}

template <typename T>
Array<T> random_values(const Dims& dims, uint32_t seed) {
  const Array<float> values = random_array<float>(dims, seed);
  Array<T> stored(dims);
  for (int64_t i = 0; i < values.count(); ++i) {
    if constexpr (std::is_same_v<T, Bf16>) {
      stored[i] = to_bf16(values[i]);
    } else {
      stored[i] = values[i];
    }
  }
  return stored;
}

// y = f(x, w): recorded with w held, y follows w after a refresh alone.
template <typename T, typename Issue>
void expect_kept_until_refreshed(const TestDevice& device, const Dims& y_dims, const Dims& x_dims,
                                 const Dims& w_dims, Issue&& issue) {
  const Array<T> former = random_values<T>(w_dims, 1), later = random_values<T>(w_dims, 2);
  TestTensor<T> y(device, y_dims), x(device, random_values<T>(x_dims, 3)), w(device, former);
  const auto at_once = [&](const Array<T>& weights) {
    w.write(weights);
    EXPECT_OK(issue(y, x, w));
    return y.read();
  };
  const Array<T> expected_later = at_once(later), expected = at_once(former);
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_stream_hold(device.stream(), w));
    EXPECT_OK(issue(y, x, w));
  });
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(y.read(), expected);
  w.write(later);
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(y.read(), expected);
  EXPECT_OK(gt_program_refresh(program));
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(y.read(), expected_later);
  gt_program_destroy(program);
}

TEST_F(StreamTest, KeepsPackedWeightsOfEveryKindOfConvolution) {
  gt_stream stream = device.stream();
  const auto check = [&]<typename T>(T, int32_t groups, int64_t channels) {
    SCOPED_TRACE(testing::Message() << sizeof(T) << " bytes, " << groups << " groups");
    const Dims pixels = {2, 9, 9, channels}, filters = {channels, 3, 3, channels / groups};
    expect_kept_until_refreshed<T>(
        device, pixels, pixels, filters, [&](gt_tensor y, gt_tensor x, gt_tensor w) {
          return gt_conv2d(stream, y, nullptr, x, w, nullptr, nullptr, 1, 1, 1, 1, 1, 1, 1, 1,
                           groups, GT_ACTIVATION_NONE, GT_CONV_DIRECT);
        });
    expect_kept_until_refreshed<T>(
        device, pixels, pixels, filters, [&](gt_tensor dx, gt_tensor dy, gt_tensor w) {
          return gt_conv2d_backward_data(stream, dx, nullptr, dy, w, nullptr, nullptr, nullptr,
                                         nullptr, 1, 1, 1, 1, 1, 1, 1, 1, groups, GT_CONV_DIRECT);
        });
  };
  for_each_simd_level([&](const char*) {
    for (const int64_t channels : {24, 15}) {
      for (const int32_t groups : {1, 3, static_cast<int32_t>(channels)}) {
        check(float{}, groups, channels);
        check(Bf16{}, groups, channels);
      }
    }
  });
}

TEST_F(StreamTest, KeepsPackedFactorsOfProductsInBf16) {
  for_each_simd_level([&](const char*) {
    for (const int32_t transpose_a : {0, 1}) {
      for (const int32_t transpose_b : {0, 1}) {
        SCOPED_TRACE(testing::Message() << transpose_a << transpose_b);
        expect_kept_until_refreshed<Bf16>(
            device, {70, 40}, transpose_a != 0 ? Dims{33, 70} : Dims{70, 33},
            transpose_b != 0 ? Dims{40, 33} : Dims{33, 40},
            [&](gt_tensor y, gt_tensor a, gt_tensor b) {
              return gt_matmul(device.stream(), y, a, b, nullptr, transpose_a, transpose_b,
                               GT_ACTIVATION_NONE);
            });
      }
    }
  });
}

TEST_F(StreamTest, HoldsOnlyWhileItRecords) {
  TestDevice other(1);
  TestTensor<float> here(device, Dims{4}), there(other, Dims{4});
  EXPECT_REFUSED(gt_stream_hold(device.stream(), here), GT_INVALID_ARGUMENT,
                 "[stream_hold] the stream is not recording");
  EXPECT_REFUSED(gt_stream_hold(device.stream(), there), GT_INVALID_ARGUMENT,
                 "[stream_hold] the tensor f32 (4) is not on the stream's device");
}

TEST_F(StreamTest, RefusesToWriteWhatIsHeld) {
  TestTensor<float> x(device, Dims{4}), w(device, Dims{4}), y(device, Dims{4});
  gt_stream stream = device.stream();
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_copy(stream, y, x));
    EXPECT_OK(gt_stream_hold(stream, w));
    EXPECT_OK(gt_copy(stream, x, w));
    EXPECT_REFUSED(gt_copy(stream, w, y), GT_INVALID_ARGUMENT,
                   "[copy] the tensor f32 (4) is held by the recording, and cannot be written");
    EXPECT_REFUSED(gt_stream_hold(stream, x), GT_INVALID_ARGUMENT,
                   "[stream_hold] an instruction writes the tensor f32 (4)");
  });
  EXPECT_OK(gt_program_run(program));
  gt_program_destroy(program);
  EXPECT_OK(gt_copy(stream, w, y));
  gt_program_destroy(record(device, [&] { EXPECT_OK(gt_copy(stream, w, y)); }));
}

TEST_F(StreamTest, RunsAProgramWhoseTensorsAreDestroyed) {
  gt_device other;
  gt_stream stream;
  gt_buffer buffer;
  gt_tensor tensor;
  gt_program program;
  void* data;
  ASSERT_OK(gt_device_create(&other, GT_DEVICE_CPU, 0, 2));
  ASSERT_OK(gt_stream_create(&stream, other));
  ASSERT_OK(gt_buffer_create(&buffer, other, 4 << 20, GT_MEMORY_STAGING));
  ASSERT_OK(gt_buffer_map(&data, buffer));
  const int64_t dims[] = {1 << 20};
  ASSERT_OK(gt_tensor_create(&tensor, buffer, 0, GT_F32, 1, dims));
  ASSERT_OK(gt_stream_begin_recording(stream));
  ASSERT_OK(gt_fill(stream, tensor, 5));
  ASSERT_OK(gt_stream_end_recording(&program, stream));
  gt_tensor_destroy(tensor);
  gt_buffer_destroy(buffer);
  gt_stream_destroy(stream);
  gt_device_destroy(other);
  ASSERT_OK(gt_program_run(program));
  EXPECT_EQ(static_cast<float*>(data)[(1 << 20) - 1], 5.0f);
  gt_program_destroy(program);
}

TEST_F(StreamTest, RefusesBeginTwiceAndEndWithoutBegin) {
  gt_program program = nullptr;
  EXPECT_REFUSED(gt_stream_end_recording(&program, device.stream()), GT_INVALID_ARGUMENT,
                 "[stream_end_recording] the stream is not recording");
  EXPECT_OK(gt_stream_begin_recording(device.stream()));
  EXPECT_REFUSED(gt_stream_begin_recording(device.stream()), GT_INVALID_ARGUMENT,
                 "[stream_begin_recording] the stream is recording already");
  EXPECT_REFUSED(gt_stream_synchronize(device.stream()), GT_INVALID_ARGUMENT, "recording");
  EXPECT_EQ(program, nullptr);
  EXPECT_OK(gt_stream_end_recording(&program, device.stream()));
  EXPECT_OK(gt_program_run(program));  // an empty one
  EXPECT_OK(gt_stream_synchronize(device.stream()));
  gt_program_destroy(program);
}

TEST_F(StreamTest, RefusesTensorsOfAnotherDevice) {
  TestDevice other(1);
  TestTensor<float> here(device, Dims{4}), there(other, Dims{4});
  EXPECT_REFUSED(gt_copy(device.stream(), here, there), GT_INVALID_ARGUMENT,
                 "[copy] a tensor f32 (4) is not on the stream's device");
}

TEST_F(StreamTest, LeavesTheRecordingAsItWasWhenAnInstructionIsRefused) {
  TestTensor<float> x(device, Dims{4}), y(device, Dims{5});
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_fill(device.stream(), x, 1));
    EXPECT_REFUSED(gt_copy(device.stream(), x, y), GT_INVALID_ARGUMENT, "element counts differ");
    EXPECT_OK(gt_fill(device.stream(), y, 2));
  });
  int64_t count;
  EXPECT_OK(gt_program_instructions(program, &count));
  EXPECT_EQ(count, 2);
  EXPECT_OK(gt_program_run(program));
  expect_same_bits(x.read(), Array<float>({4}, 1.0f));
  expect_same_bits(y.read(), Array<float>({5}, 2.0f));
  gt_program_destroy(program);
}

TEST_F(StreamTest, TakesTurnsWithOtherStreamsAndCallersOfOneProgram) {
  gt_stream second;
  ASSERT_OK(gt_stream_create(&second, device.device()));
  TestTensor<float> x(device, Dims{50'000}), y(device, Dims{50'000}), z(device, Dims{50'000});
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_copy(device.stream(), y, x));
    EXPECT_OK(gt_fill(device.stream(), y, 1));
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) EXPECT_OK(gt_program_run(program));
    });
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) EXPECT_OK(gt_fill(second, z, 2));
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_same_bits(y.read(), Array<float>({50'000}, 1.0f));
  expect_same_bits(z.read(), Array<float>({50'000}, 2.0f));
  gt_program_destroy(program);
  gt_stream_destroy(second);
}

TEST_F(StreamTest, AllocatesNothingInAProgram) {
  TestTensor<float> x(device, Dims{3, 100, 70}), y(device, Dims{3, 70, 100}),
      sums(device, Dims{3, 1, 100});
  TestTensor<int32_t> places(device, Dims{3, 70, 1});
  const int32_t axes[] = {0, 2, 1};
  gt_stream stream = device.stream();
  gt_program program = record(device, [&] {
    EXPECT_OK(gt_fill(stream, x, 2));
    EXPECT_OK(gt_permute(stream, y, x, axes, 3));
    EXPECT_OK(gt_unary(stream, y, y, GT_UNARY_EXP));
    EXPECT_OK(gt_reduce(stream, sums, y, GT_REDUCE_SUM, 2));
    EXPECT_OK(gt_binary(stream, y, y, sums, GT_BINARY_DIVIDE));
    EXPECT_OK(gt_argmax(stream, places, y));
  });
  EXPECT_OK(gt_program_run(program));  // starts the threads
  int64_t bytes, peak, before, after;
  EXPECT_OK(gt_device_memory(device.device(), &bytes, &peak, &before));
  const int64_t heap_before = heap_allocations;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gt_program_run(program), GT_OK);
  EXPECT_EQ(heap_allocations, heap_before);
  EXPECT_OK(gt_device_memory(device.device(), &bytes, &peak, &after));
  EXPECT_EQ(after, before);
  gt_program_destroy(program);
}

// ---- Below the ABI: sections, scratch, failures

// Writes task numbers into scratch in one section, sums them in the next, into *sum.
void sum_through_scratch(Launcher& launcher, int64_t tasks, int64_t* sum) {
  const Scratch<int64_t> first = launcher.scratch<int64_t>(tasks);
  launcher.parallel(tasks, [=](const Context& context, int64_t task) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(context.at(first)) % 64, 0u);
    context.at(first)[task] = task;
  });
  const Scratch<int64_t> second = launcher.scratch<int64_t>(3 * tasks);  // grows an eager stream's
  launcher.parallel(tasks, [=](const Context& context, int64_t task) {
    context.at(second)[3 * task] = context.at(first)[task] + 1;
  });
  launcher.parallel(1, [=](const Context& context, int64_t) {
    *sum = 0;
    for (int64_t i = 0; i < tasks; ++i) *sum += context.at(second)[3 * i];
  });
}

TEST(Stream, KeepsScratchThroughAnInstruction) {
  const auto device = std::make_shared<CpuDevice>(3);
  CpuStream stream(device);
  int64_t sum = 0;
  for (const int64_t tasks : {10, 1000, 100'000, 50}) {
    stream.issue("sum", {}, [&](Launcher& l) { sum_through_scratch(l, tasks, &sum); });
    EXPECT_EQ(sum, tasks * (tasks + 1) / 2);
  }
  stream.begin_recording();
  int64_t small = 0, large = 0;
  stream.issue("sum", {}, [&](Launcher& l) { sum_through_scratch(l, 10, &small); });
  stream.issue("sum", {}, [&](Launcher& l) { sum_through_scratch(l, 100'000, &large); });
  const std::shared_ptr<Program> program = stream.end_recording();
  EXPECT_EQ(small, 0);
  program->run();
  EXPECT_EQ(small, 55);
  EXPECT_EQ(large, int64_t{100'000} * 100'001 / 2);
}

TEST(Stream, AllocatesNothingWhileAProgramRuns) {
  const auto device = std::make_shared<CpuDevice>(2);
  CpuStream stream(device);
  stream.begin_recording();
  int64_t sum = 0;
  stream.issue("sum", {}, [&](Launcher& l) { sum_through_scratch(l, 1000, &sum); });
  const std::shared_ptr<Program> program = stream.end_recording();
  const int64_t before = device->memory().allocations();
  EXPECT_EQ(before, 1);
  for (int i = 0; i < 10; ++i) program->run();
  EXPECT_EQ(device->memory().allocations(), before);
}

TEST_F(StreamTest, AllocatesNothingForAnInstructionIssuedAtOnce) {
  const TestTensor<float> x(device, Dims{4, 40}), y(device, Dims{4, 40}), z(device, Dims{4, 4});
  const auto issue = [&] {
    EXPECT_OK(gt_binary(device.stream(), y, x, x, GT_BINARY_ADD));
    EXPECT_OK(gt_matmul(device.stream(), z, x, y, nullptr, 0, 1, GT_ACTIVATION_NONE));
    EXPECT_OK(gt_matmul(device.stream(), z, x, y, nullptr, 0, 1, GT_ACTIVATION_RELU));
  };
  issue();  // scratch grows once
  const int64_t before = heap_allocations;
  for (int i = 0; i < 10; ++i) issue();
  EXPECT_EQ(heap_allocations, before);
}

TEST(Stream, NamesTheInstructionThatFailsInAProgram) {
  const auto device = std::make_shared<CpuDevice>(3);
  CpuStream stream(device);
  stream.begin_recording();
  std::atomic<bool> broken{true};
  const auto good = [](Launcher& launcher) {
    launcher.parallel(2, [](const Context&, int64_t) {});
    launcher.parallel(5, [](const Context&, int64_t) {});
  };
  const auto bad = [&](Launcher& launcher) {
    good(launcher);
    launcher.parallel(50, [&](const Context&, int64_t task) {
      if (broken && task == 30) throw std::runtime_error("the disk is on fire");
    });
  };
  const auto empty = [](Launcher& launcher) {
    launcher.parallel(0, [](const Context&, int64_t) { throw std::logic_error("never runs"); });
  };
  stream.issue("good", {}, good);
  stream.issue("empty", {}, empty);
  stream.issue("bad", {}, bad);
  stream.issue("good", {}, good);
  const std::shared_ptr<Program> program = stream.end_recording();
  try {
    program->run();
    FAIL() << "no failure";
  } catch (const Error& error) {
    EXPECT_EQ(error.status, GT_INTERNAL);
    EXPECT_EQ(error.text, "[program_run] instruction 2, bad: the disk is on fire");
  }
  broken = false;
  program->run();
}

TEST(Stream, DropsTheSectionsOfAnInstructionThatThrows) {
  const auto device = std::make_shared<CpuDevice>(2);
  CpuStream stream(device);
  stream.begin_recording();
  std::atomic<int> runs{0};
  EXPECT_THROW(stream.issue("bad", {},
                            [&](Launcher& launcher) {
                              launcher.scratch<float>(1000);
                              launcher.parallel(5, [&](const Context&, int64_t) { ++runs; });
                              fail(GT_UNSUPPORTED, "[bad] no");
                            }),
               Error);
  stream.issue("good", {}, [&](Launcher& launcher) {
    launcher.parallel(5, [&](const Context&, int64_t) { ++runs; });
  });
  const std::shared_ptr<Program> program = stream.end_recording();
  EXPECT_EQ(program->instructions(), 1);
  program->run();
  EXPECT_EQ(runs, 5);
  EXPECT_EQ(device->memory().allocations(), 0);
}

TEST(Stream, RefusesAnAbsurdAmountOfScratch) {
  const auto device = std::make_shared<CpuDevice>(1);
  CpuStream stream(device);
  const auto greedy = [](Launcher& launcher) { launcher.scratch<char>(int64_t{1} << 60); };
  try {
    stream.issue("greedy", {}, greedy);
    FAIL() << "no failure";
  } catch (const Error& error) {
    EXPECT_EQ(error.status, GT_OUT_OF_MEMORY);
    EXPECT_EQ(error.text.rfind("[greedy] out of memory: asked for", 0), 0u) << error.text;
  }
}

TEST(Products, AreF32OnTheCpuEitherWay) {
  const TestDevice cpu(1);
  const TestTensor<float> a(cpu, random_array<float>({33, 17}, 1)),
      b(cpu, random_array<float>({65, 17}, 2)), y(cpu, {33, 65});
  const auto run = [&] {
    EXPECT_OK(gt_matmul(cpu.stream(), y, a, b, nullptr, 0, 1, GT_ACTIVATION_NONE));
    return y.read();
  };
  const auto before = run();
  ASSERT_OK(gt_stream_set_products(cpu.stream(), GT_PRODUCTS_TF32));
  expect_same_bits(run(), before);
}

TEST(Products, AreCheckedForWhatThereIs) {
  const TestDevice cpu(1);
  EXPECT_REFUSED(gt_stream_set_products(cpu.stream(), 2), GT_INVALID_ARGUMENT,
                 "[stream_set_products] products must be 0 or 1, but is 2");
  EXPECT_REFUSED(gt_stream_set_products(nullptr, GT_PRODUCTS_TF32), GT_INVALID_ARGUMENT, "stream");
}

}  // namespace
}  // namespace gatun::test
