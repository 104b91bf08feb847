// The primitives of primitives.h on the host. Names and contracts are those of primitives_gpu.h.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "core/bf16.h"
#include "cuda/emulation/engine.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __forceinline__ inline
#define GATUN_UNROLL
#define GATUN_ROLL
#define threadIdx (::gatun::cuda::emulation::here.thread->index)
#define blockIdx (::gatun::cuda::emulation::here.block_index)
#define blockDim (::gatun::cuda::emulation::here.grid.threads)
#define gridDim (::gatun::cuda::emulation::here.grid.blocks)

namespace gatun::cuda {

// ---- Memory

// Knows where its tensor begins and ends, wherever in it it points.
template <typename T>
struct Global {
  using Value = std::remove_const_t<T>;

  // What x[i] is, so that the store and the load can be seen.
  class Element {
   public:
    Element(const Global& x, int64_t i) : x_(x), i_(i) {}
    operator Value() const { return *x_.watched_load(i_); }
    const Element& operator=(Value value) const {
      T* const at = x_.check("store", i_, 1);
      if (emulation::here.watched) emulation::watch_store(at, sizeof(T));
      *at = value;
      return *this;
    }
    const Element& operator=(const Element& other) const { return *this = Value(other); }
    const Element& operator+=(Value value) const { return *this = Value(*this) + value; }

   private:
    const Global& x_;
    const int64_t i_;
  };

  T* data = nullptr;
  T* begin = nullptr;
  T* end = nullptr;

  Global() = default;
  explicit Global(T* first, int64_t count) : data(first), begin(first), end(first + count) {}
  template <typename U>
  requires(!std::is_same_v<T, U>) Global(Global<U> other)
      : data(other.data), begin(other.begin), end(other.end) {}

  explicit operator bool() const { return data != nullptr; }
  auto operator[](int64_t i) const {
    if constexpr (std::is_const_v<T>) {
      return *watched_load(i);
    } else {
      return Element(*this, i);
    }
  }
  Global at(int64_t i) const {
    Global moved = *this;
    moved.data += i;
    return moved;
  }
  template <int N>
  Pack<Value, N> load(int64_t i) const {
    const T* const from = check_aligned("load", i, N);
    if (emulation::here.watched) emulation::watch_load(from, sizeof(T) * N);
    Pack<Value, N> pack;
    std::memcpy(static_cast<void*>(&pack), from, sizeof(pack));
    return pack;
  }
  template <int N>
  void store(int64_t i, const Pack<T, N>& pack) const {
    T* const to = check_aligned("store", i, N);
    if (emulation::here.watched) emulation::watch_store(to, sizeof(T) * N);
    std::memcpy(static_cast<void*>(to), &pack, sizeof(pack));
  }

  const T* watched_load(int64_t i) const {
    const T* const at = check("load", i, 1);
    if (emulation::here.watched) emulation::watch_load(at, sizeof(T));
    return at;
  }
  T* check(const char* what, int64_t i, int64_t count) const {
    T* const at = data + i;
    if (at < begin || at + count > end) {
      emulation::fault_outside(what, at - begin, count, end - begin);
    }
    return at;
  }
  T* check_aligned(const char* what, int64_t i, int64_t count) const {
    T* const at = check(what, i, count);
    if (reinterpret_cast<uintptr_t>(at) % (count * sizeof(T)) != 0) {
      emulation::fault_misaligned(what, count);
    }
    return at;
  }
};

template <typename T>
struct Shared {
  static_assert(sizeof(T) >= 2, "shared memory is watched by halves of words");

  class Element {
   public:
    Element(const Shared& x, int i) : x_(x), i_(i) {}
    operator T() const {
      T* const at = x_.check(i_, 1);
      emulation::check_shared_read(at, sizeof(T), x_.name);
      return *at;
    }
    const Element& operator=(T value) const {
      T* const at = x_.check(i_, 1);
      emulation::check_shared_write(at, sizeof(T), x_.name);
      *at = value;
      return *this;
    }
    const Element& operator=(const Element& other) const { return *this = T(other); }
    const Element& operator+=(T value) const { return *this = T(*this) + value; }

