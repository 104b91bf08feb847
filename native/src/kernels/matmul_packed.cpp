// The large product, one block of columns and depth after the other. B is packed by all workers
// together, in panels of a tile's columns; A by each worker for itself, a block of panels of a
// tile's rows at a time, which then stays in its L2 while panels of B come by from L3. So a
// micro-kernel reads both in the order of memory, only y is far apart, and what one worker packs
// others need not fetch from its cache.
#include "core/machine.h"
#include "kernels/gemm.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

// Depth per pass over y: a large y comes from memory each time.
constexpr int64_t kDepthBlock = 1024;
// Packed B stays in L3, which others use too. A is packed anew for each block of columns.
constexpr int64_t kLeastColumnBlock = 1280;  // 5 MiB
constexpr int64_t kPartOfCache = 16;
// A block of A: 320 KiB of L2, and few enough panels that rows of y which lie a power of two apart
// do not push each other out of it.
constexpr int64_t kBlockSize = 80 << 10;
constexpr int64_t kMostPanelsOfBlock = 12;
constexpr int64_t kStepsPerPack = 2048;      // some microseconds
constexpr int64_t kRowOfA = kMaxPackedRows;  // floats that a panel of A has for each step
constexpr int64_t kNoBlock = -1;
constexpr int64_t kLine = 64 / sizeof(int64_t);  // workers write to lines of their own

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Pieces rows;    // a piece is a panel of A
  Pieces blocks;  // a piece is some of these panels
  Panels columns;
  Pieces depths;
  int64_t block_size = 0;  // floats of a packed block of A
  Scratch<float> packed_a = {}, packed_b = {}, packed_bias = {};
  Scratch<int64_t> block_of = {};  // the block that a worker has packed
};

// What one section packs, or multiplies: some depth of some panels of B.
struct Part {
  bool first, last;  // in depth
  int64_t k0, depth;
  int64_t panel_begin, panels;

  // Where a panel of B is packed.
  int64_t place(const Plan& plan, int64_t panel) const {
    return (plan.columns.start(panel) - plan.columns.start(panel_begin)) * depth;
  }
  Pieces packs() const { return {panels, std::max<int64_t>(1, kStepsPerPack / depth)}; }
};

void pack_block_of_a(const Plan& plan, const Context& context, float* packed, const Part& part,
                     int64_t block) {
  const Product p = plan.p.located(context);
  for (int64_t panel = plan.blocks.begin(block); panel < plan.blocks.end(block); ++panel) {
    const int64_t i0 = plan.rows.begin(panel), count = plan.rows.end(panel) - i0;
    if (p.layout.transpose_a) {
      pack_columns(packed, kRowOfA, p.a + part.k0 * p.row_of_a() + i0, p.row_of_a(), count,
                   part.depth);
    } else {
      pack_transposed(packed, kRowOfA, p.a + i0 * p.K + part.k0, p.K, count, part.depth);
    }
    packed += kRowOfA * part.depth;
  }
}

void pack_panel_of_b(const Plan& plan, const Context& context, const Part& part, int64_t panel) {
  const Product p = plan.p.located(context);
  const int64_t j0 = plan.columns.start(panel), count = plan.columns.columns(panel);
  const int64_t width = plan.columns.width(panel);
  float* packed = context.at(plan.packed_b) + part.place(plan, panel);
  if (p.layout.transpose_b) {
    pack_transposed(packed, width, p.b + j0 * p.K + part.k0, p.K, count, part.depth);
  } else {
    pack_columns(packed, width, p.b + part.k0 * p.N + j0, p.N, count, part.depth);
  }
}

void pack_task(const Plan& plan, const Context& context, const Part& part, int64_t task) {
  const Pieces packs = part.packs();
  for (int64_t i = packs.begin(task); i < packs.end(task); ++i) {
    pack_panel_of_b(plan, context, part, part.panel_begin + i);
  }
  if (task > 0) return;
  for (int worker = 0; worker < context.workers; ++worker) {
    context.at(plan.block_of)[worker * kLine] = kNoBlock;
  }
  if (part.first && part.panel_begin == 0 && plan.p.bias != nullptr) {
    pack_columns(context.at(plan.packed_bias), plan.columns.padded_columns(), plan.p.bias, 0,
                 plan.p.N, 1);
  }
}

