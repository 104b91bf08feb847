#include "cuda/queue.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/check.h"

namespace gatun::cuda {
namespace {

// A program that brings its scratch memory along.
class ProgramWithScratch final : public Program {
 public:
  ProgramWithScratch(std::unique_ptr<Program> program, std::unique_ptr<ScratchMemory> scratch)
      : Program(program->device()), scratch_(std::move(scratch)), program_(std::move(program)) {}
  void launch() override { program_->launch(); }

 private:
  std::unique_ptr<ScratchMemory> scratch_;
  std::unique_ptr<Program> program_;
};

}  // namespace

bool wants_untried() { return wanted_wgmma() != Wgmma::NEVER; }

Wgmma wanted_wgmma() {
  const char* const value = std::getenv("GATUN_CUDA_UNTRIED");
  if (value == nullptr) return Wgmma::NEVER;
  return std::strcmp(value, "all") == 0 ? Wgmma::ALL
         : std::strcmp(value, "1") == 0 ? Wgmma::LARGE
                                        : Wgmma::NEVER;
}

ScratchMemory::~ScratchMemory() {
  for (const auto& [piece, bytes] : pieces_) {
    device_.release(piece);
    device_.scratch_bytes -= bytes;
  }
}

void* ScratchMemory::reserve(const char* op, int64_t bytes) {
  constexpr int64_t kAlignment = 256;
  if (bytes > capacity_ - used_) {
    const int64_t larger = std::max(2 * capacity_, used_ + bytes);
    void* const piece = device_.allocate(larger);
    if (piece == nullptr) {
      fail(GT_OUT_OF_MEMORY, "[", op, "] out of device memory: asked for ", larger,
           " bytes of scratch; scratch of streams and programs holds ",
           device_.scratch_bytes.load(), " bytes");
    }
    device_.scratch_bytes += larger;
    pieces_.emplace_back(piece, larger);
    capacity_ = larger;
    used_ = 0;
  }
  void* const place = static_cast<std::byte*>(pieces_.back().first) + used_;
  used_ = std::min(capacity_, (used_ + bytes + kAlignment - 1) / kAlignment * kAlignment);
  return place;
}

void Queue::enqueue(Launch launch) {
  if (recording_) {
    recording_->launches.push_back({recording_->instructions, op_, std::move(launch)});
  } else {
    launch(device_.stream());
  }
}

void* Queue::scratch_bytes(int64_t bytes) {
  std::unique_ptr<ScratchMemory>& scratch = recording_ ? recording_->scratch : scratch_;
  if (scratch == nullptr) scratch = std::make_unique<ScratchMemory>(device_);
  void* const data = scratch->reserve(op(), std::max<int64_t>(bytes, 1));
  Launch poison = device_.poison_launch(data, bytes);
  if (poison) enqueue(std::move(poison));
  return data;
}

void Queue::begin_recording() { recording_.emplace(); }

std::unique_ptr<Program> Queue::end_recording(const std::vector<Transfer>& in,
                                              const std::vector<Transfer>& out) {
  Recording recording = std::move(*recording_);
  recording_.reset();
  const auto copy = std::make_shared<const std::string>("the copy of staging memory");
  std::vector<KeptLaunch> launches;
  for (const Transfer& transfer : in) {
    launches.push_back({0, copy, device_.copy_launch(transfer)});
  }
  std::move(recording.launches.begin(), recording.launches.end(), std::back_inserter(launches));
  for (const Transfer& transfer : out) {
    launches.push_back({recording.instructions, copy, device_.copy_launch(transfer)});
  }
  return std::make_unique<ProgramWithScratch>(device_.make_program(std::move(launches)),
                                              std::move(recording.scratch));
}

void Queue::begin_instruction(const char* op) {
  op_ = std::make_shared<const std::string>(op);
  ScratchMemory* scratch = recording_ ? recording_->scratch.get() : scratch_.get();
  if (scratch != nullptr) scratch->begin_instruction();
}

void Queue::end_instruction(bool keep) {
  if (!recording_) return;
  if (keep) {
    recording_->complete = recording_->launches.size();
    ++recording_->instructions;
  } else {
    recording_->launches.resize(recording_->complete);
  }
}

}  // namespace gatun::cuda
