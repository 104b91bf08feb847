// Passes over pictures [images, rows, channels] that have something to do for each channel. A block
// takes some neighbouring channels of a part of the rows of a picture, a thread a pack of channels
// and every so many rows. How pictures are cut follows from their shape alone.
#pragma once

#include <algorithm>

#include "cuda/kernels/packs.h"

namespace gatun::cuda {

constexpr int kChannelThreads = 256;

struct Channels {
  int64_t images, rows, channels;
  int lanes;       // threads side by side along the channels, a power of two
  int64_t chunks;  // of channels
  int64_t parts;   // of rows
  int64_t rows_per_part;

  // `width` channels to a thread.
  Channels(int64_t images, int64_t rows, int64_t channels, int width)
      : images(images), rows(rows), channels(channels), lanes(1) {
    while (lanes < kWarp && int64_t{lanes} * width < channels) lanes *= 2;
    const int64_t each = int64_t{lanes} * width;
    chunks = (channels + each - 1) / each;
    // Enough blocks to fill a large GPU, and some rows for each thread.
    constexpr int64_t kMostBlocks = 1024, kRowsEach = 8;
    const int64_t most = kMostBlocks / std::max<int64_t>(1, chunks * images);
    parts = std::max<int64_t>(1, std::min(most, rows / (groups() * kRowsEach)));
    rows_per_part = std::max<int64_t>(1, (rows + parts - 1) / parts);
    // None is empty, as a mean is taken of each.
    parts = std::max<int64_t>(1, (rows + rows_per_part - 1) / rows_per_part);
  }

  __host__ __device__ int groups() const { return kChannelThreads / lanes; }
  Grid grid() const {
    return {.blocks = {static_cast<uint32_t>(images * parts * chunks)},
            .threads = {kChannelThreads}};
  }
  // How many rows a part has.
  __device__ int64_t rows_of(int64_t part) const {
    const int64_t left = rows - part * rows_per_part;
    return left < 0 ? 0 : left < rows_per_part ? left : rows_per_part;
  }
};

// A thread's share of such a pass.
struct ChannelShare {
  int64_t image, part, channel;  // the first channel of its pack, which may lie beyond the last one
  int64_t row, end;              // its first row, and where the part ends
  int64_t step;                  // to its next row

  // A pass after another one goes `backwards`: what was read last is still in the cache.
  __device__ ChannelShare(const Channels& s, int width, bool backwards = false) {
    const int thread = static_cast<int>(threadIdx.x);
    int64_t block = backwards ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
    channel = (block % s.chunks * s.lanes + thread % s.lanes) * width;
    block /= s.chunks;
    part = block % s.parts;
    image = block / s.parts;
    const int64_t begin = part * s.rows_per_part;
    row = begin + thread / s.lanes;
    end = begin + s.rows_of(part);
    step = s.groups();
    if (channel >= s.channels) row = end;
  }
  // Where a row's pack lies.
  __device__ int64_t at(const Channels& s, int64_t r) const {
    return (image * s.rows + r) * s.channels + channel;
  }
};

// use(row, load(row)) for a thread's rows; some are loaded before the first is used, so that the
// memory has something to do. Value is what load gives.
template <typename Value, typename Load, typename Use>
__device__ void for_rows(const ChannelShare& share, Load load, Use use) {
  constexpr int kAtOnce = 4;
  for (int64_t row = share.row; row < share.end; row += kAtOnce * share.step) {
    Value values[kAtOnce] = {};
    GATUN_UNROLL
    for (int u = 0; u < kAtOnce; ++u) {
      const int64_t r = row + u * share.step;
      if (r < share.end) values[u] = load(r);
    }
    GATUN_UNROLL
    for (int u = 0; u < kAtOnce; ++u) {
      const int64_t r = row + u * share.step;
      if (r < share.end) use(r, values[u]);
    }
  }
}

}  // namespace gatun::cuda
