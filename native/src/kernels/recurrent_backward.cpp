#include "kernels/layer_norm_simd.h"
#include "kernels/matmul.h"
#include "kernels/recurrent_engine.h"
#include "kernels/recurrent_naive.h"
#include "kernels/recurrent_simd.h"

namespace gatun::kernels {
namespace {

struct Plan {
  const MicroKernels* kernels;
  Sequence s;
  RecurrentGradients<float> o;
  CellForm form;
  RowChunks chunks;
  Panels units;
  int64_t task_size = 0;
  Scratch<float> weights = {}, work = {};
  // [direction][T,B,H]: the state as the weights read it; and, of cells with a reset gate, that
  // state times the gate, or the gradient of what the gate multiplies.
  Scratch<float> read = {}, inside = {};
  // Where there is a gain, [direction][T,B,G H]: the slopes of the products, and the terms of
  // dgain.
  Scratch<float> dproducts = {}, gain_terms = {};

  bool has_inside() const { return form.has_bias || form.second_product != 0; }
  int64_t states() const { return s.steps * s.batch * s.units; }
  int64_t products() const { return form.gates * states(); }
};

void pack_panel(const Plan& plan, const Context& context, int64_t panel) {
  const int64_t d = panel / plan.units.count(), block = panel % plan.units.count();
  const int64_t H = plan.s.units, depth = plan.form.gates * H, start = plan.units.start(block);
  pack_columns(context.at(plan.weights) + depth * (d * plan.units.padded_columns() + start),
               plan.units.width(block), plan.o.weights + d * depth * H + start, H,
               plan.units.columns(block), depth);
}

// Some sequences in one direction, back through all steps.
class Task {
 public:
  Task(const Plan& plan, const Context& context, int d, int64_t begin, int64_t end, float* work)
      : plan_(plan), s_(plan.s), o_(plan.o), d_(d), first_(begin), rows_(end - begin) {
    const int64_t state = plan.chunks.most() * s_.units;
    weights_ =
        context.at(plan.weights) + d * plan.form.gates * s_.units * plan.units.padded_columns();
    read_ = context.at(plan.read) + d * plan.states();
    inside_ = plan.has_inside() ? context.at(plan.inside) + d * plan.states() : nullptr;
    dh_ = work;
    dc_ = work + state;
    dread_ = work + 2 * state;
    zeros_ = work + 3 * state;
    std::fill_n(zeros_, s_.units, 0.0f);
    if (!s_.normalised) return;
    dproducts_ = context.at(plan.dproducts) + d * plan.products();
    gain_terms_ = context.at(plan.gain_terms) + d * plan.products();
    normal_ = zeros_ + s_.units;
    offsets_ = normal_ + plan.form.gates * s_.units;
    std::fill_n(offsets_, plan.form.gates * s_.units, 0.0f);
  }

  void run() {
    const int64_t count = rows_ * s_.units, at = (d_ * s_.batch + first_) * s_.units;
    start(dh_, o_.dlast, at, count);
    if (plan_.form.has_cell) start(dc_, o_.dlast_cell, at, count);
    for (int64_t n = s_.steps - 1; n >= 0; --n) step(n);
    if (o_.dfirst != nullptr) std::copy_n(dh_, count, o_.dfirst + at);
    if (o_.dfirst_cell != nullptr) std::copy_n(dc_, count, o_.dfirst_cell + at);
  }

 private:
  static void start(float* to, const float* from, int64_t at, int64_t count) {
    if (from == nullptr) {
      std::fill_n(to, count, 0.0f);
    } else {
      std::copy_n(from + at, count, to);
    }
  }

  // The first row's values of step t and this direction in a tensor [T,B,D values H].
  int64_t place(int64_t t, int64_t values) const {
    return ((t * s_.batch + first_) * s_.directions() + d_) * values * s_.units;
  }
  ConstPart values(const float* tensor, int64_t t, int64_t count) const {
    return {tensor + place(t, count), s_.directions() * count * s_.units, s_.units};
  }

