// Forward and data gradient. A tile is some result pixels by one or two vectors of a group's
// channels; its depth is taps times the group's source channels. Micro-kernels read f32 pixels
// where they lie; bf16 is copied into f32 slices first.
#include "kernels/conv_grouped.h"

#include <memory>

#include "kernels/conv_depthwise.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_slices.h"
#include "kernels/conv_taps.h"
#include "kernels/gemm.h"
#include "kernels/widen.h"

namespace gatun::kernels {
namespace {

struct Plan {
  const MicroKernels* kernels;
  Tensor y, x, w;  // of this computation: the data gradient makes dx, its y, of dy, its x
  const Tensor bias;
  bool has_bias, relu;
  bool transposed_weights;         // depth runs along the rows of w
  int64_t groups, depth, columns;  // of a group: source and result channels
  int64_t taps;
  std::vector<AxisPart> row_parts, column_parts;  // the result's rows and columns
  Panels panels;
  int64_t bands = 1;         // of a result's rows, one task each
  Scratch<float> wide = {};  // w, then bias, in f32
  Scratch<float> weights = {}, packed_bias = {}, slices = {};

  bool is_bf16() const { return y.dtype == DType::BF16; }
  int64_t group_weights() const { return panels.padded_columns() * taps * depth; }
  int64_t slice_size() const { return is_bf16() ? x.dims[1] * x.dims[2] * depth : 0; }
};

const float* wide_weights(const Plan& plan, const Context& context) {
  return plan.is_bf16() ? context.at(plan.wide) : plan.w.as<float>();
}

void pack_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel = task % plan.panels.count(), group = task / plan.panels.count();
  const int64_t start = plan.panels.start(panel), width = plan.panels.width(panel);
  const int64_t columns = plan.panels.columns(panel);
  float* to =
      context.at(plan.weights) + group * plan.group_weights() + start * plan.taps * plan.depth;
  const float* w = wide_weights(plan, context);
  for (int64_t tap = 0; tap < plan.taps; ++tap, to += plan.depth * width) {
    if (plan.transposed_weights) {  // w [groups, columns, taps, depth]
      const int64_t row = plan.taps * plan.depth;
      pack_transposed(to, width, w + (group * plan.columns + start) * row + tap * plan.depth, row,
                      columns, plan.depth);
    } else {  // w [groups, depth, taps, columns]
      const int64_t row = plan.taps * plan.columns;
      pack_columns(to, width, w + group * plan.depth * row + tap * plan.columns + start, row,
                   columns, plan.depth);
    }
  }
  if (!plan.has_bias) return;
  const float* bias = plan.is_bf16() ? context.at(plan.wide) + plan.w.count : plan.bias.as<float>();
  pack_columns(context.at(plan.packed_bias) + group * plan.panels.padded_columns() + start, width,
               bias + group * plan.columns + start, 0, columns, 1);
}

// A group's channels of one image.
struct Slice {
  const float* x;
  int64_t row, pixel;  // elements between rows and pixels of x
  int64_t y;           // the first element of the result
};

// Result pixels `columns` of one row, [begin, end) of a span.
struct Pixels {
  int64_t x, y, count;     // elements from the slice's starts
  int64_t x_step, y_step;  // between pixels
};

void run_pixels(const Plan& plan, const Slice& slice, const Pixels& pixels, Tile& tile,
                int64_t panel) {
  const int vectors = plan.panels.vectors(panel);
  const auto& family = plan.kernels->gathered;
  const Pieces pieces(pixels.count, family.max_rows[vectors]);
  const float* x_rows[kMaxRows];
  float* y_rows[kMaxRows];
  float block[kMaxRows * kMaxVectors * 16];  // what becomes bf16
  for (int64_t piece = 0; piece < pieces.count(); ++piece) {
    const int64_t begin = pieces.begin(piece), count = pieces.end(piece) - begin;
    const int64_t y = slice.y + pixels.y + begin * pixels.y_step + plan.panels.start(panel);
    for (int64_t i = 0; i < count; ++i) {
      x_rows[i] = slice.x + pixels.x + (begin + i) * pixels.x_step;
      y_rows[i] =
          plan.is_bf16() ? block + i * tile.b_step : plan.y.as<float>() + y + i * pixels.y_step;
    }
    tile.a = x_rows;
    tile.y = y_rows;
    family.of[vectors][count](tile);
    if (!plan.is_bf16()) continue;
    for (int64_t i = 0; i < count; ++i) {
      narrow(plan.y.as<Bf16>() + y + i * pixels.y_step, y_rows[i], tile.columns);
    }
  }
}

// All result pixels of a part of the rows and a part of the columns that lie in a band.
void run_part(const Plan& plan, const Slice& slice, const AxisPart& rows, const AxisPart& columns,
              int64_t band, Tile& tile, int64_t panel) {
  const int64_t row_begin = rows.count * band / plan.bands;
  const int64_t row_end = rows.count * (band + 1) / plan.bands;
  const int64_t y_pixel = plan.y.dims[3], y_row = plan.y.dims[2] * y_pixel;
  std::vector<Run> runs;
  for (const AxisSpan& row_span : rows.spans) {
    for (const AxisSpan& span : columns.spans) {
      runs.clear();
      for (const AxisTap& r : row_span.taps) {
        for (const AxisTap& s : span.taps) {
          runs.push_back({r.offset * slice.row + s.offset * slice.pixel,
                          (r.tap * plan.w.dims[2] + s.tap) * plan.depth});
        }
      }
      tile.runs = runs.data();
      tile.run_count = static_cast<int64_t>(runs.size());
      for (int64_t i = std::max(row_begin, row_span.begin); i < std::min(row_end, row_span.end);
           ++i) {
        const Pixels pixels{
            .x = i * rows.source_step * slice.row + span.begin * columns.source_step * slice.pixel,
            .y = (rows.start + i * rows.step) * y_row +
                 (columns.start + span.begin * columns.step) * y_pixel,
            .count = span.end - span.begin,
            .x_step = columns.source_step * slice.pixel,
            .y_step = columns.step * y_pixel};
        run_pixels(plan, slice, pixels, tile, panel);
      }
    }
  }
}

void run_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t group = task % plan.groups, band = task / plan.groups % plan.bands;
  const int64_t image = task / plan.groups / plan.bands;
  const int64_t channels = plan.x.dims[3], width = plan.x.dims[2];
  Slice slice{.x = nullptr,
              .row = width * channels,
              .pixel = channels,
              .y = image * plan.y.dims[1] * plan.y.dims[2] * plan.y.dims[3] + group * plan.columns};
  const int64_t first = image * plan.x.dims[1] * width * channels + group * plan.depth;
  if (plan.is_bf16()) {
    float* copy = context.at(plan.slices) + context.worker * plan.slice_size();
    copy_slice(copy, plan.x.as<Bf16>() + first, plan.x.dims[1] * width, channels, plan.depth);
    slice.x = copy;
    slice.pixel = plan.depth;
    slice.row = width * plan.depth;
  } else {
    slice.x = plan.x.as<float>() + first;
  }
  for (int64_t panel = 0; panel < plan.panels.count(); ++panel) {
    Tile tile;
    tile.b = context.at(plan.weights) + group * plan.group_weights() +
             plan.panels.start(panel) * plan.taps * plan.depth;
    tile.b_step = plan.panels.width(panel);
    tile.depth = plan.depth;
    tile.columns = plan.panels.columns(panel);
    tile.relu = plan.relu;
    if (plan.has_bias) {
      tile.bias = context.at(plan.packed_bias) + group * plan.panels.padded_columns() +
                  plan.panels.start(panel);
    }
    for (const AxisPart& rows : plan.row_parts) {
      for (const AxisPart& columns : plan.column_parts) {
        run_part(plan, slice, rows, columns, band, tile, panel);
      }
    }
  }
}

