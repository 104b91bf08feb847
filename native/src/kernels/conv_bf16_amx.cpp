// Forward and data gradient of bf16 on the tile unit. A task copies the rows of x that its pixels
// see, with the zeros around them, so that rows lie `pitch` pixels apart and the zeros behind one
// are those before the next. Then the windows of neighbouring pixels start at equal distances, also
// from the end of a row to the next one, so 16 of them are the rows of a tile where they lie, and a
// kernel row is one run of depth. What comes out between two rows of the result is dropped. With
// strides down, rows with the same remainder lie together; a pointwise convolution needs no copy.
// (A weight that is not finite meets the zeros of the padding: NaN at the edges.)
#include <algorithm>

#include "kernels/amx.h"
#include "kernels/conv_bf16_plan.h"

namespace gatun::kernels::conv_bf16 {
namespace {

// Rows of x, some of them in the padding.
struct Stretch {
  int64_t first, count;
};

struct Layout {
  std::shared_ptr<const Plan> plan;
  bool copies = true;
  int64_t stride_h = 1, stride_w = 1, phases = 1;
  int64_t lead = 0, pitch = 0;  // pixels: zeros before a row, from a row to the next
  int64_t lines = 0;            // rows of one phase
  int64_t slack = 0;            // pixels behind the last row, of which the first `lead` are zeros
  std::vector<int64_t> firsts = {};         // of each band: the row of x where its lines begin
  std::vector<std::vector<Run>> runs = {};  // of each part
  Scratch<Bf16> staged = {};

