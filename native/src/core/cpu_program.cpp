#include <algorithm>
#include <cstring>
#include <new>

#include "core/check.h"
#include "core/cpu.h"

namespace gatun {

CpuProgram::CpuProgram(std::shared_ptr<CpuDevice> device, Recording recording)
    : Program(std::move(recording.frames)),
      device_(std::move(device)),
      recording_(std::move(recording)) {
  const int64_t bytes = recording_.kept_bytes + recording_.scratch_bytes;
  if (bytes > 0) scratch_ = HostMemory("stream_end_recording", device_->memory(), bytes);
  std::vector<std::shared_ptr<Buffer>>& buffers = recording_.buffers;
  std::sort(buffers.begin(), buffers.end());
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
}

void CpuProgram::do_run() {
  ThreadPool::Turn turn(device_->pool());
  size_t current = 0;
  try {
    for (const size_t end = recording_.sections.size(); current < end; ++current) {
      const Section& section = recording_.sections[current];
      if (section.derives && derived_) continue;
      turn.run(section.tasks, section.body, scratch_.data() + recording_.kept_bytes);
    }
    derived_ = true;
  } catch (...) {
    rethrow(current);
  }
}

void CpuProgram::do_start(const Frames& frames, int64_t first, int64_t count) {
  std::byte* const current = frames.current().data();
  for (int64_t i = first; i < first + count; ++i) {
    std::byte* const frame = frames.all().data() + i * frames.bytes();
    for (const Range& range : frames.read()) {
      std::memcpy(current + range.begin, frame + range.begin, range.bytes());
    }
    do_run();
    for (const Range& range : frames.written()) {
      std::memcpy(frame + range.begin, current + range.begin, range.bytes());
    }
  }
}

// Says which instruction it was: the exception of a kernel does not know.
void CpuProgram::rethrow(size_t section) const {
  const auto guilty = std::find_if(recording_.instructions.begin(), recording_.instructions.end(),
                                   [&](const auto& i) { return section < i.sections; });
  const auto number = guilty - recording_.instructions.begin();
  const std::string where =
      "[program_run] instruction " + std::to_string(number) + ", " + guilty->op + ": ";
  try {
    throw;
  } catch (const Error& error) {
    fail(error.status, where, error.text);
  } catch (const std::bad_alloc&) {
    fail(GT_OUT_OF_MEMORY, where, "out of host memory");
  } catch (const std::exception& error) {
    fail(GT_INTERNAL, where, error.what());
  }
}

}  // namespace gatun
