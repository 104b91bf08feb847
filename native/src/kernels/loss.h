// Softmax and cross-entropy: the launch functions. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void softmax(Launcher& launcher, const Tensor& y, const Tensor& x);
void log_softmax(Launcher& launcher, const Tensor& y, const Tensor& x);
void one_hot(Launcher& launcher, const Tensor& y, const Tensor& labels);

// What the softmax of logits is compared with.
struct Wanted {
  const Tensor& targets;        // labels or distributions
  const Tensor* class_weights;  // or NULL
  double label_smoothing;
};

void softmax_cross_entropy(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                           const Tensor& logits, const Wanted& wanted);
// The row of a label that is too large, which makes the loss NaN, gets NaN.
void softmax_cross_entropy_backward(Launcher& launcher, const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss);
// Both.
void softmax_cross_entropy_training(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                                    const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss);

}  // namespace gatun::kernels
