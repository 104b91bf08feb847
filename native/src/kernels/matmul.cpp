// The matrix product: B in packed panels (or as it lies, where packing would not pay), blocks of
// A's rows copied next to each other where their stride would throw them out of the cache.
#include "kernels/matmul.h"

#include "kernels/gemm.h"
#include "kernels/matmul_naive.h"

namespace gatun::kernels {
namespace {

// Depth per pass over a block of y, so that the rows of one tile stay in L1 beside B's panel.
constexpr int64_t kDepthBlock = 384;
// Rows per block of A: 168 x 384 floats are 252 KiB of L2, and 168 is a multiple of 14 and 6.
constexpr int64_t kRowBlock = 168;
// Distance of copied rows: 25 cache lines spread 14 rows over L1's sets.
constexpr int64_t kCopyStride = kDepthBlock + 16;

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Panels panels;
  bool pack_b = true, copy_a = false;
  int64_t rows_per_task = 0, panels_per_task = 1, depth_per_pack = 1;
  Scratch<float> packed_b = {}, packed_bias = {}, copied_a = {};

  int64_t row_tasks() const { return (p.M + rows_per_task - 1) / rows_per_task; }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t pack_tasks() const { return (p.K + depth_per_pack - 1) / depth_per_pack; }
  const KernelFamily& family() const {
    return p.layout.transpose_a ? kernels->adjacent : kernels->gathered;
  }
  int64_t a_stride() const { return p.layout.transpose_a ? p.M : p.K; }
};

void pack_task(const Plan& plan, const Context& context, int64_t task) {
  const Product& p = plan.p;
  const int64_t panel = task % plan.panels.count();
  const int64_t k0 = task / plan.panels.count() * plan.depth_per_pack;
  const int64_t depth = std::min(plan.depth_per_pack, p.K - k0);
  const int64_t width = plan.panels.width(panel), start = plan.panels.start(panel);
  float* packed = context.at(plan.packed_b) + start * p.K + k0 * width;
  if (p.layout.transpose_b) {
    pack_transposed(packed, width, p.b + start * p.K + k0, p.K, plan.panels.columns(panel), depth);
  } else {
    pack_columns(packed, width, p.b + k0 * p.N + start, p.N, plan.panels.columns(panel), depth);
  }
}

// Rows [i0, i1) of A at depth [k0, k1), in the order they lie.
void copy_block(const Plan& plan, float* copy, int64_t i0, int64_t i1, int64_t k0, int64_t k1) {
  const float* a = plan.p.a;
  if (plan.p.layout.transpose_a) {
    for (int64_t k = k0; k < k1; ++k) {
      std::copy(a + k * plan.p.M + i0, a + k * plan.p.M + i1, copy + (k - k0) * kRowBlock);
    }
  } else {
    for (int64_t i = i0; i < i1; ++i) {
      std::copy(a + i * plan.p.K + k0, a + i * plan.p.K + k1, copy + (i - i0) * kCopyStride);
    }
  }
}

void multiply_task(const Plan& plan, const Context& context, int64_t task) {
  const Product& p = plan.p;
  const bool adjacent = p.layout.transpose_a;
  const KernelFamily& family = plan.family();
  const int64_t i0 = task % plan.row_tasks() * plan.rows_per_task;
  const int64_t i1 = std::min(p.M, i0 + plan.rows_per_task);
  const int64_t panel_begin = task / plan.row_tasks() * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  float* copy =
      plan.copy_a ? context.at(plan.copied_a) + context.worker * kRowBlock * kCopyStride : nullptr;
  const float* a_rows[kMaxRows];
  float* y_rows[kMaxRows];
  const Run whole;
  Tile tile;
  tile.a = a_rows;
  tile.runs = &whole;
  tile.run_count = 1;
  tile.y = y_rows;
  const Pieces depths(std::max<int64_t>(p.K, 1), kDepthBlock);
  for (int64_t pass = 0; pass < depths.count(); ++pass) {
    const int64_t k0 = p.K == 0 ? 0 : depths.begin(pass), k1 = p.K == 0 ? 0 : depths.end(pass);
    if (copy != nullptr) copy_block(plan, copy, i0, i1, k0, k1);
    const float* a = copy != nullptr ? copy : adjacent ? p.a + k0 * p.M + i0 : p.a + i0 * p.K + k0;
    const int64_t a_stride = copy == nullptr ? plan.a_stride() : adjacent ? kRowBlock : kCopyStride;
    tile.a_step = adjacent ? a_stride : 1;
    tile.depth = k1 - k0;
    tile.accumulate = pass > 0;
    tile.relu = p.activation == Activation::RELU && pass + 1 == depths.count();
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int vectors = plan.panels.vectors(panel);
      const int64_t start = plan.panels.start(panel);
      tile.b_step = plan.pack_b ? plan.panels.width(panel) : p.N;
      tile.b = plan.pack_b ? context.at(plan.packed_b) + start * p.K + k0 * tile.b_step
                           : p.b + k0 * p.N + start;
      tile.columns = plan.panels.columns(panel);
      tile.bias = p.bias == nullptr ? nullptr : context.at(plan.packed_bias) + start;
      const Pieces rows(i1 - i0, family.max_rows[vectors]);
      for (int64_t piece = 0; piece < rows.count(); ++piece) {
        const auto count = static_cast<int>(rows.end(piece) - rows.begin(piece));
        for (int i = 0; i < count; ++i) {
          const int64_t row = rows.begin(piece) + i;
          a_rows[i] = adjacent ? a + row : a + row * a_stride;
          y_rows[i] = p.y + (i0 + row) * p.N + start;
        }
        family.of[vectors][count](tile);
      }
    }
  }
}

