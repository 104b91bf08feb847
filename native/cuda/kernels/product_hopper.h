// Products of large matrices in bf16 by what GPUs of compute capability 9.0 have for it: the copy
// engine fills a ring of tiles, and wgmma multiplies them. The twin of product_kernel: the same
// sums up to the order of their terms, and the same is done to them on the way to memory. It has
// not yet run on a GPU, so it is chosen only where GATUN_CUDA_UNTRIED asks for it (runtime.h). How
// a product is cut follows from its shape alone.
#pragma once

#include <algorithm>
#include <optional>

#include "cuda/kernels/product.h"

namespace gatun::cuda {

constexpr int kHopperRows = 128;               // of a tile: 64 for each of two warpgroups
constexpr int kHopperStages = 4;               // of the ring
constexpr int kHopperTerms = 64;               // of a stage
constexpr int kHopperThreads = 3 * kWarp * 4;  // the warpgroup that copies, and those that multiply
// Results that a warp hands over at a time: 16 rows of 64 columns.
constexpr int kHandedRows = 16, kHandedColumns = 64;

constexpr int64_t hopper_shared_bytes(int columns) {
  constexpr int64_t kBarriers = 2 * kHopperStages * 8;
  return int64_t{kHopperStages} * (kHopperRows + columns) * kHopperTerms * 2 +
         int64_t{8} * kHandedRows * kHandedColumns * 4 + kBarriers;
}

// How a product is cut into units of work: tiles of 128 by `columns` results, times parts of the
// terms. The grid's blocks take every `blocks`-th unit.
struct HopperPlan {
  int columns;
  Cut cut;
  uint32_t down, across;  // tiles

