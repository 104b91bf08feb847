// Where the elements of operands lie that NumPy's broadcasting repeats along y.
#pragma once

#include "cuda/kernels/divisor.h"
#include "cuda/kernels/packs.h"

namespace gatun::cuda {

// y's axes as few as they can be: neighbours along which every operand goes on alike are one.
template <int kOperands>
class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const Tensor& y, const Tensor* const* operands, int32_t count) {
    if (y.count == 0) return;
    int64_t steps[kOperands];  // of each operand, were its next axis dense
    for (int32_t k = 0; k < count; ++k) steps[k] = 1;
    for (int32_t axis = 1; axis <= y.rank; ++axis) {
      const int64_t dim = y.dims[y.rank - axis];
      if (dim == 1) continue;
      int64_t strides[kOperands];
      bool goes_on = rank_ > 0;
      for (int32_t k = 0; k < count; ++k) {
        const Tensor& x = *operands[k];
        const bool repeats = axis > x.rank || x.dims[x.rank - axis] == 1;
        strides[k] = repeats ? 0 : steps[k];
        if (!repeats) steps[k] *= dim;
        goes_on = goes_on && strides[k] == strides_[k][rank_ - 1] * sizes_[rank_ - 1];
      }
      if (goes_on) {
        sizes_[rank_ - 1] *= dim;
        continue;
      }
      for (int32_t k = 0; k < count; ++k) strides_[k][rank_] = strides[k];
      sizes_[rank_++] = dim;
    }
    for (int32_t i = 0; i < rank_; ++i) dims_[i] = Divisor(sizes_[i]);
    for (int32_t k = 0; k < count; ++k) dense_[k] = operands[k]->count == y.count;
  }

  // Whether packs of `size` never reach over the end of a row; a single row may have a rest.
  bool takes_packs(int64_t size) const { return rank_ <= 1 || sizes_[0] % size == 0; }

  // What belongs to y's N elements from i on.
  template <int N, typename T>
  __device__ Pack<T, N> load(const Global<const T>& x, int32_t operand, int64_t i) const {
    if (dense_[operand]) return x.template load<N>(i);
    int64_t at = 0;
    for (int32_t axis = 0; axis < rank_; ++axis) {
      at += dims_[axis].split(i) * strides_[operand][axis];
    }
    if (strides_[operand][0] != 0) return x.template load<N>(at);
    const T value = x[at];
    Pack<T, N> pack;
    for (int k = 0; k < N; ++k) pack.values[k] = value;
    return pack;
  }

 private:
  int32_t rank_ = 0;
  Divisor dims_[GT_MAX_RANK];  // the last axis first
  int64_t sizes_[GT_MAX_RANK] = {};
  int64_t strides_[kOperands][GT_MAX_RANK] = {};
  bool dense_[kOperands] = {};
};

}  // namespace gatun::cuda
