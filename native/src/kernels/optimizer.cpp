#include "kernels/optimizer.h"

#include <algorithm>
#include <cmath>

#include "kernels/optimizer_naive.h"
#include "kernels/optimizer_simd.h"
#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

double scalar(const Tensor& t) { return t.dtype == DType::F64 ? *t.as<double>() : *t.as<float>(); }

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

template <typename T>
T* at(T* data, int64_t i) {
  return data == nullptr ? nullptr : data + i;
}

}  // namespace

void norm(Launcher& launcher, const Tensor& norm, const Tensor& x) {
  const int64_t parts = (x.count + ELEMENTS_PER_TASK - 1) / ELEMENTS_PER_TASK;
  const auto partials = launcher.scratch<double>(parts);
  launcher.parallel(parts, [=](const Context& context, int64_t task) {
    const int64_t begin = task * ELEMENTS_PER_TASK;
    const int64_t count = std::min(ELEMENTS_PER_TASK, x.count - begin);
    context.at(partials)[task] = x.dtype == DType::F64
                                     ? naive::sum_squares(x.as<double>() + begin, count)
                                     : sum_squares(x.as<float>() + begin, count);
  });
  launcher.parallel(1, [=](const Context& context, int64_t) {
    double sum = 0;
    for (int64_t i = 0; i < parts; ++i) sum += context.at(partials)[i];
    if (norm.dtype == DType::F64) {
      *norm.as<double>() = std::sqrt(sum);
    } else {
      *norm.as<float>() = static_cast<float>(std::sqrt(sum));
    }
  });
}

void clip_by_norm(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& norm,
                  double max_norm) {
  parallel_ranges(launcher, x.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    const double length = scalar(norm);
    const double by = std::isfinite(length) && length > max_norm ? max_norm / length : 1;
    if (by == 1 && y.data == x.data) return;
    if (x.dtype == DType::F64) {
      naive::scale(y.as<double>() + begin, x.as<double>() + begin, end - begin, by);
    } else {
      scale(y.as<float>() + begin, x.as<float>() + begin, end - begin, static_cast<float>(by));
    }
  });
}

void clip_rows(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor* reference,
               double ratio, double floor) {
  const int64_t columns = x.dims[1];
  const auto launch = [&]<typename T>(double (*squares)(const T*, int64_t), auto scale_row) {
    parallel_rows(launcher, x.dims[0], columns,
                  [=, out = y.as<T>(), in = x.as<T>(), like = data_of<T>(reference)](int64_t begin,
                                                                                     int64_t end) {
                    for (int64_t r = begin; r < end; ++r) {
                      const int64_t from = r * columns;
                      const double length = std::sqrt(squares(in + from, columns));
                      double limit = ratio;
                      if (like != nullptr) {
                        // In this order NaN stays, and then the row too.
                        limit *= std::max(std::sqrt(squares(like + from, columns)), floor);
                      }
                      const double by =
                          std::isfinite(length) && length > limit ? limit / length : 1;
                      if (by != 1 || out != in) scale_row(out + from, in + from, columns, by);
                    }
                  });
  };
  if (x.dtype == DType::F64) {
    launch(naive::sum_squares<double>, naive::scale<double>);
  } else {
    launch(sum_squares, [](float* out, const float* in, int64_t count, double by) {
      scale(out, in, count, static_cast<float>(by));
    });
  }
}

void lerp(Launcher& launcher, const Tensor& y, const Tensor& a, const Tensor& b,
          const Tensor& weight) {
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
    if (y.dtype == DType::F64) {
      naive::lerp(y.as<double>() + begin, a.as<double>() + begin, b.as<double>() + begin,
                  end - begin, scalar(weight));
    } else {
      lerp_range(y.as<float>() + begin, a.as<float>() + begin, b.as<float>() + begin, end - begin,
                 static_cast<float>(scalar(weight)));
    }
  });
}

void sgd_step(Launcher& launcher, const Tensor& new_parameter, const Tensor* new_velocity,
              const Tensor& parameter, const Tensor* velocity, const Tensor& gradient,
              const Tensor& learning_rate, const SgdRule& rule) {
  if (parameter.dtype == DType::F64) {
    parallel_ranges(launcher, parameter.count, ELEMENTS_PER_TASK,
                    [=, v_new = data_of<double>(new_velocity), v = data_of<double>(velocity)](
                        int64_t begin, int64_t end) {
                      naive::sgd_step(new_parameter.as<double>() + begin, at(v_new, begin),
                                      parameter.as<double>() + begin, at(v, begin),
                                      gradient.as<double>() + begin, end - begin,
                                      scalar(learning_rate), rule);
                    });
  } else {
    parallel_ranges(launcher, parameter.count, ELEMENTS_PER_TASK,
                    [=, v_new = data_of<float>(new_velocity), v = data_of<float>(velocity)](
                        int64_t begin, int64_t end) {
                      sgd_range(new_parameter.as<float>() + begin, at(v_new, begin),
                                parameter.as<float>() + begin, at(v, begin),
                                gradient.as<float>() + begin, end - begin, scalar(learning_rate),
                                rule);
                    });
  }
}

void adam_step(Launcher& launcher, const Tensor& new_parameter, const Tensor& new_m,
               const Tensor& new_v, const Tensor& parameter, const Tensor& m, const Tensor& v,
               const Tensor& gradient, const Tensor& learning_rate, const Tensor& step,
               const AdamRule& rule) {
  const auto launch = [&]<typename T>(void (*range)(const AdamState<T>&, int64_t, int64_t,
                                                    const AdamFactors&)) {
    const AdamState<T> state = {new_parameter.as<T>(), new_m.as<T>(), new_v.as<T>(),
                                parameter.as<T>(),     m.as<T>(),     v.as<T>(),
                                gradient.as<T>()};
    parallel_ranges(launcher, parameter.count, ELEMENTS_PER_TASK, [=](int64_t begin, int64_t end) {
      range(state, begin, end, AdamFactors(rule, scalar(learning_rate), *step.as<int64_t>()));
    });
  };
  if (parameter.dtype == DType::F64) {
    launch(naive::adam_step<double>);
  } else {
    launch(adam_range);
  }
}

}  // namespace gatun::kernels