// Every element is summed in the same order however the work is cut, so the cut may look at the
// number of workers.
void choose_tasks(Plan& plan, int workers) {
  const Product& p = plan.p;
  const int64_t panels = plan.panels.count();
  // A task below some 64 K multiply-adds costs more to hand out than it saves.
  const int64_t wanted = std::clamp<int64_t>(p.M * p.N * std::max<int64_t>(p.K, 1) >> 16, 1,
                                             4 * static_cast<int64_t>(workers));
  const int tile_rows = plan.family().max_rows[std::min<int64_t>(2, plan.panels.vectors(0))];
  plan.rows_per_task = std::min(p.M, kRowBlock);
  if (plan.row_tasks() * panels < wanted) {
    const int64_t parts = (wanted + panels - 1) / panels;
    const int64_t tiles = (p.M + tile_rows - 1) / tile_rows;
    plan.rows_per_task = std::max<int64_t>(1, tiles / parts) * tile_rows;
  }
  const int64_t groups =
      std::max<int64_t>(1, (2 * wanted + plan.row_tasks() - 1) / plan.row_tasks());
  plan.panels_per_task = std::clamp<int64_t>(panels / groups, 1, 16);
  plan.depth_per_pack = std::clamp<int64_t>(p.K * panels / (2 * wanted), 64, kDepthBlock);
}

// A B^T without packing. Which way is taken depends on the shape alone, since the two sum in
// different orders.
bool prefers_dot(const Product& p) {
  constexpr int64_t kMaxElementsOfA = 128 << 10;
  return !p.layout.transpose_a && p.layout.transpose_b && p.K >= 32 && p.M * p.K <= kMaxElementsOfA;
}

