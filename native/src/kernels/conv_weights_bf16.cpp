// The weight gradient of bf16, cut as in conv_weights.cpp; the gradient and its partial sums are
// f32. Depth is pixels, by pairs of neighbours in a row of dy, so rows of x and dy are first packed
// into words of two pixels: those of x for every distance that a tap of the kernel needs, so that
// the taps of one kernel row and their channels lie side by side.
#include "kernels/conv_weights_bf16.h"

#include "core/simd_level.h"
#include "kernels/conv_bf16.h"
#include "kernels/conv_naive.h"
#include "kernels/gemm_bf16.h"

namespace gatun::kernels {

void conv_bf16::sum_some(const Partials& p, const Context& context, int64_t begin, int64_t end) {
  constexpr int64_t kColumns = 64;
  const int64_t rows = p.taps * p.channels;
  float sum[kSumRows][kColumns];
  for (int64_t k0 = 0; k0 < p.filters; k0 += kColumns) {
    const int64_t columns = std::min(kColumns, p.filters - k0);
    for (int64_t group = 0; group < p.groups; ++group) {
      const float* partial = context.at(p.partials) + group * p.size() + k0;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t tap = i / p.channels, c = i % p.channels;
        const float* row =
            partial + ((c / p.block * p.taps + tap) * p.block + c % p.block) * p.width;
        float* to = sum[i - begin];
        for (int64_t k = 0; k < columns; ++k) to[k] = (group == 0 ? 0.0f : to[k]) + row[k];
      }
    }
    for (int64_t k = 0; k < columns; ++k) {
      for (int64_t i = begin; i < end; ++i) p.dw[(k0 + k) * rows + i] = sum[i - begin][k];
    }
  }
}

void conv_bf16::sum_partials(Launcher& launcher, const Partials& p) {
  const int64_t rows = p.taps * p.channels;
  launcher.parallel((rows + kSumRows - 1) / kSumRows,
                    [p, rows](const Context& context, int64_t task) {
                      sum_some(p, context, task * kSumRows, std::min(rows, (task + 1) * kSumRows));
                    });
}

namespace {

constexpr int64_t kMaxRowsPerChunk = 128;

struct Plan {
  const PairKernels* kernels;
  const Bf16 *x, *dy;
  float* dw;
  naive::ConvDims d;
  ConvGeometry g;
  Panels panels;
  int64_t groups = 1, panels_per_task = 1, kernel_rows_per_task = 1, rows_per_chunk = 1;
  Scratch<float> partials = {};
  Scratch<uint32_t> x_words = {}, dy_words = {};

  int64_t rows() const { return d.N * d.P; }  // of dy
  int64_t taps() const { return d.S * d.C; }  // of one kernel row, with their channels
  int64_t partial_size() const { return d.R * taps() * panels.padded_columns(); }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t kernel_row_tasks() const {
    return (d.R + kernel_rows_per_task - 1) / kernel_rows_per_task;
  }
  int64_t tasks() const { return groups * kernel_row_tasks() * panel_tasks(); }

  // A row of dy: pairs of pixels, the last with a zero if their count is odd.
  int64_t whole_pairs() const { return d.Q / 2; }
  bool odd() const { return d.Q % 2 != 0; }
  int64_t dy_row() const { return (d.Q + 1) / 2 * panels.padded_columns(); }
  // A row of x: for whole pair j and tap s, column j * pair_step() + s; then the taps of the last
  // pixel. Columns are shared where the taps of neighbouring pairs meet the same pixels.
  int64_t pair_step() const { return std::min(d.S, 2 * g.stride_w); }
  int64_t shared_columns() const {
    return whole_pairs() == 0 ? 0 : (whole_pairs() - 1) * pair_step() + d.S;
  }
  int64_t x_row() const { return (shared_columns() + (odd() ? d.S : 0)) * d.C; }
  int64_t x_rows_per_chunk() const { return rows_per_chunk * d.R; }
};

// Words of the pixels w and w + distance of a row of x, for `count` pixels from w on, which may lie
// in the padding; distance 0 means a zero instead of the second pixel.
void pack_x(const Plan& plan, uint32_t* to, const Bf16* row, int64_t w, int64_t distance,
            int64_t count) {
  const int64_t C = plan.d.C, W = plan.d.W;
  const auto inside = [W](int64_t i) { return i >= 0 && i < W; };
  const int64_t end = w + count;
  while (w < end) {
    // As many pixels as have the same neighbours inside.
    const bool low = inside(w), high = distance > 0 && inside(w + distance);
    int64_t next = w + 1;
    while (next < end && inside(next) == low && (distance > 0 && inside(next + distance)) == high) {
      ++next;
    }
    const int64_t n = (next - w) * C;
    const Bf16 *first = row + w * C, *second = row + (w + distance) * C;
    if (low) {
      plan.kernels->interleave(to, first, high ? second : nullptr, n);
    } else {
      for (int64_t i = 0; i < n; ++i) {
        to[i] = high ? static_cast<uint32_t>(second[i].bits) << 16 : 0;
      }
    }
    to += n;
    w = next;
  }
}

void pack_x_row(const Plan& plan, uint32_t* to, const Bf16* row) {
  const int64_t stride = plan.g.stride_w, step = plan.pair_step(), S = plan.d.S;
  if (step == 2 * stride) {
    pack_x(plan, to, row, -plan.g.pad_w, stride, plan.shared_columns());
  } else {
    for (int64_t j = 0; j < plan.whole_pairs(); ++j) {
      pack_x(plan, to + j * step * plan.d.C, row, 2 * stride * j - plan.g.pad_w, stride, S);
    }
  }
  if (plan.odd()) {
    pack_x(plan, to + plan.shared_columns() * plan.d.C, row, (plan.d.Q - 1) * stride - plan.g.pad_w,
           0, S);
  }
}

// Consecutive rows of dy, [begin, end) of all images'.
struct Chunk {
  const Plan& plan;
  int64_t begin, end, r_begin, r_end;
  uint32_t *x, *dy;
  int64_t x_at[kMaxRowsPerChunk] =
      {};  // for each row: where the words of its kernel row 0 would lie

