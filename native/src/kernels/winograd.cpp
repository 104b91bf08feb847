#include "kernels/winograd.h"

#include <algorithm>
#include <cstring>

#include "kernels/conv_naive.h"
#include "kernels/gemm.h"
#include "kernels/winograd_simd.h"

namespace gatun::kernels::winograd {
namespace {

constexpr int64_t kLine = 16;   // floats
constexpr int64_t kChunk = 16;  // channels whose weights are transformed together
constexpr int64_t kMostLanes = 16;

// At least n floats, and an odd number of cache lines: 36 planes a power of two apart would share
// a few sets of the caches.
int64_t odd_lines(int64_t n) {
  const int64_t lines = (n + kLine - 1) / kLine;
  return (lines | 1) * kLine;
}

Tiles tiles_of(int64_t height, int64_t width, int64_t channels, int64_t y_height, int64_t y_width,
               int64_t pad_h, int64_t pad_w) {
  return {height, width, channels, (y_height + kTile - 1) / kTile, (y_width + kTile - 1) / kTile,
          pad_h,  pad_w};
}

// The forward pass, or the data gradient, which is one over dy with the kernels turned round and
// input and output channels exchanged.
struct Plan {
  const Kernels* kernels;
  bool backward;
  const float *x, *w;
  float* y;
  int64_t images;
  Tiles in, out;
  Epilogue epilogue;
  int64_t batch = 0;                       // tiles transformed together
  bool by_points = false;                  // workers share these, and not the tiles
  int64_t images_per_task = 1, bands = 1;  // a task is whole images or a band of one
  Scratch<float> u = {}, v = {}, m = {};

