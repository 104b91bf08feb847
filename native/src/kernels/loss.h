// Softmax and cross-entropy: the launch functions. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void softmax(Launcher& launcher, const Tensor& y, const Tensor& x);
void softmax_cross_entropy(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                           const Tensor& logits, const Tensor& labels);
// The row of a label that is too large, which makes the loss NaN, gets NaN.
void softmax_cross_entropy_backward(Launcher& launcher, const Tensor& dlogits, const Tensor& logits,
                                    const Tensor& labels, const Tensor& dloss);
// Both.
void softmax_cross_entropy_training(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                                    const Tensor& dlogits, const Tensor& logits,
                                    const Tensor& labels, const Tensor& dloss);

}  // namespace gatun::kernels
