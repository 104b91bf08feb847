#include "kernels/activate.h"

#include <algorithm>

#include "kernels/activate_naive.h"
#include "kernels/activate_simd.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

namespace gatun::kernels {

void activate(Launcher& launcher, const Tensor& y, const Tensor& x, Function f, double parameter) {
  const auto p = static_cast<float>(parameter);
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F32) {
      activate_f32(f, y.as<float>() + begin, x.as<float>() + begin, end - begin, p);
    } else if (y.dtype == DType::BF16) {
      float values[kWidenBlock];
      for (int64_t i = begin; i < end; i += kWidenBlock) {
        const int64_t n = std::min(kWidenBlock, end - i);
        widen(values, x.as<Bf16>() + i, n);
        activate_f32(f, values, values, n, p);
        narrow(y.as<Bf16>() + i, values, n);
      }
    } else {
      naive::activate(y.as<double>() + begin, x.as<double>() + begin, end - begin, f, parameter);
    }
  });
}

void activate_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& x,
                       Function f, double parameter) {
  const auto p = static_cast<float>(parameter);
  parallel_ranges(launcher, dx.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (dx.dtype == DType::F32) {
      activate_backward_f32(f, dx.as<float>() + begin, dy.as<float>() + begin,
                            x.as<float>() + begin, end - begin, p);
    } else if (dx.dtype == DType::BF16) {
      float slopes[kWidenBlock], values[kWidenBlock];
      for (int64_t i = begin; i < end; i += kWidenBlock) {
        const int64_t n = std::min(kWidenBlock, end - i);
        widen(slopes, dy.as<Bf16>() + i, n);
        widen(values, x.as<Bf16>() + i, n);
        activate_backward_f32(f, slopes, slopes, values, n, p);
        narrow(dx.as<Bf16>() + i, slopes, n);
      }
    } else {
      naive::activate_backward(dx.as<double>() + begin, dy.as<double>() + begin,
                               x.as<double>() + begin, end - begin, f, parameter);
    }
  });
}

}  // namespace gatun::kernels
