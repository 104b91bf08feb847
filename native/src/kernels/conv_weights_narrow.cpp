// The weight gradient where x has few channels. A tile is some input channels of one tap by two
// vectors of output channels; its depth is pixels. Rows of dy are cut into groups by the shape
// alone: each group sums its rows into a partial gradient of its own, and a last section adds the
// partials in order.
#include "kernels/conv_naive.h"
#include "kernels/conv_weights.h"
#include "kernels/gemm.h"

namespace gatun::kernels {
namespace {

constexpr int64_t kMaxRunsPerTile = 128;

struct Plan {
  const MicroKernels* kernels;
  const float *x, *dy;
  float* dw;
  naive::ConvDims d;
  ConvGeometry g;
  Panels panels;
  // With few input channels, rows of x are copied with their padding, so that the taps of one
  // kernel row and their channels lie side by side, S * C of them, and fill a tile.
  bool copy_x = false;
  bool pack_dy = false;  // rows of dy end inside a vector
  int64_t groups = 1, panels_per_task = 1, kernel_rows_per_task = 1, channel_parts = 1;
  int64_t rows_per_chunk = 1;
  Scratch<float> partials = {}, copied_x = {}, packed_dy = {};

  int64_t rows() const { return d.N * d.P; }  // of dy
  int64_t partial_size() const { return d.R * d.S * d.C * panels.padded_columns(); }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t kernel_row_tasks() const {
    return (d.R + kernel_rows_per_task - 1) / kernel_rows_per_task;
  }
  int64_t channels() const { return copy_x ? d.S * d.C : d.C; }  // that lie side by side
  int64_t tasks() const { return groups * kernel_row_tasks() * panel_tasks() * channel_parts; }
  // As far as the last window reaches: padding behind may be more than before.
  int64_t padded_row() const { return std::max(d.W + g.pad_w, (d.Q - 1) * g.stride_w + d.S) * d.C; }
  // How many copied rows further the next row of dy meets x.
  int64_t rows_per_row() const { return std::min(g.stride_h, d.R); }
  int64_t copied_size() const {
    const int64_t images = std::min(rows_per_chunk, rows_per_chunk / d.P + 2);
    return (rows_per_chunk * rows_per_row() + images * d.R) * padded_row();
  }
  int64_t packed_size() const { return rows_per_chunk * d.Q * panels.padded_columns(); }
};

// The input row that row f of dy meets at kernel row r, or -1 in the padding.
int64_t input_row(const Plan& plan, int64_t f, int64_t r) {
  const int64_t h = f % plan.d.P * plan.g.stride_h - plan.g.pad_h + r;
  return h < 0 || h >= plan.d.H ? -1 : f / plan.d.P * plan.d.H + h;
}

struct Chunk {
  const float *x, *dy;  // copies of the chunk's rows, or the tensors
  int64_t begin, end;   // rows of dy
  bool first;           // of its group: sums start at zero
  int64_t channel_begin, channel_end;
  float* partial;
  // Where the copied row lies that row begin + i of dy meets at kernel row 0.
  int64_t places[kMaxRunsPerTile];
};

// Each input row once, those of one image behind each other, rows of the padding left out.
void copy_rows(const Plan& plan, float* copy, Chunk& chunk, int64_t r_begin, int64_t r_end) {
  const int64_t pad = plan.g.pad_w * plan.d.C, row = plan.d.W * plan.d.C;
  int64_t next = 0;  // behind the rows in use
  for (int64_t f = chunk.begin; f < chunk.end; ++f) {
    const bool follows = f > chunk.begin && f % plan.d.P > 0;
    int64_t& place = chunk.places[f - chunk.begin];
    place = follows ? chunk.places[f - chunk.begin - 1] + plan.rows_per_row() : next - r_begin;
    for (int64_t at = std::max(place + r_begin, next); at < place + r_end; ++at) {
      const int64_t h = input_row(plan, f, at - place);
      if (h < 0) continue;
      float* to = copy + at * plan.padded_row();
      std::fill(to, to + pad, 0.0f);
      std::copy(plan.x + h * row, plan.x + (h + 1) * row, to + pad);
      std::fill(to + pad + row, to + plan.padded_row(), 0.0f);
    }
    next = place + r_end;
  }
}

// dw[r, rows of A, panel] += chunk, where A's rows are adjacent channels: those of tap (r, s), or
// of all taps of r in copied rows.
void add_kernel_row(const Plan& plan, const Chunk& chunk, int64_t r, int64_t s, int64_t panel) {
  const auto& d = plan.d;
  const int64_t stride = plan.g.stride_w;
  int64_t q_begin = 0, q_end = d.Q;  // pixels whose tap s lies inside x
  if (!plan.copy_x) {
    const int64_t shift = plan.g.pad_w - s;
    q_begin = shift > 0 ? std::min(d.Q, (shift + stride - 1) / stride) : 0;
    q_end = std::min(d.Q, d.W + shift <= 0 ? 0 : (d.W + shift - 1) / stride + 1);
  }
  Run runs[kMaxRunsPerTile];
  int64_t run_count = 0;
  for (int64_t f = chunk.begin; f < chunk.end && q_begin < q_end; ++f) {
    const int64_t h = input_row(plan, f, r);
    if (h < 0) continue;
    const int64_t b_row = plan.pack_dy ? f - chunk.begin : f;
    runs[run_count++] = {plan.copy_x ? (chunk.places[f - chunk.begin] + r) * plan.padded_row()
                                     : (h * d.W + q_begin * stride - plan.g.pad_w + s) * d.C,
                         b_row * d.Q + q_begin};
  }
  if (run_count == 0 && !chunk.first) return;
  const int vectors = plan.panels.vectors(panel);
  const float* a = nullptr;
  float* y_rows[kMaxRows];
  Tile tile;
  tile.a = &a;
  tile.a_step = stride * d.C;
  tile.b = chunk.dy + plan.panels.start(panel);
  tile.b_step = plan.panels.padded_columns();
  tile.runs = runs;
  tile.run_count = run_count;
  tile.depth = q_end - q_begin;
  tile.y = y_rows;
  tile.columns = plan.panels.width(panel);
  tile.accumulate = !chunk.first;
  if (!plan.pack_dy && chunk.end < plan.rows()) {
    // The next chunk's pixels come from memory: some of them while each kernel row is multiplied.
    tile.ahead_row = plan.kernels->lanes;
    tile.ahead = tile.b + (chunk.end * d.Q + (r * run_count * d.Q) / d.R) * d.K;
  }
  const Pieces pieces(chunk.channel_end - chunk.channel_begin,
                      plan.kernels->adjacent.max_rows[vectors]);
  for (int64_t piece = 0; piece < pieces.count(); ++piece) {
    const auto count = static_cast<int>(pieces.end(piece) - pieces.begin(piece));
    const int64_t channel = chunk.channel_begin + pieces.begin(piece);
    a = chunk.x + channel;
    float* y = chunk.partial + plan.panels.start(panel) +
               ((r * d.S + s) * d.C + channel) * plan.panels.padded_columns();
    for (int i = 0; i < count; ++i) y_rows[i] = y + i * plan.panels.padded_columns();
    plan.kernels->adjacent.of[vectors][count](tile);
  }
}

void group_task(const Plan& plan, const Context& context, int64_t task) {
  const auto& d = plan.d;
  const int64_t panel_begin = task % plan.panel_tasks() * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  task /= plan.panel_tasks();
  const int64_t r_begin = task % plan.kernel_row_tasks() * plan.kernel_rows_per_task;
  const int64_t r_end = std::min(d.R, r_begin + plan.kernel_rows_per_task);
  task /= plan.kernel_row_tasks();
  const int64_t part = task % plan.channel_parts, group = task / plan.channel_parts;
  const Pieces rows(plan.rows(), (plan.rows() + plan.groups - 1) / plan.groups);
  const Pieces chunks(rows.end(group) - rows.begin(group), plan.rows_per_chunk);
  float* copied_x = context.at(plan.copied_x) + context.worker * plan.copied_size();
  float* packed_dy = context.at(plan.packed_dy) + context.worker * plan.packed_size();
  for (int64_t i = 0; i < chunks.count(); ++i) {
    Chunk chunk{.x = plan.copy_x ? copied_x : plan.x,
                .dy = plan.pack_dy ? packed_dy : plan.dy,
                .begin = rows.begin(group) + chunks.begin(i),
                .end = rows.begin(group) + chunks.end(i),
                .first = i == 0,
                .channel_begin = plan.channels() * part / plan.channel_parts,
                .channel_end = plan.channels() * (part + 1) / plan.channel_parts,
                .partial = context.at(plan.partials) + group * plan.partial_size(),
                .places = {}};
    if (plan.copy_x) copy_rows(plan, copied_x, chunk, r_begin, r_end);
    if (plan.pack_dy) {
      pack_columns(packed_dy, plan.panels.padded_columns(), plan.dy + chunk.begin * d.Q * d.K, d.K,
                   d.K, (chunk.end - chunk.begin) * d.Q);
    }
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      for (int64_t r = r_begin; r < r_end; ++r) {
        for (int64_t s = 0; s < (plan.copy_x ? 1 : d.S); ++s) {
          add_kernel_row(plan, chunk, r, s, panel);
        }
      }
    }
  }
}

constexpr int64_t kSumRows = 16, kSumColumns = 64;

// dw[k, t] = sum over groups of partial[t, k], for one block of taps times channels t.
void sum_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t taps = plan.d.R * plan.d.S * plan.d.C, width = plan.panels.padded_columns();
  const int64_t t0 = task * kSumRows, t1 = std::min(taps, t0 + kSumRows);
  float sum[kSumRows][kSumColumns];
  for (int64_t k0 = 0; k0 < plan.d.K; k0 += kSumColumns) {
    const int64_t columns = std::min(kSumColumns, plan.d.K - k0);
    for (int64_t group = 0; group < plan.groups; ++group) {
      const float* partial = context.at(plan.partials) + group * plan.partial_size() + k0;
      for (int64_t t = t0; t < t1; ++t) {
        const float* row = partial + t * width;
        float* to = sum[t - t0];
        if (group == 0) {
          for (int64_t k = 0; k < columns; ++k) to[k] = row[k];
        } else {
          for (int64_t k = 0; k < columns; ++k) to[k] += row[k];
        }
      }
    }
    for (int64_t k = 0; k < columns; ++k) {
      for (int64_t t = t0; t < t1; ++t) plan.dw[(k0 + k) * taps + t] = sum[t - t0][k];
    }
  }
}