  int64_t lanes() const { return kernels->lanes; }
  int64_t in_blocks() const { return (in.channels + lanes() - 1) / lanes(); }
  int64_t out_blocks() const { return (out.channels + lanes() - 1) / lanes(); }
  int64_t depth() const { return in_blocks() * lanes(); }
  int64_t block_step() const { return batch * lanes(); }
  int64_t u_point_step() const { return odd_lines(depth() * out_blocks() * lanes()); }
  int64_t v_point_step() const { return odd_lines(in_blocks() * block_step()); }
  int64_t m_point_step() const { return odd_lines(out_blocks() * block_step()); }
  int64_t tasks() const { return (images + images_per_task - 1) / images_per_task * bands; }
  int64_t tiles() const { return images * in.per_image(); }
  Planes v_of(const Context& context, int64_t worker) const {
    return {context.at(v) + worker * kPoints * v_point_step(), v_point_step(), block_step()};
  }
  Planes m_of(const Context& context, int64_t worker) const {
    return {context.at(m) + worker * kPoints * m_point_step(), m_point_step(), block_step()};
  }
};

// The transformed kernels of one vector of output channels and kChunk input channels:
// u[point][panel of two vectors][input channel][output channel].
void weights_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t lanes = plan.lanes(), block = task % plan.out_blocks();
  const int64_t begin = task / plan.out_blocks() * kChunk;
  const int64_t count = std::min(kChunk, plan.depth() - begin);
  const int64_t inputs = std::clamp<int64_t>(plan.in.channels - begin, 0, count);
  const int64_t outputs = std::min(lanes, plan.out.channels - block * lanes);
  alignas(64) float taps[9][kChunk * kMostLanes] = {};
  for (int64_t tap = 0; tap < 9; ++tap) {
    if (plan.backward) {  // w[input][8 - tap][output]
      for (int64_t c = 0; c < inputs; ++c) {
        const float* from =
            plan.w + ((begin + c) * 9 + 8 - tap) * plan.out.channels + block * lanes;
        std::copy(from, from + outputs, taps[tap] + c * lanes);
      }
    } else {  // w[output][tap][input]
      for (int64_t k = 0; k < outputs; ++k) {
        const float* from = plan.w + ((block * lanes + k) * 9 + tap) * plan.in.channels + begin;
        for (int64_t c = 0; c < inputs; ++c) taps[tap][c * lanes + k] = from[c];
      }
    }
  }
  const int64_t panel = block / 2, vectors = std::min<int64_t>(2, plan.out_blocks() - panel * 2);
  float* u = context.at(plan.u) + panel * 2 * lanes * plan.depth() + begin * vectors * lanes +
             block % 2 * lanes;
  plan.kernels->transform_weights(taps[0], kChunk * kMostLanes, count, u, plan.u_point_step(),
                                  vectors * lanes);
}

// m[point] = v[point] u[point] for `count` tiles.
void multiply_point(const Plan& plan, const float* u, const Planes& v, const Planes& m, int point,
                    int64_t count, Ahead& ahead) {
  const int64_t lanes = plan.lanes();
  const int64_t pairs = (count + 1) / 2;  // one tile too many may be computed, and is not stored
  for (int64_t block = 0; block < plan.out_blocks(); block += 2) {
    const auto vectors = static_cast<int>(std::min<int64_t>(2, plan.out_blocks() - block));
    const Pieces pieces(pairs, plan.kernels->max_rows[vectors] / 2);
    for (int64_t piece = 0; piece < pieces.count(); ++piece) {
      const int64_t tile = 2 * pieces.begin(piece);
      plan.kernels->product[vectors][pieces.end(piece) - pieces.begin(piece)](
          {.v = v.data + point * v.point_step + tile * lanes,
           .v_block_step = v.block_step,
           .blocks = plan.in_blocks(),
           .u = u + point * plan.u_point_step() + block * lanes * plan.depth(),
           .m = m.data + point * m.point_step + block * m.block_step + tile * lanes,
           .m_block_step = m.block_step,
           .ahead = ahead.next(plan.depth(), u)});
    }
  }
}

// How many products multiply_point consists of.
int64_t products(const Plan& plan, int64_t count) {
  int64_t calls = 0;
  for (int64_t block = 0; block < plan.out_blocks(); block += 2) {
    const int64_t vectors = std::min<int64_t>(2, plan.out_blocks() - block);
    calls += Pieces((count + 1) / 2, plan.kernels->max_rows[vectors] / 2).count();
  }
  return calls;
}

// All points of some tiles. Asks meanwhile for what the epilogue will touch, and for the input of
// tiles that the worker most likely takes next.
void multiply_points(const Plan& plan, const float* u, const Planes& v, const Planes& m,
                     int64_t first, int64_t count, int64_t tiles_of_task) {
  Ahead ahead(kPoints * products(plan, count));
  // A row of tiles reads some pixels of the next one.
  const int64_t overlap = (kPatch - kTile - plan.in.pad_h) * plan.in.width * plan.in.channels;
  const int64_t x_begin = plan.in.begin(first + tiles_of_task);
  ahead.add(plan.x + x_begin + overlap, plan.in.begin(first + tiles_of_task + count) - x_begin);
  const int64_t y_begin = plan.out.begin(first), y_count = plan.out.begin(first + count) - y_begin;
  const float* const touched[] = {plan.y, plan.epilogue.addend, plan.epilogue.gate};
  for (const float* from : touched) {
    if (from != nullptr) ahead.add(from + y_begin, y_count);
  }
  for (int point = 0; point < kPoints; ++point) {
    multiply_point(plan, u, v, m, point, count, ahead);
  }
}

void tiles_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t image = task / plan.bands * plan.images_per_task, band = task % plan.bands;
  const int64_t images = std::min(plan.images_per_task, plan.images - image);
  const int64_t row_begin = plan.in.rows * band / plan.bands;
  const int64_t row_end = plan.in.rows * (band + 1) / plan.bands;
  const int64_t begin = image * plan.in.per_image() + row_begin * plan.in.columns;
  const int64_t end =
      begin + (images - 1) * plan.in.per_image() + (row_end - row_begin) * plan.in.columns;
  const Planes v = plan.v_of(context, context.worker), m = plan.m_of(context, context.worker);
  for (int64_t first = begin; first < end; first += plan.batch) {
    const int64_t count = std::min(plan.batch, end - first);
    plan.kernels->transform_input(plan.in, plan.x, first, count, 0, plan.in_blocks(), v);
    multiply_points(plan, context.at(plan.u), v, m, first, count, end - begin);
    plan.kernels->transform_output(plan.out, plan.y, plan.epilogue, first, count, m);
  }
}

// One point of all tiles. Asks meanwhile for the weights of the point that comes behind it.
void point_task(const Plan& plan, const Context& context, int64_t task) {
  const float* u = context.at(plan.u);
  Ahead ahead(products(plan, plan.tiles()));
  const int64_t next = task + context.workers;
  if (next < kPoints) ahead.add(u + next * plan.u_point_step(), plan.u_point_step());
  multiply_point(plan, u, plan.v_of(context, 0), plan.m_of(context, 0), static_cast<int>(task),
                 plan.tiles(), ahead);
}

