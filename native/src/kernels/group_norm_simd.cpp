#include "kernels/group_norm_simd.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/group_norm_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bf16-inl.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

// Rows whose terms are summed in f32 before they join the f64 sums.
constexpr int64_t kBlock = 64;

// Adds term(d, row's first element, channel) over all places to sums[channel]; `block` is as long.
template <typename Term>
HWY_INLINE void sum_places(double* sums, float* block, const GroupShape& shape, Term term) {
  std::fill_n(sums, shape.channels, 0.0);
  for (int64_t p = 0; p < shape.places; p += kBlock) {
    const int64_t end = std::min(shape.places, p + kBlock);
    for_lanes(shape.channels, [=](auto d, int64_t c) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (int64_t q = p; q < end; ++q) sum = hn::Add(sum, term(d, q * shape.channels + c, c));
      hn::StoreU(sum, d, block + c);
    });
    for (int64_t c = 0; c < shape.channels; ++c) sums[c] += block[c];
  }
}

// The sum over a group's channels.
double of_group(const double* sums, const GroupShape& shape, int64_t group) {
  double sum = 0;
  for (int64_t k = 0; k < shape.each(); ++k) sum += sums[group * shape.each() + k];
  return sum;
}

// Groups' values to their channels.
void spread(float* to, const GroupShape& shape, const float* of) {
  for (int64_t c = 0; c < shape.channels; ++c) to[c] = of[c / shape.each()];
}

template <typename T>
void normalise(T* y, float* mean, float* inv_std, const T* x, const float* gamma, const float* beta,
               const GroupShape& shape, double epsilon, double* work) {
  double* sums = work;
  auto* block = reinterpret_cast<float*>(work + shape.channels);
  float *centers = block + shape.channels, *scales = centers + shape.channels;
  float* shifts = scales + shape.channels;
  sum_places(sums, block, shape,
             [=](auto d, int64_t i, int64_t) HWY_ATTR { return load(d, x + i); });
  for (int64_t g = 0; g < shape.groups; ++g) {
    mean[g] = static_cast<float>(of_group(sums, shape, g) / shape.count());
  }
  spread(centers, shape, mean);
  // How far the mean lies from the center: what summing and rounding have lost.
  sum_places(sums, block, shape, [=](auto d, int64_t i, int64_t c) HWY_ATTR {
    return hn::Sub(load(d, x + i), hn::LoadU(d, centers + c));
  });
  for (int64_t g = 0; g < shape.groups; ++g) {
    const double off = of_group(sums, shape, g) / shape.count();
    mean[g] = static_cast<float>(mean[g] + off);
    std::fill_n(shifts + g * shape.each(), shape.each(), static_cast<float>(off));
  }
  sum_places(sums, block, shape, [=](auto d, int64_t i, int64_t c) HWY_ATTR {
    const auto v = hn::Sub(load(d, x + i), hn::LoadU(d, centers + c));
    return hn::Mul(v, v);
  });
  for (int64_t g = 0; g < shape.groups; ++g) {
    const double off = shifts[g * shape.each()];
    const double variance = of_group(sums, shape, g) / shape.count() - off * off;
    inv_std[g] = static_cast<float>(1 / std::sqrt(std::max(variance, 0.0) + epsilon));
  }
  spread(scales, shape, inv_std);
  for (int64_t c = 0; c < shape.channels; ++c) {
    scales[c] *= gamma[c];
    shifts[c] = beta[c] - shifts[c] * scales[c];
  }
  for (int64_t p = 0; p < shape.places; ++p) {
    const int64_t row = p * shape.channels;
    for_lanes(shape.channels, [=](auto d, int64_t c) HWY_ATTR {
      const auto v = hn::Sub(load(d, x + row + c), hn::LoadU(d, centers + c));
      const auto scaled = hn::MulAdd(v, hn::LoadU(d, scales + c), hn::LoadU(d, shifts + c));
      store<false>(scaled, d, y + row + c);
    });
  }
}

