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

// What f, which is commutative, makes of the values of the threads of a block whose numbers are
// alike modulo `lanes`; threads and lanes are powers of two. All threads call it and get theirs.
// `room` has threads * N elements.
template <int threads, typename W, int N, typename F>
__device__ Pack<W, N> combine_lanes(const Pack<W, N>& value, const Shared<W>& room, int lanes,
                                    F f) {
  const int thread = static_cast<int>(threadIdx.x);
  barrier();  // what was in the room has been read
  for (int k = 0; k < N; ++k) room[thread + k * threads] = value.values[k];
  for (int some = threads / 2; some >= lanes; some /= 2) {
    barrier();
    if (thread < some) {
      for (int k = 0; k < N; ++k) {
        const int at = thread + k * threads;
        room[at] = f(W(room[at]), W(room[at + some]));
      }
    }
  }
  barrier();
  Pack<W, N> result;
  for (int k = 0; k < N; ++k) result.values[k] = room[thread % lanes + k * threads];
  return result;
}

template <int threads, typename W, int N>
__device__ Pack<W, N> sum_lanes(const Pack<W, N>& value, const Shared<W>& room, int lanes) {
  return combine_lanes<threads>(value, room, lanes, [](W a, W b) { return a + b; });
}

}  // namespace gatun::cuda
