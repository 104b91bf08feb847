// A CPU device: the threads that compute and the memory they hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/machine.h"
#include "core/memory.h"
#include "core/thread_pool.h"

namespace gatun {

class Device {
 public:
  explicit Device(int workers) : memory_(available_memory()), pool_(workers) {}

  MemoryCounter& memory() { return memory_; }
  ThreadPool& pool() { return pool_; }
  // "cpu, 2 threads, AVX3"
  std::string describe() const;

 private:
  MemoryCounter memory_;
  ThreadPool pool_;
};

// Memory of a device, which it keeps alive.
class Buffer {
 public:
  Buffer(const char* op, std::shared_ptr<Device> device, int64_t bytes)
      : device_(std::move(device)), memory_(op, device_->memory(), bytes) {}

  const std::shared_ptr<Device>& device() const { return device_; }
  std::byte* data() const { return memory_.data(); }
  int64_t bytes() const { return memory_.bytes(); }

 private:
  std::shared_ptr<Device> device_;
  HostMemory memory_;
};

}  // namespace gatun
