// Global memory as the blocks of a resident grid see it: which of them may know what another one
// has stored. A block that releases a flag shows what it did before its last barrier, and what it
// had been shown itself; one that waits for the flag knows of that after its next barrier.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "cuda/emulation/engine.h"

namespace gatun::cuda::emulation {

class GlobalMemory {
 public:
  void begin_grid(int blocks);
  void pass_barrier(int block);
  void release(int block, const void* flag);
  void acquire(int block, const void* flag);
  void check_load(int block, int thread, const void* at, int64_t bytes);
  void check_store(int block, int thread, const void* at, int64_t bytes);

 private:
  static constexpr uintptr_t kGranule = 4;
  static constexpr int kManyThreads = -1;
  using Epoch = int64_t;  // a block's barriers so far
  using Epochs = std::vector<Epoch>;

  struct Use {
    int block, thread;
    Epoch epoch;
  };
  // The last store, and who has read it.
  struct Shadow {
    std::vector<Use> store, loads;
  };

  bool is_known(int block, int thread, const Use& use) const;
  [[noreturn]] void race(const char* did, const Use& other, const char* other_did) const;

  std::vector<Epoch> now_;     // of each block
  std::vector<Epochs> known_;  // to a block: what each other one did up to an epoch
  std::vector<Epochs> heard_;  // known from its next barrier on
  std::unordered_map<const void*, Epochs> released_;
  std::unordered_map<uintptr_t, Shadow> shadows_;
};

}  // namespace gatun::cuda::emulation
