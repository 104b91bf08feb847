// The weight gradient of bf16 on the tile unit: depth is pixels. A task copies some rows of dy,
// with rows `pitch` pixels apart and zeros between, into pairs of pixels, which are rows of B; and
// the pixels of x that these rows see, channel by channel, which are rows of A: a tap of the kernel
// is a distance along them, so that one copy serves all taps. Rows and columns of x with the same
// remainder by the stride lie together. Few channels would leave most rows of a tile empty; then a
// window's row counts as one pixel with S times as many. (What is not finite may meet the zeros
// between rows, so that other taps of its channel or filter become NaN.)
#include <algorithm>

#include "kernels/amx.h"
#include "kernels/conv_naive.h"
#include "kernels/conv_weights_bf16.h"

namespace gatun::kernels::conv_bf16 {
namespace {

constexpr int64_t kDepth = 2 * amx::kWords;  // pixels of a tile

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Pixels of one axis of x with the same remainder by the stride: j * stride + first.
struct Phase {
  int64_t first;       // in the padding if negative
  int64_t begin, end;  // those inside x that windows see
  int64_t seen;        // windows see up to here

  Phase(int64_t remainder, int64_t stride, int64_t pad, int64_t taps, int64_t windows, int64_t size)
      : first(remainder - pad),
        begin(first < 0 ? divide_up(-first, stride) : 0),
        seen(windows + (taps - 1 - remainder) / stride) {
    end = std::max(begin, std::min(seen, first < size ? divide_up(size - first, stride) : 0));
  }
};

struct Plan {
  const Bf16 *x, *dy;
  naive::ConvDims d;
  ConvGeometry g;
  Panels panels;
  Partials sums;
  bool by_windows;  // rows of windows are pixels
  int64_t phases_h, phases_w;
  int64_t more_lines, more_columns;  // that windows see behind the first tap of a phase
  int64_t pitch;                     // pixels from a row to the next
  int64_t rows_per_chunk = 1;        // of dy
  int64_t depth = 0, row = 0;        // pixels of the largest chunk; of a row of A
  int64_t blocks_per_task = 1;       // of channels
  Scratch<Bf16> staged_x = {};
  Scratch<uint32_t> staged_dy = {};
  Scratch<const Bf16*> pixels = {};
  Scratch<Bf16> edges = {};

  int64_t taps_w() const { return by_windows ? 1 : d.S; }
  // Whether window j's rows lie inside those of x.
  bool is_inside(int64_t j) const {
    const int64_t w = j * g.stride_w - g.pad_w;
    return w >= 0 && w + d.S <= d.W;
  }
  // Elements of a worker's copies of windows' rows that reach into the padding.
  int64_t edges_size() const {
    int64_t count = 0;
    for (int64_t j = 0; by_windows && j < d.Q; ++j) count += !is_inside(j);
    return count * depth / pitch * d.S * d.C;
  }

  Phase column_phase(int64_t b) const { return {b, g.stride_w, g.pad_w, d.S, d.Q, d.W}; }
  int64_t rows() const { return d.N * d.P; }  // of dy
  int64_t block_tasks() const { return divide_up(sums.blocks(), blocks_per_task); }
  int64_t phases() const { return phases_h * phases_w; }
  // Further than any tap reads, beyond the pixels of a chunk.
  int64_t reach() const { return more_lines * pitch + more_columns; }
  int64_t x_size() const { return phases() * blocks_per_task * amx::kRows * row; }
  int64_t dy_size() const { return depth / 2 * panels.padded_columns(); }
};

// The rows of dy of one image in a chunk, and where their pixels begin in the copies.
struct Segment {
  int64_t image, row_begin, row_end, at;
};

// Rows [begin, end) of dy, those of all images numbered through.
class Chunk {
 public:
  Chunk(const Plan& plan, int64_t begin, int64_t end, int64_t block_begin, int64_t block_end,
        Bf16* x, uint32_t* dy, const Bf16** pixels, Bf16* edges)
      : plan_(plan),
        begin_(begin),
        end_(end),
        block_begin_(block_begin),
        channels_((block_end - block_begin) * amx::kRows),
        x_(x),
        dy_(dy),
        pixels_(pixels),
        edges_(edges) {
    int64_t length = 0;
    for_segments([&](const Segment& s) { length = s.at + lines(s) * plan_.pitch; });
    depth_ = divide_up(length, kDepth) * kDepth;
  }

