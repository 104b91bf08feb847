// Recurrent layers forward: a launch for each step, of all sequences and directions, which a
// program joins in one graph. A block computes all gates of its units, and so their cells.
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/recurrent_step.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::RecurrentTensors;

template <typename T>
struct ForwardStep {
  Cell cell;
  SequenceLayout layout;
  Global<T> y, saved;
  Global<const T> x, skip, weights, bias, mask, keep;
  Global<const T> h, c;  // before the step; absent: zeros
  Global<T> new_h, new_c;
  Global<T> reset, update;  // of GRU_RESET_BEFORE between its products: r (keep h), and z
  int64_t t[2];             // the step of each direction
  int32_t first_gate;       // of those that are computed

  __device__ T state(int64_t b, int32_t d, int64_t i) const {
    return h ? h[layout.state(b, d) + i] : T{0};
  }
  // As the weights read it.
  __device__ T read(int64_t b, int32_t d, int64_t i) const {
    const T value = state(b, d, i);
    return keep ? value * keep[layout.state(b, d) + i] : value;
  }
  __device__ void save(const StepPlace& p, int v, T value) const {
    if (saved) saved[layout.at(t[p.d], p.b, p.d, layout.saved, v) + p.i] = value;
  }

  // The step leaves the state as it is.
  __device__ void pass(const StepPlace& p) const {
    const CellForm form = form_of(cell);
    const int64_t state_at = layout.state(p.b, p.d) + p.i;
    const T value = state(p.b, p.d, p.i);
    T kept = value;
    if (form.has_cell) {
      kept = c ? c[state_at] : T{0};
      new_c[state_at] = kept;
    }
    y[layout.at(t[p.d], p.b, p.d, 1, 0) + p.i] = form.has_skip ? T{0} : value;
    for (int v = 0; v < form.saved; ++v) save(p, v, v == kSavedState ? kept : T{0});
    new_h[state_at] = value;
  }

  // With the products of the state and the weights.
  template <int gates>
  __device__ void finish(const StepPlace& p, const T (&products)[gates]) const {
    const int64_t state_at = layout.state(p.b, p.d) + p.i;
    T a[gates];
    for (int g = 0; g < gates; ++g) {
      a[g] = x[layout.at(t[p.d], p.b, p.d, layout.gates, first_gate + g) + p.i];
      if (cell != Cell::GRU || g != 2) a[g] += products[g];
    }
    const T h_before = state(p.b, p.d, p.i);
    T result = 0, output = 0;
    const auto gru = [&](T r, T z, T n) {
      save(p, 0, r);
      save(p, 1, z);
      save(p, 2, n);
      return (1 - z) * n + z * h_before;
    };
    if constexpr (gates == 1) {
      if (cell == Cell::GRU_RESET_BEFORE) {
        const T reset_gate = reset_gate_of(p);
        result = gru(reset_gate, update[state_at], math::tanh(a[0]));
      } else {
        result = cell == Cell::RELU      ? (a[0] < 0 ? T{0} : a[0])
                 : cell == Cell::SIGMOID ? sigmoid(a[0])
                                         : math::tanh(a[0]);
      }
      output = result;
    } else if constexpr (gates == 2) {
      if (cell == Cell::GRU_RESET_BEFORE) {
        const T r = sigmoid(a[0]);
        reset[state_at] = r * read(p.b, p.d, p.i);
        reset_gates()[state_at] = r;
        update[state_at] = sigmoid(a[1]);
        return;
      }
      const T r = math::tanh(a[0]), g = sigmoid(a[1]);
      save(p, 0, r);
      save(p, 1, g);
      output = result = g * h_before + (1 - g) * r;
    } else if constexpr (gates == 3) {
      const T q = products[2] + (bias ? bias[p.d * layout.units + p.i] : T{0});
      const T r = sigmoid(a[0]), z = sigmoid(a[1]);
      output = result = gru(r, z, math::tanh(a[2] + r * q));
      save(p, 3, q);
    } else if (cell == Cell::LSTM) {
      const T in = sigmoid(a[0]), forget = sigmoid(a[1]);
      const T g = math::tanh(a[2]), out = sigmoid(a[3]);
      const T memory = forget * (c ? c[state_at] : T{0}) + in * g;
      save(p, 0, in);
      save(p, 1, forget);
      save(p, 2, g);
      save(p, 3, out);
      save(p, kSavedState, memory);
      new_c[state_at] = memory;
      output = result = out * math::tanh(memory);
    } else {
      const T y_in = a[0] < 0 ? T{0} : a[0], h_in = math::tanh(a[1]);
      const T gy = sigmoid(a[2]), gh = sigmoid(a[3]);
      output = gy * skip[(t[p.d] * layout.batch + p.b) * layout.units + p.i] + (1 - gy) * y_in;
      result = gh * h_before + (1 - gh) * h_in;
      save(p, 0, y_in);
      save(p, 1, h_in);
      save(p, 2, gy);
      save(p, 3, gh);
      save(p, kSavedState, result);
    }
    y[layout.at(t[p.d], p.b, p.d, 1, 0) + p.i] = output;
    new_h[state_at] = result;
  }

