#pragma once

namespace gatun::bench {

// Multiply-add FLOPs per second that one core reaches now, in registers alone, at the best SIMD
// level: the ceiling of every product. Takes about `seconds` of the calling thread's time.
double fma_peak(double seconds);

// CPU time of the calling thread in seconds. On a busy machine the ratio of two such times is
// steadier than that of two times on the wall.
double thread_seconds();

}  // namespace gatun::bench
