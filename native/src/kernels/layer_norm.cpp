#include "kernels/layer_norm.h"

#include <algorithm>

#include "kernels/layer_norm_naive.h"
#include "kernels/layer_norm_simd.h"
#include "kernels/ranges.h"
#include "kernels/streaming.h"

namespace gatun::kernels {
namespace {

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

template <typename T>
T* at(T* data, int64_t i) {
  return data == nullptr ? nullptr : data + i;
}

// A parameter [columns], or `value` everywhere where there is none: loops then know one form.
class Parameter {
 public:
  Parameter(Launcher& launcher, const Tensor* given, int64_t columns, float value)
      : given_(data_of<float>(given)) {
    if (given != nullptr) return;
    place_ = launcher.scratch<float>(columns);
    launcher.parallel(1, [=, place = place_](const Context& context, int64_t) {
      std::fill_n(context.at(place), columns, value);
    });
  }

  const float* data(const Context& context) const {
    return given_ == nullptr ? context.at(place_) : given_;
  }

 private:
  const float* given_;
  Scratch<float> place_;
};

int64_t rows_per_task(int64_t columns) { return std::max<int64_t>(1, ELEMENTS_PER_TASK / columns); }

// Rows whose gradients of gamma and beta are summed into one partial sum: many, so that these are
// few against x; but not so many that a chain of f32 loses digits.
int64_t rows_per_partial(int64_t columns) { return std::clamp<int64_t>(32768 / columns, 64, 512); }

}  // namespace

void layer_norm(Launcher& launcher, const Tensor& y, const Tensor* mean, const Tensor& inv_std,
                const Tensor& x, const Tensor* gamma, const Tensor* beta, double epsilon) {
  if (x.count == 0) return;
  const int64_t columns = x.dims[x.rank - 1], rows = x.count / columns;
  const int64_t some = rows_per_task(columns);
  if (x.dtype == DType::F64) {
    parallel_ranges(launcher, rows, some,
                    [=, center = data_of<double>(mean), scale = data_of<double>(gamma),
                     shift = data_of<double>(beta)](int64_t begin, int64_t end) {
                      naive::layer_norm(y.as<double>() + begin * columns, at(center, begin),
                                        inv_std.as<double>() + begin,
                                        x.as<double>() + begin * columns, scale, shift, end - begin,
                                        columns, epsilon);
                    });
    return;
  }
  const Parameter scale(launcher, gamma, columns, 1), shift(launcher, beta, columns, 0);
  const bool stream = columns % 16 == 0 && pays_to_stream(y, {&x});
  launcher.parallel((rows + some - 1) / some, [=, center = data_of<float>(mean)](
                                                  const Context& context, int64_t task) {
    const int64_t begin = task * some, end = std::min(rows, begin + some);
    const auto run = [&](auto* to, const auto* from) {
      layer_norm_rows(to + begin * columns, at(center, begin), inv_std.as<float>() + begin,
                      from + begin * columns, scale.data(context), shift.data(context), end - begin,
                      columns, epsilon, stream);
    };
    if (x.dtype == DType::BF16) {
      run(y.as<Bf16>(), x.as<Bf16>());
    } else {
      run(y.as<float>(), x.as<float>());
    }
  });
}

void layer_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor* dgamma,
                         const Tensor* dbeta, const Tensor& dy, const Tensor& x, const Tensor* mean,
                         const Tensor& inv_std, const Tensor* gamma) {
  const int64_t columns = x.dims[x.rank - 1];
  if (columns == 0) return;
  const int64_t rows = x.count / columns;
  if (x.dtype == DType::F64) {
    const auto sums = launcher.scratch<double>(2 * columns);
    launcher.parallel(1, [=, to_gamma = data_of<double>(dgamma), to_beta = data_of<double>(dbeta),
                          center = data_of<double>(mean),
                          scale = data_of<double>(gamma)](const Context& context, int64_t) {
      double* by_gamma = context.at(sums);
      double* by_beta = by_gamma + columns;
      std::fill_n(by_gamma, 2 * columns, 0.0);
      naive::layer_norm_backward(dx.as<double>(), by_gamma, by_beta, dy.as<double>(),
                                 x.as<double>(), center, inv_std.as<double>(), scale, rows,
                                 columns);
      if (to_gamma != nullptr) std::copy_n(by_gamma, columns, to_gamma);
      if (to_beta != nullptr) std::copy_n(by_beta, columns, to_beta);
    });
    return;
  }
  const Parameter scale(launcher, gamma, columns, 1);
  const int64_t some = rows_per_partial(columns), tasks = (rows + some - 1) / some;
  const auto partials = launcher.scratch<float>(tasks * 2 * columns);
  const bool stream = columns % 16 == 0 && pays_to_stream(dx, {&dy, &x});
  launcher.parallel(tasks, [=, center = data_of<float>(mean)](const Context& context,
                                                              int64_t task) {
    const int64_t begin = task * some, end = std::min(rows, begin + some), from = begin * columns;
    float* sums = context.at(partials) + task * 2 * columns;
    const auto run = [&](auto* to, const auto* slope, const auto* place) {
      layer_norm_backward_rows(to + from, sums, sums + columns, slope + from, place + from,
                               at(center, begin), inv_std.as<float>() + begin, scale.data(context),
                               end - begin, columns, stream);
    };
    if (x.dtype == DType::BF16) {
      run(dx.as<Bf16>(), dy.as<Bf16>(), x.as<Bf16>());
    } else {
      run(dx.as<float>(), dy.as<float>(), x.as<float>());
    }
  });
  if (dgamma == nullptr && dbeta == nullptr) return;
  constexpr int64_t kChannels = 256;
  launcher.parallel(
      (columns + kChannels - 1) / kChannels,
      [=, to_gamma = data_of<float>(dgamma), to_beta = data_of<float>(dbeta)](
          const Context& context, int64_t task) {
        const int64_t first = task * kChannels, n = std::min(kChannels, columns - first);
        for (const bool is_beta : {false, true}) {
          float* to = is_beta ? to_beta : to_gamma;
          if (to == nullptr) continue;
          double sums[kChannels] = {};
          for (int64_t t = 0; t < tasks; ++t) {
            const float* part = context.at(partials) + (2 * t + is_beta) * columns + first;
            for (int64_t c = 0; c < n; ++c) sums[c] += part[c];
          }
          std::copy_n(sums, n, to + first);
        }
      });
}

}  // namespace gatun::kernels
