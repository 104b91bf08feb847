// Recurrent layers: a whole sequence in one instruction. A cell is a form (how many gates, what it
// keeps) and formulas per unit; everything else is one engine. Contracts are in gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

enum class Cell : int32_t {
  TANH = GT_CELL_TANH,
  RELU = GT_CELL_RELU,
  SIGMOID = GT_CELL_SIGMOID,
  UGRNN = GT_CELL_UGRNN,
  GRU = GT_CELL_GRU,
  GRU_RESET_BEFORE = GT_CELL_GRU_RESET_BEFORE,
  LSTM = GT_CELL_LSTM,
  INTERSECTION = GT_CELL_INTERSECTION,
};

enum class Direction : int32_t {
  FORWARD = GT_DIRECTION_FORWARD,
  REVERSE = GT_DIRECTION_REVERSE,
  BOTH = GT_DIRECTION_BOTH,
};

// What the engine must know of a cell.
struct CellForm {
  int gates = 1;           // products of the state with H rows of weights each
  int saved = 0;           // values per unit and step that the gradient reads
  bool has_cell = false;   // a second state
  bool has_skip = false;   // reads the input itself, and has an output apart from its state
  bool has_bias = false;   // an offset inside the reset gate
  int second_product = 0;  // the gates from here on read the state times the reset gate; 0: none

  // The gates before this one are normalised together, and so are those from it on.
  constexpr int norm_border() const { return has_bias || second_product != 0 ? 2 : gates; }
};

constexpr CellForm form_of(Cell cell) {
  switch (cell) {
    case Cell::UGRNN:
      return {.gates = 2, .saved = 2};
    case Cell::GRU:
      return {.gates = 3, .saved = 4, .has_bias = true};
    case Cell::GRU_RESET_BEFORE:
      return {.gates = 3, .saved = 3, .second_product = 2};
    case Cell::LSTM:
      return {.gates = 4, .saved = 5, .has_cell = true};
    case Cell::INTERSECTION:
      return {.gates = 4, .saved = 5, .has_skip = true};
    default:
      return {};
  }
}

// The saved value that is a state (the LSTM's second, the intersection cell's only one).
constexpr int kSavedState = 4;

struct Sequence {
  Cell cell;
  Direction direction;
  int64_t steps, batch, units;
  bool normalised = false;  // there is a gain
  double epsilon = 0;

  CellForm form() const { return form_of(cell); }
  // Values per unit and step that the gradient reads; with a gain the products come last.
  int saved() const { return form().saved + (normalised ? form().gates : 0); }
  int directions() const { return direction == Direction::BOTH ? 2 : 1; }
  bool reversed(int d) const { return direction == Direction::REVERSE || d == 1; }
  // The step that comes `i`-th in direction d.
  int64_t step(int d, int64_t i) const { return reversed(d) ? steps - 1 - i : i; }
};

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

// Absent operands are NULL. [T,B,...] tensors hold direction after direction in their last axis.
template <typename T>
struct RecurrentOperands {
  T *y, *last, *last_cell, *saved;
  const T *x, *skip, *weights, *bias, *gain, *first, *first_cell, *mask, *keep;
};

template <typename T>
struct RecurrentGradients {
  T *dx, *dskip, *dweights, *dbias, *dgain, *dfirst, *dfirst_cell;
  const T *dy, *dlast, *dlast_cell, *y, *saved, *skip, *weights, *gain, *first, *first_cell, *mask,
      *keep;
};

// The same as tensors, all of y's type.
struct RecurrentTensors {
  const Tensor *y, *last, *last_cell, *saved;
  const Tensor *x, *skip, *weights, *bias, *gain, *first, *first_cell, *mask, *keep;
};

struct RecurrentSlopes {
  const Tensor *dx, *dskip, *dweights, *dbias, *dgain, *dfirst, *dfirst_cell;
  const Tensor *dy, *dlast, *dlast_cell, *y, *saved, *skip, *weights, *gain, *first, *first_cell,
      *mask, *keep;
};

void recurrent(Launcher& launcher, const Sequence& sequence, const RecurrentTensors& o);
void recurrent_backward(Launcher& launcher, const Sequence& sequence, const RecurrentSlopes& o);

// f32.
void run_sequence(Launcher& launcher, const Sequence& sequence, const RecurrentOperands<float>& o);
void run_sequence_backward(Launcher& launcher, const Sequence& sequence,
                           const RecurrentGradients<float>& o);

}  // namespace gatun::kernels