void run(Launcher& launcher, Plan plan) {
  const int64_t images = plan.y.dims[0];
  // Every element is summed in one order, so the cut changes no bit.
  plan.bands = std::clamp<int64_t>(
      (4 * launcher.workers() + images * plan.groups - 1) / (images * plan.groups), 1,
      std::max<int64_t>(1, plan.y.dims[1] / 4));
  Derivation packing = launcher.derive({&plan.w, plan.has_bias ? &plan.bias : nullptr});
  if (plan.is_bf16()) {
    plan.wide = launcher.scratch<float>(plan.w.count + plan.bias.count);
    plan.slices = launcher.scratch<float>(launcher.workers() * plan.slice_size());
  }
  plan.weights = packing.scratch<float>(plan.groups * plan.group_weights());
  plan.packed_bias = packing.scratch<float>(plan.groups * plan.panels.padded_columns());
  const auto shared = std::make_shared<const Plan>(std::move(plan));
  if (shared->is_bf16()) {
    packing.parallel(1, [shared](const Context& context, int64_t) {
      float* wide = context.at(shared->wide);
      widen(wide, shared->w.as<Bf16>(), shared->w.count);
      if (shared->has_bias) {
        widen(wide + shared->w.count, shared->bias.as<Bf16>(), shared->bias.count);
      }
    });
  }
  packing.parallel(
      shared->groups * shared->panels.count(),
      [shared](const Context& context, int64_t task) { pack_task(*shared, context, task); });
  launcher.parallel(
      images * shared->bands * shared->groups,
      [shared](const Context& context, int64_t task) { run_task(*shared, context, task); });
}

}  // namespace

