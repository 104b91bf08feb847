// Devices, buffers, tensors and their errors; the thread pool; Philox.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/affinity.h"
#include "core/flush_denormals.h"
#include "core/machine.h"
#include "core/philox.h"
#include "core/thread_pool.h"
#include "gatun.h"
#include "support.h"

namespace gatun::test {
namespace {

// The known answers that Random123 publishes for philox4x32-10.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, AddressesABlockBySeedStreamAndIndex) {
  EXPECT_EQ(philox_block(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Errors, NameTheNullArgument) {
  EXPECT_EQ(gt_abi_version(), GT_ABI_VERSION);
  ASSERT_NE(gt_last_error_message(), nullptr);
  EXPECT_REFUSED(gt_device_create(nullptr, GT_DEVICE_CPU, 0, 1), GT_INVALID_ARGUMENT,
                 "[device_create] out is NULL");
  gt_buffer buffer = nullptr;
  EXPECT_REFUSED(gt_buffer_create(&buffer, nullptr, 4, GT_MEMORY_DEVICE), GT_INVALID_ARGUMENT,
                 "[buffer_create] device is NULL");
  EXPECT_EQ(buffer, nullptr);
  EXPECT_REFUSED(gt_program_run(nullptr), GT_INVALID_ARGUMENT, "[program_run] program is NULL");
  EXPECT_REFUSED(gt_simd_level_limit(nullptr), GT_INVALID_ARGUMENT, "level is NULL");
}

TEST(Errors, BelongToTheirThread) {
  EXPECT_REFUSED(gt_program_run(nullptr), GT_INVALID_ARGUMENT, "program is NULL");
  std::string seen = "not read";
  std::thread([&] { seen = gt_last_error_message(); }).join();
  EXPECT_EQ(seen, "");
  EXPECT_STREQ(gt_last_error_message(), "[program_run] program is NULL");
}

TEST(Errors, NoticeAHandleOfAnotherKind) {
  TestDevice device;
  auto* wrong = reinterpret_cast<gt_tensor>(device.device());
  EXPECT_REFUSED(gt_fill(device.stream(), wrong, 1), GT_INVALID_ARGUMENT, "not a live handle");
  gt_tensor_destroy(wrong);  // does nothing
  TestTensor<float> y(device, Dims{1});
  EXPECT_OK(gt_fill(device.stream(), y, 1));
}

TEST(Device, RefusesWhatItCannotBe) {
  gt_device device = nullptr;
  EXPECT_REFUSED(gt_device_create(&device, 7, 0, 1), GT_UNSUPPORTED, "kind 7");
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CPU, 1, 1), GT_INVALID_ARGUMENT, "index is 1");
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CPU, 0, -1), GT_INVALID_ARGUMENT,
                 "threads must be 0..1024, but is -1");
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CPU, 0, 1025), GT_INVALID_ARGUMENT, "1025");
  EXPECT_EQ(device, nullptr);
}

TEST(Device, RefusesAProcessorOlderThanItsKernels) {
  hwy::SetSupportedTargetsForTest(HWY_PPC8);  // of other processors, so never compiled in
  gt_device device = nullptr;
  EXPECT_REFUSED(gt_device_create(&device, GT_DEVICE_CPU, 0, 1), GT_UNSUPPORTED,
                 "[device_create] the processor is too old: it has none of the SIMD levels ");
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_EQ(device, nullptr);
  ASSERT_OK(gt_device_create(&device, GT_DEVICE_CPU, 0, 1));
  gt_device_destroy(device);
}

TEST(Device, DescribesItselfAndCutsTheText) {
  TestDevice device(3);
  char text[64];
  ASSERT_OK(gt_device_describe(device.device(), text, sizeof(text)));
  EXPECT_EQ(std::string(text).rfind("cpu, 3 threads, ", 0), 0u) << text;
  for_each_simd_level([&](const char* level) {
    EXPECT_OK(gt_device_describe(device.device(), text, sizeof(text)));
    EXPECT_EQ(std::string(text), std::string("cpu, 3 threads, ") + level);
  });
  ASSERT_OK(gt_device_describe(device.device(), text, 5));
  EXPECT_STREQ(text, "cpu,");
  EXPECT_REFUSED(gt_device_describe(device.device(), text, 0), GT_INVALID_ARGUMENT, "capacity");
  EXPECT_REFUSED(gt_simd_level_limit("MMX"), GT_UNSUPPORTED, "\"MMX\" is not one of");
}

