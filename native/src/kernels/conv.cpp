// Forward and data gradient: direct convolution. A tile is some result pixels by a few
// vectors of channels; its depth is kernel rows (runs) times kernel columns and channels, which lie
// side by side in a row of x. Pixels are sorted into regions with the same taps inside x, so that
// no tap in the padding costs anything and every tile is dense. Many channels are summed in blocks,
// and the panels of weights go in groups, so that a group's weights of one block stay in L2 while
// the pixels of a task pass by.
#include "kernels/conv.h"

#include <memory>
#include <utility>
#include <vector>

#include "kernels/conv_bf16.h"
#include "kernels/conv_cut.h"
#include "kernels/conv_epilogue_simd.h"
#include "kernels/conv_grouped.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_simd.h"

namespace gatun::kernels {
namespace {

constexpr int64_t kFloat = sizeof(float);
// Of L2, for the weights that a task goes through with every tile.
constexpr int64_t kWeightBytes = 384 << 10;
// Of L2, for the pixels of a task.
constexpr int64_t kPixelBytes = 256 << 10;

struct Plan {
  const PixelKernels* kernels;
  float* y;
  const float *x, *w, *bias;
  int64_t images, H, W, channels;  // of x
  int64_t x_image, y_image;        // elements
  bool transposed_weights;         // w's rows run along depth
  int64_t w_stride;
  bool relu;      // tiles apply it to their sums
  Finish finish;  // what comes after the sums are stored
  Panels panels;
  Cut cut;
  Scratch<float> packed_weights = {}, packed_bias = {};
  int64_t channel_block = 0;  // channels summed in one go
  int64_t images_per_task = 1, bands = 1, panels_per_task = 1, panels_per_group = 1;

  int64_t channel_blocks() const {
    return std::max<int64_t>(1, (channels + channel_block - 1) / channel_block);
  }

  int64_t image_groups() const { return (images + images_per_task - 1) / images_per_task; }
  int64_t panel_groups() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
};

void find_regions(const Plan& plan, Dense& part) {
  const auto rows = spans(part.rows, part.stride_h, part.pad_h, part.R, plan.H);
  const auto columns = spans(part.columns, part.stride_w, part.pad_w, part.S, plan.W);
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      Region region{row, column, {}, 0};
      const int64_t taps = column.tap_end - column.tap_begin;
      // Channels of neighbouring taps are contiguous only if all are summed at once.
      const int64_t taps_per_run = plan.channel_blocks() == 1 ? taps : 1;
      region.depth = taps_per_run * plan.channels;
      for (int64_t r = row.tap_begin; region.depth > 0 && r < row.tap_end; ++r) {
        for (int64_t s = 0; s < taps; s += taps_per_run) {
          region.runs.push_back(
              {((r - row.tap_begin) * plan.W + s) * plan.channels,
               part.weights_begin + (r * part.S + column.tap_begin + s) * plan.channels});
        }
      }
      part.regions.push_back(std::move(region));
    }
  }
}

// The part of the work that stays in the cache together.
struct Block {
  int64_t image_begin, image_end;
  int64_t channel_begin, channel_end;
  int64_t panel_begin, panel_end;
  // Where the weights of the block lie that comes behind it, if any.
  int64_t next_channel = 0, next_panel_begin = 0, next_panel_end = 0;
};

