// What most sources include of the system, read once for each build: it was a third of the time to
// compile them. Sources include what they need all the same.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hwy/targets.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