  // The row of its image that row f of dy meets at kernel row r; it may lie in the padding.
  int64_t input_row(int64_t f, int64_t r) const {
    return f % plan.d.P * plan.g.stride_h - plan.g.pad_h + r;
  }
  bool inside(int64_t h) const { return h >= 0 && h < plan.d.H; }

  void pack(int64_t column_begin, int64_t column_end) {
    const auto& d = plan.d;
    const int64_t padded = plan.panels.padded_columns();
    int64_t next = -1, used = 0;  // the first row of x of this image not yet packed, and its place
    for (int64_t f = begin; f < end; ++f) {
      const int64_t n = f / d.P;
      if (f == begin || f % d.P == 0) next = input_row(f, r_begin);
      const int64_t last = input_row(f, r_end - 1);
      for (next = std::max(next, input_row(f, r_begin)); next <= last; ++next, ++used) {
        if (inside(next)) {
          pack_x_row(plan, x + used * plan.x_row(), plan.x + (n * d.H + next) * d.W * d.C);
        }
      }
      x_at[f - begin] = used - 1 - last + input_row(f, 0);
      for (int64_t q = 0; q < d.Q; q += 2) {
        const Bf16* pixel = plan.dy + (f * d.Q + q) * d.K;
        uint32_t* to = dy + (f - begin) * plan.dy_row() + q / 2 * padded;
        const int64_t columns = std::min(column_end, d.K) - column_begin;
        plan.kernels->interleave(to + column_begin, pixel + column_begin,
                                 q + 1 < d.Q ? pixel + d.K + column_begin : nullptr, columns);
        std::fill(to + column_begin + columns, to + column_end, 0u);
      }
    }
  }

  // partial[r, all taps, panel] += this chunk.
  void add(float* partial, int64_t r, int64_t panel) const {
    const auto& d = plan.d;
    const int64_t padded = plan.panels.padded_columns();
    Run pairs[kMaxRowsPerChunk], rest[kMaxRowsPerChunk];
    int64_t count = 0;
    for (int64_t f = begin; f < end; ++f) {
      if (!inside(input_row(f, r))) continue;
      const int64_t a = (x_at[f - begin] + r) * plan.x_row(),
                    b = (f - begin) * plan.dy_row() / padded;
      pairs[count] = {a, b};
      rest[count++] = {a + plan.shared_columns() * d.C, b + plan.whole_pairs()};
    }
    if (count == 0) return;
    const int vectors = plan.panels.vectors(panel);
    PairSumTile tile;
    tile.a_step = plan.pair_step() * d.C;
    tile.b = dy + plan.panels.start(panel);
    tile.b_step = padded;
    tile.run_count = count;
    tile.y_row = padded;
    const Pieces pieces(plan.taps(), plan.kernels->adjacent.max_rows[vectors]);
    for (int64_t piece = 0; piece < pieces.count(); ++piece) {
      const int64_t row = pieces.begin(piece);
      const auto kernel = plan.kernels->adjacent.of[vectors][pieces.end(piece) - row];
      tile.a = x + row;
      tile.y = partial + (r * plan.taps() + row) * padded + plan.panels.start(panel);
      if (plan.whole_pairs() > 0) {
        tile.runs = pairs;
        tile.depth = plan.whole_pairs();
        kernel(tile);
      }
      if (plan.odd()) {
        tile.runs = rest;
        tile.depth = 1;
        kernel(tile);
      }
    }
  }
};

void group_task(const Plan& plan, const Context& context, int64_t task) {
  const auto& d = plan.d;
  const int64_t panel_begin = task % plan.panel_tasks() * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  task /= plan.panel_tasks();
  const int64_t r_begin = task % plan.kernel_row_tasks() * plan.kernel_rows_per_task;
  const int64_t r_end = std::min(d.R, r_begin + plan.kernel_rows_per_task);
  const int64_t group = task / plan.kernel_row_tasks();
  const int64_t padded = plan.panels.padded_columns();
  const int64_t column_begin = plan.panels.start(panel_begin);
  const int64_t column_end = plan.panels.start(panel_end - 1) + plan.panels.width(panel_end - 1);
  float* partial = context.at(plan.partials) + group * plan.partial_size();
  for (int64_t t = r_begin * plan.taps(); t < r_end * plan.taps(); ++t) {
    std::fill(partial + t * padded + column_begin, partial + t * padded + column_end, 0.0f);
  }
  const Pieces rows(plan.rows(), (plan.rows() + plan.groups - 1) / plan.groups);
  const Pieces chunks(rows.end(group) - rows.begin(group), plan.rows_per_chunk);
  for (int64_t i = 0; i < chunks.count(); ++i) {
    Chunk chunk{
        .plan = plan,
        .begin = rows.begin(group) + chunks.begin(i),
        .end = rows.begin(group) + chunks.end(i),
        .r_begin = r_begin,
        .r_end = r_end,
        .x = context.at(plan.x_words) + context.worker * plan.x_rows_per_chunk() * plan.x_row(),
        .dy = context.at(plan.dy_words) + context.worker * plan.rows_per_chunk * plan.dy_row()};
    chunk.pack(column_begin, column_end);
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      for (int64_t r = r_begin; r < r_end; ++r) chunk.add(partial, r, panel);
    }
  }
}

