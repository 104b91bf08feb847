// The tensors of a recurrent layer as kernels see them: where a step's values lie, both ways.
#pragma once

#include "cuda/kernels/recurrent_cells.h"
#include "cuda/queue.h"

namespace gatun::cuda {

// Where values lie in the tensors of a layer.
struct SequenceLayout {
  int64_t steps, batch, units;
  int32_t directions, gates;
  int32_t saved, cell_saved;  // all that a unit saves, and the cell's part, which comes first
  bool first_reversed;

  explicit SequenceLayout(const Sequence& s)
      : steps(s.steps),
        batch(s.batch),
        units(s.units),
        directions(s.directions()),
        gates(s.form().gates),
        saved(s.saved()),
        cell_saved(s.form().saved),
        first_reversed(s.reversed(0)) {}

  int64_t states() const { return directions * batch * units; }
  // The step that comes `n`-th in direction d; -1 before the first one.
  __device__ int64_t step(int32_t d, int64_t n) const {
    return (first_reversed || d == 1) && n >= 0 ? steps - 1 - n : n;
  }
  // Unit 0 of value v in [T,B,D * values * H].
  __device__ int64_t at(int64_t t, int64_t b, int64_t d, int64_t values, int64_t v) const {
    return ((t * batch + b) * directions + d) * values * units + v * units;
  }
  // Unit 0 in [D,B,H].
  __device__ int64_t state(int64_t b, int64_t d) const { return (d * batch + b) * units; }
};

// One unit of one sequence in one direction.
struct UnitPlace {
  int64_t b, i;
  int32_t d;
};

template <typename T>
struct ForwardTensors {
  Cell cell;
  SequenceLayout layout;
  Global<T> y, saved;
  Global<const T> x, skip, weights, bias, mask, keep;

  __device__ bool masked(int64_t t, const UnitPlace& p) const {
    return mask && mask[t * layout.batch + p.b] == 0;
  }
  __device__ T keep_of(const UnitPlace& p) const {
    return keep ? keep[layout.state(p.b, p.d) + p.i] : T{1};
  }
  __device__ T bias_of(const UnitPlace& p) const {
    return bias ? bias[p.d * layout.units + p.i] : T{0};
  }
  __device__ T skip_of(int64_t t, const UnitPlace& p) const {
    return skip ? skip[(t * layout.batch + p.b) * layout.units + p.i] : T{0};
  }
  // Of gates from `first` on.
  template <int gates>
  __device__ void load_x(T (&values)[gates], int64_t t, const UnitPlace& p, int first = 0) const {
    GATUN_UNROLL
    for (int g = 0; g < gates; ++g) {
      values[g] = x[layout.at(t, p.b, p.d, layout.gates, first + g) + p.i];
    }
  }
  __device__ T weight(int32_t d, int g, int64_t i, int64_t k) const {
    return weights[((int64_t{d} * layout.gates + g) * layout.units + i) * layout.units + k];
  }
  __device__ void store(int64_t t, const UnitPlace& p, const CellStep<T>& step) const {
    y[layout.at(t, p.b, p.d, 1, 0) + p.i] = step.y;
    if (!saved) return;
    GATUN_UNROLL
    for (int v = 0; v < kMostSaved; ++v) {
      if (v < layout.cell_saved) {
        saved[layout.at(t, p.b, p.d, layout.saved, v) + p.i] = step.saved[v];
      }
    }
  }
};

// Before the first step and after the last one.
template <typename T>
struct ForwardStates {
  Global<const T> first, first_cell;
  Global<T> last, last_cell;
};

// Of GRU_RESET_BEFORE: the slopes of its reset gate's sum, and of keep h where the gate resets it.
template <typename T>
struct ResetSlopes {
  T gate, read;
};

// Slopes are dx, the slopes of the gates' sums, save for the GRU's product inside its reset gate.
template <typename T>
struct BackwardTensors {
  Cell cell;
  SequenceLayout layout;
  Global<T> dx, inside;  // inside [T,B,D H]
  Global<const T> dy, y, saved, skip, weights, first, first_cell, mask, keep;
  Global<const T> dlast, dlast_cell;
  Global<T> dfirst, dfirst_cell;

