// The optimizer's passes over slabs: the launch functions. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void norm(Launcher& launcher, const Tensor& norm, const Tensor& x);
void clip_by_norm(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& norm,
                  double max_norm);

struct SgdRule {
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

// Both velocities are given, or neither.
void sgd_step(Launcher& launcher, const Tensor& new_parameter, const Tensor* new_velocity,
              const Tensor& parameter, const Tensor* velocity, const Tensor& gradient,
              const Tensor& learning_rate, const SgdRule& rule);

}  // namespace gatun::kernels