void multiply_task(const Plan& plan, const Context& context, const Part& part, int64_t task) {
  const Product& p = plan.p;
  const int64_t block = task / part.panels, panel = part.panel_begin + task % part.panels;
  const int64_t row_begin = plan.blocks.begin(block), row_end = plan.blocks.end(block);
  float* packed_a = context.at(plan.packed_a) + context.worker * plan.block_size;
  int64_t& packed_block = context.at(plan.block_of)[context.worker * kLine];
  if (packed_block != block) {
    pack_block_of_a(plan, context, packed_a, part, block);
    packed_block = block;
  }
  const int64_t j0 = plan.columns.start(panel);
  const float* a_start = packed_a;
  float* y_rows[kMaxRows];
  const Run whole;
  Tile tile;
  tile.a = &a_start;
  tile.a_step = kRowOfA;
  tile.b = context.at(plan.packed_b) + part.place(plan, panel);
  tile.b_step = plan.columns.width(panel);
  tile.runs = &whole;
  tile.run_count = 1;
  tile.depth = part.depth;
  tile.y = y_rows;
  tile.columns = plan.columns.columns(panel);
  tile.bias = p.bias == nullptr ? nullptr : context.at(plan.packed_bias) + j0;
  tile.accumulate = !part.first;
  tile.relu = p.activation == Activation::RELU && part.last;
  tile.ahead_row = p.N;
  // The next panel of B, which lies behind this one: each tile asks for a share of it.
  tile.next_b_step = (tile.b_step + row_end - row_begin - 1) / (row_end - row_begin);
  tile.next_b = tile.b + tile.b_step * tile.depth;
  for (int64_t piece = row_begin; piece < row_end; ++piece) {
    const int64_t i0 = plan.rows.begin(piece), count = plan.rows.end(piece) - i0;
    for (int64_t i = 0; i < count; ++i) y_rows[i] = p.y + (i0 + i) * p.N + j0;
    // y comes from far away: the next tile's, below or at the top of the next panel.
    const bool below = piece + 1 < row_end;
    tile.ahead = p.y + plan.rows.begin(below ? piece + 1 : row_begin) * p.N +
                 (below ? j0 : j0 + tile.b_step);
    plan.kernels->packed.of[plan.columns.vectors(panel)][count](tile);
    a_start += kRowOfA * tile.depth;
    tile.next_b += tile.next_b_step * tile.depth;
  }
}

}  // namespace

void multiply_packed(Launcher& launcher, const Product& p) {
  const MicroKernels& kernels = micro_kernels();
  const Pieces rows(p.M, kernels.packed.max_rows[1]), depths(p.K, kDepthBlock);
  const Panels columns(kernels.lanes, kernels.packed_vectors, p.N);
  const int64_t depth = (p.K + depths.count() - 1) / depths.count();
  const int64_t panels = std::clamp<int64_t>(kBlockSize / (kRowOfA * depth), 1, kMostPanelsOfBlock);
  Plan plan{.kernels = &kernels,
            .p = p,
            .rows = rows,
            .blocks = Pieces(rows.count(), panels),
            .columns = columns,
            .depths = depths};
  plan.block_size = panels * kRowOfA * depth;
  plan.packed_a = launcher.scratch<float>(launcher.workers() * plan.block_size);
  plan.block_of = launcher.scratch<int64_t>(launcher.workers() * kLine);
  const int64_t column_block =
      std::max<int64_t>(kLeastColumnBlock, last_level_cache() / kPartOfCache / 4 / kDepthBlock);
  const Pieces parts(columns.count(), column_block / columns.width(0));
  plan.packed_b = launcher.scratch<float>((columns.count() + parts.count() - 1) / parts.count() *
                                          columns.width(0) * depth);
  if (p.bias != nullptr) plan.packed_bias = launcher.scratch<float>(columns.padded_columns());
  for (int64_t i = 0; i < parts.count(); ++i) {
    for (int64_t pass = 0; pass < depths.count(); ++pass) {
      const Part part{.first = pass == 0,
                      .last = pass + 1 == depths.count(),
                      .k0 = depths.begin(pass),
                      .depth = depths.end(pass) - depths.begin(pass),
                      .panel_begin = parts.begin(i),
                      .panels = parts.end(i) - parts.begin(i)};
      launcher.parallel(part.packs().count(), [plan, part](const Context& context, int64_t task) {
        pack_task(plan, context, part, task);
      });
      launcher.parallel(plan.blocks.count() * part.panels,
                        [plan, part](const Context& context, int64_t task) {
                          multiply_task(plan, context, part, task);
                        });
    }
  }
}

}  // namespace gatun::kernels
