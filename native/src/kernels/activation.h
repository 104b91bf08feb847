// What is applied to a result before it is stored.
#pragma once

#include <cstdint>

#include "core/check.h"
#include "gatun.h"

namespace gatun {

enum class Activation : int32_t { NONE = GT_ACTIVATION_NONE, RELU = GT_ACTIVATION_RELU };

inline Activation check_activation(const char* op, int32_t value) {
  require(value == GT_ACTIVATION_NONE || value == GT_ACTIVATION_RELU, "[", op,
          "] activation must be 0 (none) or 1 (ReLU), but is ", value);
  return static_cast<Activation>(value);
}

}  // namespace gatun
