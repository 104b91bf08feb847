#include "kernels/recurrent.h"

#include <cstring>

#include "kernels/layer_norm_simd.h"
#include "kernels/recurrent_engine.h"
#include "kernels/recurrent_naive.h"
#include "kernels/recurrent_simd.h"

namespace gatun::kernels {
namespace {

// Packing the weights pays from so many steps on; before, rows of weights are read as they lie.
constexpr int64_t kLeastStepsToPack = 3;
// A section of its own for packing less than this costs more than it saves.
constexpr int64_t kWeightsPerPack = 32 << 10;

struct Plan {
  const MicroKernels* kernels;
  Sequence s;
  RecurrentOperands<float> o;
  CellForm form;
  RowChunks chunks;
  Panels units;  // blocks of units; all gates of a block are computed before the next
  bool packs = false;
  int64_t product_size = 0, task_size = 0;  // in floats
  Scratch<float> weights = {}, work = {};

  int64_t panels() const { return s.directions() * units.count() * form.gates; }
  int64_t panels_per_pack() const {
    return std::max<int64_t>(1, kWeightsPerPack / (units.width(0) * s.units));
  }
  // [direction][block][gate][depth][width of the block]
  int64_t panel_at(int d, int64_t block, int gate) const {
    return s.units * (d * form.gates * units.padded_columns() + units.start(block) * form.gates +
                      gate * units.width(block));
  }
};

void pack_panel(const Plan& plan, const Context& context, int64_t panel) {
  const int gates = plan.form.gates, gate = static_cast<int>(panel % gates);
  const int64_t block = panel / gates % plan.units.count(), H = plan.s.units;
  const auto d = static_cast<int>(panel / gates / plan.units.count());
  pack_transposed(context.at(plan.weights) + plan.panel_at(d, block, gate), plan.units.width(block),
                  plan.o.weights + ((d * gates + gate) * H + plan.units.start(block)) * H, H,
                  plan.units.columns(block), H);
}

// Some sequences in one direction, through all steps.
class Task {
 public:
  Task(const Plan& plan, const Context& context, int64_t task)
      : plan_(plan),
        s_(plan.s),
        o_(plan.o),
        weights_(plan.packs ? context.at(plan.weights) : nullptr),
        d_(plan.chunks.direction(task)),
        first_(plan.chunks.begin(task)),
        rows_(plan.chunks.end(task) - first_) {
    const int64_t state = plan.chunks.most() * s_.units;
    float* work = context.at(plan.work) + task * plan.task_size;
    for (float** part : {&h_, &new_h_, &c_, &read_, &reset_}) {
      *part = work;
      work += state;
    }
    spare_ = work;
    product_ = work + state * s_.saved();
    offsets_ = product_ + plan.chunks.most() * plan.product_size;
    if (s_.normalised) std::fill_n(offsets_, plan.form.gates * s_.units, 0.0f);
  }

  void run() {
    const int64_t count = rows_ * s_.units, at = (d_ * s_.batch + first_) * s_.units;
    start(h_, o_.first, at, count);
    if (plan_.form.has_cell) start(c_, o_.first_cell, at, count);
    for (int64_t n = 0; n < s_.steps; ++n) {
      step(s_.step(d_, n));
      std::swap(h_, new_h_);
    }
    std::copy_n(h_, count, o_.last + at);
    if (o_.last_cell != nullptr) std::copy_n(c_, count, o_.last_cell + at);
  }

 private:
  static void start(float* to, const float* from, int64_t at, int64_t count) {
    if (from == nullptr) {
      std::fill_n(to, count, 0.0f);
    } else {
      std::copy_n(from + at, count, to);
    }
  }

