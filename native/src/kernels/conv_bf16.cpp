// Forward and data gradient on bf16, cut as in conv.cpp: a tile is some result pixels with the same
// taps inside x by two vectors of channels. Depth counts pairs of channels, so with an odd count of
// channels x is copied with a zero behind the last one.
#include "kernels/conv_bf16.h"

#include <utility>

#include "core/simd_level.h"
#include "kernels/amx.h"
#include "kernels/conv_bf16_plan.h"

namespace gatun::kernels {
namespace {

using conv_bf16::Plan;

void find_regions(const Plan& plan, Dense& part) {
  const auto rows = spans(part.rows, part.stride_h, part.pad_h, part.R, plan.H);
  const auto columns = spans(part.columns, part.stride_w, part.pad_w, part.S, plan.W);
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      Region region{row, column, {}, 0};
      region.depth = (column.tap_end - column.tap_begin) * plan.words();
      for (int64_t r = row.tap_begin; region.depth > 0 && r < row.tap_end; ++r) {
        region.runs.push_back(
            {(r - row.tap_begin) * plan.W * plan.words(),
             part.weights_begin + (r * part.S + column.tap_begin) * plan.words()});
      }
      part.regions.push_back(std::move(region));
    }
  }
}

// All pixels of rows [row_begin, row_end) of a region in images [image_begin, image_end), one
// panel.
void run_region(const Plan& plan, const Dense& part, const Region& region, const Bf16* x,
                int64_t image_begin, int64_t image_end, int64_t row_begin, int64_t row_end,
                int64_t panel, const uint32_t* weights, const float* bias) {
  const int vectors = plan.panels.vectors(panel);
  const int64_t columns = region.columns.end - region.columns.begin;
  const int64_t pixels = (image_end - image_begin) * (row_end - row_begin) * columns;
  if (pixels <= 0) return;
  const Bf16* x_rows[kMaxRows];
  Bf16* y_rows[kMaxRows];
  PairTile tile;
  tile.a = x_rows;
  tile.b = weights;
  tile.b_step = plan.panels.width(panel);
  tile.runs = region.runs.data();
  tile.run_count = static_cast<int64_t>(region.runs.size());
  tile.depth = region.depth;
  tile.y = y_rows;
  tile.columns = plan.panels.columns(panel);
  tile.bias = bias;
  tile.relu = plan.relu;
  // The first tap inside x. Regions without any tap read nothing.
  const bool reads = tile.run_count > 0;
  const int64_t h0 = region.rows.tap_begin - part.pad_h, w0 = region.columns.tap_begin - part.pad_w;
  const int64_t x_image = plan.x_image(), pixel = plan.words() * 2;
  int64_t n = image_begin, i = row_begin, j = region.columns.begin;
  const Pieces pieces(pixels, plan.kernels->gathered.max_rows[vectors]);
  for (int64_t piece = 0; piece < pieces.count(); ++piece) {
    const auto count = static_cast<int>(pieces.end(piece) - pieces.begin(piece));
    for (int row = 0; row < count; ++row) {
      const int64_t h = i * part.stride_h + h0, w = j * part.stride_w + w0;
      x_rows[row] = reads ? x + n * x_image + (h * plan.W + w) * pixel : x;
      y_rows[row] = plan.y + n * plan.y_image + part.y_start + i * part.y_row + j * part.y_column +
                    plan.panels.start(panel);
      if (++j == region.columns.end) {
        j = region.columns.begin;
        if (++i == row_end) {
          i = row_begin;
          ++n;
        }
      }
    }
    plan.kernels->gathered.of[vectors][count](tile);
  }
}

void run_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel_group = task % plan.panel_groups();
  const int64_t band = task / plan.panel_groups() % plan.bands;
  const int64_t image_group = task / plan.panel_groups() / plan.bands;
  const int64_t image_begin = image_group * plan.images_per_task;
  const int64_t image_end = std::min(plan.images, image_begin + plan.images_per_task);
  const int64_t panel_begin = panel_group * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  const Bf16* x = plan.pads_x() ? context.at(plan.padded_x) : plan.x;
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const uint32_t* weights =
        context.at(plan.packed_weights) + plan.panels.start(panel) * plan.cut.depth;
    const float* bias =
        plan.bias == nullptr ? nullptr : context.at(plan.packed_bias) + plan.panels.start(panel);
    for (const Dense& part : plan.cut.parts) {
      const int64_t row_begin = part.rows * band / plan.bands;
      const int64_t row_end = part.rows * (band + 1) / plan.bands;
      for (const Region& region : part.regions) {
        run_region(plan, part, region, x, image_begin, image_end,
                   std::max(row_begin, region.rows.begin), std::min(row_end, region.rows.end),
                   panel, weights, bias);
      }
    }
  }
}

