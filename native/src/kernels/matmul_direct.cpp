#include "kernels/gemm.h"
#include "kernels/matmul_paths.h"

namespace gatun::kernels {
namespace {

// Depth per pass over a block of y, so that the rows of one tile stay in L1 beside B's panel.
constexpr int64_t kDepthBlock = 384;
// Rows per block of A: 168 x 384 floats are 252 KiB of L2, and 168 is a multiple of 14 and 6.
constexpr int64_t kRowBlock = 168;
// Depth is cut into parts, so that all workers have something to do, where y is small beside it.
constexpr int64_t kLeastDepthOfPart = 1024;
constexpr int64_t kMostParts = 64;
constexpr int64_t kMostElementsOfPart = 32 << 10;

struct Plan {
  const MicroKernels* kernels;
  Product p;
  Panels panels;
  Pieces parts;  // of depth
  bool pack_b = false;
  int64_t rows_per_task = 0, panels_per_task = 1, depth_per_pack = 1;
  Scratch<float> packed_b = {}, packed_bias = {}, partial_y = {};

  int64_t row_tasks() const { return (p.M + rows_per_task - 1) / rows_per_task; }
  int64_t panel_tasks() const { return (panels.count() + panels_per_task - 1) / panels_per_task; }
  int64_t pack_tasks() const { return (p.K + depth_per_pack - 1) / depth_per_pack; }
  const KernelFamily& family() const {
    return p.layout.transpose_a ? kernels->adjacent : kernels->gathered;
  }
};

void pack_task(const Plan& plan, const Context& context, int64_t task) {
  const Product p = plan.p.located(context);
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

void multiply_task(const Plan& plan, const Context& context, int64_t task) {
  const Product p = plan.p.located(context);
  const bool adjacent = p.layout.transpose_a, whole_depth = plan.parts.count() == 1;
  const KernelFamily& family = plan.family();
  const int64_t part = task / (plan.row_tasks() * plan.panel_tasks());
  const int64_t block = task % (plan.row_tasks() * plan.panel_tasks());
  const int64_t i0 = block % plan.row_tasks() * plan.rows_per_task;
  const int64_t i1 = std::min(p.M, i0 + plan.rows_per_task);
  const int64_t panel_begin = block / plan.row_tasks() * plan.panels_per_task;
  const int64_t panel_end = std::min(plan.panels.count(), panel_begin + plan.panels_per_task);
  float* y = whole_depth ? p.y : context.at(plan.partial_y) + part * p.M * p.N;
  const float* a_rows[kMaxRows];
  float* y_rows[kMaxRows];
  const Run whole;
  Tile tile;
  tile.a = a_rows;
  tile.runs = &whole;
  tile.run_count = 1;
  tile.y = y_rows;
  tile.a_step = adjacent ? p.row_of_a() : 1;
  const int64_t part_begin = plan.parts.begin(part), part_end = std::min(plan.parts.end(part), p.K);
  const Pieces passes(std::max<int64_t>(part_end - part_begin, 1), kDepthBlock);
  for (int64_t pass = 0; pass < passes.count(); ++pass) {
    const int64_t k0 = part_begin + passes.begin(pass);
    tile.depth = std::min(part_begin + passes.end(pass), part_end) - k0;
    tile.accumulate = pass > 0;
    tile.relu = whole_depth && p.activation == Activation::RELU && pass + 1 == passes.count();
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const int vectors = plan.panels.vectors(panel);
      const int64_t start = plan.panels.start(panel);
      tile.b_step = plan.pack_b ? plan.panels.width(panel) : p.N;
      tile.b = plan.pack_b ? context.at(plan.packed_b) + start * p.K + k0 * tile.b_step
                           : p.b + k0 * p.N + start;
      tile.columns = plan.panels.columns(panel);
      tile.bias = whole_depth && p.bias != nullptr ? context.at(plan.packed_bias) + start : nullptr;
      const Pieces rows(i1 - i0, family.max_rows[vectors]);
      for (int64_t piece = 0; piece < rows.count(); ++piece) {
        const auto count = static_cast<int>(rows.end(piece) - rows.begin(piece));
        for (int i = 0; i < count; ++i) {
          const int64_t row = i0 + rows.begin(piece) + i;
          a_rows[i] = adjacent ? p.a + k0 * p.row_of_a() + row : p.a + row * p.K + k0;
          y_rows[i] = y + row * p.N + start;
        }
        family.of[vectors][count](tile);
      }
    }
  }
}

// Adds the parts up, in their order.
void add_parts(const Plan& plan, const Context& context, int64_t begin, int64_t end) {
  const Product& p = plan.p;
  const float* partial = context.at(plan.partial_y);
  std::copy(partial + begin, partial + end, p.y + begin);
  for (int64_t part = 1; part < plan.parts.count(); ++part) {
    partial += p.M * p.N;
    for (int64_t i = begin; i < end; ++i) p.y[i] += partial[i];
  }
  for (int64_t i = begin; i < end && p.bias != nullptr; ++i) p.y[i] += p.bias[i % p.N];
  if (p.activation == Activation::RELU) {
    for (int64_t i = begin; i < end; ++i) p.y[i] = p.y[i] < 0 ? 0 : p.y[i];
  }
}

int64_t parts_of_depth(const Product& p) {
  if (p.M * p.N > kMostElementsOfPart) return 1;
  return std::clamp<int64_t>(p.K / kLeastDepthOfPart, 1, kMostParts);
}

// Every element is summed in the same order however the work is cut, so the cut may look at the
// number of workers.
void choose_tasks(Plan& plan, int workers) {
  const Product& p = plan.p;
  const int64_t panels = plan.panels.count(), parts = plan.parts.count();
  // A task below some 64 K multiply-adds costs more to hand out than it saves.
  const int64_t wanted = std::clamp<int64_t>((p.M * p.N * std::max<int64_t>(p.K, 1) >> 16) / parts,
                                             1, 4 * workers / std::min<int64_t>(parts, 4));
  const int tile_rows =
      plan.family().max_rows[std::min<int64_t>(kMaxVectors, plan.panels.vectors(0))];
  plan.rows_per_task = std::min(p.M, kRowBlock);
  if (plan.row_tasks() * panels < wanted) {
    const int64_t cuts = (wanted + panels - 1) / panels;
    const int64_t tiles = (p.M + tile_rows - 1) / tile_rows;
    plan.rows_per_task = std::max<int64_t>(1, tiles / cuts) * tile_rows;
  }
  if (wanted == 1) {  // not worth a second worker
    plan.panels_per_task = panels;
    plan.depth_per_pack = std::max<int64_t>(p.K, 1);
    return;
  }
  const int64_t groups =
      std::max<int64_t>(1, (2 * wanted + plan.row_tasks() - 1) / plan.row_tasks());
  plan.panels_per_task = std::clamp<int64_t>(panels / groups, 1, 16);
  plan.depth_per_pack = std::clamp<int64_t>(p.K * panels / (2 * wanted), 64, kDepthBlock);
}

}  // namespace

void multiply_direct(Launcher& launcher, const Product& p) {
  const MicroKernels& kernels = micro_kernels();
  const int64_t depth = std::max<int64_t>(p.K, 1), parts = parts_of_depth(p);
  Plan plan{.kernels = &kernels,
            .p = p,
            .panels = Panels(kernels, p.N),
            .parts = Pieces(depth, (depth + parts - 1) / parts)};
  choose_tasks(plan, launcher.workers());
  plan.pack_b = p.layout.transpose_b || p.N % kernels.lanes != 0;
  if (plan.pack_b) {
    plan.packed_b = launcher.scratch<float>(plan.panels.padded_columns() * p.K);
  }
  const bool pack_bias = p.bias != nullptr && parts == 1;
  if (pack_bias) plan.packed_bias = launcher.scratch<float>(plan.panels.padded_columns());
  if (parts > 1) plan.partial_y = launcher.scratch<float>(plan.parts.count() * p.M * p.N);
  const int64_t packs = plan.pack_b ? plan.pack_tasks() * plan.panels.count() : 0;
  if (packs > 0 || pack_bias) {
    launcher.parallel(packs + (pack_bias ? 1 : 0),
                      [plan, packs](const Context& context, int64_t task) {
                        if (task < packs) return pack_task(plan, context, task);
                        pack_columns(context.at(plan.packed_bias), plan.panels.padded_columns(),
                                     plan.p.bias, 0, plan.p.N, 1);
                      });
  }
  launcher.parallel(
      plan.parts.count() * plan.row_tasks() * plan.panel_tasks(),
      [plan](const Context& context, int64_t task) { multiply_task(plan, context, task); });
  if (parts > 1) {
    const Pieces sums(p.M * p.N, 4096);
    launcher.parallel(sums.count(), [plan, sums](const Context& context, int64_t task) {
      add_parts(plan, context, sums.begin(task), sums.end(task));
    });
  }
}

}  // namespace gatun::kernels
