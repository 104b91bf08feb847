// The matrix product without tensor cores: exact f32 and f64, and bf16 computed in f32. A block
// makes a tile of y of 32 x 32 elements, a thread 2 x 2 of them, from tiles in shared memory.
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

constexpr int kTile = 32;   // rows and columns of y
constexpr int kDepth = 16;  // of one step along K
constexpr int kSide = 16;   // threads along each side of the block

struct Shape {
  int64_t M, N, K;
  int64_t a_row, a_step;  // between A's rows, and along one
  int64_t b_step, b_column;
  bool relu;
};

template <typename T>
__global__ void matmul_kernel(Global<T> y, Global<const T> a, Global<const T> b,
                              Global<const T> bias, Shape s) {
  using W = WideOf<T>;
  GATUN_SHARED(W, rows, kTile * (kDepth + 1));
  GATUN_SHARED(W, columns, kDepth * (kTile + 1));
  const int64_t m0 = int64_t{blockIdx.y} * kTile, n0 = int64_t{blockIdx.x} * kTile;
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  W sums[2][2] = {};
  for (int64_t k0 = 0; k0 < s.K; k0 += kDepth) {
    for (int i = ty * kSide + tx; i < kTile * kDepth; i += kSide * kSide) {
      const int64_t m = m0 + i / kDepth, ak = k0 + i % kDepth;
      W value = 0;
      if (m < s.M && ak < s.K) value = widen(a[m * s.a_row + ak * s.a_step]);
      rows[i / kDepth * (kDepth + 1) + i % kDepth] = value;
      const int64_t n = n0 + i % kTile, bk = k0 + i / kTile;
      value = 0;
      if (n < s.N && bk < s.K) value = widen(b[bk * s.b_step + n * s.b_column]);
      columns[i / kTile * (kTile + 1) + i % kTile] = value;
    }
    barrier();
    for (int k = 0; k < kDepth; ++k) {
      for (int i = 0; i < 2; ++i) {
        const W left = rows[(ty + i * kSide) * (kDepth + 1) + k];
        for (int j = 0; j < 2; ++j) {
          const W right = columns[k * (kTile + 1) + tx + j * kSide];
          sums[i][j] = math::fma(left, right, sums[i][j]);
        }
      }
    }
    barrier();
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      const int64_t m = m0 + ty + i * kSide, n = n0 + tx + j * kSide;
      if (m >= s.M || n >= s.N) continue;
      W sum = sums[i][j];
      if (bias) sum += widen(bias[n]);
      if (s.relu && sum < 0) sum = 0;
      y[m * s.N + n] = narrow<T>(sum);
    }
  }
}

}  // namespace

namespace kernels {

void matmul(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor* bias,
            gatun::kernels::MatmulLayout layout, Activation activation) {
  if (y.count == 0) return;
  const int64_t M = y.dims[0], N = y.dims[1], K = layout.transpose_a ? a.dims[0] : a.dims[1];
  const Shape shape{.M = M,
                    .N = N,
                    .K = K,
                    .a_row = layout.transpose_a ? 1 : K,
                    .a_step = layout.transpose_a ? M : 1,
                    .b_step = layout.transpose_b ? 1 : N,
                    .b_column = layout.transpose_b ? K : 1,
                    .relu = activation == Activation::RELU};
  const Grid grid{{static_cast<uint32_t>((N + kTile - 1) / kTile),
                   static_cast<uint32_t>((M + kTile - 1) / kTile)},
                  {kSide, kSide}};
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(matmul_kernel<T>, grid, elements<T>(y), elements<const T>(a), elements<const T>(b),
                 elements<const T>(bias), shape);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
