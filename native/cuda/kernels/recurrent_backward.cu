// The gradients of recurrent layers: all steps back through time in one launch where the weights
// fit into shared memory (recurrent_sequence_backward.cu), else a launch for each; then the
// gradients of the weights as products over all steps.
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/product.h"
#include "cuda/kernels/recurrent_sequence.h"
#include "cuda/kernels/recurrent_step.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::RecurrentSlopes;

// Back through layer norm of the products, where there is a gain.
template <typename T>
struct BackwardNorm {
  Global<const T> gain;
  Global<T> dproducts, gain_terms;  // slopes of the products, and terms of the gain's, [T,B,D G H]
  T epsilon;
};

template <typename T>
struct BackwardStep : BackwardTensors<T> {
  BackwardNorm<T> norm;
  Global<T> dh, dc;  // slopes of the states that a step has passed on, [D,B,H]
  Global<T> dreset;  // of GRU_RESET_BEFORE: slopes by way of r (keep h)
  int64_t n;         // the step; -1 ends in the first state

  // Of the products.
  __device__ T slope(int64_t t, int64_t b, int32_t d, int g, int64_t k) const {
    if (!norm.gain) return BackwardTensors<T>::slope(t, b, d, g, k);
    return norm.dproducts[this->layout.at(t, b, d, this->layout.gates, g) + k];
  }
  // From the slopes that have come through the products of the step behind.
  __device__ void finish(const UnitPlace& p, T through) const {
    const int64_t at = this->layout.state(p.b, p.d) + p.i;
    const T into = dh[at] + through * this->keep_of(p), before = dc ? dc[at] : T{0};
    if (n < 0) {
      if (this->dfirst) this->dfirst[at] = into;
      if (this->dfirst_cell) this->dfirst_cell[at] = before;
      return;
    }
    const int64_t t = this->layout.step(p.d, n);
    const CellSlopes<T> slopes = this->slopes(this->masked(t, p), into, before, this->dy_of(t, p),
                                              this->memory(t, this->layout.step(p.d, n - 1), p));
    this->store(t, p, slopes);
    dh[at] = slopes.h;
    if (dc) dc[at] = slopes.c;
  }
};

// What flows from the step behind this one into its state, and on through this step's cell.
template <typename T>
__global__ void backward_step_kernel(BackwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  const bool is_last = s.n == l.steps - 1;
  T through = 0;
  for (int g = 0; !is_last && g < s.products(); ++g) {
    T sums[1] = {};
    add_products<T, 1, true>(
        sums, l.units,
        [&](int64_t b, int64_t k) {
          if (b >= l.batch || k >= l.units) return T{0};
          return s.slope(l.step(p.d, s.n + 1), b, p.d, g, k);
        },
        [&](int, int64_t i, int64_t k) {
          return i >= l.units || k >= l.units ? T{0} : s.weight(p.d, g, i, k);
        });
    through += sums[0];
  }
  if (!p.inside) return;
  if (s.dreset && !is_last) through += s.dreset[l.state(p.b, p.d) + p.i];
  s.finish(p, through);
}

// Of GRU_RESET_BEFORE: through its second product into the reset gate.
template <typename T>
__global__ void reset_step_kernel(BackwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  const int64_t t = l.step(p.d, s.n);
  T sums[1] = {};
  add_products<T, 1, true>(
      sums, l.units,
      [&](int64_t b, int64_t k) {
        return b >= l.batch || k >= l.units ? T{0} : s.slope(t, b, p.d, 2, k);
      },
      [&](int, int64_t i, int64_t k) {
        return i >= l.units || k >= l.units ? T{0} : s.weight(p.d, 2, i, k);
      });
  if (!p.inside) return;
  const T h = s.state(l.step(p.d, s.n - 1), p) * s.keep_of(p);
  const ResetSlopes<T> slopes = s.reset_slopes(t, p, sums[0], h);
  s.put(t, p, 0, slopes.gate);
  s.dreset[l.state(p.b, p.d) + p.i] = slopes.read;
}

