#include "kernels/conv_depthwise.h"

#include <memory>
#include <vector>

#include "kernels/conv_depthwise_simd.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_slices.h"
#include "kernels/conv_taps.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

namespace gatun::kernels {
namespace {

float value(float x) { return x; }
float value(Bf16 x) { return to_float(x); }

// w [channels, taps] as [taps, channels], so that vectors run over channels; bias behind it.
template <typename T>
void lay_filters(float* to, const T* w, int64_t channels, int64_t taps, const T* bias) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) to[t * channels + c] = value(w[c * taps + t]);
  }
  for (int64_t c = 0; bias != nullptr && c < channels; ++c) {
    to[taps * channels + c] = value(bias[c]);
  }
}

// Forward, or the data gradient, which makes dx, its y, of dy, its x.
struct Plan {
  Tensor y, x, w;
  Tensor bias;
  bool has_bias, relu;
  std::vector<AxisPart> row_parts, column_parts;
  Scratch<float> filters = {};
  Scratch<DepthwiseTap> taps = {};  // of each worker
};

// The pixels of a task's row take so many at a time that their taps stay in the first cache level.
constexpr int64_t kPixelsPerTile = 16;

// Row i of a part of the result's rows. `inside` has room for all taps.
template <typename T>
void run_row(const Plan& plan, const float* filters, DepthwiseTap* inside, int64_t image,
             const AxisPart& rows, int64_t i) {
  const int64_t channels = plan.x.dims[3], width = plan.x.dims[2], kernel_width = plan.w.dims[2];
  const int64_t taps = plan.w.dims[1] * kernel_width;
  const AxisSpan* row_span = rows.spans.data();
  while (i >= row_span->end) ++row_span;
  const T* x = plan.x.as<T>() + image * plan.x.dims[1] * width * channels;
  T* y = plan.y.as<T>() +
         (image * plan.y.dims[1] + rows.start + i * rows.step) * plan.y.dims[2] * channels;
  for (const AxisPart& columns : plan.column_parts) {
    for (const AxisSpan& span : columns.spans) {
      int64_t count = 0;
      for (const AxisTap& r : row_span->taps) {
        for (const AxisTap& s : span.taps) {
          inside[count++] = {((i * rows.source_step + r.offset) * width + s.offset) * channels,
                             filters + (r.tap * kernel_width + s.tap) * channels};
        }
      }
      DepthwiseTile tile{.taps = inside,
                         .tap_count = count,
                         .pixels = 0,
                         .x_step = columns.source_step * channels,
                         .y_step = columns.step * channels,
                         .channels = channels,
                         .bias = plan.has_bias ? filters + taps * channels : nullptr,
                         .relu = plan.relu};
      for (int64_t j = span.begin; j < span.end; j += kPixelsPerTile) {
        tile.pixels = std::min(kPixelsPerTile, span.end - j);
        depthwise(y + (columns.start + j * columns.step) * channels,
                  x + j * columns.source_step * channels, tile);
      }
    }
  }
}

template <typename T>
void run(Launcher& launcher, Plan plan) {
  const int64_t channels = plan.x.dims[3], taps = plan.w.dims[1] * plan.w.dims[2];
  const int64_t images = plan.y.dims[0], height = plan.y.dims[1];
  Derivation packing = launcher.derive({&plan.w, plan.has_bias ? &plan.bias : nullptr});
  plan.filters = packing.scratch<float>((taps + 1) * channels);
  plan.taps = launcher.scratch<DepthwiseTap>(launcher.workers() * taps);
  const auto shared = std::make_shared<const Plan>(std::move(plan));
  packing.parallel(1, [=](const Context& context, int64_t) {
    lay_filters(context.at(shared->filters), shared->w.as<T>(), channels, taps,
                shared->has_bias ? shared->bias.as<T>() : nullptr);
  });
  // Rows of the result in order, whatever part they belong to: neighbours read the same rows of x.
  const int64_t step = static_cast<int64_t>(shared->row_parts.size());
  const int64_t grain = std::max<int64_t>(
      1, 2 * ELEMENTS_PER_TASK / std::max<int64_t>(1, shared->y.dims[2] * channels));
  const int64_t rows = images * height;
  launcher.parallel((rows + grain - 1) / grain, [=](const Context& context, int64_t task) {
    const float* filters = context.at(shared->filters);
    DepthwiseTap* inside = context.at(shared->taps) + context.worker * taps;
    for (int64_t row = task * grain; row < std::min(rows, (task + 1) * grain); ++row) {
      const int64_t h = row % height;
      run_row<T>(*shared, filters, inside, row / height,
                 shared->row_parts[static_cast<size_t>(h % step)], h / step);
    }
  });
}

// The weight gradient: partial sums [part, tap, channel] over rows of dy, then their sum.
struct WeightsPlan {
  Tensor dw, x, dy;
  std::vector<AxisPart> rows, columns;  // one of each
  int64_t parts;
  Scratch<float> partials = {};
  Scratch<int64_t> offsets = {};  // of each worker's taps in x
  Scratch<float*> places = {};    // and in the sums

