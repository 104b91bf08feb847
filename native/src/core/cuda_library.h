// Finds libgatun_cuda and loads it, once.
#pragma once

#include "core/cuda_api.h"

namespace gatun {

// The file that GATUN_CUDA_LIBRARY names, else libgatun_cuda.so beside this library. Throws
// GT_UNSUPPORTED with the reason where it cannot be used.
const cuda::Api& cuda_library(const char* op);

}  // namespace gatun
