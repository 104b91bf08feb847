// The instructions that CUDA has: a line each. The function has the parameters of its namesake in
// gatun::kernels, with a queue in the place of the launcher.
#pragma once

#include "cuda/queue.h"
#include "kernels/table.h"

#define GATUN_CUDA_KERNELS(KERNEL)       \
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
  KERNEL(batch_norm_training)            \
  KERNEL(batch_norm_backward)            \
  KERNEL(batch_norm_inference)           \
  KERNEL(layer_norm)                     \
  KERNEL(layer_norm_backward)            \
  KERNEL(group_norm)                     \
  KERNEL(group_norm_backward)            \
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
  KERNEL(matmul)                         \
  KERNEL(conv2d)                         \
  KERNEL(conv2d_backward_data)           \
  KERNEL(conv2d_backward_weights)        \
  KERNEL(recurrent)                      \
  KERNEL(recurrent_backward)             \
  KERNEL(norm)                           \
  KERNEL(clip_by_norm)                   \
  KERNEL(clip_rows)                      \
  KERNEL(lerp)                           \
  KERNEL(sgd_step)                       \
  KERNEL(adam_step)                      \
  KERNEL(adaptive_step)

namespace gatun::cuda {

template <typename LaunchFunction>
struct OnQueue;
template <typename... Parameters>
struct OnQueue<void(Launcher&, Parameters...)> {
  using Function = void(Queue&, Parameters...);
};

namespace kernels {
#define GATUN_CUDA_DECLARATION(name) OnQueue<decltype(::gatun::kernels::name)>::Function name;
GATUN_CUDA_KERNELS(GATUN_CUDA_DECLARATION)
#undef GATUN_CUDA_DECLARATION
}  // namespace kernels

}  // namespace gatun::cuda
