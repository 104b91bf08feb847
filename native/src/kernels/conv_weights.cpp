// The weight gradient. A tile is some output channels by two vectors of input channels of one tap,
// which is how dw lies; its depth is pixels. Rows of dy are cut into groups by the shape alone:
// each group sums its rows into a partial gradient of its own, and a last section adds the partials
// in order. A large gradient has one group, which sums into dw itself.
#include "kernels/conv_weights.h"

#include "kernels/conv_bf16.h"
#include "kernels/conv_grouped.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_weights_simd.h"
#include "kernels/gemm.h"

namespace gatun::kernels {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kMaxRowsPerChunk = 128;
// Channels of a packed pixel of dy: a cache line.
constexpr int64_t kPackedFilters = 16;
// Of panels or of groups of filters in a task: the narrowest have 8 and 6 channels.
constexpr int64_t kMaxParts = 64;
// One more line keeps parts of equal size from falling into the same sets of L1.
constexpr int64_t kPartPadding = 16;
constexpr int64_t kLine = 16;  // floats of a cache line
// Channels of either side that one task goes through.
constexpr int64_t kChannelsPerTask = 256;
// Of L2, for the pixels of a chunk.
constexpr int64_t kChunkBytes = 640 << 10;
// Pixels further apart than these many bytes are packed: only then does it pay. Those of x that are
// 4 KiB apart would fall into one set of L1.
constexpr int64_t kMaxPixelOfX = 4095, kMaxPixelOfDy = 1024;

struct Plan {
  const FilterKernels* kernels;
  const float *x, *dy;
  float* dw;
  naive::ConvDims d;
  ConvGeometry g;
  Panels panels;  // of input channels
  Pieces filters;
  // Pixels far apart in memory would throw each other out of the caches; input pixels that end
  // inside a vector cannot be read where they lie.
  bool pack_x = false, pack_dy = false;
  int64_t groups = 1, panels_per_task = 1, filters_per_task = 1, kernel_rows_per_task = 1;
  int64_t rows_per_chunk = 1, x_rows_per_chunk = 1;
  Scratch<float> partials = {}, packed_x = {}, packed_dy = {};

  int64_t rows() const { return d.N * d.P; }  // of dy
  int64_t size() const { return d.K * d.R * d.S * d.C; }
  // Pixels of a packed row of x: those between taps are left out where no kernel column sees them.
  int64_t packed_step() const { return d.S == 1 && g.pad_w % g.stride_w == 0 ? g.stride_w : 1; }
  int64_t packed_width() const { return (d.W + packed_step() - 1) / packed_step(); }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t filter_tasks() const {
    return (filters.count() + filters_per_task - 1) / filters_per_task;
  }
  int64_t kernel_row_tasks() const {
    return (d.R + kernel_rows_per_task - 1) / kernel_rows_per_task;
  }
  int64_t tasks() const { return groups * kernel_row_tasks() * panel_tasks() * filter_tasks(); }
  int64_t x_part_size() const {
    return x_rows_per_chunk * packed_width() * panels.width(0) + kPartPadding;
  }
  int64_t dy_part_size() const { return rows_per_chunk * d.Q * kPackedFilters + kPartPadding; }
  int64_t packed_x_size() const { return panels_per_task * x_part_size(); }
  int64_t packed_dy_size() const { return filters_per_task * dy_part_size(); }
  // How many packed rows further the next row of dy meets x. Rows that no tap sees are left out.
  int64_t x_rows_per_row() const { return std::min(g.stride_h, d.R); }
  // Rows of a pointwise convolution lie behind each other in both operands, if no pixel of dy lies
  // in the padding.
  bool rows_join() const {
    return d.R == 1 && d.S == 1 && g.pad_h == 0 && g.pad_w == 0 && (d.P - 1) * g.stride_h < d.H &&
           d.Q == (pack_x ? packed_width() : d.W) &&
           (pack_x || (g.stride_h == 1 && g.stride_w == 1));
  }
};

// The input row that row f of dy meets at kernel row r, or -1 in the padding.
int64_t input_row(const Plan& plan, int64_t f, int64_t r) {
  const int64_t h = f % plan.d.P * plan.g.stride_h - plan.g.pad_h + r;
  return h < 0 || h >= plan.d.H ? -1 : f / plan.d.P * plan.d.H + h;
}

struct Task {
  int64_t group, r_begin, r_end, panel_begin, panel_end, filters_begin, filters_end;

