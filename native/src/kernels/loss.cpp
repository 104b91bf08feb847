#include "kernels/loss.h"

#include <algorithm>

#include "core/bf16.h"
#include "kernels/loss_naive.h"
#include "kernels/loss_simd.h"
#include "kernels/widen.h"

namespace gatun::kernels {
namespace {

// Rows that one task takes: about this many elements.
constexpr int64_t kTaskElements = 8192;

int64_t rows_per_task(int64_t columns) {
  return std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, columns));
}

// Runs body(context, task, first row, count of rows).
template <typename F>
void for_rows(Launcher& launcher, int64_t rows, int64_t columns, F body) {
  const int64_t some = rows_per_task(columns);
  launcher.parallel((rows + some - 1) / some, [=](const Context& context, int64_t task) {
    body(context, task, task * some, std::min(some, rows - task * some));
  });
}

}  // namespace

namespace {

// `f32` and `f64` work on whole rows: (y, x, rows, columns), in place too.
template <typename F32, typename F64>
void along_rows(Launcher& launcher, const Tensor& y, const Tensor& x, F32 f32, F64 f64) {
  if (x.count == 0) return;
  const int64_t columns = x.dims[x.rank - 1], rows = x.count / columns;
  const bool widened = x.dtype == DType::BF16;
  const auto scratch = launcher.scratch<float>(widened ? columns * launcher.workers() : 0);
  for_rows(launcher, rows, columns,
           [=](const Context& context, int64_t, int64_t first, int64_t some) {
             const int64_t at = first * columns;
             if (x.dtype == DType::F64) {
               f64(y.as<double>() + at, x.as<double>() + at, some, columns);
             } else if (!widened) {
               f32(y.as<float>() + at, x.as<float>() + at, some, columns);
             } else {
               float* row = context.at(scratch) + columns * context.worker;
               for (int64_t i = at; i < at + some * columns; i += columns) {
                 widen(row, x.as<Bf16>() + i, columns);
                 f32(row, row, 1, columns);
                 narrow(y.as<Bf16>() + i, row, columns);
               }
             }
           });
}

}  // namespace

void softmax(Launcher& launcher, const Tensor& y, const Tensor& x) {
  along_rows(launcher, y, x, softmax_rows, naive::softmax<double>);
}

void log_softmax(Launcher& launcher, const Tensor& y, const Tensor& x) {
  along_rows(launcher, y, x, log_softmax_rows, naive::log_softmax<double>);
}

namespace {

template <typename T>
void set_ones(T* y, const int32_t* labels, int64_t rows, int64_t columns, T one) {
  std::fill_n(y, rows * columns, T{});
  for (int64_t r = 0; r < rows; ++r) {
    if (labels[r] >= 0 && labels[r] < columns) y[r * columns + labels[r]] = one;
  }
}

}  // namespace

void one_hot(Launcher& launcher, const Tensor& y, const Tensor& labels) {
  if (y.count == 0) return;
  const int64_t columns = y.dims[y.rank - 1];
  for_rows(launcher, labels.count, columns,
           [=](const Context&, int64_t, int64_t first, int64_t some) {
             const int64_t at = first * columns;
             const int32_t* label = labels.as<int32_t>() + first;
             switch (y.dtype) {
               case DType::F64:
                 return set_ones(y.as<double>() + at, label, some, columns, 1.0);
               case DType::BF16:
                 return set_ones(y.as<Bf16>() + at, label, some, columns, to_bf16(1.0f));
               default:
                 return set_ones(y.as<float>() + at, label, some, columns, 1.0f);
             }
           });
}

namespace {

template <typename T>
naive::TargetRows<T> rows_of(const Wanted& wanted, int64_t columns) {
  const bool labelled = wanted.targets.dtype == DType::I32;
  return {labelled ? wanted.targets.as<int32_t>() : nullptr,
          labelled ? nullptr : wanted.targets.as<T>(),
          wanted.class_weights == nullptr ? nullptr : wanted.class_weights->as<T>(),
          wanted.label_smoothing, columns};
}

// The sums of each task's rows. Tasks are cut by the shape alone.
struct Partials {
  int64_t tasks;
  Scratch<naive::CrossEntropy> sums;

  Partials(Launcher& launcher, int64_t rows, int64_t columns)
      : tasks((rows + rows_per_task(columns) - 1) / rows_per_task(columns)),
        sums(launcher.scratch<naive::CrossEntropy>(tasks)) {}

