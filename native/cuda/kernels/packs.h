// Elements taken 16 bytes at a time, where tensors lie so that it can be.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "cuda/kernels/floating.h"
#include "cuda/queue.h"

namespace gatun::cuda {

constexpr int64_t kPackBytes = 16;

// f64 is for checks, and i64 is little: they are taken one by one, by the code for what is not
// aligned.
template <typename T>
constexpr int kPackOf = sizeof(T) == 8 ? 1 : static_cast<int>(kPackBytes / sizeof(T));

// Whether all tensors begin where a pack may; those that are not there do.
inline bool are_aligned(std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* tensor : tensors) {
    if (tensor != nullptr && reinterpret_cast<uintptr_t>(tensor->data) % kPackBytes != 0) {
      return false;
    }
  }
  return true;
}

// Calls f with how many elements of type T kernels take at a time, as a constant: a pack, or 1.
template <typename T, typename F>
void with_packs(bool packed, F&& f) {
  if (packed) {
    f(std::integral_constant<int, kPackOf<T>>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

// N elements, by loads of 16 bytes at most: what lies beside a pack of another type.
template <int N, typename U>
__device__ auto load_pieces(Global<U> x, int64_t i) {
  using T = std::remove_const_t<U>;
  constexpr int kEach = N < kPackOf<T> ? N : kPackOf<T>;
  Pack<T, N> result;
  for (int k = 0; k < N; k += kEach) {
    const Pack<T, kEach> pack = x.template load<kEach>(i + k);
    for (int j = 0; j < kEach; ++j) result.values[k + j] = pack.values[j];
  }
  return result;
}
// work.at<N>(i) for all elements, and one by one for what remains.
template <int N, typename Work>
__global__ void work_kernel(Work work, int64_t count) {
  GATUN_ROLL
  for (int64_t i = grid_thread() * N; i < count; i += grid_threads() * N) {
    if (i + N <= count) {
      work.template at<N>(i);
    } else {
      GATUN_ROLL
      for (int64_t k = i; k < count; ++k) work.template at<1>(k);
    }
  }
}

template <typename T, typename Work>
void launch_work(Queue& queue, int64_t count, bool packed, const Work& work) {
  with_packs<T>(packed, [&](auto width) {
    constexpr int N = decltype(width)::value;
    queue.launch(work_kernel<N, Work>, elements_grid(count, N), work, count);
  });
}

}  // namespace gatun::cuda
