// Counts what the whole test program, all libraries in it included, takes from the heap.
#pragma once

#include <atomic>
#include <cstdint>

namespace gatun::test {

extern std::atomic<int64_t> heap_allocations;

}  // namespace gatun::test