// Through the norm of the products of the gates [begin, end).
template <typename T>
__global__ void normalise_back_kernel(BackwardStep<T> s, int32_t begin, int32_t end) {
  using Warp = Team<kWarp>;
  const SequenceLayout& l = s.layout;
  const int64_t count = (end - begin) * l.units;
  for_each_sequence(l, [&](int64_t b, int32_t d) {
    const int64_t t = l.step(d, s.n), at = l.at(t, b, d, l.gates, begin);
    const Global<const T> p = s.saved.at(l.at(t, b, d, l.saved, l.cell_saved + begin));
    const Global<const T> slopes =
        s.inside && begin == 2 ? s.inside.at(l.at(t, b, d, 1, 0)) : s.dx.at(at);
    const Global<const T> gain = s.norm.gain.at((int64_t{d} * l.gates + begin) * l.units);
    const ProductNorm<T> normalised(p, count, s.norm.epsilon);
    T sum = 0, by_value = 0;
    for (int64_t i = Warp::member(); i < count; i += kWarp) {
      const T slope = slopes[i], value = normalised(p[i]);
      s.norm.gain_terms[at + i] = slope * value;
      sum += gain[i] * slope;
      by_value += gain[i] * slope * value;
    }
    sum = Warp::sum(sum) / static_cast<T>(count);
    by_value = Warp::sum(by_value) / static_cast<T>(count);
    for (int64_t i = Warp::member(); i < count; i += kWarp) {
      s.norm.dproducts[at + i] = normalised.inverse_deviation() *
                                 (gain[i] * slopes[i] - sum - normalised(p[i]) * by_value);
    }
  });
}

// What the weights have read: keep h, to read [D,T B,H], and times r to reset.
template <typename T>
__global__ void read_kernel(Global<T> read, Global<T> reset, BackwardTensors<T> s) {
  const SequenceLayout& l = s.layout;
  const int64_t rows = l.steps * l.batch, count = l.directions * rows * l.units;
  for (int64_t e = grid_thread(); e < count; e += grid_threads()) {
    const int64_t row = e / l.units % rows;
    const UnitPlace p{row % l.batch, e % l.units, static_cast<int32_t>(e / l.units / rows)};
    const int64_t t = row / l.batch;
    const T value = s.state(l.step(p.d, l.step(p.d, t) - 1), p) * s.keep_of(p);
    read[e] = value;
    if (reset) {
      reset[e] = s.masked(t, p) ? T{0} : value * s.saved[l.at(t, p.b, p.d, l.saved, 0) + p.i];
    }
  }
}

