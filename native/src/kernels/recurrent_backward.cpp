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

  bool has_inside() const { return form.has_bias || form.second_product != 0; }
  int64_t states() const { return s.steps * s.batch * s.units; }
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
    ConstPart state = values(o_.saved, t, plan_.form.saved);
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
    if (form.saved > 0) g.saved = values(o_.saved, t, form.saved);
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
    if (form.second_product != 0) {
      flow(dx + form.second_product * H, dx_row, form.second_product, form.gates, to, false);
      g.phase = 1;
      cell_gradient(g);
      flow(dx, dx_row, 0, form.second_product, to, true);
    } else if (form.has_bias) {
      flow(dx, dx_row, 0, 2, to, !apart);
      flow(inside, H, 2, 3, to, true);
    } else {
      flow(dx, dx_row, 0, form.gates, to, !apart);
    }
    if (apart) add_product(dh_, dread_, keep, rows_ * H);
  }

  // to = or += the slopes of the gates [begin, end), side by side, times their weights.
  void flow(const float* slopes, int64_t row, int begin, int end, float* to, bool accumulate) {
    const int64_t H = s_.units;
    for (int64_t block = 0; block < plan_.units.count(); ++block) {
      const int64_t width = plan_.units.width(block), start = plan_.units.start(block);
      multiply_rows(*plan_.kernels, plan_.units.vectors(block), slopes, row, rows_,
                    weights_ + plan_.form.gates * H * start + begin * H * width, width,
                    (end - begin) * H, to + start, H, plan_.units.columns(block), accumulate);
    }
  }

  const Plan& plan_;
  const Sequence& s_;
  const RecurrentGradients<float>& o_;
  const int d_;
  const int64_t first_, rows_;
  const float* weights_;
  float *read_, *inside_;              // [T,B,H]
  float *dh_, *dc_, *dread_, *zeros_;  // [rows][units], and one row
};

// dweights of one direction: the sum over steps and sequences is the inner sum of one large
// product, or of two where a gate reads something else.
void weights_gradient(Launcher& launcher, const Plan& plan, int d) {
  const Sequence& s = plan.s;
  const CellForm& form = plan.form;
  const int64_t H = s.units, rows = s.steps * s.batch;
  const float* dx = plan.o.dx + d * form.gates * H;
  float* dweights = plan.o.dweights + d * form.gates * H * H;
  const auto of_direction = [&](Scratch<float> place) {
    place.byte_offset += d * plan.states() * static_cast<int64_t>(sizeof(float));
    return place;
  };
  const int apart = form.has_bias ? 2 : form.second_product != 0 ? form.second_product : form.gates;
  Product product{.y = dweights,
                  .a = dx,
                  .M = apart * H,
                  .N = H,
                  .K = rows,
                  .layout = {.transpose_a = true},
                  .a_row = s.directions() * form.gates * H,
                  .b_scratch = of_direction(plan.read)};
  multiply(launcher, product);
  if (apart == form.gates) return;
  product.y = dweights + apart * H * H;
  product.M = H;
  if (form.has_bias) {
    product.a_row = 0;
    product.a_scratch = of_direction(plan.inside);
  } else {
    product.a = dx + apart * H;
    product.b_scratch = of_direction(plan.inside);
  }
  multiply(launcher, product);
}

void bias_gradient(Launcher& launcher, const Plan& plan) {
  constexpr int64_t kUnits = 64;
  const int64_t H = plan.s.units, blocks = (H + kUnits - 1) / kUnits;
  launcher.parallel(plan.s.directions() * blocks, [=](const Context& context, int64_t task) {
    const int64_t d = task / blocks, u = task % blocks * kUnits, count = std::min(kUnits, H - u);
    const float* inside = context.at(plan.inside) + d * plan.states() + u;
    double sums[kUnits] = {};
    for (int64_t row = 0; row < plan.s.steps * plan.s.batch; ++row, inside += H) {
      for (int64_t i = 0; i < count; ++i) sums[i] += inside[i];
    }
    for (int64_t i = 0; i < count; ++i) {
      plan.o.dbias[d * H + u + i] = static_cast<float>(sums[i]);
    }
  });
}

}  // namespace

void recurrent_backward(Launcher& launcher, const Sequence& s, const RecurrentSlopes& o) {
  const auto gradients = [&]<typename T>() {
    return RecurrentGradients<T>{
        data_of<T>(o.dx),      data_of<T>(o.dskip),  data_of<T>(o.dweights),
        data_of<T>(o.dbias),   data_of<T>(o.dfirst), data_of<T>(o.dfirst_cell),
        data_of<T>(o.dy),      data_of<T>(o.dlast),  data_of<T>(o.dlast_cell),
        data_of<T>(o.y),       data_of<T>(o.saved),  data_of<T>(o.skip),
        data_of<T>(o.weights), data_of<T>(o.first),  data_of<T>(o.first_cell),
        data_of<T>(o.mask),    data_of<T>(o.keep)};
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
  if (o.dbias != nullptr) bias_gradient(launcher, plan);
}

}  // namespace gatun::kernels
