// The matrix product: f32 and f64 exact in their type; bf16, and f32 where tf32 is asked for, on
// tensor cores with sums in f32.
#include <utility>

#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/product_hopper.h"

namespace gatun::cuda {
namespace {

// The rows of an operand run along depth, or along results if it is transposed (A), or not (B).
template <typename T, bool a_along_depth, bool b_along_depth>
void multiply(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor* bias,
              bool relu) {
  using Source = MatrixSource<T>;
  const int64_t rows = y.dims[0], columns = y.dims[1], depth = a.dims[a_along_depth ? 1 : 0];
  const auto source = [](const Tensor& x) {
    return Source{elements<const T>(x), x.dims[0], x.dims[1], x.dims[1]};
  };
  Product<Source, Source, EvenRows, T> product{.a = source(a),
                                               .b = source(b),
                                               .place = {columns},
                                               .finish = {},
                                               .rows = rows,
                                               .columns = columns,
                                               .depth = depth};
  product.finish.y = elements<T>(y);
  product.finish.bias = elements<const T>(bias);
  product.finish.relu = relu;
  product.finish.packs =
      columns % 4 == 0 && reinterpret_cast<uintptr_t>(y.data) % (4 * sizeof(T)) == 0;
  if constexpr (std::is_same_v<T, Bf16>) {
    if (launch_on_hopper(queue, product, a_along_depth, b_along_depth)) return;
  }
  launch_product<T, a_along_depth, b_along_depth, false>(queue, product);
}

}  // namespace

namespace kernels {

void matmul(Queue& queue, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor* bias,
            gatun::kernels::MatmulLayout layout, Activation activation) {
  const bool relu = activation == Activation::RELU;
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (layout.transpose_a && layout.transpose_b) {
      // Seldom: by a transposed copy, so that there are three forms.
      Tensor turned = a;
      std::swap(turned.dims[0], turned.dims[1]);
      turned.data = queue.scratch<T>(a.count).data;
      permute(queue, turned, a, {1, 0});
      multiply<T, true, true>(queue, y, turned, b, bias, relu);
    } else if (layout.transpose_a) {
      multiply<T, false, false>(queue, y, a, b, bias, relu);
    } else if (layout.transpose_b) {
      multiply<T, true, true>(queue, y, a, b, bias, relu);
    } else {
      multiply<T, true, false>(queue, y, a, b, bias, relu);
    }
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
