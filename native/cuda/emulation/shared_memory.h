// The shared memory of a block that runs, with a shadow that knows who used what since when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/emulation/engine.h"

namespace gatun::cuda::emulation {

class SharedMemory {
 public:
  // More than any GPU gives to a block.
  static constexpr int64_t kBytes = 256 << 10;

  SharedMemory();

  // A block begins: nothing is written yet, and what is there is poison.
  void begin_block(int64_t dynamic_bytes, int warps);
  // Its last thread has returned. Of the cluster, no other may store to it from then on, nor may
  // have since the last cluster barrier: it might have come too late.
  void end_block();
  // All threads of the block have met, all of a warp, or all of the cluster.
  void pass_barrier() { ++epoch_; }
  void pass_warp(int warp) { ++warp_epochs_[warp]; }
  void pass_cluster_barrier() { cluster_epoch_ = ++epoch_; }

  std::byte* array(const void* key, int64_t bytes);
  std::byte* dynamic(int64_t byte_offset, int64_t bytes);
  void check_read(const Thread& thread, const void* at, int64_t bytes, const char* name);
  void check_write(const Thread& thread, const void* at, int64_t bytes, const char* name);
  // By a thread of another block of the cluster, which is of this number there.
  void check_cluster_store(const Thread& thread, int block, const void* at, int64_t bytes,
                           const char* name);
  int64_t offset(const void* at) const {
    return static_cast<const std::byte*>(at) - memory_.data();
  }

 private:
  static constexpr int64_t kGranule = 2;  // bytes with one shadow: the smallest element
  static constexpr int kManyWarps = -1;
  static constexpr int kOwn = -1;

  // Of the last write, and of all reads since the last barrier.
  struct Shadow {
    uint32_t write_epoch = 0, write_warp_epoch = 0;
    uint32_t read_epoch = 0, read_warp_epoch = 0;
    int16_t writer = 0;
    int16_t reading_warp = 0;  // or kManyWarps
    int16_t reader = 0;        // or -1 for several of the warp
    int16_t block = kOwn;      // of the writer: its number in the cluster
  };

  struct Array {
    const void* key;
    int64_t offset, bytes;
  };

  // Calls check(shadow) for each granule of the range.
  template <typename F>
  void for_shadows(const void* at, int64_t bytes, F&& check);
  [[noreturn]] void race(const Thread& thread, const void* at, const char* name, const char* did,
                         int other, const char* other_did, int other_block = kOwn,
                         const char* barrier = "barrier") const;
  // Another block has written it since the cluster met.
  bool is_foreign(const Shadow& s) const {
    return s.block != kOwn && s.write_epoch >= cluster_epoch_;
  }

  std::vector<std::byte> memory_;
  std::vector<Shadow> shadows_;
  std::vector<Array> arrays_;
  std::vector<uint32_t> warp_epochs_;
  int64_t dynamic_bytes_ = 0;
  int64_t used_ = 0;
  uint32_t epoch_ = 1;
  uint32_t block_epoch_ = 1;    // the epoch that the block began with
  uint32_t cluster_epoch_ = 1;  // the one that began when the cluster met last
  // When another block has stored here last, and which.
  uint32_t stored_epoch_ = 0;
  int stored_by_ = 0;
};

}  // namespace gatun::cuda::emulation
