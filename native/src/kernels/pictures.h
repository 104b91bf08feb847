// Batches of pictures from a data set in memory, changed at random on the way. The contract is in
// gatun.h.
#pragma once

#include "core/launcher.h"
#include "core/philox.h"
#include "core/tensor.h"

namespace gatun::kernels {

// How pictures are changed.
struct PictureRule {
  int32_t pad;      // black pixels on all sides
  bool crop, flip;  // a window at a random place; left and right exchanged
  int32_t cutout;   // side of a square; 0 for none
  int32_t grey;     // what fills it
  int64_t seed;
};

constexpr int32_t kPictureLevels = 256;  // of a byte

void gather_pictures(Launcher& launcher, const Tensor& y, const Tensor& pictures,
                     const Tensor& indices, const Tensor& values, const Tensor& epoch,
                     const PictureRule& rule);

// The words of a Philox stream, one after the other.
class PhiloxWords {
 public:
  constexpr PhiloxWords(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  constexpr uint32_t next() {
    if (used_ == 4) {
      block_ = philox_block(seed_, stream_, index_++);
      used_ = 0;
    }
    return block_[used_++];
  }
  // A number in [0, bound), each equally likely (Lemire, "Fast Random Integer Generation in an
  // Interval", 2019).
  constexpr int32_t below(int32_t bound) {
    const auto n = static_cast<uint32_t>(bound);
    uint64_t product = uint64_t{next()} * n;
    if (static_cast<uint32_t>(product) < n) {
      const auto rejected = static_cast<uint32_t>((uint64_t{1} << 32) % n);
      while (static_cast<uint32_t>(product) < rejected) product = uint64_t{next()} * n;
    }
    return static_cast<int32_t>(product >> 32);
  }

 private:
  uint64_t seed_, stream_, index_ = 0;
  PhiloxBlock block_{};
  uint32_t used_ = 4;
};

// What was drawn for one picture: where in it the batch's picture begins, with its padding outside;
// and the square that is cut out of the result.
struct PictureChange {
  int32_t top, left;
  int32_t cut_top, cut_left;
  int32_t flipped;

  // Of a picture of `rows` x `columns`, padded, that becomes one of `height` x `width`.
  static constexpr PictureChange draw(const PictureRule& rule, int64_t epoch, int32_t index,
                                      int64_t rows, int64_t columns, int64_t height,
                                      int64_t width) {
    PhiloxWords words(static_cast<uint64_t>(rule.seed),
                      static_cast<uint64_t>(epoch) << 32 | static_cast<uint32_t>(index));
    PictureChange change{-rule.pad, -rule.pad, 0, 0, 0};
    if (rule.crop) {
      change.top += words.below(static_cast<int32_t>(rows + 2 * rule.pad - height + 1));
      change.left += words.below(static_cast<int32_t>(columns + 2 * rule.pad - width + 1));
    }
    if (rule.flip) change.flipped = (words.next() >> 31) == 0 ? 1 : 0;
    if (rule.cutout > 0) {
      change.cut_top = words.below(static_cast<int32_t>(height)) - rule.cutout / 2;
      change.cut_left = words.below(static_cast<int32_t>(width)) - rule.cutout / 2;
    }
    return change;
  }

  constexpr bool is_cut(const PictureRule& rule, int64_t row, int64_t column) const {
    return row >= cut_top && row - cut_top < rule.cutout && column >= cut_left &&
           column - cut_left < rule.cutout;
  }
  constexpr int64_t source_row(int64_t row) const { return top + row; }
  constexpr int64_t source_column(int64_t column, int64_t width) const {
    return left + (flipped != 0 ? width - 1 - column : column);
  }
};

}  // namespace gatun::kernels
