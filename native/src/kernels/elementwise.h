// Functions of one and two operands, element by element. Contracts: gatun.h.
#pragma once

#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

enum class Unary : int32_t {
  NEGATE = GT_UNARY_NEGATE,
  ABS = GT_UNARY_ABS,
  SQUARE = GT_UNARY_SQUARE,
  SQRT = GT_UNARY_SQRT,
  EXP = GT_UNARY_EXP,
  LOG = GT_UNARY_LOG,
  RELU = GT_UNARY_RELU,
  SIGMOID = GT_UNARY_SIGMOID,
  TANH = GT_UNARY_TANH,
  SIGN = GT_UNARY_SIGN,
};

enum class Binary : int32_t {
  ADD = GT_BINARY_ADD,
  SUBTRACT = GT_BINARY_SUBTRACT,
  MULTIPLY = GT_BINARY_MULTIPLY,
  DIVIDE = GT_BINARY_DIVIDE,
  MAXIMUM = GT_BINARY_MAXIMUM,
  MINIMUM = GT_BINARY_MINIMUM,
  GATE = GT_BINARY_GATE,
};

void unary(Launcher& launcher, const Tensor& y, const Tensor& x, Unary op);
// Whether an operand of this shape broadcasts to y's, as NumPy does it.
bool broadcasts(const Tensor& operand, const Tensor& y);
void binary(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b, Binary op);
void affine(Launcher& launcher, const Tensor& y, const Tensor& x, double scale, double shift);

}  // namespace gatun::kernels
