// y[i] = f(x[i], ...), each element read and written once.
#pragma once

#include <utility>

#include "cuda/kernels/packs.h"

namespace gatun::cuda {

// f makes a pack of y from packs of x..., whatever their size.
template <int N, typename T, typename F, typename... X>
__device__ void map_pack(Global<T> y, int64_t i, const F& f, const X&... x) {
  y.template store<N>(i, narrow<T, N>(f(widen(x.template load<N>(i))...)));
}

template <int N, typename T, typename F, typename... X>
__global__ void map_kernel(Global<T> y, int64_t count, F f, X... x) {
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    if (i + N <= count) {
      map_pack<N>(y, i, f, x...);
    } else {
      GATUN_ROLL
      for (int64_t k = i; k < count; ++k) map_pack<1>(y, k, f, x...);
    }
  }
}

template <typename T, typename F, typename... X>
void launch_map(Queue& queue, const Tensor& y, const F& f, const X&... x) {
  with_packs<T>(are_aligned({&y, &x...}), [&](auto width) {
    constexpr int N = decltype(width)::value;
    queue.launch(map_kernel<N, T, F, decltype(elements<const T>(x))...>, elements_grid(y.count, N),
                 elements<T>(y), y.count, f, elements<const T>(x)...);
  });
}

}  // namespace gatun::cuda
