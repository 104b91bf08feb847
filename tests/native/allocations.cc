#include "allocations.h"

#include <cerrno>
#include <cstdlib>
#include <new>

namespace gatun::test {

std::atomic<int64_t> heap_allocations{0};

}  // namespace gatun::test

using gatun::test::heap_allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// The C library lets a program replace these, for its libraries too, and calls its own by other
// names. What they give, its free takes back; operator new comes here as well.
#pragma GCC visibility push(default)  // for the libraries
extern "C" {

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* data, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  ++heap_allocations;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  ++heap_allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* data, size_t bytes) {
  ++heap_allocations;
  return __libc_realloc(data, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  ++heap_allocations;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** data, size_t alignment, size_t bytes) {
  *data = memalign(alignment, bytes);
  return *data == nullptr ? ENOMEM : 0;
}

}  // extern "C"
#pragma GCC visibility pop

#else

// The sanitizers have replaced the C functions: of the rest there is operator new.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++heap_allocations;
  void* data = std::malloc(bytes > 0 ? bytes : 1);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
[[gnu::noinline]] void operator delete(void* data) noexcept { std::free(data); }
[[gnu::noinline]] void operator delete(void* data, size_t) noexcept { std::free(data); }

#endif
