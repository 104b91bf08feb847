// The gradients of recurrent layers: a launch for each step back through time, then the gradients
// of the weights as products over all steps.
#include <algorithm>

#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/product.h"
#include "cuda/kernels/recurrent_step.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::RecurrentSlopes;

// Slopes are dx, the slopes of the gates' sums, save for the GRU's product inside its reset gate.
template <typename T>
struct BackwardStep {
  Cell cell;
  SequenceLayout layout;
  Global<T> dx, inside;  // inside [T,B,D H]
  Global<const T> dy, y, saved, skip, weights, first, first_cell, mask, keep;
  Global<T> dh, dc;  // slopes of the states that a step has passed on, [D,B,H]
  Global<T> dreset;  // of GRU_RESET_BEFORE: slopes by way of r (keep h)
  Global<T> dfirst, dfirst_cell;
  int64_t t[2], before[2], after[2];  // steps of each direction; -1: none

  __device__ T saved_at(const StepPlace& p, int v) const {
    return saved[layout.at(t[p.d], p.b, p.d, layout.saved, v) + p.i];
  }
  // The state before the step, and the LSTM's second one.
  __device__ T h_before(const StepPlace& p) const {
    const int64_t at = before[p.d];
    if (at < 0) return first ? first[layout.state(p.b, p.d) + p.i] : T{0};
    if (form_of(cell).has_skip) {
      return saved[layout.at(at, p.b, p.d, layout.saved, kSavedState) + p.i];
    }
    return y[layout.at(at, p.b, p.d, 1, 0) + p.i];
  }
  __device__ T c_before(const StepPlace& p) const {
    const int64_t at = before[p.d];
    if (at < 0) return first_cell ? first_cell[layout.state(p.b, p.d) + p.i] : T{0};
    return saved[layout.at(at, p.b, p.d, layout.saved, kSavedState) + p.i];
  }
  __device__ T keep_of(const StepPlace& p) const {
    return keep ? keep[layout.state(p.b, p.d) + p.i] : T{1};
  }
  __device__ bool masked(const StepPlace& p) const {
    return mask && mask[t[p.d] * layout.batch + p.b] == 0;
  }
  __device__ void put(const StepPlace& p, int gate, T value) const {
    dx[layout.at(t[p.d], p.b, p.d, layout.gates, gate) + p.i] = value;
  }
  __device__ void put_inside(const StepPlace& p, T value) const {
    if (inside) inside[layout.at(t[p.d], p.b, p.d, 1, 0) + p.i] = value;
  }

  // From the slope of the state after the step; `slope` is dy.
  __device__ void finish(const StepPlace& p, T into, T slope) const {
    const int64_t at = layout.state(p.b, p.d) + p.i;
    if (masked(p)) {
      for (int g = 0; g < layout.gates; ++g) put(p, g, 0);
      put_inside(p, 0);
      dh[at] = into;
      return;
    }
    const T h = h_before(p);
    T passed = 0;
    switch (cell) {
      case Cell::UGRNN: {
        const T r = saved_at(p, 0), g = saved_at(p, 1);
        put(p, 0, into * (1 - g) * (1 - r * r));
        put(p, 1, into * (h - r) * g * (1 - g));
        passed = into * g;
        break;
      }
      case Cell::GRU:
      case Cell::GRU_RESET_BEFORE: {
        const T r = saved_at(p, 0), z = saved_at(p, 1), n = saved_at(p, 2);
        const T da = into * (1 - z) * (1 - n * n);
        put(p, 2, da);
        put(p, 1, into * (h - n) * z * (1 - z));
        if (cell == Cell::GRU) {
          put(p, 0, da * saved_at(p, 3) * r * (1 - r));
          put_inside(p, da * r);
        }
        passed = into * z;
        break;
      }
      case Cell::LSTM: {
        const T in = saved_at(p, 0), forget = saved_at(p, 1), g = saved_at(p, 2);
        const T out = saved_at(p, 3), bent = math::tanh(saved_at(p, 4));
        const T slope_c = dc[at] + into * out * (1 - bent * bent);
        put(p, 3, into * bent * out * (1 - out));
        put(p, 0, slope_c * g * in * (1 - in));
        put(p, 1, slope_c * c_before(p) * forget * (1 - forget));
        put(p, 2, slope_c * in * (1 - g * g));
        dc[at] = slope_c * forget;
        break;
      }
      case Cell::INTERSECTION: {
        const T y_in = saved_at(p, 0), h_in = saved_at(p, 1);
        const T gy = saved_at(p, 2), gh = saved_at(p, 3);
        const T x = skip[(t[p.d] * layout.batch + p.b) * layout.units + p.i];
        put(p, 0, y_in > 0 ? slope * (1 - gy) : T{0});
        put(p, 1, into * (1 - gh) * (1 - h_in * h_in));
        put(p, 2, slope * (x - y_in) * gy * (1 - gy));
        put(p, 3, into * (h - h_in) * gh * (1 - gh));
        passed = into * gh;
        break;
      }
      default: {
        const T value = y[layout.at(t[p.d], p.b, p.d, 1, 0) + p.i];
        const T bend = cell == Cell::RELU      ? (value > 0 ? T{1} : T{0})
                       : cell == Cell::SIGMOID ? value * (1 - value)
                                               : 1 - value * value;
        put(p, 0, into * bend);
      }
    }
    dh[at] = passed;
  }
};

