#include "kernels/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/batch_norm_naive.h"
#include "kernels/batch_norm_simd.h"

namespace gatun::kernels {
namespace {

// A channels-last tensor seen as a matrix whose rows are wide enough for vectors: with few channels
// several rows are one ("folded"). The matrix is cut into tasks of a stretch of rows by a group of
// channels; rows that do not fill a folded one are a task of their own. All of it depends on the
// shape alone.
class Cut {
 public:
  struct Piece {
    BatchNormBlock block;
    int64_t offset;   // of its first element in the tensor
    int64_t column;   // its first column in the matrix
    int64_t partial;  // of its first column in a [partials, columns] array
  };

  Cut(int64_t rows, int64_t channels) : channels_(channels) {
    if (channels < kNarrow) {
      const int64_t whole = channels * (16 / std::gcd(channels, int64_t{16}));
      fold_ = (kNarrow + whole - 1) / whole * whole / channels;
    }
    columns_ = channels * fold_;
    rows_ = rows / fold_;
    rest_ = rows % fold_;
    group_ = std::min(columns_, kBatchNormChannels);
    stretch_ = std::max<int64_t>(8, kTaskElements / group_ / 8 * 8);
    groups_ = (columns_ + group_ - 1) / group_;
    stretches_ = (rows_ + stretch_ - 1) / stretch_;
  }

  int64_t tasks() const { return stretches_ * groups_ + (rest_ > 0); }
  int64_t columns() const { return columns_; }
  int64_t channels() const { return channels_; }
  int64_t partials() const { return stretches_ + (rest_ > 0); }

  Piece piece(int64_t task) const {
    const int64_t stretch = task / groups_;
    if (stretch == stretches_) {
      return {{rest_, channels_, channels_}, rows_ * columns_, 0, stretches_ * columns_};
    }
    const int64_t row = stretch * stretch_, column = task % groups_ * group_;
    return {{std::min(stretch_, rows_ - row), std::min(group_, columns_ - column), columns_},
            row * columns_ + column,
            column,
            stretch * columns_ + column};
  }

  // The pieces from last to first, for a second pass: what the first one read last is still cached.
  Piece piece_backwards(int64_t task) const { return piece(tasks() - 1 - task); }

  // Calls each(index of the channel's first partial sum, count of values in it) for each of the
  // partial sums that hold channel 0; those of channel c are c further.
  template <typename Each>
  void for_partials(Each each) const {
    for (int64_t s = 0; s < stretches_; ++s) {
      const int64_t count = std::min(stretch_, rows_ - s * stretch_);
      for (int64_t f = 0; f < fold_; ++f) each(s * columns_ + f * channels_, count);
    }
    if (rest_ > 0) each(stretches_ * columns_, rest_);
  }

  // Fills out[0 .. block.channels) with value(channel) for the columns of a piece.
  template <typename Value>
  void spread(float* out, const Piece& piece, Value value) const {
    const int64_t n = std::min(piece.block.channels, channels_);
    for (int64_t j = 0; j < n; ++j) out[j] = value(piece.column + j);
    for (int64_t j = n; j < piece.block.channels; ++j) out[j] = out[j - n];
  }

 private:
  static constexpr int64_t kNarrow = 64;
  static constexpr int64_t kTaskElements = 32768;