  // -1 if somebody asks for the slopes of the first states.
  __host__ __device__ int64_t last_step() const {
    return dfirst.data != nullptr || dfirst_cell.data != nullptr ? -1 : 0;
  }
  // Of the slopes that flow back through the weights; with a second product, through the first.
  __device__ int products() const { return cell == Cell::GRU_RESET_BEFORE ? 2 : layout.gates; }
  __device__ bool masked(int64_t t, const UnitPlace& p) const {
    return mask && mask[t * layout.batch + p.b] == 0;
  }
  __device__ T keep_of(const UnitPlace& p) const {
    return keep ? keep[layout.state(p.b, p.d) + p.i] : T{1};
  }
  __device__ T dy_of(int64_t t, const UnitPlace& p) const {
    return dy ? T{dy[layout.at(t, p.b, p.d, 1, 0) + p.i]} : T{0};
  }
  // The state after step t; with t = -1 the first one.
  __device__ T state(int64_t t, const UnitPlace& p) const {
    if (t < 0) return first ? first[layout.state(p.b, p.d) + p.i] : T{0};
    if (form_of(cell).has_skip) {
      return saved[layout.at(t, p.b, p.d, layout.saved, kSavedState) + p.i];
    }
    return y[layout.at(t, p.b, p.d, 1, 0) + p.i];
  }
  // Of step t, and the one before it.
  __device__ CellMemory<T> memory(int64_t t, int64_t before, const UnitPlace& p) const {
    const CellForm form = form_of(cell);
    CellMemory<T> m{};
    GATUN_UNROLL
    for (int v = 0; v < kMostSaved; ++v) {
      if (v < layout.cell_saved) m.saved[v] = saved[layout.at(t, p.b, p.d, layout.saved, v) + p.i];
    }
    if (layout.cell_saved == 0) m.y = y[layout.at(t, p.b, p.d, 1, 0) + p.i];
    if (layout.cell_saved > 0 && !form.has_cell) m.h = state(before, p);
    if (form.has_cell && before >= 0) {
      m.c = saved[layout.at(before, p.b, p.d, layout.saved, kSavedState) + p.i];
    } else if (form.has_cell && first_cell) {
      m.c = first_cell[layout.state(p.b, p.d) + p.i];
    }
    if (form.has_skip) m.skip = skip[(t * layout.batch + p.b) * layout.units + p.i];
    return m;
  }
  // The weight by which the slope of unit k's gate g flows into state i.
  __device__ T weight(int32_t d, int g, int64_t i, int64_t k) const {
    return weights[((int64_t{d} * layout.gates + g) * layout.units + k) * layout.units + i];
  }
  // Where a gate's slopes lie that flow back through the weights.
  __device__ T slope(int64_t t, int64_t b, int32_t d, int g, int64_t k) const {
    if (inside && g == 2) return inside[layout.at(t, b, d, 1, 0) + k];
    return dx[layout.at(t, b, d, layout.gates, g) + k];
  }
  // But for the reset gate of GRU_RESET_BEFORE, which put() writes.
  __device__ void store(int64_t t, const UnitPlace& p, const CellSlopes<T>& slopes) const {
    GATUN_UNROLL
    for (int g = 0; g < kMostGates; ++g) {
      if (g < layout.gates && (g > 0 || cell != Cell::GRU_RESET_BEFORE))
        put(t, p, g, slopes.gates[g]);
    }
    if (inside) inside[layout.at(t, p.b, p.d, 1, 0) + p.i] = slopes.inside;
  }
  __device__ void put(int64_t t, const UnitPlace& p, int g, T value) const {
    dx[layout.at(t, p.b, p.d, layout.gates, g) + p.i] = value;
  }
  // The slopes of a step: the state's, the second one's and the output's come in.
  __device__ CellSlopes<T> slopes(bool skipped, T into, T dc, T slope,
                                  const CellMemory<T>& m) const {
    if (!form_of(cell).has_skip) into += slope;
    if (!skipped) return cell_slopes(cell, into, dc, slope, m);
    CellSlopes<T> passed{};
    passed.h = into;
    passed.c = dc;
    return passed;
  }
  // From the slope of r h, where h is the state as the weights read it.
  __device__ ResetSlopes<T> reset_slopes(int64_t t, const UnitPlace& p, T slope, T h) const {
    if (masked(t, p)) return {};
    const T r = saved[layout.at(t, p.b, p.d, layout.saved, 0) + p.i];
    return {slope * h * r * (1 - r), slope * r};
  }
};

}  // namespace gatun::cuda