  void step(int64_t t) {
    const int64_t H = s_.units, D = s_.directions();
    const CellForm& form = plan_.form;
    const float* read = h_;
    if (o_.keep != nullptr) {
      multiply_all(read_, h_, o_.keep + (d_ * s_.batch + first_) * H, rows_ * H);
      read = read_;
    }
    // Where the first row's values of this step and direction lie in a tensor [T,B,D values H].
    const auto place = [&](int64_t values) {
      return ((t * s_.batch + first_) * D + d_) * values * H;
    };
    CellStep step{.cell = s_.cell, .rows = rows_};
    step.mask = o_.mask == nullptr ? nullptr : o_.mask + t * s_.batch + first_;
    Part saved;
    if (o_.saved != nullptr) {
      saved = {o_.saved + place(s_.saved()), D * s_.saved() * H, H};
    } else if (phases() == 2 || s_.normalised) {
      saved = {spare_, s_.saved() * H, H};
    }
    for (step.phase = 0; step.phase < phases(); ++step.phase) {
      const int begin = step.phase == 0 ? 0 : form.second_product;
      const int end = phases() == 2 && step.phase == 0 ? form.second_product : form.gates;
      const float* from = step.phase == 0 ? read : reset_;
      // Normalising needs the products of all units; else those of a block stay in cache.
      const int64_t blocks = s_.normalised ? 1 : plan_.units.count();
      if (s_.normalised) normalised_products(from, begin, end, saved, step.mask);
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t u = plan_.units.start(block);
        if (s_.normalised) {
          step.units = H;
          step.product = {product_, plan_.product_size, H};
        } else {
          step.units = plan_.units.columns(block);
          step.product = {product_, plan_.product_size, plan_.units.width(block)};
          for (int gate = begin; gate < end; ++gate) {
            multiply(from, block, gate, product_ + (gate - begin) * plan_.units.width(block),
                     plan_.product_size);
          }
        }
        step.x = {o_.x + place(form.gates) + u, D * form.gates * H, H};
        step.h = {h_ + u, H};
        step.read = {read + u, H};
        step.new_h = {new_h_ + u, H};
        step.c = {c_ + u, H};
        step.reset = {reset_ + u, H};
        step.y = {o_.y + place(1) + u, D * H};
        if (form.has_skip) step.skip = {o_.skip + (t * s_.batch + first_) * H + u, H};
        if (o_.bias != nullptr) step.bias = o_.bias + d_ * H + u;
        if (saved.at != nullptr) step.saved = {saved.at + u, saved.row, H};
        cell_step(step);
      }
    }
  }

  int phases() const { return plan_.form.second_product == 0 ? 1 : 2; }

  // The products of the gates [begin, end), to the saved values, and what layer normalisation makes
  // of them, side by side in product_.
  void normalised_products(const float* read, int begin, int end, const Part& saved,
                           const float* mask) {
    const int64_t H = s_.units;
    const int border = std::min(end, std::max(begin, plan_.form.norm_border()));
    float* raw = saved.at + (plan_.form.saved + begin) * H;
    for (int64_t block = 0; block < plan_.units.count(); ++block) {
      for (int gate = begin; gate < end; ++gate) {
        multiply(read, block, gate, raw + (gate - begin) * H + plan_.units.start(block), saved.row);
      }
    }
    for (int64_t r = 0; r < rows_; ++r, raw += saved.row) {
      if (mask != nullptr && mask[r] == 0) {
        std::fill_n(raw, (end - begin) * H, 0.0f);
        continue;
      }
      float* y = product_ + r * plan_.product_size;
      normalise(y, raw, begin, border);
      normalise(y + (border - begin) * H, raw + (border - begin) * H, border, end);
    }
  }

  void normalise(float* y, const float* x, int begin, int end) {
    if (begin == end) return;
    const int64_t H = s_.units;
    float mean, inv_std;
    layer_norm_rows(y, &mean, &inv_std, x, o_.gain + (d_ * plan_.form.gates + begin) * H, offsets_,
                    1, (end - begin) * H, s_.epsilon, false);
  }

  // y[r][0..columns) of a row's distance y_row: the products of a gate's units in a block.
  void multiply(const float* read, int64_t block, int gate, float* y, int64_t y_row) {
    const int64_t H = s_.units;
    if (plan_.packs) {
      multiply_rows(*plan_.kernels, plan_.units.vectors(block), read, H, rows_,
                    weights_ + plan_.panel_at(d_, block, gate), plan_.units.width(block), H, y,
                    y_row, plan_.units.columns(block), false);
    } else {
      multiply_by_dots(
          read, o_.weights + ((d_ * plan_.form.gates + gate) * H + plan_.units.start(block)) * H, y,
          y_row, plan_.units.columns(block));
    }
  }