  void stage() const {
    const int64_t c = block_begin_ * amx::kRows,
                  some = std::min(plan_.sums.channels - c, channels_);
    const int64_t count = depth_ + plan_.reach();
    for (int64_t phase = 0; phase < plan_.phases(); ++phase) {
      Bf16* x = x_ + phase * channels_ * plan_.row;
      std::fill_n(pixels_, count, nullptr);
      Bf16* edge = edges_;
      for_segments([&](const Segment& s) { edge = find_x(s, phase, edge); });
      amx::stand_up(x, plan_.row, pixels_, count, c, some);
      std::fill_n(x + some * plan_.row, (channels_ - some) * plan_.row, Bf16{});
    }
    std::fill_n(pixels_, depth_, nullptr);
    for_segments([&](const Segment& s) { find_dy(s); });
    amx::pair_up(dy_, plan_.panels.padded_columns(), pixels_, depth_ / 2, plan_.d.K);
  }

  // sums += all taps by the channels of the blocks, by all filters.
  void add_to(float* sums) const {
    const int64_t padded = plan_.panels.padded_columns(), taps = plan_.sums.taps;
    const Run whole{0, 0};
    amx::Product product;
    product.a_row = plan_.row;
    product.b_row = product.start_row = product.sums_row = padded;
    product.runs = &whole;
    product.run_count = 1;
    product.depth = depth_ / 2;
    for (int64_t panel = 0; panel < plan_.panels.count(); ++panel) {
      const int vectors = plan_.panels.vectors(panel);
      product.b = dy_ + plan_.panels.start(panel);
      // Units of a tap and 16 channels.
      const Pieces pieces(channels_ / amx::kRows * taps, amx::max_row_tiles(vectors));
      for (int64_t piece = 0; piece < pieces.count(); ++piece) {
        const int64_t first = pieces.begin(piece), count = pieces.end(piece) - first;
        for (int64_t i = 0; i < count; ++i) {
          product.a[i] = x_ + place((first + i) / taps, (first + i) % taps);
        }
        product.sums = sums + first * amx::kRows * padded + plan_.panels.start(panel);
        product.start = product.sums;
        amx::multiply(product, count, vectors);
      }
    }
  }

 private:
  template <typename Each>
  void for_segments(Each each) const {
    int64_t at = 0;
    for (int64_t f = begin_; f < end_;) {
      const int64_t n = f / plan_.d.P, next = std::min(end_, (n + 1) * plan_.d.P);
      const Segment segment{n, f - n * plan_.d.P, next - n * plan_.d.P, at};
      each(segment);
      at += lines(segment) * plan_.pitch;
      f = next;
    }
  }
  int64_t lines(const Segment& s) const { return s.row_end - s.row_begin + plan_.more_lines; }

  // edge: where to copy what reaches into the padding; returns where it ends.
  Bf16* find_x(const Segment& s, int64_t phase, Bf16* edge) const {
    const auto& d = plan_.d;
    const auto& g = plan_.g;
    const Phase columns = plan_.column_phase(phase % plan_.phases_w);
    const int64_t a = phase / plan_.phases_w;
    const int64_t seen = s.row_end - s.row_begin + (d.R - 1 - a) / g.stride_h;
    for (int64_t line = 0; line < seen; ++line) {
      const int64_t h = (s.row_begin + line) * g.stride_h + a - g.pad_h;
      if (h < 0 || h >= d.H) continue;
      const Bf16* row = plan_.x + (s.image * d.H + h) * d.W * d.C;
      const Bf16** to = pixels_ + s.at + line * plan_.pitch;
      if (plan_.by_windows) {
        for (int64_t j = 0; j < d.Q; ++j) {
          const int64_t w = j * g.stride_w - g.pad_w;
          to[j] = plan_.is_inside(j) ? row + w * d.C : edge;
          if (!plan_.is_inside(j)) edge = copy_window(edge, row, w);
        }
      } else {
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          to[j] = row + (j * g.stride_w + columns.first) * d.C;
        }
      }
    }
    return edge;
  }

