// What the steps of recurrent layers share: sums of products of a step's rows with weights, by
// blocks of 16 sequences by 16 units, and layer norm of these sums, by a warp for a sequence.
#pragma once

#include "cuda/kernels/recurrent_cells.h"
#include "cuda/kernels/recurrent_tensors.h"
#include "cuda/kernels/rows.h"
#include "cuda/kernels/tile.h"

namespace gatun::cuda {

constexpr int kSide = 16;         // units and sequences of a block
constexpr int kTermsAtOnce = 32;  // of the sums

// The grid of a step: sequences, of which there may be the most, units, directions.
inline Grid step_grid(const SequenceLayout& l) {
  const auto blocks = [](int64_t count) {
    return static_cast<uint32_t>((count + kSide - 1) / kSide);
  };
  return {.blocks = {blocks(l.batch), blocks(l.units), static_cast<uint32_t>(l.directions)},
          .threads = {kSide, kSide}};
}

// What a thread of a step computes.
struct StepPlace : UnitPlace {
  bool inside;

  __device__ explicit StepPlace(const SequenceLayout& l)
      : UnitPlace{int64_t{blockIdx.x} * kSide + threadIdx.y,
                  int64_t{blockIdx.y} * kSide + threadIdx.x, static_cast<int32_t>(blockIdx.z)},
        inside(b < l.batch && i < l.units) {}
};

// sums[g] += the products of row(b, k) with weight(g, i, k) over all k < depth; all threads of the
// block call it. The functions give what lies in memory, or 0 outside. `weights_along_units`: units
// lie side by side in memory, rather than k.
template <typename T, int gates, bool weights_along_units, typename Row, typename Weight>
__device__ void add_products(T (&sums)[gates], int64_t depth, const Row& row,
                             const Weight& weight) {
  // Rows a chunk longer than needed, so that neighbouring ones lie in other banks.
  constexpr int kPitch = kTermsAtOnce + kChunk<T>;
  GATUN_SHARED(T, rows, kSide * kPitch);
  GATUN_SHARED(T, weights, gates * kSide * kPitch);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int thread = ty * kSide + tx;
  const int64_t b0 = int64_t{blockIdx.x} * kSide, i0 = int64_t{blockIdx.y} * kSide;
  for (int64_t k0 = 0; k0 < depth; k0 += kTermsAtOnce) {
    for (int e = thread; e < kSide * kTermsAtOnce; e += kSide * kSide) {
      const int line = e / kTermsAtOnce, k = e % kTermsAtOnce;
      rows[line * kPitch + k] = row(b0 + line, k0 + k);
    }
    for (int e = thread; e < gates * kSide * kTermsAtOnce; e += kSide * kSide) {
      const int g = e / (kSide * kTermsAtOnce), within = e % (kSide * kTermsAtOnce);
      const int line = weights_along_units ? within % kSide : within / kTermsAtOnce;
      const int k = weights_along_units ? within / kSide : within % kTermsAtOnce;
      weights[(g * kSide + line) * kPitch + k] = weight(g, i0 + line, k0 + k);
    }
    barrier();
    GATUN_UNROLL
    for (int k = 0; k < kTermsAtOnce; k += kChunk<T>) {
      const Pack<T, kChunk<T>> left = rows.template load<kChunk<T>>(ty * kPitch + k);
      GATUN_UNROLL
      for (int g = 0; g < gates; ++g) {
        const Pack<T, kChunk<T>> right =
            weights.template load<kChunk<T>>((g * kSide + tx) * kPitch + k);
        GATUN_UNROLL
        for (int x = 0; x < kChunk<T>; ++x) {
          sums[g] = math::fma(left.values[x], right.values[x], sums[g]);
        }
      }
    }
    barrier();
  }
}

// Layer norm, but for its gain, of products that lie side by side: a sequence's of some gates.
template <typename T>
class ProductNorm {
 public:
  using Warp = Team<kWarp>;

  // All threads of the warp call it.
  __device__ ProductNorm(const Global<const T>& products, int64_t count, T epsilon) {
    T sum = 0, squares = 0;
    for (int64_t i = Warp::member(); i < count; i += kWarp) sum += products[i];
    mean_ = Warp::sum(sum) / static_cast<T>(count);
    for (int64_t i = Warp::member(); i < count; i += kWarp) {
      const T apart = products[i] - mean_;
      squares += apart * apart;
    }
    inverse_ = 1 / math::sqrt(Warp::sum(squares) / static_cast<T>(count) + epsilon);
  }

  __device__ T operator()(T product) const { return (product - mean_) * inverse_; }
  __device__ T inverse_deviation() const { return inverse_; }

 private:
  T mean_, inverse_;
};

// Calls f(b, d) for each sequence and direction, a warp for each.
template <typename F>
__device__ void for_each_sequence(const SequenceLayout& l, const F& f) {
  using Warp = Team<kWarp>;
  for (int64_t row = Warp::row(); row < l.directions * l.batch; row += Warp::stride()) {
    f(row % l.batch, static_cast<int32_t>(row / l.batch));
  }
}
inline Grid sequences_grid(const SequenceLayout& l) {
  return rows_grid(l.directions * l.batch, kWarp);
}

}  // namespace gatun::cuda