  int64_t pixel() const { return plan->words() * 2; }  // elements
  int64_t image() const { return phases * lines * pitch * pixel(); }
  int64_t worker() const { return plan->images_per_task * image() + slack * pixel(); }
};

int64_t band_begin(const Plan& plan, const Dense& part, int64_t band) {
  return part.rows * band / plan.bands;
}

// What the pixels of a band see.
Stretch find_stretch(const Plan& plan, int64_t band) {
  int64_t first = plan.H, end = 0;
  bool any = false;
  for (const Dense& part : plan.cut.parts) {
    const int64_t rows = band_begin(plan, part, band), rows_end = band_begin(plan, part, band + 1);
    if (rows == rows_end || part.R * part.S == 0) continue;
    const int64_t from = rows * part.stride_h - part.pad_h;
    const int64_t to = (rows_end - 1) * part.stride_h - part.pad_h + part.R;
    first = any ? std::min(first, from) : from;
    end = any ? std::max(end, to) : to;
    any = true;
  }
  return any ? Stretch{first, end - first} : Stretch{0, 0};
}

Layout lay_out(const std::shared_ptr<const Plan>& plan) {
  Layout l{.plan = plan};
  l.copies = !plan->pointwise;
  l.stride_h = plan->cut.parts.front().stride_h;  // several parts have strides of 1
  l.stride_w = plan->cut.parts.front().stride_w;
  l.phases = 1;
  l.pitch = plan->W;
  if (l.copies) {
    int64_t extent = 0, taps = 1;
    for (const Dense& part : plan->cut.parts) {
      l.lead = std::max(l.lead, part.pad_w);
      taps = std::max(taps, part.S);
      l.phases = std::max(l.phases, std::min(l.stride_h, part.R));
    }
    for (const Dense& part : plan->cut.parts) {
      extent = std::max(extent, l.lead - part.pad_w + (part.columns - 1) * l.stride_w + part.S);
    }
    l.pitch = std::max(l.lead + plan->W, extent - l.lead);
    l.pitch = (l.pitch + l.stride_w - 1) / l.stride_w * l.stride_w;
    for (int64_t band = 0; band < plan->bands; ++band) {
      const Stretch seen = find_stretch(*plan, band);
      l.firsts.push_back(seen.first);
      l.lines = std::max(l.lines, (seen.count + l.stride_h - 1) / l.stride_h);
    }
    l.slack = l.lead + amx::kRows * l.stride_w + taps;
  }
  for (const Dense& part : plan->cut.parts) {
    std::vector<Run> runs;
    for (int64_t r = 0; r < part.R; ++r) {
      const int64_t line = r % l.stride_h * l.lines + r / l.stride_h;
      runs.push_back(
          {line * l.pitch * plan->words(), part.weights_begin + r * part.S * plan->words()});
    }
    l.runs.push_back(std::move(runs));
  }
  return l;
}

// Row h of image n, or zeros, to `to`, with the zeros around it.
void stage_row(const Layout& l, Bf16* to, int64_t n, int64_t h) {
  const Plan& plan = *l.plan;
  if (h < 0 || h >= plan.H) {
    std::fill_n(to, l.pitch * l.pixel(), Bf16{});
    return;
  }
  const int64_t C = plan.channels;
  const Bf16* from = plan.x + (n * plan.H + h) * plan.W * C;
  to = std::fill_n(to, l.lead * l.pixel(), Bf16{});
  if (plan.pads_x()) {
    for (int64_t w = 0; w < plan.W; ++w, from += C) {
      to = std::copy_n(from, C, to);
      *to++ = {};
    }
  } else {
    to = std::copy_n(from, plan.W * C, to);
  }
  std::fill_n(to, (l.pitch - l.lead - plan.W) * l.pixel(), Bf16{});
}

void stage(const Layout& l, Bf16* to, int64_t image_begin, int64_t image_end, int64_t band) {
  for (int64_t n = image_begin; n < image_end; ++n) {
    for (int64_t phase = 0; phase < l.phases; ++phase) {
      for (int64_t line = 0; line < l.lines; ++line, to += l.pitch * l.pixel()) {
        stage_row(l, to, n, l.firsts[band] + line * l.stride_h + phase);
      }
    }
  }
  std::fill_n(to, l.lead * l.pixel(), Bf16{});
}

// Rows [row_begin, row_end) of image n and one panel; x: the window of the first pixel.
void run_image(const Layout& l, const Dense& part, const std::vector<Run>& runs, const Bf16* x,
               const uint32_t* weights, const float* bias, int64_t n, int64_t row_begin,
               int64_t row_end, int64_t panel) {
  const Plan& plan = *l.plan;
  const int vectors = plan.panels.vectors(panel);
  alignas(64) float sums[amx::kMaxTiles * amx::kRows * amx::kRows];
  amx::Product product;
  product.a_row = l.stride_w * l.pixel();
  product.b = weights;
  product.b_row = plan.panels.width(panel);
  product.runs = runs.data();
  product.run_count = static_cast<int64_t>(runs.size());
  product.depth = part.S * plan.words();
  product.start = bias;
  product.sums = sums;
  product.sums_row = vectors * amx::kRows;
  Bf16* y = plan.y + n * plan.y_image + part.y_start + plan.panels.start(panel);
  const int64_t row_pixels = l.pitch / l.stride_w;
  const int64_t pixels = (row_end - row_begin - 1) * row_pixels + part.columns;
  for (int64_t next = 0; next < pixels;) {
    const int64_t tiles = amx::row_tiles(pixels - next, vectors), count = tiles * amx::kRows;
    // The last rows may be computed again: that is cheaper than reading beyond x.
    const int64_t first = std::max<int64_t>(0, std::min(next, pixels - count));
    for (int64_t t = 0; t < tiles; ++t) {
      product.a[t] = x + (first + t * amx::kRows) * product.a_row;
    }
    amx::multiply(product, tiles, vectors);
    int64_t i = row_begin + first / row_pixels, j = first % row_pixels;
    for (int64_t row = 0; row < count;) {
      const bool inside = j < part.columns;
      const int64_t some = std::min(count - row, (inside ? part.columns : row_pixels) - j);
      if (inside && i < row_end) {
        amx::round_rows(y + i * part.y_row + j * part.y_column, part.y_column, some,
                        plan.panels.columns(panel), sums + row * product.sums_row, product.sums_row,
                        plan.relu);
      }
      row += some;
      j += some;
      if (j == row_pixels) j = 0, ++i;
    }
    next = first + count;
  }
}

void run_task(const Layout& l, const Context& context, int64_t task) {
  const Plan& plan = *l.plan;
  const int64_t panel_group = task % plan.panel_groups();
  const int64_t band = task / plan.panel_groups() % plan.bands;
  const int64_t image_group = task / plan.panel_groups() / plan.bands;
  const int64_t image_begin = image_group * plan.images_per_task;
  const int64_t image_end = std::min(plan.images, image_begin + plan.images_per_task);
  const int64_t panel_begin = panel_group * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  const Bf16* x = plan.x;
  if (l.copies) {
    Bf16* staged = context.at(l.staged) + context.worker * l.worker();
    stage(l, staged, image_begin, image_end, band);
    x = staged;
  }
  for (size_t p = 0; p < plan.cut.parts.size(); ++p) {
    const Dense& part = plan.cut.parts[p];
    const int64_t row_begin = band_begin(plan, part, band);
    const int64_t row_end = band_begin(plan, part, band + 1);
    if (row_begin == row_end || part.columns == 0) continue;
    const amx::Tiles tiles(part.S * plan.words());
    const int64_t skipped =
        !l.copies || l.runs[p].empty()
            ? row_begin * plan.W
            : (row_begin * part.stride_h - part.pad_h - l.firsts[band]) * l.pitch + l.lead -
                  part.pad_w;
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int64_t start = plan.panels.start(panel);
      const uint32_t* weights = context.at(plan.packed_weights) + start * plan.cut.depth;
      const float* bias = plan.bias == nullptr ? nullptr : context.at(plan.packed_bias) + start;
      for (int64_t n = image_begin; n < image_end; ++n) {
        run_image(l, part, l.runs[p], x + (n - image_begin) * l.image() + skipped * l.pixel(),
                  weights, bias, n, row_begin, row_end, panel);
      }
    }
  }
}

}  // namespace

void run_on_tiles(Launcher& launcher, const std::shared_ptr<const Plan>& plan) {
  Layout layout = lay_out(plan);
  if (layout.copies) layout.staged = launcher.scratch<Bf16>(launcher.workers() * layout.worker());
  const auto shared = std::make_shared<const Layout>(std::move(layout));
  launcher.parallel(
      plan->image_groups() * plan->bands * plan->panel_groups(),
      [shared](const Context& context, int64_t task) { run_task(*shared, context, task); });
}

}  // namespace gatun::kernels::conv_bf16
