#include "core/cpu.h"

#include <cstring>

#include "core/simd_level.h"

namespace gatun {
namespace {

class CpuBuffer final : public Buffer {
 public:
  CpuBuffer(const char* op, std::shared_ptr<Device> device, int64_t bytes, MemoryKind kind)
      : Buffer(std::move(device), bytes, kind), memory_(op, this->device()->memory(), bytes) {
    data_ = memory_.data();
  }

  std::byte* map(const char*) override { return data_; }
  // The caller may hold the mapped address, so the two may overlap.
  void read(int64_t offset, void* out, int64_t bytes) override {
    std::memmove(out, data_ + offset, bytes);
  }
  void write(int64_t offset, const void* source, int64_t bytes) override {
    std::memmove(data_ + offset, source, bytes);
  }

 private:
  HostMemory memory_;
};

}  // namespace

std::string CpuDevice::describe() const {
  const int workers = pool_.workers();
  return "cpu, " + std::to_string(workers) + (workers == 1 ? " thread, " : " threads, ") +
         simd_level();
}

std::shared_ptr<Buffer> CpuDevice::allocate(const char* op, int64_t bytes, MemoryKind kind) {
  return std::make_shared<CpuBuffer>(op, shared_from_this(), bytes, kind);
}

std::shared_ptr<Stream> CpuDevice::open_stream() { return std::make_shared<CpuStream>(self()); }

}  // namespace gatun
