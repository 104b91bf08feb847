// The matrix product of bf16 with sums in f32. B is packed into pairs; A is read as it lies where
// its rows run along an even depth, and packed otherwise. The tile unit multiplies where it is.
#include "core/simd_level.h"
#include "kernels/amx.h"
#include "kernels/gemm_bf16.h"
#include "kernels/matmul.h"

namespace gatun::kernels {
namespace {

constexpr int64_t kRowsPerTask = 60;  // a multiple of the rows of a tile
constexpr int64_t kDepthPerPack = 128;

struct Plan {
  const PairKernels* kernels;
  Bf16* y;
  const Bf16 *a, *b, *bias;
  int64_t M, N, K;
  MatmulLayout layout;
  bool relu;
  bool on_tiles;
  Panels panels;
  int64_t rows_per_task = kRowsPerTask, panels_per_task = 1;
  Scratch<uint32_t> packed_b = {};
  Scratch<Bf16> packed_a = {};
  Scratch<float> packed_bias = {};

  bool packs_a() const { return layout.transpose_a || K % 2 != 0 || (on_tiles && M < amx::kRows); }
  int64_t words() const { return (K + 1) / 2; }
  // Elements from a row of A to the next; packed rows end where stand_up() does.
  int64_t a_row() const { return packs_a() && on_tiles ? (K + 31) / 32 * 32 : words() * 2; }
  int64_t row_tasks() const { return (M + rows_per_task - 1) / rows_per_task; }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t depth_tasks() const { return (K + kDepthPerPack - 1) / kDepthPerPack; }
};

void pack_b_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t panel = task % plan.panels.count(), d = task / plan.panels.count() * kDepthPerPack;
  const int64_t start = plan.panels.start(panel), width = plan.panels.width(panel);
  const int64_t depth = std::min(kDepthPerPack, plan.K - d);
  uint32_t* to = context.at(plan.packed_b) + start * plan.words() + d / 2 * width;
  if (plan.layout.transpose_b) {
    pack_pairs_transposed(to, width, plan.b + start * plan.K + d, plan.K,
                          plan.panels.columns(panel), depth);
  } else {
    pack_pairs(to, width, plan.b + d * plan.N + start, plan.N, plan.panels.columns(panel), depth);
  }
}

void pack_a_task(const Plan& plan, const Context& context, int64_t task) {
  const int64_t begin = task * plan.rows_per_task;
  const int64_t end = std::min(plan.M, begin + plan.rows_per_task);
  const int64_t depth = plan.a_row();
  Bf16* to = context.at(plan.packed_a);
  if (plan.layout.transpose_a && plan.on_tiles) {
    const Bf16* rows[32];
    for (int64_t k = 0; k < plan.K; k += 32) {
      const int64_t some = std::min<int64_t>(32, plan.K - k);
      for (int64_t i = 0; i < some; ++i) rows[i] = plan.a + (k + i) * plan.M;
      amx::stand_up(to + begin * depth + k, depth, rows, some, begin, end - begin);
    }
    return;
  }
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t i = begin; i < end; ++i) {
      to[i * depth + k] = k >= plan.K               ? Bf16{}
                          : plan.layout.transpose_a ? plan.a[k * plan.M + i]
                                                    : plan.a[i * plan.K + k];
    }
  }
}

void multiply_on_tiles(const Plan& plan, const Context& context, int64_t task) {
  const int64_t begin = task / plan.panel_tasks() * plan.rows_per_task;
  const int64_t end = std::min(plan.M, begin + plan.rows_per_task);
  const int64_t panel_begin = task % plan.panel_tasks() * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  const Bf16* a = plan.packs_a() ? context.at(plan.packed_a) : plan.a;
  alignas(64) float sums[amx::kMaxTiles * amx::kRows * amx::kRows];
  const Run whole{0, 0};
  amx::Product product;
  product.a_row = plan.a_row();
  product.runs = &whole;
  product.run_count = 1;
  product.depth = plan.words();
  product.sums = sums;
  const amx::Tiles registers(product.depth);
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int64_t start = plan.panels.start(panel);
    const int vectors = plan.panels.vectors(panel);
    product.b = context.at(plan.packed_b) + start * plan.words();
    product.b_row = product.sums_row = plan.panels.width(panel);
    product.start = plan.bias == nullptr ? nullptr : context.at(plan.packed_bias) + start;
    for (int64_t next = begin; next < end;) {
      const int64_t tiles = amx::row_tiles(end - next, vectors), count = tiles * amx::kRows;
      // The last rows may be computed again: that is cheaper than reading beyond a.
      const int64_t first = std::max<int64_t>(0, std::min(next, end - count));
      for (int64_t t = 0; t < tiles; ++t) {
        product.a[t] = a + (first + t * amx::kRows) * product.a_row;
      }
      amx::multiply(product, tiles, vectors);
      const int64_t skipped = std::max<int64_t>(0, begin - first);
      const int64_t rows = std::min(first + count, end) - first - skipped;
      amx::round_rows(plan.y + (first + skipped) * plan.N + start, plan.N, rows,
                      plan.panels.columns(panel), sums + skipped * product.sums_row,
                      product.sums_row, plan.relu);
      next = first + count;
    }
  }
}

