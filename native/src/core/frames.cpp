#include "core/frames.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace gatun {

std::vector<Range> join(std::vector<Range> ranges, int64_t gap) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.buffer.get(), a.begin) < std::pair(b.buffer.get(), b.begin);
  });
  std::vector<Range> joined;
  for (Range& range : ranges) {
    if (!joined.empty() && joined.back().buffer == range.buffer &&
        range.begin <= joined.back().end + gap) {
      joined.back().end = std::max(joined.back().end, range.end);
    } else {
      joined.push_back(std::move(range));
    }
  }
  return joined;
}

Frames::Frames(const char* op, std::shared_ptr<Buffer> current, std::shared_ptr<Buffer> all)
    : current_(std::move(current)), all_(std::move(all)) {
  require(current_->kind() == MemoryKind::DEVICE, "[", op, "] current must be device memory");
  require(all_->kind() == MemoryKind::STAGING, "[", op, "] frames must be staging memory");
  const int64_t one = current_->bytes(), bytes = all_->bytes();
  require(one > 0 && bytes > 0 && bytes % one == 0, "[", op, "] frames of ", bytes,
          " bytes are not some of the current one's ", one);
  fed_.resize(static_cast<size_t>(bytes / one));
}

void Frames::check(const char* op, std::span<const Use> uses) const {
  for (const Use& use : uses) {
    require(*use.buffer != all_, "[", op, "] the operand ", *use.tensor,
            " lies in the frames; it must lie in the current one");
  }
}

void Frames::note(std::span<const Use> uses) {
  for (const Use& use : uses) {
    if (*use.buffer == current_ && use.tensor->count > 0)
      (use.written ? written_ : read_).emplace_back(use);
  }
}

void Frames::end_recording() {
  read_ = join(std::move(read_), kJoinedGap);
  written_ = join(std::move(written_), 0);
}

void Frames::check_range(const char* op, int64_t first, int64_t count) const {
  require(first >= 0 && count >= 1 && first <= this->count() && count <= this->count() - first, "[",
          op, "] ", count, " frames from ", first, " on are not some of ", this->count());
}

void Frames::feed(const char* op, int64_t first, int64_t count) {
  check_range(op, first, count);
  require(running_ == 0 || first >= first_ + running_ || first + count <= first_, "[", op, "] of ",
          count, " frames from ", first, " on, some run now: wait for the program first");
  std::fill_n(fed_.begin() + first, count, uint8_t{1});
}

void Frames::start(const char* op, int64_t first, int64_t count) {
  check_range(op, first, count);
  check_idle(op);
  const auto begin = fed_.begin() + first;
  const auto unfed = std::find(begin, begin + count, uint8_t{0});
  require(unfed == begin + count, "[", op, "] frame ", unfed - fed_.begin(),
          " was not fed since it ran last");
  std::fill_n(begin, count, uint8_t{0});
  first_ = first;
  running_ = count;
}

void Frames::check_idle(const char* op) const {
  require(running_ == 0, "[", op, "] the program was started: wait for it first");
}

// ---- What all programs do with them

Program::Program(std::unique_ptr<Frames> frames) : frames_(std::move(frames)) {
  if (frames_ != nullptr) frames_->end_recording();
}

Program::~Program() = default;

Frames& Program::frames(const char* op) const {
  require(frames_ != nullptr, "[", op, "] the program was recorded without frames");
  return *frames_;
}

void Program::run() {
  const std::lock_guard lock(mutex_);
  if (frames_ != nullptr) frames_->check_idle("program_run");
  do_run();
}

void Program::feed(int64_t first, int64_t count) {
  constexpr auto op = "program_feed";
  const std::lock_guard lock(mutex_);
  frames(op).feed(op, first, count);
  do_feed(*frames_, first, count);
}

void Program::start(int64_t first, int64_t count) {
  constexpr auto op = "program_start";
  const std::lock_guard lock(mutex_);
  frames(op).start(op, first, count);
  try {
    do_start(*frames_, first, count);
  } catch (...) {
    frames_->finish();
    throw;
  }
}

void Program::wait() {
  const std::lock_guard lock(mutex_);
  if (frames("program_wait").finish()) do_wait();
}

void Program::refresh() {
  const std::lock_guard lock(mutex_);
  do_refresh();
}

}  // namespace gatun
