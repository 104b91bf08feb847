// The argument that names an activation.
#pragma once

#include <cstdint>

#include "core/check.h"
#include "kernels/activation.h"

namespace gatun {

inline Activation check_activation(const char* op, int32_t value) {
  require(value == GT_ACTIVATION_NONE || value == GT_ACTIVATION_RELU, "[", op,
          "] activation must be 0 (none) or 1 (ReLU), but is ", value);
  return static_cast<Activation>(value);
}

}  // namespace gatun
