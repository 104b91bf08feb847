#include "allocations.h"

#include <cstdlib>
#include <new>

namespace gatun::test {

std::atomic<int64_t> heap_allocations{0};

namespace {

void* take(size_t bytes, size_t alignment) noexcept {
  ++heap_allocations;
  bytes = bytes > 0 ? bytes : 1;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(bytes);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* take_or_throw(size_t bytes, size_t alignment) {
  void* data = take(bytes, alignment);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

}  // namespace
}  // namespace gatun::test

using gatun::test::take;
using gatun::test::take_or_throw;

// Not inlined: GCC would take the pairs for mistakes.
[[gnu::noinline]] void* operator new(size_t bytes) { return take_or_throw(bytes, 1); }
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  return take_or_throw(bytes, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return take(bytes, 1);
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  return take(bytes, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* data) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, size_t) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, size_t, std::align_val_t) noexcept {
  std::free(data);
}