  // The pixels w, w + 1, ... of a row for all taps of a kernel row, with zeros beyond its ends.
  Bf16* copy_window(Bf16* to, const Bf16* row, int64_t w) const {
    const auto& d = plan_.d;
    for (const int64_t end = w + d.S; w < end; ++w) {
      to = w >= 0 && w < d.W ? std::copy_n(row + w * d.C, d.C, to) : std::fill_n(to, d.C, Bf16{});
    }
    return to;
  }

  void find_dy(const Segment& s) const {
    const auto& d = plan_.d;
    for (int64_t i = s.row_begin; i < s.row_end; ++i) {
      const Bf16* row = plan_.dy + (s.image * d.P + i) * d.Q * d.K;
      const Bf16** to = pixels_ + s.at + (i - s.row_begin) * plan_.pitch;
      for (int64_t j = 0; j < d.Q; ++j) to[j] = row + j * d.K;
    }
  }

  // Where the pixels that a tap sees begin, for the first of 16 channels.
  int64_t place(int64_t block, int64_t tap) const {
    const int64_t r = tap / plan_.taps_w(), s = tap % plan_.taps_w();
    const int64_t phase = r % plan_.g.stride_h * plan_.phases_w + s % plan_.g.stride_w;
    return (phase * channels_ + block * amx::kRows) * plan_.row +
           r / plan_.g.stride_h * plan_.pitch + s / plan_.g.stride_w;
  }

  const Plan& plan_;
  int64_t begin_, end_, block_begin_, channels_;
  Bf16* x_;              // [phases, channels, plan.row]
  uint32_t* dy_;         // [depth / 2, padded columns]
  const Bf16** pixels_;  // where what is staged comes from, NULL for zeros
  Bf16* edges_;          // copies of what reaches into the padding
  int64_t depth_ = 0;
};

void group_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t block_begin = task % plan.block_tasks() * plan.blocks_per_task;
  const int64_t block_end = std::min(plan.sums.blocks(), block_begin + plan.blocks_per_task);
  const int64_t group = task / plan.block_tasks();
  const int64_t block_size = plan.sums.taps * amx::kRows * plan.sums.width;
  float* sums =
      context.at(plan.sums.partials) + group * plan.sums.size() + block_begin * block_size;
  std::fill_n(sums, (block_end - block_begin) * block_size, 0.0f);
  const amx::Tiles tiles(amx::kWords);
  const Pieces rows(plan.rows(), divide_up(plan.rows(), plan.sums.groups));
  for (int64_t f = rows.begin(group); f < rows.end(group); f += plan.rows_per_chunk) {
    const Chunk chunk(plan, f, std::min(rows.end(group), f + plan.rows_per_chunk), block_begin,
                      block_end, context.at(plan.staged_x) + context.worker * plan.x_size(),
                      context.at(plan.staged_dy) + context.worker * plan.dy_size(),
                      context.at(plan.pixels) + context.worker * plan.row,
                      context.at(plan.edges) + context.worker * plan.edges_size());
    chunk.stage();
    chunk.add_to(sums);
  }
  if (plan.sums.groups > 1) return;
  // While they are in a near cache.
  const int64_t channels = plan.sums.channels;
  for (int64_t tap = 0; tap < plan.sums.taps; ++tap) {
    for (int64_t block = block_begin; block < block_end; ++block) {
      const int64_t c = block * amx::kRows;
      sum_some(plan.sums, context, tap * channels + c,
               tap * channels + std::min(channels, c + amx::kRows));
    }
  }
}

