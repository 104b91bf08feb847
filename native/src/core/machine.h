// What this process may use of the machine.
#pragma once

#include <cstdint>

namespace gatun {

// Processors in the affinity mask, not more than the CPU quota of the control group rounded up. At
// least 1.
int available_processors();

// Bytes of physical memory, or the control group's limit if that is lower.
int64_t available_memory();

// Bytes of the last-level cache that a core shares, asked once; 32 MiB where the system does not
// say.
int64_t last_level_cache();

}  // namespace gatun
