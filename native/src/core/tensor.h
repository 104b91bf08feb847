// What a kernel sees of a tensor: a pointer, a dtype and dense row-major dims. Handles stop at the
// ABI.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "gatun.h"

namespace gatun {

enum class DType : int32_t {
  F32 = GT_F32,
  F64 = GT_F64,
  I32 = GT_I32,
  I64 = GT_I64,
  U8 = GT_U8,
  BF16 = GT_BF16
};

int64_t size_of(DType dtype);
const char* name_of(DType dtype);

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::F32;
  int32_t rank = 0;
  std::array<int64_t, GT_MAX_RANK> dims{};
  int64_t count = 1;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t bytes() const { return count * size_of(dtype); }
  // "f32 (128, 32, 32, 3)", for messages.
  std::string to_string() const;
};

}  // namespace gatun
