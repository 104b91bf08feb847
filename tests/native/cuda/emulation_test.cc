// The emulation notices what a GPU would do wrong in silence: each fault here is one mistake in a
// kernel that is right without it.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "cuda/primitives.h"

namespace gatun::cuda {
namespace {

std::string fault_of(const Grid& grid, const std::function<void()>& kernel) {
  try {
    emulation::run(grid, kernel);
  } catch (const emulation::Fault& fault) {
    return fault.text;
  }
  return "";
}

#define EXPECT_FAULT(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << "fault: " << (text)

constexpr Grid kBlock{{2}, {64}};

// Reverses 64 numbers in each block, through shared memory.
void reverse(Global<float> y, Global<const float> x, bool with_barrier) {
  GATUN_SHARED(float, tile, 64);
  const int i = static_cast<int>(threadIdx.x);
  const int64_t start = int64_t{blockIdx.x} * 64;
  tile[i] = x[start + i];
  if (with_barrier) barrier();
  y[start + i] = tile[63 - i];
}

class EmulationTest : public testing::Test {
 protected:
  EmulationTest() {
    for (int i = 0; i < 128; ++i) in[i] = static_cast<float>(i);
  }
  std::vector<float> in = std::vector<float>(128), out = std::vector<float>(128);
  Global<const float> x{in.data(), 128};
  Global<float> y{out.data(), 128};
};

TEST_F(EmulationTest, RunsThreadsThatMeetAtABarrier) {
  EXPECT_EQ(fault_of(kBlock, [&] { reverse(y, x, true); }), "");
  for (int i = 0; i < 128; ++i) EXPECT_EQ(out[i], static_cast<float>(i / 64 * 64 + 63 - i % 64));
}

TEST_F(EmulationTest, RefusesGridsThatNoGpuLaunches) {
  const auto nothing = [] {};
  EXPECT_EQ(fault_of({{1, 0xffff}, {1}}, nothing), "");
  for (const Dim& blocks : {Dim{1, 0x10000}, Dim{1, 1, 0x10000}, Dim{0x80000000}}) {
    EXPECT_FAULT(fault_of({blocks, {1}}, nothing), "along each axis");
  }
  EXPECT_FAULT(fault_of({{1}, {1025}}, nothing), "a block of 1025 threads");
}

TEST_F(EmulationTest, NoticesAMissingBarrier) {
  const std::string fault = fault_of(kBlock, [&] { reverse(y, x, false); });
  EXPECT_FAULT(fault, "shared memory tile");
}

TEST_F(EmulationTest, NoticesThatABarrierIsMissingBeforeMemoryIsUsedAgain) {
  const auto kernel = [&](bool second_barrier) {
    GATUN_SHARED(float, tile, 64);
    const int i = static_cast<int>(threadIdx.x);
    for (int round = 0; round < 2; ++round) {
      tile[i] = x[i];
      barrier();
      y[i] = tile[63 - i];
      if (second_barrier) barrier();
    }
  };
  EXPECT_EQ(fault_of({{1}, {64}}, [&] { kernel(true); }), "");
  const std::string fault = fault_of({{1}, {64}}, [&] { kernel(false); });
  EXPECT_FAULT(fault, "race on shared memory tile");
  EXPECT_FAULT(fault, "since the last barrier");
}

TEST_F(EmulationTest, LetsAWarpExchangeAfterItsOwnBarrierOnly) {
  const auto kernel = [&](bool sync) {
    GATUN_SHARED(float, tile, 64);
    const int i = static_cast<int>(threadIdx.x);
    tile[i] = x[i];
    if (sync) sync_warp();
    y[i] = tile[i ^ 1];
  };
  EXPECT_EQ(fault_of({{1}, {64}}, [&] { kernel(true); }), "");
  EXPECT_FAULT(fault_of({{1}, {64}}, [&] { kernel(false); }), "shared memory tile");
}

TEST_F(EmulationTest, NoticesABarrierThatNotAllReach) {
  const std::string fault = fault_of(kBlock, [] {
    if (threadIdx.x != 5) barrier();
  });
  EXPECT_FAULT(fault, "63 threads wait, 1 have returned");
  EXPECT_FAULT(fault, "waits for the barrier");
}

TEST_F(EmulationTest, NoticesAStoreOneTooFar) {
  const std::string fault = fault_of(kBlock, [&] { y[grid_thread() + 1] = 1; });
  EXPECT_FAULT(fault, "out of bounds: store of element 128 of a tensor of 128");
  EXPECT_FAULT(fault, "(thread (63, 0, 0) of block (1, 0, 0))");
  EXPECT_FAULT(fault_of(kBlock, [&] { y[grid_thread()] = x[grid_thread() - 1]; }),
               "out of bounds: load of element -1");
  EXPECT_FAULT(fault_of({{1}, {32}},
                        [&] {
                          GATUN_SHARED(float, tile, 32);
                          tile[static_cast<int>(threadIdx.x) + 1] = 0;
                        }),
               "element 32 of shared memory tile of 32");
}

TEST_F(EmulationTest, NoticesAPackThatIsNotAligned) {
  EXPECT_FAULT(fault_of({{1}, {32}}, [&] { y.store<4>(1, x.load<4>(0)); }), "not aligned");
}

TEST_F(EmulationTest, NoticesAWrongShuffle) {
  const auto sum = [&](uint32_t mask, int first) {
    float value = x[threadIdx.x];
    if (threadIdx.x < 24 || mask == kWholeWarp) {
      for (int by = first; by > 0; by /= 2) value += shuffle_xor(value, by, mask);
    }
    y[threadIdx.x] = value;
  };
  EXPECT_EQ(fault_of({{1}, {32}}, [&] { sum(kWholeWarp, 16); }), "");
  EXPECT_EQ(out[7], 496.0f);
  // Lane 8 asks lane 24, which does not take part.
  EXPECT_FAULT(fault_of({{1}, {32}}, [&] { sum(0x00ffffff, 16); }), "which does not take part");
  // The mask names lanes that never come.
  EXPECT_FAULT(fault_of({{1}, {32}},
                        [&] {
                          if (threadIdx.x < 16) y[threadIdx.x] = shuffle_down(1.0f, 1);
                        }),
               "waits for shuffle_down");
  EXPECT_FAULT(fault_of({{1}, {32}}, [&] { shuffle(1.0f, 0, 0x7fffffff); }),
               "the mask does not name the lane that calls");
  EXPECT_FAULT(fault_of({{1}, {32}}, [&] { shuffle(1.0f, 32); }), "reads lane 32");
}

TEST_F(EmulationTest, KeepsACopyBackUntilItIsWaitedFor) {
  alignas(16) float source[128] = {};
  for (int i = 0; i < 128; ++i) source[i] = static_cast<float>(i);
  const Global<const float> from{source, 128};
  const auto kernel = [&](bool wait) {
    GATUN_SHARED(float, tile, 128);
    const int i = static_cast<int>(threadIdx.x) * 4;
    copy_async(tile, i, from, i, i < 120);
    copy_async_commit();
    if (wait) copy_async_wait<0>();
    barrier();
    for (int k = 0; k < 4; ++k) y[i + k] = tile[(i + k + 4) % 128];
  };
  EXPECT_EQ(fault_of({{1}, {32}}, [&] { kernel(true); }), "");
  EXPECT_EQ(out[0], 4.0f);
  EXPECT_EQ(out[115], 119.0f);
  EXPECT_EQ(out[116], 0.0f);  // not valid
  EXPECT_EQ(fault_of({{1}, {32}}, [&] { kernel(false); }), "");
  EXPECT_TRUE(std::isnan(out[0]));
}

// Products of small integers are exact, whatever the order.
TEST_F(EmulationTest, MultipliesFragmentsAsPtxLaysThemOut) {
  const auto element = [](int row, int column) {
    return static_cast<float>((row * 7 + column * 3) % 11 - 5);
  };
  std::vector<float> d(128), d16(128);
  Global<float> to{d.data(), 128}, to16{d16.data(), 128};
  const auto pair = [](float low, float high) {
    return to_bf16(low).bits | static_cast<uint32_t>(to_bf16(high).bits) << 16;
  };
  EXPECT_EQ(fault_of({{1}, {32}},
                     [&] {
                       const int g = lane() / 4, t = lane() % 4;
                       float c[4] = {1, 1, 1, 1}, c16[4] = {};
                       const uint32_t a[4] = {to_tf32(element(g, t)), to_tf32(element(g + 8, t)),
                                              to_tf32(element(g, t + 4)),
                                              to_tf32(element(g + 8, t + 4))};
                       const uint32_t b[2] = {to_tf32(element(t, g)), to_tf32(element(t + 4, g))};
                       mma_tf32(c, a, b);
                       uint32_t a16[4], b16[2];
                       for (int i = 0; i < 4; ++i) {
                         const int row = g + i % 2 * 8, k = 2 * t + i / 2 * 8;
                         a16[i] = pair(element(row, k), element(row, k + 1));
                       }
                       for (int i = 0; i < 2; ++i) {
                         const int k = 2 * t + i * 8;
                         b16[i] = pair(element(k, g), element(k + 1, g));
                       }
                       mma_bf16(c16, a16, b16);
                       for (int i = 0; i < 4; ++i) {
                         to[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = c[i];
                         to16[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = c16[i];
                       }
                     }),
            "");
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      float sum = 1, sum16 = 0;
      for (int k = 0; k < 8; ++k) sum += element(m, k) * element(k, n);
      for (int k = 0; k < 16; ++k) sum16 += element(m, k) * element(k, n);
      EXPECT_EQ(d[m * 8 + n], sum) << m << ", " << n;
      EXPECT_EQ(d16[m * 8 + n], sum16) << m << ", " << n;
    }
  }
}

TEST_F(EmulationTest, LoadsMatricesAsLdmatrixDoes) {
  std::vector<float> straight(256), turned(256);
  Global<float> to{straight.data(), 256}, to_turned{turned.data(), 256};
  const auto kernel = [&] {
    GATUN_SHARED(Bf16, tile, 4 * 64);
    for (int i = lane(); i < 256; i += kWarp) tile[i] = to_bf16(static_cast<float>(i));
    sync_warp();
    uint32_t words[4], transposed[4];
    load_matrix(words, tile.at(lane() * 8));
    load_matrix_transposed(transposed, tile.at(lane() * 8));
    for (int m = 0; m < 4; ++m) {
      const int place = m * 64 + lane() / 4 * 8 + lane() % 4 * 2;
      for (int half = 0; half < 2; ++half) {
        to[place + half] = emulation::bf16_of(words[m], half);
        to_turned[place + half] = emulation::bf16_of(transposed[m], half);
      }
    }
  };
  EXPECT_EQ(fault_of({{1}, {32}}, kernel), "");
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(straight[i], static_cast<float>(i));
    EXPECT_EQ(turned[i], static_cast<float>(i / 64 * 64 + i % 8 * 8 + i / 8 % 8));
  }
}

// A resident grid, whose blocks pass numbers on to their neighbours, twice. All wait for all, for
// nobody may write over what somebody still reads.
class ResidentTest : public testing::Test {
 protected:
  static constexpr uint32_t kBlocks = 4, kThreads = 32;
  static constexpr Grid kGrid{.blocks = {kBlocks}, .threads = {kThreads}, .resident = true};

