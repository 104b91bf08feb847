// Max and average pooling, forward and backward: the launch functions. Contracts are in gatun.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/launcher.h"
#include "core/tensor.h"

namespace gatun::kernels {

// Along one axis, windows start at `place * stride - pad` and may stick out of the picture.
struct PoolAxis {
  int64_t size = 0;    // of the picture
  int64_t places = 0;  // windows
  int64_t window = 1;
  int64_t stride = 1;
  int64_t pad = 0;

  struct Range {
    int64_t begin, end;
    constexpr int64_t count() const { return end - begin; }
  };
  // The taps of a window that lie in the picture: at least one, as pad < window.
  constexpr Range taps(int64_t place) const {
    const int64_t start = place * stride - pad;
    return {std::max<int64_t>(0, -start), std::min(window, size - start)};
  }
  // The windows that contain a pixel: none where stride > window leaves gaps.
  Range windows(int64_t pixel) const {
    const int64_t low = pixel + pad - window + 1;  // the first place * stride that reaches it
    return {low <= 0 ? 0 : (low + stride - 1) / stride,
            std::min(places, (pixel + pad) / stride + 1)};
  }
};

// x [images, h.size, w.size, channels] and y [images, h.places, w.places, channels].
struct PoolGeometry {
  int64_t images = 0;
  int64_t channels = 0;
  PoolAxis h, w;
  bool count_padding = false;  // a mean is over the whole window

  // How many elements the mean at (p, q) is taken over.
  constexpr int64_t counted(int64_t p, int64_t q) const {
    return count_padding ? h.window * w.window : h.taps(p).count() * w.taps(q).count();
  }
};

void max_pool(Launcher& launcher, const Tensor& y, const Tensor& taps, const Tensor& x,
              const PoolGeometry& g);
void max_pool_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& taps,
                       const PoolGeometry& g);
void average_pool(Launcher& launcher, const Tensor& y, const Tensor& x, const PoolGeometry& g);
void average_pool_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                           const PoolGeometry& g);

}  // namespace gatun::kernels