// Groups decide the order of the sums, so they look at the shape alone; the rest of the cut changes
// no bit.
void choose_tasks(Plan& plan, int workers) {
  const auto& d = plan.d;
  constexpr int64_t kFloat = sizeof(float);
  const int64_t partial_bytes = plan.partial_size() * kFloat;
  const int64_t most = std::clamp<int64_t>((1 << 20) / partial_bytes, 1, 16);
  const Pieces rows(plan.rows(), (plan.rows() + most - 1) / most);
  plan.groups = rows.count();
  const int64_t wanted = 4 * workers;
  const auto divide = [](int64_t n, int64_t parts) { return std::max<int64_t>(1, n / parts); };
  plan.panels_per_task = plan.panels.count();
  plan.kernel_rows_per_task = divide(d.R, (wanted + plan.groups - 1) / plan.groups);
  // Panels apart read x again, channels apart read dy again: the wider side is cut.
  const int64_t least_channels = 2 * plan.kernels->adjacent.max_rows[plan.panels.vectors(0)];
  while (plan.tasks() < wanted) {
    if (plan.channels() / plan.channel_parts >=
        std::max(plan.panels_per_task * plan.panels.width(0), least_channels)) {
      plan.channel_parts *= 2;
    } else if (plan.panels_per_task > 1) {
      plan.panels_per_task = (plan.panels_per_task + 1) / 2;
    } else {
      break;
    }
  }
  // A small gradient is cheap to load and store again, and leaves L1 to the pixels.
  const int64_t chunk_bytes = partial_bytes <= (16 << 10) ? 24 << 10 : 192 << 10;
  const int64_t row_bytes = (d.Q * d.K + std::min(plan.g.stride_h, d.R) * d.W * d.C) * kFloat;
  // Fewer than some 128 pixels would not pay for loading and storing the sums.
  const int64_t least = (128 + d.Q - 1) / d.Q;
  plan.rows_per_chunk =
      std::clamp(chunk_bytes / std::max<int64_t>(row_bytes, 1), least, kMaxRunsPerTile);
}

}  // namespace

