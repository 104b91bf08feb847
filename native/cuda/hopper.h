// What GPUs of compute capability 9.0 have beside primitives.h: tiles that the copy engine (TMA)
// brings, barriers that count its bytes, and products by four warps at once (wgmma). There are two
// of each, as of the primitives.
//
//   TensorMap, make_tensor_map()   a matrix, filters or images, and what is copied of it at a time
//   transfer(to, map, column, row, barriers, i)   a box to shared memory; zeros outside the matrix
//   transfer(to, map, channel, tap, filter, barriers, i)   the same of filters
//   transfer(to, map, window, tap, barriers, i)   a tap of windows that follow each other
//   set_up_barrier(), barriers_are_ready(), arrive(), arrive_expecting(), wait_for_phase()
//   multiply_async<columns, ...>(sums, a, b, add)   64 rows by `columns` sums of 16 terms
//   begin_products(), commit_products(), wait_for_products<pending>(sums)
//   take_registers<n>(), give_registers<n>()   of a thread of all four warps
//   ensure(truth)   the kernel fails otherwise
//
// A tile lies in shared memory as both the copy engine and wgmma know it: lines of 128 bytes, 64
// bf16; line i has its chunk c of 16 bytes at c ^ i % 8, wherever the tile begins at a multiple of
// 1024 bytes (the 128-byte swizzle: bits 4-6 of an address are changed by its bits 7-9).
#pragma once

#include "cuda/kernels/conv_copies.h"
#include "cuda/kernels/tile.h"

namespace gatun::cuda {

constexpr int kWarpgroup = 4 * kWarp;
constexpr int kLineBytes = 128;
constexpr int kLineElements = kLineBytes / 2;   // bf16
constexpr int kSwizzledBytes = 8 * kLineBytes;  // after so many the pattern repeats
constexpr int kTermsOfProduct = 16;             // of multiply_async

// The first tap of a window, which begins at a channel; and how far a tap is from the first one.
struct WindowCorner {
  int32_t channel, column, row, image;
};
struct TapOffset {
  int32_t column, row;
};

// What wgmma is told of an operand in shared memory (PTX ISA, "Matrix Descriptor Format"): bits
// 0-13 where it begins, 16-29 the leading, 32-45 the stride dimension's byte offset, each without
// its last 4 bits; 49-51 are 0 where the pattern begins at a multiple of 1024 bytes; 62-63 are 1
// for the 128-byte swizzle.
constexpr uint64_t matrix_descriptor(uint32_t address, uint32_t leading, uint32_t stride) {
  constexpr uint32_t kBits = 0x3ffff;
  return uint64_t{(address & kBits) >> 4} | uint64_t{(leading & kBits) >> 4} << 16 |
         uint64_t{(stride & kBits) >> 4} << 32 | uint64_t{1} << 62;
}

// A tile of `extent` results by 64 terms of bf16, and how wgmma finds 16 terms of it.
template <int extent, bool along_depth>
struct SwizzledTile {
  static constexpr int kTerms = kLineElements;
  static constexpr int kBytes = extent * kTerms * 2;
  // Along depth a line is a result's 64 terms, and one box has all results. Along results a line is
  // 64 results of a term, and a box has 64 terms of these; boxes follow each other.
  static constexpr int kBoxLines = along_depth ? extent : kTerms;
  static constexpr int kBoxes = along_depth ? 1 : extent / kLineElements;
  static constexpr int kBoxBytes = kBoxLines * kLineBytes;
  // Along depth ("K-major", canonical ((8,m),(8,2)):((64,SBO),(1,8)) in elements): eight results
  // are eight lines, the next eight follow; the leading offset is not used and is to be 1, encoded.
  // Along results ("MN-major", ((8,8,m),(8,2)):((1,8,LBO),(64,SBO))): eight terms are eight lines,
  // the next eight follow; 64 results further is the next box.
  static constexpr uint32_t kLeading = along_depth ? 16 : kBoxBytes;
  static constexpr uint32_t kStride = kSwizzledBytes;
  // The next 16 terms: 32 bytes on in the same lines, or 16 lines on.
  static constexpr uint32_t kNextTerms =
      along_depth ? kTermsOfProduct * 2 : kTermsOfProduct * kLineBytes;
  static_assert(extent % kLineElements == 0 && kBoxBytes % kSwizzledBytes == 0);

  // Of the first 16 terms, of results from `first` on, a multiple of 64: whole lines along depth,
  // whole boxes along results, which are as many bytes.
  static constexpr uint64_t descriptor(uint32_t tile_address, int first) {
    return matrix_descriptor(tile_address + static_cast<uint32_t>(first) * kLineBytes, kLeading,
                             kStride);
  }
  // Of the k-th 16 terms. There is too little shared memory for a carry out of the address.
  static constexpr uint64_t later(uint64_t descriptor, int k) {
    return descriptor + static_cast<uint32_t>(k) * (kNextTerms >> 4);
  }
};

// Where thread `thread` of a warpgroup has its i-th sum of a product (PTX ISA, accumulator D of
// .m64nNk16): a warp has 16 rows, a quarter of its lanes' pairs of columns lie side by side, and
// the second pair of four is of the row 8 further down.
constexpr int row_of_sum(int thread, int i) {
  return thread / kWarp * 16 + thread % kWarp / 4 + i / 2 % 2 * 8;
}
constexpr int column_of_sum(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

}  // namespace gatun::cuda

#if defined(GATUN_CUDA_EMULATION)
#include "cuda/emulation/hopper.h"
#else
#include "cuda/hopper_gpu.h"
#endif
