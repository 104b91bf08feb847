// How blocks share a recurrent layer.
#include "cuda/kernels/recurrent_share.h"

#include <gtest/gtest.h>

namespace gatun::cuda {
namespace {

constexpr ShareDevice kHopper{227 << 10, 132, 8}, kAmpere{163 << 10, 108, 1};

ShareNeeds gru(int32_t units, int64_t batch, bool backward = false) {
  return {.units = units, .batch = batch, .directions = 1, .gates = 3, .rows = backward ? 3 : 1};
}

// All that a launch must keep to, for layers of every size on every kind of device.
TEST(CudaRecurrentShare, FitsTheDevice) {
  int resident = 0, clusters = 0, alone = 0, none = 0;
  for (const int64_t bytes : {227 << 10, 163 << 10, 99 << 10, 20 << 10, 0}) {
    for (const int multiprocessors : {1, 20, 132}) {
      for (const int largest_cluster : {1, 5, 8}) {
        const ShareDevice device{bytes, multiprocessors, largest_cluster};
        for (const int32_t units : {1, 7, 8, 9, 64, 100, 128, 200, 256, 512, 1000, 1024, 4096}) {
          for (const int64_t batch : {1, 3, 16, 64, 1000}) {
            for (const int32_t gates : {1, 2, 3, 4}) {
              for (const int32_t rows : {1, gates}) {
                for (const int32_t directions : {1, 2}) {
                  const ShareNeeds needs{units, batch, directions, gates, rows};
                  const auto share = share_of(needs, device);
                  if (!share) {
                    ++none;
                    continue;
                  }
                  ++(share->resident ? resident : share->parts > 1 ? clusters : alone);
                  SCOPED_TRACE(testing::Message()
                               << units << " units, " << batch << " sequences, " << gates
                               << " gates, " << rows << " rows, " << bytes << " bytes");
                  ASSERT_LE(share->shared_bytes, bytes);
                  ASSERT_GE(int64_t{share->parts} * share->units, units);
                  ASSERT_LT(int64_t{share->parts - 1} * share->units, units);
                  ASSERT_GE(int64_t{share->slices} * share->sequences(), batch);
                  ASSERT_LE(share->kept, units);
                  ASSERT_EQ(share->units * share->groups % 32, 0);
                  ASSERT_LE(share->units * share->groups, kMostSequenceThreads);
                  ASSERT_EQ(share->terms % 4, 0);
                  ASSERT_GE(share->shared_bytes,
                            4 * (int64_t{gates} * share->kept * row_pitch(units) +
                                 int64_t{rows} * share->buffers() * share->sequences() *
                                     row_pitch(share->terms)));
                  if (share->resident) {
                    ASSERT_GT(share->parts, 1);
                    ASSERT_LE(share->parts * share->slices * directions, multiprocessors);
                  } else {
                    ASSERT_GE(share->terms, units);
                    ASSERT_LE(share->parts, std::min(largest_cluster, multiprocessors));
                    ASSERT_EQ(share->buffers(), 2);
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(resident, 100);
  EXPECT_GT(clusters, 100);
  EXPECT_GT(alone, 100);
  EXPECT_GT(none, 100);
}

// The sizes that people train, on the GPUs that they have: no step is launched by itself.
TEST(CudaRecurrentShare, HoldsTheUsualLayers) {
  for (const int32_t units : {32, 64, 128, 256, 512}) {
    for (const bool backward : {false, true}) {
      EXPECT_TRUE(share_of(gru(units, 64, backward), kHopper)) << units;
      EXPECT_TRUE(share_of(gru(units, 64, backward), kAmpere)) << units;
    }
  }
  // An LSTM of 1024 units: 16 MB of weights, more than a cluster's.
  EXPECT_TRUE(share_of({1024, 64, 1, 4, 1}, kHopper)->resident);
  EXPECT_TRUE(share_of({1024, 64, 1, 4, 4}, kHopper)->resident);
  EXPECT_FALSE(share_of({2048, 64, 1, 4, 1}, kHopper));
  // Small layers need no other block.
  EXPECT_EQ(share_of(gru(64, 64), kHopper)->parts, 1);
  EXPECT_EQ(share_of(gru(32, 1000), {99 << 10, 60, 1})->parts, 1);
  // Those between are a cluster's, where there are clusters.
  for (const bool backward : {false, true}) {
    const auto cluster = share_of(gru(256, 64, backward), kHopper);
    EXPECT_GT(cluster->parts, 1);
    EXPECT_FALSE(cluster->resident);
    EXPECT_TRUE(share_of(gru(256, 64, backward), kAmpere)->resident);
  }
}

// What the tests of layers under emulation count on: see cuda_recurrent_test.cc.
TEST(CudaRecurrentShare, CutsSmallLayersOfTests) {
  for (const int32_t units : {33, 36, 40}) {
    for (const int32_t gates : {3, 4}) {
      for (const int32_t rows : {1, 2, gates}) {
        EXPECT_EQ(share_of({units, 20, 2, gates, rows}, {99 << 10, 1, 1})->parts, 1);
        EXPECT_TRUE(share_of({units, 20, 2, gates, rows}, {gates * 4500, 30, 1})->resident);
      }
    }
  }
  for (const int32_t units : {18, 20}) {
    for (const int32_t gates : {1, 2, 3, 4}) {
      EXPECT_TRUE(share_of({units, 3, 1, gates, 1}, {gates * 1400, 8, 1})->resident);
      EXPECT_TRUE(share_of({units, 3, 1, gates, gates}, {gates * 1400, 8, 1})->resident);
      EXPECT_TRUE(share_of({units, 2, 2, gates, gates}, {gates * 1400, 8, 1})->resident);
    }
  }
  const auto pieces = share_of({136, 3, 1, 4, 4}, {24 << 10, 20, 1});
  EXPECT_EQ(pieces->parts, 17);
  EXPECT_LT(pieces->terms, 136);
  const auto expect_large = [](const ShareNeeds& needs, int parts, bool resident) {
    const auto share = share_of(needs, kHopper);
    EXPECT_EQ(share->parts, parts) << needs.units << " units, " << needs.rows << " rows";
    EXPECT_EQ(share->resident, resident) << needs.units << " units, " << needs.rows << " rows";
  };
  for (const int32_t rows : {1, 3}) expect_large({256, 3, 2, 3, rows}, 8, false);
  for (const int32_t rows : {1, 2}) expect_large({130, 5, 1, 3, rows}, 5, false);
  for (const int32_t rows : {1, 4}) expect_large({200, 3, 1, 4, rows}, 7, false);
  expect_large({520, 3, 1, 1, 1}, 17, true);
  for (int32_t blocks = 2; blocks <= 8; ++blocks) {
    const int32_t units = blocks == 2 ? 30 : 16 * blocks - 14;
    for (const int32_t gates : {1, 2, 3, 4}) {
      for (const int32_t rows : {1, 2, gates}) {
        for (const int64_t batch : {3, 9}) {
          const ShareNeeds needs{units, batch, 2, gates, std::min(rows, gates)};
          SCOPED_TRACE(testing::Message() << units << " units, " << batch << " sequences, " << gates
                                          << " gates, " << rows << " rows");
          // Too few multiprocessors for both directions at the same time.
          const int64_t bytes = gates * 120 * (units + 4);
          const auto cluster = share_of(needs, {bytes, blocks, blocks});
          EXPECT_EQ(cluster->parts, blocks);
          EXPECT_FALSE(cluster->resident);
          EXPECT_EQ(share_of(needs, {227 << 10, 1, 1})->parts, 1);
          if (batch > 4) continue;
          const auto grid = share_of(needs, {bytes, 2 * blocks, 1});
          EXPECT_EQ(grid->parts, blocks);
          EXPECT_TRUE(grid->resident);
        }
      }
    }
  }
}

// Rows of packs that neighbouring lanes read lie in other banks.
TEST(CudaRecurrentShare, PadsRows) {
  for (int32_t count = 1; count < 300; ++count) {
    ASSERT_GE(row_pitch(count), count);
    ASSERT_EQ(row_pitch(count) % 8, 4);
    ASSERT_LT(row_pitch(count), count + 8);
  }
}

}  // namespace
}  // namespace gatun::cuda
