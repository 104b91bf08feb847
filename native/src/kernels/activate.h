// Activations with a kernel each way. Contracts: gatun.h.
#pragma once

#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

enum class Function : int32_t {
  LEAKY_RELU = GT_ACTIVATE_LEAKY_RELU,
  ELU = GT_ACTIVATE_ELU,
  GELU = GT_ACTIVATE_GELU,
  GELU_TANH = GT_ACTIVATE_GELU_TANH,
  SILU = GT_ACTIVATE_SILU,
  SOFTPLUS = GT_ACTIVATE_SOFTPLUS,
};

void activate(Launcher& launcher, const Tensor& y, const Tensor& x, Function f, double parameter);
void activate_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& x,
                       Function f, double parameter);

}  // namespace gatun::kernels