  struct Mistakes {
    bool no_barrier_before = false, no_release = false, no_wait = false, no_barrier_behind = false;
    bool same_place = false, too_soon = false;
  };

  // Each block adds one to what its neighbour has.
  void pass_on(const Mistakes& mistakes) const {
    const auto block = static_cast<int64_t>(blockIdx.x);
    const int64_t left = (block + 1) % kBlocks, i = threadIdx.x;
    y[block * kThreads + i] = static_cast<float>(block);
    for (uint32_t round = 1; round <= 2; ++round) {
      if (!mistakes.no_barrier_before) barrier();
      if (i == 0 && !(mistakes.no_release && block == 2)) store_release(flags, block, round);
      const uint32_t awaited = mistakes.too_soon ? round - 1 : round;
      if (i < kBlocks && !mistakes.no_wait) wait_for(flags, i, awaited);
      if (!mistakes.no_barrier_behind) barrier();
      // Of the round before: halves of y by turns.
      const int64_t from = mistakes.same_place ? 0 : (round - 1) % 2 * kHalf;
      const int64_t to = mistakes.same_place ? 0 : round % 2 * kHalf;
      const float value = y[from + left * kThreads + (kThreads - 1 - i)];
      y[to + block * kThreads + i] = value + 1;
    }
  }
  std::string fault(const Mistakes& mistakes) {
    words.assign(kBlocks, 0);
    return fault_of(kGrid, [&] { pass_on(mistakes); });
  }