template <typename T>
void gradient(T* dx, float* dgamma, float* dbeta, const T* dy, const T* x, const float* mean,
              const float* inv_std, const float* gamma, const GroupShape& shape, double* work) {
  double *slopes = work, *products = work + shape.channels;
  auto* block = reinterpret_cast<float*>(work + 2 * shape.channels);
  float *centers = block + shape.channels, *inverses = centers + shape.channels;
  spread(centers, shape, mean);
  spread(inverses, shape, inv_std);
  sum_places(slopes, block, shape,
             [=](auto d, int64_t i, int64_t) HWY_ATTR { return load(d, dy + i); });
  sum_places(products, block, shape, [=](auto d, int64_t i, int64_t c) HWY_ATTR {
    const auto v = hn::Sub(load(d, x + i), hn::LoadU(d, centers + c));
    return hn::Mul(load(d, dy + i), hn::Mul(v, hn::LoadU(d, inverses + c)));
  });
  // Per channel: dx = inverse (gamma dy - shift - xhat slope).
  for (int64_t c = 0; c < shape.channels; ++c) {
    dgamma[c] = static_cast<float>(products[c]);
    dbeta[c] = static_cast<float>(slopes[c]);
    slopes[c] *= gamma[c];
    products[c] *= gamma[c];
  }
  float *shifts = block, *bends = inverses + shape.channels;
  for (int64_t g = 0; g < shape.groups; ++g) {
    const auto shift = static_cast<float>(of_group(slopes, shape, g) / shape.count());
    const auto bend = static_cast<float>(of_group(products, shape, g) / shape.count());
    std::fill_n(shifts + g * shape.each(), shape.each(), shift);
    std::fill_n(bends + g * shape.each(), shape.each(), bend);
  }
  for (int64_t p = 0; p < shape.places; ++p) {
    const int64_t row = p * shape.channels;
    for_lanes(shape.channels, [=](auto d, int64_t c) HWY_ATTR {
      const auto inverse = hn::LoadU(d, inverses + c);
      const auto v = hn::Sub(load(d, x + row + c), hn::LoadU(d, centers + c));
      const auto rest =
          hn::MulAdd(hn::Mul(v, inverse), hn::LoadU(d, bends + c), hn::LoadU(d, shifts + c));
      const auto by = hn::MulSub(hn::LoadU(d, gamma + c), load(d, dy + row + c), rest);
      store<false>(hn::Mul(inverse, by), d, dx + row + c);
    });
  }
}

void forward(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
             const float* beta, const GroupShape& shape, double epsilon, double* work) {
  normalise(y, mean, inv_std, x, gamma, beta, shape, epsilon, work);
}

void forward_bf16(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                  const float* beta, const GroupShape& shape, double epsilon, double* work) {
  normalise(y, mean, inv_std, x, gamma, beta, shape, epsilon, work);
}

void backward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x,
              const float* mean, const float* inv_std, const float* gamma, const GroupShape& shape,
              double* work) {
  gradient(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, shape, work);
}

void backward_bf16(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy, const Bf16* x,
                   const float* mean, const float* inv_std, const float* gamma,
                   const GroupShape& shape, double* work) {
  gradient(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, shape, work);
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

void group_norm_picture(float* y, float* mean, float* inv_std, const float* x, const float* gamma,
                        const float* beta, const GroupShape& shape, double epsilon, double* work) {
  HWY_DYNAMIC_DISPATCH(forward)(y, mean, inv_std, x, gamma, beta, shape, epsilon, work);
}

void group_norm_picture(Bf16* y, float* mean, float* inv_std, const Bf16* x, const float* gamma,
                        const float* beta, const GroupShape& shape, double epsilon, double* work) {
  HWY_DYNAMIC_DISPATCH(forward_bf16)(y, mean, inv_std, x, gamma, beta, shape, epsilon, work);
}

void group_norm_backward_picture(float* dx, float* dgamma, float* dbeta, const float* dy,
                                 const float* x, const float* mean, const float* inv_std,
                                 const float* gamma, const GroupShape& shape, double* work) {
  HWY_DYNAMIC_DISPATCH(backward)(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, shape, work);
}

void group_norm_backward_picture(Bf16* dx, float* dgamma, float* dbeta, const Bf16* dy,
                                 const Bf16* x, const float* mean, const float* inv_std,
                                 const float* gamma, const GroupShape& shape, double* work) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)(dx, dgamma, dbeta, dy, x, mean, inv_std, gamma, shape, work);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
