#include "core/simd_level.h"

#include <atomic>
#include <mutex>

#include "core/check.h"
#include "hwy/targets.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace gatun {
namespace {

constexpr const char* kTiles = "AMX";

std::atomic<bool> tiles_allowed{true};

bool has_tiles() {
#if defined(__x86_64__) && defined(__linux__) && defined(HWY_AVX3)
  static const bool has = [] {
    // Its kernels use AVX-512 too. A sanitizer's build may leave that out.
    if ((hwy::SupportedTargets() & HWY_TARGETS & HWY_AVX3) == 0) return false;
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
    // The state is large, so Linux gives it to processes that ask; for all their threads.
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return has;
#else
  return false;
#endif
}

}  // namespace

bool may_use_tiles() { return tiles_allowed.load(std::memory_order_relaxed) && has_tiles(); }

std::string simd_level() {
  if (may_use_tiles()) return kTiles;
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the lowest bit is the best target
}

void require_simd_level(const char* op) {
  if ((hwy::SupportedTargets() & HWY_TARGETS) != 0) return;
  std::string compiled;
  for (int64_t left = HWY_TARGETS; left != 0; left &= left - 1) {
    compiled += std::string(compiled.empty() ? "" : ", ") + hwy::TargetName(left & -left);
  }
  fail(GT_UNSUPPORTED, "[", op, "] the processor is too old: it has none of the SIMD levels ",
       compiled, " that this build has");
}

void limit_simd_level(const std::string& level) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  static int64_t limit = 0;  // the targets that are switched off now
  hwy::DisableTargets(0);
  int64_t better = 0;
  const bool tiles = level.empty() || (level == kTiles && has_tiles());
  if (!tiles) {
    std::string known = has_tiles() ? kTiles : "";
    int64_t target = 0;
    for (const int64_t candidate : hwy::SupportedAndGeneratedTargets()) {
      known += std::string(known.empty() ? "" : ", ") + hwy::TargetName(candidate);
      if (level == hwy::TargetName(candidate)) target = candidate;
    }
    if (target == 0) {
      hwy::DisableTargets(limit);
      fail(GT_UNSUPPORTED, "[simd_level_limit] level \"", level, "\" is not one of ", known,
           ", which this build and this machine have");
    }
    better = target - 1;
  }
  limit = better;
  hwy::DisableTargets(limit);
  tiles_allowed.store(tiles, std::memory_order_relaxed);
}

}  // namespace gatun
