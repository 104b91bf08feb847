// What is applied to a result before it is stored.
#pragma once

#include <cstdint>

#include "gatun.h"

namespace gatun {

enum class Activation : int32_t { NONE = GT_ACTIVATION_NONE, RELU = GT_ACTIVATION_RELU };

}  // namespace gatun
