// Chooses a kernel by the type of a tensor.
#pragma once

#include "core/bf16.h"
#include "core/check.h"

namespace gatun::cuda {

// Calls f(T{}) with the type of a floating tensor.
template <typename F>
void with_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32:
      return f(float{});
    case DType::F64:
      return f(double{});
    case DType::BF16:
      return f(Bf16{});
    default:
      fail(GT_INTERNAL, "[device] not a floating type: ", dtype);
  }
}

// Of a real one.
template <typename F>
void with_real(DType dtype, F&& f) {
  if (dtype == DType::F32) return f(float{});
  if (dtype == DType::F64) return f(double{});
  fail(GT_INTERNAL, "[device] not a real type: ", dtype);
}

}  // namespace gatun::cuda