  // The state before step n: as the step before it left it, or the first.
  ConstPart before(int64_t n, const float* first, bool saved) const {
    const int64_t H = s_.units;
    if (n == 0) {
      if (first == nullptr) return {zeros_, 0};
      return {first + (d_ * s_.batch + first_) * H, H};
    }
    const int64_t t = s_.step(d_, n - 1);
    if (!saved) return values(o_.y, t, 1);
    ConstPart state = values(o_.saved, t, s_.saved());
    state.at += kSavedState * H;
    return state;
  }

  void step(int64_t n) {
    const int64_t H = s_.units, D = s_.directions(), t = s_.step(d_, n);
    const CellForm& form = plan_.form;
    const float* keep = o_.keep == nullptr ? nullptr : o_.keep + (d_ * s_.batch + first_) * H;
    CellGradient g{.cell = s_.cell, .rows = rows_, .units = H};
    g.h = before(n, o_.first, form.has_skip);
    if (form.has_cell) g.c = before(n, o_.first_cell, true);
    float* read = read_ + (t * s_.batch + first_) * H;
    for (int64_t r = 0; r < rows_; ++r) {
      if (keep == nullptr) {
        std::copy_n(g.h.row_at(r), H, read + r * H);
      } else {
        multiply_all(read + r * H, g.h.row_at(r), keep + r * H, H);
      }
    }
    g.read = {read, H};
    if (o_.dy != nullptr) g.dy = values(o_.dy, t, 1);
    g.y = values(o_.y, t, 1);
    if (s_.saved() > 0) g.saved = values(o_.saved, t, s_.saved());
    float* dx = o_.dx + place(t, form.gates);
    const int64_t dx_row = D * form.gates * H;
    g.dx = {dx, dx_row, H};
    float* inside = inside_ == nullptr ? nullptr : inside_ + (t * s_.batch + first_) * H;
    if (form.has_bias) g.dinside = {inside, H};
    if (form.second_product != 0) g.reset = {inside, H};
    g.dh = {dh_, H};
    g.dc = {dc_, H};
    g.dread = {dread_, H};
    if (form.has_skip) {
      g.skip = {o_.skip + (t * s_.batch + first_) * H, H};
      g.dskip = {o_.dskip + (t * s_.batch + first_) * H, H};
      g.add_to_dskip = d_ > 0;
    }
    g.mask = o_.mask == nullptr ? nullptr : o_.mask + t * s_.batch + first_;
    cell_gradient(g);

    // What the weights read gets its gradient apart if dropout or another phase changes it.
    const bool apart = keep != nullptr || form.second_product != 0;
    float* to = apart ? dread_ : dh_;
    const auto slopes = [&](int gate) { return ConstPart(dx + gate * H, dx_row); };
    if (form.second_product != 0) {
      flow(t, slopes(form.second_product), form.second_product, form.gates, to, false);
      g.phase = 1;
      cell_gradient(g);
      flow(t, slopes(0), 0, form.second_product, to, true);
    } else if (form.has_bias) {
      flow(t, slopes(0), 0, 2, to, !apart);
      flow(t, {inside, H}, 2, 3, to, true);
    } else {
      flow(t, slopes(0), 0, form.gates, to, !apart);
    }
    if (apart) add_product(dh_, dread_, keep, rows_ * H);
  }

  // to = or += the slopes of the gates [begin, end) of step t, which lie side by side, by way of
  // layer normalisation if there is one, times their weights.
  void flow(int64_t t, const ConstPart& from, int begin, int end, float* to, bool accumulate) {
    const int64_t H = s_.units;
    const float* slopes = from.at;
    int64_t row = from.row;
    if (s_.normalised) {
      normalise_back(t, from, begin, end);
      row = plan_.form.gates * H;
      slopes = dproducts_ + (t * s_.batch + first_) * row + begin * H;
    }
    for (int64_t block = 0; block < plan_.units.count(); ++block) {
      const int64_t width = plan_.units.width(block), start = plan_.units.start(block);
      multiply_rows(*plan_.kernels, plan_.units.vectors(block), slopes, row, rows_,
                    weights_ + plan_.form.gates * H * start + begin * H * width, width,
                    (end - begin) * H, to + start, H, plan_.units.columns(block), accumulate);
    }
  }

