// What the threads of a block compute together.
#pragma once

#include "cuda/primitives.h"

namespace gatun::cuda {

// The sum over a block of `threads` threads, all of which call it once; it is the first thread's.
template <int threads>
__device__ double sum_block(double value) {
  GATUN_SHARED(double, of_warps, threads / kWarp);
  for (int by = kWarp / 2; by > 0; by /= 2) value += shuffle_down(value, by);
  if (lane() == 0) of_warps[warp()] = value;
  barrier();
  if (threadIdx.x == 0) {
    for (int w = 1; w < threads / kWarp; ++w) value += of_warps[w];
  }
  return value;
}

}  // namespace gatun::cuda
