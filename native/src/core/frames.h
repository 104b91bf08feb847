// Several batches for one program: see gt_stream_set_frames.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/device.h"

namespace gatun {

// Bytes [begin, end) of a buffer.
struct Range {
  std::shared_ptr<Buffer> buffer;
  int64_t begin, end;

  explicit Range(const Use& use)
      : buffer(*use.buffer),
        begin(use.tensor->as<std::byte>() - buffer->data()),
        end(begin + use.tensor->bytes()) {}
  int64_t bytes() const { return end - begin; }
};

// Joins ranges that touch, or are at most `gap` bytes apart.
std::vector<Range> join(std::vector<Range> ranges, int64_t gap);

// Copying some bytes more costs less than another copy.
constexpr int64_t kJoinedGap = 4096;

// The memory of frames, what a program uses of it, and which of its calls are due.
class Frames {
 public:
  // Throws if the two do not fit each other.
  Frames(const char* op, std::shared_ptr<Buffer> current, std::shared_ptr<Buffer> all);

  // While recording: refuses operands in `all`, and notes what is used of `current`.
  void check(const char* op, std::span<const Use> uses) const;
  void note(std::span<const Use> uses);
  void end_recording();

  Buffer& current() const { return *current_; }
  Buffer& all() const { return *all_; }
  int64_t bytes() const { return current_->bytes(); }  // of one
  int64_t count() const { return static_cast<int64_t>(fed_.size()); }
  // What the program reads, with gaps, and what it writes, of `current`.
  const std::vector<Range>& read() const { return read_; }
  const std::vector<Range>& written() const { return written_; }

  // Each throws if it is not the time for it.
  void feed(const char* op, int64_t first, int64_t count);
  void start(const char* op, int64_t first, int64_t count);
  void check_idle(const char* op) const;
  // Whether there was something to wait for.
  bool finish() { return std::exchange(running_, 0) > 0; }

 private:
  void check_range(const char* op, int64_t first, int64_t count) const;

  const std::shared_ptr<Buffer> current_, all_;
  std::vector<Range> read_, written_;
  std::vector<uint8_t> fed_;         // of each frame: since it ran last
  int64_t first_ = 0, running_ = 0;  // those that were started
};

}  // namespace gatun
