// A recorded list of instructions, made of parallel sections that are ready to run.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/launcher.h"

namespace gatun {

struct Section {
  int64_t tasks;
  Body body;
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
  std::vector<std::shared_ptr<Buffer>> buffers;
};

class Program {
 public:
  // Allocates all that running needs.
  Program(std::shared_ptr<Device> device, Recording recording);

  int64_t instructions() const { return static_cast<int64_t>(recording_.instructions.size()); }
  // Calls from several threads take turns.
  void run();

 private:
  [[noreturn]] void rethrow(size_t section) const;

  std::shared_ptr<Device> device_;
  Recording recording_;
  HostMemory scratch_;
  std::mutex mutex_;
};

}  // namespace gatun
