// Recurrent layers forward: all steps in one launch where the weights fit into shared memory
// (recurrent_sequence.cu), else a launch for each step, of all sequences and directions, which a
// program joins in one graph. A block computes all gates of its units, and so their cells. Where
// the products are normalised, which needs those of all units, they, their norms and the cells are
// a launch each.
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/recurrent_sequence.h"
#include "cuda/kernels/recurrent_step.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::RecurrentTensors;

// Layer norm of the products, where there is a gain.
template <typename T>
struct ForwardNorm {
  Global<const T> gain;
  Global<T> products;  // [D,B,G H]
  T epsilon;
};

template <typename T>
struct ForwardStep : ForwardTensors<T> {
  ForwardNorm<T> norm;
  Global<const T> h, c;  // before the step; absent: zeros
  Global<T> new_h, new_c;
  Global<T> read, reset, update;  // of GRU_RESET_BEFORE between its products: r (keep h), r and z
  int64_t n;                      // the step
  int32_t first_gate;             // of those that are computed

  __device__ T state(int64_t b, int32_t d, int64_t i) const {
    return h ? h[this->layout.state(b, d) + i] : T{0};
  }
  // As the weights read it.
  __device__ T kept_state(int64_t b, int32_t d, int64_t i) const {
    return state(b, d, i) * this->keep_of({b, i, d});
  }
  // Unit 0 of a gate's products, where they are normalised.
  __device__ int64_t product(int64_t b, int32_t d, int64_t gate) const {
    return this->layout.state(b, d) * this->layout.gates + gate * this->layout.units;
  }

  // The gates before the second product.
  __device__ void reset_state(const UnitPlace& p, const T (&products)[2]) const {
    const int64_t t = this->layout.step(p.d, n), at = this->layout.state(p.b, p.d) + p.i;
    if (this->masked(t, p)) {
      read[at] = 0;
      return;
    }
    T x[2];
    this->load_x(x, t, p);
    const T r = sigmoid(x[0] + products[0]);
    read[at] = r * kept_state(p.b, p.d, p.i);
    reset[at] = r;
    update[at] = sigmoid(x[1] + products[1]);
  }

  template <int gates>
  __device__ void finish(const UnitPlace& p, const T (&products)[gates]) const {
    const int64_t t = this->layout.step(p.d, n), at = this->layout.state(p.b, p.d) + p.i;
    const T h_before = state(p.b, p.d, p.i), c_before = c ? c[at] : T{0};
    CellStep<T> step;
    if (this->masked(t, p)) {
      step = skipped_step(this->cell, h_before, c_before);
    } else {
      T x[gates];
      this->load_x(x, t, p, first_gate);
      step = gates == 1 && this->cell == Cell::GRU_RESET_BEFORE
                 ? gru_step(T{reset[at]}, T{update[at]}, math::tanh(x[0] + products[0]), h_before)
                 : cell_step(this->cell, x, products, h_before, c_before, this->bias_of(p),
                             this->skip_of(t, p));
    }
    this->store(t, p, step);
    new_h[at] = step.h;
    if (new_c) new_c[at] = step.c;
  }
};

// What a launch does of a step: all of it, or what is before or behind the norm.
enum class Stage { WHOLE, PRODUCTS, CELLS };

template <typename T, int gates, bool second_product, Stage stage>
__global__ void forward_step_kernel(ForwardStep<T> s) {
  const SequenceLayout& l = s.layout;
  const StepPlace p(l);
  T products[gates] = {};
  if constexpr (stage != Stage::CELLS) {
    add_products<T, gates, false>(
        products, l.units,
        [&](int64_t b, int64_t k) {
          if (b >= l.batch || k >= l.units) return T{0};
          if constexpr (second_product) return T{s.read[l.state(b, p.d) + k]};
          return s.kept_state(b, p.d, k);
        },
        [&](int g, int64_t i, int64_t k) {
          return i >= l.units || k >= l.units ? T{0} : s.weight(p.d, s.first_gate + g, i, k);
        });
  }
  if (!p.inside) return;
  if constexpr (stage != Stage::WHOLE) {
    for (int g = 0; g < gates; ++g) {
      const int64_t at = s.product(p.b, p.d, s.first_gate + g) + p.i;
      if constexpr (stage == Stage::PRODUCTS) {
        s.norm.products[at] = products[g];
      } else {
        products[g] = s.norm.products[at];
      }
    }
    if constexpr (stage == Stage::PRODUCTS) return;
  }
  if constexpr (gates == 2) {
    if (s.cell == Cell::GRU_RESET_BEFORE) return s.reset_state(p, products);
  }
  s.finish(p, products);
}

// The products of the gates [begin, end) normalised; as they were to saved.
template <typename T>
__global__ void normalise_products_kernel(ForwardStep<T> s, int32_t begin, int32_t end) {
  using Warp = Team<kWarp>;
  const SequenceLayout& l = s.layout;
  const int64_t count = (end - begin) * l.units;
  for_each_sequence(l, [&](int64_t b, int32_t d) {
    const Global<T> p = s.norm.products.at(s.product(b, d, begin));
    const Global<const T> gain = s.norm.gain.at((int64_t{d} * l.gates + begin) * l.units);
    const ProductNorm<T> normalised(p, count, s.norm.epsilon);
    const int64_t t = l.step(d, s.n), kept = l.at(t, b, d, l.saved, l.cell_saved + begin);
    const bool masked = s.masked(t, {b, 0, d});
    for (int64_t i = Warp::member(); i < count; i += kWarp) {
      if (s.saved) s.saved[kept + i] = masked ? T{0} : T{p[i]};
      p[i] = gain[i] * normalised(p[i]);
    }
  });
}