// Rows [row_begin, row_end) of a region in a block of one panel of one or two vectors. `tile` knows
// all but where its pixels lie.
void run_rows(const Plan& plan, PixelTile& tile, const Dense& part, const Region& region,
              int64_t row_begin, int64_t row_end, const Block& block, bool prefetch, bool last) {
  const int vectors = plan.panels.vectors(block.panel_begin);
  const int64_t column = region.columns.begin;
  const Pieces pieces(region.columns.end - column, plan.kernels->max_row_pixels[vectors]);
  tile.x_step = part.stride_w * plan.channels;
  tile.y_step = part.y_column;
  const int64_t ahead_bytes = prefetch ? tile.x_step * kFloat : 0;  // for each pixel
  const int64_t steps = std::max<int64_t>(1, tile.run_count * tile.depth);
  for (int64_t n = block.image_begin; n < block.image_end; ++n) {
    for (int64_t i = row_begin; i < row_end; ++i) {
      const int64_t h = i * part.stride_h + region.rows.tap_begin - part.pad_h;
      const int64_t w = column * part.stride_w + region.columns.tap_begin - part.pad_w;
      const float* x =
          plan.x + n * plan.x_image + (h * plan.W + w) * plan.channels + block.channel_begin;
      float* y = plan.y + n * plan.y_image + part.y_start + i * part.y_row + column * part.y_column;
      for (int64_t piece = 0; piece < pieces.count(); ++piece) {
        const int64_t begin = pieces.begin(piece), count = pieces.end(piece) - begin;
        const float* x_first = x + begin * tile.x_step;
        float* y_first = y + begin * tile.y_step;
        tile.x = &x_first;
        tile.y = &y_first;
        // The row below the taps is the first that no tile has read so far.
        tile.ahead = reinterpret_cast<const char*>(
            prefetch ? x_first + part.R * plan.W * plan.channels : tile.weights);
        tile.ahead_step = count * ahead_bytes / steps;
        plan.kernels->of_row[vectors][count](tile);
        if (!last || plan.finish.empty()) continue;
        float* y_rows[kMaxRowPixels];
        for (int64_t p = 0; p < count; ++p) y_rows[p] = y_first + p * tile.y_step;
        finish_rows(plan.finish, y_rows, count, tile.y_begin, tile.columns);
      }
    }
  }
}

// All pixels of rows [row_begin, row_end) of a region in a block.
void run_region(const Plan& plan, const Context& context, const Dense& part, const Region& region,
                int64_t row_begin, int64_t row_end, const Block& block) {
  const int64_t columns = region.columns.end - region.columns.begin;
  const int64_t pixels = (block.image_end - block.image_begin) * (row_end - row_begin) * columns;
  // Regions without any tap read nothing.
  const bool reads = !region.runs.empty();
  if (pixels <= 0 || (!reads && block.channel_begin > 0)) return;
  const float* x_rows[kMaxPixels];
  float* y_rows[kMaxPixels];
  PixelTile tile;
  tile.x = x_rows;
  tile.runs = region.runs.data();
  tile.run_count = static_cast<int64_t>(region.runs.size());
  tile.depth = plan.channel_blocks() == 1 ? region.depth : block.channel_end - block.channel_begin;
  tile.y = y_rows;
  tile.accumulate = block.channel_begin > 0;
  const bool last = !reads || block.channel_end == plan.channels;  // the sums are whole then
  tile.relu = plan.relu && last;
  // The first tap inside x.
  const int64_t h0 = region.rows.tap_begin - part.pad_h, w0 = region.columns.tap_begin - part.pad_w;
  int64_t n = block.image_begin, i = row_begin, j = region.columns.begin;
  // Pixels that no tile has read so far come from memory: below the taps of this tile, or behind
  // it. Each panel asks for its share of them.
  const int64_t new_floats = part.stride_w * plan.channels;  // for each pixel
  const int64_t panels = block.panel_end - block.panel_begin;
  const bool prefetch = reads && block.panel_begin == 0 && plan.channel_blocks() == 1;
  const int vectors = plan.panels.vectors(block.panel_begin);
  const auto weights_of = [&](int64_t panel, int64_t channel) {
    return context.at(plan.packed_weights) + plan.panels.start(panel) * plan.cut.depth +
           channel * plan.panels.width(panel);
  };
  const auto choose_panel = [&](int64_t panel) {
    tile.weights = weights_of(panel, block.channel_begin);
    if (plan.bias != nullptr && block.channel_begin == 0) {
      tile.bias = context.at(plan.packed_bias) + plan.panels.start(panel);
    }
    tile.y_begin = plan.panels.start(panel);
    tile.columns = plan.panels.columns(panel);
  };
  if (vectors <= kMaxRowVectors && panels == 1 && reads && columns >= 4) {
    choose_panel(block.panel_begin);
    return run_rows(plan, tile, part, region, row_begin, row_end, block, prefetch, last);
  }
  const Pieces pieces(pixels, kMaxPixels);
  for (int64_t piece = 0; piece < pieces.count(); ++piece) {
    const auto count = static_cast<int>(pieces.end(piece) - pieces.begin(piece));
    for (int row = 0; row < count; ++row) {
      const int64_t h = i * part.stride_h + h0, w = j * part.stride_w + w0;
      x_rows[row] =
          reads ? plan.x + n * plan.x_image + (h * plan.W + w) * plan.channels + block.channel_begin
                : plan.x;
      y_rows[row] = plan.y + n * plan.y_image + part.y_start + i * part.y_row + j * part.y_column;
      if (++j == region.columns.end) {
        j = region.columns.begin;
        if (++i == row_end) {
          i = row_begin;
          ++n;
        }
      }
    }
    const int64_t ahead_bytes = prefetch ? count * new_floats * kFloat : 0;
    const char* ahead = reinterpret_cast<const char*>(
        x_rows[0] + (part.R > 1 ? part.R * plan.W * plan.channels : count * new_floats));
    tile.ahead_step = ahead_bytes / std::max<int64_t>(1, panels * tile.run_count * tile.depth);
    for (int64_t panel = block.panel_begin; panel < block.panel_end; ++panel) {
      choose_panel(panel);
      // The panel in the place of this one in the next block: each tile asks for a share.
      tile.next_weights_step = 0;
      tile.next_weights = reinterpret_cast<const char*>(tile.weights);
      const int64_t next = block.next_panel_begin + panel - block.panel_begin;
      if (next < block.next_panel_end) {
        tile.next_weights_step =
            (plan.panels.width(panel) * kFloat + pieces.count() - 1) / pieces.count();
        tile.next_weights = reinterpret_cast<const char*>(weights_of(next, block.next_channel)) +
                            piece * tile.next_weights_step * tile.run_count * tile.depth;
      }
      tile.ahead = prefetch ? ahead : reinterpret_cast<const char*>(tile.weights);
      plan.kernels->of[plan.panels.vectors(panel)][count](tile);
      ahead += ahead_bytes / panels;
      if (last && !plan.finish.empty()) {
        finish_rows(plan.finish, y_rows, count, tile.y_begin, tile.columns);
      }
    }
  }
}

