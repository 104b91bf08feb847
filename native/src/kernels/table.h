// The launch functions as a list, for devices that bring their own. An entry of the list is the
// name of an instruction and of its function in kernels::.
#pragma once

#include <cstdint>

#include "kernels/activate.h"
#include "kernels/adaptive.h"
#include "kernels/batch_norm.h"
#include "kernels/conv.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/elementwise_chain.h"
#include "kernels/gather.h"
#include "kernels/group_norm.h"
#include "kernels/layer_norm.h"
#include "kernels/loss.h"
#include "kernels/matmul.h"
#include "kernels/movement.h"
#include "kernels/optimizer.h"
#include "kernels/pictures.h"
#include "kernels/pool.h"
#include "kernels/recurrent.h"
#include "kernels/reduce.h"

#define GATUN_KERNELS(KERNEL)            \
  KERNEL(fill)                           \
  KERNEL(copy)                           \
  KERNEL(permute)                        \
  KERNEL(slice)                          \
  KERNEL(concat)                         \
  KERNEL(subsample_pad)                  \
  KERNEL(subsample_pad_backward)         \
  KERNEL(gather_rows)                    \
  KERNEL(scatter_add_rows)               \
  KERNEL(gather_pictures)                \
  KERNEL(unary)                          \
  KERNEL(binary)                         \
  KERNEL(affine)                         \
  KERNEL(elementwise)                    \
  KERNEL(activate)                       \
  KERNEL(activate_backward)              \
  KERNEL(reduce)                         \
  KERNEL(argmax)                         \
  KERNEL(matmul)                         \
  KERNEL(conv2d)                         \
  KERNEL(conv2d_backward_data)           \
  KERNEL(conv2d_backward_weights)        \
  KERNEL(batch_norm_training)            \
  KERNEL(batch_norm_backward)            \
  KERNEL(batch_norm_inference)           \
  KERNEL(layer_norm)                     \
  KERNEL(layer_norm_backward)            \
  KERNEL(group_norm)                     \
  KERNEL(group_norm_backward)            \
  KERNEL(recurrent)                      \
  KERNEL(recurrent_backward)             \
  KERNEL(max_pool)                       \
  KERNEL(max_pool_backward)              \
  KERNEL(average_pool)                   \
  KERNEL(average_pool_backward)          \
  KERNEL(dropout)                        \
  KERNEL(one_hot)                        \
  KERNEL(softmax)                        \
  KERNEL(log_softmax)                    \
  KERNEL(softmax_cross_entropy)          \
  KERNEL(softmax_cross_entropy_backward) \
  KERNEL(softmax_cross_entropy_training) \
  KERNEL(norm)                           \
  KERNEL(clip_by_norm)                   \
  KERNEL(clip_rows)                      \
  KERNEL(lerp)                           \
  KERNEL(sgd_step)                       \
  KERNEL(adam_step)                      \
  KERNEL(adaptive_step)

namespace gatun {

namespace cuda {
class Queue;
}

// The function of an instruction on CUDA: the CPU's, with a queue in the place of the launcher, and
// a status in the place of an exception.
template <typename LaunchFunction>
struct OnCuda;
template <typename... Parameters>
struct OnCuda<void(Launcher&, Parameters...)> {
  using Function = gt_status (*)(cuda::Queue&, Parameters...) noexcept;
};

// NULL where CUDA does not have an instruction.
struct CudaKernels {
#define GATUN_KERNEL_ENTRY(name) OnCuda<decltype(kernels::name)>::Function name = nullptr;
  GATUN_KERNELS(GATUN_KERNEL_ENTRY)
#undef GATUN_KERNEL_ENTRY
};

// Tells a table with other entries, or other sizes of what they take, from this one.
constexpr uint64_t cuda_kernels_layout() {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
#define GATUN_KERNEL_NAME(name) #name "\n"
  for (const char* c = GATUN_KERNELS(GATUN_KERNEL_NAME); *c != '\0'; ++c) add(*c);
#undef GATUN_KERNEL_NAME
  for (const uint64_t size :
       {sizeof(Tensor), sizeof(kernels::Epilogue), sizeof(kernels::AdaptiveTensors),
        sizeof(kernels::AdaptiveRule), sizeof(kernels::PictureRule), sizeof(kernels::PoolGeometry),
        sizeof(kernels::SgdRule), sizeof(kernels::Sequence)}) {
    add(size);
  }
  return hash;
}

}  // namespace gatun