  static constexpr int64_t kHalf = kBlocks * kThreads;
  std::vector<float> numbers = std::vector<float>(2 * kHalf);
  std::vector<uint32_t> words = std::vector<uint32_t>(kBlocks);
  Global<float> y{numbers.data(), 2 * kHalf};
  Global<uint32_t> flags{words.data(), kBlocks};
};

TEST_F(ResidentTest, RunsBlocksThatWaitForEachOther) {
  EXPECT_EQ(fault({}), "");
  for (uint32_t i = 0; i < kHalf; ++i) {
    EXPECT_EQ(numbers[i], static_cast<float>((i / kThreads + 2) % kBlocks + 2)) << i;
  }
}

TEST_F(ResidentTest, NoticesWhatIsMissingBetweenBlocks) {
  const char* const race = "race on global memory: a thread loads what thread";
  // Thread 0 shows only what the block did before a barrier.
  EXPECT_FAULT(fault({.no_barrier_before = true}), race);
  EXPECT_FAULT(fault({.no_wait = true}), race);
  EXPECT_FAULT(fault({.too_soon = true}), "race on global memory");
  // Only some threads have waited.
  EXPECT_FAULT(fault({.no_barrier_behind = true}), race);
  EXPECT_FAULT(fault({.no_wait = true}), "and nobody has waited for it");
  // What a neighbour may still be reading is written over.
  EXPECT_FAULT(fault({.same_place = true}), "race on global memory");
  const std::string stuck = fault({.no_release = true});
  EXPECT_FAULT(stuck, "the grid cannot go on");
  EXPECT_FAULT(stuck, "thread 2 of block (0, 0, 0) waits for a flag");
}

// Clusters whose blocks hand numbers on to the next one, by turns into two halves of its memory.
class ClusterTest : public testing::Test {
 protected:
  static constexpr uint32_t kBlocks = 4, kThreads = 32, kCluster = 2;
  static constexpr int kHalf = kThreads;
  static constexpr Grid kGrid{.blocks = {kBlocks},
                              .threads = {kThreads},
                              .shared_bytes = int64_t{4} * 2 * kHalf,
                              .cluster = kCluster};

