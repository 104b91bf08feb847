#include "cuda/emulation/global_memory.h"

#include <algorithm>

namespace gatun::cuda::emulation {

void GlobalMemory::begin_grid(int blocks) {
  const auto count = static_cast<size_t>(blocks);
  now_.assign(count, 1);
  known_.assign(count, Epochs(count, 0));
  heard_ = known_;
  released_.clear();
  shadows_.clear();
}

void GlobalMemory::pass_barrier(int block) {
  ++now_[block];
  known_[block] = heard_[block];
}

void GlobalMemory::release(int block, const void* flag) {
  Epochs& shown = released_[flag] = known_[block];
  shown[block] = now_[block] - 1;
}

void GlobalMemory::acquire(int block, const void* flag) {
  const auto found = released_.find(flag);
  if (found == released_.end()) return;
  for (size_t k = 0; k < now_.size(); ++k) {
    heard_[block][k] = std::max(heard_[block][k], found->second[k]);
  }
}

bool GlobalMemory::is_known(int block, int thread, const Use& use) const {
  if (use.block != block) return use.epoch <= known_[block][use.block];
  return use.thread == thread || use.epoch < now_[block];
}

void GlobalMemory::race(const char* did, const Use& other, const char* other_did) const {
  fault(std::string("race on global memory: a thread ") + did + " what " +
        (other.thread == kManyThreads ? "threads" : "thread " + std::to_string(other.thread)) +
        " of block number " + std::to_string(other.block) + " " + other_did +
        ", and nobody has waited for it");
}

void GlobalMemory::check_load(int block, int thread, const void* at, int64_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(at);
  for (uintptr_t i = begin / kGranule; i * kGranule < begin + bytes; ++i) {
    Shadow& shadow = shadows_[i];
    for (const Use& store : shadow.store) {
      if (!is_known(block, thread, store)) race("loads", store, "stored");
    }
    const Use mine{block, thread, now_[block]};
    const auto before = std::find_if(shadow.loads.begin(), shadow.loads.end(),
                                     [&](const Use& use) { return use.block == block; });
    if (before == shadow.loads.end()) {
      shadow.loads.push_back(mine);
    } else if (before->epoch == mine.epoch && before->thread != thread) {
      before->thread = kManyThreads;
    } else {
      *before = mine;
    }
  }
}

void GlobalMemory::check_store(int block, int thread, const void* at, int64_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(at);
  for (uintptr_t i = begin / kGranule; i * kGranule < begin + bytes; ++i) {
    Shadow& shadow = shadows_[i];
    for (const Use& store : shadow.store) {
      if (!is_known(block, thread, store)) race("stores over", store, "stored");
    }
    for (const Use& load : shadow.loads) {
      if (!is_known(block, thread, load)) race("stores over", load, "loaded");
    }
    shadow.loads.clear();
    shadow.store.assign(1, {block, thread, now_[block]});
  }
}

}  // namespace gatun::cuda::emulation
