// Division by a product.
#include "cuda/kernels/divisor.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace gatun::cuda {
namespace {

TEST(CudaDivisor, DividesAsTheProcessorDoes) {
  std::mt19937_64 random(3);
  std::vector<int64_t> numbers = {1, 2, 3, 5, 7, 10, 31, 32, 33, 641, (int64_t{1} << 62) + 1};
  for (int i = 0; i < 300; ++i)
    numbers.push_back(static_cast<int64_t>(random() >> (1 + i % 60)) + 1);
  for (const int64_t d : numbers) {
    const Divisor divisor(d);
    for (const int64_t n : numbers) {
      for (const int64_t x : {n - 1, n, n / d * d, n / d * d + (d - 1) / 2, INT64_MAX}) {
        if (x < 0) continue;  // beyond the range
        ASSERT_EQ(divisor.divide(x), x / d) << x << " / " << d;
      }
    }
  }
}

}  // namespace
}  // namespace gatun::cuda