TEST(Device, TakesAllProcessorsForZeroThreads) {
  TestDevice device(0);
  char text[64];
  ASSERT_OK(gt_device_describe(device.device(), text, sizeof(text)));
  EXPECT_EQ(std::stoi(std::string(text).substr(5)), available_processors());
  EXPECT_GE(available_processors(), 1);
}

TEST(Device, CountsMemory) {
  TestDevice device;
  int64_t bytes, peak, allocations;
  ASSERT_OK(gt_device_memory(device.device(), &bytes, &peak, &allocations));
  EXPECT_EQ(bytes, 0);
  EXPECT_EQ(allocations, 0);
  {
    TestTensor<float> a(device, Dims{1000});
    TestTensor<float> b(device, Dims{1 << 20});
  }
  TestTensor<double> c(device, Dims{10});
  ASSERT_OK(gt_device_memory(device.device(), &bytes, &peak, &allocations));
  EXPECT_EQ(bytes, 80);
  EXPECT_EQ(peak, 4000 + (4 << 20));
  EXPECT_EQ(allocations, 3);
}

TEST(Buffer, IsZeroedAndAligned) {
  TestDevice device;
  for (const int64_t bytes : {0, 1, 63, 4096, (2 << 20) - 1, 2 << 20, (5 << 20) + 3}) {
    gt_buffer buffer;
    ASSERT_OK(gt_buffer_create(&buffer, device.device(), bytes, GT_MEMORY_STAGING));
    void* data;
    ASSERT_OK(gt_buffer_map(&data, buffer));
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % (bytes >= (2 << 20) ? (2 << 20) : 64), 0u);
    const auto* first = static_cast<const char*>(data);
    EXPECT_TRUE(std::all_of(first, first + bytes, [](char c) { return c == 0; }));
    std::memset(data, 1, bytes);
    gt_buffer_destroy(buffer);
  }
}

TEST(Buffer, RefusesWhatTheMachineCannotHold) {
  TestDevice device;
  gt_buffer buffer = nullptr;
  TestTensor<uint8_t> held(device, Dims{100});
  for (const int64_t bytes : {std::numeric_limits<int64_t>::max(), available_memory()}) {
    EXPECT_REFUSED(gt_buffer_create(&buffer, device.device(), bytes, GT_MEMORY_DEVICE),
                   GT_OUT_OF_MEMORY,
                   "asked for " + std::to_string(bytes) + " bytes, the device holds 100 bytes");
  }
  EXPECT_REFUSED(gt_buffer_create(&buffer, device.device(), -1, GT_MEMORY_DEVICE),
                 GT_INVALID_ARGUMENT, "bytes must not be negative, but is -1");
  EXPECT_REFUSED(gt_buffer_create(&buffer, device.device(), 1, 2), GT_INVALID_ARGUMENT,
                 "memory_kind");
  EXPECT_EQ(buffer, nullptr);
}

TEST(Buffer, ReadsAndWritesInsideItsBounds) {
  TestDevice device;
  gt_buffer buffer;
  ASSERT_OK(gt_buffer_create(&buffer, device.device(), 8, GT_MEMORY_DEVICE));
  const char text[] = "abcd";
  char back[4] = {};
  EXPECT_OK(gt_buffer_write(buffer, 3, text, 4));
  EXPECT_OK(gt_buffer_read(buffer, 4, back, 4));
  EXPECT_EQ(std::string(back), "bcd");
  EXPECT_OK(gt_buffer_read(buffer, 8, nullptr, 0));
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  EXPECT_REFUSED(gt_buffer_read(buffer, 5, back, 4), GT_INVALID_ARGUMENT,
                 "4 bytes from offset 5 do not lie inside a buffer of 8 bytes");
  EXPECT_REFUSED(gt_buffer_write(buffer, -1, text, 4), GT_INVALID_ARGUMENT, "offset");
  EXPECT_REFUSED(gt_buffer_write(buffer, 1, text, -4), GT_INVALID_ARGUMENT, "bytes");
  EXPECT_REFUSED(gt_buffer_write(buffer, kMax, text, kMax), GT_INVALID_ARGUMENT, "inside");
  EXPECT_REFUSED(gt_buffer_read(buffer, 0, nullptr, 1), GT_INVALID_ARGUMENT, "out is NULL");
  EXPECT_REFUSED(gt_buffer_write(buffer, 0, nullptr, 1), GT_INVALID_ARGUMENT, "source is NULL");
  gt_buffer_destroy(buffer);
}