void run_by_points(Launcher& launcher, const Plan& plan) {
  launcher.parallel(plan.in_blocks(), [plan](const Context& context, int64_t block) {
    Planes v = plan.v_of(context, 0);
    v.data += block * v.block_step;
    plan.kernels->transform_input(plan.in, plan.x, 0, plan.tiles(), block, block + 1, v);
  });
  launcher.parallel(
      kPoints, [plan](const Context& context, int64_t task) { point_task(plan, context, task); });
  const Pieces pieces(plan.tiles(), std::max<int64_t>(1, plan.tiles() / (4 * launcher.workers())));
  launcher.parallel(pieces.count(), [plan, pieces](const Context& context, int64_t task) {
    const int64_t first = pieces.begin(task);
    Planes m = plan.m_of(context, 0);
    m.data += first * plan.lanes();
    plan.kernels->transform_output(plan.out, plan.y, plan.epilogue, first, pieces.end(task) - first,
                                   m);
  });
}

void run(Launcher& launcher, const Tensor& w, Plan plan) {
  plan.batch = 32;
  // The cut depends on the shape alone, so that a task's rows of the result may be summed.
  const int64_t per_image = plan.in.per_image();
  if (per_image <= plan.batch) {
    plan.images_per_task = plan.batch / per_image;
  } else {
    const int64_t rows = std::max<int64_t>(1, plan.batch / plan.in.columns);
    plan.bands = (plan.in.rows + rows - 1) / rows;
  }
  const int64_t workers = launcher.workers();
  // Each task reads all weights. With few tiles it is better that workers share them: by points.
  const int64_t channels = plan.in.channels * plan.out.channels;
  if (workers > 1 && (plan.tasks() < workers ||
                      plan.tiles() * (plan.in.channels + plan.out.channels) < channels)) {
    plan.by_points = true;
    plan.batch = plan.tiles() + plan.tiles() % 2;
  }
  const int64_t copies = plan.by_points ? 1 : workers;
  Derivation transforming = launcher.derive({&w});
  plan.u = transforming.scratch<float>(kPoints * plan.u_point_step());
  plan.v = launcher.scratch<float>(copies * kPoints * plan.v_point_step());
  plan.m = launcher.scratch<float>(copies * kPoints * plan.m_point_step());
  const int64_t chunks = (plan.depth() + kChunk - 1) / kChunk;
  transforming.parallel(plan.out_blocks() * chunks, [plan](const Context& context, int64_t task) {
    weights_task(plan, context, task);
  });
  if (plan.by_points) return run_by_points(launcher, plan);
  launcher.parallel(plan.tasks(), [plan](const Context& context, int64_t task) {
    tiles_task(plan, context, task);
  });
}

}  // namespace

bool fits(const Tensor& x, const Tensor& w, const ConvGeometry& g) {
  return x.dtype == DType::F32 && w.dtype == DType::F32 && w.dims[1] == 3 && w.dims[2] == 3 &&
         g.stride_h == 1 && g.stride_w == 1 && g.is_plain();
}

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const ConvGeometry& g, const Epilogue& epilogue) {
  const naive::ConvDims d(x, w, y);
  run(launcher, w,
      {.kernels = &kernels(),
       .backward = false,
       .x = x.as<float>(),
       .w = w.as<float>(),
       .y = y.as<float>(),
       .images = d.N,
       .in = tiles_of(d.H, d.W, d.C, d.P, d.Q, g.pad_h, g.pad_w),
       .out = tiles_of(d.P, d.Q, d.K, d.P, d.Q, 0, 0),
       .epilogue = epilogue});
}

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue) {
  const naive::ConvDims d(dx, w, dy);
  run(launcher, w,
      {.kernels = &kernels(),
       .backward = true,
       .x = dy.as<float>(),
       .w = w.as<float>(),
       .y = dx.as<float>(),
       .images = d.N,
       .in = tiles_of(d.P, d.Q, d.K, d.H, d.W, 2 - g.pad_h, 2 - g.pad_w),
       .out = tiles_of(d.H, d.W, d.C, d.H, d.W, 0, 0),
       .epilogue = epilogue});
}

}  // namespace gatun::kernels::winograd
