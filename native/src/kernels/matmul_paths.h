// The ways to compute a product. Which one is taken depends on the shape alone, since they sum in
// different orders.
#pragma once

#include "kernels/matmul.h"

namespace gatun::kernels {

// Both operands packed, in blocks of depth: large products, and transposed operands that would
// throw each other out of the cache.
void multiply_packed(Launcher& launcher, const Product& p);

// Operands where they lie, B packed only where it cannot be read so. Products of little height or
// little depth; and, depth cut into parts that are added up in the end, those of nothing but depth.
void multiply_direct(Launcher& launcher, const Product& p);

// A B^T as dot products of rows, which need no packing: a dense layer forward. A is not transposed.
void multiply_by_dots(Launcher& launcher, const Product& p);

}  // namespace gatun::kernels