// What flows from the step after this one into its state, and on through this step's cell. With
// t = -1 it ends in the first state.
template <typename T>
__global__ void backward_step_kernel(BackwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  const CellForm form = form_of(s.cell);
  const int64_t after = s.after[p.d];
  T sums[1] = {};
  const int gates = form.second_product != 0 ? form.second_product : form.gates;
  for (int g = 0; after >= 0 && g < gates; ++g) {
    const bool inside = form.has_bias && g == 2;
    add_products<T, 1, true>(
        sums, l.units,
        [&](int64_t b, int64_t k) {
          if (b >= l.batch || k >= l.units) return T{0};
          if (inside) return T{s.inside[l.at(after, b, p.d, 1, 0) + k]};
          return T{s.dx[l.at(after, b, p.d, l.gates, g) + k]};
        },
        [&](int, int64_t i, int64_t k) {
          if (i >= l.units || k >= l.units) return T{0};
          return s.weights[((int64_t{p.d} * l.gates + g) * l.units + k) * l.units + i];
        });
  }
  if (!p.inside) return;
  const int64_t at = l.state(p.b, p.d) + p.i;
  if (s.dreset && after >= 0) sums[0] += s.dreset[at];
  T into = s.dh[at] + sums[0] * s.keep_of(p);
  const int64_t t = s.t[p.d];
  if (t < 0) {
    if (s.dfirst) s.dfirst[at] = into;
    if (s.dfirst_cell) s.dfirst_cell[at] = s.dc[at];
    return;
  }
  const T slope = s.dy ? T{s.dy[l.at(t, p.b, p.d, 1, 0) + p.i]} : T{0};
  if (!form.has_skip) into += slope;
  s.finish(p, into, slope);
}

// Of GRU_RESET_BEFORE: through its second product into the reset gate.
template <typename T>
__global__ void reset_step_kernel(BackwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  const int64_t t = s.t[p.d];
  T sums[1] = {};
  add_products<T, 1, true>(
      sums, l.units,
      [&](int64_t b, int64_t k) {
        return b >= l.batch || k >= l.units ? T{0} : T{s.dx[l.at(t, b, p.d, l.gates, 2) + k]};
      },
      [&](int, int64_t i, int64_t k) {
        if (i >= l.units || k >= l.units) return T{0};
        return s.weights[((int64_t{p.d} * l.gates + 2) * l.units + k) * l.units + i];
      });
  if (!p.inside) return;
  const int64_t at = l.state(p.b, p.d) + p.i;
  if (s.masked(p)) {
    s.dreset[at] = 0;
    return;
  }
  const T r = s.saved_at(p, 0);
  s.put(p, 0, sums[0] * s.h_before(p) * s.keep_of(p) * r * (1 - r));
  s.dreset[at] = sums[0] * r;
}