   private:
    const Shared& x_;
    const int i_;
  };

  T* data;
  T* begin;
  T* end;
  const char* name;

  Shared(T* first, int64_t count, const char* what)
      : data(first), begin(first), end(first + count), name(what) {}
  Element operator[](int i) const { return Element(*this, i); }
  Shared at(int i) const {
    Shared moved = *this;
    moved.data += i;
    return moved;
  }
  template <int N>
  Pack<T, N> load(int i) const {
    T* const from = check_aligned(i, N);
    emulation::check_shared_read(from, sizeof(T) * N, name);
    Pack<T, N> pack;
    std::memcpy(static_cast<void*>(&pack), from, sizeof(pack));
    return pack;
  }
  template <int N>
  void store(int i, const Pack<T, N>& pack) const {
    T* const to = check_aligned(i, N);
    emulation::check_shared_write(to, sizeof(T) * N, name);
    std::memcpy(static_cast<void*>(to), &pack, sizeof(pack));
  }

  T* check(int i, int count) const {
    T* const at = data + i;
    if (at < begin || at + count > end) {
      emulation::fault_outside_shared(name, at - begin, count, end - begin);
    }
    return at;
  }
  T* check_aligned(int i, int count) const {
    T* const at = check(i, count);
    if (reinterpret_cast<uintptr_t>(at) % (count * sizeof(T)) != 0) {
      emulation::fault_misaligned_shared(name, count);
    }
    return at;
  }
};

#define GATUN_SHARED(T, name, count)                                                               \
  static const char name##_key = 0;                                                                \
  const ::gatun::cuda::Shared<T> name(reinterpret_cast<T*>(::gatun::cuda::emulation::shared_array( \
                                          &name##_key, sizeof(T) * (count))),                      \
                                      (count), #name)

template <typename T>
Shared<T> dynamic_shared(int64_t byte_offset, int64_t count) {
  return {reinterpret_cast<T*>(
              emulation::dynamic_shared(byte_offset, count * static_cast<int64_t>(sizeof(T)))),
          count, "(dynamic)"};
}

// ---- Threads and warps

inline void barrier() { emulation::barrier(); }
inline void cluster_barrier() { emulation::cluster_barrier(); }

template <typename T>
class ClusterShared {
 public:
  static_assert(sizeof(T) == 4);

  ClusterShared(const Shared<T>& x, uint32_t n) : x_(x), n_(n) {}
  void store(int i, T value) const {
    std::memcpy(emulation::cluster_store(n_, x_.check(i, 1), sizeof(T), x_.name), &value,
                sizeof(T));
  }

 private:
  const Shared<T> x_;
  const uint32_t n_;
};
inline void sync_warp(uint32_t mask = kWholeWarp) { emulation::sync_warp(mask); }

namespace emulation {

template <typename T>
T shuffle(const char* what, T value, int from, uint32_t mask) {
  struct Call {
    T value, result;
    int from;
    const char* what;
  };
  Call mine{value, {}, from, what};
  collective(mask, what, &mine, [](void* const* lanes, uint32_t met) {
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((met >> lane & 1) == 0) continue;
      Call& call = *static_cast<Call*>(lanes[lane]);
      if (call.from < 0 || call.from >= kWarp || (met >> call.from & 1) == 0) {
        fault_absent(call.what, lane, call.from);
      }
      call.result = static_cast<const Call*>(lanes[call.from])->value;
    }
  });
  return mine.result;
}

}  // namespace emulation

template <typename T>
T shuffle(T value, int from, uint32_t mask = kWholeWarp) {
  return emulation::shuffle("shuffle", value, from, mask);
}
template <typename T>
T shuffle_xor(T value, int by, uint32_t mask = kWholeWarp) {
  return emulation::shuffle("shuffle_xor", value, emulation::here.thread->lane ^ by, mask);
}
template <typename T>
T shuffle_down(T value, int by, uint32_t mask = kWholeWarp) {
  const int lane = emulation::here.thread->lane;
  return emulation::shuffle("shuffle_down", value, lane + by < kWarp ? lane + by : lane, mask);
}
template <typename T>
T shuffle_up(T value, int by, uint32_t mask = kWholeWarp) {
  const int lane = emulation::here.thread->lane;
  return emulation::shuffle("shuffle_up", value, lane >= by ? lane - by : lane, mask);
}

inline uint32_t ballot(bool vote, uint32_t mask = kWholeWarp) {
  struct Call {
    bool vote;
    uint32_t result;
  };
  Call mine{vote, 0};
  emulation::collective(mask, "ballot", &mine, [](void* const* lanes, uint32_t met) {
    uint32_t result = 0;
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((met >> lane & 1) != 0 && static_cast<const Call*>(lanes[lane])->vote) {
        result |= 1u << lane;
      }
    }
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((met >> lane & 1) != 0) static_cast<Call*>(lanes[lane])->result = result;
    }
  });
  return mine.result;
}

template <typename T>
void atomic_add(Global<T> to, int64_t i, T value) {
  *to.check("atomic_add", i, 1) += value;
}
template <typename T>
void atomic_min(Global<T> to, int64_t i, T value) {
  T* const at = to.check("atomic_min", i, 1);
  if (value < *at) *at = value;
}

// ---- Between the blocks of a resident grid

inline void store_release(Global<uint32_t> x, int64_t i, uint32_t value) {
  emulation::store_release(x.check("store_release", i, 1), value);
}
inline void wait_for(Global<uint32_t> x, int64_t i, uint32_t value) {
  emulation::wait_for(x.check("wait_for", i, 1), value);
}

// ---- Copies that run beside the computation

template <typename T>
void copy_async(Shared<T> to, int i, Global<const T> from, int64_t j, bool valid = true) {
  constexpr int kCount = 16 / sizeof(T);
  T* const target = to.check_aligned(i, kCount);
  const T* const source = valid ? from.check_aligned("copy_async", j, kCount) : nullptr;
  // The instruction's address, though nothing is read from there.
  if (!valid && reinterpret_cast<uintptr_t>(from.data) % 16 != 0) {
    emulation::fault_misaligned("copy_async", kCount);
  }
  emulation::copy_async(reinterpret_cast<std::byte*>(target),
                        reinterpret_cast<const std::byte*>(source), 16);
}
inline void copy_async_commit() { emulation::copy_async_commit(); }
template <int pending>
void copy_async_wait() {
  emulation::copy_async_wait(pending);
}

// ---- Tensor cores

// To nearest, ties away from zero, as cvt.rna does.
inline uint32_t to_tf32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::isfinite(x) ? (bits + 0x1000) & ~uint32_t{0x1fff} : bits;
}
inline uint32_t to_tf32(uint32_t bits) { return to_tf32(std::bit_cast<float>(bits)); }

