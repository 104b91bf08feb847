// The vector loops of softmax and cross-entropy, on some rows. f32; sums over rows are in f64.
// Each runs at the best SIMD level.
#pragma once

#include <cstdint>

#include "kernels/loss_naive.h"

namespace gatun::kernels {

// In place if y is x.
void softmax_rows(float* y, const float* x, int64_t rows, int64_t columns);
void log_softmax_rows(float* y, const float* x, int64_t rows, int64_t columns);
naive::CrossEntropy softmax_cross_entropy_rows(const float* logits,
                                               const naive::TargetRows<float>& targets,
                                               int64_t rows);
// The same, and the gradient; scale: dloss / total.
naive::CrossEntropy softmax_cross_entropy_training_rows(float* dlogits, const float* logits,
                                                        const naive::TargetRows<float>& targets,
                                                        int64_t rows, float scale);

}  // namespace gatun::kernels
