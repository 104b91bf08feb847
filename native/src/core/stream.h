// A stream issues instructions in order: at once, or into a recording that becomes a program.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "core/device.h"
#include "core/launcher.h"
#include "core/program.h"

namespace gatun {

class Stream {
 public:
  explicit Stream(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  const std::shared_ptr<Device>& device() const { return device_; }

  // One instruction: `body` checks its arguments, then launches sections. `buffers` is the memory
  // it touches. If it throws while the stream records, the recording stays as it was.
  void issue(const char* op, std::span<const std::shared_ptr<Buffer>* const> buffers,
             const std::function<void(Launcher&)>& body);

  void synchronize();
  void begin_recording();
  // Ends the recording even if it throws.
  std::shared_ptr<Program> end_recording();

 private:
  std::shared_ptr<Device> device_;
  std::mutex mutex_;
  HostMemory scratch_;  // of eager instructions; grows
  std::optional<Recording> recording_;
};

}  // namespace gatun