  Task(const Plan& plan, int64_t task) {
    panel_begin = task % plan.panel_tasks() * plan.panels_per_task;
    panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
    task /= plan.panel_tasks();
    filters_begin = task % plan.filter_tasks() * plan.filters_per_task;
    filters_end = std::min(plan.filters.count(), filters_begin + plan.filters_per_task);
    task /= plan.filter_tasks();
    r_begin = task % plan.kernel_row_tasks() * plan.kernel_rows_per_task;
    r_end = std::min(plan.d.R, r_begin + plan.kernel_rows_per_task);
    group = task / plan.kernel_row_tasks();
  }
};

// What the next chunk reads where it lies and nobody has asked for yet.
struct Unasked {
  const float* from;
  int64_t left;  // floats
};

// Some rows of dy and what a task needs to know of them.
struct Chunk {
  int64_t begin, end;  // rows of dy
  bool first;          // of its group: sums start at zero
  float *packed_x, *packed_dy, *dw;
  Unasked ahead[2];  // of dy and x
  // Where the packed input row lies that row begin + i of dy meets at kernel row r_begin; those of
  // other kernel rows follow.
  int64_t x_places[kMaxRowsPerChunk];
};

// Packed input rows of one image follow each other as in x, rows in the padding left blank.
void pack_x(const Plan& plan, const Task& task, Chunk& chunk) {
  const auto& d = plan.d;
  const int64_t width = plan.panels.width(0), row_size = plan.packed_width() * width;
  int64_t starts[kMaxParts];
  for (int64_t panel = task.panel_begin; panel < task.panel_end; ++panel) {
    starts[panel - task.panel_begin] = plan.panels.start(panel);
  }
  const PixelParts parts{.starts = starts,
                         .count = task.panel_end - task.panel_begin,
                         .width = width,
                         .part_size = plan.x_part_size(),
                         .channels = d.C};
  int64_t next = 0;  // behind the rows in use
  for (int64_t f = chunk.begin; f < chunk.end; ++f) {
    const bool follows = f > chunk.begin && f % d.P > 0;
    int64_t& place = chunk.x_places[f - chunk.begin];
    const int64_t packed = next;
    place = follows ? chunk.x_places[f - chunk.begin - 1] + plan.x_rows_per_row() : next;
    next = place + task.r_end - task.r_begin;
    for (int64_t row = std::max(place, packed); row < next; ++row) {
      const int64_t h = input_row(plan, f, task.r_begin + row - place);
      if (h < 0) continue;
      plan.kernels->pack(chunk.packed_x + row * row_size, parts, plan.x + h * d.W * d.C,
                         plan.packed_step() * d.C, plan.packed_width());
    }
  }
}

void pack_dy(const Plan& plan, const Task& task, const Chunk& chunk) {
  const auto& d = plan.d;
  int64_t starts[kMaxParts];
  for (int64_t piece = task.filters_begin; piece < task.filters_end; ++piece) {
    starts[piece - task.filters_begin] = plan.filters.begin(piece);
  }
  const PixelParts parts{.starts = starts,
                         .count = task.filters_end - task.filters_begin,
                         .width = kPackedFilters,
                         .part_size = plan.dy_part_size(),
                         .channels = d.K};
  plan.kernels->pack(chunk.packed_dy, parts, plan.dy + chunk.begin * d.Q * d.K, d.K,
                     (chunk.end - chunk.begin) * d.Q);
}

// dw[filters, r, s, channels] += chunk.
void add_tap(const Plan& plan, const Task& task, Chunk& chunk, int64_t r, int64_t s) {
  const auto& d = plan.d;
  const int64_t stride = plan.g.stride_w, shift = plan.g.pad_w - s;
  // Pixels whose tap s lies inside x.
  const int64_t q_begin = shift > 0 ? std::min(d.Q, (shift + stride - 1) / stride) : 0;
  const int64_t q_end = std::min(d.Q, d.W + shift <= 0 ? 0 : (d.W + shift - 1) / stride + 1);
  const int64_t dy_step = plan.pack_dy ? kPackedFilters : d.K;
  const int64_t x_step = plan.pack_x ? plan.panels.width(0) : d.C;
  PixelRun runs[kMaxRowsPerChunk];
  int64_t run_count = 0;
  for (int64_t f = chunk.begin; f < chunk.end && q_begin < q_end; ++f) {
    const int64_t h = input_row(plan, f, r);
    if (h < 0) continue;
    if (run_count == 1 && plan.rows_join()) {
      runs[0].pixels += d.Q;
      continue;
    }
    const int64_t row = plan.pack_x ? chunk.x_places[f - chunk.begin] + r - task.r_begin : h;
    const int64_t w =
        (q_begin * stride + s - plan.g.pad_w) / (plan.pack_x ? plan.packed_step() : 1);
    runs[run_count++] = {((plan.pack_dy ? f - chunk.begin : f) * d.Q + q_begin) * dy_step,
                         (row * (plan.pack_x ? plan.packed_width() : d.W) + w) * x_step,
                         q_end - q_begin};
  }
  if (run_count == 0 && !chunk.first) return;
  int64_t pixels = 0;
  for (int64_t i = 0; i < run_count; ++i) pixels += runs[i].pixels;
  FilterTile tile;
  tile.dy_step = dy_step;
  tile.runs = runs;
  tile.run_count = run_count;
  tile.dw_row = d.R * d.S * d.C;
  tile.accumulate = !chunk.first;
  tile.x_step = x_step * stride / (plan.pack_x ? plan.packed_step() : 1);
  for (int64_t panel = task.panel_begin; panel < task.panel_end; ++panel) {
    const int vectors = plan.panels.vectors(panel);
    tile.x = plan.pack_x ? chunk.packed_x + (panel - task.panel_begin) * plan.x_part_size()
                         : plan.x + plan.panels.start(panel);
    tile.columns = plan.panels.columns(panel);
    for (int64_t piece = task.filters_begin; piece < task.filters_end; ++piece) {
      const int64_t k = plan.filters.begin(piece);
      tile.dy = plan.pack_dy ? chunk.packed_dy + (piece - task.filters_begin) * plan.dy_part_size()
                             : plan.dy + k;
      tile.dw = chunk.dw + ((k * d.R + r) * d.S + s) * d.C + plan.panels.start(panel);
      Unasked& ahead = chunk.ahead[chunk.ahead[0].left > 0 ? 0 : 1];
      tile.ahead = ahead.from;
      tile.ahead_step = ahead.left > 0 ? kLine : 0;
      ahead.from += pixels * tile.ahead_step;
      ahead.left -= pixels * tile.ahead_step;
      plan.kernels->of[vectors][plan.filters.end(piece) - k](tile);
    }
  }
}

// The next chunk's pixels come from memory for the first time, each tile's a line or two of them:
// no processor foresees that.
void look_ahead(const Plan& plan, Chunk& chunk, int64_t end) {
  const auto& d = plan.d;
  const int64_t rows = std::min(end - chunk.end, chunk.end - chunk.begin);
  const bool all_filters = plan.filters_per_task == plan.filters.count();
  const bool all_panels = plan.panels_per_task == plan.panels.count();
  chunk.ahead[0] = {plan.dy + chunk.end * d.Q * d.K,
                    plan.pack_dy || !all_filters ? 0 : rows * d.Q * d.K};
  const int64_t x_row = d.W * d.C;
  const int64_t h = chunk.end / d.P * d.H + chunk.end % d.P * plan.g.stride_h;
  chunk.ahead[1] = {plan.x + h * x_row,
                    plan.pack_x || !all_panels ? 0 : rows * plan.g.stride_h * x_row};
}

void group_task(const Plan& plan, const Context& context, int64_t index) {
  const Task task(plan, index);
  const Pieces rows(plan.rows(), (plan.rows() + plan.groups - 1) / plan.groups);
  const int64_t begin = rows.begin(task.group), end = rows.end(task.group);
  const Pieces chunks(end - begin, plan.rows_per_chunk);
  Chunk chunk{};
  chunk.packed_x = context.at(plan.packed_x) + context.worker * plan.packed_x_size();
  chunk.packed_dy = context.at(plan.packed_dy) + context.worker * plan.packed_dy_size();
  chunk.dw = plan.groups == 1 ? plan.dw : context.at(plan.partials) + task.group * plan.size();
  for (int64_t i = 0; i < chunks.count(); ++i) {
    chunk.begin = begin + chunks.begin(i);
    chunk.end = begin + chunks.end(i);
    chunk.first = i == 0;
    look_ahead(plan, chunk, end);
    if (plan.pack_x) pack_x(plan, task, chunk);
    if (plan.pack_dy) pack_dy(plan, task, chunk);
    for (int64_t r = task.r_begin; r < task.r_end; ++r) {
      for (int64_t s = 0; s < plan.d.S; ++s) add_tap(plan, task, chunk, r, s);
    }
  }
}

constexpr int64_t kSumBlock = 4096;

void sum_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t begin = task * kSumBlock, end = std::min(plan.size(), begin + kSumBlock);
  float* dw = plan.dw;
  for (int64_t group = 0; group < plan.groups; ++group) {
    const float* partial = context.at(plan.partials) + group * plan.size();
    if (group == 0) {
      std::copy(partial + begin, partial + end, dw + begin);
    } else {
      for (int64_t i = begin; i < end; ++i) dw[i] += partial[i];
    }
  }
}