// Groups and chunks decide the order of the sums, so they look at the shape alone; the rest of the
// cut changes no bit.
void choose_tasks(Plan& plan, int workers) {
  const auto& d = plan.d;
  const int64_t partial_bytes = plan.partial_size() * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::clamp<int64_t>((1 << 20) / partial_bytes, 1, 16);
  const Pieces rows(plan.rows(), (plan.rows() + most - 1) / most);
  plan.groups = rows.count();
  const int64_t wanted = 4 * workers;
  plan.panels_per_task = plan.panels.count();
  plan.kernel_rows_per_task =
      std::max<int64_t>(1, d.R / ((wanted + plan.groups - 1) / plan.groups));
  while (plan.tasks() < wanted && plan.panels_per_task > 1) {
    plan.panels_per_task = (plan.panels_per_task + 1) / 2;
  }
  const int64_t row_bytes =
      (plan.dy_row() + std::min(plan.g.stride_h, d.R) * plan.x_row()) * static_cast<int64_t>(4);
  // Fewer than some 64 pairs would not pay for loading and storing the sums.
  const int64_t least = std::min(kMaxRowsPerChunk, (128 + d.Q - 1) / d.Q);
  plan.rows_per_chunk =
      std::clamp((64 << 10) / std::max<int64_t>(row_bytes, 1), least, kMaxRowsPerChunk);
}

}  // namespace

void conv2d_backward_weights_bf16(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                  const Tensor& dy, const ConvGeometry& g) {
  const PairKernels& kernels = pair_kernels();
  const naive::ConvDims d(x, dw, dy);
  Plan plan{.kernels = &kernels,
            .x = x.as<Bf16>(),
            .dy = dy.as<Bf16>(),
            .dw = dw.as<float>(),
            .d = d,
            .g = g,
            .panels = Panels(kernels.lanes, kMaxVectors, d.K)};
  if (dy.count == 0) {
    launcher.parallel(1, [plan, count = dw.count](const Context&, int64_t) {
      std::fill(plan.dw, plan.dw + count, 0.0f);
    });
    return;
  }
  if (may_use_tiles()) return conv_bf16::backward_weights_on_tiles(launcher, dw, x, dy, g);
  choose_tasks(plan, launcher.workers());
  plan.partials = launcher.scratch<float>(plan.groups * plan.partial_size());
  plan.x_words =
      launcher.scratch<uint32_t>(launcher.workers() * plan.x_rows_per_chunk() * plan.x_row());
  plan.dy_words =
      launcher.scratch<uint32_t>(launcher.workers() * plan.rows_per_chunk * plan.dy_row());
  launcher.parallel(plan.tasks(), [plan](const Context& context, int64_t task) {
    group_task(plan, context, task);
  });
  conv_bf16::sum_partials(launcher, {.dw = plan.dw,
                                     .filters = d.K,
                                     .taps = d.R * d.S,
                                     .channels = d.C,
                                     .block = d.C,
                                     .width = plan.panels.padded_columns(),
                                     .groups = plan.groups,
                                     .partials = plan.partials});
}

}  // namespace gatun::kernels
