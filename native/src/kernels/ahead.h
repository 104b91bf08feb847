// Memory that a task will need soon, asked for some lines at a time while it multiplies: transforms
// and copies would wait for each line. It goes to L2.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gatun::kernels {

class Ahead {
 public:
  Ahead() = default;
  // `count` floats from there on, which may lie outside any memory, in `times` calls of ask().
  Ahead(const float* from, int64_t count, int64_t times)
      : at_(from), end_(from + count), step_((count / times / kLine + 1) * kLine) {}

  void ask() {
    const float* const end = std::min(at_ + step_, end_);
    for (; at_ < end; at_ += kLine) __builtin_prefetch(at_, 0, 2);
  }

 private:
  static constexpr int64_t kLine = 16;  // floats
  const float *at_ = nullptr, *end_ = nullptr;
  int64_t step_ = 0;
};

}  // namespace gatun::kernels