void run_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel_group = task % plan.panel_groups();
  const int64_t band = task / plan.panel_groups() % plan.bands;
  const int64_t image_group = task / plan.panel_groups() / plan.bands;
  const int64_t panel_begin = panel_group * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  const int64_t channels = std::max<int64_t>(1, plan.channels);
  Block block{};
  block.image_begin = image_group * plan.images_per_task;
  block.image_end = std::min(plan.images, block.image_begin + plan.images_per_task);
  for (const Dense& part : plan.cut.parts) {
    const int64_t row_begin = part.rows * band / plan.bands;
    const int64_t row_end = part.rows * (band + 1) / plan.bands;
    for (int64_t c = 0; c < channels; c += plan.channel_block) {
      block.channel_begin = c;
      block.channel_end = std::min(plan.channels, c + plan.channel_block);
      for (int64_t p = panel_begin; p < panel_end; p += plan.panels_per_group) {
        block.panel_begin = p;
        block.panel_end = std::min(panel_end, p + plan.panels_per_group);
        const bool more_panels = block.panel_end < panel_end;
        const bool more_channels = c + plan.channel_block < channels;
        const int64_t next_begin =
            more_panels     ? block.panel_end
            : more_channels ? panel_begin
                            : (task + context.workers) % plan.panel_groups() * plan.panels_per_task;
        block.next_channel = more_panels ? c : more_channels ? c + plan.channel_block : 0;
        block.next_panel_begin = next_begin;
        block.next_panel_end = std::min(plan.panels.count(), next_begin + plan.panels_per_group);
        for (const Region& region : part.regions) {
          run_region(plan, context, part, region, std::max(row_begin, region.rows.begin),
                     std::min(row_end, region.rows.end), block);
        }
      }
    }
  }
}

void pack_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel = task % plan.panels.count();
  const PackedTap& tap = plan.cut.taps[task / plan.panels.count()];
  const int64_t width = plan.panels.width(panel), columns = plan.panels.columns(panel);
  const int64_t start = plan.panels.start(panel);
  float* packed =
      context.at(plan.packed_weights) + start * plan.cut.depth + tap.destination * width;
  if (plan.transposed_weights) {
    pack_transposed(packed, width, plan.w + start * plan.w_stride + tap.source, plan.w_stride,
                    columns, plan.channels);
  } else {
    pack_columns(packed, width, plan.w + start + tap.source, plan.w_stride, columns, plan.channels);
  }
}

// Channels summed in one go: with their weights a panel takes a part of L2. Decided by the shape
// alone, since it is the order of the sums.
void choose_channel_block(Plan& plan) {
  int64_t taps = 1;
  for (const Dense& part : plan.cut.parts) taps = std::max(taps, part.R * part.S);
  const int64_t channels = std::max<int64_t>(1, plan.channels);
  const int64_t most = std::max<int64_t>(64, 1280 / taps);
  const int64_t blocks = (channels + most - 1) / most;
  plan.channel_block = (channels + blocks - 1) / blocks;
  const int64_t panel_bytes = taps * plan.channel_block * plan.panels.width(0) * kFloat;
  plan.panels_per_group =
      std::clamp<int64_t>(kWeightBytes / panel_bytes, 1, std::max<int64_t>(1, plan.panels.count()));
}

