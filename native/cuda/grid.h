// How many blocks of how many threads a kernel is launched with.
#pragma once

#include <cstdint>

namespace gatun::cuda {

constexpr int kWarp = 32;
constexpr uint32_t kWholeWarp = 0xffffffff;

struct Dim {
  uint32_t x = 1, y = 1, z = 1;
  int64_t count() const { return int64_t{x} * y * z; }
};

// The most blocks that a GPU launches along each axis.
constexpr Dim kGridLimits{0x7fffffff, 0xffff, 0xffff};
constexpr int kMostInCluster = 8;  // blocks, on any GPU that has clusters

struct Grid {
  Dim blocks, threads;
  int64_t shared_bytes = 0;  // of dynamic_shared
  bool resident = false;     // all blocks at the same time, so that they may wait for each other
  // So many blocks along x run at the same time, and store into each other's shared memory: a
  // cluster, where it is more than 1. A resident grid has none.
  uint32_t cluster = 1;
};

// Threads for `count` elements, `each` to a thread, in blocks of 256; kernels go on by strides of
// the whole grid where there are more.
inline Grid elements_grid(int64_t count, int64_t each = 1) {
  constexpr int64_t kThreads = 256, kMostBlocks = 1 << 16;
  const int64_t blocks = (count + each * kThreads - 1) / (each * kThreads);
  return {.blocks = {static_cast<uint32_t>(blocks < kMostBlocks ? blocks : kMostBlocks)},
          .threads = {static_cast<uint32_t>(kThreads)}};
}

}  // namespace gatun::cuda