  // r lies behind r (keep h).
  __device__ Global<T> reset_gates() const {
    return reset.at(layout.directions * layout.batch * layout.units);
  }
  __device__ T reset_gate_of(const StepPlace& p) const {
    return reset_gates()[layout.state(p.b, p.d) + p.i];
  }
};

template <typename T, int gates, bool second_product>
__global__ void forward_step_kernel(ForwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  T products[gates] = {};
  add_products<T, gates, false>(
      products, l.units,
      [&](int64_t b, int64_t k) {
        if (b >= l.batch || k >= l.units) return T{0};
        if constexpr (second_product) return T{s.reset[l.state(b, p.d) + k]};
        return s.read(b, p.d, k);
      },
      [&](int g, int64_t i, int64_t k) {
        if (i >= l.units || k >= l.units) return T{0};
        return s.weights[((int64_t{p.d} * l.gates + s.first_gate + g) * l.units + i) * l.units + k];
      });
  if (!p.inside) return;
  if (s.mask && s.mask[s.t[p.d] * l.batch + p.b] == 0) {
    // Where there are two products, the last one's threads do it.
    if (gates != 2 || s.cell == Cell::UGRNN) {
      s.pass(p);
    } else {
      s.reset[l.state(p.b, p.d) + p.i] = 0;
    }
    return;
  }
  s.finish(p, products);
}

template <typename T>
__global__ void copy_states_kernel(Global<T> to, Global<const T> from, int64_t count) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) to[i] = from ? from[i] : T{0};
}

template <typename T>
void forward(Queue& queue, const Sequence& sequence, const RecurrentTensors& o) {
  const CellForm form = sequence.form();
  const SequenceLayout layout(sequence);
  const int64_t states = layout.directions * layout.batch * layout.units;
  if (states == 0) return;
  const Global<const T> first = elements<const T>(o.first);
  const Global<const T> first_cell = elements<const T>(o.first_cell);
  const Global<T> last = elements<T>(o.last), last_cell = elements<T>(o.last_cell);
  if (sequence.steps == 0) {
    queue.launch(copy_states_kernel<T>, elements_grid(states), last, first, states);
    if (form.has_cell) {
      queue.launch(copy_states_kernel<T>, elements_grid(states), last_cell, first_cell, states);
    }
    return;
  }
  ForwardStep<T> step{.cell = sequence.cell,
                      .layout = layout,
                      .y = elements<T>(o.y),
                      .saved = elements<T>(o.saved),
                      .x = elements<const T>(o.x),
                      .skip = elements<const T>(o.skip),
                      .weights = elements<const T>(o.weights),
                      .bias = elements<const T>(o.bias),
                      .mask = elements<const T>(o.mask),
                      .keep = elements<const T>(o.keep),
                      .h = first,
                      .c = first_cell,
                      .new_h = {},
                      .new_c = {},
                      .reset = {},
                      .update = {},
                      .t = {},
                      .first_gate = 0};
  // States of a step and of the next, by turns; a cell's second state stays in its place.
  const Global<T> h[2] = {queue.scratch<T>(states), queue.scratch<T>(states)};
  const Global<T> c = queue.scratch<T>(states);
  if (form.second_product != 0) {
    step.reset = queue.scratch<T>(2 * states);
    step.update = queue.scratch<T>(states);
  }
  const Grid grid = step_grid(layout);
  for (int64_t n = 0; n < sequence.steps; ++n) {
    const bool ends = n == sequence.steps - 1;
    for (int d = 0; d < sequence.directions(); ++d) step.t[d] = sequence.step(d, n);
    step.new_h = ends ? last : h[n % 2];
    step.new_c = ends ? last_cell : c;
    step.first_gate = 0;
    switch (form.second_product != 0 ? form.second_product : form.gates) {
      case 1:
        queue.launch(forward_step_kernel<T, 1, false>, grid, step);
        break;
      case 2:
        queue.launch(forward_step_kernel<T, 2, false>, grid, step);
        break;
      case 3:
        queue.launch(forward_step_kernel<T, 3, false>, grid, step);
        break;
      default:
        queue.launch(forward_step_kernel<T, 4, false>, grid, step);
    }
    if (form.second_product != 0) {
      step.first_gate = form.second_product;
      queue.launch(forward_step_kernel<T, 1, true>, grid, step);
    }
    step.h = step.new_h;
    step.c = step.new_c;
  }
}

}  // namespace

namespace kernels {

void recurrent(Queue& queue, const Sequence& sequence, const RecurrentTensors& o) {
  with_real(o.y->dtype, [&](auto zero) { forward<decltype(zero)>(queue, sequence, o); });
}

}  // namespace kernels
}  // namespace gatun::cuda