void conv2d_backward_weights_narrow(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                    const Tensor& dy, const ConvGeometry& g) {
  const MicroKernels& kernels = micro_kernels();
  const naive::ConvDims d(x, dw, dy);
  Plan plan{.kernels = &kernels,
            .x = x.as<float>(),
            .dy = dy.as<float>(),
            .dw = dw.as<float>(),
            .d = d,
            .g = g,
            .panels = Panels(kernels, d.K)};
  plan.copy_x = d.C < 8 && d.S > 1;
  plan.pack_dy = d.K % kernels.lanes != 0;
  choose_tasks(plan, launcher.workers());
  plan.partials = launcher.scratch<float>(plan.groups * plan.partial_size());
  if (plan.copy_x) {
    plan.copied_x = launcher.scratch<float>(launcher.workers() * plan.copied_size());
  }
  if (plan.pack_dy) {
    plan.packed_dy = launcher.scratch<float>(launcher.workers() * plan.packed_size());
  }
  launcher.parallel(plan.tasks(), [plan](const Context& context, int64_t task) {
    group_task(plan, context, task);
  });
  launcher.parallel(
      (d.R * d.S * d.C + kSumRows - 1) / kSumRows,
      [plan](const Context& context, int64_t task) { sum_task(plan, context, task); });
}

}  // namespace gatun::kernels
