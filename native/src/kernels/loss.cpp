#include "kernels/loss.h"

#include <algorithm>

#include "kernels/loss_naive.h"
#include "kernels/loss_simd.h"

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

void softmax(Launcher& launcher, const Tensor& y, const Tensor& x) {
  if (x.count == 0) return;
  const int64_t columns = x.dims[x.rank - 1], rows = x.count / columns;
  for_rows(launcher, rows, columns, [=](const Context&, int64_t, int64_t first, int64_t some) {
    const int64_t at = first * columns;
    if (x.dtype == DType::F64) {
      naive::softmax(y.as<double>() + at, x.as<double>() + at, some, columns);
    } else {
      softmax_rows(y.as<float>() + at, x.as<float>() + at, some, columns);
    }
  });
}

namespace {

// The sums of each task's rows. Tasks are cut by the shape alone.
struct Partials {
  int64_t tasks;
  Scratch<naive::CrossEntropy> sums;

  Partials(Launcher& launcher, int64_t rows, int64_t columns)
      : tasks((rows + rows_per_task(columns) - 1) / rows_per_task(columns)),
        sums(launcher.scratch<naive::CrossEntropy>(tasks)) {}

  void finish(Launcher& launcher, const Tensor& loss, const Tensor& correct) const {
    launcher.parallel(1, [=, *this](const Context& context, int64_t) {
      naive::CrossEntropy total;
      for (int64_t i = 0; i < tasks; ++i) {
        const naive::CrossEntropy& part = context.at(sums)[i];
        total.loss += part.loss;
        total.counted += part.counted;
        total.correct += part.correct;
      }
      const double mean = total.counted == 0 ? 0 : total.loss / static_cast<double>(total.counted);
      if (loss.dtype == DType::F64) {
        *loss.as<double>() = mean;
      } else {
        *loss.as<float>() = static_cast<float>(mean);
      }
      *correct.as<int32_t>() = static_cast<int32_t>(total.correct);
    });
  }
};

// dloss / counted rows, in scratch.
Scratch<double> find_scale(Launcher& launcher, const Tensor& labels, const Tensor& dloss) {
  const auto scale = launcher.scratch<double>(1);
  launcher.parallel(1, [=](const Context& context, int64_t) {
    const int32_t* label = labels.as<int32_t>();
    const auto counted =
        std::count_if(label, label + labels.count, [](int32_t l) { return l >= 0; });
    const double upstream = dloss.dtype == DType::F64 ? *dloss.as<double>() : *dloss.as<float>();
    *context.at(scale) = upstream / static_cast<double>(counted);
  });
  return scale;
}

}  // namespace

void softmax_cross_entropy(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                           const Tensor& logits, const Tensor& labels) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const Partials partials(launcher, rows, columns);
  for_rows(launcher, rows, columns,
           [=](const Context& context, int64_t task, int64_t first, int64_t count) {
             const int64_t at = first * columns;
             const int32_t* label = labels.as<int32_t>() + first;
             context.at(partials.sums)[task] =
                 logits.dtype == DType::F64
                     ? naive::softmax_cross_entropy(logits.as<double>() + at, label, count, columns)
                     : softmax_cross_entropy_rows(logits.as<float>() + at, label, count, columns);
           });
  partials.finish(launcher, loss, correct);
}

void softmax_cross_entropy_backward(Launcher& launcher, const Tensor& dlogits, const Tensor& logits,
                                    const Tensor& labels, const Tensor& dloss) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const auto scale = find_scale(launcher, labels, dloss);
  for_rows(
      launcher, rows, columns, [=](const Context& context, int64_t, int64_t first, int64_t count) {
        const int64_t at = first * columns;
        const int32_t* label = labels.as<int32_t>() + first;
        const double by = *context.at(scale);
        if (logits.dtype == DType::F64) {
          naive::softmax_cross_entropy_backward(dlogits.as<double>() + at, logits.as<double>() + at,
                                                label, count, columns, by);
        } else {
          softmax_cross_entropy_training_rows(dlogits.as<float>() + at, logits.as<float>() + at,
                                              label, count, columns, static_cast<float>(by));
        }
      });
}

void softmax_cross_entropy_training(Launcher& launcher, const Tensor& loss, const Tensor& correct,
                                    const Tensor& dlogits, const Tensor& logits,
                                    const Tensor& labels, const Tensor& dloss) {
  const int64_t rows = logits.dims[0], columns = logits.dims[1];
  const auto scale = find_scale(launcher, labels, dloss);
  const Partials partials(launcher, rows, columns);
  for_rows(launcher, rows, columns,
           [=](const Context& context, int64_t task, int64_t first, int64_t count) {
             const int64_t at = first * columns;
             const int32_t* label = labels.as<int32_t>() + first;
             const double by = *context.at(scale);
             naive::CrossEntropy& sums = context.at(partials.sums)[task];
             if (logits.dtype == DType::F64) {
               const double* x = logits.as<double>() + at;
               sums = naive::softmax_cross_entropy(x, label, count, columns);
               naive::softmax_cross_entropy_backward(dlogits.as<double>() + at, x, label, count,
                                                     columns, by);
             } else {
               sums = softmax_cross_entropy_training_rows(dlogits.as<float>() + at,
                                                          logits.as<float>() + at, label, count,
                                                          columns, static_cast<float>(by));
             }
           });
  partials.finish(launcher, loss, correct);
}

}  // namespace gatun::kernels