TEST(Tensor, LiesInsideItsBuffer) {
  TestDevice device;
  gt_buffer buffer;
  gt_tensor tensor = nullptr;
  ASSERT_OK(gt_buffer_create(&buffer, device.device(), 24, GT_MEMORY_DEVICE));
  const auto create = [&](int64_t offset, int32_t dtype, Dims dims) {
    return gt_tensor_create(&tensor, buffer, offset, dtype, static_cast<int32_t>(dims.size()),
                            dims.data());
  };
  EXPECT_REFUSED(create(0, GT_F32, {7}), GT_INVALID_ARGUMENT,
                 "f32 (7) of 28 bytes from byte_offset 0 does not lie inside a buffer of 24 bytes");
  EXPECT_REFUSED(create(20, GT_F32, {2}), GT_INVALID_ARGUMENT, "inside");
  EXPECT_REFUSED(create(2, GT_F32, {1}), GT_INVALID_ARGUMENT, "multiple of 4");
  EXPECT_REFUSED(create(-4, GT_F32, {1}), GT_INVALID_ARGUMENT, "byte_offset");
  EXPECT_REFUSED(create(28, GT_F32, {0}), GT_INVALID_ARGUMENT, "inside");
  EXPECT_REFUSED(create(0, 6, {1}), GT_INVALID_ARGUMENT, "dtype must be 0..5, but is 6");
  EXPECT_REFUSED(create(0, GT_U8, {2, -1}), GT_INVALID_ARGUMENT, "dims[1]");
  EXPECT_REFUSED(create(0, GT_U8, Dims(9, 1)), GT_INVALID_ARGUMENT, "rank must be 0..8, but is 9");
  EXPECT_REFUSED(gt_tensor_create(&tensor, buffer, 0, GT_U8, -1, nullptr), GT_INVALID_ARGUMENT,
                 "rank");
  EXPECT_REFUSED(gt_tensor_create(&tensor, buffer, 0, GT_U8, 1, nullptr), GT_INVALID_ARGUMENT,
                 "dims is NULL");
  constexpr int64_t kBig = int64_t{1} << 32;
  EXPECT_REFUSED(create(0, GT_U8, {kBig, kBig}), GT_INVALID_ARGUMENT, "too many elements");
  EXPECT_REFUSED(create(0, GT_F64, {kBig, kBig / 4}), GT_INVALID_ARGUMENT, "too many elements");
  EXPECT_REFUSED(create(0, GT_U8, {0, kBig, kBig}), GT_INVALID_ARGUMENT, "too many elements");
  EXPECT_EQ(tensor, nullptr);
  for (const Dims& dims : {Dims{}, Dims{6}, Dims{2, 3}, Dims{0}, Dims{1, 0, 7}}) {
    ASSERT_OK(create(0, GT_F32, dims));
    gt_tensor_destroy(tensor);
  }
  gt_buffer_destroy(buffer);
}

