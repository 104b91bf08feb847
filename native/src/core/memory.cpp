#include "core/memory.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "core/check.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gatun {
namespace {

bool is_large(int64_t bytes) { return bytes >= HostMemory::kLargeAlignment; }

std::align_val_t alignment_of(int64_t bytes) {
  return std::align_val_t(is_large(bytes) ? HostMemory::kLargeAlignment
                                          : HostMemory::kSmallAlignment);
}

// Never empty, so that the memory of an empty tensor has an address too.
size_t size_to_allocate(int64_t bytes) { return static_cast<size_t>(std::max<int64_t>(bytes, 1)); }

#if defined(__linux__)
size_t mapped_size(int64_t bytes) { return (static_cast<size_t>(bytes) + 4095) & ~size_t{4095}; }

// Now, rather than one by one in the first step that happens to use them.
void touch_pages(std::byte* data, size_t size) {
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, since Linux 5.14
  if (madvise(data, size, kPopulateWrite) == 0) return;
  for (size_t i = 0; i < size; i += 4096) *const_cast<volatile std::byte*>(data + i) = std::byte{};
}

void* map_pages(int64_t bytes) {
  constexpr size_t kAlignment = HostMemory::kLargeAlignment;
  const size_t size = mapped_size(bytes);
  void* whole = mmap(nullptr, size + kAlignment, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(whole);
  auto* data = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(begin) + kAlignment - 1) &
                                            ~uintptr_t{kAlignment - 1});
  const size_t before = data - begin;
  if (before > 0) munmap(begin, before);
  if (before < kAlignment) munmap(data + size, kAlignment - before);
  madvise(data, size, MADV_HUGEPAGE);  // only advice: it may fail where huge pages are switched off
  touch_pages(data, size);
  return data;
}
#endif

void* allocate_zeroed(int64_t bytes) {
#if defined(__linux__)
  if (is_large(bytes)) return map_pages(bytes);
#endif
  void* data = ::operator new(size_to_allocate(bytes), alignment_of(bytes), std::nothrow);
  if (data != nullptr) std::memset(data, 0, size_to_allocate(bytes));
  return data;
}

void free_memory(void* data, int64_t bytes) noexcept {
#if defined(__linux__)
  if (is_large(bytes)) {
    munmap(data, mapped_size(bytes));
    return;
  }
#endif
  ::operator delete(data, alignment_of(bytes));
}

}  // namespace

bool MemoryCounter::add(int64_t bytes) {
  int64_t held = bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ - held) return false;
  } while (!bytes_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
  allocations_.fetch_add(1, std::memory_order_relaxed);
  const int64_t total = held + bytes;
  int64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < total && !peak_.compare_exchange_weak(peak, total, std::memory_order_relaxed)) {
  }
  return true;
}

HostMemory::HostMemory(const char* op, MemoryCounter& counter, int64_t bytes) {
  const auto refuse = [&] {
    fail(GT_OUT_OF_MEMORY, "[", op, "] out of memory: asked for ", bytes,
         " bytes, the device holds ", counter.bytes(), " bytes and may hold ", counter.limit());
  };
  if (!counter.add(bytes)) refuse();
  data_ = static_cast<std::byte*>(allocate_zeroed(bytes));
  if (data_ == nullptr) {
    counter.remove(bytes);
    refuse();
  }
  counter_ = &counter;
  bytes_ = bytes;
}

void HostMemory::swap(HostMemory& other) noexcept {
  std::swap(counter_, other.counter_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
}

void HostMemory::release() noexcept {
  if (data_ == nullptr) return;
  free_memory(data_, bytes_);
  counter_->remove(bytes_);
}

}  // namespace gatun
