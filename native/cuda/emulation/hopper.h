// The primitives of hopper.h on the host. What is asynchronous happens as late as it may: a box
// comes when its barrier is waited for, and until then its place is poison; a product reads its
// operands when it is waited for.
#pragma once

#include <cstddef>

#include "cuda/emulation/engine.h"

#define __grid_constant__

namespace gatun::cuda {

struct TensorMap {
  MatrixSource<Bf16> matrix;
  int lines;  // of a box
};

inline TensorMap make_tensor_map(const char*, const MatrixSource<Bf16>& matrix, int lines) {
  if (reinterpret_cast<uintptr_t>(matrix.data.data) % 16 != 0 || matrix.row_step % 8 != 0 ||
      matrix.rows < 1 || matrix.columns < 1 || lines < 1 || lines > 256) {
    throw emulation::Fault{"a matrix that the copy engine cannot read"};
  }
  return {matrix, lines};
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

inline void transfer(Shared<Bf16> to, const TensorMap& map, int32_t column, int32_t row,
                     Shared<uint64_t> barriers, int i) {
  const int bytes = map.lines * kLineBytes;
  const uint32_t place = shared_address(to);
  to.check(0, bytes / 2);
  if (place % kSwizzledBytes != 0) emulation::fault("transfer: to no multiple of 1024 bytes");
  emulation::transfer(
      reinterpret_cast<std::byte*>(to.data), barriers.check(i, 1), bytes, [=, box = map] {
        for (int r = 0; r < box.lines; ++r) {
          for (int c = 0; c < kLineElements; ++c) {
            const int64_t line = box.matrix.line(row + r);
            const int64_t at = box.matrix.at(line, box.matrix.position(column + c));
            const Bf16 value = at < 0 ? Bf16{} : Bf16(box.matrix.data[at]);
            const auto offset = static_cast<uint32_t>(r * kLineBytes + c * 2);
            std::memcpy(emulation::dynamic_shared(emulation::swizzled(place + offset), 2), &value,
                        2);
          }
        }
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
