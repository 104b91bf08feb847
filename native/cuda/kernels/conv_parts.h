// Parts of convolution that are not products.
#pragma once

#include "cuda/queue.h"
#include "kernels/conv.h"

namespace gatun::cuda {

// What an epilogue's moments and sums ask for, of the result y that lies in memory.
void sum_channels(Queue& queue, const Tensor& y, const gatun::kernels::Epilogue& epilogue);

// Each channel with a filter of its own.
namespace depthwise {

template <typename T>
void conv2d(Queue& queue, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor* bias,
            const gatun::kernels::ConvGeometry& g, const gatun::kernels::Epilogue& epilogue);
template <typename T>
void conv2d_backward_data(Queue& queue, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const gatun::kernels::ConvGeometry& g,
                          const gatun::kernels::Epilogue& epilogue);
// dw is f32 beside bf16.
template <typename T>
void conv2d_backward_weights(Queue& queue, const Tensor& dw, const Tensor& x, const Tensor& dy,
                             const gatun::kernels::ConvGeometry& g);

}  // namespace depthwise
}  // namespace gatun::cuda
