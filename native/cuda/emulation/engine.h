// Runs the threads of a block, or of all blocks of a cluster or of a resident grid, as fibers of
// one thread of the host, and watches what they do: stores out of bounds, shared memory that is
// read before it is written or used by two threads without a barrier between them, shared memory
// that another block of the cluster stores to without a cluster barrier on either side of it,
// global memory that the blocks of a resident grid exchange without having waited, barriers, flags
// and shuffles that not all reach. What is wrong throws Fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cuda/grid.h"

namespace gatun::cuda::emulation {

struct Fault {
  std::string text;
};

// A copy from global to shared memory that has been asked for and not yet been waited for.
struct PendingCopy {
  std::byte* to;
  const std::byte* from;  // NULL for zeros
  int64_t bytes;
  int group;
};

struct Block;
class Fiber;

struct Thread {
  Block* block = nullptr;
  Dim index{0, 0, 0};
  int number = 0;
  int warp = 0;
  int lane = 0;
  bool done = false;
  Fiber* fiber = nullptr;  // once it is started
  const char* waits_for = nullptr;
  std::vector<PendingCopy> copies;
  int copy_groups = 0;
};

// Of the thread that runs now.
struct Place {
  Thread* thread = nullptr;
  Dim block_index{0, 0, 0};
  Grid grid;
  bool watched = false;  // the grid is resident: what it does to global memory is watched
};
extern Place here;

// Runs a kernel; `body` is one thread of it. Launches take turns.
void run(const Grid& grid, const std::function<void()>& body);

// What is wrong, with the thread and block that did it.
[[noreturn]] void fault(const std::string& text);
// What single accesses can have wrong. Kernels are full of these checks, so messages are not made
// in them: that was a good part of the time to compile them.
[[noreturn]] void fault_outside(const char* what, int64_t first, int64_t count, int64_t size);
[[noreturn]] void fault_outside_shared(const char* name, int64_t first, int64_t count,
                                       int64_t size);
[[noreturn]] void fault_misaligned(const char* what, int64_t count);
[[noreturn]] void fault_misaligned_shared(const char* name, int64_t count);
[[noreturn]] void fault_absent(const char* what, int lane, int from);

void barrier();

// Waits for the lanes of `mask`; the last one to come calls complete(arguments of each lane, mask).
void collective(uint32_t mask, const char* what, void* mine,
                void (*complete)(void* const* lanes, uint32_t mask));
void sync_warp(uint32_t mask);

// Waits until somebody wakes those that wait at `key`.
void wait_at(const void* key, const char* what);
void wake_at(const void* key);

// The block's array of this key, one for all its threads.
std::byte* shared_array(const void* key, int64_t bytes);
std::byte* dynamic_shared(int64_t byte_offset, int64_t bytes);
void check_shared_read(const void* at, int64_t bytes, const char* name);
void check_shared_write(const void* at, int64_t bytes, const char* name);

// Of the blocks of a cluster. The place in its n-th block that is at `at` in this one, to be stored
// to.
void cluster_barrier();
std::byte* cluster_store(uint32_t n, const void* at, int64_t bytes, const char* name);

// Of the blocks of a resident grid, in global memory.
void watch_load(const void* at, int64_t bytes);
void watch_store(const void* at, int64_t bytes);
void store_release(uint32_t* flag, uint32_t value);
void wait_for(const uint32_t* flag, uint32_t value);

void copy_async(std::byte* to, const std::byte* from, int64_t bytes);
void copy_async_commit();
void copy_async_wait(int pending);

}  // namespace gatun::cuda::emulation
