// The vector loop of convolution's epilogue.
#pragma once

#include <cstdint>

namespace gatun::kernels {

// y = gate > 0 ? activation(y + addend) : 0; addend and gate are nullable.
void finish_elements(float* y, const float* addend, const float* gate, bool relu, int64_t count);

}  // namespace gatun::kernels
