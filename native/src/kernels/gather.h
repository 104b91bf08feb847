// Rows of a table by number, and the sum back into them. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

void gather_rows(Launcher& launcher, const Tensor& y, const Tensor& table, const Tensor& indices);
void scatter_add_rows(Launcher& launcher, const Tensor& dtable, const Tensor& dy,
                      const Tensor& indices);

}  // namespace gatun::kernels
