// Which algorithm computes a convolution.
#include <utility>

#include "kernels/conv.h"

namespace gatun::kernels {

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, const Epilogue& epilogue, ConvAlgorithm) {
  Epilogue rest = epilogue;
  Activation activation = Activation::NONE;
  // Nothing comes before the activation: tiles apply it to their sums.
  if (rest.addend == nullptr) std::swap(activation, rest.activation);
  direct::conv2d(launcher, y, x, w, bias, g, activation);
  run_epilogue(launcher, y, rest);
}

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue, ConvAlgorithm) {
  direct::conv2d_backward_data(launcher, dx, dy, w, g);
  run_epilogue(launcher, dx, epilogue);
}

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g, ConvAlgorithm) {
  direct::conv2d_backward_weights(launcher, dw, x, dy, g);
}

}  // namespace gatun::kernels