// Groups and chunks decide the order of the sums, so they look at the shape alone; the rest of the
// cut changes no bit.
void choose_tasks(Plan& plan, int workers) {
  const auto& d = plan.d;
  const int64_t bytes = plan.sums.size() * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::clamp<int64_t>((1 << 20) / bytes, 1, 16);
  const Pieces groups(plan.rows(), divide_up(plan.rows(), most));
  plan.sums.groups = groups.count();
  const int64_t block_bytes = bytes / plan.sums.blocks();
  plan.blocks_per_task = std::clamp<int64_t>((512 << 10) / block_bytes, 1, plan.sums.blocks());

  const int64_t pixel_bytes =
      2 * (plan.phases() * plan.blocks_per_task * amx::kRows + plan.panels.padded_columns());
  const int64_t pixels = std::max<int64_t>(512, (192 << 10) / pixel_bytes);
  const int64_t rows = divide_up(plan.rows(), plan.sums.groups);
  // Whole images where they are small.
  const int64_t image = (d.P + plan.more_lines) * plan.pitch;
  plan.rows_per_chunk = pixels >= image
                            ? pixels / image * d.P
                            : std::max<int64_t>(1, pixels / plan.pitch - plan.more_lines);
  plan.rows_per_chunk = std::min(plan.rows_per_chunk, rows);

  const int64_t tasks = std::max<int64_t>(1, 4 * workers / plan.sums.groups);
  plan.blocks_per_task = std::min(plan.blocks_per_task, divide_up(plan.sums.blocks(), tasks));
}

}  // namespace

void backward_weights_on_tiles(Launcher& launcher, const Tensor& dw, const Tensor& x,
                               const Tensor& dy, const ConvGeometry& g) {
  const naive::ConvDims d(x, dw, dy);
  const bool by_windows = divide_up(d.S * d.C, amx::kRows) < d.S * divide_up(d.C, amx::kRows);
  Plan plan{.x = x.as<Bf16>(),
            .dy = dy.as<Bf16>(),
            .d = d,
            .g = g,
            .panels = Panels(amx::kRows, kMaxVectors, d.K),
            .sums = {.dw = dw.as<float>(),
                     .filters = d.K,
                     .taps = by_windows ? d.R : d.R * d.S,
                     .channels = by_windows ? d.S * d.C : d.C,
                     .block = amx::kRows,
                     .width = 0},
            .by_windows = by_windows,
            .phases_h = std::min(g.stride_h, d.R),
            .phases_w = by_windows ? 1 : std::min(g.stride_w, d.S),
            .more_lines = (d.R - 1) / g.stride_h,
            .more_columns = by_windows ? 0 : (d.S - 1) / g.stride_w,
            .pitch = d.Q};
  plan.sums.width = plan.panels.padded_columns();
  // What windows see behind a row are zeros: its own, or those before the next row.
  for (int64_t b = 0; !by_windows && b < plan.phases_w; ++b) {
    const Phase phase = plan.column_phase(b);
    plan.pitch = std::max({plan.pitch, phase.end, phase.seen - phase.begin});
  }
  choose_tasks(plan, launcher.workers());
  // The most pixels are those of rows that begin inside an image.
  const int64_t images = (plan.rows_per_chunk - 1) / d.P + 2;
  plan.depth =
      divide_up((plan.rows_per_chunk + images * plan.more_lines) * plan.pitch, kDepth) * kDepth;
  // An odd count of cache lines: the rows of a tile must not meet in one set of the cache.
  plan.row = (divide_up(plan.depth + plan.reach(), kDepth) | 1) * kDepth;
  plan.sums.partials = launcher.scratch<float>(plan.sums.groups * plan.sums.size());
  plan.staged_x = launcher.scratch<Bf16>(launcher.workers() * plan.x_size());
  plan.staged_dy = launcher.scratch<uint32_t>(launcher.workers() * plan.dy_size());
  plan.edges = launcher.scratch<Bf16>(launcher.workers() * plan.edges_size());
  plan.pixels = launcher.scratch<const Bf16*>(launcher.workers() * plan.row);
  launcher.parallel(
      plan.sums.groups * plan.block_tasks(),
      [plan](const Context& context, int64_t task) { group_task(plan, context, task); });
  if (plan.sums.groups > 1) sum_partials(launcher, plan.sums);
}

}  // namespace gatun::kernels::conv_bf16
