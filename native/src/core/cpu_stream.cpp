#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/cpu.h"

namespace gatun {
namespace {

// Where the next scratch place of `bytes` begins is `used`; this is where the one after it begins.
int64_t advance(int64_t used, int64_t bytes) {
  constexpr int64_t kAlignment = HostMemory::kSmallAlignment;
  if (bytes < 0 || bytes > std::numeric_limits<int64_t>::max() - used - kAlignment) {
    fail(GT_INTERNAL, "[device] a kernel asks for ", bytes, " bytes of scratch");
  }
  return (used + bytes + kAlignment - 1) / kAlignment * kAlignment;
}

bool contains(const Tensor& outer, const Tensor& inner) {
  const auto *begin = outer.as<std::byte>(), *first = inner.as<std::byte>();
  return begin <= first && first + inner.bytes() <= begin + outer.bytes();
}

class EagerLauncher final : public Launcher {
 public:
  EagerLauncher(const char* op, CpuDevice& device, HostMemory& scratch)
      : op_(op), device_(device), scratch_(scratch) {}

  void parallel(int64_t tasks, BodyRef body) override {
    ThreadPool::Turn(device_.pool()).run(tasks, body, scratch_.data());
  }

  int workers() const override { return device_.pool().workers(); }

 protected:
  // An instruction may ask for more after it has run a section, so what the former sections wrote
  // moves along.
  int64_t reserve(int64_t bytes) override {
    const int64_t offset = used_;
    used_ = advance(used_, bytes);
    if (used_ > scratch_.bytes()) {
      HostMemory larger(op_, device_.memory(), std::max(used_, 2 * scratch_.bytes()));
      if (offset > 0) std::memcpy(larger.data(), scratch_.data(), offset);
      scratch_ = std::move(larger);
    }
    return offset;
  }

 private:
  const char* op_;
  CpuDevice& device_;
  HostMemory& scratch_;
  int64_t used_ = 0;
};

class RecordingLauncher final : public Launcher {
 public:
  RecordingLauncher(int workers, const Recording& recording)
      : workers_(workers), held_(recording.held.tensors()), kept_(recording.kept_bytes) {}

  void parallel(int64_t tasks, BodyRef body) override {
    if (tasks > 0) sections_.push_back({tasks, body.keep()});
  }

  int workers() const override { return workers_; }
  std::vector<Section>& sections() { return sections_; }
  int64_t scratch_bytes() const { return used_; }
  int64_t kept_bytes() const { return kept_; }

 protected:
  int64_t reserve(int64_t bytes) override { return std::exchange(used_, advance(used_, bytes)); }

  // In a kept place the first byte lies farthest from the shared scratch.
  int64_t reserve_kept(int64_t bytes) override {
    kept_ = advance(kept_, bytes);
    return -kept_;
  }

  void derive_once(int64_t tasks, BodyRef body) override {
    if (tasks > 0) sections_.push_back({tasks, body.keep(), true});
  }

  bool holds(const Tensor& tensor) const override {
    return std::any_of(held_.begin(), held_.end(),
                       [&](const Tensor& held) { return contains(held, tensor); });
  }

 private:
  const int workers_;
  const std::vector<Tensor>& held_;
  int64_t kept_;
  std::vector<Section> sections_;
  int64_t used_ = 0;
};

// After this, `count` push_backs do not throw; grows by doubling, as push_back does.
template <typename T>
void make_room(std::vector<T>& list, size_t count) {
  const size_t needed = list.size() + count;
  if (needed > list.capacity()) list.reserve(std::max(needed, 2 * list.capacity()));
}

}  // namespace

void CpuStream::issue(const char* op, std::span<const Use> uses,
                      const std::function<void(Launcher&)>& body) {
  const std::lock_guard lock(mutex_);
  if (!recording_) {
    EagerLauncher launcher(op, *device_, scratch_);
    body(launcher);
    return;
  }
  if (recording_->frames != nullptr) recording_->frames->check(op, uses);
  recording_->held.check(op, uses);
  RecordingLauncher launcher(device_->pool().workers(), *recording_);
  body(launcher);
  // All that can fail comes before the first change.
  Recording& to = *recording_;
  std::vector<Section>& sections = launcher.sections();
  Recording::Instruction instruction{op, to.sections.size() + sections.size()};
  make_room(to.instructions, 1);
  make_room(to.sections, sections.size());
  make_room(to.buffers, uses.size());
  to.held.note(uses);
  if (to.frames != nullptr) to.frames->note(uses);
  to.instructions.push_back(std::move(instruction));
  std::move(sections.begin(), sections.end(), std::back_inserter(to.sections));
  for (const Use& use : uses) to.buffers.push_back(*use.buffer);
  to.scratch_bytes = std::max(to.scratch_bytes, launcher.scratch_bytes());
  to.kept_bytes = launcher.kept_bytes();
}

void CpuStream::set_frames(std::unique_ptr<Frames> frames) {
  const std::lock_guard lock(mutex_);
  require(recording_ && recording_->instructions.empty(),
          "[stream_set_frames] to be called while the stream records, before an instruction");
  recording_->frames = std::move(frames);
}

void CpuStream::hold(const Use& use) {
  const std::lock_guard lock(mutex_);
  require(recording_.has_value(), "[stream_hold] the stream is not recording");
  make_room(recording_->buffers, 1);
  recording_->held.hold(*use.tensor);
  recording_->buffers.push_back(*use.buffer);
}

void CpuStream::synchronize() {
  const std::lock_guard lock(mutex_);
  require(!recording_, "[stream_synchronize] the stream is recording; nothing runs until the end");
}

void CpuStream::begin_recording() {
  const std::lock_guard lock(mutex_);
  require(!recording_, "[stream_begin_recording] the stream is recording already");
  recording_.emplace();
}

std::shared_ptr<Program> CpuStream::end_recording() {
  const std::lock_guard lock(mutex_);
  require(recording_.has_value(), "[stream_end_recording] the stream is not recording");
  Recording recording = std::move(*recording_);
  recording_.reset();
  return std::make_shared<CpuProgram>(device_, std::move(recording));
}

}  // namespace gatun
