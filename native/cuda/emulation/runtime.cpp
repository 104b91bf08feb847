// The CUDA run-time of the emulation: memory is the host's, and a launch runs before the call
// returns.
#include "cuda/runtime.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "core/check.h"
#include "core/machine.h"
#include "cuda/emulation/engine.h"

namespace gatun::cuda {
namespace {

// So many devices can be opened; they are as one.
constexpr int32_t kDevices = 2;

// What a test asks of the next device that is opened, by the variable `name`; `otherwise` without
// it.
int64_t wanted(const char* name, int64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoll(value);
}

// Memory is aligned as CUDA's, and not more, so that kernels cannot count on more.
void* allocate_zeroed(int64_t bytes) {
  constexpr size_t kAlignment = 256;
  const size_t size = (static_cast<size_t>(bytes) / kAlignment + 1) * kAlignment;
  void* const data = std::aligned_alloc(kAlignment, size);
  if (data != nullptr) std::memset(data, 0, size);
  return data;
}

void run_launch(const KeptLaunch& kept) {
  try {
    kept.launch(nullptr);
  } catch (const emulation::Fault& fault) {
    fail(GT_INTERNAL, "[program_run] instruction ", kept.instruction, ", ", *kept.op, ": ",
         fault.text);
  }
}

class EmulatedProgram final : public Program {
 public:
  EmulatedProgram(Device& device, std::vector<KeptLaunch> launches)
      : Program(device), launches_(std::move(launches)) {}
  void run() override {
    for (const KeptLaunch& launch : launches_) run_launch(launch);
    device().synchronize();
  }

 private:
  const std::vector<KeptLaunch> launches_;
};

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(int64_t memory) : memory_(memory) {}

  void* stream() override { return nullptr; }
  int multiprocessors() const override { return static_cast<int>(multiprocessors_); }
  int64_t shared_bytes() const override { return shared_bytes_; }
  Wgmma wgmma() const override { return wgmma_; }
  void enter() override {}
  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (bytes > memory_) return nullptr;
    void* const data = allocate_zeroed(bytes);
    if (data != nullptr) {
      memory_ -= bytes;
      sizes_.emplace(data, bytes);
    }
    return data;
  }
  void release(void* data) noexcept override {
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(data);
    memory_ += found->second;
    sizes_.erase(found);
    std::free(data);
  }
  void* allocate_host(int64_t bytes) override { return allocate_zeroed(bytes); }
  void release_host(void* data) noexcept override { std::free(data); }
  void copy(void* to, const void* from, int64_t bytes) override {
    synchronize();
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  Launch copy_launch(const Transfer& transfer) override {
    return [=](void*) {
      std::memcpy(transfer.to, transfer.from, static_cast<size_t>(transfer.bytes));
    };
  }
  Launch poison_launch(void* data, int64_t bytes) override {
    return [=](void*) { std::memset(data, 0xff, static_cast<size_t>(bytes)); };
  }
  // A GPU that has failed tells it when it is waited for, from then on always.
  void synchronize() override {
    if (waits_left_ == 0 || --waits_left_ > 0) return;
    waits_left_ = 1;
    fail(GT_DEVICE_FAILURE, "the work of the device failed: emulated failure");
  }
  std::unique_ptr<Program> make_program(std::vector<KeptLaunch> launches) override {
    return std::make_unique<EmulatedProgram>(*this, std::move(launches));
  }

 private:
  const int64_t multiprocessors_ = wanted("GATUN_EMULATED_MULTIPROCESSORS", 3);
  const int64_t shared_bytes_ = wanted("GATUN_EMULATED_SHARED", 99 << 10);
  const Wgmma wgmma_ = wanted_wgmma();
  std::mutex mutex_;
  int64_t memory_;  // that is free
  std::map<void*, int64_t> sizes_;
  // Until the failure that a test wants; 0 for none.
  std::atomic<int64_t> waits_left_ = wanted("GATUN_EMULATED_FAILURE", 0);
};

}  // namespace

int32_t count_devices() { return 0; }

std::unique_ptr<Device> open_device(int32_t index, DeviceFacts& facts) {
  if (index >= kDevices) fail(GT_UNSUPPORTED, "the emulation has devices 0 and 1");
  std::snprintf(facts.text, sizeof(facts.text), "emulated on the host%s",
                wanted_wgmma() == Wgmma::NEVER ? "" : ", with wgmma");
  facts.memory_bytes = available_memory();
  return std::make_unique<EmulatedDevice>(wanted("GATUN_EMULATED_MEMORY", facts.memory_bytes));
}

}  // namespace gatun::cuda
