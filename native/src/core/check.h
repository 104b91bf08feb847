// Checks of arguments. A failed check throws Error, which the exception barrier (abi/guard.h) turns
// into a status and a message. Messages read "[op] what was wrong, with the values".
#pragma once

#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/tensor.h"

namespace gatun {

struct Error : std::exception {
  gt_status status;
  std::string text;

  Error(gt_status s, std::string t) : status(s), text(std::move(t)) {}
  const char* what() const noexcept override { return text.c_str(); }
};

// Parts of a message. Streams would do the same, but bring half a megabyte of locales along.
inline void append(std::string& out, std::string_view text) { out += text; }
inline void append(std::string& out, char character) { out += character; }
inline void append(std::string& out, DType dtype) { out += name_of(dtype); }
inline void append(std::string& out, const Tensor& t) { out += t.to_string(); }
void append(std::string& out, double value);  // six digits, as streams write
template <typename Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
void append(std::string& out, Integer value) {
  out += std::to_string(value);
}

template <typename... Parts>
[[noreturn]] void fail(gt_status status, const Parts&... parts) {
  std::string text;
  (append(text, parts), ...);
  throw Error(status, std::move(text));
}

template <typename... Parts>
void require(bool ok, const Parts&... parts) {
  if (!ok) fail(GT_INVALID_ARGUMENT, parts...);
}

inline bool is_real(DType dtype) { return dtype == DType::F32 || dtype == DType::F64; }
bool same_shape(const Tensor& a, const Tensor& b);
// Have a byte in common.
bool overlap(const Tensor& a, const Tensor& b);

// A tensor given to a check. A nullable argument that is absent (nullptr) passes every check.
struct Operand {
  const Tensor* tensor;
  Operand(const Tensor& t) : tensor(&t) {}
  Operand(const Tensor* t) : tensor(t) {}
};

struct Named {
  const char* name;
  Operand operand;
};

void check_dtype(const char* op, const char* name, Operand t, DType dtype);
// All are f32 or all are f64.
void check_real(const char* op, std::initializer_list<Named> tensors);
// `stored` are all f32, all f64 or all bf16; `summed`, which hold sums over many of their elements,
// have the same dtype, or f32 beside bf16.
void check_floating(const char* op, std::initializer_list<Named> stored,
                    std::initializer_list<Named> summed = {});
void check_rank(const char* op, const char* name, Operand t, int32_t rank);
void check_shape(const char* op, const char* name, Operand t, std::initializer_list<int64_t> dims);
void check_same_shape(const char* op, const char* name_a, Operand a, const char* name_b, Operand b);
void check_no_overlap(const char* op, const char* name_a, Operand a, const char* name_b, Operand b);
// The same memory from the same start with the same size, or no common byte.
void check_in_place_or_disjoint(const char* op, const char* name_a, Operand a, const char* name_b,
                                Operand b);

}  // namespace gatun
