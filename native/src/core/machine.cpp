#include "core/machine.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace gatun {
namespace {

// Calls read(stream) with `file` of this process' control group (version 2) and of every group
// above it.
template <typename Read>
void for_each_cgroup(const std::string& file, Read&& read) {
  std::ifstream self("/proc/self/cgroup");
  std::string path;
  for (std::string line; std::getline(self, line);) {
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  }
  while (true) {
    if (!path.empty() && path.back() == '/') path.pop_back();
    if (std::ifstream in("/sys/fs/cgroup" + path + "/" + file); in) read(in);
    if (path.empty()) return;
    path.erase(path.rfind('/'));
  }
}

int processors_in_affinity_mask() {
#if defined(__linux__)
  // A fixed cpu_set_t holds 1024 processors; larger machines need a larger mask.
  for (int capacity = 1024; capacity <= (1 << 18); capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(capacity);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int available_processors() {
  int processors = processors_in_affinity_mask();
  const auto limit = [&](double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    const double share = std::min(quota / period, 1e6);
    processors = std::min(processors, std::max(1, static_cast<int>(share + 0.999)));
  };
  for_each_cgroup("cpu.max", [&](std::istream& in) {
    double quota, period;
    if (in >> quota >> period) limit(quota, period);  // "max" is not a number
  });
  double quota = 0, period = 0;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  limit(quota, period);
  return processors;
}

int64_t available_memory() {
  int64_t bytes = std::numeric_limits<int64_t>::max();
#if defined(_SC_PHYS_PAGES)
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  if (pages > 0) bytes = pages * sysconf(_SC_PAGESIZE);
#endif
  const auto limit = [&](std::istream& in) {
    int64_t value;
    if (in >> value && value > 0) bytes = std::min(bytes, value);
  };
  for_each_cgroup("memory.max", limit);
  std::ifstream version1("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  limit(version1);
  return bytes;
}

int64_t last_level_cache() {
  static const int64_t bytes = [] {
    // sysconf would give the sum over all groups of cores.
    int64_t kibibytes = 0;
    std::ifstream("/sys/devices/system/cpu/cpu0/cache/index3/size") >> kibibytes;
    return kibibytes > 0 ? kibibytes << 10 : int64_t{32} << 20;
  }();
  return bytes;
}

}  // namespace gatun