void pack_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel = task % plan.panels.count();
  const PackedTap& tap = plan.cut.taps[task / plan.panels.count()];
  const int64_t width = plan.panels.width(panel), start = plan.panels.start(panel);
  uint32_t* packed =
      context.at(plan.packed_weights) + start * plan.cut.depth + tap.destination * width;
  if (plan.transposed_weights) {
    pack_pairs_transposed(packed, width, plan.w + start * plan.w_stride + tap.source, plan.w_stride,
                          plan.panels.columns(panel), plan.channels);
  } else {
    pack_pairs(packed, width, plan.w + start + tap.source, plan.w_stride,
               plan.panels.columns(panel), plan.channels);
  }
}

// Cuts the work into tasks. Every result element is summed in one tile in a fixed order, so the cut
// changes no bit and may look at the number of workers.
void choose_tasks(Plan& plan, int workers, int64_t result_rows) {
  const int64_t wanted = 4 * workers;
  const int64_t x_bytes = plan.x_image() * static_cast<int64_t>(sizeof(Bf16));
  // Several small images at once give corners and edges enough pixels for a tile.
  plan.images_per_task = std::clamp<int64_t>((64 << 10) / std::max<int64_t>(x_bytes, 1), 1,
                                             std::max<int64_t>(1, plan.images / wanted));
  plan.bands = std::clamp<int64_t>((wanted + plan.image_groups() - 1) / plan.image_groups(), 1,
                                   std::max<int64_t>(1, result_rows / 4));
  const int64_t tasks = plan.image_groups() * plan.bands;
  const int64_t groups = std::clamp<int64_t>((wanted + tasks - 1) / tasks, 1, plan.panels.count());
  plan.panels_per_task = (plan.panels.count() + groups - 1) / groups;
}

// The same for the tile unit, which finds the rows of a pointwise convolution in x itself where
// every task has enough of them. So fast are products there that the traffic decides: a task's part
// of x stays in the first or second cache level, but is large enough for every reading of the
// weights.
void choose_tasks_on_tiles(Plan& plan, int workers, int64_t result_rows) {
  const Dense& part = plan.cut.parts.front();
  if (plan.cut.parts.size() == 1 && part.R == 1 && part.S == 1 && part.stride_h == 1 &&
      part.stride_w == 1 && part.rows == plan.H && part.columns == plan.W && !plan.pads_x() &&
      plan.images * plan.H * plan.W >= amx::kRows) {
    plan.pointwise = true;
    plan.H *= std::exchange(plan.images, 1);
    plan.cut.parts.front().rows = result_rows = plan.H;
  }
  const int64_t wanted = 4 * workers, panels = std::max<int64_t>(1, plan.panels.count());
  const int64_t weights = plan.panels.padded_columns() * plan.cut.depth * 4;
  const int64_t near = weights > (256 << 10) ? 512 << 10 : 64 << 10;
  const int64_t x_bytes = std::max<int64_t>(1, plan.x_image() * 2);
  plan.images_per_task =
      std::clamp<int64_t>(near / x_bytes, 1, std::max<int64_t>(1, plan.images * panels / wanted));
  const int64_t cuts = std::max<int64_t>(1, plan.image_groups() * panels);
  plan.bands = std::clamp<int64_t>(std::max(x_bytes / near, (wanted + cuts - 1) / cuts), 1,
                                   std::max<int64_t>(1, result_rows / 4));
  while (plan.pointwise && plan.bands > 1 && plan.H / plan.bands * plan.W < amx::kRows) {
    --plan.bands;
  }
  const int64_t tasks = std::max<int64_t>(1, plan.image_groups() * plan.bands);
  const int64_t groups = std::clamp<int64_t>((wanted + tasks - 1) / tasks, 1, panels);
  plan.panels_per_task = (panels + groups - 1) / groups;
}

