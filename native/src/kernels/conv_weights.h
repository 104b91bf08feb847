#pragma once

#include "kernels/conv.h"

namespace gatun::kernels {

// The weight gradient in f32 where x has few channels: those of all taps of a kernel row, side by
// side, are the rows of a tile, and output channels its vectors.
void conv2d_backward_weights_narrow(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                    const Tensor& dy, const ConvGeometry& g);

}  // namespace gatun::kernels
