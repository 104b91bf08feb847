// Batches of pictures from a data set in memory.
#include "kernels/pictures.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "gatun.h"
#include "support.h"

namespace gatun::test {
namespace {

using kernels::kPictureLevels;
using kernels::PhiloxWords;
using kernels::PictureChange;
using kernels::PictureRule;

// Those of RandomStream in Java, which the loader draws from.
TEST(Pictures, DrawsNumbersAsTheLoaderDoes) {
  PhiloxWords words(7, uint64_t{3} << 32 | 5);
  const PhiloxBlock first = philox_block(7, uint64_t{3} << 32 | 5, 0);
  for (const uint32_t word : first) EXPECT_EQ(words.next(), word);
  EXPECT_EQ(words.next(), philox_block(7, uint64_t{3} << 32 | 5, 1)[0]);
  PhiloxWords numbers(7, uint64_t{3} << 32 | 5);
  EXPECT_EQ(numbers.below(9), static_cast<int32_t>(uint64_t{first[0]} * 9 >> 32));
  EXPECT_EQ(numbers.below(1), 0);
}

// Every place of a window, every middle of a square, and both sides come up, none too often.
TEST(Pictures, DrawsEveryChange) {
  const PictureRule rule{.pad = 2, .crop = true, .flip = true, .cutout = 3, .grey = 0, .seed = 11};
  std::set<int> tops, lefts, cut_tops, cut_lefts;
  int flipped = 0;
  for (int32_t index = 0; index < 2000; ++index) {
    const auto change = PictureChange::draw(rule, 4, index, 6, 8, 7, 5);
    tops.insert(change.top);
    lefts.insert(change.left);
    cut_tops.insert(change.cut_top);
    cut_lefts.insert(change.cut_left);
    flipped += change.flipped;
  }
  EXPECT_EQ(tops, (std::set<int>{-2, -1, 0, 1}));
  EXPECT_EQ(lefts, (std::set<int>{-2, -1, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(cut_tops, (std::set<int>{-1, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(cut_lefts, (std::set<int>{-1, 0, 1, 2, 3}));
  EXPECT_NEAR(flipped, 1000, 100);
}

class PicturesTest : public testing::Test {
 protected:
  static constexpr int64_t kCount = 3, kRows = 4, kColumns = 5, kChannels = 2;

  PicturesTest() {
    for (int64_t i = 0; i < bytes.count(); ++i) bytes[i] = static_cast<uint8_t>(i + 1);
    for (int64_t i = 0; i < levels.count(); ++i) levels[i] = static_cast<float>(i);
  }

  // What the instruction writes for pictures 2, -1 and 1.
  Array<float> gather(const PictureRule& rule, int64_t height, int64_t width) {
    const TestTensor<uint8_t> pictures(device, bytes);
    const TestTensor<int32_t> indices(device, Array<int32_t>({3}, {2, -1, 1}));
    const TestTensor<float> values(device, levels), y(device, Dims{3, height, width, kChannels});
    const TestTensor<int64_t> epoch(device, Array<int64_t>({}, {6}));
    EXPECT_OK(gt_gather_pictures(device.stream(), y, pictures, indices, values, epoch, rule.pad,
                                 rule.crop, rule.flip, rule.cutout, rule.grey, rule.seed));
    return y.read();
  }
  // The value of a byte of a picture; black outside.
  float value(int64_t picture, int64_t row, int64_t column, int64_t channel) const {
    const bool inside = row >= 0 && row < kRows && column >= 0 && column < kColumns;
    const int64_t at = ((picture * kRows + row) * kColumns + column) * kChannels + channel;
    return levels[channel * kPictureLevels + (inside ? bytes[at] : 0)];
  }

  TestDevice device{2};
  Array<uint8_t> bytes{{kCount, kRows, kColumns, kChannels}};
  Array<float> levels{{kChannels, kPictureLevels}};
};

TEST_F(PicturesTest, LooksBytesUp) {
  const Array<float> y = gather({}, kRows, kColumns);
  constexpr int64_t kEach = kRows * kColumns * kChannels;
  for (int64_t e = 0; e < kEach; ++e) {
    const int64_t c = e % kChannels, w = e / kChannels % kColumns, h = e / kChannels / kColumns;
    EXPECT_EQ(y[e], value(2, h, w, c));
    EXPECT_EQ(y[kEach + e], 0);  // an index that names no picture
    EXPECT_EQ(y[2 * kEach + e], value(1, h, w, c));
  }
}

TEST_F(PicturesTest, ChangesPicturesAsDrawn) {
  constexpr int64_t kHeight = 5, kWidth = 4;
  for (int64_t seed = 0; seed < 40; ++seed) {
    const PictureRule rule{
        .pad = 1, .crop = true, .flip = true, .cutout = 2, .grey = 99, .seed = seed};
    const Array<float> y = gather(rule, kHeight, kWidth);
    for (const auto& [place, index] : {std::pair<int64_t, int32_t>{0, 2}, {2, 1}}) {
      const auto change = PictureChange::draw(rule, 6, index, kRows, kColumns, kHeight, kWidth);
      for (int64_t e = 0; e < kHeight * kWidth * kChannels; ++e) {
        const int64_t c = e % kChannels, w = e / kChannels % kWidth, h = e / kChannels / kWidth;
        const bool cut = h >= change.cut_top && h < change.cut_top + 2 && w >= change.cut_left &&
                         w < change.cut_left + 2;
        const int64_t column = change.flipped ? kWidth - 1 - w : w;
        const float expected = cut ? levels[c * kPictureLevels + 99]
                                   : value(index, change.top + h, change.left + column, c);
        ASSERT_EQ(y[place * kHeight * kWidth * kChannels + e], expected) << seed << ", " << e;
      }
    }
  }
}

}  // namespace
}  // namespace gatun::test