void conv2d_grouped(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                    const Tensor* bias, const ConvGeometry& g, Activation activation) {
  if (y.count == 0) return;
  if (y.dtype == DType::F64) {
    return naive::conv2d<double>(launcher, y, x, w, bias, g, activation);
  }
  if (is_depthwise(x, y, g)) return conv2d_depthwise(launcher, y, x, w, bias, g, activation);
  const MicroKernels& kernels = micro_kernels();
  run(launcher, {.kernels = &kernels,
                 .y = y,
                 .x = x,
                 .w = w,
                 .bias = bias == nullptr ? Tensor{.count = 0} : *bias,
                 .has_bias = bias != nullptr,
                 .relu = activation == Activation::RELU,
                 .transposed_weights = true,
                 .groups = g.groups,
                 .depth = w.dims[3],
                 .columns = w.dims[0] / g.groups,
                 .taps = w.dims[1] * w.dims[2],
                 .row_parts = forward_parts(rows_of(x, w, y, g)),
                 .column_parts = forward_parts(columns_of(x, w, y, g)),
                 .panels = Panels(kernels, w.dims[0] / g.groups)});
}

void conv2d_backward_data_grouped(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                                  const Tensor& w, const ConvGeometry& g) {
  if (dx.count == 0) return;
  if (dx.dtype == DType::F64) {
    return naive::conv2d_backward_data<double>(launcher, dx, dy, w, g);
  }
  if (is_depthwise(dx, dy, g)) return conv2d_backward_data_depthwise(launcher, dx, dy, w, g);
  const MicroKernels& kernels = micro_kernels();
  run(launcher, {.kernels = &kernels,
                 .y = dx,
                 .x = dy,
                 .w = w,
                 .bias = {.count = 0},
                 .has_bias = false,
                 .relu = false,
                 .transposed_weights = false,
                 .groups = g.groups,
                 .depth = w.dims[0] / g.groups,
                 .columns = w.dims[3],
                 .taps = w.dims[1] * w.dims[2],
                 .row_parts = gradient_parts(rows_of(dx, w, dy, g)),
                 .column_parts = gradient_parts(columns_of(dx, w, dy, g)),
                 .panels = Panels(kernels, w.dims[3])});
}

}  // namespace gatun::kernels
