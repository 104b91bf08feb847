#include "kernels/adaptive.h"

#include <cmath>

#include "kernels/adaptive_naive.h"
#include "kernels/adaptive_simd.h"
#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

double scalar(const Tensor& t) { return t.dtype == DType::F64 ? *t.as<double>() : *t.as<float>(); }

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

}  // namespace

void adaptive_step(Launcher& launcher, const AdaptiveTensors& tensors, const Tensor& learning_rate,
                   const Tensor& step, const AdaptiveRule& rule) {
  const auto launch = [&]<typename T>(void (*range)(const AdaptiveState<T>&, int64_t, int64_t,
                                                    AdaptiveKind, const AdaptiveFactors&)) {
    const AdaptiveState<T> state = {data_of<T>(tensors.new_parameter),
                                    data_of<T>(tensors.new_m),
                                    data_of<T>(tensors.new_v),
                                    data_of<T>(tensors.new_greatest),
                                    data_of<T>(tensors.parameter),
                                    data_of<T>(tensors.m),
                                    data_of<T>(tensors.v),
                                    data_of<T>(tensors.greatest),
                                    data_of<T>(tensors.gradient)};
    parallel_ranges(launcher, tensors.parameter->count, ELEMENTS_PER_TASK,
                    [=](int64_t begin, int64_t end) {
                      range(state, begin, end, rule.kind,
                            AdaptiveFactors(rule, scalar(learning_rate), *step.as<int64_t>()));
                    });
  };
  if (tensors.parameter->dtype == DType::F64) {
    launch(naive::adaptive_step<double>);
  } else {
    launch(adaptive_range);
  }
}

}  // namespace gatun::kernels
