// What a unit of each cell computes in a step, both ways, on values alone: steps that are launched
// one by one and those of a whole sequence have the same bits. Formulas are in gatun.h.
#pragma once

#include "cuda/primitives.h"
#include "kernels/recurrent.h"

namespace gatun::cuda {

using gatun::kernels::Cell;
using gatun::kernels::CellForm;
using gatun::kernels::form_of;
using gatun::kernels::kSavedState;
using gatun::kernels::Sequence;

constexpr int kMostGates = 4, kMostSaved = 5;

template <typename T>
__device__ T sigmoid(T x) {
  return 1 / (1 + math::exp(-x));
}

// After a step: the states, the output, and what the gradient reads.
template <typename T>
struct CellStep {
  T h, c, y;
  T saved[kMostSaved];
};

// The step leaves the states as they are.
template <typename T>
__device__ CellStep<T> skipped_step(Cell cell, T h, T c) {
  const CellForm form = form_of(cell);
  CellStep<T> step{h, c, form.has_skip ? T{0} : h, {}};
  step.saved[kSavedState] = form.has_cell ? c : h;
  return step;
}

template <typename T>
__device__ CellStep<T> gru_step(T r, T z, T n, T h) {
  const T result = (1 - z) * n + z * h;
  return {result, T{0}, result, {r, z, n}};
}

// From x and the products of the state and the weights; `bias` and `skip` are read by those cells
// that have them. GRU_RESET_BEFORE has gru_step instead.
template <typename T, int gates>
__device__ CellStep<T> cell_step(Cell cell, const T (&x)[gates], const T (&products)[gates], T h,
                                 T c, T bias, T skip) {
  if constexpr (gates == 1) {
    const T a = x[0] + products[0];
    const T result = cell == Cell::RELU      ? (a < 0 ? T{0} : a)
                     : cell == Cell::SIGMOID ? sigmoid(a)
                                             : math::tanh(a);
    return {result, T{0}, result, {}};
  } else if constexpr (gates == 2) {
    const T r = math::tanh(x[0] + products[0]), g = sigmoid(x[1] + products[1]);
    const T result = g * h + (1 - g) * r;
    return {result, T{0}, result, {r, g}};
  } else if constexpr (gates == 3) {
    const T q = products[2] + bias;
    const T r = sigmoid(x[0] + products[0]), z = sigmoid(x[1] + products[1]);
    CellStep<T> step = gru_step(r, z, math::tanh(x[2] + r * q), h);
    step.saved[3] = q;
    return step;
  } else {
    const T a0 = x[0] + products[0], a1 = x[1] + products[1];
    const T a2 = x[2] + products[2], a3 = x[3] + products[3];
    if (cell == Cell::LSTM) {
      const T in = sigmoid(a0), forget = sigmoid(a1), g = math::tanh(a2), out = sigmoid(a3);
      const T memory = forget * c + in * g, result = out * math::tanh(memory);
      return {result, memory, result, {in, forget, g, out, memory}};
    }
    const T y_in = a0 < 0 ? T{0} : a0, h_in = math::tanh(a1), gy = sigmoid(a2), gh = sigmoid(a3);
    const T result = gh * h + (1 - gh) * h_in;
    return {result, T{0}, gy * skip + (1 - gy) * y_in, {y_in, h_in, gy, gh, result}};
  }
}

// What the slopes of a step follow from: what it saved, its output, the states before it and the
// input, as far as the cell reads them.
template <typename T>
struct CellMemory {
  T saved[kMostSaved];
  T y, h, c, skip;
};

// The slopes of the gates' sums, of the product inside a GRU's reset gate, and of the states before
// the step but for what flows through the products.
template <typename T>
struct CellSlopes {
  T gates[kMostGates];
  T inside, h, c;
};

// From the slopes of the state after the step, of the second one (dc), and of the output (dy),
// which `into` has in it already where output and state are one.
template <typename T>
__device__ CellSlopes<T> cell_slopes(Cell cell, T into, T dc, T dy, const CellMemory<T>& m) {
  CellSlopes<T> slopes{};
  slopes.c = dc;
  switch (cell) {
    case Cell::UGRNN: {
      const T r = m.saved[0], g = m.saved[1];
      slopes.gates[0] = into * (1 - g) * (1 - r * r);
      slopes.gates[1] = into * (m.h - r) * g * (1 - g);
      slopes.h = into * g;
      return slopes;
    }
    case Cell::GRU:
    case Cell::GRU_RESET_BEFORE: {
      const T r = m.saved[0], z = m.saved[1], n = m.saved[2];
      const T da = into * (1 - z) * (1 - n * n);
      slopes.gates[2] = da;
      slopes.gates[1] = into * (m.h - n) * z * (1 - z);
      // With the reset before the product, its gate's slope is known after that product alone.
      if (cell == Cell::GRU) {
        slopes.gates[0] = da * m.saved[3] * r * (1 - r);
        slopes.inside = da * r;
      }
      slopes.h = into * z;
      return slopes;
    }
    case Cell::LSTM: {
      const T in = m.saved[0], forget = m.saved[1], g = m.saved[2];
      const T out = m.saved[3], bent = math::tanh(m.saved[4]);
      const T slope_c = dc + into * out * (1 - bent * bent);
      slopes.gates[3] = into * bent * out * (1 - out);
      slopes.gates[0] = slope_c * g * in * (1 - in);
      slopes.gates[1] = slope_c * m.c * forget * (1 - forget);
      slopes.gates[2] = slope_c * in * (1 - g * g);
      slopes.c = slope_c * forget;
      return slopes;
    }
    case Cell::INTERSECTION: {
      const T y_in = m.saved[0], h_in = m.saved[1], gy = m.saved[2], gh = m.saved[3];
      slopes.gates[0] = y_in > 0 ? dy * (1 - gy) : T{0};
      slopes.gates[1] = into * (1 - gh) * (1 - h_in * h_in);
      slopes.gates[2] = dy * (m.skip - y_in) * gy * (1 - gy);
      slopes.gates[3] = into * (m.h - h_in) * gh * (1 - gh);
      slopes.h = into * gh;
      return slopes;
    }
    default: {
      const T bend = cell == Cell::RELU      ? (m.y > 0 ? T{1} : T{0})
                     : cell == Cell::SIGMOID ? m.y * (1 - m.y)
                                             : 1 - m.y * m.y;
      slopes.gates[0] = into * bend;
      return slopes;
    }
  }
}

}  // namespace gatun::cuda