  int64_t units() const { return int64_t{down} * across * cut.count; }
};

// Multiprocessors of the H100 and the H200, which have one block each. It is a constant, so that
// sums do not depend on the GPU.
constexpr int64_t kHopperBlocks = 132;

inline HopperPlan hopper_plan(int64_t rows, int64_t columns, int64_t depth) {
  const auto parts_of = [](int64_t whole, int64_t part) { return (whole + part - 1) / part; };
  const int64_t down = parts_of(rows, kHopperRows);
  // What the last of the blocks does, in columns of a tile; wide tiles read less for each product.
  const auto longest = [&](int64_t wide) {
    return parts_of(down * parts_of(columns, wide), kHopperBlocks) * wide;
  };
  const int wide = longest(256) * 9 <= longest(128) * 10 ? 256 : 128;
  const int64_t across = parts_of(columns, wide);
  constexpr int64_t kLeast = 1024;  // terms of a part
  const int64_t parts = std::clamp<int64_t>(
      std::min(kHopperBlocks / (down * across), depth / kLeast), 1, kHopperBlocks);
  const int64_t terms = parts_of(depth, parts * kHopperTerms) * kHopperTerms;
  return {wide, Cut{static_cast<uint32_t>(parts_of(depth, terms)), terms},
          static_cast<uint32_t>(down), static_cast<uint32_t>(across)};
}

// Whether it can be computed so at all: indices of the copy engine have 31 bits, and there is a
// term.
inline bool fits_hopper(int64_t rows, int64_t columns, int64_t depth) {
  constexpr int64_t kMost = int64_t{1} << 31;
  if (rows < 1 || columns < 1 || depth < 1) return false;
  if (rows > kMost - 256 || columns > kMost - 256 || depth > kMost - 256) return false;
  return hopper_plan(rows, columns, depth).units() < kMost;
}
// Whether it is likely to be worth it: tiles that are full, work for most multiprocessors, and
// enough terms for the time that results take to memory. Estimates until it has been measured.
inline bool suits_hopper(int64_t rows, int64_t columns, int64_t depth) {
  return rows >= 64 && columns >= 64 && depth >= 256 &&
         hopper_plan(rows, columns, depth).units() * 4 >= kHopperBlocks * 3;
}

// A unit of work. Units that follow each other share the tiles of some columns, which stay in the
// cache.
struct HopperUnit {
  uint32_t part;
  int64_t row, column;  // the first ones of its tile
};
__device__ inline HopperUnit hopper_unit(uint32_t unit, uint32_t down, uint32_t across,
                                         int columns) {
  constexpr uint32_t kGroup = 8;
  const uint32_t tile = unit % (down * across);
  const uint32_t first_across = tile / (down * kGroup) * kGroup;
  const uint32_t group = across - first_across < kGroup ? across - first_across : kGroup;
  const uint32_t within = tile - first_across * down;
  return {unit / (down * across), int64_t{within / group} * kHopperRows,
          int64_t{first_across + within % group} * columns};
}

using HopperMatrix = MatrixSource<Bf16>;

// A block for each multiprocessor, as far as there is work.
inline Grid hopper_grid(const Queue& queue, const HopperPlan& plan) {
  return {
      .blocks = {static_cast<uint32_t>(std::min<int64_t>(plan.units(), queue.multiprocessors()))},
      .threads = {kHopperThreads},
      .shared_bytes = hopper_shared_bytes(plan.columns)};
}

// What becomes of the sums of a product, rows by columns: they are finished, or, where there are
// parts, go there, [parts, rows, columns].
struct HopperSums {
  Finish<Bf16> finish;
  Global<float> parts;
  int64_t rows, columns, depth, row_step;
};

#if defined(GATUN_CUDA_HOPPER)
constexpr bool kHasHopper = true;
#else
constexpr bool kHasHopper = false;  // the library is built for other GPUs alone
#endif

// The kernel's launch. What is in this file's twin is launched from here, as the kernel's own file
// is compiled for one architecture.
void multiply_on_hopper(Queue& queue, const HopperPlan& plan, const HopperMatrix& a,
                        const HopperMatrix& b, bool a_along_depth, bool b_along_depth,
                        const HopperSums& sums);

// The plan of a product, if it is to be computed so. `suits` says whether that is likely to be
// worth it.
inline std::optional<HopperPlan> plan_on_hopper(const Queue& queue, int64_t rows, int64_t columns,
                                                int64_t depth, bool suits) {
  const Wgmma wanted = queue.device().wgmma();
  if (wanted == Wgmma::NEVER || !fits_hopper(rows, columns, depth)) return {};
  if (wanted == Wgmma::LARGE && !suits) return {};
  const HopperPlan plan = hopper_plan(rows, columns, depth);
  if (queue.shared_bytes() < hopper_shared_bytes(plan.columns)) return {};
  return plan;
}

// Launches a product of results `row_step` apart by multiply(sums), and adds its parts where there
// are any.
template <typename A, typename B, typename Rows, typename Y, typename Multiply>
void finish_on_hopper(Queue& queue, const Product<A, B, Rows, Y>& p, const HopperPlan& plan,
                      int64_t depth, int64_t row_step, Multiply multiply) {
  HopperSums sums{{}, {}, p.rows, p.columns, depth, row_step};
  bool whole = false;
  if constexpr (std::is_same_v<Y, Bf16>) {
    whole = plan.cut.count == 1;
    sums.finish = p.finish;
  }
  if (!whole) sums.parts = queue.scratch<float>(plan.cut.count * p.rows * p.columns);
  multiply(sums);
  if (!whole) add_parts(queue, p, plan.cut.count, sums.parts);
}

// Computes a product if it is to be computed so, or returns false. The form of a matrix along
// results by one along depth is not there.
template <typename Y>
bool launch_on_hopper(Queue& queue, Product<HopperMatrix, HopperMatrix, EvenRows, Y> p,
                      bool a_along_depth, bool b_along_depth) {
  if constexpr (kHasHopper) {
    if (p.count != 1 || p.finish.column_step != 1 || (!a_along_depth && b_along_depth))
      return false;
    const auto plan =
        plan_on_hopper(queue, p.rows, p.columns, p.depth, suits_hopper(p.rows, p.columns, p.depth));
    if (!plan) return false;
    put_in_chunks(queue, p.a, p.a_step, 1);
    put_in_chunks(queue, p.b, p.b_step, 1);
    finish_on_hopper(queue, p, *plan, p.depth, p.place.step, [&](const HopperSums& sums) {
      multiply_on_hopper(queue, *plan, p.a, p.b, a_along_depth, b_along_depth, sums);
    });
    return true;
  } else {
    return false;
  }
}

}  // namespace gatun::cuda
