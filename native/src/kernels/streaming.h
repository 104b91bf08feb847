// When results are better stored past the caches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "core/machine.h"
#include "core/tensor.h"

namespace gatun::kernels {

// A guest of a few processors is told of all its host's cache, and gets no more than its share.
constexpr int64_t kMostCacheOfProcessor = 16 << 20;

// Whether `y` is too large for a cached copy of it to serve its reader, and lies apart from
// `inputs` (NULLs are passed over), whose lines would be thrown out of the caches. A store past the
// caches does not read the line first, and leaves what is cached there. `y` must then be aligned to
// 64 bytes, which is checked here, and so must every vector that is stored.
inline bool pays_to_stream(const Tensor& y, std::initializer_list<const Tensor*> inputs) {
  const int64_t bytes = y.count * size_of(y.dtype);
  static const int64_t cached =
      std::min(last_level_cache() / 2, available_processors() * kMostCacheOfProcessor);
  if (bytes < cached || reinterpret_cast<uintptr_t>(y.data) % 64 != 0) return false;
  for (const Tensor* input : inputs) {
    if (input != nullptr && input->data == y.data) return false;
  }
  return true;
}

}  // namespace gatun::kernels
