// Work along rows [rows, columns]: a team takes a row, a warp where its registers hold one and a
// block of threads where they do not. How a row is cut follows from its length alone.
#pragma once

#include <limits>

#include "cuda/kernels/packs.h"

namespace gatun::cuda {

constexpr int kRowThreads = 256;
// Packs of a row that each member of a team keeps in registers.
constexpr int kKeptPacks = 4;

// kTeam neighbouring threads of a block of kRowThreads: a warp or all.
template <int kTeam>
struct Team {
  static_assert(kTeam == kWarp || kTeam == kRowThreads);
  static constexpr int kPerBlock = kRowThreads / kTeam;

  static __device__ int member() { return static_cast<int>(threadIdx.x) % kTeam; }
  static __device__ int number() { return static_cast<int>(threadIdx.x) / kTeam; }
  // The first row of a team, and how far the next one is.
  static __device__ int64_t row() { return int64_t{blockIdx.x} * kPerBlock + number(); }
  static __device__ int64_t stride() { return int64_t{gridDim.x} * kPerBlock; }

  // What f, which is commutative, makes of the values of all members, who all call it and get it.
  template <typename T, typename F>
  static __device__ T combine(T value, F f) {
    for (int by = kWarp / 2; by > 0; by /= 2) value = f(value, shuffle_xor(value, by));
    if constexpr (kTeam > kWarp) {
      GATUN_SHARED(T, of_warps, kTeam / kWarp);
      barrier();  // what was here before has been read
      if (lane() == 0) of_warps[warp()] = value;
      barrier();
      value = of_warps[0];
      for (int w = 1; w < kTeam / kWarp; ++w) value = f(value, T(of_warps[w]));
    }
    return value;
  }
  template <typename T>
  static __device__ T sum(T value) {
    return combine(value, [](T a, T b) { return a + b; });
  }
  template <typename T>
  static __device__ T greatest(T value) {
    return combine(value, [](T a, T b) { return a < b ? b : a; });
  }
  template <typename T>
  static __device__ T least(T value) {
    return combine(value, [](T a, T b) { return b < a ? b : a; });
  }
};

// A member's part of a row: packs member, member + kTeam, ... The first of them are in registers,
// the others are read where they are used.
template <typename T, int N, int kTeam>
class RowPart {
 public:
  using Wide = Pack<WideOf<T>, N>;
  // Whether a row may be longer than what the registers hold.
  static constexpr bool kOverflows = kTeam > kWarp;

  __device__ RowPart(const Global<const T>& row, int64_t columns) : row_(row), columns_(columns) {
    GATUN_UNROLL
    for (int k = 0; k < kKeptPacks; ++k) {
      if (column(k) < columns_) kept_[k] = widen(row_.template load<N>(column(k)));
    }
  }

  // f(column, pack) for each pack, which begins at the column.
  template <typename F>
  __device__ void for_each(F f) const {
    GATUN_UNROLL
    for (int k = 0; k < kKeptPacks; ++k) {
      if (column(k) < columns_) f(column(k), kept_[k]);
    }
    if constexpr (kOverflows) {
      for (int64_t c = column(kKeptPacks); c < columns_; c += kTeam * N) {
        f(c, widen(row_.template load<N>(c)));
      }
    }
  }
  // f(column, pack, the other's pack), both of one length.
  template <typename F>
  __device__ void for_each(const RowPart& other, F f) const {
    for_each_slot(other, [&](int, int64_t c, const Wide& a, const Wide& b) { f(c, a, b); });
  }
  // f(slot, column, pack, the other's pack): the place in registers, -1 for what has none.
  template <typename F>
  __device__ void for_each_slot(const RowPart& other, F f) const {
    GATUN_UNROLL
    for (int k = 0; k < kKeptPacks; ++k) {
      if (column(k) < columns_) f(k, column(k), kept_[k], other.kept_[k]);
    }
    if constexpr (kOverflows) {
      for (int64_t c = column(kKeptPacks); c < columns_; c += kTeam * N) {
        f(-1, c, widen(row_.template load<N>(c)), widen(other.row_.template load<N>(c)));
      }
    }
  }
  // The sum of f(element), for the whole team.
  template <typename F>
  __device__ WideOf<T> sum(F f) const {
    WideOf<T> sum = 0;
    for_each([&](int64_t, const Wide& x) {
      for (int k = 0; k < N; ++k) sum += f(x.values[k]);
    });
    return Team<kTeam>::sum(sum);
  }
  // The greatest element but for NaN, for the whole team.
  __device__ WideOf<T> greatest() const {
    WideOf<T> most = -INFINITY;
    for_each([&](int64_t, const Wide& x) {
      for (int k = 0; k < N; ++k) most = x.values[k] > most ? x.values[k] : most;
    });
    return Team<kTeam>::greatest(most);
  }

  // Where the pack in a slot begins.
  __device__ static int64_t column(int k) {
    return (int64_t{k} * kTeam + Team<kTeam>::member()) * N;
  }

 private:
  Global<const T> row_;
  int64_t columns_;
  Wide kept_[kKeptPacks];
};

// Calls f(width, team) with the constants N and kTeam for rows of so many elements of type T;
// `aligned` where packs fit the beginnings of all tensors. Rows of f64 are always a block's.
template <typename T, typename F>
void with_rows(int64_t columns, bool aligned, F&& f) {
  if constexpr (sizeof(T) == 8) {
    f(std::integral_constant<int, 1>{}, std::integral_constant<int, kRowThreads>{});
  } else {
    with_packs<T>(aligned && columns % kPackOf<T> == 0, [&](auto width) {
      if (columns <= kWarp * kKeptPacks * decltype(width)::value) {
        f(width, std::integral_constant<int, kWarp>{});
      } else {
        f(width, std::integral_constant<int, kRowThreads>{});
      }
    });
  }
}

// A team for each row, in at most `most` blocks.
inline Grid rows_grid(int64_t rows, int team, int64_t most = std::numeric_limits<int32_t>::max()) {
  const int64_t per_block = kRowThreads / team, blocks = (rows + per_block - 1) / per_block;
  return {.blocks = {static_cast<uint32_t>(blocks < most ? blocks : most)},
          .threads = {static_cast<uint32_t>(kRowThreads)}};
}

}  // namespace gatun::cuda
