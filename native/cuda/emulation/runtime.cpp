// The CUDA run-time of the emulation: memory is the host's. An eager launch runs before the call
// returns, a program when somebody waits for it.
#include "cuda/runtime.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

#include "core/check.h"
#include "core/machine.h"
#include "cuda/emulation/engine.h"
#include "cuda/emulation/streams.h"

namespace gatun::cuda {
namespace {

using emulation::Streams;

// So many devices can be opened; they are as one.
constexpr int32_t kDevices = 2;

// What a test asks of the next device that is opened, by the variable `name`; `otherwise` without
// it.
int64_t wanted(const char* name, int64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoll(value);
}

bool is_wanted(const char* name, std::string_view value) {
  const char* const found = std::getenv(name);
  return found != nullptr && found == value;
}

// Memory is aligned as CUDA's, and not more, so that kernels cannot count on more.
void* allocate_filled(int64_t bytes, int value) {
  constexpr size_t kAlignment = 256;
  const size_t size = (static_cast<size_t>(bytes) / kAlignment + 1) * kAlignment;
  void* const data = std::aligned_alloc(kAlignment, size);
  if (data != nullptr) std::memset(data, value, size);
  return data;
}

void copy_bytes(const Transfer& transfer) {
  std::memcpy(transfer.to, transfer.from, static_cast<size_t>(transfer.bytes));
}

void run_launch(const KeptLaunch& kept) {
  try {
    kept.launch(nullptr);
  } catch (const emulation::Fault& fault) {
    fail(GT_INTERNAL, "[program] instruction ", kept.instruction, ", ", *kept.op, ": ", fault.text);
  }
}

class EmulatedProgram final : public Program {
 public:
  EmulatedProgram(Device& device, Streams& streams, std::vector<KeptLaunch> launches)
      : Program(device), streams_(streams), launches_(std::move(launches)) {}
  void launch() override {
    streams_.compute([this] {
      for (const KeptLaunch& launch : launches_) run_launch(launch);
    });
  }

 private:
  Streams& streams_;
  const std::vector<KeptLaunch> launches_;
};

class EmulatedCopies final : public Copies {
 public:
  EmulatedCopies(Device& device, Streams& streams) : Copies(device), streams_(streams) {}
  ~EmulatedCopies() override { streams_.finish_copies(); }
  void begin(const Transfer& transfer) override {
    streams_.copy([=] { copy_bytes(transfer); });
  }
  void join() override { streams_.join(); }

 private:
  Streams& streams_;
};

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(int64_t memory) : memory_(memory) {}

  void* stream() override {
    streams_.finish();
    return nullptr;
  }
  int multiprocessors() const override { return static_cast<int>(multiprocessors_); }
  int64_t shared_bytes() const override { return shared_bytes_; }
  int largest_cluster() const override { return static_cast<int>(largest_cluster_); }
  Wgmma wgmma() const override { return wgmma_; }
  void enter() override {}
  void* allocate(int64_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (bytes > memory_) return nullptr;
    void* const data = allocate_filled(bytes, 0xff);
    if (data != nullptr) {
      memory_ -= bytes;
      sizes_.emplace(data, bytes);
      streams_.compute([=] { std::memset(data, 0, static_cast<size_t>(bytes)); });
    }
    return data;
  }
  void release(void* data) noexcept override {
    try {
      streams_.finish();
    } catch (...) {
      // Who waited for it next would have been told.
    }
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(data);
    memory_ += found->second;
    sizes_.erase(found);
    std::free(data);
  }
  void* allocate_host(int64_t bytes) override { return allocate_filled(bytes, 0); }
  void release_host(void* data) noexcept override { std::free(data); }
  void copy(void* to, const void* from, int64_t bytes) override {
    synchronize();
    copy_bytes({to, from, bytes});
  }
  Launch copy_launch(const Transfer& transfer) override {
    return [=](void*) { copy_bytes(transfer); };
  }
  void begin_copy(const Transfer& transfer) override {
    streams_.compute([=] { copy_bytes(transfer); });
  }
  Launch poison_launch(void* data, int64_t bytes) override {
    return [=](void*) { std::memset(data, 0xff, static_cast<size_t>(bytes)); };
  }
  // A GPU that has failed tells it when it is waited for, from then on always.
  void synchronize() override {
    streams_.finish();
    if (waits_left_ == 0 || --waits_left_ > 0) return;
    waits_left_ = 1;
    fail(GT_DEVICE_FAILURE, "the work of the device failed: emulated failure");
  }
  std::unique_ptr<Program> make_program(std::vector<KeptLaunch> launches) override {
    return std::make_unique<EmulatedProgram>(*this, streams_, std::move(launches));
  }
  std::unique_ptr<Copies> make_copies() override {
    return std::make_unique<EmulatedCopies>(*this, streams_);
  }

 private:
  const int64_t multiprocessors_ = wanted("GATUN_EMULATED_MULTIPROCESSORS", 3);
  const int64_t shared_bytes_ = wanted("GATUN_EMULATED_SHARED", 99 << 10);
  const int64_t largest_cluster_ = wanted("GATUN_EMULATED_CLUSTER", 1);
  const Wgmma wgmma_ = wanted_wgmma();
  Streams streams_{is_wanted("GATUN_EMULATED_COPIES", "early") ? Streams::Order::COPIES_EARLY
                                                               : Streams::Order::COPIES_LATE,
                   is_wanted("GATUN_EMULATED_FORGETS", "join")};
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