TEST(Handles, AreDestroyedInAnyOrder) {
  gt_device device;
  gt_buffer buffer;
  gt_tensor tensor;
  gt_stream stream;
  ASSERT_OK(gt_device_create(&device, GT_DEVICE_CPU, 0, 2));
  ASSERT_OK(gt_buffer_create(&buffer, device, 4, GT_MEMORY_STAGING));
  ASSERT_OK(gt_stream_create(&stream, device));
  gt_device_destroy(device);
  void* data;
  ASSERT_OK(gt_buffer_map(&data, buffer));
  ASSERT_OK(gt_tensor_create(&tensor, buffer, 0, GT_I32, 0, nullptr));
  gt_buffer_destroy(buffer);
  ASSERT_OK(gt_fill(stream, tensor, 42));
  EXPECT_EQ(*static_cast<int32_t*>(data), 42);
  gt_stream_destroy(stream);
  gt_tensor_destroy(tensor);
  gt_device_destroy(nullptr);
  gt_buffer_destroy(nullptr);
  gt_tensor_destroy(nullptr);
  gt_stream_destroy(nullptr);
  gt_program_destroy(nullptr);
}

// ---- Thread pool

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (const int workers : {1, 2, 3, 8}) {
    ThreadPool pool(workers);
    ThreadPool::Turn turn(pool);
    for (const int64_t tasks : {0, 1, 2, 3, 7, 100, 5000}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<int> runs(tasks, 0);
        turn.run(
            tasks,
            [&](const Context& context, int64_t task) {
              ASSERT_GE(context.worker, 0);
              ASSERT_LT(context.worker, workers);
              ASSERT_EQ(context.workers, workers);
              ++runs[task];
            },
            nullptr);
        ASSERT_EQ(runs, std::vector<int>(tasks, 1)) << workers << " workers, " << tasks << " tasks";
      }
    }
  }
}

TEST(ThreadPool, GivesAWorkerOneTaskAtATime) {
  constexpr int kWorkers = 4;
  ThreadPool pool(kWorkers);
  std::atomic<int> busy[kWorkers] = {};
  for (int repeat = 0; repeat < 200; ++repeat) {
    ThreadPool::Turn(pool).run(
        64,
        [&](const Context& context, int64_t) {
          EXPECT_EQ(busy[context.worker].fetch_add(1), 0);
          busy[context.worker].fetch_sub(1);
        },
        nullptr);
  }
}

TEST(ThreadPool, BeginsASectionAfterTheFormerHasEnded) {
  ThreadPool pool(3);
  ThreadPool::Turn turn(pool);
  std::vector<int64_t> values(40, 0);
  std::vector<int64_t> shifted(40, 0);
  for (int64_t round = 1; round <= 500; ++round) {
    turn.run(
        40, [&](const Context&, int64_t t) { shifted[t] = values[(t + 1) % 40] + 1; }, nullptr);
    turn.run(
        40, [&](const Context&, int64_t t) { values[t] = shifted[(t + 7) % 40]; }, nullptr);
    ASSERT_EQ(values, std::vector<int64_t>(40, round));
  }
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 5; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    // Both tasks must be running at the same time to finish, so another worker has to come.
    std::atomic<int> arrived{0};
    ThreadPool::Turn(pool).run(
        2,
        [&](const Context&, int64_t) {
          arrived.fetch_add(1);
          while (arrived.load() < 2) std::this_thread::yield();
        },
        nullptr);
  }
}

// The processors on which each worker may run.
std::vector<std::vector<int>> places_of(ThreadPool& pool) {
  std::vector<std::vector<int>> places(pool.workers());
  std::atomic<int> arrived{0};
  ThreadPool::Turn(pool).run(
      pool.workers(),
      [&](const Context& context, int64_t) {
        places[context.worker] = allowed_processors();
        arrived.fetch_add(1);
        while (arrived.load() < pool.workers()) std::this_thread::yield();  // all have to come
      },
      nullptr);
  return places;
}

TEST(ThreadPool, KeepsWorkersToProcessorsThatItFills) {
  const std::vector<int> allowed = allowed_processors();
  const auto count = static_cast<int>(allowed.size());
  if (count < 2) GTEST_SKIP() << "one processor, or a system that does not say";
  ThreadPool filling(count);
  const auto places = places_of(filling);
  EXPECT_EQ(places[0], allowed) << "the caller's thread is not the pool's";
  std::set<int> taken;
  for (int worker = 1; worker < count; ++worker) {
    ASSERT_EQ(places[worker].size(), 1u);
    EXPECT_EQ(std::count(allowed.begin(), allowed.end(), places[worker][0]), 1);
    EXPECT_TRUE(taken.insert(places[worker][0]).second);
  }
  ThreadPool crowded(count + 1);
  for (const auto& place : places_of(crowded)) EXPECT_EQ(place, allowed);
  if (count == 2) return;
  ThreadPool guest(count - 1);
  for (const auto& place : places_of(guest)) EXPECT_EQ(place, allowed);
}

