// The exception barrier: the only way from a C function into C++. No exception leaves the library.
#pragma once

#include <utility>

#include "gatun.h"

namespace gatun {

// Keeps the message of the exception in flight for gt_last_error_message, and gives its status.
gt_status report_current_exception() noexcept;

template <typename F>
gt_status guard(F&& body) noexcept {
  try {
    std::forward<F>(body)();
    return GT_OK;
  } catch (...) {
    return report_current_exception();
  }
}

}  // namespace gatun
