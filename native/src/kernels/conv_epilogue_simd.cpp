#include "kernels/conv_epilogue_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_epilogue_simd.cpp"
#include "hwy/foreach_target.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {

void finish_lanes(float* y, const float* addend, const float* gate, bool relu, int64_t count) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    auto value = hn::LoadU(d, y + i);
    if (addend != nullptr) value = hn::Add(value, hn::LoadU(d, addend + i));
    // Not Max: a NaN must stay.
    if (relu) value = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(d)), value);
    if (gate != nullptr) {
      value = hn::IfThenElseZero(hn::Gt(hn::LoadU(d, gate + i), hn::Zero(d)), value);
    }
    hn::StoreU(value, d, y + i);
  });
}

void finish_rows(const Finish& finish, float* const* rows, int64_t row_count, int64_t begin,
                 int64_t count) {
  for (int64_t i = 0; i < row_count; ++i) {
    float* y = rows[i] + begin;
    const int64_t place = y - finish.y;
    finish_lanes(y, finish.addend == nullptr ? nullptr : finish.addend + place,
                 finish.gate == nullptr ? nullptr : finish.gate + place, finish.relu, count);
  }
}

}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
HWY_EXPORT(finish_lanes);
void finish_elements(float* y, const float* addend, const float* gate, bool relu, int64_t count) {
  HWY_DYNAMIC_DISPATCH(finish_lanes)(y, addend, gate, relu, count);
}

HWY_EXPORT(finish_rows);
void finish_rows(const Finish& finish, float* const* rows, int64_t row_count, int64_t begin,
                 int64_t count) {
  HWY_DYNAMIC_DISPATCH(finish_rows)(finish, rows, row_count, begin, count);
}
}  // namespace gatun::kernels
#endif
