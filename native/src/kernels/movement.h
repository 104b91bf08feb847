// Instructions that move elements. Contracts: gatun.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

using Axes = std::array<int32_t, GT_MAX_RANK>;

void fill(Launcher& launcher, const Tensor& y, double value);
void copy(Launcher& launcher, const Tensor& y, const Tensor& x);
void permute(Launcher& launcher, const Tensor& y, const Tensor& x, const Axes& axes);
void slice(Launcher& launcher, const Tensor& y, const Tensor& x, int32_t axis, int64_t begin);
void concat(Launcher& launcher, const Tensor& y, std::span<const Tensor> inputs, int32_t axis,
            int64_t begin);
void subsample_pad(Launcher& launcher, const Tensor& y, const Tensor& x, int64_t stride);
void subsample_pad_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy, int64_t stride);

}  // namespace gatun::kernels
