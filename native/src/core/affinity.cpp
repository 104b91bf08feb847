#include "core/affinity.h"

#include <algorithm>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace gatun {

#if defined(__linux__)

namespace {

// A cpu_set_t holds 1024 processors; larger machines need a larger mask. It lies on the stack:
// workers are moved while a step runs, which takes nothing from the heap.
class ProcessorSet {
 public:
  static constexpr int kMost = 1 << 18;

  explicit ProcessorSet(int capacity) : bytes_(CPU_ALLOC_SIZE(capacity)) {
    CPU_ZERO_S(bytes_, sets_);
  }

  cpu_set_t* get() { return sets_; }
  size_t bytes() const { return bytes_; }

 private:
  const size_t bytes_;
  cpu_set_t sets_[kMost / CPU_SETSIZE];
};

}  // namespace

std::vector<int> allowed_processors() {
  std::vector<int> processors;
  for (int capacity = CPU_SETSIZE; capacity <= ProcessorSet::kMost; capacity *= 4) {
    ProcessorSet set(capacity);
    if (sched_getaffinity(0, set.bytes(), set.get()) != 0) continue;
    for (int i = 0; i < capacity; ++i) {
      if (CPU_ISSET_S(i, set.bytes(), set.get())) processors.push_back(i);
    }
    break;
  }
  return processors;
}

int current_processor() { return sched_getcpu(); }

bool allow_processors(std::thread& thread, std::span<const int> processors) {
  if (processors.empty()) return false;
  const int last = *std::max_element(processors.begin(), processors.end());
  if (last >= ProcessorSet::kMost) return false;
  ProcessorSet set(last + 1);
  for (const int processor : processors) CPU_SET_S(processor, set.bytes(), set.get());
  return pthread_setaffinity_np(thread.native_handle(), set.bytes(), set.get()) == 0;
}

#else

std::vector<int> allowed_processors() { return {}; }
int current_processor() { return -1; }
bool allow_processors(std::thread&, std::span<const int>) { return false; }

#endif

}  // namespace gatun