// Runs work(pool, place of worker 1) in a thread that may run there alone.
template <typename Work>
void run_where_a_worker_is(ThreadPool& pool, Work&& work) {
  const int place = places_of(pool)[1][0];
  std::atomic<bool> placed{false};
  std::thread thread([&] {
    while (!placed) std::this_thread::yield();
    work(place);
  });
  EXPECT_TRUE(allow_processors(thread, std::span(&place, 1)));
  placed = true;
  thread.join();
}

TEST(ThreadPool, MakesRoomWhereTheCallerIs) {
  const auto count = static_cast<int>(allowed_processors().size());
  if (count < 2) GTEST_SKIP() << "one processor, or a system that does not say";
  // Other programs may disturb a pool so much that it gives its places up.
  for (bool kept = false; !kept;) {
    ThreadPool pool(count);
    run_where_a_worker_is(pool, [&](int contested) {
      const auto places = places_of(pool);
      kept = places[1].size() == 1;
      if (!kept) return;
      std::set<int> taken;
      for (const auto& place : places) {
        ASSERT_EQ(place.size(), 1u);
        EXPECT_TRUE(taken.insert(place[0]).second);
      }
      EXPECT_EQ(places[0][0], contested);
    });
  }
}

TEST(ThreadPool, LeavesPlacesToTheSystemWhenDisturbed) {
  const std::vector<int> allowed = allowed_processors();
  if (allowed.size() < 2) GTEST_SKIP() << "one processor, or a system that does not say";
  ThreadPool pool(static_cast<int>(allowed.size()));
  std::atomic<bool> gave_up{false};
  std::thread caller;
  run_where_a_worker_is(pool, [&](int) {  // and takes its time
    caller = std::thread([&] {
      while (!gave_up) gave_up = places_of(pool)[1] == allowed;
    });
    EXPECT_TRUE(allow_processors(caller, allowed));  // it began with this thread's
    while (!gave_up) {
    }
  });
  caller.join();
}

TEST(ThreadPool, RethrowsTheExceptionOfATask) {
  for (const int workers : {1, 3}) {
    ThreadPool pool(workers);
    for (int repeat = 0; repeat < 50; ++repeat) {
      const auto run = [&] {
        ThreadPool::Turn(pool).run(
            100,
            [](const Context&, int64_t task) {
              if (task % 10 == 3) throw std::runtime_error("task failed");
            },
            nullptr);
      };
      EXPECT_THROW(run(), std::runtime_error);
      std::atomic<int> after{0};
      ThreadPool::Turn(pool).run(
          10, [&](const Context&, int64_t) { ++after; }, nullptr);
      EXPECT_EQ(after, 10);
    }
  }
}

TEST(ThreadPool, IsSharedByThreadsInTurn) {
  ThreadPool pool(2);
  std::vector<std::thread> callers;
  std::vector<int64_t> sums(3, 0);
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        std::atomic<int64_t> sum{0};
        ThreadPool::Turn(pool).run(
            10, [&](const Context&, int64_t t) { sum += t; }, nullptr);
        sums[caller] += sum;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sums, std::vector<int64_t>(3, 45 * 200));
}

TEST(ThreadPool, FlushesDenormalsInsideSectionsOnly) {
  volatile float tiny = std::numeric_limits<float>::denorm_min();
  const auto is_zero = [&] { return tiny * 2.0f == 0.0f; };
  ASSERT_FALSE(is_zero());
  ThreadPool pool(2);
  std::atomic<int> flushed{0};
  ThreadPool::Turn(pool).run(
      16, [&](const Context&, int64_t) { flushed += is_zero() ? 1 : 0; }, nullptr);
  EXPECT_EQ(flushed, 16);
  EXPECT_FALSE(is_zero());
}

}  // namespace
}  // namespace gatun::test