// Cuts the work into tasks. Every result element is summed in one order, so the cut changes no bit
// and may look at the number of workers.
void choose_tasks(Plan& plan, int workers, int64_t result_rows) {
  const int64_t wanted = 4 * workers;
  const int64_t x_bytes = plan.H * plan.W * plan.channel_block * kFloat;
  // Several small images at once give corners and edges enough pixels for a tile.
  plan.images_per_task = std::clamp<int64_t>(kPixelBytes / std::max<int64_t>(x_bytes, 1), 1,
                                             std::max<int64_t>(1, 2 * plan.images / wanted));
  const int64_t weight_bytes = plan.cut.depth * plan.panels.padded_columns() * kFloat;
  if (weight_bytes > plan.images * plan.H * plan.W * plan.channels * kFloat) {
    // A worker reads its part of the weights once, and all of x, which is smaller; unless there are
    // too few panels for all workers.
    const int64_t groups = std::min(wanted, plan.panels.count());
    plan.panels_per_task = (plan.panels.count() + groups - 1) / groups;
    const int64_t cuts = (wanted + plan.panel_groups() - 1) / plan.panel_groups();
    plan.images_per_task = std::max<int64_t>(1, plan.images / cuts);
    plan.bands = std::clamp<int64_t>((cuts + plan.image_groups() - 1) / plan.image_groups(), 1,
                                     std::max<int64_t>(1, result_rows / 16));
    return;
  }
  const int64_t least_bands = plan.images > 1 ? 1 : x_bytes / kPixelBytes;
  plan.bands = std::clamp<int64_t>(
      std::max(least_bands, (wanted + plan.image_groups() - 1) / plan.image_groups()), 1,
      std::max<int64_t>(1, result_rows / 16));
  const int64_t tasks = plan.image_groups() * plan.bands;
  const int64_t groups = std::clamp<int64_t>((wanted + tasks - 1) / tasks, 1, plan.panels.count());
  plan.panels_per_task = (plan.panels.count() + groups - 1) / groups;
}

void convolve(Launcher& launcher, Derivation packing, Plan plan, int64_t result_rows) {
  choose_channel_block(plan);
  for (Dense& part : plan.cut.parts) find_regions(plan, part);
  choose_tasks(plan, launcher.workers(), result_rows);
  plan.packed_weights = packing.scratch<float>(plan.panels.padded_columns() * plan.cut.depth);
  plan.packed_bias = packing.scratch<float>(plan.panels.padded_columns());
  const auto shared = std::make_shared<const Plan>(std::move(plan));
  const auto packs = static_cast<int64_t>(shared->cut.taps.size()) * shared->panels.count();
  packing.parallel(packs + (shared->bias == nullptr ? 0 : 1),
                   [shared, packs](const Context& context, int64_t task) {
                     if (task < packs) return pack_task(*shared, context, task);
                     pack_columns(context.at(shared->packed_bias), shared->panels.padded_columns(),
                                  shared->bias, 0, shared->panels.total_columns(), 1);
                   });
  launcher.parallel(
      shared->image_groups() * shared->bands * shared->panel_groups(),
      [shared](const Context& context, int64_t task) { run_task(*shared, context, task); });
}

// A pointwise convolution knows no images and no rows: all pixels are one column, unless a row of
// them is what a tile takes. With padding the result has other pixels than x.
naive::ConvDims dims_of(const Tensor& x, const Tensor& w, const Tensor& y, const ConvGeometry& g,
                        int64_t result_channels, int64_t lanes) {
  naive::ConvDims d(x, w, y);
  if (d.R == 1 && d.S == 1 && g.stride_h == 1 && g.stride_w == 1 && d.P == d.H && d.Q == d.W &&
      result_channels > kMaxRowVectors * lanes) {
    d.H = d.P = d.N * d.H * d.W;
    d.N = d.W = d.Q = 1;
  }
  return d;
}

}  // namespace

