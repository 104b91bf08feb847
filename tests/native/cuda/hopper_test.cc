// Products by wgmma: what the copy engine and wgmma are told, how work is cut, and the kernel, on
// the emulation's model of both.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "cuda/kernels/product_hopper_kernel.h"
#include "faults.h"

namespace gatun::cuda {
namespace {

// By hand from the table of PTX ISA, "Matrix Descriptor Format".
TEST(Hopper, EncodesDescriptors) {
  // 128-byte swizzle alone.
  EXPECT_EQ(matrix_descriptor(0, 0, 0), 0x4000'0000'0000'0000u);
  // 0xc00 >> 4 = 0xc0; 16 >> 4 = 1; 1024 >> 4 = 0x40.
  EXPECT_EQ(matrix_descriptor(0xc00, 16, 1024), 0x4000'0040'0001'00c0u);
  // The last bytes of 256 KB, and nothing above them.
  EXPECT_EQ(matrix_descriptor(0x3ffff, 0x3ffff, 0x3ffff), 0x4000'3fff'3fff'3fffu);
  EXPECT_EQ(matrix_descriptor(0x7'fff0, 0, 0), 0x4000'0000'0000'3fffu);

  // Rows 64 and on of a tile along depth at 0x4000, terms 16 to 31: 64 lines and 32 bytes on,
  // 0x6020 >> 4 = 0x602.
  using Along = SwizzledTile<128, true>;
  EXPECT_EQ(Along::later(Along::descriptor(0x4000, 64), 1), 0x4000'0040'0001'0602u);
  // The same along results: the second box, 8192 bytes on, and 16 lines, 0x6800 >> 4 = 0x680; the
  // leading offset is a box, 8192 >> 4 = 0x200.
  using Across = SwizzledTile<128, false>;
  EXPECT_EQ(Across::later(Across::descriptor(0x4000, 64), 1), 0x4000'0040'0200'0680u);
}

TEST(Hopper, HasEverySumOnce) {
  for (const int columns : {128, 256}) {
    std::set<std::pair<int, int>> seen;
    for (int thread = 0; thread < kWarpgroup; ++thread) {
      for (int i = 0; i < columns / 2; ++i) {
        const int row = row_of_sum(thread, i), column = column_of_sum(thread, i);
        EXPECT_TRUE(0 <= row && row < 64 && 0 <= column && column < columns);
        EXPECT_TRUE(seen.emplace(row, column).second) << row << ", " << column;
      }
    }
    EXPECT_EQ(seen.size(), static_cast<size_t>(64 * columns));
  }
  // Some of PTX ISA's figure of accumulator D.
  EXPECT_EQ(std::pair(row_of_sum(0, 0), column_of_sum(0, 0)), std::pair(0, 0));
  EXPECT_EQ(std::pair(row_of_sum(0, 1), column_of_sum(0, 1)), std::pair(0, 1));
  EXPECT_EQ(std::pair(row_of_sum(0, 2), column_of_sum(0, 2)), std::pair(8, 0));
  EXPECT_EQ(std::pair(row_of_sum(3, 0), column_of_sum(3, 0)), std::pair(0, 6));
  EXPECT_EQ(std::pair(row_of_sum(4, 4), column_of_sum(4, 4)), std::pair(1, 8));
  EXPECT_EQ(std::pair(row_of_sum(127, 127), column_of_sum(127, 127)), std::pair(63, 255));
}

// A warp stores pairs by halves of its lanes, and loads fours by quarters: no two in one bank.
TEST(Hopper, HandsSumsOverWithoutBankConflicts) {
  std::set<int> places;
  for (int row = 0; row < kHandedRows; ++row) {
    for (int column = 0; column < kHandedColumns; ++column)
      places.insert(handed_place(row, column));
  }
  EXPECT_EQ(places.size(), static_cast<size_t>(kHandedRows * kHandedColumns));
  EXPECT_EQ(*places.rbegin(), kHandedRows * kHandedColumns - 1);
  for (int i = 0; i < kHandedColumns / 2; i += 2) {
    for (int first = 0; first < kWarp; first += 16) {
      std::set<int> banks;
      for (int lane = first; lane < first + 16; ++lane) {
        const int place = handed_place(row_of_sum(lane, i), column_of_sum(lane, i));
        EXPECT_EQ(place % 2, 0);
        banks.insert({place % 32, (place + 1) % 32});
      }
      EXPECT_EQ(banks.size(), 32u);
    }
  }
  for (int row = 0; row < kHandedRows; ++row) {
    for (int first = 0; first < kHandedColumns; first += 32) {
      std::set<int> banks;
      for (int column = first; column < first + 32; column += 4) {
        const int place = handed_place(row, column);
        EXPECT_EQ(place % 4, 0);
        for (int k = 0; k < 4; ++k) {
          EXPECT_EQ(handed_place(row, column + k), place + k);
          banks.insert((place + k) % 32);
        }
      }
      EXPECT_EQ(banks.size(), 32u);
    }
  }
}

TEST(Hopper, TakesEveryTileOnce) {
  for (const auto& [down, across] : std::vector<std::pair<uint32_t, uint32_t>>{
           {1, 1}, {1, 7}, {7, 1}, {3, 8}, {5, 9}, {64, 32}, {2, 17}}) {
    for (const int columns : {128, 256}) {
      std::set<std::pair<int64_t, int64_t>> seen;
      for (uint32_t unit = 0; unit < 2 * down * across; ++unit) {
        const HopperUnit place = hopper_unit(unit, down, across, columns);
        EXPECT_EQ(place.part, unit / (down * across));
        EXPECT_EQ(place.row % kHopperRows, 0);
        EXPECT_LT(place.row, down * kHopperRows);
        EXPECT_EQ(place.column % columns, 0);
        EXPECT_LT(place.column, int64_t{across} * columns);
        seen.emplace(place.row, place.column);
        EXPECT_EQ(seen.size(), std::min(unit + 1, down * across));
      }
    }
  }
}

TEST(Hopper, IsCutByItsShapeAlone) {
  const auto cut = [](int64_t rows, int64_t columns, int64_t depth) {
    const HopperPlan plan = hopper_plan(rows, columns, depth);
    EXPECT_GE(plan.down * int64_t{kHopperRows}, rows);
    EXPECT_LT((plan.down - 1) * int64_t{kHopperRows}, rows);
    EXPECT_GE(plan.across * int64_t{plan.columns}, columns);
    EXPECT_LT((plan.across - 1) * int64_t{plan.columns}, columns);
    EXPECT_EQ(plan.cut.terms % kHopperTerms, 0);
    EXPECT_GE(plan.cut.count * plan.cut.terms, depth);
    EXPECT_LT((plan.cut.count - 1) * plan.cut.terms, depth);
    return std::pair(plan.columns, int64_t{plan.cut.count});
  };
  EXPECT_EQ(cut(8192, 8192, 8192), std::pair(256, int64_t{1}));
  EXPECT_EQ(cut(2048, 2048, 2048), std::pair(256, int64_t{1}));
  EXPECT_EQ(cut(1024, 1024, 1024), std::pair(128, int64_t{1}));
  EXPECT_EQ(cut(1024, 1024, 2048), std::pair(128, int64_t{2}));
  EXPECT_EQ(cut(256, 64, 802816), std::pair(128, int64_t{66}));  // the weights of a 1x1 filter
  EXPECT_EQ(cut(1, 1, 1), std::pair(128, int64_t{1}));
  for (const int64_t depth : {63, 64, 65, 1023, 2049, 4160, 100'000}) {
    for (const int64_t rows : {1, 200, 5000}) cut(rows, 136, depth);
  }
}

TEST(Hopper, IsForLargeProducts) {
  EXPECT_TRUE(suits_hopper(8192, 8192, 8192));
  EXPECT_TRUE(suits_hopper(2048, 2048, 2048));
  EXPECT_TRUE(suits_hopper(256, 128, 802816));
  EXPECT_FALSE(suits_hopper(1024, 1024, 1024));
  EXPECT_FALSE(suits_hopper(8192, 8192, 64));
  EXPECT_FALSE(suits_hopper(1 << 20, 32, 1024));
  EXPECT_FALSE(suits_hopper(32, 1 << 20, 1024));
  EXPECT_TRUE(fits_hopper(1, 1, 1));
  EXPECT_FALSE(fits_hopper(0, 1, 1));
  EXPECT_FALSE(fits_hopper(1, 0, 1));
  EXPECT_FALSE(fits_hopper(1, 1, 0));
  EXPECT_FALSE(fits_hopper(1, 1, int64_t{1} << 31));
  // What a block of these GPUs may have: 227 KB.
  EXPECT_LE(hopper_shared_bytes(256), 227 << 10);
}

// A matrix at a place aligned to 16 bytes, of rows `step` apart.
struct Matrix {
  int64_t rows, columns, step;
  std::vector<Bf16> memory;
  Bf16* data;

  Matrix(int64_t r, int64_t c, uint32_t seed)
      : rows(r), columns(c), step((c + 7) / 8 * 8 + 8), memory(r * step + 8) {
    data = memory.data();
    while (reinterpret_cast<uintptr_t>(data) % 16 != 0) ++data;
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> number(-1, 1);
    for (Bf16& x : memory) x = to_bf16(number(random));
  }
  HopperMatrix source() const {
    return {Global<const Bf16>(data, rows * step), rows, columns, step};
  }
  // 0 outside.
  float at(int64_t row, int64_t column) const {
    return row < rows && column < columns ? to_float(data[row * step + column]) : 0;
  }
};

// What a box becomes in shared memory is what wgmma takes from there.
template <int extent, bool along_depth>
void expect_found() {
  using Tile = SwizzledTile<extent, along_depth>;
  constexpr int64_t kResults = 400, kDepth = 136;
  const Matrix matrix(along_depth ? kResults : kDepth, along_depth ? kDepth : kResults, 1);
  const TensorMap map = make_tensor_map("test", matrix.source(), Tile::kBoxLines);
  // Inside, and over the edges.
  for (const auto& [result, term] :
       std::vector<std::pair<int32_t, int32_t>>{{128, 64}, {256, 128}, {0, 0}}) {
    constexpr int kPlace = 2 * kSwizzledBytes;
    const Grid grid{.blocks = {}, .threads = {kWarp}, .shared_bytes = kPlace + Tile::kBytes + 8};
    emulation::run(grid, [&, result = result, term = term] {
      const Shared<Bf16> tile = dynamic_shared<Bf16>(kPlace, Tile::kBytes / 2);
      const Shared<uint64_t> barriers = dynamic_shared<uint64_t>(kPlace + Tile::kBytes, 1);
      if (threadIdx.x == 0) set_up_barrier(barriers, 0, 1);
      barrier();
      if (threadIdx.x != 0) return;
      arrive_expecting(barriers, 0, Tile::kBytes);
      for (int i = 0; i < Tile::kBoxes; ++i) {
        const int32_t first = result + i * kLineElements;
        transfer(tile.at(i * (Tile::kBoxBytes / 2)), map, along_depth ? term : first,
                 along_depth ? first : term, barriers, 0);
      }
      wait_for_phase(barriers, 0, 0);
      for (int first = 0; first < extent; first += 64) {
        for (int k = 0; k < kLineElements; k += kTermsOfProduct) {
          const uint64_t descriptor =
              Tile::later(Tile::descriptor(shared_address(tile), first), k / kTermsOfProduct);
          for (int r = 0; r < extent - first; ++r) {
            for (int t = 0; t < kTermsOfProduct; ++t) {
              const int64_t i = result + first + r, j = term + k + t;
              ASSERT_EQ(emulation::element_of(descriptor, along_depth, r, t),
                        along_depth ? matrix.at(i, j) : matrix.at(j, i))
                  << i << ", " << j;
            }
          }
        }
      }
    });
  }
}

TEST(Hopper, FindsWhatIsCopied) {
  expect_found<128, true>();
  expect_found<128, false>();
  expect_found<256, true>();
  expect_found<256, false>();
}

// Nothing comes before it is waited for, and who waits for what never comes is told.
TEST(Hopper, WaitsForWhatComes) {
  const Matrix matrix(64, 64, 1);
  const TensorMap map = make_tensor_map("test", matrix.source(), 64);
  const Grid grid{.blocks = {}, .threads = {kWarp}, .shared_bytes = 64 * kLineBytes + 8};
  const auto run = [&](int expected, bool twice) {
    emulation::run(grid, [&] {
      const Shared<Bf16> tile = dynamic_shared<Bf16>(0, 64 * 64);
      const Shared<uint64_t> barriers = dynamic_shared<uint64_t>(64 * kLineBytes, 1);
      if (threadIdx.x != 0) return;
      set_up_barrier(barriers, 0, 1);
      wait_for_phase(barriers, 0, 1);
      arrive_expecting(barriers, 0, expected);
      transfer(tile, map, 0, 0, barriers, 0);
      EXPECT_TRUE(std::isnan(to_float(tile.data[0])));
      wait_for_phase(barriers, 0, 0);
      EXPECT_EQ(to_float(tile.data[0]), matrix.at(0, 0));
      if (twice) wait_for_phase(barriers, 0, 1);
    });
  };
  run(64 * kLineBytes, false);
  expect_fault("waits for a phase of a barrier", [&] { run(64 * kLineBytes, true); });
  expect_fault("waits for a phase of a barrier", [&] { run(64 * kLineBytes + 16, false); });
}

// Products read what they are given when they are waited for.
TEST(Hopper, MultipliesWhenItIsWaitedFor) {
  const Matrix matrix(128, 64, 1);
  const TensorMap map = make_tensor_map("test", matrix.source(), 128);
  const auto run = [&](bool early) {
    bool is_number = true;
    const Grid grid{.blocks = {}, .threads = {kWarpgroup}, .shared_bytes = 128 * kLineBytes + 8};
    emulation::run(grid, [&] {
      using Tile = SwizzledTile<128, true>;
      const Shared<Bf16> tile = dynamic_shared<Bf16>(0, 128 * 64);
      const Shared<uint64_t> barriers = dynamic_shared<uint64_t>(128 * kLineBytes, 1);
      const auto fill = [&] {
        arrive_expecting(barriers, 0, 128 * kLineBytes);
        transfer(tile, map, 0, 0, barriers, 0);
      };
      if (threadIdx.x == 0) {
        set_up_barrier(barriers, 0, 1);
        fill();
      }
      barrier();
      wait_for_phase(barriers, 0, 0);
      float sums[64];
      const uint64_t operand = Tile::descriptor(shared_address(tile), 0);
      multiply_async<128, true, true>(sums, operand, operand, false);
      commit_products();
      if (!early) wait_for_products<0>(sums);
      barrier();
      if (threadIdx.x == 0) fill();  // over what is being read
      barrier();
      if (early) wait_for_products<0>(sums);
      for (const float sum : sums) is_number = is_number && !std::isnan(sum);
    });
    return is_number;
  };
  EXPECT_TRUE(run(false));
  EXPECT_FALSE(run(true));
}

// The kernel, by blocks that have several units each.
template <int columns, bool a_along_depth, bool b_along_depth>
void expect_multiplies(int64_t rows, int64_t across, int64_t depth, uint32_t parts) {
  SCOPED_TRACE(testing::Message() << rows << " x " << across << " x " << depth << " by tiles of "
                                  << columns << ", " << a_along_depth << ", " << b_along_depth);
  const Matrix a(a_along_depth ? rows : depth, a_along_depth ? depth : rows, 1);
  const Matrix b(b_along_depth ? across : depth, b_along_depth ? depth : across, 2);
  const auto tiles = [](int64_t whole, int64_t part) {
    return static_cast<uint32_t>((whole + part - 1) / part);
  };
  const int64_t step = across + 3;
  std::vector<Bf16> y(rows * step, to_bf16(-7));
  std::vector<float> partial(parts * rows * across, NAN);
  HopperJob<MatrixStages> job{
      .stages = {make_tensor_map("test", a.source(), SwizzledTile<128, a_along_depth>::kBoxLines),
                 make_tensor_map("test", b.source(),
                                 SwizzledTile<columns, b_along_depth>::kBoxLines)},
      .sums = {{}, {}, rows, across, depth, step},
      .terms = tiles(depth, parts * 64) * 64,
      .down = tiles(rows, 128),
      .across = tiles(across, columns),
      .units = 0};
  job.units = job.down * job.across * parts;
  job.sums.finish.y = Global<Bf16>(y.data(), rows * step);
  if (parts > 1) job.sums.parts = Global<float>(partial.data(), parts * rows * across);
  const Grid grid{.blocks = {job.units > 1 ? 2u : 1u},
                  .threads = {kHopperThreads},
                  .shared_bytes = hopper_shared_bytes(columns)};
  emulation::run(grid, [&] {
    product_hopper_kernel<columns, a_along_depth, b_along_depth, MatrixStages>(job);
  });
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < across; ++j) {
      double expected = 0;
      for (int64_t k = 0; k < depth; ++k) {
        expected += double{a_along_depth ? a.at(i, k) : a.at(k, i)} *
                    double{b_along_depth ? b.at(j, k) : b.at(k, j)};
      }
      double actual = to_float(y[i * step + j]);
      if (parts > 1) {
        actual = 0;
        for (uint32_t part = 0; part < parts; ++part) {
          actual += partial[(part * rows + i) * across + j];
        }
      }
      ASSERT_NEAR(actual, expected, parts > 1 ? 1e-4 : 0x1p-8 * std::abs(expected) + 1e-4)
          << i << ", " << j;
    }
    for (int64_t j = across; j < step; ++j) ASSERT_EQ(to_float(y[i * step + j]), -7.0f);
  }
}

template <int columns>
void expect_every_form(int64_t rows, int64_t across, int64_t depth, uint32_t parts) {
  expect_multiplies<columns, true, true>(rows, across, depth, parts);
  expect_multiplies<columns, true, false>(rows, across, depth, parts);
  expect_multiplies<columns, false, false>(rows, across, depth, parts);
}

TEST(Hopper, MultipliesByEveryTileAndForm) {
  expect_every_form<128>(200, 150, 72, 1);
  expect_every_form<256>(136, 264, 40, 1);
}

// More stages than the ring has, in units that do not begin at its first one.
TEST(Hopper, GoesRoundTheRing) {
  expect_multiplies<128, true, true>(140, 260, 6 * 64 - 8, 1);
  expect_multiplies<256, false, false>(70, 80, 11 * 64, 1);
}

TEST(Hopper, LeavesPartsOfSums) {
  expect_multiplies<128, true, false>(130, 132, 5 * 64, 3);
  expect_multiplies<128, false, false>(9, 135, 130, 2);
}

}  // namespace
}  // namespace gatun::cuda
