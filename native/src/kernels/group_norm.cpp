#include "kernels/group_norm.h"

#include <algorithm>

#include "kernels/group_norm_naive.h"
#include "kernels/group_norm_simd.h"

namespace gatun::kernels {
namespace {

// A picture is a task: between the passes over it, it stays in the cache.
constexpr int64_t kWork = 4;  // f64 numbers for each channel

GroupShape shape_of(const Tensor& x, int64_t groups) {
  const int64_t pictures = x.dims[0], channels = x.dims[x.rank - 1];
  return {pictures == 0 ? 0 : x.count / pictures / channels, channels, groups};
}

}  // namespace

void group_norm(Launcher& launcher, const Tensor& y, const Tensor& mean, const Tensor& inv_std,
                const Tensor& x, const Tensor& gamma, const Tensor& beta, int64_t groups,
                double epsilon) {
  const GroupShape shape = shape_of(x, groups);
  const int64_t work = kWork * shape.channels, picture = shape.places * shape.channels;
  const auto scratch = launcher.scratch<double>(work * launcher.workers());
  launcher.parallel(x.dims[0], [=](const Context& context, int64_t n) {
    const auto run = [&](auto* to, const auto* from) {
      group_norm_picture(to + n * picture, mean.as<float>() + n * groups,
                         inv_std.as<float>() + n * groups, from + n * picture, gamma.as<float>(),
                         beta.as<float>(), shape, epsilon,
                         context.at(scratch) + work * context.worker);
    };
    switch (x.dtype) {
      case DType::F64:
        return naive::group_norm(y.as<double>() + n * picture, mean.as<double>() + n * groups,
                                 inv_std.as<double>() + n * groups, x.as<double>() + n * picture,
                                 gamma.as<double>(), beta.as<double>(), shape, epsilon);
      case DType::BF16:
        return run(y.as<Bf16>(), x.as<Bf16>());
      default:
        return run(y.as<float>(), x.as<float>());
    }
  });
}

void group_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor& dgamma,
                         const Tensor& dbeta, const Tensor& dy, const Tensor& x, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, int64_t groups) {
  const GroupShape shape = shape_of(x, groups);
  const int64_t pictures = x.dims[0], channels = shape.channels;
  const int64_t work = kWork * channels, picture = shape.places * channels;
  if (x.dtype == DType::F64) {
    const auto sums = launcher.scratch<double>(2 * channels);
    launcher.parallel(1, [=](const Context& context, int64_t) {
      double* by_gamma = context.at(sums);
      std::fill_n(by_gamma, 2 * channels, 0.0);
      for (int64_t n = 0; n < pictures; ++n) {
        naive::group_norm_backward(dx.as<double>() + n * picture, by_gamma, by_gamma + channels,
                                   dy.as<double>() + n * picture, x.as<double>() + n * picture,
                                   mean.as<double>() + n * groups,
                                   inv_std.as<double>() + n * groups, gamma.as<double>(), shape);
      }
      std::copy_n(by_gamma, channels, dgamma.as<double>());
      std::copy_n(by_gamma + channels, channels, dbeta.as<double>());
    });
    return;
  }
  const auto scratch = launcher.scratch<double>(work * launcher.workers());
  const auto partials = launcher.scratch<float>(2 * channels * pictures);
  launcher.parallel(pictures, [=](const Context& context, int64_t n) {
    float* sums = context.at(partials) + 2 * channels * n;
    const auto run = [&](auto* to, const auto* slope, const auto* from) {
      group_norm_backward_picture(to + n * picture, sums, sums + channels, slope + n * picture,
                                  from + n * picture, mean.as<float>() + n * groups,
                                  inv_std.as<float>() + n * groups, gamma.as<float>(), shape,
                                  context.at(scratch) + work * context.worker);
    };
    if (x.dtype == DType::BF16) {
      run(dx.as<Bf16>(), dy.as<Bf16>(), x.as<Bf16>());
    } else {
      run(dx.as<float>(), dy.as<float>(), x.as<float>());
    }
  });
  launcher.parallel(1, [=](const Context& context, int64_t) {
    for (int64_t c = 0; c < channels; ++c) {
      double by_gamma = 0, by_beta = 0;
      for (int64_t n = 0; n < pictures; ++n) {
        const float* sums = context.at(partials) + 2 * channels * n;
        by_gamma += sums[c];
        by_beta += sums[channels + c];
      }
      dgamma.as<float>()[c] = static_cast<float>(by_gamma);
      dbeta.as<float>()[c] = static_cast<float>(by_beta);
    }
  });
}

}  // namespace gatun::kernels
