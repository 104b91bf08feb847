// Which arguments may share memory.
#pragma once

#include <initializer_list>

#include "core/check.h"

namespace gatun {

// No output shares memory with an input, save the pairs that a contract names "in place", which the
// caller checks apart. (`instruction` keeps outputs apart from each other.)
inline void check_disjoint(const char* op, std::initializer_list<Named> outputs,
                           std::initializer_list<Named> inputs) {
  for (const Named& out : outputs) {
    for (const Named& in : inputs) {
      check_no_overlap(op, out.name, out.operand, in.name, in.operand);
    }
  }
}

}  // namespace gatun
