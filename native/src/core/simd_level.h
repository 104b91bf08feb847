// The SIMD instruction set that kernels choose when they run, by Highway's names: "AVX3", "AVX2",
// "SSE4", "NEON"... Above them stands "AMX": the best of those, and the tile unit beside it.
#pragma once

#include <string>

namespace gatun {

// The best one that is compiled in, that this machine has and that the limit allows.
std::string simd_level();

// Refuses a processor that has none of the levels that are compiled in.
void require_simd_level(const char* op);

// Uses nothing better than `level`; "" lifts the limit. Process-wide.
void limit_simd_level(const std::string& level);

// Whether the tile unit (AMX, on bf16) is there, the system lets this process use it, and the limit
// allows it. The first call asks the system.
bool may_use_tiles();

}  // namespace gatun