  int64_t channels_, fold_ = 1, columns_, rows_, rest_, group_, stretch_, groups_, stretches_;
};

// Channels that one task brings together.
constexpr int64_t kMerge = 64;

struct Parameters {
  alignas(64) float values[kBatchNormChannels];
};

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

int64_t channels_of(const Tensor& x) { return x.dims[x.rank - 1]; }

}  // namespace

void batch_norm_training(Launcher& launcher, const Tensor& y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& new_running_mean,
                         const Tensor& new_running_variance, const Tensor& x, const Tensor& gamma,
                         const Tensor& beta, const Tensor* residual, const Tensor& running_mean,
                         const Tensor& running_variance, double momentum, double epsilon,
                         Activation activation) {
  if (x.count == 0) return;
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const bool relu = activation == Activation::RELU;
  if (x.dtype == DType::F64) {
    launcher.parallel(1, [=, added = data_of<double>(residual)](const Context&, int64_t) {
      naive::batch_norm_training(y.as<double>(), mean.as<double>(), inv_std.as<double>(),
                                 new_running_mean.as<double>(), new_running_variance.as<double>(),
                                 x.as<double>(), gamma.as<double>(), beta.as<double>(), added,
                                 running_mean.as<double>(), running_variance.as<double>(), rows,
                                 channels, momentum, epsilon, relu);
    });
    return;
  }

  const Cut cut(rows, channels);
  const auto means = launcher.scratch<double>(cut.partials() * cut.columns());
  const auto squares = launcher.scratch<double>(cut.partials() * cut.columns());
  const auto scale = launcher.scratch<float>(channels);
  const auto shift = launcher.scratch<float>(channels);

  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    const Cut::Piece piece = cut.piece(task);
    batch_norm_moments(context.at(means) + piece.partial, context.at(squares) + piece.partial,
                       x.as<float>() + piece.offset, piece.block);
  });

  launcher.parallel((channels + kMerge - 1) / kMerge, [=](const Context& context, int64_t task) {
    const int64_t begin = task * kMerge, n = std::min(kMerge, channels - begin);
    double center[kMerge] = {}, m2[kMerge] = {};
    double count = 0;
    cut.for_partials([&](int64_t first, int64_t values) {
      const int64_t at = first + begin;
      const auto more = static_cast<double>(values);
      batch_norm_merge(count, center, m2, more, context.at(means) + at, context.at(squares) + at,
                       n);
      count += more;
    });
    for (int64_t j = 0; j < n; ++j) {
      const int64_t c = begin + j;
      const double variance = m2[j] / count;
      const double inverse = 1 / std::sqrt(variance + epsilon);
      const auto rounded = static_cast<float>(center[j]);
      const auto slope = static_cast<float>(gamma.as<float>()[c] * inverse);
      const double old_mean = running_mean.as<float>()[c];
      const double old_variance = running_variance.as<float>()[c];
      mean.as<float>()[c] = rounded;
      inv_std.as<float>()[c] = static_cast<float>(inverse);
      new_running_mean.as<float>()[c] =
          static_cast<float>((1 - momentum) * old_mean + momentum * center[j]);
      new_running_variance.as<float>()[c] = static_cast<float>(
          (1 - momentum) * old_variance + momentum * variance * (count / (count - 1)));
      context.at(scale)[c] = slope;
      // y = slope (x - rounded) + shift: no digit is lost where the mean is far from zero.
      context.at(shift)[c] =
          static_cast<float>(beta.as<float>()[c] + slope * (rounded - center[j]));
    }
  });

  launcher.parallel(
      cut.tasks(), [=, added = data_of<float>(residual)](const Context& context, int64_t task) {
        const Cut::Piece piece = cut.piece_backwards(task);
        Parameters centers, scales, shifts;
        cut.spread(centers.values, piece, [&](int64_t c) { return mean.as<float>()[c]; });
        cut.spread(scales.values, piece, [&](int64_t c) { return context.at(scale)[c]; });
        cut.spread(shifts.values, piece, [&](int64_t c) { return context.at(shift)[c]; });
        batch_norm_apply(y.as<float>() + piece.offset, x.as<float>() + piece.offset,
                         added == nullptr ? nullptr : added + piece.offset,
                         {centers.values, scales.values, shifts.values}, relu, piece.block);
      });
}

