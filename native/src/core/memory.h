// Memory of the host, aligned, zeroed and counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gatun {

// What a device holds. May be used from any thread.
class MemoryCounter {
 public:
  explicit MemoryCounter(int64_t limit) : limit_(limit) {}

  int64_t limit() const { return limit_; }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t peak_bytes() const { return peak_.load(std::memory_order_relaxed); }
  int64_t allocations() const { return allocations_.load(std::memory_order_relaxed); }

  // Counts an allocation of `bytes`, if the total stays within the limit; says whether it did.
  bool add(int64_t bytes);
  void remove(int64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const int64_t limit_;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> allocations_{0};
};

// A block of zeroed memory, all of it there: using it meets no page fault. Blocks of 2 MiB and more
// are aligned to 2 MiB and ask for huge pages; smaller ones are aligned to 64 bytes.
class HostMemory {
 public:
  static constexpr int64_t kSmallAlignment = 64;
  static constexpr int64_t kLargeAlignment = int64_t{2} << 20;

  HostMemory() = default;
  // Throws GT_OUT_OF_MEMORY, named by `op`, if all that `counter` holds would no longer fit into
  // the machine. The counter must outlive the block.
  HostMemory(const char* op, MemoryCounter& counter, int64_t bytes);
  ~HostMemory() { release(); }
  HostMemory(HostMemory&& other) noexcept { swap(other); }
  HostMemory& operator=(HostMemory&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void swap(HostMemory& other) noexcept;
  void release() noexcept;

  MemoryCounter* counter_ = nullptr;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace gatun
