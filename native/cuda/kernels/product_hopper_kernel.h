// The kernel of product_hopper.h. A block stays on its multiprocessor and takes one unit of work
// after the other. One of its warpgroups copies tiles into a ring of four stages, and is already
// at the next unit while the other two, with 64 rows of a tile each, hand over their sums.
#pragma once

#include "cuda/hopper.h"
#include "cuda/kernels/product_hopper.h"

namespace gatun::cuda {

static_assert(kHopperTerms == kLineElements && kHopperThreads == 3 * kWarpgroup);

// `Stages` is where the ring's stages come from; it has
//   TensorMap a, b
//   Place first(unit, term)    the stage of a unit that begins at a term
//   load<Layout>(place, to, barriers, i)    copies it, and goes on to the next
template <typename Stages>
struct HopperJob {
  Stages stages;
  HopperSums sums;
  int64_t terms;  // of a part
  uint32_t down, across, units;
};

template <int columns, bool a_along_depth_, bool b_along_depth_>
struct HopperLayout {
  static constexpr bool a_along_depth = a_along_depth_, b_along_depth = b_along_depth_;
  using A = SwizzledTile<kHopperRows, a_along_depth>;
  using B = SwizzledTile<columns, b_along_depth>;
  static constexpr int kStageBytes = A::kBytes + B::kBytes;
  static constexpr int kHandedElements = kHandedRows * kHandedColumns;
  static constexpr int64_t kHanded = int64_t{kHopperStages} * kStageBytes;  // where it begins
  static constexpr int64_t kBarriers = kHanded + int64_t{8} * kHandedElements * 4;
  static_assert(kBarriers + 2 * kHopperStages * 8 == hopper_shared_bytes(columns));
  static_assert(kStageBytes % kSwizzledBytes == 0);
};

// A place in the ring, and which round it is, modulo 2.
struct RingPlace {
  int stage = 0;
  uint32_t round = 0;

  __device__ void advance() {
    if (++stage < kHopperStages) return;
    stage = 0;
    round ^= 1;
  }
};

// Both operands are matrices.
struct MatrixStages {
  struct Place {
    int32_t row, column, term;
  };
  TensorMap a, b;

