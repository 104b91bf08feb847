// Division by a number that the host knows, as a product.
#pragma once

#include "cuda/primitives.h"

namespace gatun::cuda {

// By the method of Granlund and Montgomery (1994), for dividends below 2^63.
class Divisor {
 public:
  Divisor() = default;
  // 0, the size of an axis where nothing is divided, counts as 1.
  explicit Divisor(int64_t divisor) : value_(divisor < 1 ? 1 : static_cast<uint64_t>(divisor)) {
    while (shift_ < 63 && uint64_t{1} << shift_ < value_) ++shift_;
    const auto above = static_cast<unsigned __int128>((uint64_t{1} << shift_) - value_);
    factor_ = static_cast<uint64_t>((above << 64) / value_ + 1);
  }

  __host__ __device__ int64_t value() const { return static_cast<int64_t>(value_); }
  __device__ int64_t divide(int64_t x) const {
    const auto dividend = static_cast<uint64_t>(x);
    return static_cast<int64_t>((math::multiply_high(factor_, dividend) + dividend) >> shift_);
  }
  // Divides x, and returns what remains.
  __device__ int64_t split(int64_t& x) const {
    const int64_t quotient = divide(x), rest = x - quotient * value();
    x = quotient;
    return rest;
  }

 private:
  uint64_t value_ = 1;
  uint64_t factor_ = 1;
  int32_t shift_ = 0;
};

}  // namespace gatun::cuda
