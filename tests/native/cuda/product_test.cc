// Products by tiles of every size and form: they are right, and have the same bits.
#include "cuda/kernels/product.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <type_traits>
#include <vector>

namespace gatun::cuda {
namespace {

template <typename T>
T number(std::mt19937& random) {
  const auto value = static_cast<float>(std::uniform_real_distribution<double>(-1, 1)(random));
  if constexpr (sizeof(T) == 2) {
    return to_bf16(value);
  } else {
    return value;
  }
}

// A matrix at a place aligned to 16 bytes.
template <typename T>
struct Matrix {
  int64_t rows, columns;
  std::vector<T> memory;
  T* data;

  Matrix(int64_t r, int64_t c, uint32_t seed = 0) : rows(r), columns(c), memory(r * c + 16) {
    data = memory.data();
    while (reinterpret_cast<uintptr_t>(data) % 16 != 0) ++data;
    std::mt19937 random(seed);
    for (int64_t i = 0; i < r * c; ++i) data[i] = number<T>(random);
  }
  MatrixSource<T> source() const {
    return {Global<const T>(data, rows * columns), rows, columns, columns};
  }
};

// P is what is multiplied in: the elements' type, or Tf32.
template <typename P>
struct Case {
  static constexpr int64_t kRows = 136, kColumns = 152, kDepth = 88;
  using T = typename EngineOf<P, 64, 64, true, true>::Type::Element;
  static constexpr int kTypeBytes = sizeof(T);
  using Y = WideOf<T>;  // not rounded, so that bits tell sums apart

  bool a_along_depth, b_along_depth;
  Matrix<T> a{a_along_depth ? kRows : kDepth, a_along_depth ? kDepth : kRows, 1};
  Matrix<T> b{b_along_depth ? kColumns : kDepth, b_along_depth ? kDepth : kColumns, 2};

  double expected(int64_t row, int64_t column) const {
    double sum = 0;
    for (int64_t k = 0; k < kDepth; ++k) {
      sum += factor(a.data[a_along_depth ? row * kDepth + k : k * kRows + row]) *
             factor(b.data[b_along_depth ? column * kDepth + k : k * kColumns + column]);
    }
    return sum;
  }
  static double factor(T x) {
    if constexpr (std::is_same_v<P, Tf32>) {
      return std::bit_cast<float>(to_tf32(x));
    } else {
      return static_cast<double>(widen(x));
    }
  }

  template <bool a_depth, bool b_depth, int rows, int columns>
  std::vector<Y> run() const {
    using Engine = typename EngineOf<P, rows, columns, a_depth, b_depth>::Type;
    std::vector<Y> y(kRows * kColumns);
    Product<MatrixSource<T>, MatrixSource<T>, EvenRows, Y> product{.a = a.source(),
                                                                   .b = b.source(),
                                                                   .place = {kColumns},
                                                                   .finish = {},
                                                                   .rows = kRows,
                                                                   .columns = kColumns,
                                                                   .depth = kDepth};
    product.finish.y = Global<Y>(y.data(), kRows * kColumns);
    const Grid grid{
        .blocks = {((kRows + rows - 1) / rows) * ((kColumns + columns - 1) / columns)},
        .threads = {Engine::kThreads},
        .shared_bytes = int64_t{kStages} * (rows + columns) * Engine::kDepth * kTypeBytes};
    emulation::run(grid, [&] {
      product_kernel<Engine, MatrixSource<T>, MatrixSource<T>, a_depth, b_depth, rows, columns,
                     EvenRows, Y>(product, Cut{1, kDepth + 8}, {});
    });
    return y;
  }
};

template <typename P, bool a_depth, bool b_depth>
void expect_alike() {
  const Case<P> example{a_depth, b_depth};
  const auto large = example.template run<a_depth, b_depth, 128, 128>();
  for (int64_t i = 0; i < Case<P>::kRows; ++i) {
    for (int64_t j = 0; j < Case<P>::kColumns; ++j) {
      ASSERT_NEAR(large[i * Case<P>::kColumns + j], example.expected(i, j), 1e-5) << i << ", " << j;
    }
  }
  EXPECT_EQ((example.template run<a_depth, b_depth, 64, 64>()), large);
  EXPECT_EQ((example.template run<a_depth, b_depth, 128, 32>()), large);
}

TEST(CudaProduct, HasTheSameBitsByEveryTile) {
  expect_alike<float, true, true>();
  expect_alike<float, true, false>();
  expect_alike<float, false, true>();
  expect_alike<float, false, false>();
}

TEST(CudaProduct, HasTheSameBitsByEveryTileOfTensorCores) {
  expect_alike<Bf16, true, true>();
  expect_alike<Bf16, true, false>();
  expect_alike<Bf16, false, true>();
  expect_alike<Bf16, false, false>();
}

TEST(CudaProduct, HasTheSameBitsByEveryTileInTf32) {
  expect_alike<Tf32, true, true>();
  expect_alike<Tf32, true, false>();
  expect_alike<Tf32, false, true>();
  expect_alike<Tf32, false, false>();
}

TEST(CudaProduct, IsCutByItsShapeAlone) {
  const auto parts = [](int64_t rows, int64_t columns, int64_t depth) {
    return int64_t{cut_of(1, rows, columns, depth, tile_of(rows, columns, true)).count};
  };
  EXPECT_EQ(parts(64, 64, 255), 1);
  EXPECT_EQ(parts(64, 64, 512), 2);
  EXPECT_EQ(parts(144, 16, 131072), 128);  // the weights of a first layer
  EXPECT_EQ(parts(8192, 8192, 8192), 1);
  EXPECT_EQ(parts(64, 64, 0), 1);
  for (const int64_t depth : {1, 31, 257, 1000, 4097, 100'000}) {
    const Cut cut = cut_of(1, 64, 64, depth, TileSize::SMALL);
    EXPECT_EQ(cut.terms % 32, 0);
    EXPECT_GE(cut.count * cut.terms, depth);
    EXPECT_LT((cut.count - 1) * cut.terms, depth);
  }
}

}  // namespace
}  // namespace gatun::cuda
