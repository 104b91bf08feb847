// The matrix product. f32 runs on the micro-kernels of gemm.h, f64 on the plain loops of
// matmul_naive.h.
#pragma once

#include <optional>

#include "core/launcher.h"
#include "core/tensor.h"
#include "kernels/activation.h"

namespace gatun::kernels {

// How a product reads its operands: A is a or its transpose, B is b or its transpose.
struct MatmulLayout {
  bool transpose_a = false;
  bool transpose_b = false;
};

// y [M,N] = activation(A B + bias)
void matmul(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
            const Tensor* bias, MatmulLayout layout, Activation activation);
void matmul_bf16(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
                 const Tensor* bias, MatmulLayout layout, Activation activation);

// The same on plain memory, for drivers that see a product in other shapes: row-major and dense.
struct Product {
  float* y = nullptr;
  const float* a = nullptr;
  const float* b = nullptr;
  const float* bias = nullptr;
  int64_t M = 0, N = 0, K = 0;
  MatmulLayout layout = {};
  Activation activation = Activation::NONE;
  int64_t a_row = 0;  // elements between the rows of a transposed a, if they are not dense
  // Where a and b are if they lie in scratch memory.
  std::optional<Scratch<float>> a_scratch = {}, b_scratch = {};

  int64_t row_of_a() const { return a_row == 0 ? M : a_row; }
  Product located(const Context& context) const {
    Product p = *this;
    if (a_scratch) p.a = context.at(*a_scratch);
    if (b_scratch) p.b = context.at(*b_scratch);
    return p;
  }
};
void multiply(Launcher& launcher, const Product& product);

}  // namespace gatun::kernels
