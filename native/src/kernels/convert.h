// Conversion between element types.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "core/bf16.h"
#include "core/check.h"

namespace gatun::kernels {

// Real numbers to integers: toward zero, saturating, NaN to 0. Integers saturate too. f64 to f32
// rounds. bf16 goes by way of f32.
template <typename To, typename From>
constexpr To convert(From from) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_same_v<To, From>) {
    return from;
  } else if constexpr (std::is_same_v<From, Bf16>) {
    return convert<To>(to_float(from));
  } else if constexpr (std::is_same_v<To, Bf16>) {
    return to_bf16(static_cast<float>(from));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(from);
  } else if constexpr (std::is_floating_point_v<From>) {
    // The limits are powers of two, less one at the top: exact bounds are -2^n and 2^n.
    constexpr From low = static_cast<From>(Limits::min());
    constexpr From above = static_cast<From>(Limits::max() / 2 + 1) * 2;
    if (!(from > low)) return from <= low ? Limits::min() : To{0};
    return from >= above ? Limits::max() : static_cast<To>(from);
  } else {
    if constexpr (std::is_signed_v<From>) {
      if (from < From{0} && !(static_cast<int64_t>(from) > static_cast<int64_t>(Limits::min()))) {
        return Limits::min();
      }
    }
    return static_cast<int64_t>(from) > static_cast<int64_t>(Limits::max()) ? Limits::max()
                                                                            : static_cast<To>(from);
  }
}

// Calls f(T{}) with the element type of `dtype`.
template <typename F>
void with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::F32:
      return f(float{});
    case DType::F64:
      return f(double{});
    case DType::I32:
      return f(int32_t{});
    case DType::I64:
      return f(int64_t{});
    case DType::U8:
      return f(uint8_t{});
    case DType::BF16:
      return f(Bf16{});
  }
  fail(GT_INTERNAL, "[device] unknown dtype ", static_cast<int32_t>(dtype));
}

}  // namespace gatun::kernels
