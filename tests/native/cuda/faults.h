// That the emulation refuses something.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "cuda/emulation/engine.h"

namespace gatun::cuda {

inline void expect_fault(const std::string& part, const std::function<void()>& body) {
  try {
    body();
    FAIL() << "no fault, expected: " << part;
  } catch (const emulation::Fault& fault) {
    EXPECT_NE(fault.text.find(part), std::string::npos) << fault.text;
  }
}

}  // namespace gatun::cuda
