// How blocks share a recurrent layer.
#include "cuda/kernels/recurrent_share.h"

#include <gtest/gtest.h>

namespace gatun::cuda {
namespace {

constexpr int64_t kHopper = 227 << 10, kAmpere = 163 << 10, kSmall = 99 << 10;

ShareNeeds gru(int32_t units, int64_t batch, bool backward = false) {
  return {.units = units, .batch = batch, .directions = 1, .gates = 3, .rows = backward ? 3 : 1};
}

// All that a launch must keep to, for layers of every size on every kind of device.
TEST(CudaRecurrentShare, FitsTheDevice) {
  int shared = 0, alone = 0, none = 0;
  for (const int64_t bytes : {kHopper, kAmpere, kSmall, int64_t{20} << 10, int64_t{0}}) {
    for (const int multiprocessors : {1, 20, 132}) {
      for (const int32_t units : {1, 7, 8, 9, 64, 100, 128, 200, 256, 512, 1000, 1024, 4096}) {
        for (const int64_t batch : {1, 3, 16, 64, 1000}) {
          for (const int32_t gates : {1, 2, 3, 4}) {
            for (const int32_t rows : {1, gates}) {
              for (const int32_t directions : {1, 2}) {
                const ShareNeeds needs{units, batch, directions, gates, rows};
                const auto share = share_of(needs, bytes, multiprocessors);
                if (!share) {
                  ++none;
                  continue;
                }
                ++(share->parts > 1 ? shared : alone);
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
                               int64_t{rows} * share->sequences() * row_pitch(share->terms)));
                if (share->parts == 1) {
                  ASSERT_GE(share->terms, units);
                } else {
                  ASSERT_LE(share->parts * share->slices * directions, multiprocessors);
                }
              }
            }
          }
        }
      }
    }
  }
  EXPECT_GT(shared, 100);
  EXPECT_GT(alone, 100);
  EXPECT_GT(none, 100);
}

// The sizes that people train, on the GPUs that they have: no step is launched by itself.
TEST(CudaRecurrentShare, HoldsTheUsualLayers) {
  for (const int32_t units : {32, 64, 128, 256, 512}) {
    for (const bool backward : {false, true}) {
      EXPECT_TRUE(share_of(gru(units, 64, backward), kHopper, 132)) << units;
      EXPECT_TRUE(share_of(gru(units, 64, backward), kAmpere, 108)) << units;
    }
  }
  // An LSTM of 1024 units: 16 MB of weights.
  EXPECT_TRUE(share_of({1024, 64, 1, 4, 1}, kHopper, 132));
  EXPECT_TRUE(share_of({1024, 64, 1, 4, 4}, kHopper, 132));
  EXPECT_FALSE(share_of({2048, 64, 1, 4, 1}, kHopper, 132));
  // Small layers need no other block.
  EXPECT_EQ(share_of(gru(64, 64), kHopper, 132)->parts, 1);
  EXPECT_EQ(share_of(gru(32, 1000), kSmall, 60)->parts, 1);
}

// What the tests of layers under emulation count on: see cuda_recurrent_test.cc.
TEST(CudaRecurrentShare, CutsSmallLayersOfTests) {
  for (const int32_t units : {33, 36, 40}) {
    for (const int32_t gates : {3, 4}) {
      for (const int32_t rows : {1, 2, gates}) {
        EXPECT_EQ(share_of({units, 20, 2, gates, rows}, kSmall, 1)->parts, 1);
        EXPECT_GT(share_of({units, 20, 2, gates, rows}, gates * 4500, 30)->parts, 1);
      }
    }
  }
  for (const int32_t units : {18, 20}) {
    for (const int32_t gates : {1, 2, 3, 4}) {
      EXPECT_GT(share_of({units, 3, 1, gates, 1}, gates * 1400, 8)->parts, 1);
      EXPECT_GT(share_of({units, 3, 1, gates, gates}, gates * 1400, 8)->parts, 1);
      EXPECT_GT(share_of({units, 2, 2, gates, gates}, gates * 1400, 8)->parts, 1);
    }
  }
  const auto pieces = share_of({136, 3, 1, 4, 4}, int64_t{24} << 10, 20);
  EXPECT_EQ(pieces->parts, 17);
  EXPECT_LT(pieces->terms, 136);
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