  struct Mistakes {
    bool not_begun = false, no_cluster_barrier = false, block_barrier = false, same_half = false;
    bool leaves_early = false, strange_rank = false;
  };

  void hand_on(const Mistakes& mistakes) const {
    const auto x = dynamic_shared<float>(0, 2 * kHalf);
    const uint32_t mine = blockIdx.x % kCluster, rank = mistakes.strange_rank ? kCluster : 1 - mine;
    const int i = static_cast<int>(threadIdx.x);
    const ClusterShared<float> other(x, rank);
    auto value = static_cast<float>(blockIdx.x);
    if (!mistakes.not_begun) cluster_barrier();
    for (int turn = 0; turn < 3; ++turn) {
      const int half = mistakes.same_half ? 0 : turn % 2 * kHalf;
      if (mistakes.leaves_early && turn == 2 && mine == 1) return;
      other.store(half + i, value);
      if (mistakes.block_barrier) barrier();
      if (!mistakes.no_cluster_barrier && !mistakes.block_barrier) cluster_barrier();
      value = x[half + static_cast<int>(kThreads) - 1 - i] + 1;
    }
    y[blockIdx.x * kThreads + threadIdx.x] = value;
  }
  std::string fault(const Mistakes& mistakes) const {
    return fault_of(kGrid, [&] { hand_on(mistakes); });
  }