  int64_t channels() const { return x.dims[3]; }
  int64_t taps() const { return dw.dims[1] * dw.dims[2]; }
};

template <typename T>
void add_row(const WeightsPlan& plan, const Context& context, float* sums, int64_t row) {
  const int64_t channels = plan.channels(), width = plan.x.dims[2], kernel_width = plan.dw.dims[2];
  const int64_t height = plan.dy.dims[1];
  const int64_t image = row / height, i = row % height;
  const AxisPart &rows = plan.rows.front(), &columns = plan.columns.front();
  const AxisSpan* row_span = rows.spans.data();
  while (i >= row_span->end) ++row_span;
  const T* x = plan.x.as<T>() + image * plan.x.dims[1] * width * channels;
  const T* dy = plan.dy.as<T>() + row * plan.dy.dims[2] * channels;
  int64_t* offsets = context.at(plan.offsets) + context.worker * plan.taps();
  float** places = context.at(plan.places) + context.worker * plan.taps();
  for (const AxisSpan& span : columns.spans) {
    int64_t count = 0;
    for (const AxisTap& r : row_span->taps) {
      for (const AxisTap& s : span.taps) {
        offsets[count] = ((i * rows.source_step + r.offset) * width + s.offset) * channels;
        places[count++] = sums + (r.tap * kernel_width + s.tap) * channels;
      }
    }
    DepthwiseSums part{.taps = offsets,
                       .tap_count = count,
                       .pixels = 0,
                       .x_step = columns.source_step * channels,
                       .channels = channels};
    for (int64_t j = span.begin; j < span.end; j += kPixelsPerTile) {
      part.pixels = std::min(kPixelsPerTile, span.end - j);
      depthwise_sums(places, dy + j * channels, x + j * part.x_step, part);
    }
  }
}

template <typename T>
void run_weights(Launcher& launcher, WeightsPlan plan) {
  const int64_t size = plan.taps() * plan.channels(), rows = plan.dy.dims[0] * plan.dy.dims[1];
  plan.partials = launcher.scratch<float>(plan.parts * size);
  plan.offsets = launcher.scratch<int64_t>(launcher.workers() * plan.taps());
  plan.places = launcher.scratch<float*>(launcher.workers() * plan.taps());
  const auto shared = std::make_shared<const WeightsPlan>(std::move(plan));
  launcher.parallel(shared->parts, [=](const Context& context, int64_t part) {
    float* sums = context.at(shared->partials) + part * size;
    std::fill_n(sums, size, 0.0f);
    for (int64_t row = rows * part / shared->parts; row < rows * (part + 1) / shared->parts;
         ++row) {
      add_row<T>(*shared, context, sums, row);
    }
  });
  launcher.parallel(1, [=](const Context& context, int64_t) {
    float* sums = context.at(shared->partials);
    for (int64_t part = 1; part < shared->parts; ++part) {
      for (int64_t i = 0; i < size; ++i) sums[i] += sums[part * size + i];
    }
    const int64_t channels = shared->channels(), taps = shared->taps();
    float* dw = shared->dw.as<float>();
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t t = 0; t < taps; ++t) dw[c * taps + t] = sums[t * channels + c];
    }
  });
}

}  // namespace

void conv2d_depthwise(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
                      const Tensor* bias, const ConvGeometry& g, Activation activation) {
  Plan plan{.y = y,
            .x = x,
            .w = w,
            .bias = bias == nullptr ? Tensor{} : *bias,
            .has_bias = bias != nullptr,
            .relu = activation == Activation::RELU,
            .row_parts = forward_parts(rows_of(x, w, y, g)),
            .column_parts = forward_parts(columns_of(x, w, y, g))};
  if (y.dtype == DType::BF16) return run<Bf16>(launcher, std::move(plan));
  run<float>(launcher, std::move(plan));
}

void conv2d_backward_data_depthwise(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                                    const Tensor& w, const ConvGeometry& g) {
  Plan plan{.y = dx,
            .x = dy,
            .w = w,
            .bias = {},
            .has_bias = false,
            .relu = false,
            .row_parts = gradient_parts(rows_of(dx, w, dy, g)),
            .column_parts = gradient_parts(columns_of(dx, w, dy, g))};
  if (dx.dtype == DType::BF16) return run<Bf16>(launcher, std::move(plan));
  run<float>(launcher, std::move(plan));
}

void conv2d_backward_weights_depthwise(Launcher& launcher, const Tensor& dw, const Tensor& x,
                                       const Tensor& dy, const ConvGeometry& g) {
  constexpr int64_t kRowsPerPart = 16, kMaxParts = 64;
  WeightsPlan plan{
      .dw = dw,
      .x = x,
      .dy = dy,
      .rows = forward_parts(rows_of(x, dw, dy, g)),
      .columns = forward_parts(columns_of(x, dw, dy, g)),
      .parts = std::clamp<int64_t>(dy.dims[0] * dy.dims[1] / kRowsPerPart, 1, kMaxParts)};
  if (x.dtype == DType::BF16) return run_weights<Bf16>(launcher, std::move(plan));
  run_weights<float>(launcher, std::move(plan));
}

}  // namespace gatun::kernels
