// How blocks share a recurrent layer whose steps run in one launch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace gatun::cuda {

constexpr int kMostSequenceThreads = 256;  // so that a thread has registers enough

// Elements between rows of `count` in shared memory: packs of four, an odd number of them, so that
// the rows that the lanes of a warp read lie in other banks.
constexpr int32_t row_pitch(int32_t count) { return ((count + 3) / 4 | 1) * 4; }

// A block keeps the weights of some units in its shared memory, and computes these units of some
// sequences for all steps. Where it has all units, it needs no other block; else the blocks of the
// same sequences exchange what products read after every step: as a cluster, by storing to each
// other's shared memory, or in a resident grid, by way of global memory.
struct Share {
  int32_t units, groups, own;  // threads: units x groups; each has its unit of `own` sequences
  int32_t kept;                // units in memory: no more than the layer has
  int32_t parts, slices;       // blocks for the units, and for the sequences
  int32_t terms;               // of the products' rows in memory at once
  bool resident;               // with several parts: rather than a cluster
  int64_t shared_bytes;

  // How many times a block has its rows: whole ones twice, so that those of the next turn come
  // while products still read the ones before.
  constexpr int32_t buffers() const { return resident ? 1 : 2; }
  // Sequences of a block.
  constexpr int32_t sequences() const { return groups * own; }
};

// What a step costs.
struct ShareNeeds {
  int32_t units;
  int64_t batch;
  int32_t directions;
  int32_t gates;  // whose weights are kept
  int32_t rows;   // that a sequence gives to products at once: 1, or one for each gate
};

// What a device has.
struct ShareDevice {
  int64_t shared_bytes;  // for a block
  int multiprocessors;
  int largest_cluster;  // 1 for none
};

// The cheapest share for a device, by a model of a step's clocks; none where the weights have no
// room. Results do not depend on it: each sum is one thread's, in the order of its terms.
inline std::optional<Share> share_of(const ShareNeeds& needs, const ShareDevice& device) {
  // Clocks to meet: in a resident grid, in a cluster, in a block.
  constexpr int64_t kMeeting = 2000, kClusterMeeting = 500, kBarrier = 50;
  // What a multiprocessor reads from L2, and is given by others of its cluster.
  constexpr int64_t kBytesPerClock = 64, kClusterBytesPerClock = 16;
  constexpr int64_t kLatency = 24;  // of four dependent multiply-adds and a load
  constexpr int64_t kMostBlocks = 65535, kLeastTerms = 64;
  const int32_t all_terms = (needs.units + 3) / 4 * 4;
  std::optional<Share> best;
  int64_t least = 0;
  const auto consider = [&](Share share) {
    share.kept = std::min(share.units, needs.units);
    share.parts = (needs.units + share.units - 1) / share.units;
    if (share.resident ? share.parts == 1 : share.parts > device.largest_cluster) return;
    const int64_t slices = (needs.batch + share.sequences() - 1) / share.sequences();
    const int64_t sets = slices * needs.directions;                // of blocks that need each other
    const int64_t at_once = device.multiprocessors / share.parts;  // if clusters lie without gaps
    if (slices > kMostBlocks || at_once == 0 || (share.resident && sets > at_once)) return;
    share.slices = static_cast<int32_t>(slices);
    const auto bytes = [&](int32_t terms) {
      return 4 * (int64_t{needs.gates} * share.kept * row_pitch(needs.units) +
                  int64_t{needs.rows} * share.buffers() * share.sequences() * row_pitch(terms));
    };
    share.terms = all_terms;
    while (share.resident && bytes(share.terms) > device.shared_bytes &&
           share.terms > kLeastTerms) {
      share.terms = (share.terms / 2 + 3) / 4 * 4;
    }
    share.shared_bytes = bytes(share.terms);
    if (share.shared_bytes > device.shared_bytes) return;
    const int64_t warps = share.units * share.groups / 32, rows = int64_t{needs.rows} * share.own;
    const int64_t loads = 4 * needs.gates + rows;  // clocks of a warp's loads of four terms
    const int64_t sums = (warps + 3) / 4 * (4 * needs.gates * share.own + needs.gates + rows);
    const int64_t products = all_terms / 4 * std::max({warps * loads, sums, kLatency});
    const int64_t given = int64_t{4} * needs.units * needs.rows * share.sequences();
    const int64_t exchange = share.resident     ? kMeeting + given / kBytesPerClock
                             : share.parts == 1 ? kBarrier
                                                : kClusterMeeting + given / kClusterBytesPerClock;
    const int64_t turns = (sets + at_once - 1) / at_once;
    const int64_t clocks = turns * (products + exchange);
    if (best && clocks >= least) return;
    best = share;
    least = clocks;
  };
  for (int32_t units = 8; units <= kMostSequenceThreads; units *= 2) {
    if (units > 8 && units / 2 >= needs.units) break;
    for (const int32_t own : {2, 4}) {
      for (int32_t groups = 1; units * groups <= kMostSequenceThreads; groups *= 2) {
        if (units * groups % 32 != 0) continue;
        for (const bool resident : {false, true}) {
          Share share{};
          share.units = units;
          share.groups = groups;
          share.own = own;
          share.resident = resident;
          consider(share);
        }
      }
    }
  }
  return best;
}

}  // namespace gatun::cuda