  std::vector<float> numbers = std::vector<float>(kBlocks * kThreads);
  Global<float> y{numbers.data(), kBlocks* kThreads};
};

TEST_F(ClusterTest, RunsBlocksThatStoreToEachOther) {
  EXPECT_EQ(fault({}), "");
  for (uint32_t i = 0; i < kBlocks * kThreads; ++i) {
    EXPECT_EQ(numbers[i], static_cast<float>((i / kThreads ^ 1) + 3)) << i;
  }
}

TEST_F(ClusterTest, NoticesWhatIsMissingBetweenBlocks) {
  // Who comes first reads what is not there yet, the other one what has not been waited for.
  EXPECT_FAULT(fault({.no_cluster_barrier = true}), "shared memory (dynamic)");
  EXPECT_FAULT(fault({.block_barrier = true}), "shared memory (dynamic)");
  const std::string race = fault({.same_half = true});
  EXPECT_FAULT(race, "race on shared memory (dynamic)");
  EXPECT_FAULT(race, "since the last cluster barrier");
  EXPECT_FAULT(fault({.not_begun = true}), "the other block may not have begun");
  EXPECT_FAULT(fault({.strange_rank = true}), "cluster_store: block 2 of a cluster of 2");
}

// Whether a block is still there may depend on who comes first: nobody may count on it.
TEST_F(ClusterTest, NoticesABlockThatLeavesTooEarly) {
  const char* const leaves = "the block leaves, and since the last cluster barrier block";
  EXPECT_FAULT(fault({.leaves_early = true}), leaves);
  const auto store_last = [&](uint32_t storing) {
    const auto x = dynamic_shared<float>(0, 2 * kHalf);
    cluster_barrier();
    if (blockIdx.x % kCluster == storing) ClusterShared<float>(x, 1 - storing).store(lane(), 1);
  };
  EXPECT_FAULT(fault_of(kGrid, [&] { store_last(0); }), leaves);
  EXPECT_FAULT(fault_of(kGrid, [&] { store_last(1); }), "cluster_store: block 0 has left");
  const std::string stuck = fault_of(kGrid, [] {
    if (blockIdx.x % kCluster == 0) cluster_barrier();
  });
  EXPECT_FAULT(stuck, "the cluster cannot go on: 32 threads wait, 32 have returned");
  EXPECT_FAULT(stuck, "waits for the cluster's barrier");
}

// What a block has read or written itself since the cluster met, no other may store over.
TEST_F(ClusterTest, NoticesAStoreOverWhatIsInUse) {
  const auto kernel = [&](bool reads, bool meets) {
    const auto x = dynamic_shared<float>(0, 2 * kHalf);
    x[lane()] = 1;
    cluster_barrier();
    if (blockIdx.x % kCluster == 1) {
      if (reads) y[lane()] = x[lane()];
      if (!reads) x[lane()] = 2;
      barrier();
    }
    if (meets) cluster_barrier();
    if (blockIdx.x % kCluster == 0) ClusterShared<float>(x, 1).store(lane(), 3);
    cluster_barrier();
  };
  EXPECT_EQ(fault_of(kGrid, [&] { kernel(true, true); }), "");
  EXPECT_EQ(fault_of(kGrid, [&] { kernel(false, true); }), "");
  EXPECT_FAULT(fault_of(kGrid, [&] { kernel(true, false); }), "race on shared memory (dynamic)");
  EXPECT_FAULT(fault_of(kGrid, [&] { kernel(false, false); }), "race on shared memory (dynamic)");
}

TEST_F(ClusterTest, RefusesWhatIsNoCluster) {
  const auto nothing = [] {};
  EXPECT_FAULT(fault_of({.blocks = {3}, .threads = {32}, .cluster = 2}, nothing),
               "clusters of 2 blocks in a grid of (3, 1, 1)");
  EXPECT_FAULT(fault_of({.blocks = {9}, .threads = {32}, .cluster = 9}, nothing),
               "clusters of 9 blocks");
  EXPECT_FAULT(fault_of({.blocks = {2}, .threads = {32}, .resident = true, .cluster = 2}, nothing),
               "clusters of 2 blocks in a resident grid");
  EXPECT_FAULT(fault_of(kBlock, [] { cluster_barrier(); }), "the launch has no clusters");
  EXPECT_FAULT(fault_of(kBlock,
                        [] {
                          GATUN_SHARED(float, tile, 64);
                          ClusterShared<float>(tile, 1).store(0, 1);
                        }),
               "cluster_store: block 1 of a cluster of 1");
}

TEST_F(ResidentTest, RefusesToWaitInAGridThatIsNotResident) {
  const Grid grid{.blocks = {2}, .threads = {32}};
  EXPECT_FAULT(fault_of(grid, [&] { store_release(flags, 0, 1); }), "the grid is not resident");
  EXPECT_FAULT(fault_of(grid, [&] { wait_for(flags, 0, 1); }), "the grid is not resident");
}

}  // namespace
}  // namespace gatun::cuda
