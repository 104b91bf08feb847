#include "kernels/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/batch_norm_naive.h"
#include "kernels/batch_norm_simd.h"
#include "kernels/streaming.h"

namespace gatun::kernels {
namespace {

// A channels-last tensor seen as a matrix whose rows are wide enough for vectors: with few channels
// several rows are one ("folded"). The matrix is cut into tasks of a stretch of rows by a group of
// columns; rows that do not fill a folded one are a task of their own. All of it depends on the
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
    // Whole rows are read in the order of memory; a few long ones are shared by several tasks.
    group_ = std::min(columns_, rows_ < 1024 ? 512 : kBatchNormChannels);
    stretch_ = std::max<int64_t>(64, kTaskElements / group_ / 8 * 8);
    groups_ = (columns_ + group_ - 1) / group_;
    stretches_ = (rows_ + stretch_ - 1) / stretch_;
  }

  // Every row, and the rest, begins at a multiple of 64 bytes.
  bool aligned() const { return columns_ % 16 == 0; }
  int64_t tasks() const { return stretches_ * groups_ + (rest_ > 0); }
  int64_t columns() const { return columns_; }
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

  // Calls each(index of channel 0's partial sum, count of values in it) for each of the partial
  // sums that hold channel 0; those of channel c are c further.
  template <typename Each>
  void for_partials(Each each) const {
    for (int64_t s = 0; s < stretches_; ++s) {
      const int64_t count = std::min(stretch_, rows_ - s * stretch_);
      for (int64_t f = 0; f < fold_; ++f) each(s * columns_ + f * channels_, count);
    }
    if (rest_ > 0) each(stretches_ * columns_, rest_);
  }

  // Writes a channel's parameter to all columns that hold the channel.
  void spread(float* columns, int64_t channel, double value) const {
    for (int64_t f = 0; f < fold_; ++f) {
      columns[f * channels_ + channel] = static_cast<float>(value);
    }
  }

 private:
  static constexpr int64_t kNarrow = 64;
  static constexpr int64_t kTaskElements = 32768;

  int64_t channels_, fold_ = 1, columns_, rows_, rest_, group_, stretch_, groups_, stretches_;
};

// Runs body(context, first channel, count of channels, at most kMerge) over all channels.
constexpr int64_t kMerge = 16;
template <typename F>
void for_channels(Launcher& launcher, int64_t channels, F body) {
  launcher.parallel((channels + kMerge - 1) / kMerge, [=](const Context& context, int64_t task) {
    const int64_t begin = task * kMerge;
    body(context, begin, std::min(kMerge, channels - begin));
  });
}

// y = activation((x - center) * scale + shift + residual), parameters per column in scratch.
struct Affine {
  Scratch<float> center, scale, shift;

  Affine(Launcher& launcher, int64_t columns)
      : center(launcher.scratch<float>(columns)),
        scale(launcher.scratch<float>(columns)),
        shift(launcher.scratch<float>(columns)) {}

  template <typename T>
  void apply(const Context& context, T* y, const T* x, const T* residual, bool relu, bool stream,
             const Cut::Piece& piece) const {
    batch_norm_apply(y + piece.offset, x + piece.offset,
                     residual == nullptr ? nullptr : residual + piece.offset,
                     {context.at(center) + piece.column, context.at(scale) + piece.column,
                      context.at(shift) + piece.column},
                     relu, stream, piece.block);
  }
};

template <typename T>
T* data_of(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->as<T>();
}

int64_t channels_of(const Tensor& x) { return x.dims[x.rank - 1]; }

