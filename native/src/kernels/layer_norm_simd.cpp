#include "kernels/layer_norm_simd.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm_simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// What is summed in f32 before it joins the f64 sums.
constexpr int64_t kBlock = 2048;

// term(d, i) summed over n elements, in f64 from block to block. What is left of a row after whole
// vectors is summed lane by lane.
template <typename Term>
HWY_INLINE double sum_row(int64_t n, Term term) {
  const Floats d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0;
  int64_t i = 0;
  while (i + lanes <= n) {
    auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
    const int64_t end = std::min(n, i + kBlock);
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      s0 = hn::Add(s0, term(d, i));
      s1 = hn::Add(s1, term(d, i + lanes));
      s2 = hn::Add(s2, term(d, i + 2 * lanes));
      s3 = hn::Add(s3, term(d, i + 3 * lanes));
    }
    for (; i + lanes <= end; i += lanes) s0 = hn::Add(s0, term(d, i));
    total += hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  }
  for (; i < n; ++i) total += hn::GetLane(term(one, i));
  return total;
}

template <bool kStream, typename T>
void normalise(T* y, float* mean, float* inv_std, const T* x, const float* gamma, const float* beta,
               int64_t rows, int64_t columns, double epsilon) {
  const auto count = static_cast<double>(columns);
  for (int64_t r = 0; r < rows; ++r, x += columns, y += columns) {
    float center = 0;
    double off = 0;  // of the mean from `center`: what summing and rounding have lost
    if (mean != nullptr) {
      center = static_cast<float>(
          sum_row(columns, [=](auto d, int64_t i) HWY_ATTR { return load(d, x + i); }) / count);
      off = sum_row(columns, [=](auto d, int64_t i)
                                 HWY_ATTR { return hn::Sub(load(d, x + i), hn::Set(d, center)); }) /
            count;
      mean[r] = static_cast<float>(center + off);
    }
    const double squares = sum_row(columns, [=](auto d, int64_t i) HWY_ATTR {
      const auto v = hn::Sub(load(d, x + i), hn::Set(d, center));
      return hn::Mul(v, v);
    });
    const double inverse = 1 / std::sqrt(std::max(squares / count - off * off, 0.0) + epsilon);
    inv_std[r] = static_cast<float>(inverse);
    const auto scale = static_cast<float>(inverse);
    const auto shift = static_cast<float>(-off * inverse);
    for_lanes(columns, [=](auto d, int64_t i) HWY_ATTR {
      const auto v = hn::Sub(load(d, x + i), hn::Set(d, center));
      const auto xhat = hn::MulAdd(v, hn::Set(d, scale), hn::Set(d, shift));
      store<kStream>(hn::MulAdd(xhat, hn::LoadU(d, gamma + i), hn::LoadU(d, beta + i)), d, y + i);
    });
  }
  if constexpr (kStream) hwy::FlushStream();
}

template <typename T>
void forward_of(T* y, float* mean, float* inv_std, const T* x, const float* gamma,
                const float* beta, int64_t rows, int64_t columns, double epsilon, bool stream) {
  (stream ? normalise<true, T> : normalise<false, T>)(y, mean, inv_std, x, gamma, beta, rows,
                                                      columns, epsilon);
}

void forward(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
             const float* beta, int64_t rows, int64_t columns, double epsilon, bool stream) {
  forward_of(y, mean, inv_std, x, gamma, beta, rows, columns, epsilon, stream);
}

void forward_bf16(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                  const float* beta, int64_t rows, int64_t columns, double epsilon, bool stream) {
  forward_of(y, mean, inv_std, x, gamma, beta, rows, columns, epsilon, stream);
}

template <bool kStream, typename T>
void gradient(T* dx, float* dgamma, float* dbeta, const T* dy, const T* x, const float* mean,
              const float* inv_std, const float* gamma, int64_t rows, int64_t columns) {
  std::fill_n(dgamma, columns, 0.0f);
  std::fill_n(dbeta, columns, 0.0f);
  const auto count = static_cast<double>(columns);
  for (int64_t r = 0; r < rows; ++r, x += columns, dy += columns, dx += columns) {
    const float center = mean == nullptr ? 0 : mean[r], inverse = inv_std[r];
    const auto xhat_at = [=](auto d, int64_t i) HWY_ATTR {
      return hn::Mul(hn::Sub(load(d, x + i), hn::Set(d, center)), hn::Set(d, inverse));
    };
    const double product = sum_row(columns, [=](auto d, int64_t i) HWY_ATTR {
      const auto slope = load(d, dy + i), xhat = xhat_at(d, i);
      const auto by_x = hn::Mul(slope, xhat);
      hn::StoreU(hn::Add(hn::LoadU(d, dgamma + i), by_x), d, dgamma + i);
      hn::StoreU(hn::Add(hn::LoadU(d, dbeta + i), slope), d, dbeta + i);
      return hn::Mul(hn::LoadU(d, gamma + i), by_x);
    });
    const double sum = mean == nullptr ? 0 : sum_row(columns, [=](auto d, int64_t i) HWY_ATTR {
      return hn::Mul(hn::LoadU(d, gamma + i), load(d, dy + i));
    });
    const auto by_x = static_cast<float>(-product / count);
    const auto shift = static_cast<float>(-sum / count);
    for_lanes(columns, [=](auto d, int64_t i) HWY_ATTR {
      const auto rest = hn::MulAdd(hn::Set(d, by_x), xhat_at(d, i), hn::Set(d, shift));
      const auto v = hn::MulAdd(hn::LoadU(d, gamma + i), load(d, dy + i), rest);
      store<kStream>(hn::Mul(hn::Set(d, inverse), v), d, dx + i);
    });
  }
  if constexpr (kStream) hwy::FlushStream();
}

template <typename T>
void backward_of(T* dx, float* dgamma, float* dbeta, const T* dy, const T* x, const float* mean,
                 const float* inv_std, const float* gamma, int64_t rows, int64_t columns,
                 bool stream) {
  (stream ? gradient<true, T> : gradient<false, T>)(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma,
                                                    rows, columns);
}

void backward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
              const float* mean, const float* inv_std, const float* gamma, int64_t rows,
              int64_t columns, bool stream) {
  backward_of(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, rows, columns, stream);
}

void backward_bf16(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy, const Bf16* x,
                   const float* mean, const float* inv_std, const float* gamma, int64_t rows,
                   int64_t columns, bool stream) {
  backward_of(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, rows, columns, stream);
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(forward);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward);
HWY_EXPORT(backward_bf16);

}  // namespace

void layer_norm_rows(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
                     const float* beta, int64_t rows, int64_t columns, double epsilon,
                     bool stream) {
  HWY_DYNAMIC_DISPATCH(forward)
  (y, mean, inv_std, x, gamma, beta, rows, columns, epsilon, stream);
}

void layer_norm_rows(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                     const float* beta, int64_t rows, int64_t columns, double epsilon,
                     bool stream) {
  HWY_DYNAMIC_DISPATCH(forward_bf16)
  (y, mean, inv_std, x, gamma, beta, rows, columns, epsilon, stream);
}

void layer_norm_backward_rows(float* dx, float* dgamma, float* dbeta, const float* dy,
                              const float* x, const float* mean, const float* inv_std,
                              const float* gamma, int64_t rows, int64_t columns, bool stream) {
  HWY_DYNAMIC_DISPATCH(backward)
  (dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, rows, columns, stream);
}

void layer_norm_backward_rows(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy, const Bf16* x,
                              const float* mean, const float* inv_std, const float* gamma,
                              int64_t rows, int64_t columns, bool stream) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)
  (dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, rows, columns, stream);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