// What the weights have read: keep h, to read [D,T B,H], and times r to reset.
template <typename T>
__global__ void read_kernel(Global<T> read, Global<T> reset, BackwardStep<T> s, int64_t steps,
                            bool first_reversed) {
  const SequenceLayout& l = s.layout;
  const int64_t rows = steps * l.batch, count = l.directions * rows * l.units;
  for (int64_t e = grid_thread(); e < count; e += grid_threads()) {
    const int64_t row = e / l.units % rows, d = e / l.units / rows;
    const int64_t t = row / l.batch, before = first_reversed || d == 1 ? t + 1 : t - 1;
    StepPlace p(l);
    p.b = row % l.batch;
    p.i = e % l.units;
    p.d = static_cast<int32_t>(d);
    s.t[p.d] = t;
    s.before[p.d] = before < steps ? before : -1;
    const T value = s.h_before(p) * s.keep_of(p);
    read[e] = value;
    if (reset) reset[e] = s.masked(p) ? T{0} : value * s.saved_at(p, 0);
  }
}

// dskip [T,B,H] of both directions.
template <typename T>
__global__ void skip_kernel(Global<T> dskip, BackwardStep<T> s, int64_t steps) {
  const SequenceLayout& l = s.layout;
  for (int64_t e = grid_thread(); e < steps * l.batch * l.units; e += grid_threads()) {
    const int64_t i = e % l.units, b = e / l.units % l.batch, t = e / l.units / l.batch;
    T sum = 0;
    if (s.dy && !(s.mask && s.mask[t * l.batch + b] == 0)) {
      for (int32_t d = 0; d < l.directions; ++d) {
        sum += s.dy[l.at(t, b, d, 1, 0) + i] * s.saved[l.at(t, b, d, l.saved, 2) + i];
      }
    }
    dskip[e] = sum;
  }
}

constexpr int kDown = 8;  // rows at a time

// Sums of the columns of x [rows, columns], in f64; a block for 32 of them.
template <typename T>
__global__ void sum_rows_kernel(Global<T> sums, Global<const T> x, int64_t rows, int64_t columns) {
  GATUN_SHARED(double, room, kWarp* kDown);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int64_t column = int64_t{blockIdx.x} * kWarp + tx;
  double sum = 0;
  for (int64_t row = ty; row < rows && column < columns; row += kDown) {
    sum += x[row * columns + column];
  }
  room[ty * kWarp + tx] = sum;
  barrier();
  if (ty != 0 || column >= columns) return;
  for (int k = 1; k < kDown; ++k) sum += room[k * kWarp + tx];
  sums[column] = static_cast<T>(sum);
}

template <typename T>
__global__ void start_kernel(Global<T> to, Global<const T> from, int64_t count) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) to[i] = from ? from[i] : T{0};
}

// dweights of `count` gates from `gate` on, of all directions: slopes [T B, D `slope_gates` H] of
// gates from `slope_gate` on, and what they have read.
template <typename T>
void weights_gradient(Queue& queue, const SequenceLayout& l, int64_t rows, Global<T> dweights,
                      int64_t gate, int64_t count, Global<const T> slopes, int64_t slope_gate,
                      int64_t slope_gates, Global<const T> read) {
  const int64_t H = l.units;
  using Source = MatrixSource<T>;
  Product<Source, Source, EvenRows, T> product{
      .a = {slopes.at(slope_gate * H), rows, count * H, l.directions * slope_gates * H},
      .b = {read, rows, H, H},
      .place = {H},
      .finish = {},
      .rows = count * H,
      .columns = H,
      .depth = rows,
      .a_step = slope_gates * H,
      .b_step = rows * H,
      .y_step = l.gates * H * H,
      .count = l.directions};
  product.finish.y = dweights.at(gate * H * H);
  launch_product<T, false, false, true>(queue, product);
}

