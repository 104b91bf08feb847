#include "core/device.h"

#include "core/simd_level.h"

namespace gatun {

std::string Device::describe() const {
  const int workers = pool_.workers();
  return "cpu, " + std::to_string(workers) + (workers == 1 ? " thread, " : " threads, ") +
         simd_level();
}

}  // namespace gatun
