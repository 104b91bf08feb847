// Cuts a long range into tasks of a fixed size, so that the cut does not depend on the number of
// threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/launcher.h"

namespace gatun::kernels {

// For work of about a nanosecond per element: a task takes some microseconds, small tensors are one
// task and stay in the calling thread.
constexpr int64_t ELEMENTS_PER_TASK = 16 * 1024;

// One section that calls body(begin, end) for consecutive parts of [0, count), each of `grain`
// elements or less.
template <typename F>
void parallel_ranges(Launcher& launcher, int64_t count, int64_t grain, F body) {
  launcher.parallel((count + grain - 1) / grain,
                    [count, grain, body = std::move(body)](const Context&, int64_t task) {
                      body(task * grain, std::min(count, (task + 1) * grain));
                    });
}

// The same over rows of `row_size` elements, with as many rows in a task as make up
// ELEMENTS_PER_TASK.
template <typename F>
void parallel_rows(Launcher& launcher, int64_t rows, int64_t row_size, F body) {
  const int64_t grain = std::max<int64_t>(1, ELEMENTS_PER_TASK / std::max<int64_t>(1, row_size));
  parallel_ranges(launcher, rows, grain, std::move(body));
}

}  // namespace gatun::kernels
