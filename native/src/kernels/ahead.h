// Memory asked for line by line while a task multiplies: what it will need soon goes to L2, for
// transforms and copies would wait for each line; what its loop comes to next goes to L1.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace gatun::kernels {

// Asks for the lines of some floats, all within reach of an address that may lie outside any
// memory.
template <int64_t kFloats>
inline void fetch(const float* from) {
  constexpr int64_t kLine = 64 / sizeof(float);
  for (int64_t i = 0; i < kFloats; i += kLine) __builtin_prefetch(from + i);
}

// What a micro-kernel asks for along the way: `step` floats with every step of its loop.
struct Stretch {
  const float* from = nullptr;
  int64_t step = 0;
};

// Some arrays, cut into as many stretches as micro-kernels run before they are needed.
class Ahead {
 public:
  // In `calls` of next().
  explicit Ahead(int64_t calls) : calls_(calls) {}

  // `count` floats from there on, which may lie outside any memory.
  void add(const float* from, int64_t count) {
    if (count > 0) arrays_[arrays_count_++] = {from, count};
  }

  // For a kernel of `steps`; `valid` is memory to ask for where nothing is left.
  Stretch next(int64_t steps, const float* valid) {
    if (arrays_count_ == 0) return {valid, 0};
    const int64_t turns = std::max<int64_t>(1, calls_ / arrays_count_);
    const int64_t turn = call_ / arrays_count_;
    const Array& array = arrays_[call_++ % arrays_count_];
    if (turn >= turns) return {valid, 0};
    const int64_t begin = array.count * turn / turns, end = array.count * (turn + 1) / turns;
    return {array.from + begin, (end - begin + steps - 1) / steps};
  }

 private:
  struct Array {
    const float* from;
    int64_t count;
  };
  std::array<Array, 4> arrays_{};
  int64_t arrays_count_ = 0, calls_, call_ = 0;
};

}  // namespace gatun::kernels