  void finish(Launcher& launcher, const Tensor& loss, const Tensor& correct) const {
    launcher.parallel(1, [=, *this](const Context& context, int64_t) {
      naive::CrossEntropy all;
      for (int64_t i = 0; i < tasks; ++i) {
        const naive::CrossEntropy& part = context.at(sums)[i];
        all.loss += part.loss;
        all.total += part.total;
        all.correct += part.correct;
      }
      const double mean = all.total == 0 ? 0 : all.loss / all.total;
      if (loss.dtype == DType::F64) {
        *loss.as<double>() = mean;
      } else {
        *loss.as<float>() = static_cast<float>(mean);
      }
      *correct.as<int32_t>() = static_cast<int32_t>(all.correct);
    });
  }
};

// dloss / total, in scratch; 0 for a total of 0.
template <typename T>
Scratch<double> find_scale(Launcher& launcher, const naive::TargetRows<T>& targets, int64_t rows,
                           const Tensor& dloss) {
  const auto scale = launcher.scratch<double>(1);
  launcher.parallel(1, [=](const Context& context, int64_t) {
    double total = 0;
    for (int64_t r = 0; r < rows; ++r) total += targets.share(r);
    *context.at(scale) = total == 0 ? 0 : *dloss.as<T>() / total;
  });
  return scale;
}

naive::CrossEntropy loss_of(const float* logits, const naive::TargetRows<float>& targets,
                            int64_t rows) {
  return softmax_cross_entropy_rows(logits, targets, rows);
}

naive::CrossEntropy loss_of(const double* logits, const naive::TargetRows<double>& targets,
                            int64_t rows) {
  return naive::softmax_cross_entropy(logits, targets, rows);
}

naive::CrossEntropy loss_and_gradient_of(float* dlogits, const float* logits,
                                         const naive::TargetRows<float>& targets, int64_t rows,
                                         double scale) {
  return softmax_cross_entropy_training_rows(dlogits, logits, targets, rows,
                                             static_cast<float>(scale));
}

naive::CrossEntropy loss_and_gradient_of(double* dlogits, const double* logits,
                                         const naive::TargetRows<double>& targets, int64_t rows,
                                         double scale) {
  const naive::CrossEntropy sums = naive::softmax_cross_entropy(logits, targets, rows);
  naive::softmax_cross_entropy_backward(dlogits, logits, targets, rows, scale);
  return sums;
}

template <typename T>
void forward(Launcher& launcher, const Tensor& loss, const Tensor& correct, const Tensor& logits,
             const Wanted& wanted) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const auto targets = rows_of<T>(wanted, columns);
  const Partials partials(launcher, rows, columns);
  for_rows(launcher, rows, columns,
           [=](const Context& context, int64_t task, int64_t first, int64_t count) {
             context.at(partials.sums)[task] =
                 loss_of(logits.as<T>() + first * columns, targets.from(first), count);
           });
  partials.finish(launcher, loss, correct);
}

// The gradient, and the loss too if there is a place for it.
template <typename T>
void training(Launcher& launcher, const Tensor* loss, const Tensor* correct, const Tensor& dlogits,
              const Tensor& logits, const Wanted& wanted, const Tensor& dloss) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const auto targets = rows_of<T>(wanted, columns);
  const auto scale = find_scale<T>(launcher, targets, rows, dloss);
  const Partials partials(launcher, rows, columns);
  for_rows(launcher, rows, columns,
           [=](const Context& context, int64_t task, int64_t first, int64_t count) {
             const int64_t at = first * columns;
             context.at(partials.sums)[task] =
                 loss_and_gradient_of(dlogits.as<T>() + at, logits.as<T>() + at,
                                      targets.from(first), count, *context.at(scale));
           });
  if (loss != nullptr) partials.finish(launcher, *loss, *correct);
}

}  // namespace

void softmax_cross_entropy(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                           const Tensor& logits, const Wanted& wanted) {
  (logits.dtype == DType::F64 ? forward<double> : forward<float>)(launcher, loss, correct, logits,
                                                                  wanted);
}

void softmax_cross_entropy_backward(Launcher& launcher, const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss) {
  (logits.dtype == DType::F64 ? training<double> : training<float>)(launcher, nullptr, nullptr,
                                                                    dlogits, logits, wanted, dloss);
}

void softmax_cross_entropy_training(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                                    const Tensor& dlogits, const Tensor& logits,
                                    const Wanted& wanted, const Tensor& dloss) {
  (logits.dtype == DType::F64 ? training<double> : training<float>)(launcher, &loss, &correct,
                                                                    dlogits, logits, wanted, dloss);
}

}  // namespace gatun::kernels
