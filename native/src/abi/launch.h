// From an instruction's checks to its kernel, on the device that the launcher belongs to:
// launch::fill(launcher, y, value) calls kernels::fill on a CPU, and the function of the same name
// in the table of libgatun_cuda on a GPU.
#pragma once

#include "core/check.h"
#include "core/launcher.h"
#include "kernels/table.h"

namespace gatun {

// Where the instructions of a CUDA stream go.
struct CudaTarget {
  const CudaKernels* kernels;
  cuda::Queue* queue;
  const char* (*last_message)() noexcept;
};

namespace launch {

template <auto cpu, auto cuda>
struct Kernel;
template <typename... Parameters, void (*cpu)(Launcher&, Parameters...), auto cuda>
struct Kernel<cpu, cuda> {
  const char* name;

  void operator()(Launcher& launcher, Parameters... parameters) const {
    const CudaTarget* target = launcher.cuda();
    if (target == nullptr) return cpu(launcher, parameters...);
    const auto function = target->kernels->*cuda;
    if (function == nullptr) fail(GT_UNSUPPORTED, "[", name, "] not on CUDA yet");
    const gt_status status = function(*target->queue, parameters...);
    if (status != GT_OK) fail(status, target->last_message());
  }
};

#define GATUN_KERNEL_LAUNCH(name) \
  inline constexpr Kernel<kernels::name, &CudaKernels::name> name{#name};
GATUN_KERNELS(GATUN_KERNEL_LAUNCH)
#undef GATUN_KERNEL_LAUNCH

}  // namespace launch
}  // namespace gatun