template <typename T>
void backward(Queue& queue, const Sequence& sequence, const RecurrentSlopes& o) {
  const CellForm form = sequence.form();
  const SequenceLayout layout(sequence);
  const int64_t states = layout.directions * layout.batch * layout.units;
  const int64_t steps = sequence.steps, rows = steps * layout.batch;
  if (layout.units == 0) return;
  BackwardStep<T> step{.cell = sequence.cell,
                       .layout = layout,
                       .dx = elements<T>(o.dx),
                       .inside = {},
                       .dy = elements<const T>(o.dy),
                       .y = elements<const T>(o.y),
                       .saved = elements<const T>(o.saved),
                       .skip = elements<const T>(o.skip),
                       .weights = elements<const T>(o.weights),
                       .first = elements<const T>(o.first),
                       .first_cell = elements<const T>(o.first_cell),
                       .mask = elements<const T>(o.mask),
                       .keep = elements<const T>(o.keep),
                       .dh = queue.scratch<T>(states),
                       .dc = {},
                       .dreset = {},
                       .dfirst = elements<T>(o.dfirst),
                       .dfirst_cell = elements<T>(o.dfirst_cell),
                       .t = {},
                       .before = {},
                       .after = {}};
  if (form.has_cell) step.dc = queue.scratch<T>(states);
  if (form.has_bias) step.inside = queue.scratch<T>(layout.directions * rows * layout.units);
  if (form.second_product != 0) step.dreset = queue.scratch<T>(states);
  queue.launch(start_kernel<T>, elements_grid(states), step.dh, elements<const T>(o.dlast), states);
  if (form.has_cell) {
    queue.launch(start_kernel<T>, elements_grid(states), step.dc, elements<const T>(o.dlast_cell),
                 states);
  }
  const Grid grid = step_grid(layout);
  const int64_t last = o.dfirst != nullptr || o.dfirst_cell != nullptr ? -1 : 0;
  for (int64_t n = steps - 1; n >= last; --n) {
    for (int d = 0; d < sequence.directions(); ++d) {
      step.t[d] = n < 0 ? -1 : sequence.step(d, n);
      step.before[d] = n < 1 ? -1 : sequence.step(d, n - 1);
      step.after[d] = n + 1 < steps ? sequence.step(d, n + 1) : -1;
    }
    queue.launch(backward_step_kernel<T>, grid, step);
    if (form.second_product != 0 && n >= 0) queue.launch(reset_step_kernel<T>, grid, step);
  }
  if (form.has_skip) {
    queue.launch(skip_kernel<T>, elements_grid(rows * layout.units), elements<T>(o.dskip), step,
                 steps);
  }
  const int64_t read_count = layout.directions * rows * layout.units;
  const Global<T> read = queue.scratch<T>(read_count);
  Global<T> reset;
  if (form.second_product != 0) reset = queue.scratch<T>(read_count);
  queue.launch(read_kernel<T>, elements_grid(read_count), read, reset, step, steps,
               sequence.reversed(0));
  const Global<T> dweights = elements<T>(o.dweights);
  const Global<const T> slopes = step.dx;
  const bool apart = form.has_bias || form.second_product != 0;
  weights_gradient<T>(queue, layout, rows, dweights, 0, apart ? 2 : form.gates, slopes, 0,
                      form.gates, read);
  if (form.has_bias) {
    weights_gradient<T>(queue, layout, rows, dweights, 2, 1, step.inside, 0, 1, read);
  } else if (form.second_product != 0) {
    weights_gradient<T>(queue, layout, rows, dweights, 2, 1, slopes, 2, form.gates, reset);
  }
  if (o.dbias != nullptr) {
    const int64_t columns = layout.directions * layout.units;
    queue.launch(sum_rows_kernel<T>,
                 Grid{{static_cast<uint32_t>((columns + kWarp - 1) / kWarp)}, {kWarp, kDown}},
                 elements<T>(o.dbias), Global<const T>(step.inside), rows, columns);
  }
}

}  // namespace

namespace kernels {

void recurrent_backward(Queue& queue, const Sequence& sequence, const RecurrentSlopes& o) {
  with_real(o.y->dtype, [&](auto zero) { backward<decltype(zero)>(queue, sequence, o); });
}

}  // namespace kernels
}  // namespace gatun::cuda