void convolve(Launcher& launcher, Derivation packing, Plan plan, int64_t result_rows) {
  if (plan.cut.parts.empty()) return;
  const bool on_tiles = may_use_tiles();
  if (on_tiles) {
    choose_tasks_on_tiles(plan, launcher.workers(), result_rows);
  } else {
    for (Dense& part : plan.cut.parts) find_regions(plan, part);
    choose_tasks(plan, launcher.workers(), result_rows);
    if (plan.pads_x()) plan.padded_x = launcher.scratch<Bf16>(plan.images * plan.x_image());
  }
  plan.packed_weights = packing.scratch<uint32_t>(plan.panels.padded_columns() * plan.cut.depth);
  plan.packed_bias = packing.scratch<float>(plan.panels.padded_columns());
  const auto shared = std::make_shared<const Plan>(std::move(plan));
  const auto packs = static_cast<int64_t>(shared->cut.taps.size()) * shared->panels.count();
  packing.parallel(packs + (shared->bias == nullptr ? 0 : 1),
                   [shared, packs](const Context& context, int64_t task) {
                     if (task < packs) return pack_task(*shared, context, task);
                     float* bias = context.at(shared->packed_bias);
                     for (int64_t k = 0; k < shared->panels.padded_columns(); ++k) {
                       bias[k] = k < shared->panels.total_columns() ? to_float(shared->bias[k]) : 0;
                     }
                   });
  if (on_tiles) return conv_bf16::run_on_tiles(launcher, shared);
  if (shared->pads_x()) {
    const int64_t rows = shared->images * shared->H;
    launcher.parallel(rows, [shared](const Context& context, int64_t row) {
      const int64_t C = shared->channels, W = shared->W;
      Bf16* to = context.at(shared->padded_x) + row * W * (C + 1);
      const Bf16* from = shared->x + row * W * C;
      for (int64_t w = 0; w < W; ++w, to += C + 1, from += C) {
        std::copy(from, from + C, to);
        to[C] = {};
      }
    });
  }
  launcher.parallel(
      shared->image_groups() * shared->bands * shared->panel_groups(),
      [shared](const Context& context, int64_t task) { run_task(*shared, context, task); });
}

}  // namespace

void conv2d_bf16(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                 const Tensor* bias, const ConvGeometry& g, Activation activation) {
  const naive::ConvDims d(x, w, y);
  const PairKernels& kernels = pair_kernels();
  Plan plan{.kernels = &kernels,
            .y = y.as<Bf16>(),
            .x = x.as<Bf16>(),
            .w = w.as<Bf16>(),
            .bias = bias == nullptr ? nullptr : bias->as<Bf16>(),
            .images = d.N,
            .H = d.H,
            .W = d.W,
            .channels = d.C,
            .y_image = d.P * d.Q * d.K,
            .transposed_weights = true,
            .w_stride = d.R * d.S * d.C,
            .relu = activation == Activation::RELU,
            .panels = Panels(kernels.lanes, kMaxVectors, d.K),
            .cut = cut_forward(d, g, (d.C + 1) / 2)};
  convolve(launcher, launcher.derive({&w, bias}), std::move(plan), d.P);
}

void conv2d_backward_data_bf16(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                               const Tensor& w, const ConvGeometry& g) {
  const naive::ConvDims d(dx, w, dy);
  const PairKernels& kernels = pair_kernels();
  Plan plan{.kernels = &kernels,
            .y = dx.as<Bf16>(),
            .x = dy.as<Bf16>(),
            .w = w.as<Bf16>(),
            .bias = nullptr,
            .images = d.N,
            .H = d.P,
            .W = d.Q,
            .channels = d.K,
            .y_image = d.H * d.W * d.C,
            .transposed_weights = false,
            .w_stride = d.R * d.S * d.C,
            .relu = false,
            .panels = Panels(kernels.lanes, kMaxVectors, d.C),
            .cut = cut_backward_data(d, g, (d.K + 1) / 2)};
  convolve(launcher, launcher.derive({&w}), std::move(plan), (d.H + g.stride_h - 1) / g.stride_h);
}

}  // namespace gatun::kernels
