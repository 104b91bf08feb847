// Where threads run.
#pragma once

#include <span>
#include <thread>
#include <vector>

namespace gatun {

// The processors the calling thread may run on, ascending; empty where the system does not say.
std::vector<int> allowed_processors();

// Where the calling thread runs at the moment, or -1.
int current_processor();

// Lets a thread run on these processors alone; false if the system refuses.
bool allow_processors(std::thread& thread, std::span<const int> processors);

}  // namespace gatun
