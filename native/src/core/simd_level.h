// The SIMD instruction set that kernels choose when they run, by Highway's names: "AVX3", "AVX2",
// "SSE4", "NEON"...
#pragma once

#include <string>

namespace gatun {

// The best one that is compiled in, that this machine has and that the limit allows.
std::string simd_level();

// Uses nothing better than `level`; "" lifts the limit. Process-wide.
void limit_simd_level(const std::string& level);

}  // namespace gatun