  __device__ Place first(const HopperUnit& unit, int64_t term) const {
    return {static_cast<int32_t>(unit.row), static_cast<int32_t>(unit.column),
            static_cast<int32_t>(term)};
  }
  template <typename Layout>
  __device__ void load(Place& place, Shared<Bf16> to, Shared<uint64_t> barriers, int i) const {
    using A = typename Layout::A;
    using B = typename Layout::B;
    const Shared<Bf16> to_b = to.at(A::kBytes / 2);
    GATUN_UNROLL
    for (int box = 0; box < A::kBoxes; ++box) {
      const int32_t result = place.row + box * kLineElements;
      transfer(to.at(box * (A::kBoxBytes / 2)), a, Layout::a_along_depth ? place.term : result,
               Layout::a_along_depth ? result : place.term, barriers, i);
    }
    GATUN_UNROLL
    for (int box = 0; box < B::kBoxes; ++box) {
      const int32_t result = place.column + box * kLineElements;
      transfer(to_b.at(box * (B::kBoxBytes / 2)), b, Layout::b_along_depth ? place.term : result,
               Layout::b_along_depth ? result : place.term, barriers, i);
    }
    place.term += kHopperTerms;
  }
};

// One thread: fills the ring, ahead of those that multiply.
template <typename Layout, typename Stages>
__device__ void fill_ring(const HopperJob<Stages>& job, int columns, Shared<Bf16> ring,
                          Shared<uint64_t> filled, Shared<uint64_t> emptied) {
  RingPlace place;
  prefetch(job.stages.a);
  prefetch(job.stages.b);
  GATUN_ROLL
  for (uint32_t u = blockIdx.x; u < job.units; u += gridDim.x) {
    const HopperUnit unit = hopper_unit(u, job.down, job.across, columns);
    const int64_t begin = unit.part * job.terms;
    auto from = job.stages.first(unit, begin);
    const int64_t end = job.sums.depth - begin < job.terms ? job.sums.depth : begin + job.terms;
    GATUN_ROLL
    for (int64_t t = begin; t < end; t += kHopperTerms) {
      wait_for_phase(emptied, place.stage, place.round ^ 1);
      arrive_expecting(filled, place.stage, Layout::kStageBytes);
      job.stages.template load<Layout>(from, ring.at(place.stage * (Layout::kStageBytes / 2)),
                                       filled, place.stage);
      place.advance();
    }
  }
}

// Where a warp puts its sums. The runs of eight columns of four rows lie in different banks.
__device__ inline int handed_place(int row, int column) {
  return row * kHandedColumns + (column ^ row % 4 * 8);
}

// A warp's sums, by way of shared memory, so that neighbouring threads write what lies side by
// side.
template <int columns, typename Stages>
__device__ void hand_over(const HopperJob<Stages>& job, const HopperUnit& unit, int first_row,
                          const float (&sums)[columns / 2], Shared<float> band) {
  const int me = static_cast<int>(threadIdx.x) % kWarpgroup;
  const int warp_row = me / kWarp * kHandedRows;
  GATUN_UNROLL
  for (int left = 0; left < columns; left += kHandedColumns) {
    sync_warp();  // what was here before has been read
    GATUN_UNROLL
    for (int i = 0; i < kHandedColumns / 2; i += 2) {
      const int sum = left / 2 + i;
      band.template store<2>(
          handed_place(row_of_sum(me, sum) - warp_row, column_of_sum(me, sum) - left),
          {{sums[sum], sums[sum + 1]}});
    }
    sync_warp();
    constexpr int kRun = 4, kAcross = kHandedColumns / kRun;
    GATUN_ROLL
    for (int e = lane(); e < kHandedRows * kAcross; e += kWarp) {
      const int row = e / kAcross, first = e % kAcross * kRun;
      const int64_t r = unit.row + first_row + warp_row + row, c = unit.column + left + first;
      if (r >= job.sums.rows || c >= job.sums.columns) continue;
      const Pack<float, kRun> run = band.template load<kRun>(handed_place(row, first));
      if (!job.sums.parts) {
        job.sums.finish.template write<kRun>(r * job.sums.row_step, c, job.sums.columns, run);
        continue;
      }
      const int64_t at = (unit.part * job.sums.rows + r) * job.sums.columns + c;
      if (job.sums.columns % kRun == 0) {
        job.sums.parts.template store<kRun>(at, run);
      } else {
        GATUN_UNROLL
        for (int k = 0; k < kRun; ++k) {
          if (c + k < job.sums.columns) job.sums.parts[at + k] = run.values[k];
        }
      }
    }
  }
}

// A warpgroup: multiplies what is in the ring, 64 rows of each tile.
template <typename Layout, int columns, typename Stages>
__device__ void empty_ring(const HopperJob<Stages>& job, int first_row, Shared<Bf16> ring,
                           Shared<float> band, Shared<uint64_t> filled, Shared<uint64_t> emptied) {
  using A = typename Layout::A;
  using B = typename Layout::B;
  RingPlace place;
  const uint32_t begin_of_ring = shared_address(ring);
  const auto release = [&](int stage) {
    if (lane() == 0) arrive(emptied, stage);
  };
  GATUN_ROLL
  for (uint32_t u = blockIdx.x; u < job.units; u += gridDim.x) {
    const HopperUnit unit = hopper_unit(u, job.down, job.across, columns);
    const int64_t begin = unit.part * job.terms;
    const int64_t rest = job.sums.depth - begin < job.terms ? job.sums.depth - begin : job.terms;
    const auto steps = static_cast<int32_t>((rest + kHopperTerms - 1) / kHopperTerms);
    float sums[columns / 2];
    int former = 0;
    GATUN_ROLL
    for (int32_t step = 0; step < steps; ++step) {
      wait_for_phase(filled, place.stage, place.round);
      sync_warp();  // lanes may have seen it one after the other, and a product needs them together
      const uint32_t a = begin_of_ring + static_cast<uint32_t>(place.stage * Layout::kStageBytes);
      const uint64_t left = A::descriptor(a, first_row);
      const uint64_t right = B::descriptor(a + A::kBytes, 0);
      begin_products();
      GATUN_UNROLL
      for (int k = 0; k < kHopperTerms / kTermsOfProduct; ++k) {
        multiply_async<columns, Layout::a_along_depth, Layout::b_along_depth>(
            sums, A::later(left, k), B::later(right, k), step > 0 || k > 0);
      }
      commit_products();
      wait_for_products<1>(sums);  // those of the step before
      if (step > 0) release(former);
      former = place.stage;
      place.advance();
    }
    wait_for_products<0>(sums);
    release(former);
    hand_over<columns>(job, unit, first_row, sums, band);
  }
}

template <int columns, bool a_along_depth, bool b_along_depth, typename Stages>
__global__ __launch_bounds__(kHopperThreads, 1) void product_hopper_kernel(
    const __grid_constant__ HopperJob<Stages> job) {
  using Layout = HopperLayout<columns, a_along_depth, b_along_depth>;
  const Shared<Bf16> ring = dynamic_shared<Bf16>(0, kHopperStages * (Layout::kStageBytes / 2));
  const Shared<uint64_t> filled = dynamic_shared<uint64_t>(Layout::kBarriers, kHopperStages);
  const Shared<uint64_t> emptied =
      dynamic_shared<uint64_t>(Layout::kBarriers + kHopperStages * 8, kHopperStages);
  ensure(shared_address(ring) % kSwizzledBytes == 0);
  if (threadIdx.x == 0) {
    GATUN_UNROLL
    for (int i = 0; i < kHopperStages; ++i) {
      set_up_barrier(filled, i, 1);
      set_up_barrier(emptied, i, 2 * kWarpgroup / kWarp);  // a lane of each warp
    }
    barriers_are_ready();
  }
  barrier();

  // Of 65536 registers, 384 threads have 168 each. The threads that multiply hold 128 sums.
  const auto warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (warpgroup == 0) {
    give_registers<40>();
    if (threadIdx.x == 0) {
      fill_ring<Layout>(job, columns, ring, filled, emptied);
    }
  } else {
    take_registers<232>();
    const int warp_of_two = static_cast<int>(threadIdx.x) / kWarp - 4;
    const Shared<float> band =
        dynamic_shared<float>(Layout::kHanded + int64_t{warp_of_two} * Layout::kHandedElements * 4,
                              Layout::kHandedElements);
    empty_ring<Layout, columns>(job, (warpgroup - 1) * 64, ring, band, filled, emptied);
  }
}

}  // namespace gatun::cuda
