#include "core/affinity.h"

#include <algorithm>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace gatun {

#if defined(__linux__)

namespace {

// A fixed cpu_set_t holds 1024 processors; larger machines need a larger mask.
class ProcessorSet {
 public:
  explicit ProcessorSet(int capacity) : capacity_(capacity), set_(CPU_ALLOC(capacity)) {
    if (set_ != nullptr) CPU_ZERO_S(bytes(), set_);
  }
  ~ProcessorSet() { CPU_FREE(set_); }
  ProcessorSet(const ProcessorSet&) = delete;
  ProcessorSet& operator=(const ProcessorSet&) = delete;

  cpu_set_t* get() const { return set_; }
  size_t bytes() const { return CPU_ALLOC_SIZE(capacity_); }

 private:
  const int capacity_;
  cpu_set_t* const set_;
};

}  // namespace

std::vector<int> allowed_processors() {
  std::vector<int> processors;
  for (int capacity = 1024; capacity <= (1 << 18); capacity *= 4) {
    const ProcessorSet set(capacity);
    if (set.get() == nullptr) break;
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
  const ProcessorSet set(*std::max_element(processors.begin(), processors.end()) + 1);
  if (set.get() == nullptr) return false;
  for (const int processor : processors) CPU_SET_S(processor, set.bytes(), set.get());
  return pthread_setaffinity_np(thread.native_handle(), set.bytes(), set.get()) == 0;
}

#else

std::vector<int> allowed_processors() { return {}; }
int current_processor() { return -1; }
bool allow_processors(std::thread&, std::span<const int>) { return false; }

#endif

}  // namespace gatun
