// The layout of tiles in shared memory.
#include "cuda/kernels/tile.h"

#include <gtest/gtest.h>

#include <set>

namespace gatun::cuda {
namespace {

// Eight threads at a time read or write 16 bytes each, which are all 32 banks if no two of the
// eight lie in the same 16 of the 128 bytes that all banks make.
template <typename T, int lines, int width>
void expect_no_conflicts() {
  using Layout = TileLayout<T, lines, width>;
  const auto banks = [](int place) { return place * sizeof(T) / 16 % 8; };
  std::set<int> places;
  for (int line = 0; line < lines; ++line) {
    for (int chunk = 0; chunk < Layout::kChunks; ++chunk) {
      const int place = Layout::place(line, chunk);
      EXPECT_EQ(place % kChunk<T>, 0);
      EXPECT_LT(place, Layout::kElements);
      EXPECT_TRUE(places.insert(place).second) << line << ", " << chunk;
    }
  }
  for (int line = 0; line + 8 <= lines; line += 8) {
    for (int chunk = 0; chunk < Layout::kChunks; ++chunk) {
      std::set<size_t> used;
      for (int i = 0; i < 8; ++i) used.insert(banks(Layout::place(line + i, chunk)));
      EXPECT_EQ(used.size(), 8u) << "lines from " << line << ", chunk " << chunk;
    }
  }
  for (int first = 0; first < lines * Layout::kChunks; first += 8) {
    std::set<size_t> used;
    for (int i = first; i < first + 8; ++i) {
      used.insert(banks(Layout::place(i / Layout::kChunks, i % Layout::kChunks)));
    }
    EXPECT_EQ(used.size(), 8u) << "chunks from " << first;
  }
}

TEST(CudaTile, HasNoBankConflicts) {
  expect_no_conflicts<float, 128, 16>();
  expect_no_conflicts<float, 16, 128>();
  expect_no_conflicts<float, 16, 64>();
  expect_no_conflicts<float, 16, 32>();
  expect_no_conflicts<double, 64, 16>();
  expect_no_conflicts<double, 16, 64>();
  expect_no_conflicts<Bf16, 128, 32>();
  expect_no_conflicts<Bf16, 32, 128>();
  expect_no_conflicts<Bf16, 32, 64>();
  expect_no_conflicts<Bf16, 32, 32>();
}

// A warp reads words for tensor cores along results: 8 results of 4 terms, all in different banks.
template <int lines, int width>
void expect_words_in_all_banks() {
  for (int term = 0; term < lines; term += 4) {
    for (int result = 0; result < width; result += 8) {
      std::set<int> banks;
      for (int lane = 0; lane < 32; ++lane) {
        const int mine = result + lane / 4;
        const int chunk = TileLayout<float, lines, width>::place(term + lane % 4, mine / 4);
        banks.insert((chunk + mine % 4) % 32);
      }
      EXPECT_EQ(banks.size(), 32u) << "terms from " << term << ", results from " << result;
    }
  }
}

TEST(CudaTile, HasNoBankConflictsOfWords) {
  expect_words_in_all_banks<16, 128>();
  expect_words_in_all_banks<16, 64>();
  expect_words_in_all_banks<16, 32>();
}

}  // namespace
}  // namespace gatun::cuda
