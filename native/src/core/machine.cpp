#include "core/machine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>

#include "core/affinity.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace gatun {
namespace {

// The beginning of a small file of the system, empty if there is none.
std::string read(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return {};
  char text[4096];
  const size_t bytes = std::fread(text, 1, sizeof(text), file);
  std::fclose(file);
  return {text, bytes};
}

// The number at the start of a file, 0 if there is none.
double read_number(const std::string& path) { return std::strtod(read(path).c_str(), nullptr); }

// Calls take(content) with `file` of this process' control group (version 2) and of every group
// above it.
template <typename Take>
void for_each_cgroup(const std::string& file, Take&& take) {
  const std::string groups = read("/proc/self/cgroup");
  std::string path;
  if (const size_t line = groups.find("0::"); line != std::string::npos) {  // the last line
    path = groups.substr(line + 3, groups.find('\n', line) - line - 3);
  }
  while (true) {
    if (!path.empty() && path.back() == '/') path.pop_back();
    take(read(std::string("/sys/fs/cgroup").append(path).append("/").append(file)));
    if (path.empty()) return;
    path.erase(path.rfind('/'));
  }
}

int processors_in_affinity_mask() {
  const auto count = static_cast<int>(allowed_processors().size());
  return count > 0 ? count : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int available_processors() {
  int processors = processors_in_affinity_mask();
  const auto limit = [&](double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    const double share = std::min(quota / period, 1e6);
    processors = std::min(processors, std::max(1, static_cast<int>(share + 0.999)));
  };
  for_each_cgroup("cpu.max", [&](const std::string& text) {
    char* rest = nullptr;
    const double quota = std::strtod(text.c_str(), &rest);  // "max" is not a number
    limit(quota, std::strtod(rest, nullptr));
  });
  const double quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const double period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  limit(quota, period);
  return processors;
}

int64_t available_memory() {
  int64_t bytes = std::numeric_limits<int64_t>::max();
#if defined(_SC_PHYS_PAGES)
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  if (pages > 0) bytes = pages * sysconf(_SC_PAGESIZE);
#endif
  const auto limit = [&](const std::string& text) {
    const int64_t value = std::strtoll(text.c_str(), nullptr, 10);
    if (value > 0) bytes = std::min(bytes, value);
  };
  for_each_cgroup("memory.max", limit);
  limit(read("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  return bytes;
}

int64_t last_level_cache() {
  static const int64_t bytes = [] {
    // sysconf would give the sum over all groups of cores.
    const auto kibibytes =
        static_cast<int64_t>(read_number("/sys/devices/system/cpu/cpu0/cache/index3/size"));
    return kibibytes > 0 ? kibibytes << 10 : int64_t{32} << 20;
  }();
  return bytes;
}

}  // namespace gatun
