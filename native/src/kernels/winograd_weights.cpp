// The weight gradient: G^T (sum over tiles of (A dy A^T) (B^T x B)) G. Tiles are cut into groups by
// the shape alone; each group sums into a partial gradient of its own, and a last section adds the
// partials in order.
#include <algorithm>

#include "kernels/conv_naive.h"
#include "kernels/winograd.h"
#include "kernels/winograd_simd.h"

namespace gatun::kernels::winograd {
namespace {

constexpr int64_t kMaxPartialFloats = int64_t{8} << 20;
constexpr int64_t kTilesPerGroup = 128, kMaxGroups = 16;

struct Plan {
  const Kernels* kernels;
  const float *x, *dy;
  float* dw;
  Tiles in, out;
  int64_t tiles;
  int64_t batch = 0, groups = 1;
  int64_t blocks_per_slice = 1;  // of input channels; a task is a group and a slice
  Scratch<float> u = {}, v = {}, d = {};

  int64_t lanes() const { return kernels->lanes; }
  int64_t in_blocks() const { return (in.channels + lanes() - 1) / lanes(); }
  int64_t out_blocks() const { return (out.channels + lanes() - 1) / lanes(); }
  int64_t slices() const { return (in_blocks() + blocks_per_slice - 1) / blocks_per_slice; }
  int64_t block_step() const { return batch * lanes(); }
  // u[group][point][output channel][input channel]
  int64_t u_row_step() const { return in_blocks() * lanes(); }
  int64_t u_point_step() const { return out_blocks() * lanes() * u_row_step(); }
  int64_t u_group_step() const { return kPoints * u_point_step(); }
  int64_t v_point_step() const { return (blocks_per_slice * batch | 1) * lanes(); }
  int64_t d_point_step() const { return (out_blocks() * batch | 1) * lanes(); }
};

// Asks meanwhile for the pixels of the next tiles.
void accumulate_points(const Plan& plan, const Planes& v, const Planes& d, float* u, int64_t blocks,
                       int64_t tile, int64_t count, bool first) {
  const int64_t lanes = plan.lanes();
  int64_t calls = 0;
  for (int64_t block = 0; block < blocks; block += 2) {
    const int64_t rows = plan.kernels->accumulation_rows[std::min<int64_t>(2, blocks - block)];
    calls += kPoints * ((plan.out.channels + rows - 1) / rows);
  }
  Ahead ahead(calls);
  const auto add = [&](const float* from, const Tiles& tiles) {
    const int64_t begin = tiles.begin(tile + count);
    ahead.add(from + begin, tiles.begin(tile + 2 * count) - begin);
  };
  add(plan.x, plan.in);
  add(plan.dy, plan.out);
  for (int point = 0; point < kPoints; ++point) {
    for (int64_t block = 0; block < blocks; block += 2) {
      const auto vectors = static_cast<int>(std::min<int64_t>(2, blocks - block));
      const int64_t rows = plan.kernels->accumulation_rows[vectors];
      for (int64_t k = 0; k < plan.out.channels; k += rows) {
        plan.kernels->accumulation[vectors](
            {.d = d.data + point * d.point_step + k / lanes * d.block_step + k % lanes,
             .v = v.data + point * v.point_step + block * v.block_step,
             .v_block_step = v.block_step,
             .tiles = count,
             .u = u + point * plan.u_point_step() + k * plan.u_row_step() + block * lanes,
             .u_row_step = plan.u_row_step(),
             .first = first,
             .ahead = ahead.next(count, u)});
      }
    }
  }
}

void group_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t group = task / plan.slices(), slice = task % plan.slices();
  const int64_t block_begin = slice * plan.blocks_per_slice;
  const int64_t block_end = std::min(plan.in_blocks(), block_begin + plan.blocks_per_slice);
  const int64_t begin = plan.tiles * group / plan.groups;
  const int64_t end = plan.tiles * (group + 1) / plan.groups;
  const int64_t worker = context.worker;
  const Planes v{context.at(plan.v) + worker * kPoints * plan.v_point_step(), plan.v_point_step(),
                 plan.block_step()};
  const Planes d{context.at(plan.d) + worker * kPoints * plan.d_point_step(), plan.d_point_step(),
                 plan.block_step()};
  float* u = context.at(plan.u) + group * plan.u_group_step() + block_begin * plan.lanes();
  for (int64_t first = begin; first < end; first += plan.batch) {
    const int64_t count = std::min(plan.batch, end - first);
    plan.kernels->transform_input(plan.in, plan.x, first, count, block_begin, block_end, v);
    plan.kernels->transform_gradient(plan.out, plan.dy, first, count, d);
    accumulate_points(plan, v, d, u, block_end - block_begin, first, count, first == begin);
  }
}

void sum_task(const Plan& plan, const Context& context, int64_t k) {
  for (int64_t block = 0; block < plan.in_blocks(); ++block) {
    const int64_t c = block * plan.lanes();
    plan.kernels->transform_weight_gradient(
        context.at(plan.u) + k * plan.u_row_step() + c, plan.u_point_step(), plan.groups,
        plan.u_group_step(), plan.dw + k * 9 * plan.in.channels + c, plan.in.channels,
        std::min(plan.lanes(), plan.in.channels - c));
  }
}

}  // namespace

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g) {
  const naive::ConvDims d(x, dw, dy);
  const int64_t rows = (d.P + kTile - 1) / kTile, columns = (d.Q + kTile - 1) / kTile;
  Plan plan{.kernels = &kernels(),
            .x = x.as<float>(),
            .dy = dy.as<float>(),
            .dw = dw.as<float>(),
            .in = {d.H, d.W, d.C, rows, columns, g.pad_h, g.pad_w},
            .out = {d.P, d.Q, d.K, rows, columns},
            .tiles = d.N * rows * columns};
  plan.batch = d.C + d.K <= 128 ? 32 : 64;
  plan.groups = std::clamp<int64_t>(
      std::min(plan.tiles / kTilesPerGroup, kMaxPartialFloats / plan.u_group_step()), 1,
      kMaxGroups);
  const int64_t workers = launcher.workers();
  // Slices repeat the transform of dy, but change no bit.
  const int64_t slices =
      std::clamp<int64_t>((2 * workers + plan.groups - 1) / plan.groups, 1, plan.in_blocks());
  plan.blocks_per_slice = (plan.in_blocks() + slices - 1) / slices;
  plan.u = launcher.scratch<float>(plan.groups * plan.u_group_step());
  plan.v = launcher.scratch<float>(workers * kPoints * plan.v_point_step());
  plan.d = launcher.scratch<float>(workers * kPoints * plan.d_point_step());
  launcher.parallel(plan.groups * plan.slices(), [plan](const Context& context, int64_t task) {
    group_task(plan, context, task);
  });
  launcher.parallel(
      d.K, [plan](const Context& context, int64_t task) { sum_task(plan, context, task); });
}

}  // namespace gatun::kernels::winograd
