// The primitives of hopper.h on the host. What is asynchronous happens as late as it may: a box
// comes when its barrier is waited for, and until then its place is poison; a product reads its
// operands when it is waited for.
#pragma once

#include <cstddef>
#include <vector>

#include "cuda/emulation/engine.h"

#define __grid_constant__

namespace gatun::cuda {

// A tensor of up to four dimensions, the innermost one first, and how it is copied: by boxes, or as
// windows see it (im2col). All sizes are in elements.
struct TensorMap {
  enum class Mode { TILED, IM2COL };

  // The box in which windows' first taps lie along an axis: from `lower` on, up to `upper` from the
  // last pixel.
  struct Corners {
    int64_t lower, upper, step;
  };

  Global<const Bf16> data;
  int rank;
  int64_t size[4], step[4];
  int lines;  // that are copied at a time
  Mode mode = Mode::TILED;
  Corners columns = {}, rows = {};

  // 0 outside.
  Bf16 at(int64_t i, int64_t j, int64_t k = 0, int64_t l = 0) const {
    const int64_t place[] = {i, j, k, l};
    int64_t index = 0;
    for (int d = 0; d < 4; ++d) {
      if (place[d] < 0 || place[d] >= size[d]) return {};
      index += place[d] * step[d];
    }
    return data[index];
  }
};

namespace emulation {

// Refuses what cuTensorMapEncode... would.
void check_map(const TensorMap& map);

}  // namespace emulation

inline TensorMap make_tensor_map(const char*, const MatrixSource<Bf16>& matrix, int lines) {
  const TensorMap map{
      matrix.data, 2, {matrix.columns, matrix.rows, 1, 1}, {1, matrix.row_step}, lines};
  emulation::check_map(map);
  return map;
}
inline TensorMap make_tensor_map(const char*, const FilterBank& bank, int lines) {
  const TensorMap map{bank.data,
                      3,
                      {bank.channels, bank.taps, bank.filters, 1},
                      {1, bank.channels, bank.taps * bank.channels},
                      lines};
  emulation::check_map(map);
  return map;
}
inline TensorMap make_tensor_map(const char*, const WindowedImages& x, int lines) {
  const int64_t row = x.columns.size * x.channels;
  const TensorMap map{x.data,
                      4,
                      {x.channels, x.columns.size, x.rows.size, x.images},
                      {1, x.channels, row, x.rows.size * row},
                      lines,
                      TensorMap::Mode::IM2COL,
                      {x.columns.first, upper_corner(x.columns), x.columns.step},
                      {x.rows.first, upper_corner(x.rows), x.rows.step}};
  emulation::check_map(map);
  return map;
}

namespace emulation {

// Where it lies in the block's memory.
inline uint32_t offset_in_shared(const void* at) {
  return static_cast<uint32_t>(static_cast<const std::byte*>(at) - dynamic_shared(0, 0));
}
// As the copy engine and wgmma change an address.
constexpr uint32_t swizzled(uint32_t address) { return address ^ (address >> 7 & 7) << 4; }

void set_up_barrier(void* barrier, int arrivals);
void arrive(void* barrier, int bytes);
void wait_for_phase(void* barrier, uint32_t parity);
// Copies a box of `bytes` by copy() when the barrier is waited for.
void transfer(std::byte* to, void* barrier, int bytes, std::function<void()> copy);

void multiply_async(std::function<void()> product);
void commit_products();
void wait_for_products(int pending);

// Element of a descriptor's matrix: of `result`, `term`.
inline float element_of(uint64_t descriptor, bool along_depth, int result, int term) {
  const auto field = [&](int bit) {
    return static_cast<uint32_t>(descriptor >> bit & 0x3fff) << 4;
  };
  if (descriptor >> 62 != 1 || (descriptor >> 46 & 0xffff) != 0) {
    fault("wgmma: a descriptor of another swizzle or with a base offset");
  }
  const uint32_t leading = field(16), stride = field(32);
  const auto r = static_cast<uint32_t>(result), t = static_cast<uint32_t>(term);
  const uint32_t offset = along_depth
                              ? r % 8 * 128 + r / 8 * stride + t * 2
                              : r % 64 * 2 + r / 64 * leading + t % 8 * 128 + t / 8 * stride;
  Bf16 value;
  std::memcpy(static_cast<void*>(&value), dynamic_shared(swizzled(field(0) + offset), 2), 2);
  return to_float(value);
}

}  // namespace emulation

template <typename T>
uint32_t shared_address(Shared<T> at) {
  return emulation::offset_in_shared(at.data);
}

inline void ensure(bool truth) {
  if (!truth) emulation::fault("ensure: it is not so");
}

// ---- The copy engine

namespace emulation {

// Copies element(i, j) to line i.
template <typename Element>
void transfer(Shared<Bf16> to, const TensorMap& map, TensorMap::Mode mode, int rank,
              Shared<uint64_t> barriers, int i, Element element) {
  const int bytes = map.lines * kLineBytes;
  const uint32_t place = shared_address(to);
  to.check(0, bytes / 2);
  if (place % kSwizzledBytes != 0) fault("transfer: to no multiple of 1024 bytes");
  if (map.mode != mode || map.rank != rank) fault("transfer: by a map of another form");
  transfer(reinterpret_cast<std::byte*>(to.data), barriers.check(i, 1), bytes,
           [=, lines = map.lines] {
             for (int r = 0; r < lines; ++r) {
               for (int c = 0; c < kLineElements; ++c) {
                 const Bf16 value = element(r, c);
                 const auto offset = static_cast<uint32_t>(r * kLineBytes + c * 2);
                 std::memcpy(dynamic_shared(swizzled(place + offset), 2), &value, 2);
               }
             }
           });
}

// Where the first taps of as many windows as are copied lie, from one on: along the box's columns,
// then its rows, then images.
std::vector<WindowCorner> corners_from(const TensorMap& map, const WindowCorner& first);

}  // namespace emulation

inline void transfer(Shared<Bf16> to, const TensorMap& map, int32_t column, int32_t row,
                     Shared<uint64_t> barriers, int i) {
  emulation::transfer(to, map, TensorMap::Mode::TILED, 2, barriers, i,
                      [=](int r, int c) { return map.at(column + c, row + r); });
}
inline void transfer(Shared<Bf16> to, const TensorMap& map, int32_t channel, int32_t tap,
                     int32_t filter, Shared<uint64_t> barriers, int i) {
  emulation::transfer(to, map, TensorMap::Mode::TILED, 3, barriers, i,
                      [=](int r, int c) { return map.at(channel + c, tap, filter + r); });
}
inline void transfer(Shared<Bf16> to, const TensorMap& map, const WindowCorner& window,
                     const TapOffset& tap, Shared<uint64_t> barriers, int i) {
  for (const int32_t offset : {tap.column, tap.row}) {
    if (offset < 0 || offset > 255) emulation::fault("transfer: a tap's offset beyond 8 bits");
  }
  emulation::transfer(to, map, TensorMap::Mode::IM2COL, 4, barriers, i,
                      [=, corners = emulation::corners_from(map, window)](int r, int c) {
                        const WindowCorner& at = corners[r];
                        return map.at(at.channel + c, at.column + tap.column, at.row + tap.row,
                                      at.image);
                      });
}
inline void prefetch(const TensorMap&) {}

// ---- Barriers

inline void set_up_barrier(Shared<uint64_t> barriers, int i, int arrivals) {
  emulation::set_up_barrier(barriers.check(i, 1), arrivals);
}
inline void barriers_are_ready() {}
inline void arrive(Shared<uint64_t> barriers, int i) { emulation::arrive(barriers.check(i, 1), 0); }
inline void arrive_expecting(Shared<uint64_t> barriers, int i, int bytes) {
  emulation::arrive(barriers.check(i, 1), bytes);
}
inline void wait_for_phase(Shared<uint64_t> barriers, int i, uint32_t parity) {
  emulation::wait_for_phase(barriers.check(i, 1), parity);
}

// ---- Products

inline void begin_products() {}
inline void commit_products() { emulation::commit_products(); }
template <int pending, int count>
void wait_for_products(float (&)[count]) {
  emulation::wait_for_products(pending);
}

template <int columns, bool a_along_depth, bool b_along_depth>
void multiply_async(float (&sums)[columns / 2], uint64_t a, uint64_t b, bool add) {
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
  emulation::multiply_async([=, d = &sums[0]] {
    // Of four sums after each other the first and the third are of one column, and of all sums
    // there are two rows.
    float left[2][kTermsOfProduct], right[kTermsOfProduct];
    for (int half = 0; half < 2; ++half) {
      for (int k = 0; k < kTermsOfProduct; ++k) {
        left[half][k] = emulation::element_of(a, a_along_depth, row_of_sum(thread, 2 * half), k);
      }
    }
    for (int i = 0; i < columns / 2; i += i % 2 == 0 ? 1 : 3) {
      for (int k = 0; k < kTermsOfProduct; ++k) {
        right[k] = emulation::element_of(b, b_along_depth, column_of_sum(thread, i), k);
      }
      for (int half = 0; half < 2; ++half) {
        float& sum = d[i + 2 * half];
        if (!add) sum = 0;
        for (int k = 0; k < kTermsOfProduct; ++k) sum += left[half][k] * right[k];
      }
    }
  });
}

template <int count>
void take_registers() {}
template <int count>
void give_registers() {}

}  // namespace gatun::cuda
