// Group normalisation: the launch functions. Contracts are in gatun.h.
#pragma once

#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

// Pictures of `places` rows of `channels`.
struct GroupShape {
  int64_t places, channels, groups;

  int64_t each() const { return channels / groups; }
  double count() const { return static_cast<double>(places * each()); }
};

void group_norm(Launcher& launcher, const Tensor& y, const Tensor& mean, const Tensor& inv_std,
                const Tensor& x, const Tensor& gamma, const Tensor& beta, int64_t groups,
                double epsilon);
void group_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor& dgamma,
                         const Tensor& dbeta, const Tensor& dy, const Tensor& x, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, int64_t groups);

}  // namespace gatun::kernels