namespace emulation {

struct MmaCall {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

// What the tensor cores see of a word.
inline float tf32(uint32_t bits) { return std::bit_cast<float>(bits & ~uint32_t{0x1fff}); }
inline float bf16_of(uint32_t word, int half) {
  return to_float(Bf16{static_cast<uint16_t>(word >> (16 * half))});
}

// d [16,8] += a [16,depth] b [depth,8]; element(m, k) and the others look into the lanes'
// fragments.
template <int depth, typename A, typename B>
void multiply_fragments(void* const* lanes, A a, B b) {
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      float& d = static_cast<MmaCall*>(lanes[m % 8 * 4 + n / 2])->d[m / 8 * 2 + n % 2];
      float sum = d;
      for (int k = 0; k < depth; ++k) sum += a(m, k) * b(k, n);
      d = sum;
    }
  }
}

}  // namespace emulation

inline void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  using emulation::MmaCall;
  MmaCall mine{d, a, b};
  emulation::collective(kWholeWarp, "mma_tf32", &mine, [](void* const* lanes, uint32_t) {
    const auto call = [&](int lane) { return static_cast<const MmaCall*>(lanes[lane]); };
    emulation::multiply_fragments<8>(
        lanes,
        [&](int m, int k) {
          return emulation::tf32(call(m % 8 * 4 + k % 4)->a[m / 8 + k / 4 * 2]);
        },
        [&](int k, int n) { return emulation::tf32(call(n * 4 + k % 4)->b[k / 4]); });
  });
}

inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  using emulation::MmaCall;
  MmaCall mine{d, a, b};
  emulation::collective(kWholeWarp, "mma_bf16", &mine, [](void* const* lanes, uint32_t) {
    const auto call = [&](int lane) { return static_cast<const MmaCall*>(lanes[lane]); };
    emulation::multiply_fragments<16>(
        lanes,
        [&](int m, int k) {
          return emulation::bf16_of(call(m % 8 * 4 + k % 8 / 2)->a[m / 8 + k / 8 * 2], k % 2);
        },
        [&](int k, int n) { return emulation::bf16_of(call(n * 4 + k % 8 / 2)->b[k / 8], k % 2); });
  });
}

namespace emulation {

template <typename T>
void load_matrix(const char* what, uint32_t (&words)[4], const Shared<T>& row, bool transposed) {
  static_assert(16 % sizeof(T) == 0);
  struct Call {
    uint32_t* words;
    const uint16_t* row;
    bool transposed;
  };
  T* const at = row.check_aligned(0, 16 / sizeof(T));
  check_shared_read(at, 16, row.name);
  Call mine{words, reinterpret_cast<const uint16_t*>(at), transposed};
  collective(kWholeWarp, what, &mine, [](void* const* lanes, uint32_t) {
    for (int lane = 0; lane < kWarp; ++lane) {
      Call& call = *static_cast<Call*>(lanes[lane]);
      for (int m = 0; m < 4; ++m) {
        uint32_t halves[2];
        for (int half = 0; half < 2; ++half) {
          const int r = lane / 4, c = lane % 4 * 2 + half;
          const int from_row = call.transposed ? c : r, from_column = call.transposed ? r : c;
          halves[half] = static_cast<const Call*>(lanes[m * 8 + from_row])->row[from_column];
        }
        call.words[m] = halves[0] | halves[1] << 16;
      }
    }
  });
}

}  // namespace emulation

template <typename T>
void load_matrix(uint32_t (&words)[4], Shared<T> row) {
  emulation::load_matrix("load_matrix", words, row, false);
}
template <typename T>
void load_matrix_transposed(uint32_t (&words)[4], Shared<T> row) {
  emulation::load_matrix("load_matrix_transposed", words, row, true);
}

// ---- Arithmetic

namespace math {
inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
inline double fma(double a, double b, double c) { return std::fma(a, b, c); }
inline float exp(float x) { return std::exp(x); }
inline double exp(double x) { return std::exp(x); }
inline float log(float x) { return std::log(x); }
inline double log(double x) { return std::log(x); }
inline float expm1(float x) { return std::expm1(x); }
inline double expm1(double x) { return std::expm1(x); }
inline float log1p(float x) { return std::log1p(x); }
inline double log1p(double x) { return std::log1p(x); }
inline double normal_below(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
inline float normal_below(float x) { return static_cast<float>(normal_below(double{x})); }
inline float tanh(float x) { return std::tanh(x); }
inline double tanh(double x) { return std::tanh(x); }
inline float sqrt(float x) { return std::sqrt(x); }
inline double sqrt(double x) { return std::sqrt(x); }
inline double pow(double x, double y) { return std::pow(x, y); }
inline float abs(float x) { return std::abs(x); }
inline double abs(double x) { return std::abs(x); }
inline bool is_nan(float x) { return x != x; }
inline bool is_nan(double x) { return x != x; }
inline uint64_t multiply_high(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}
}  // namespace math

}  // namespace gatun::cuda
