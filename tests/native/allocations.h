// Counts what the whole test program, the library in it, takes from the heap by operator new.
#pragma once

#include <atomic>
#include <cstdint>

namespace gatun::test {

extern std::atomic<int64_t> heap_allocations;

}  // namespace gatun::test
