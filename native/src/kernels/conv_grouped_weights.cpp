// The weight gradient. A tile is some of a group's output channels by one or two vectors of its
// input channels of one tap, summed over pixels. Rows of dy are cut into parts by the shape alone;
// each sums into a partial gradient of its own, and a last section adds the partials in order.
#include <vector>

#include "kernels/conv_depthwise.h"
#include "kernels/conv_grouped.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_slices.h"
#include "kernels/conv_weights_simd.h"
#include "kernels/gemm.h"

namespace gatun::kernels {
namespace {

constexpr int64_t kMaxPartialFloats = int64_t{4} << 20, kMaxParts = 16, kRowsPerPart = 8;

struct Plan {
  const FilterKernels* kernels;
  Tensor dw, x, dy;
  ConvGeometry g;
  naive::ConvDims d;
  int64_t channels, filters;  // of a group
  Panels panels;              // of its channels
  Pieces pieces;              // of its filters
  int64_t parts = 1, filter_tasks = 1;
  Scratch<float> partials = {}, slices = {};

  bool is_bf16() const { return x.dtype == DType::BF16; }
  // Vectors of channels that end inside a vector cannot be read where they lie.
  bool copies_x() const { return is_bf16() || channels % kernels->lanes != 0; }
  int64_t x_slice() const { return copies_x() ? d.H * d.W * channels + panels.width(0) : 0; }
  int64_t dy_slice() const { return is_bf16() ? d.P * d.Q * filters : 0; }
};

// Rows [begin, end) of dy of one image.
struct Rows {
  int64_t image, begin, end;
};

// A group's channels of those rows, and of the rows of x that they see.
struct Slice {
  const float *x, *dy;
  int64_t x_pixel, dy_pixel;  // elements between pixels
  int64_t x_row, dy_row;      // the first row that is there
};

template <typename T>
Slice copy_rows(const Plan& plan, const Context& context, const Rows& rows, int64_t group) {
  const auto& d = plan.d;
  float* room = context.at(plan.slices) + context.worker * (plan.x_slice() + plan.dy_slice());
  const int64_t top = rows.begin * plan.g.stride_h - plan.g.pad_h;
  const int64_t bottom =
      (rows.end - 1) * plan.g.stride_h - plan.g.pad_h + (d.R - 1) * plan.g.dilation_h + 1;
  const int64_t first = std::clamp<int64_t>(top, 0, d.H);
  const int64_t end = std::clamp<int64_t>(bottom, first, d.H);
  Slice slice{};
  if (plan.copies_x()) {
    const int64_t pixels = (end - first) * d.W;
    copy_slice(room,
               plan.x.as<T>() + (rows.image * d.H + first) * d.W * d.C + group * plan.channels,
               pixels, d.C, plan.channels);
    std::fill_n(room + pixels * plan.channels, plan.panels.width(0), 0.0f);
    slice.x = room;
    slice.x_pixel = plan.channels;
    slice.x_row = first;
  } else {
    slice.x = plan.x.as<float>() + rows.image * d.H * d.W * d.C + group * plan.channels;
    slice.x_pixel = d.C;
  }
  if (plan.is_bf16()) {
    float* dy = room + plan.x_slice();
    copy_slice(dy,
               plan.dy.as<T>() + (rows.image * d.P + rows.begin) * d.Q * d.K + group * plan.filters,
               (rows.end - rows.begin) * d.Q, d.K, plan.filters);
    slice.dy = dy;
    slice.dy_pixel = plan.filters;
    slice.dy_row = rows.begin;
  } else {
    slice.dy = plan.dy.as<float>() + rows.image * d.P * d.Q * d.K + group * plan.filters;
    slice.dy_pixel = d.K;
  }
  return slice;
}

// dw of a group's filters [piece_begin, piece_end), tap (r, s) += the rows.
void add_tap(const Plan& plan, const Slice& slice, const Rows& rows, int64_t r, int64_t s,
             float* dw, int64_t piece_begin, int64_t piece_end, bool accumulate) {
  const auto& d = plan.d;
  const int64_t shift = plan.g.pad_w - s * plan.g.dilation_w, stride = plan.g.stride_w;
  // Pixels whose tap s lies inside x.
  const int64_t q_begin = shift > 0 ? std::min(d.Q, (shift + stride - 1) / stride) : 0;
  const int64_t q_end = std::min(d.Q, d.W + shift <= 0 ? 0 : (d.W + shift - 1) / stride + 1);
  std::vector<PixelRun> runs;
  for (int64_t p = rows.begin; p < rows.end && q_begin < q_end; ++p) {
    const int64_t h = p * plan.g.stride_h - plan.g.pad_h + r * plan.g.dilation_h;
    if (h < 0 || h >= d.H) continue;
    runs.push_back({((p - slice.dy_row) * d.Q + q_begin) * slice.dy_pixel,
                    ((h - slice.x_row) * d.W + q_begin * stride - shift) * slice.x_pixel,
                    q_end - q_begin});
  }
  if (runs.empty() && accumulate) return;
  FilterTile tile;
  tile.dy_step = slice.dy_pixel;
  tile.x_step = stride * slice.x_pixel;
  tile.runs = runs.data();
  tile.run_count = static_cast<int64_t>(runs.size());
  tile.dw_row = d.R * d.S * plan.channels;
  tile.accumulate = accumulate;
  for (int64_t panel = 0; panel < plan.panels.count(); ++panel) {
    tile.x = slice.x + plan.panels.start(panel);
    tile.columns = plan.panels.columns(panel);
    for (int64_t piece = piece_begin; piece < piece_end; ++piece) {
      const int64_t k = plan.pieces.begin(piece);
      tile.dy = slice.dy + k;
      tile.dw = dw + ((k * d.R + r) * d.S + s) * plan.channels + plan.panels.start(panel);
      plan.kernels->of[plan.panels.vectors(panel)][plan.pieces.end(piece) - k](tile);
    }
  }
}

void part_task(const Plan& plan, const Context& context, int64_t task) {
  const auto& d = plan.d;
  const int64_t group = task % plan.g.groups;
  const int64_t filter_task = task / plan.g.groups % plan.filter_tasks;
  const int64_t part = task / plan.g.groups / plan.filter_tasks;
  const int64_t piece_begin = plan.pieces.count() * filter_task / plan.filter_tasks;
  const int64_t piece_end = plan.pieces.count() * (filter_task + 1) / plan.filter_tasks;
  const int64_t begin = d.N * d.P * part / plan.parts, end = d.N * d.P * (part + 1) / plan.parts;
  float* dw =
      (plan.parts == 1 ? plan.dw.as<float>() : context.at(plan.partials) + part * plan.dw.count) +
      group * plan.filters * d.R * d.S * plan.channels;
  for (int64_t row = begin; row < end;) {
    const int64_t image = row / d.P, first = row % d.P;
    const Rows rows{image, first, std::min(d.P, first + end - row)};
    const Slice slice = plan.is_bf16() ? copy_rows<Bf16>(plan, context, rows, group)
                                       : copy_rows<float>(plan, context, rows, group);
    for (int64_t r = 0; r < d.R; ++r) {
      for (int64_t s = 0; s < d.S; ++s) {
        add_tap(plan, slice, rows, r, s, dw, piece_begin, piece_end, row > begin);
      }
    }
    row += rows.end - rows.begin;
  }
}

void sum_task(const Plan& plan, const Context& context, int64_t begin, int64_t end) {
  float* dw = plan.dw.as<float>();
  const float* partial = context.at(plan.partials);
  std::copy(partial + begin, partial + end, dw + begin);
  for (int64_t part = 1; part < plan.parts; ++part) {
    partial += plan.dw.count;
    for (int64_t i = begin; i < end; ++i) dw[i] += partial[i];
  }
}

}  // namespace

void conv2d_backward_weights_grouped(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                     const Tensor& dy, const ConvGeometry& g) {
  if (dw.count == 0) return;
  if (x.dtype == DType::F64) return naive::conv2d_backward_weights<double>(launcher, dw, x, dy, g);
  if (dy.count == 0) {
    launcher.parallel(1, [p = dw.as<float>(), count = dw.count](const Context&, int64_t) {
      std::fill(p, p + count, 0.0f);
    });
    return;
  }
  if (is_depthwise(x, dy, g)) return conv2d_backward_weights_depthwise(launcher, dw, x, dy, g);
  const FilterKernels& kernels = filter_kernels();
  const naive::ConvDims d(x, dw, dy);
  const int64_t channels = d.C / g.groups, filters = d.K / g.groups;
  const Panels panels(kernels.lanes, 2, channels);
  Plan plan{.kernels = &kernels,
            .dw = dw,
            .x = x,
            .dy = dy,
            .g = g,
            .d = d,
            .channels = channels,
            .filters = filters,
            .panels = panels,
            .pieces = Pieces(filters, kernels.max_rows[panels.vectors(0)])};
  // Parts are the order of the sums; how a part is cut into tasks changes no bit.
  plan.parts = std::clamp<int64_t>(std::min(d.N * d.P / kRowsPerPart, kMaxPartialFloats / dw.count),
                                   1, kMaxParts);
  const int64_t tasks = plan.parts * g.groups, wanted = 4 * launcher.workers();
  plan.filter_tasks = std::clamp<int64_t>((wanted + tasks - 1) / tasks, 1, plan.pieces.count());
  if (plan.parts > 1) plan.partials = launcher.scratch<float>(plan.parts * dw.count);
  plan.slices = launcher.scratch<float>(launcher.workers() * (plan.x_slice() + plan.dy_slice()));
  launcher.parallel(tasks * plan.filter_tasks, [plan](const Context& context, int64_t task) {
    part_task(plan, context, task);
  });
  if (plan.parts == 1) return;
  constexpr int64_t kBlock = 4096;
  launcher.parallel((dw.count + kBlock - 1) / kBlock, [plan](const Context& context, int64_t task) {
    sum_task(plan, context, task * kBlock, std::min(plan.dw.count, (task + 1) * kBlock));
  });
}

}  // namespace gatun::kernels