// dskip [T,B,H] of both directions.
template <typename T>
__global__ void skip_kernel(Global<T> dskip, BackwardTensors<T> s) {
  const SequenceLayout& l = s.layout;
  for (int64_t e = grid_thread(); e < l.steps * l.batch * l.units; e += grid_threads()) {
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
void backward_by_steps(Queue& queue, const CellForm& form, const BackwardTensors<T>& tensors,
                       const BackwardNorm<T>& norm) {
  const SequenceLayout& layout = tensors.layout;
  const int64_t states = layout.states();
  BackwardStep<T> step{tensors, norm, queue.scratch<T>(states), {}, {}, 0};
  queue.launch(start_kernel<T>, elements_grid(states), step.dh, tensors.dlast, states);
  if (form.has_cell) {
    step.dc = queue.scratch<T>(states);
    queue.launch(start_kernel<T>, elements_grid(states), step.dc, tensors.dlast_cell, states);
  }
  if (form.second_product != 0) step.dreset = queue.scratch<T>(states);
  const Grid grid = step_grid(layout), sequences = sequences_grid(layout);
  const int32_t border = form.norm_border();
  for (step.n = layout.steps - 1; step.n >= tensors.last_step(); --step.n) {
    queue.launch(backward_step_kernel<T>, grid, step);
    if (step.n < 0) break;
    if (norm.gain && border < form.gates) {
      queue.launch(normalise_back_kernel<T>, sequences, step, border, int32_t{form.gates});
    }
    if (form.second_product != 0) queue.launch(reset_step_kernel<T>, grid, step);
    if (norm.gain) queue.launch(normalise_back_kernel<T>, sequences, step, int32_t{0}, border);
  }
}

template <typename T>
void backward(Queue& queue, const Sequence& sequence, const RecurrentSlopes& o) {
  const CellForm form = sequence.form();
  const SequenceLayout layout(sequence);
  const int64_t rows = layout.steps * layout.batch;
  if (layout.units == 0) return;
  BackwardTensors<T> tensors{.cell = sequence.cell,
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
                             .dlast = elements<const T>(o.dlast),
                             .dlast_cell = elements<const T>(o.dlast_cell),
                             .dfirst = elements<T>(o.dfirst),
                             .dfirst_cell = elements<T>(o.dfirst_cell)};
  if (form.has_bias) tensors.inside = queue.scratch<T>(layout.directions * rows * layout.units);
  BackwardNorm<T> norm{elements<const T>(o.gain), {}, {}, static_cast<T>(sequence.epsilon)};
  if (norm.gain) {
    norm.dproducts = queue.scratch<T>(layout.directions * form.gates * rows * layout.units);
    norm.gain_terms = queue.scratch<T>(layout.directions * form.gates * rows * layout.units);
  }
  bool done = false;
  if constexpr (sizeof(T) == sizeof(float)) {
    done = !norm.gain && backward_in_one_launch(queue, form, tensors);
  }
  if (!done) backward_by_steps(queue, form, tensors, norm);
  if (form.has_skip) {
    queue.launch(skip_kernel<T>, elements_grid(rows * layout.units), elements<T>(o.dskip), tensors);
  }
  const int64_t read_count = layout.directions * rows * layout.units;
  const Global<T> read = queue.scratch<T>(read_count);
  Global<T> reset;
  if (form.second_product != 0) reset = queue.scratch<T>(read_count);
  queue.launch(read_kernel<T>, elements_grid(read_count), read, reset, tensors);
  const Global<T> dweights = elements<T>(o.dweights);
  const Global<const T> slopes = norm.gain ? norm.dproducts : tensors.dx;
  const bool inside = form.has_bias && !norm.gain;
  const int together = inside || form.second_product != 0 ? 2 : form.gates;
  weights_gradient<T>(queue, layout, rows, dweights, 0, together, slopes, 0, form.gates, read);
  if (inside) {
    weights_gradient<T>(queue, layout, rows, dweights, 2, 1, tensors.inside, 0, 1, read);
  } else if (form.second_product != 0) {
    weights_gradient<T>(queue, layout, rows, dweights, 2, 1, slopes, 2, form.gates, reset);
  }
  const auto sum_rows = [&](Global<T> sums, Global<const T> terms, int64_t columns) {
    queue.launch(sum_rows_kernel<T>,
                 Grid{{static_cast<uint32_t>((columns + kWarp - 1) / kWarp)}, {kWarp, kDown}}, sums,
                 terms, rows, columns);
  };
  if (o.dbias != nullptr) {
    sum_rows(elements<T>(o.dbias), tensors.inside, layout.directions * layout.units);
  }
  if (o.dgain != nullptr) {
    sum_rows(elements<T>(o.dgain), norm.gain_terms, layout.directions * form.gates * layout.units);
  }
}

}  // namespace

namespace kernels {

void recurrent_backward(Queue& queue, const Sequence& sequence, const RecurrentSlopes& o) {
  with_real(o.y->dtype, [&](auto zero) { backward<decltype(zero)>(queue, sequence, o); });
}

}  // namespace kernels
}  // namespace gatun::cuda
