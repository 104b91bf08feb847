// Which algorithm computes a convolution.
#include "kernels/conv.h"

namespace gatun::kernels {

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, Activation activation, ConvAlgorithm) {
  direct::conv2d(launcher, y, x, w, bias, g, activation);
}

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, ConvAlgorithm) {
  direct::conv2d_backward_data(launcher, dx, dy, w, g);
}

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g, ConvAlgorithm) {
  direct::conv2d_backward_weights(launcher, dw, x, dy, g);
}

}  // namespace gatun::kernels
