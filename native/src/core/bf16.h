// bf16, the upper half of an f32: a type to store numbers in, never to compute with.
#pragma once

#include <bit>
#include <cstdint>

namespace gatun {

struct Bf16 {
  uint16_t bits = 0;
};

constexpr float to_float(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

// To nearest, ties to even; NaN stays NaN, and keeps its sign.
constexpr Bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return {static_cast<uint16_t>((x != x ? bits | 0x400000 : rounded) >> 16)};
}

}  // namespace gatun
