// The CPU as a device: threads that compute, and memory of the host.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/frames.h"
#include "core/held.h"
#include "core/launcher.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/thread_pool.h"

namespace gatun {

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int workers) : Device(available_memory()), pool_(workers) {}

  ThreadPool& pool() { return pool_; }
  std::shared_ptr<CpuDevice> self() {
    return std::static_pointer_cast<CpuDevice>(shared_from_this());
  }

  std::string describe() const override;
  std::shared_ptr<Buffer> allocate(const char* op, int64_t bytes, MemoryKind kind) override;
  std::shared_ptr<Stream> open_stream() override;

 private:
  ThreadPool pool_;
};

struct Section {
  int64_t tasks;
  Body body;
  bool derives = false;  // what is kept: it runs once
};

// What a stream keeps while it records.
struct Recording {
  struct Instruction {
    std::string op;
    size_t sections;  // how many there are up to the end of this instruction
  };

  std::vector<Instruction> instructions;
  std::vector<Section> sections;
  int64_t scratch_bytes = 0;  // of the instruction that needs most
  int64_t kept_bytes = 0;     // of all together
  std::vector<std::shared_ptr<Buffer>> buffers;
  Held held;
  std::unique_ptr<Frames> frames;  // NULL without
};

class CpuProgram final : public Program {
 public:
  // Allocates all that running needs.
  CpuProgram(std::shared_ptr<CpuDevice> device, Recording recording);

  int64_t instructions() const override {
    return static_cast<int64_t>(recording_.instructions.size());
  }

 protected:
  void do_run() override;
  void do_feed(const Frames&, int64_t, int64_t) override {}  // the host's memory is the device's
  void do_start(const Frames& frames, int64_t first, int64_t count) override;
  void do_wait() override {}
  void do_refresh() override { derived_ = false; }

 private:
  [[noreturn]] void rethrow(size_t section) const;

  std::shared_ptr<CpuDevice> device_;
  Recording recording_;
  HostMemory scratch_;
  bool derived_ = false;  // what is kept is as the held tensors are
};

class CpuStream final : public Stream {
 public:
  explicit CpuStream(std::shared_ptr<CpuDevice> device)
      : device_(std::move(device)), base_(device_) {}

  const std::shared_ptr<Device>& device() const override { return base_; }
  void issue(const char* op, std::span<const Use> uses,
             const std::function<void(Launcher&)>& body) override;
  void synchronize() override;
  void begin_recording() override;
  void set_frames(std::unique_ptr<Frames> frames) override;
  void hold(const Use& use) override;
  std::shared_ptr<Program> end_recording() override;

 private:
  const std::shared_ptr<CpuDevice> device_;
  const std::shared_ptr<Device> base_;
  std::mutex mutex_;
  HostMemory scratch_;  // of eager instructions; grows
  std::optional<Recording> recording_;
};

}  // namespace gatun