void multiply_by_dots(Launcher& launcher, const Product& p) {
  const MicroKernels* kernels = &micro_kernels();
  const int64_t most = kernels->dot_columns;
  const int64_t wanted = std::clamp<int64_t>(p.M * p.N * p.K >> 16, 1, 4 * launcher.workers());
  const Pieces tasks((p.N + most - 1) / most, ((p.N + most - 1) / most + wanted - 1) / wanted);
  launcher.parallel(tasks.count(), [=](const Context&, int64_t task) {
    const float* a_rows[kMaxDotRows];
    float* y_rows[kMaxDotRows];
    DotTile tile;
    tile.a = a_rows;
    tile.b_row = p.K;
    tile.depth = p.K;
    tile.y = y_rows;
    tile.relu = p.activation == Activation::RELU;
    const int64_t end = std::min(p.N, tasks.end(task) * most);
    for (int64_t j = tasks.begin(task) * most; j < end; j += most) {
      const auto columns = static_cast<int>(std::min(most, end - j));
      tile.b = p.b + j * p.K;
      tile.bias = p.bias == nullptr ? nullptr : p.bias + j;
      const Pieces rows(p.M, kernels->dot_rows);
      for (int64_t piece = 0; piece < rows.count(); ++piece) {
        const auto count = static_cast<int>(rows.end(piece) - rows.begin(piece));
        for (int i = 0; i < count; ++i) {
          a_rows[i] = p.a + (rows.begin(piece) + i) * p.K;
          y_rows[i] = p.y + (rows.begin(piece) + i) * p.N + j;
        }
        kernels->dot[count][columns](tile);
      }
    }
  });
}

}  // namespace

void multiply(Launcher& launcher, const Product& product) {
  if (product.M == 0 || product.N == 0) return;
  if (prefers_dot(product)) return multiply_by_dots(launcher, product);
  const MicroKernels& kernels = micro_kernels();
  Plan plan{.kernels = &kernels, .p = product, .panels = Panels(kernels, product.N)};
  choose_tasks(plan, launcher.workers());
  const int64_t row_bytes = plan.a_stride() * static_cast<int64_t>(sizeof(float));
  plan.pack_b = product.layout.transpose_b || product.N % kernels.lanes != 0 ||
                (product.K > 256 && product.M > 64);
  plan.copy_a = plan.panels_per_task >= 4 &&
                (product.layout.transpose_a ? product.K > 64 : row_bytes % 1024 == 0);
  if (plan.pack_b) {
    plan.packed_b = launcher.scratch<float>(plan.panels.padded_columns() * product.K);
  }
  if (product.bias != nullptr) {
    plan.packed_bias = launcher.scratch<float>(plan.panels.padded_columns());
  }
  if (plan.copy_a) {
    plan.copied_a = launcher.scratch<float>(launcher.workers() * kRowBlock * kCopyStride);
  }
  const int64_t packs = plan.pack_b ? plan.pack_tasks() * plan.panels.count() : 0;
  if (packs > 0 || product.bias != nullptr) {
    launcher.parallel(packs + (product.bias == nullptr ? 0 : 1),
                      [plan, packs](const Context& context, int64_t task) {
                        if (task < packs) return pack_task(plan, context, task);
                        pack_columns(context.at(plan.packed_bias), plan.panels.padded_columns(),
                                     plan.p.bias, 0, plan.p.N, 1);
                      });
  }
  launcher.parallel(
      plan.row_tasks() * plan.panel_tasks(),
      [plan](const Context& context, int64_t task) { multiply_task(plan, context, task); });
}

void matmul(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
            const Tensor* bias, MatmulLayout layout, Activation activation) {
  if (y.dtype == DType::F64) {
    return naive::matmul<double>(launcher, y, a, b, bias, layout, activation);
  }
  multiply(launcher, {.y = y.as<float>(),
                      .a = a.as<float>(),
                      .b = b.as<float>(),
                      .bias = bias == nullptr ? nullptr : bias->as<float>(),
                      .M = y.dims[0],
                      .N = y.dims[1],
                      .K = layout.transpose_a ? a.dims[0] : a.dims[1],
                      .layout = layout,
                      .activation = activation});
}

}  // namespace gatun::kernels
