// The CUDA run-time of the emulation: memory is the host's, and a launch runs before the call
// returns.
#include "cuda/runtime.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "core/machine.h"
#include "cuda/emulation/engine.h"

namespace gatun::cuda {
namespace {

// So many devices can be opened; they are as one.
constexpr int32_t kDevices = 2;

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
  }

 private:
  const std::vector<KeptLaunch> launches_;
};

class EmulatedDevice final : public Device {
 public:
  void* stream() override { return nullptr; }
  int multiprocessors() const override { return 3; }
  void enter() override {}
  void* allocate(int64_t bytes) override { return allocate_zeroed(bytes); }
  void release(void* data) noexcept override { std::free(data); }
  void* allocate_host(int64_t bytes) override { return allocate_zeroed(bytes); }
  void release_host(void* data) noexcept override { std::free(data); }
  void copy(void* to, const void* from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  }
  Launch copy_launch(const Transfer& transfer) override {
    return [=, this](void*) { copy(transfer.to, transfer.from, transfer.bytes); };
  }
  Launch poison_launch(void* data, int64_t bytes) override {
    return [=](void*) { std::memset(data, 0xff, static_cast<size_t>(bytes)); };
  }
  void synchronize() override {}
  std::unique_ptr<Program> make_program(std::vector<KeptLaunch> launches) override {
    return std::make_unique<EmulatedProgram>(*this, std::move(launches));
  }
};

}  // namespace

int32_t count_devices() { return 0; }

std::unique_ptr<Device> open_device(int32_t index, DeviceFacts& facts) {
  if (index >= kDevices) fail(GT_UNSUPPORTED, "the emulation has devices 0 and 1");
  std::snprintf(facts.text, sizeof(facts.text), "emulated on the host");
  facts.memory_bytes = available_memory();
  return std::make_unique<EmulatedDevice>();
}

}  // namespace gatun::cuda
