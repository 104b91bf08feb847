#include "kernels/conv_epilogue.h"

#include <algorithm>

#include "kernels/batch_norm_simd.h"
#include "kernels/conv_epilogue_naive.h"
#include "kernels/conv_epilogue_simd.h"

namespace gatun::kernels {
namespace {

// 32 KiB: what was stored last is still in the first or second level of the cache.
constexpr int64_t kStripeElements = 8192;
// Fewer channels than this are summed with several pixels side by side.
constexpr int64_t kNarrow = 64;
// Channels of one merging task.
constexpr int64_t kMerge = 16;

}  // namespace

Stripes::Stripes(const Tensor& y)
    : images(y.dims[0]), rows(y.dims[1]), columns(y.dims[2]), channels(y.dims[3]) {
  const int64_t row = std::max<int64_t>(1, columns * channels);
  const int64_t image = std::max<int64_t>(1, rows * row);
  images_per_stripe = std::max<int64_t>(1, kStripeElements / image);
  rows_per_stripe = images_per_stripe > 1
                        ? std::max<int64_t>(1, rows)
                        : std::clamp<int64_t>(kStripeElements / row, 1, std::max<int64_t>(1, rows));
}

int64_t Stripes::first_pixel(int64_t stripe) const {
  return (stripe / per_image() * images_per_stripe * rows +
          stripe % per_image() * rows_per_stripe) *
         columns;
}

int64_t Stripes::pixels(int64_t stripe) const {
  const int64_t image = stripe / per_image() * images_per_stripe;
  const int64_t row = stripe % per_image() * rows_per_stripe;
  return std::min(images_per_stripe, images - image) * std::min(rows_per_stripe, rows - row) *
         columns;
}

EpilogueSections::EpilogueSections(Launcher& launcher, const Tensor& y, const Epilogue& epilogue)
    : stripes_(y), y_(y.as<float>()), data_(epilogue) {
  if (!data_.has_sums()) return;
  while (2 * width() <= kNarrow && stripes_.columns % (2 * fold_) == 0) fold_ *= 2;
  first_ = launcher.scratch<double>(stripes_.count() * width());
  second_ = launcher.scratch<double>(stripes_.count() * width());
}

void EpilogueSections::finish_stripe(const Context& context, int64_t stripe) const {
  const int64_t start = stripes_.first_pixel(stripe) * stripes_.channels;
  const int64_t count = stripes_.pixels(stripe) * stripes_.channels;
  if (data_.changes_result()) {
    finish_elements(y_ + start, data_.addend == nullptr ? nullptr : data_.addend + start,
                    data_.gate == nullptr ? nullptr : data_.gate + start, data_.relu, count);
  }
  if (!data_.has_sums()) return;
  double* first = context.at(first_) + stripe * width();
  double* second = context.at(second_) + stripe * width();
  for (int64_t c = 0; c < width(); c += kBatchNormChannels) {
    const BatchNormBlock block{count / width(), std::min(kBatchNormChannels, width() - c), width()};
    if (data_.moments != nullptr) {
      batch_norm_moments(first + c, second + c, y_ + start + c, block);
    } else {
      alignas(64) float center[kBatchNormChannels];
      for (int64_t i = 0; i < block.channels; ++i) {
        center[i] = data_.norm_mean[(c + i) % stripes_.channels];
      }
      batch_norm_gradient_sums(first + c, second + c, y_ + start + c, data_.norm_x + start + c,
                               nullptr, center, block);
    }
  }
}

void EpilogueSections::merge_channels(const Context& context, int64_t begin, int64_t n) const {
  double a[kMerge] = {}, b[kMerge] = {};
  double count = 0;
  for (int64_t stripe = 0; stripe < stripes_.count(); ++stripe) {
    const auto more = static_cast<double>(stripes_.pixels(stripe) / fold_);
    for (int64_t f = 0; f < fold_; ++f) {
      const int64_t at = stripe * width() + f * stripes_.channels + begin;
      const double *first = context.at(first_) + at, *second = context.at(second_) + at;
      if (data_.moments != nullptr) {
        batch_norm_merge(count, a, b, more, first, second, n);
      } else {
        for (int64_t c = 0; c < n; ++c) {
          a[c] += first[c];
          b[c] += second[c];
        }
      }
      count += more;
    }
  }
  float* to = (data_.moments != nullptr ? data_.moments : data_.sums) + begin;
  for (int64_t c = 0; c < n; ++c) {
    to[c] = static_cast<float>(a[c]);
    to[stripes_.channels + c] = static_cast<float>(data_.moments != nullptr ? b[c] / count : b[c]);
  }
}

void EpilogueSections::merge(Launcher& launcher) const {
  if (!data_.has_sums()) return;
  const int64_t channels = stripes_.channels;
  launcher.parallel((channels + kMerge - 1) / kMerge,
                    [self = *this, channels](const Context& context, int64_t task) {
                      const int64_t begin = task * kMerge;
                      self.merge_channels(context, begin, std::min(kMerge, channels - begin));
                    });
}

void run_epilogue(Launcher& launcher, const Tensor& y, const Epilogue& epilogue) {
  if (y.dims[3] == 0) return;
  if (y.dtype == DType::F64) {
    const int64_t channels = y.dims[3], pixels = y.count / channels;
    const EpilogueData<double> data(epilogue);
    if (data.empty()) return;
    launcher.parallel(1, [=](const Context&, int64_t) {
      naive::finish(y.as<double>(), pixels, channels, data);
      naive::reduce(y.as<double>(), pixels, channels, data);
    });
    return;
  }
  const EpilogueSections sections(launcher, y, epilogue);
  if (sections.empty()) return;
  launcher.parallel(sections.stripes().count(), [sections](const Context& context, int64_t stripe) {
    sections.finish_stripe(context, stripe);
  });
  sections.merge(launcher);
}

}  // namespace gatun::kernels