namespace {

// What tiles do of the epilogue, taken out of it. Where there is no addend or gate, they apply the
// activation to their sums.
Finish take_finish(const Tensor& y, Epilogue& epilogue) {
  if (epilogue.addend == nullptr && epilogue.gate == nullptr) return {};
  const auto take = [](const Tensor*& tensor) {
    const Tensor* taken = std::exchange(tensor, nullptr);
    return taken == nullptr ? nullptr : taken->as<float>();
  };
  return {.y = y.as<float>(),
          .addend = take(epilogue.addend),
          .gate = take(epilogue.gate),
          .relu = std::exchange(epilogue.activation, Activation::NONE) == Activation::RELU};
}

void forward(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
             const Tensor* bias, const ConvGeometry& g, Activation activation,
             const Finish& finish) {
  const PixelKernels& kernels = pixel_kernels();
  const naive::ConvDims d = dims_of(x, w, y, g, w.dims[0], kernels.lanes);
  const float* pbias = bias == nullptr ? nullptr : bias->as<float>();
  Plan plan{.kernels = &kernels,
            .y = y.as<float>(),
            .x = x.as<float>(),
            .w = w.as<float>(),
            .bias = pbias,
            .images = d.N,
            .H = d.H,
            .W = d.W,
            .channels = d.C,
            .x_image = d.H * d.W * d.C,
            .y_image = d.P * d.Q * d.K,
            .transposed_weights = true,
            .w_stride = d.R * d.S * d.C,
            .relu = activation == Activation::RELU,
            .finish = finish,
            .panels = Panels(kernels.lanes, kernels.max_vectors, d.K),
            .cut = cut_forward(d, g, d.C)};
  convolve(launcher, launcher.derive({&w, bias}), std::move(plan), d.P);
}

}  // namespace

void direct::conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                    const Tensor* bias, const ConvGeometry& g, const Epilogue& epilogue) {
  if (y.count == 0) return run_epilogue(launcher, y, epilogue);
  Epilogue rest = epilogue;
  const bool in_tiles = g.is_plain() && y.dtype == DType::F32;
  const Finish finish = in_tiles ? take_finish(y, rest) : Finish{};
  // Nothing comes before the activation: tiles apply it to their sums.
  Activation activation = Activation::NONE;
  if (rest.addend == nullptr) std::swap(activation, rest.activation);
  if (in_tiles) {
    forward(launcher, y, x, w, bias, g, activation, finish);
  } else if (!g.is_plain()) {
    conv2d_grouped(launcher, y, x, w, bias, g, activation);
  } else if (y.dtype == DType::BF16) {
    conv2d_bf16(launcher, y, x, w, bias, g, activation);
  } else {
    naive::conv2d<double>(launcher, y, x, w, bias, g, activation);
  }
  run_epilogue(launcher, y, rest);
}

namespace {

void backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                   const ConvGeometry& g, const Finish& finish) {
  const PixelKernels& kernels = pixel_kernels();
  const naive::ConvDims d = dims_of(dx, w, dy, g, w.dims[3], kernels.lanes);
  Plan plan{.kernels = &kernels,
            .y = dx.as<float>(),
            .x = dy.as<float>(),
            .w = w.as<float>(),
            .bias = nullptr,
            .images = d.N,
            .H = d.P,
            .W = d.Q,
            .channels = d.K,
            .x_image = d.P * d.Q * d.K,
            .y_image = d.H * d.W * d.C,
            .transposed_weights = false,
            .w_stride = d.R * d.S * d.C,
            .relu = false,
            .finish = finish,
            .panels = Panels(kernels.lanes, kernels.max_vectors, d.C),
            .cut = cut_backward_data(d, g, d.K)};
  convolve(launcher, launcher.derive({&w}), std::move(plan), (d.H + g.stride_h - 1) / g.stride_h);
}

}  // namespace

void direct::conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                                  const Tensor& w, const ConvGeometry& g,
                                  const Epilogue& epilogue) {
  if (dx.count == 0) return run_epilogue(launcher, dx, epilogue);
  Epilogue rest = epilogue;
  if (!g.is_plain()) {
    conv2d_backward_data_grouped(launcher, dx, dy, w, g);
  } else if (dx.dtype == DType::BF16) {
    conv2d_backward_data_bf16(launcher, dx, dy, w, g);
  } else if (dx.dtype == DType::F64) {
    naive::conv2d_backward_data<double>(launcher, dx, dy, w, g);
  } else {
    backward_data(launcher, dx, dy, w, g, take_finish(dx, rest));
  }
  run_epilogue(launcher, dx, rest);
}

}  // namespace gatun::kernels
