#include "kernels/matmul.h"

#include "kernels/matmul_naive.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

enum class Path { DIRECT, DOTS, PACKED };

// Bounds are where the paths take equal time on a Zen 4 core (bench/native/gemm_bench.cc).
Path choose_path(const Product& p) {
  const bool deep = p.M * p.N <= (32 << 10) && p.K >= 4096;
  if (p.layout.transpose_a) {
    return p.M >= 48 && p.N >= 64 && p.K >= 32 && !deep ? Path::PACKED : Path::DIRECT;
  }
  if (p.layout.transpose_b) {
    if (p.K >= 32 && p.M <= (p.K >= 512 ? 256 : 128)) return Path::DOTS;
    return p.N >= 64 && p.K >= 32 ? Path::PACKED : Path::DIRECT;
  }
  return p.M >= 96 && p.N >= 64 && p.K > 256 && !deep ? Path::PACKED : Path::DIRECT;
}

}  // namespace

void multiply(Launcher& launcher, const Product& product) {
  if (product.M == 0 || product.N == 0) return;
  switch (choose_path(product)) {
    case Path::DIRECT:
      return multiply_direct(launcher, product);
    case Path::DOTS:
      return multiply_by_dots(launcher, product);
    case Path::PACKED:
      return multiply_packed(launcher, product);
  }
}

void matmul(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
            const Tensor* bias, MatmulLayout layout, Activation activation) {
  if (y.dtype == DType::BF16) return matmul_bf16(launcher, y, a, b, bias, layout, activation);
  if (y.dtype == DType::F64) {
    return naive::matmul<double>(launcher, y, a, b, bias, layout, activation);
  }
  multiply(launcher, {.y = y.as<float>(),
                      .a = a.as<float>(),
                      .b = b.as<float>(),
                      .bias = bias == nullptr ? nullptr : bias->as<float>(),
                      .M = y.dims[0],
                      .N = y.dims[1],
                      .K = layout.transpose_a ? a.dims[0] : a.dims[1],
                      .layout = layout,
                      .activation = activation});
}

}  // namespace gatun::kernels
