// How a kernel is launched on a GPU.
#pragma once

#include "core/check.h"
#include "cuda/queue.h"

namespace gatun::cuda {

// Unless `status` is success, throws GT_DEVICE_FAILURE with what CUDA calls it, or
// GT_OUT_OF_MEMORY.
void check_cuda(cudaError_t status, const char* what);

// Loads a kernel into the thread's device, which not every driver does while a stream is captured,
// and lets its blocks have so much dynamic shared memory.
void prepare_kernel(const void* kernel, int64_t shared_bytes);

template <typename... Parameters>
Launch make_launch(void (*kernel)(Parameters...), const Grid& grid,
                   const std::tuple<Parameters...>& arguments) {
  const auto* const function = reinterpret_cast<const void*>(kernel);
  prepare_kernel(function, grid.shared_bytes);
  return [=](void* stream) {
    const auto dim = [](const Dim& d) { return dim3(d.x, d.y, d.z); };
    std::apply(
        [&](const Parameters&... values) {
          void* pointers[] = {const_cast<void*>(static_cast<const void*>(&values))...};
          const auto bytes = static_cast<size_t>(grid.shared_bytes);
          const auto queue = static_cast<cudaStream_t>(stream);
          if (grid.resident) {
            check_cuda(cudaLaunchCooperativeKernel(function, dim(grid.blocks), dim(grid.threads),
                                                   pointers, bytes, queue),
                       "cudaLaunchCooperativeKernel");
          } else if (grid.cluster > 1) {
            cudaLaunchAttribute cluster = {};
            cluster.id = cudaLaunchAttributeClusterDimension;
            cluster.val.clusterDim = {grid.cluster, 1, 1};
            cudaLaunchConfig_t config = {};
            config.gridDim = dim(grid.blocks);
            config.blockDim = dim(grid.threads);
            config.dynamicSmemBytes = bytes;
            config.stream = queue;
            config.attrs = &cluster;
            config.numAttrs = 1;
            check_cuda(cudaLaunchKernelExC(&config, function, pointers), "cudaLaunchKernelExC");
          } else {
            check_cuda(cudaLaunchKernel(function, dim(grid.blocks), dim(grid.threads), pointers,
                                        bytes, queue),
                       "cudaLaunchKernel");
          }
        },
        arguments);
  };
}

}  // namespace gatun::cuda
