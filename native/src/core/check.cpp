#include "core/check.h"

#include <algorithm>
#include <cstdio>

namespace gatun {

void append(std::string& out, double value) {
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%g", value);
  out += digits;
}

bool same_shape(const Tensor& a, const Tensor& b) {
  return a.rank == b.rank && std::equal(a.dims.begin(), a.dims.begin() + a.rank, b.dims.begin());
}

bool overlap(const Tensor& a, const Tensor& b) {
  const auto* a_begin = a.as<std::byte>();
  const auto* b_begin = b.as<std::byte>();
  return a.count > 0 && b.count > 0 && a_begin < b_begin + b.bytes() &&
         b_begin < a_begin + a.bytes();
}

void check_dtype(const char* op, const char* name, Operand t, DType dtype) {
  if (t.tensor == nullptr) return;
  require(t.tensor->dtype == dtype, "[", op, "] ", name, " must be ", dtype, ", but is ",
          *t.tensor);
}

void check_real(const char* op, std::initializer_list<Named> tensors) {
  const Named* first = nullptr;
  for (const Named& named : tensors) {
    const Tensor* t = named.operand.tensor;
    if (t == nullptr) continue;
    require(is_real(t->dtype), "[", op, "] ", named.name, " must be f32 or f64, but is ", *t);
    if (first == nullptr) first = &named;
    const Tensor& reference = *first->operand.tensor;
    require(t->dtype == reference.dtype, "[", op, "] dtypes differ: ", first->name, " is ",
            reference, ", ", named.name, " is ", *t);
  }
}

void check_floating(const char* op, std::initializer_list<Named> stored,
                    std::initializer_list<Named> summed) {
  const Named* first = nullptr;
  const auto check_same = [&](const Named& named, DType dtype) {
    const Tensor& t = *named.operand.tensor;
    require(is_real(t.dtype) || t.dtype == DType::BF16, "[", op, "] ", named.name,
            " must be f32, f64 or bf16, but is ", t);
    require(t.dtype == dtype, "[", op, "] dtypes differ: ", first->name, " is ",
            *first->operand.tensor, ", ", named.name, " is ", t);
  };
  for (const Named& named : stored) {
    if (named.operand.tensor == nullptr) continue;
    if (first == nullptr) first = &named;
    check_same(named, first->operand.tensor->dtype);
  }
  for (const Named& named : summed) {
    if (named.operand.tensor == nullptr) continue;
    const DType dtype = first->operand.tensor->dtype;
    check_same(named, dtype == DType::BF16 ? DType::F32 : dtype);
  }
}

void check_rank(const char* op, const char* name, Operand t, int32_t rank) {
  if (t.tensor == nullptr) return;
  require(t.tensor->rank == rank, "[", op, "] ", name, " must have rank ", rank, ", but is ",
          *t.tensor);
}

void check_shape(const char* op, const char* name, Operand t, std::initializer_list<int64_t> dims) {
  if (t.tensor == nullptr) return;
  Tensor expected;
  expected.dtype = t.tensor->dtype;
  expected.rank = static_cast<int32_t>(dims.size());
  std::copy(dims.begin(), dims.end(), expected.dims.begin());
  require(same_shape(*t.tensor, expected), "[", op, "] ", name, " must be ", expected, ", but is ",
          *t.tensor);
}

void check_same_shape(const char* op, const char* name_a, Operand a, const char* name_b,
                      Operand b) {
  if (a.tensor == nullptr || b.tensor == nullptr) return;
  require(same_shape(*a.tensor, *b.tensor), "[", op, "] shapes differ: ", name_a, " is ", *a.tensor,
          ", ", name_b, " is ", *b.tensor);
}

void check_no_overlap(const char* op, const char* name_a, Operand a, const char* name_b,
                      Operand b) {
  if (a.tensor == nullptr || b.tensor == nullptr) return;
  require(!overlap(*a.tensor, *b.tensor), "[", op, "] ", name_a, " and ", name_b,
          " share memory, which this instruction does not allow");
}

void check_in_place_or_disjoint(const char* op, const char* name_a, Operand a, const char* name_b,
                                Operand b) {
  if (a.tensor == nullptr || b.tensor == nullptr) return;
  const bool same = a.tensor->data == b.tensor->data && a.tensor->bytes() == b.tensor->bytes();
  require(same || !overlap(*a.tensor, *b.tensor), "[", op, "] ", name_a, " and ", name_b,
          " share part of their memory; they may only be the same memory or disjoint");
}

}  // namespace gatun
