#include "kernels/gemm.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

// A block of A, at most 512 KiB, stays in L2 while rows of B come by.
constexpr int64_t kRowsOfBlock = 128;
constexpr int64_t kDepthOfBlock = 1024;

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Pieces row_blocks, depths, columns, tasks;
};

void multiply_task(const Plan& plan, int64_t task) {
  const Product& p = plan.p;
  const MicroKernels& kernels = *plan.kernels;
  const float* a_rows[kMaxDotRows];
  float* y_rows[kMaxDotRows];
  DotTile tile;
  tile.a = a_rows;
  tile.b_row = p.K;
  tile.y = y_rows;
  for (int64_t block = 0; block < plan.row_blocks.count() * plan.depths.count(); ++block) {
    const int64_t pass = block % plan.depths.count(), row_block = block / plan.depths.count();
    const int64_t first = plan.row_blocks.begin(row_block);
    const Pieces rows(plan.row_blocks.end(row_block) - first, kernels.dot_rows);
    const int64_t k0 = plan.depths.begin(pass);
    tile.depth = plan.depths.end(pass) - k0;
    tile.accumulate = pass > 0;
    tile.relu = p.activation == Activation::RELU && pass + 1 == plan.depths.count();
    for (int64_t group = plan.tasks.begin(task); group < plan.tasks.end(task); ++group) {
      const int64_t j0 = plan.columns.begin(group);
      const int64_t columns = plan.columns.end(group) - j0;
      tile.b = p.b + j0 * p.K + k0;
      tile.bias = p.bias == nullptr ? nullptr : p.bias + j0;
      for (int64_t piece = 0; piece < rows.count(); ++piece) {
        const int64_t i0 = first + rows.begin(piece), count = rows.end(piece) - rows.begin(piece);
        for (int64_t i = 0; i < count; ++i) {
          a_rows[i] = p.a + (i0 + i) * p.K + k0;
          y_rows[i] = p.y + (i0 + i) * p.N + j0;
        }
        kernels.dot[count][columns](tile);
      }
    }
  }
}

}  // namespace

void multiply_by_dots(Launcher& launcher, const Product& p) {
  const MicroKernels& kernels = micro_kernels();
  const Pieces columns(p.N, kernels.dot_columns);
  // A task below some 64 K multiply-adds costs more to hand out than it saves.
  const int64_t wanted = std::clamp<int64_t>(p.M * p.N * p.K >> 16, 1, 4 * launcher.workers());
  const Plan plan{.kernels = &kernels,
                  .p = p,
                  .row_blocks = Pieces(p.M, kRowsOfBlock),
                  .depths = Pieces(p.K, kDepthOfBlock),
                  .columns = columns,
                  .tasks = Pieces(columns.count(), (columns.count() + wanted - 1) / wanted)};
  launcher.parallel(plan.tasks.count(),
                    [plan](const Context&, int64_t task) { multiply_task(plan, task); });
}

}  // namespace gatun::kernels