void batch_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor& dgamma,
                         const Tensor& dbeta, const Tensor* dresidual, const Tensor& dy,
                         const Tensor& x, const Tensor* y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, Activation activation) {
  const int64_t channels = channels_of(x);
  if (channels == 0) return;
  const bool relu = activation == Activation::RELU;
  const int64_t rows = x.count / channels;
  const Tensor* gate = relu ? y : nullptr;
  if (x.dtype == DType::F64) {
    launcher.parallel(1, [=, gated_by = data_of<double>(gate), passed = data_of<double>(dresidual)](
                             const Context&, int64_t) {
      naive::batch_norm_backward(dx.as<double>(), dgamma.as<double>(), dbeta.as<double>(), passed,
                                 dy.as<double>(), x.as<double>(), gated_by, mean.as<double>(),
                                 inv_std.as<double>(), gamma.as<double>(), rows, channels, relu);
    });
    return;
  }

  const Cut cut(rows, channels);
  const auto sums = launcher.scratch<double>(cut.partials() * cut.columns());
  const auto products = launcher.scratch<double>(cut.partials() * cut.columns());
  const auto by_g = launcher.scratch<float>(channels);
  const auto by_x = launcher.scratch<float>(channels);
  const auto shift = launcher.scratch<float>(channels);
  const float* gated_by = data_of<float>(gate);
  float* passed = data_of<float>(dresidual);

  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    const Cut::Piece piece = cut.piece(task);
    Parameters centers;
    cut.spread(centers.values, piece, [&](int64_t c) { return mean.as<float>()[c]; });
    batch_norm_gradient_sums(context.at(sums) + piece.partial, context.at(products) + piece.partial,
                             dy.as<float>() + piece.offset, x.as<float>() + piece.offset,
                             gated_by == nullptr ? nullptr : gated_by + piece.offset,
                             centers.values, piece.block);
  });

  launcher.parallel((channels + kMerge - 1) / kMerge, [=](const Context& context, int64_t task) {
    const int64_t begin = task * kMerge, n = std::min(kMerge, channels - begin);
    double sum[kMerge] = {}, product[kMerge] = {};
    cut.for_partials([&](int64_t first, int64_t) {
      for (int64_t j = 0; j < n; ++j) {
        sum[j] += context.at(sums)[first + begin + j];
        product[j] += context.at(products)[first + begin + j];
      }
    });
    const auto m = static_cast<double>(rows);
    for (int64_t j = 0; j < n; ++j) {
      const int64_t c = begin + j;
      const double inverse = inv_std.as<float>()[c];
      const double slope = gamma.as<float>()[c] * inverse;
      dbeta.as<float>()[c] = static_cast<float>(sum[j]);
      dgamma.as<float>()[c] = static_cast<float>(product[j] * inverse);
      context.at(by_g)[c] = static_cast<float>(slope);
      context.at(by_x)[c] = static_cast<float>(-slope * inverse * inverse * product[j] / m);
      context.at(shift)[c] = static_cast<float>(-slope * sum[j] / m);
    }
  });

  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    const Cut::Piece piece = cut.piece_backwards(task);
    Parameters centers, gs, xs, shifts;
    cut.spread(centers.values, piece, [&](int64_t c) { return mean.as<float>()[c]; });
    cut.spread(gs.values, piece, [&](int64_t c) { return context.at(by_g)[c]; });
    cut.spread(xs.values, piece, [&](int64_t c) { return context.at(by_x)[c]; });
    cut.spread(shifts.values, piece, [&](int64_t c) { return context.at(shift)[c]; });
    batch_norm_gradient(dx.as<float>() + piece.offset,
                        passed == nullptr ? nullptr : passed + piece.offset,
                        dy.as<float>() + piece.offset, x.as<float>() + piece.offset,
                        gated_by == nullptr ? nullptr : gated_by + piece.offset,
                        {centers.values, gs.values, xs.values, shifts.values}, piece.block);
  });
}

void batch_norm_inference(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& gamma,
                          const Tensor& beta, const Tensor* residual, const Tensor& running_mean,
                          const Tensor& running_variance, double epsilon, Activation activation) {
  if (x.count == 0) return;
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const bool relu = activation == Activation::RELU;
  if (x.dtype == DType::F64) {
    launcher.parallel(1, [=, added = data_of<double>(residual)](const Context&, int64_t) {
      naive::batch_norm_inference(y.as<double>(), x.as<double>(), gamma.as<double>(),
                                  beta.as<double>(), added, running_mean.as<double>(),
                                  running_variance.as<double>(), rows, channels, epsilon, relu);
    });
    return;
  }
  const Cut cut(rows, channels);
  launcher.parallel(
      cut.tasks(), [=, added = data_of<float>(residual)](const Context&, int64_t task) {
        const Cut::Piece piece = cut.piece(task);
        Parameters centers, scales, shifts;
        cut.spread(centers.values, piece, [&](int64_t c) { return running_mean.as<float>()[c]; });
        cut.spread(scales.values, piece, [&](int64_t c) {
          return static_cast<float>(gamma.as<float>()[c] /
                                    std::sqrt(running_variance.as<float>()[c] + epsilon));
        });
        cut.spread(shifts.values, piece, [&](int64_t c) { return beta.as<float>()[c]; });
        batch_norm_apply(y.as<float>() + piece.offset, x.as<float>() + piece.offset,
                         added == nullptr ? nullptr : added + piece.offset,
                         {centers.values, scales.values, shifts.values}, relu, piece.block);
      });
}

}  // namespace gatun::kernels