// T: what x and all of its shape are stored in.
template <typename T>
void train(Launcher& launcher, const Tensor& y, const Tensor& mean, const Tensor& inv_std,
           const Tensor& new_running_mean, const Tensor& new_running_variance, const Tensor& x,
           const Tensor& gamma, const Tensor& beta, const Tensor* residual, const Tensor* moments,
           const Tensor& running_mean, const Tensor& running_variance, double momentum,
           double epsilon, Activation activation) {
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const bool relu = activation == Activation::RELU;
  const Cut cut(rows, channels);
  const float* known = data_of<float>(moments);
  const int64_t partials = known == nullptr ? cut.partials() * cut.columns() : 0;
  const auto means = launcher.scratch<double>(partials);
  const auto squares = launcher.scratch<double>(partials);
  const Affine affine(launcher, cut.columns());

  if (known == nullptr) {
    launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
      const Cut::Piece piece = cut.piece(task);
      batch_norm_moments(context.at(means) + piece.partial, context.at(squares) + piece.partial,
                         x.as<T>() + piece.offset, piece.block);
    });
  }

  for_channels(launcher, channels, [=](const Context& context, int64_t begin, int64_t n) {
    double center[kMerge] = {}, m2[kMerge] = {};
    double count = 0;
    if (known == nullptr) {
      cut.for_partials([&](int64_t first, int64_t values) {
        const auto more = static_cast<double>(values);
        batch_norm_merge(count, center, m2, more, context.at(means) + first + begin,
                         context.at(squares) + first + begin, n);
        count += more;
      });
    } else {
      count = static_cast<double>(rows);
      for (int64_t j = 0; j < n; ++j) {
        center[j] = known[begin + j];
        m2[j] = known[channels + begin + j] * count;
      }
    }
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
      // The shift makes up for the rounding of the mean: no digit is lost where it is large.
      cut.spread(context.at(affine.center), c, rounded);
      cut.spread(context.at(affine.scale), c, slope);
      cut.spread(context.at(affine.shift), c, beta.as<float>()[c] + slope * (rounded - center[j]));
    }
  });

  const T* added = data_of<T>(residual);
  const bool stream = cut.aligned() && pays_to_stream(y, {&x, residual});
  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    affine.apply(context, y.as<T>(), x.as<T>(), added, relu, stream, cut.piece_backwards(task));
  });
}

}  // namespace

void batch_norm_training(Launcher& launcher, const Tensor& y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& new_running_mean,
                         const Tensor& new_running_variance, const Tensor& x, const Tensor& gamma,
                         const Tensor& beta, const Tensor* residual, const Tensor* moments,
                         const Tensor& running_mean, const Tensor& running_variance,
                         double momentum, double epsilon, Activation activation) {
  if (x.count == 0) return;
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const bool relu = activation == Activation::RELU;
  if (x.dtype == DType::F64) {
    launcher.parallel(1, [=, added = data_of<double>(residual), known = data_of<double>(moments)](
                             const Context&, int64_t) {
      naive::batch_norm_training(y.as<double>(), mean.as<double>(), inv_std.as<double>(),
                                 new_running_mean.as<double>(), new_running_variance.as<double>(),
                                 x.as<double>(), gamma.as<double>(), beta.as<double>(), added,
                                 known, running_mean.as<double>(), running_variance.as<double>(),
                                 rows, channels, momentum, epsilon, relu);
    });
    return;
  }
  const auto run = x.dtype == DType::BF16 ? train<Bf16> : train<float>;
  run(launcher, y, mean, inv_std, new_running_mean, new_running_variance, x, gamma, beta, residual,
      moments, running_mean, running_variance, momentum, epsilon, activation);
}

namespace {

// T: what x and all of its shape are stored in.
template <typename T>
void differentiate(Launcher& launcher, const Tensor& dx, const Tensor& dgamma, const Tensor& dbeta,
                   const Tensor* dresidual, const Tensor& dy, const Tensor& x, const Tensor* y,
                   const Tensor& mean, const Tensor& inv_std, const Tensor& gamma,
                   const Tensor* given, Activation activation) {
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const Tensor* gate = activation == Activation::RELU ? y : nullptr;
  const Cut cut(rows, channels);
  const float* known = data_of<float>(given);
  const int64_t partials = known == nullptr ? cut.partials() * cut.columns() : 0;
  const auto sums = launcher.scratch<double>(partials);
  const auto products = launcher.scratch<double>(partials);
  const auto center = launcher.scratch<float>(cut.columns());
  const auto by_g = launcher.scratch<float>(cut.columns());
  const auto by_x = launcher.scratch<float>(cut.columns());
  const auto shift = launcher.scratch<float>(cut.columns());
  const T* gated_by = data_of<T>(gate);
  T* passed = data_of<T>(dresidual);
  const bool stream = cut.aligned() && pays_to_stream(dx, {&dy, &x, gate});

  if (known == nullptr) {
    launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
      const Cut::Piece piece = cut.piece(task);
      alignas(64) float center[kBatchNormChannels];
      for (int64_t c = 0; c < piece.block.channels; ++c) {
        center[c] = mean.as<float>()[(piece.column + c) % channels];
      }
      batch_norm_gradient_sums(
          context.at(sums) + piece.partial, context.at(products) + piece.partial,
          dy.as<T>() + piece.offset, x.as<T>() + piece.offset,
          gated_by == nullptr ? nullptr : gated_by + piece.offset, center, piece.block);
    });
  }

  for_channels(launcher, channels, [=](const Context& context, int64_t begin, int64_t n) {
    double sum[kMerge] = {}, product[kMerge] = {};
    if (known == nullptr) {
      cut.for_partials([&](int64_t first, int64_t) {
        for (int64_t j = 0; j < n; ++j) {
          sum[j] += context.at(sums)[first + begin + j];
          product[j] += context.at(products)[first + begin + j];
        }
      });
    } else {
      std::copy_n(known + begin, n, sum);
      std::copy_n(known + channels + begin, n, product);
    }
    const auto m = static_cast<double>(rows);
    for (int64_t j = 0; j < n; ++j) {
      const int64_t c = begin + j;
      const double inverse = inv_std.as<float>()[c];
      const double slope = gamma.as<float>()[c] * inverse;
      dbeta.as<float>()[c] = static_cast<float>(sum[j]);
      dgamma.as<float>()[c] = static_cast<float>(product[j] * inverse);
      cut.spread(context.at(center), c, mean.as<float>()[c]);
      cut.spread(context.at(by_g), c, slope);
      cut.spread(context.at(by_x), c, -slope * inverse * inverse * product[j] / m);
      cut.spread(context.at(shift), c, -slope * sum[j] / m);
    }
  });

  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    const Cut::Piece piece = cut.piece_backwards(task);
    batch_norm_gradient(dx.as<T>() + piece.offset,
                        passed == nullptr ? nullptr : passed + piece.offset,
                        dy.as<T>() + piece.offset, x.as<T>() + piece.offset,
                        gated_by == nullptr ? nullptr : gated_by + piece.offset,
                        {context.at(center) + piece.column, context.at(by_g) + piece.column,
                         context.at(by_x) + piece.column, context.at(shift) + piece.column},
                        stream, piece.block);
  });
}

}  // namespace