// Rows that stay in the second cache level while the panels pass by. The cut changes no bit.
void choose_tasks_on_tiles(Plan& plan, int workers) {
  const int64_t wanted = 4 * workers, block = 2 * amx::kRows;
  const int64_t row_bytes = std::max<int64_t>(2, plan.a_row() * 2);
  const int64_t most = std::max<int64_t>(block, (512 << 10) / row_bytes / block * block);
  plan.rows_per_task = std::min(most, (plan.M + block - 1) / block * block);
  const int64_t groups = std::clamp<int64_t>((wanted + plan.row_tasks() - 1) / plan.row_tasks(), 1,
                                             plan.panels.count());
  plan.panels_per_task = (plan.panels.count() + groups - 1) / groups;
}

void multiply_task(const Plan& plan, const Context& context, int64_t task) {
  if (plan.on_tiles) return multiply_on_tiles(plan, context, task);
  const int64_t begin = task * kRowsPerTask, end = std::min(plan.M, begin + kRowsPerTask);
  const Bf16* a = plan.packs_a() ? context.at(plan.packed_a) : plan.a;
  const Bf16* a_rows[kMaxRows];
  Bf16* y_rows[kMaxRows];
  const Run whole{0, 0};
  PairTile tile;
  tile.a = a_rows;
  tile.runs = &whole;
  tile.run_count = 1;
  tile.depth = plan.words();
  tile.y = y_rows;
  tile.relu = plan.relu;
  for (int64_t panel = 0; panel < plan.panels.count(); ++panel) {
    const int64_t start = plan.panels.start(panel);
    const int vectors = plan.panels.vectors(panel);
    tile.b = context.at(plan.packed_b) + start * plan.words();
    tile.b_step = plan.panels.width(panel);
    tile.columns = plan.panels.columns(panel);
    tile.bias = plan.bias == nullptr ? nullptr : context.at(plan.packed_bias) + start;
    const Pieces pieces(end - begin, plan.kernels->gathered.max_rows[vectors]);
    for (int64_t piece = 0; piece < pieces.count(); ++piece) {
      const int64_t first = begin + pieces.begin(piece);
      const int64_t count = pieces.end(piece) - pieces.begin(piece);
      for (int64_t i = 0; i < count; ++i) {
        a_rows[i] = a + (first + i) * plan.words() * 2;
        y_rows[i] = plan.y + (first + i) * plan.N + start;
      }
      plan.kernels->gathered.of[vectors][count](tile);
    }
  }
}

}  // namespace

void matmul_bf16(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
                 const Tensor* bias, MatmulLayout layout, Activation activation) {
  const PairKernels& kernels = pair_kernels();
  Plan plan{.kernels = &kernels,
            .y = y.as<Bf16>(),
            .a = a.as<Bf16>(),
            .b = b.as<Bf16>(),
            .bias = bias == nullptr ? nullptr : bias->as<Bf16>(),
            .M = y.dims[0],
            .N = y.dims[1],
            .K = layout.transpose_a ? a.dims[0] : a.dims[1],
            .layout = layout,
            .relu = activation == Activation::RELU,
            .on_tiles = may_use_tiles(),
            .panels = Panels(kernels.lanes, kMaxVectors, y.dims[1])};
  if (y.count == 0) return;
  plan.panels_per_task = plan.panels.count();
  if (plan.on_tiles) choose_tasks_on_tiles(plan, launcher.workers());
  Derivation packing = launcher.derive({&b, bias});
  plan.packed_b = packing.scratch<uint32_t>(plan.panels.padded_columns() * plan.words());
  plan.packed_bias = packing.scratch<float>(plan.panels.padded_columns());
  if (plan.packs_a())
    plan.packed_a = launcher.scratch<Bf16>(std::max(plan.M, amx::kRows) * plan.a_row());
  const int64_t b_tasks = plan.panels.count() * plan.depth_tasks();
  packing.parallel(b_tasks + 1, [plan, b_tasks](const Context& context, int64_t task) {
    if (task < b_tasks) return pack_b_task(plan, context, task);
    if (plan.bias == nullptr) return;
    float* to = context.at(plan.packed_bias);
    for (int64_t j = 0; j < plan.panels.padded_columns(); ++j) {
      to[j] = j < plan.N ? to_float(plan.bias[j]) : 0;
    }
  });
  if (plan.packs_a()) {
    launcher.parallel(plan.row_tasks(), [plan](const Context& context, int64_t task) {
      pack_a_task(plan, context, task);
    });
  }
  launcher.parallel(
      plan.row_tasks() * plan.panel_tasks(),
      [plan](const Context& context, int64_t task) { multiply_task(plan, context, task); });
}

}  // namespace gatun::kernels