// A step's products of so many gates from step.first_gate on, and what follows from them.
template <typename T, int gates, bool second_product>
void launch_step(Queue& queue, const ForwardStep<T>& step) {
  const SequenceLayout& l = step.layout;
  const Grid grid = step_grid(l);
  if (!step.norm.gain) {
    queue.launch(forward_step_kernel<T, gates, second_product, Stage::WHOLE>, grid, step);
    return;
  }
  queue.launch(forward_step_kernel<T, gates, second_product, Stage::PRODUCTS>, grid, step);
  const int32_t begin = step.first_gate, end = begin + gates;
  const int32_t border = form_of(step.cell).norm_border();
  const int32_t between = border > begin && border < end ? border : end;
  const Grid sequences = sequences_grid(l);
  queue.launch(normalise_products_kernel<T>, sequences, step, begin, between);
  if (between < end) {
    queue.launch(normalise_products_kernel<T>, sequences, step, between, end);
  }
  queue.launch(forward_step_kernel<T, gates, second_product, Stage::CELLS>, grid, step);
}

template <typename T>
__global__ void copy_states_kernel(Global<T> to, Global<const T> from, int64_t count) {
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) to[i] = from ? from[i] : T{0};
}

template <typename T>
void forward_by_steps(Queue& queue, const CellForm& form, const ForwardTensors<T>& tensors,
                      const ForwardStates<T>& states, const ForwardNorm<T>& norm) {
  const SequenceLayout& layout = tensors.layout;
  ForwardStep<T> step{tensors, norm, states.first, states.first_cell, {}, {}, {}, {}, {}, 0, 0};
  // States of a step and of the next, by turns; a cell's second state stays in its place.
  const Global<T> h[2] = {queue.scratch<T>(layout.states()), queue.scratch<T>(layout.states())};
  Global<T> c;
  if (form.has_cell) c = queue.scratch<T>(layout.states());
  if (form.second_product != 0) {
    step.read = queue.scratch<T>(layout.states());
    step.reset = queue.scratch<T>(layout.states());
    step.update = queue.scratch<T>(layout.states());
  }
  if (norm.gain) step.norm.products = queue.scratch<T>(form.gates * layout.states());
  for (step.n = 0; step.n < layout.steps; ++step.n) {
    const bool ends = step.n == layout.steps - 1;
    step.new_h = ends ? states.last : h[step.n % 2];
    step.new_c = ends ? states.last_cell : c;
    step.first_gate = 0;
    switch (form.second_product != 0 ? form.second_product : form.gates) {
      case 1:
        launch_step<T, 1, false>(queue, step);
        break;
      case 2:
        launch_step<T, 2, false>(queue, step);
        break;
      case 3:
        launch_step<T, 3, false>(queue, step);
        break;
      default:
        launch_step<T, 4, false>(queue, step);
    }
    if (form.second_product != 0) {
      step.first_gate = form.second_product;
      launch_step<T, 1, true>(queue, step);
    }
    step.h = step.new_h;
    step.c = step.new_c;
  }
}

template <typename T>
void forward(Queue& queue, const Sequence& sequence, const RecurrentTensors& o) {
  const CellForm form = sequence.form();
  const ForwardTensors<T> tensors{.cell = sequence.cell,
                                  .layout = SequenceLayout(sequence),
                                  .y = elements<T>(o.y),
                                  .saved = elements<T>(o.saved),
                                  .x = elements<const T>(o.x),
                                  .skip = elements<const T>(o.skip),
                                  .weights = elements<const T>(o.weights),
                                  .bias = elements<const T>(o.bias),
                                  .mask = elements<const T>(o.mask),
                                  .keep = elements<const T>(o.keep)};
  const ForwardStates<T> states{elements<const T>(o.first), elements<const T>(o.first_cell),
                                elements<T>(o.last), elements<T>(o.last_cell)};
  const ForwardNorm<T> norm{elements<const T>(o.gain), {}, static_cast<T>(sequence.epsilon)};
  const int64_t count = tensors.layout.states();
  if (count == 0) return;
  if (sequence.steps == 0) {
    queue.launch(copy_states_kernel<T>, elements_grid(count), states.last, states.first, count);
    if (form.has_cell) {
      queue.launch(copy_states_kernel<T>, elements_grid(count), states.last_cell, states.first_cell,
                   count);
    }
    return;
  }
  if constexpr (sizeof(T) == sizeof(float)) {
    if (!norm.gain && forward_in_one_launch(queue, form, tensors, states)) return;
  }
  forward_by_steps(queue, form, tensors, states, norm);
}

}  // namespace

namespace kernels {

void recurrent(Queue& queue, const Sequence& sequence, const RecurrentTensors& o) {
  with_real(o.y->dtype, [&](auto zero) { forward<decltype(zero)>(queue, sequence, o); });
}

}  // namespace kernels
}  // namespace gatun::cuda
