// The vector loop of convolution's epilogue.
#pragma once

#include <cstdint>

namespace gatun::kernels {

// y = gate > 0 ? activation(y + addend) : 0; addend and gate are nullable.
void finish_elements(float* y, const float* addend, const float* gate, bool relu, int64_t count);

// The same for a tile of a tensor y: `count` elements from each of the pointers `rows` on, with
// addend and gate lying like y.
struct Finish {
  const float* y = nullptr;
  const float *addend = nullptr, *gate = nullptr;
  bool relu = false;

  bool empty() const { return addend == nullptr && gate == nullptr; }
};
void finish_rows(const Finish& finish, float* const* rows, int64_t row_count, int64_t begin,
                 int64_t count);

}  // namespace gatun::kernels