  void multiply_by_dots(const float* read, const float* weights, float* y, int64_t y_row,
                        int64_t columns) {
    const MicroKernels& kernels = *plan_.kernels;
    const int64_t H = s_.units;
    const float* a_rows[kMaxDotRows];
    float* y_rows[kMaxDotRows];
    DotTile tile;
    tile.a = a_rows;
    tile.b_row = tile.depth = H;
    tile.y = y_rows;
    for (int64_t j = 0; j < columns; j += kernels.dot_columns) {
      tile.b = weights + j * H;
      const auto some = std::min<int64_t>(kernels.dot_columns, columns - j);
      for (int64_t r = 0; r < rows_; r += kernels.dot_rows) {
        const auto count = std::min<int64_t>(kernels.dot_rows, rows_ - r);
        for (int64_t i = 0; i < count; ++i) {
          a_rows[i] = read + (r + i) * H;
          y_rows[i] = y + (r + i) * y_row + j;
        }
        kernels.dot[count][some](tile);
      }
    }
  }

  const Plan& plan_;
  const Sequence& s_;
  const RecurrentOperands<float>& o_;
  const float* weights_;
  const int d_;
  const int64_t first_, rows_;
  float *h_, *new_h_, *c_, *read_, *reset_;  // [rows][units]
  float *spare_, *product_, *offsets_;
};

}  // namespace

void recurrent(Launcher& launcher, const Sequence& s, const RecurrentTensors& o) {
  const auto operands = [&]<typename T>() {
    return RecurrentOperands<T>{
        data_of<T>(o.y),    data_of<T>(o.last),  data_of<T>(o.last_cell),  data_of<T>(o.saved),
        data_of<T>(o.x),    data_of<T>(o.skip),  data_of<T>(o.weights),    data_of<T>(o.bias),
        data_of<T>(o.gain), data_of<T>(o.first), data_of<T>(o.first_cell), data_of<T>(o.mask),
        data_of<T>(o.keep)};
  };
  if (o.y->dtype == DType::F32) return run_sequence(launcher, s, operands.operator()<float>());
  launcher.parallel(1, [s, all = operands.operator()<double>()](const Context&, int64_t) {
    naive::recurrent(s, all);
  });
}

void run_sequence(Launcher& launcher, const Sequence& s, const RecurrentOperands<float>& o) {
  if (s.batch == 0 || s.units == 0) return;
  const MicroKernels& kernels = micro_kernels();
  Plan plan{.kernels = &kernels,
            .s = s,
            .o = o,
            .form = s.form(),
            .chunks = RowChunks(s, launcher.workers()),
            .units = Panels(kernels, s.units)};
  plan.packs = s.steps >= kLeastStepsToPack;
  plan.product_size = plan.form.gates *
                      (s.normalised ? std::max(s.units, plan.units.width(0)) : plan.units.width(0));
  const int64_t state = plan.chunks.most() * s.units;
  plan.task_size = state * (5 + s.saved()) + (plan.chunks.most() + 1) * plan.product_size;
  plan.work = launcher.scratch<float>(plan.chunks.tasks() * plan.task_size);
  if (plan.packs) {
    plan.weights = launcher.scratch<float>(s.directions() * plan.form.gates *
                                           plan.units.padded_columns() * s.units);
    const Pieces packs(plan.panels(), plan.panels_per_pack());
    launcher.parallel(packs.count(), [plan, packs](const Context& context, int64_t task) {
      for (int64_t i = packs.begin(task); i < packs.end(task); ++i) pack_panel(plan, context, i);
    });
  }
  launcher.parallel(plan.chunks.tasks(), [plan](const Context& context, int64_t task) {
    Task(plan, context, task).run();
  });
}

}  // namespace gatun::kernels
