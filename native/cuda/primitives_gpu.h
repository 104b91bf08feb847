// The primitives of primitives.h on a GPU: as thin as they can be.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/grid.h"

// Before a loop whose count the compiler knows: its arrays stay in registers.
#define GATUN_UNROLL _Pragma("unroll")
#define GATUN_ROLL _Pragma("unroll 1")

namespace gatun::cuda {

// ---- Memory

template <typename T>
struct Global {
  T* data = nullptr;

  Global() = default;
  __host__ __device__ explicit Global(T* first, int64_t = 0) : data(first) {}
  template <typename U>
  requires(!std::is_same_v<T, U>) __host__ __device__ Global(Global<U> other) : data(other.data) {}

  __host__ __device__ explicit operator bool() const { return data != nullptr; }
  __device__ T& operator[](int64_t i) const { return data[i]; }
  // From element i on.
  __host__ __device__ Global at(int64_t i) const { return Global(data + i); }
  template <int N>
  __device__ auto load(int64_t i) const {
    return *reinterpret_cast<const Pack<std::remove_const_t<T>, N>*>(data + i);
  }
  template <int N>
  __device__ void store(int64_t i, const Pack<T, N>& pack) const {
    *reinterpret_cast<Pack<T, N>*>(data + i) = pack;
  }
};

template <typename T>
struct Shared {
  T* data;

  __device__ T& operator[](int i) const { return data[i]; }
  __device__ Shared at(int i) const { return {data + i}; }
  template <int N>
  __device__ Pack<T, N> load(int i) const {
    return *reinterpret_cast<const Pack<T, N>*>(data + i);
  }
  template <int N>
  __device__ void store(int i, const Pack<T, N>& pack) const {
    *reinterpret_cast<Pack<T, N>*>(data + i) = pack;
  }
};

#define GATUN_SHARED(T, name, count)         \
  __shared__ alignas(16) T name##_[(count)]; \
  const ::gatun::cuda::Shared<T> name { name##_ }

extern __shared__ __align__(16) char gatun_dynamic_shared[];

template <typename T>
__device__ Shared<T> dynamic_shared(int64_t byte_offset, int64_t) {
  return {reinterpret_cast<T*>(gatun_dynamic_shared + byte_offset)};
}

// ---- Threads and warps

__device__ inline void barrier() { __syncthreads(); }
__device__ inline void sync_warp(uint32_t mask = kWholeWarp) { __syncwarp(mask); }

template <typename T>
__device__ T shuffle(T value, int from, uint32_t mask = kWholeWarp) {
  return __shfl_sync(mask, value, from);
}
template <typename T>
__device__ T shuffle_xor(T value, int by, uint32_t mask = kWholeWarp) {
  return __shfl_xor_sync(mask, value, by);
}
template <typename T>
__device__ T shuffle_down(T value, int by, uint32_t mask = kWholeWarp) {
  return __shfl_down_sync(mask, value, static_cast<unsigned>(by));
}
template <typename T>
__device__ T shuffle_up(T value, int by, uint32_t mask = kWholeWarp) {
  return __shfl_up_sync(mask, value, static_cast<unsigned>(by));
}
__device__ inline uint32_t ballot(bool vote, uint32_t mask = kWholeWarp) {
  return __ballot_sync(mask, vote);
}

template <typename T>
__device__ void atomic_add(Global<T> to, int64_t i, T value) {
  atomicAdd(to.data + i, value);
}
template <typename T>
__device__ void atomic_min(Global<T> to, int64_t i, T value) {
  atomicMin(to.data + i, value);
}

// ---- Between the blocks of a resident grid

// x[i] = value, and who waits for it sees what this block did before its last barrier.
__device__ inline void store_release(Global<uint32_t> x, int64_t i, uint32_t value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(x.data + i), "r"(value) : "memory");
}
// Until x[i] >= value. After a barrier the whole block sees what the writer had done.
__device__ inline void wait_for(Global<uint32_t> x, int64_t i, uint32_t value) {
  uint32_t now;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(x.data + i) : "memory");
  } while (now < value);
}

template <typename T>
__device__ uint32_t shared_address(Shared<T> at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(at.data));
}

