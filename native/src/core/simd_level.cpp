#include "core/simd_level.h"

#include <mutex>

#include "core/check.h"
#include "hwy/targets.h"

namespace gatun {

std::string simd_level() {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);  // the lowest bit is the best target
}

void limit_simd_level(const std::string& level) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  static int64_t limit = 0;  // the targets that are switched off now
  hwy::DisableTargets(0);
  int64_t better = 0;
  if (!level.empty()) {
    std::string known;
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
}

}  // namespace gatun
