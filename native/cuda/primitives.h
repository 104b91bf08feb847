// What kernels are written with: memory, threads, warps, tensor cores. There are two of each, with
// the same names: the GPU's own, and an emulation for tests on machines without one, which checks
// what a GPU does not. A kernel includes this and nothing of CUDA.
//
//   Global<T>            a tensor's elements: x[i], x.load<4>(i), x.store(i, pack), x.at(i)
//   GATUN_SHARED(T, name, count)   memory of the block, a Shared<T>, before anything diverges
//   dynamic_shared<T>(offset, count)  the same in Grid::shared_bytes
//   barrier()            all threads of the block
//   sync_warp(), shuffle*(), ballot()    all lanes that the mask names
//   store_release(flags, i, n), wait_for(flags, i, n)  between the blocks of a resident grid
//   ClusterShared<T>(x, n), cluster_barrier()  between the blocks of a cluster: the memory that the
//                        n-th block has where this one has x, to store to
//   copy_async(), copy_async_commit(), copy_async_wait<n>()  from global to shared memory
//   mma_tf32(), mma_bf16(), load_matrix*()  tensor cores
//   atomic_add(), atomic_min()
//   GATUN_UNROLL         before a loop over an array that is to stay in registers
//   GATUN_ROLL           before one that is to stay a loop
//   math::exp() and others; math::normal_below() is the normal distribution
#pragma once

#include "core/bf16.h"
#include "cuda/grid.h"

namespace gatun::cuda {

// N elements side by side, for loads and stores of up to 16 bytes. Their place must be aligned to
// their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T values[N];
};

}  // namespace gatun::cuda

#if defined(GATUN_CUDA_EMULATION)
#include "cuda/emulation/primitives.h"
#else
#include "cuda/primitives_gpu.h"
#endif

namespace gatun::cuda {

__device__ inline int64_t grid_thread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t grid_threads() { return int64_t{gridDim.x} * blockDim.x; }
__device__ inline int lane() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) %
                          kWarp);
}
__device__ inline int warp() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) /
                          kWarp);
}

// Numbers as kernels compute with them: bf16 as f32.
template <typename T>
struct Wide {
  using Type = T;
};
template <>
struct Wide<Bf16> {
  using Type = float;
};
template <typename T>
using WideOf = typename Wide<T>::Type;

__device__ inline float widen(Bf16 x) { return to_float(x); }
__device__ inline float widen(float x) { return x; }
__device__ inline double widen(double x) { return x; }

// Rounds once to what is stored.
template <typename T>
__device__ inline T narrow(WideOf<T> x) {
  if constexpr (sizeof(T) == sizeof(Bf16)) {
    return to_bf16(x);
  } else {
    return x;
  }
}

template <typename T, int N>
__device__ Pack<WideOf<T>, N> widen(const Pack<T, N>& pack) {
  Pack<WideOf<T>, N> wide;
  for (int k = 0; k < N; ++k) wide.values[k] = widen(pack.values[k]);
  return wide;
}
template <typename T, int N>
__device__ Pack<T, N> narrow(const Pack<WideOf<T>, N>& wide) {
  Pack<T, N> pack;
  for (int k = 0; k < N; ++k) pack.values[k] = narrow<T>(wide.values[k]);
  return pack;
}

}  // namespace gatun::cuda
