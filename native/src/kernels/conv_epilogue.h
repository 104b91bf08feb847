// What a convolution does to its result on the way to memory: addition, activation or gate, and the
// sums that batch norm needs. It works by stripes, some rows of an image or some small images,
// which the shape alone decides: partial sums do not depend on who computes them, and a task that
// finishes its stripes itself finds them in cache.
#pragma once

#include "core/launcher.h"
#include "core/tensor.h"
#include "kernels/activation.h"

namespace gatun::kernels {

// All optional; tensors without a given shape have that of the result [N,P,Q,K].
struct Epilogue {
  const Tensor* addend = nullptr;
  Activation activation = Activation::NONE;
  const Tensor* gate = nullptr;  // the result is zero where this is not positive
  // [2,K], written: mean and variance of the result.
  const Tensor* moments = nullptr;
  // [2,K], written: sum y and sum y (norm_x - norm_mean), norm_mean [K].
  const Tensor* sums = nullptr;
  const Tensor* norm_x = nullptr;
  const Tensor* norm_mean = nullptr;
};

// The same as what a recorded body may keep.
template <typename T>
struct EpilogueData {
  const T *addend = nullptr, *gate = nullptr, *norm_x = nullptr, *norm_mean = nullptr;
  T *moments = nullptr, *sums = nullptr;
  bool relu = false;

  explicit EpilogueData(const Epilogue& e)
      : addend(data(e.addend)),
        gate(data(e.gate)),
        norm_x(data(e.norm_x)),
        norm_mean(data(e.norm_mean)),
        moments(data(e.moments)),
        sums(data(e.sums)),
        relu(e.activation == Activation::RELU) {}
  bool changes_result() const { return addend != nullptr || gate != nullptr || relu; }
  bool has_sums() const { return moments != nullptr || sums != nullptr; }
  bool empty() const { return !changes_result() && !has_sums(); }

 private:
  static T* data(const Tensor* tensor) { return tensor == nullptr ? nullptr : tensor->as<T>(); }
};

// The cut of a result [images, rows, columns, channels].
struct Stripes {
  int64_t images = 0, rows = 0, columns = 0, channels = 0;
  int64_t images_per_stripe = 1, rows_per_stripe = 1;  // one of them is 1, or both

  explicit Stripes(const Tensor& y);
  int64_t per_image() const { return (rows + rows_per_stripe - 1) / rows_per_stripe; }
  int64_t count() const {
    return (images + images_per_stripe - 1) / images_per_stripe * per_image();
  }
  int64_t first_pixel(int64_t stripe) const;
  int64_t pixels(int64_t stripe) const;
};

// The epilogue of one f32 instruction.
class EpilogueSections {
 public:
  // Asks for the scratch memory.
  EpilogueSections(Launcher& launcher, const Tensor& y, const Epilogue& epilogue);

  bool empty() const { return data_.empty(); }
  const Stripes& stripes() const { return stripes_; }
  // Does all there is to do on a stripe whose rows of y hold the bare convolution.
  void finish_stripe(const Context& context, int64_t stripe) const;
  // Merges the sums of all stripes.
  void merge(Launcher& launcher) const;

 private:
  Stripes stripes_;
  float* y_;
  EpilogueData<float> data_;
  int64_t fold_ = 1;  // pixels side by side, so that few channels fill vectors
  Scratch<double> first_ = {}, second_ = {};  // [stripe, fold, channel]

  int64_t width() const { return fold_ * stripes_.channels; }
  void merge_channels(const Context& context, int64_t begin, int64_t n) const;
};

// The whole epilogue as sections of their own, of either type.
void run_epilogue(Launcher& launcher, const Tensor& y, const Epilogue& epilogue);

}  // namespace gatun::kernels