// Groups and chunks decide the order of the sums, so they look at the shape alone; the rest of the
// cut changes no bit.
void choose_tasks(Plan& plan, int workers) {
  const auto& d = plan.d;
  const int64_t most = std::clamp<int64_t>((1 << 20) / (plan.size() * kFloat), 1, 16);
  const Pieces rows(plan.rows(), (plan.rows() + most - 1) / most);
  plan.groups = rows.count();
  plan.pack_x = plan.g.stride_w * d.C * kFloat > kMaxPixelOfX || d.C % plan.kernels->lanes != 0;
  plan.pack_dy = d.K * kFloat > kMaxPixelOfDy;

  plan.panels_per_task = std::clamp<int64_t>(kChannelsPerTask / plan.panels.width(0), 1,
                                             std::min(plan.panels.count(), kMaxParts));
  plan.filters_per_task = std::clamp<int64_t>(kChannelsPerTask / plan.filters.end(0), 1,
                                              std::min(plan.filters.count(), kMaxParts));
  // A small gradient is cheap to load and store again, and leaves L1 to the pixels.
  const int64_t chunk_bytes = plan.size() * kFloat <= (16 << 10) ? 24 << 10 : kChunkBytes;
  const int64_t x_pixels =
      std::min(plan.g.stride_h, d.R) * (plan.pack_x ? plan.packed_width() : d.W);
  const int64_t row_bytes =
      (d.Q * std::min(d.K, kChannelsPerTask) + x_pixels * std::min(d.C, kChannelsPerTask)) * kFloat;
  // Fewer than some 128 pixels would not pay for loading and storing the sums.
  const int64_t least = std::min((128 + d.Q - 1) / d.Q, kMaxRowsPerChunk);
  plan.rows_per_chunk = std::clamp(chunk_bytes / row_bytes, least, kMaxRowsPerChunk);
  const int64_t images = std::min(plan.rows_per_chunk, plan.rows_per_chunk / d.P + 2);
  plan.x_rows_per_chunk = plan.rows_per_chunk * plan.x_rows_per_row() + images * d.R;

  const int64_t wanted = 4 * workers;
  while (plan.tasks() < wanted) {
    // Panels apart pack dy again, filters apart pack x again: the wider side is cut.
    if (plan.panels_per_task * plan.panels.width(0) >=
            plan.filters_per_task * plan.filters.end(0) &&
        plan.panels_per_task > 1) {
      plan.panels_per_task = (plan.panels_per_task + 1) / 2;
    } else if (plan.filters_per_task > 1) {
      plan.filters_per_task = (plan.filters_per_task + 1) / 2;
    } else if (plan.kernel_rows_per_task > 1) {
      plan.kernel_rows_per_task = (plan.kernel_rows_per_task + 1) / 2;
    } else {
      break;
    }
  }
}