// ---- Between the blocks of a cluster: code for GPUs before 9.0 is there to compile

// All threads of the cluster's blocks. Who has passed it sees what any of them stored before; it
// is this block's barrier too.
__device__ inline void cluster_barrier() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#else
  asm volatile("trap;");
#endif
}

// The n-th block must have begun, and may not have left: between two barriers that it meets at.
template <typename T>
class ClusterShared {
 public:
  static_assert(sizeof(T) == 4);

  __device__ ClusterShared([[maybe_unused]] Shared<T> x, [[maybe_unused]] uint32_t n) {
#if __CUDA_ARCH__ >= 900
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address_) : "r"(shared_address(x)), "r"(n));
#endif
  }
  __device__ void store(int i, T value) const {
#if __CUDA_ARCH__ >= 900
    const uint32_t to = address_ + static_cast<uint32_t>(i) * sizeof(T);
    asm volatile("st.shared::cluster.b32 [%0], %1;" ::"r"(to),
                 "r"(__builtin_bit_cast(uint32_t, value))
                 : "memory");
#else
    asm volatile("trap;");
#endif
  }

 private:
  uint32_t address_ = 0;
};

// ---- Copies that run beside the computation, 16 bytes each

// 16 bytes from from[j] to to[i]; zeros where not `valid`.
template <typename T>
__device__ void copy_async(Shared<T> to, int i, Global<const T> from, int64_t j,
                           bool valid = true) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to.at(i))),
               "l"(from.data + (valid ? j : 0)), "r"(bytes)
               : "memory");
}
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most `pending` of this thread's groups are not done.
template <int pending>
__device__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// ---- Tensor cores: the fragments are those of PTX's mma.m16n8k8 and mma.m16n8k16

// To the nearest number that tf32 has.
__device__ inline uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
// The same of the f32 whose bits these are.
__device__ inline uint32_t to_tf32(uint32_t bits) { return to_tf32(__uint_as_float(bits)); }

// d += a b, of 16x8 (a) and 8x8 (b) elements.
__device__ inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d += a b, of 16x16 (a) and 16x8 (b) elements, two in each word.
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8x8 matrices of 16-bit elements: lane 8 m + r names row r of matrix m, 16 bytes at row[0];
// word m of lane l is elements 2 (l % 4) and the next of row l / 4 of matrix m.
template <typename T>
__device__ void load_matrix(uint32_t (&words)[4], Shared<T> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same of the transposed matrices.
template <typename T>
__device__ void load_matrix_transposed(uint32_t (&words)[4], Shared<T> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(shared_address(row))
               : "memory");
}

// ---- Arithmetic: * and + are never joined to a multiply-add, fma is one

namespace math {
__device__ inline float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
__device__ inline double fma(double a, double b, double c) { return ::fma(a, b, c); }
__device__ inline float exp(float x) { return ::expf(x); }
__device__ inline double exp(double x) { return ::exp(x); }
__device__ inline float log(float x) { return ::logf(x); }
__device__ inline double log(double x) { return ::log(x); }
__device__ inline float expm1(float x) { return ::expm1f(x); }
__device__ inline double expm1(double x) { return ::expm1(x); }
__device__ inline float log1p(float x) { return ::log1pf(x); }
__device__ inline double log1p(double x) { return ::log1p(x); }
__device__ inline float normal_below(float x) { return ::normcdff(x); }
__device__ inline double normal_below(double x) { return ::normcdf(x); }
__device__ inline float tanh(float x) { return ::tanhf(x); }
__device__ inline double tanh(double x) { return ::tanh(x); }
__device__ inline float sqrt(float x) { return ::sqrtf(x); }
__device__ inline double sqrt(double x) { return ::sqrt(x); }
__device__ inline double pow(double x, double y) { return ::pow(x, y); }
__device__ inline float abs(float x) { return ::fabsf(x); }
__device__ inline double abs(double x) { return ::fabs(x); }
__device__ inline bool is_nan(float x) { return x != x; }
__device__ inline bool is_nan(double x) { return x != x; }
__device__ inline uint64_t multiply_high(uint64_t a, uint64_t b) { return __umul64hi(a, b); }
}  // namespace math

}  // namespace gatun::cuda
