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
// same sequences exchange what products read after every step.
struct Share {
  int32_t units, groups, own;  // threads: units x groups; each has its unit of `own` sequences
  int32_t kept;                // units in memory: no more than the layer has
  int32_t parts, slices;       // blocks for the units, and for the sequences
  int32_t terms;               // of the products' rows in memory at once
  int64_t shared_bytes;

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

// The cheapest share for a device, by a model of a step's clocks; none where the weights have no
// room. Results do not depend on it: each sum is one thread's, in the order of its terms.
inline std::optional<Share> share_of(const ShareNeeds& needs, int64_t shared_bytes,
                                     int multiprocessors) {
  constexpr int64_t kMeeting = 2000, kBarriers = 100;  // clocks: among blocks, within one
  constexpr int64_t kBytesPerClock = 64;               // of what a multiprocessor reads from L2
  constexpr int64_t kLatency = 24;                     // of four dependent multiply-adds and a load
  constexpr int64_t kMostBlocks = 65535, kLeastTerms = 64;
  const int32_t all_terms = (needs.units + 3) / 4 * 4;
  std::optional<Share> best;
  int64_t least = 0;
  for (int32_t units = 8; units <= kMostSequenceThreads; units *= 2) {
    if (units > 8 && units / 2 >= needs.units) break;
    for (const int32_t own : {2, 4}) {
      for (int32_t groups = 1; units * groups <= kMostSequenceThreads; groups *= 2) {
        if (units * groups % 32 != 0) continue;
        Share share{};
        share.units = units;
        share.groups = groups;
        share.own = own;
        share.kept = std::min(units, needs.units);
        share.parts = (needs.units + units - 1) / units;
        const int64_t slices = (needs.batch + share.sequences() - 1) / share.sequences();
        const int64_t blocks = share.parts * slices * needs.directions;
        if (slices > kMostBlocks || (share.parts > 1 && blocks > multiprocessors)) continue;
        share.slices = static_cast<int32_t>(slices);
        const auto bytes = [&](int32_t terms) {
          return 4 * (int64_t{needs.gates} * share.kept * row_pitch(needs.units) +
                      int64_t{needs.rows} * share.sequences() * row_pitch(terms));
        };
        share.terms = all_terms;
        while (share.parts > 1 && bytes(share.terms) > shared_bytes && share.terms > kLeastTerms) {
          share.terms = (share.terms / 2 + 3) / 4 * 4;
        }
        share.shared_bytes = bytes(share.terms);
        if (share.shared_bytes > shared_bytes) continue;
        const int64_t warps = units * groups / 32, rows = int64_t{needs.rows} * own;
        const int64_t loads = 4 * needs.gates + rows;  // clocks of a warp's loads of four terms
        const int64_t sums = (warps + 3) / 4 * (4 * needs.gates * own + needs.gates + rows);
        const int64_t products = all_terms / 4 * std::max({warps * loads, sums, kLatency});
        const int64_t read = int64_t{4} * needs.units * needs.rows * share.sequences();
        const int64_t exchange = share.parts > 1 ? kMeeting + read / kBytesPerClock : kBarriers;
        const int64_t turns = (blocks + multiprocessors - 1) / multiprocessors;
        const int64_t clocks = turns * (products + exchange);
        if (best && clocks >= least) continue;
        best = share;
        least = clocks;
      }
    }
  }
  return best;
}

}  // namespace gatun::cuda
