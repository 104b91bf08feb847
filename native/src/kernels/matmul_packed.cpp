// The large product: both operands packed, one block of depth after the other, by all workers
// together. A lies in panels of a tile's rows, B in panels of its columns, so that a micro-kernel
// reads both in the order of memory and only y is far apart.
#include "kernels/gemm.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

// Depth per pass over y: a panel of B is 64 KiB then, one of A 32 KiB.
constexpr int64_t kDepthBlock = 512;
// Panels of A per task, which stay in L2 while panels of B come by: 14 rows each.
constexpr int64_t kPanelsOfA = 14;
constexpr int64_t kMostPanelsOfB = 16;
constexpr int64_t kStepsPerPack = 2048;  // some microseconds

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Pieces rows;  // a piece is a panel of A
  Panels columns;
  Pieces depths;
  int64_t a_step = 0;
  int64_t columns_per_task = 1, panels_per_pack = 1;
  Scratch<float> packed_a = {}, packed_b = {}, packed_bias = {};

  int64_t row_tasks() const { return (rows.count() + kPanelsOfA - 1) / kPanelsOfA; }
  int64_t column_tasks() const {
    return (columns.count() + columns_per_task - 1) / columns_per_task;
  }
  int64_t row_packs() const { return (rows.count() + panels_per_pack - 1) / panels_per_pack; }
  int64_t column_packs() const { return (columns.count() + panels_per_pack - 1) / panels_per_pack; }
};

void pack_panel_of_a(const Plan& plan, const Context& context, int64_t pass, int64_t panel) {
  const Product p = plan.p.located(context);
  const int64_t k0 = plan.depths.begin(pass), depth = plan.depths.end(pass) - k0;
  const int64_t i0 = plan.rows.begin(panel), count = plan.rows.end(panel) - i0;
  float* packed = context.at(plan.packed_a) + panel * plan.a_step * depth;
  if (p.layout.transpose_a) {
    pack_columns(packed, plan.a_step, p.a + k0 * p.row_of_a() + i0, p.row_of_a(), count, depth);
  } else {
    pack_transposed(packed, plan.a_step, p.a + i0 * p.K + k0, p.K, count, depth);
  }
}

void pack_panel_of_b(const Plan& plan, const Context& context, int64_t pass, int64_t panel) {
  const Product p = plan.p.located(context);
  const int64_t k0 = plan.depths.begin(pass), depth = plan.depths.end(pass) - k0;
  const int64_t j0 = plan.columns.start(panel), count = plan.columns.columns(panel);
  float* packed = context.at(plan.packed_b) + j0 * depth;
  if (p.layout.transpose_b) {
    pack_transposed(packed, plan.columns.width(panel), p.b + j0 * p.K + k0, p.K, count, depth);
  } else {
    pack_columns(packed, plan.columns.width(panel), p.b + k0 * p.N + j0, p.N, count, depth);
  }
}

void pack_task(const Plan& plan, const Context& context, int64_t pass, int64_t task) {
  if (task < plan.row_packs()) {
    const int64_t begin = task * plan.panels_per_pack;
    const int64_t end = std::min(plan.rows.count(), begin + plan.panels_per_pack);
    for (int64_t i = begin; i < end; ++i) pack_panel_of_a(plan, context, pass, i);
    return;
  }
  const int64_t begin = (task - plan.row_packs()) * plan.panels_per_pack;
  const int64_t end = std::min(plan.columns.count(), begin + plan.panels_per_pack);
  for (int64_t i = begin; i < end; ++i) pack_panel_of_b(plan, context, pass, i);
  if (pass == 0 && begin == 0 && plan.p.bias != nullptr) {
    pack_columns(context.at(plan.packed_bias), plan.columns.padded_columns(), plan.p.bias, 0,
                 plan.p.N, 1);
  }
}

void multiply_task(const Plan& plan, const Context& context, int64_t pass, int64_t task) {
  const Product& p = plan.p;
  const int64_t row_begin = task % plan.row_tasks() * kPanelsOfA;
  const int64_t row_end = std::min(plan.rows.count(), row_begin + kPanelsOfA);
  const int64_t column_begin = task / plan.row_tasks() * plan.columns_per_task;
  const int64_t column_end = std::min(plan.columns.count(), column_begin + plan.columns_per_task);
  const float* a_start;
  float* y_rows[kMaxRows];
  const Run whole;
  Tile tile;
  tile.a = &a_start;
  tile.a_step = plan.a_step;
  tile.runs = &whole;
  tile.run_count = 1;
  tile.depth = plan.depths.end(pass) - plan.depths.begin(pass);
  tile.y = y_rows;
  tile.accumulate = pass > 0;
  tile.relu = p.activation == Activation::RELU && pass + 1 == plan.depths.count();
  for (int64_t panel = column_begin; panel < column_end; ++panel) {
    const int64_t j0 = plan.columns.start(panel);
    tile.b = context.at(plan.packed_b) + j0 * tile.depth;
    tile.b_step = plan.columns.width(panel);
    tile.columns = plan.columns.columns(panel);
    tile.bias = p.bias == nullptr ? nullptr : context.at(plan.packed_bias) + j0;
    for (int64_t piece = row_begin; piece < row_end; ++piece) {
      const int64_t i0 = plan.rows.begin(piece), count = plan.rows.end(piece) - i0;
      a_start = context.at(plan.packed_a) + piece * plan.a_step * tile.depth;
      for (int64_t i = 0; i < count; ++i) {
        y_rows[i] = p.y + (i0 + i) * p.N + j0;
        // The next tile's y comes from far away, while this one is computed.
        __builtin_prefetch(y_rows[i] + count * p.N);
        __builtin_prefetch(y_rows[i] + count * p.N + 16);
      }
      plan.kernels->adjacent.of[plan.columns.vectors(panel)][count](tile);
    }
  }
}

}  // namespace

void multiply_packed(Launcher& launcher, const Product& p) {
  const MicroKernels& kernels = micro_kernels();
  const int most_rows = kernels.adjacent.max_rows[kMaxVectors];
  Plan plan{.kernels = &kernels,
            .p = p,
            .rows = Pieces(p.M, most_rows),
            .columns = Panels(kernels, p.N),
            .depths = Pieces(p.K, kDepthBlock)};
  plan.a_step = (most_rows + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
  const int64_t depth = (p.K + plan.depths.count() - 1) / plan.depths.count();
  plan.panels_per_pack = std::max<int64_t>(1, kStepsPerPack / depth);
  plan.packed_a = launcher.scratch<float>(plan.rows.count() * plan.a_step * depth);
  plan.packed_b = launcher.scratch<float>(plan.columns.padded_columns() * depth);
  if (p.bias != nullptr) {
    plan.packed_bias = launcher.scratch<float>(plan.columns.padded_columns());
  }
  const int64_t wanted = 8 * launcher.workers();
  plan.columns_per_task =
      std::clamp<int64_t>(plan.columns.count() * plan.row_tasks() / wanted, 1, kMostPanelsOfB);
  for (int64_t pass = 0; pass < plan.depths.count(); ++pass) {
    launcher.parallel(plan.row_packs() + plan.column_packs(),
                      [plan, pass](const Context& context, int64_t task) {
                        pack_task(plan, context, pass, task);
                      });
    launcher.parallel(plan.row_tasks() * plan.column_tasks(),
                      [plan, pass](const Context& context, int64_t task) {
                        multiply_task(plan, context, pass, task);
                      });
  }
}

}  // namespace gatun::kernels