  // Of one row at a time, so that the sums for the gain are its terms.
  void normalise_back(int64_t t, const ConstPart& slopes, int begin, int end) {
    const int64_t H = s_.units, count = (end - begin) * H, at = plan_.form.gates * H;
    const float* gain = o_.gain + d_ * at + begin * H;
    const ConstPart saved = values(o_.saved, t, s_.saved());
    for (int64_t r = 0; r < rows_; ++r) {
      const float* p = saved.row_at(r) + (plan_.form.saved + begin) * H;
      const int64_t to = (t * s_.batch + first_ + r) * at + begin * H;
      float mean, inv_std;
      layer_norm_rows(normal_, &mean, &inv_std, p, gain, offsets_, 1, count, s_.epsilon, false);
      layer_norm_backward_rows(dproducts_ + to, gain_terms_ + to, normal_, slopes.row_at(r), p,
                               &mean, &inv_std, gain, 1, count, false);
    }
  }

  const Plan& plan_;
  const Sequence& s_;
  const RecurrentGradients<float>& o_;
  const int d_;
  const int64_t first_, rows_;
  const float* weights_;
  float *read_, *inside_;                               // [T,B,H]
  float *dh_, *dc_, *dread_, *zeros_;                   // [rows][units], and one row
  float *dproducts_ = nullptr, *gain_terms_ = nullptr;  // [T,B,G H]
  float *normal_ = nullptr, *offsets_ = nullptr;        // [G H]
};

// dweights of one direction: the sum over steps and sequences is the inner sum of one large
// product, or of two where a gate reads something else.
void weights_gradient(Launcher& launcher, const Plan& plan, int d) {
  const Sequence& s = plan.s;
  const CellForm& form = plan.form;
  const int64_t H = s.units, rows = s.steps * s.batch;
  const float* dx = plan.o.dx + d * form.gates * H;
  float* dweights = plan.o.dweights + d * form.gates * H * H;
  const auto behind = [](Scratch<float> place, int64_t count) {
    place.byte_offset += count * static_cast<int64_t>(sizeof(float));
    return place;
  };
  const auto of_direction = [&](Scratch<float> place) { return behind(place, d * plan.states()); };
  const int apart = form.norm_border();
  Product product{.y = dweights,
                  .a = dx,
                  .M = apart * H,
                  .N = H,
                  .K = rows,
                  .layout = {.transpose_a = true},
                  .a_row = s.directions() * form.gates * H,
                  .b_scratch = of_direction(plan.read)};
  const Scratch<float> dproducts = behind(plan.dproducts, d * plan.products());
  if (s.normalised) {
    product.a_scratch = dproducts;
    product.a_row = form.gates * H;
  }
  multiply(launcher, product);
  if (apart == form.gates) return;
  product.y = dweights + apart * H * H;
  product.M = H;
  if (s.normalised) {
    product.a_scratch = behind(dproducts, apart * H);
  } else if (form.has_bias) {
    product.a_row = 0;
    product.a_scratch = of_direction(plan.inside);
  } else {
    product.a = dx + apart * H;
  }
  if (!form.has_bias) product.b_scratch = of_direction(plan.inside);
  multiply(launcher, product);
}

// sums [D, columns] of terms [direction][T B, columns] over the rows.
void sum_rows(Launcher& launcher, const Plan& plan, float* sums, Scratch<float> terms,
              int64_t columns) {
  constexpr int64_t kColumns = 64;
  const int64_t blocks = (columns + kColumns - 1) / kColumns, rows = plan.s.steps * plan.s.batch;
  launcher.parallel(plan.s.directions() * blocks, [=](const Context& context, int64_t task) {
    const int64_t d = task / blocks, c = task % blocks * kColumns;
    const int64_t count = std::min(kColumns, columns - c);
    const float* from = context.at(terms) + d * rows * columns + c;
    double of_columns[kColumns] = {};
    for (int64_t row = 0; row < rows; ++row, from += columns) {
      for (int64_t i = 0; i < count; ++i) of_columns[i] += from[i];
    }
    for (int64_t i = 0; i < count; ++i) {
      sums[d * columns + c + i] = static_cast<float>(of_columns[i]);
    }
  });
}

}  // namespace

void recurrent_backward(Launcher& launcher, const Sequence& s, const RecurrentSlopes& o) {
  const auto gradients = [&]<typename T>() {
    return RecurrentGradients<T>{
        data_of<T>(o.dx),          data_of<T>(o.dskip),      data_of<T>(o.dweights),
        data_of<T>(o.dbias),       data_of<T>(o.dgain),      data_of<T>(o.dfirst),
        data_of<T>(o.dfirst_cell), data_of<T>(o.dy),         data_of<T>(o.dlast),
        data_of<T>(o.dlast_cell),  data_of<T>(o.y),          data_of<T>(o.saved),
        data_of<T>(o.skip),        data_of<T>(o.weights),    data_of<T>(o.gain),
        data_of<T>(o.first),       data_of<T>(o.first_cell), data_of<T>(o.mask),
        data_of<T>(o.keep)};
  };
  if (o.y->dtype == DType::F32) {
    return run_sequence_backward(launcher, s, gradients.operator()<float>());
  }
  launcher.parallel(1, [s, all = gradients.operator()<double>()](const Context&, int64_t) {
    naive::recurrent_backward(s, all);
  });
}

void run_sequence_backward(Launcher& launcher, const Sequence& s,
                           const RecurrentGradients<float>& o) {
  if (s.units == 0) return;
  const MicroKernels& kernels = micro_kernels();
  Plan plan{.kernels = &kernels,
            .s = s,
            .o = o,
            .form = s.form(),
            .chunks = RowChunks(s, launcher.workers()),
            .units = Panels(kernels, s.units)};
  const int64_t H = s.units, D = s.directions();
  plan.read = launcher.scratch<float>(D * plan.states());
  if (plan.has_inside()) plan.inside = launcher.scratch<float>(D * plan.states());
  plan.weights = launcher.scratch<float>(D * plan.form.gates * H * plan.units.padded_columns());
  plan.task_size = 3 * plan.chunks.most() * H + H;
  if (s.normalised) {
    plan.dproducts = launcher.scratch<float>(D * plan.products());
    plan.gain_terms = launcher.scratch<float>(D * plan.products());
    plan.task_size += 2 * plan.form.gates * H;
  }
  plan.work = launcher.scratch<float>(plan.chunks.tasks() * plan.task_size);
  launcher.parallel(D * plan.units.count(), [plan](const Context& context, int64_t panel) {
    pack_panel(plan, context, panel);
  });
  // Both directions add to one dskip.
  const int64_t together = plan.form.has_skip ? D : 1;
  launcher.parallel(plan.chunks.tasks() / together,
                    [plan, together](const Context& context, int64_t group) {
                      for (int64_t i = 0; i < together; ++i) {
                        const int64_t task = group * together + i;
                        Task(plan, context, plan.chunks.direction(task), plan.chunks.begin(task),
                             plan.chunks.end(task), context.at(plan.work) + task * plan.task_size)
                            .run();
                      }
                    });
  for (int d = 0; d < D; ++d) weights_gradient(launcher, plan, d);
  if (o.dbias != nullptr) sum_rows(launcher, plan, o.dbias, plan.inside, H);
  if (o.dgain != nullptr) sum_rows(launcher, plan, o.dgain, plan.gain_terms, plan.form.gates * H);
}

}  // namespace gatun::kernels