// Whether x's channels would leave too much of their vectors empty.
bool is_narrow(const naive::ConvDims& d, int64_t lanes) {
  return 3 * d.C < 2 * ((d.C + lanes - 1) / lanes * lanes);
}

}  // namespace

void direct::conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                     const Tensor& dy, const ConvGeometry& g) {
  if (dw.count == 0) return;
  if (!g.is_plain()) return conv2d_backward_weights_grouped(launcher, dw, x, dy, g);
  if (x.dtype == DType::BF16) return conv2d_backward_weights_bf16(launcher, dw, x, dy, g);
  if (dw.dtype == DType::F64) {
    return naive::conv2d_backward_weights<double>(launcher, dw, x, dy, g);
  }
  if (dy.count == 0) {
    launcher.parallel(1, [p = dw.as<float>(), count = dw.count](const Context&, int64_t) {
      std::fill(p, p + count, 0.0f);
    });
    return;
  }
  const FilterKernels& kernels = filter_kernels();
  const naive::ConvDims d(x, dw, dy);
  if (is_narrow(d, kernels.lanes)) return conv2d_backward_weights_narrow(launcher, dw, x, dy, g);
  const Panels panels(kernels.lanes, 2, d.C);
  Plan plan{.kernels = &kernels,
            .x = x.as<float>(),
            .dy = dy.as<float>(),
            .dw = dw.as<float>(),
            .d = d,
            .g = g,
            .panels = panels,
            .filters = Pieces(d.K, kernels.max_rows[panels.vectors(0)])};
  choose_tasks(plan, launcher.workers());
  if (plan.groups > 1) plan.partials = launcher.scratch<float>(plan.groups * plan.size());
  if (plan.pack_x) {
    plan.packed_x = launcher.scratch<float>(launcher.workers() * plan.packed_x_size());
  }
  if (plan.pack_dy) {
    plan.packed_dy = launcher.scratch<float>(launcher.workers() * plan.packed_dy_size());
  }
  launcher.parallel(plan.tasks(), [plan](const Context& context, int64_t task) {
    group_task(plan, context, task);
  });
  if (plan.groups == 1) return;
  launcher.parallel(
      (plan.size() + kSumBlock - 1) / kSumBlock,
      [plan](const Context& context, int64_t task) { sum_task(plan, context, task); });
}

}  // namespace gatun::kernels
