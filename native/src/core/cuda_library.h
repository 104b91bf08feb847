// Finds libgatun_cuda and loads it, once.
#pragma once

#include <string>

#include "core/cuda_api.h"

namespace gatun {

// The file that GATUN_CUDA_LIBRARY names, else the one that was told, else libgatun_cuda.so beside
// this library. Throws GT_UNSUPPORTED with the reason where it cannot be used.
const cuda::Api& cuda_library(const char* op);

// Tells where the library is; "" for beside this one. Of no effect once it has been looked for.
void set_cuda_library_file(std::string path);

}  // namespace gatun