void batch_norm_backward(Launcher& launcher, const Tensor& dx, const Tensor& dgamma,
                         const Tensor& dbeta, const Tensor* dresidual, const Tensor& dy,
                         const Tensor& x, const Tensor* y, const Tensor& mean,
                         const Tensor& inv_std, const Tensor& gamma, const Tensor* given,
                         Activation activation) {
  const int64_t channels = channels_of(x);
  if (channels == 0) return;
  const bool relu = activation == Activation::RELU;
  const int64_t rows = x.count / channels;
  const Tensor* gate = relu ? y : nullptr;
  if (x.dtype == DType::F64) {
    launcher.parallel(1, [=, gated_by = data_of<double>(gate), known = data_of<double>(given),
                          passed = data_of<double>(dresidual)](const Context&, int64_t) {
      naive::batch_norm_backward(dx.as<double>(), dgamma.as<double>(), dbeta.as<double>(), passed,
                                 dy.as<double>(), x.as<double>(), gated_by, mean.as<double>(),
                                 inv_std.as<double>(), gamma.as<double>(), known, rows, channels,
                                 relu);
    });
    return;
  }
  const auto run = x.dtype == DType::BF16 ? differentiate<Bf16> : differentiate<float>;
  run(launcher, dx, dgamma, dbeta, dresidual, dy, x, y, mean, inv_std, gamma, given, activation);
}

namespace {

// T: what x and all of its shape are stored in.
template <typename T>
void infer(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& gamma,
           const Tensor& beta, const Tensor* residual, const Tensor& running_mean,
           const Tensor& running_variance, double epsilon, Activation activation) {
  const int64_t channels = channels_of(x), rows = x.count / channels;
  const bool relu = activation == Activation::RELU;
  const Cut cut(rows, channels);
  const Affine affine(launcher, cut.columns());
  for_channels(launcher, channels, [=](const Context& context, int64_t begin, int64_t n) {
    for (int64_t c = begin; c < begin + n; ++c) {
      cut.spread(context.at(affine.center), c, running_mean.as<float>()[c]);
      cut.spread(context.at(affine.scale), c,
                 gamma.as<float>()[c] / std::sqrt(running_variance.as<float>()[c] + epsilon));
      cut.spread(context.at(affine.shift), c, beta.as<float>()[c]);
    }
  });
  const T* added = data_of<T>(residual);
  const bool stream = cut.aligned() && pays_to_stream(y, {&x, residual});
  launcher.parallel(cut.tasks(), [=](const Context& context, int64_t task) {
    affine.apply(context, y.as<T>(), x.as<T>(), added, relu, stream, cut.piece(task));
  });
}

}  // namespace

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
  const auto run = x.dtype == DType::BF16 ? infer<Bf16> : infer<float>;
  run(launcher, y, x, gamma, beta, residual, running_mean, running_variance, epsilon, activation);
}

}  // namespace gatun::kernels
