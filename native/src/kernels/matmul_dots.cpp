#include "kernels/gemm.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

// Elements of A in a block of depth, which stay in L2 while rows of B come by.
constexpr int64_t kBlockOfA = 128 << 10;

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Pieces columns, tasks, depths;
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
  const Pieces rows(p.M, kernels.dot_rows);
  for (int64_t pass = 0; pass < plan.depths.count(); ++pass) {
    const int64_t k0 = plan.depths.begin(pass);
    tile.depth = plan.depths.end(pass) - k0;
    tile.accumulate = pass > 0;
    tile.relu = p.activation == Activation::RELU && pass + 1 == plan.depths.count();
    for (int64_t group = plan.tasks.begin(task); group < plan.tasks.end(task); ++group) {
      const int64_t j0 = plan.columns.begin(group);
      const int64_t columns = plan.columns.end(group) - j0;
      tile.b = p.b + j0 * p.K + k0;
      tile.bias = p.bias == nullptr || pass > 0 ? nullptr : p.bias + j0;
      for (int64_t piece = 0; piece < rows.count(); ++piece) {
        const int64_t i0 = rows.begin(piece), count = rows.end(piece) - i0;
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
                  .columns = columns,
                  .tasks = Pieces(columns.count(), (columns.count() + wanted - 1) / wanted),
                  .depths = Pieces(p.K, std::max<int64_t>(kBlockOfA / p.M, 512))};
  launcher.parallel(plan.tasks.count(),
                    [plan](const Context&, int64_t task) { multiply_task(plan, task); });
}

}  // namespace gatun::kernels
