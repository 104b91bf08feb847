// Moments of a convolution's result per channel, and the sums of a data gradient that a batch norm
// asks for. They are summed in f64, by parts of the pixels that the shape decides.
#include <algorithm>

#include "cuda/kernels/conv_parts.h"
#include "cuda/kernels/floating.h"

namespace gatun::cuda {
namespace {

constexpr int kAcross = kWarp;  // channels of a block
constexpr int kDown = 8;        // pixels at a time
constexpr int64_t kPixelsPerPart = 256;

// Both numbers of pixel values, relative to a shift: d and d^2 for moments, y and y (x - mean)
// else.
template <typename T>
struct Terms {
  Global<const T> y, norm_x, norm_mean;  // without the latter two: moments

  __device__ double shift(int64_t c) const { return norm_x ? 0.0 : static_cast<double>(y[c]); }
  __device__ void add(double (&sums)[2], int64_t i, int64_t c) const {
    const double d = y[i] - shift(c);
    sums[0] += d;
    sums[1] += d * (norm_x ? double{norm_x[i]} - double{norm_mean[c]} : d);
  }
};

// partial [parts, 2, channels]
template <typename T>
__global__ void partial_sums_kernel(Global<double> partial, Terms<T> terms, int64_t pixels,
                                    int64_t channels, int64_t pixels_per_part) {
  GATUN_SHARED(double, room, 2 * kAcross * kDown);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int64_t c = int64_t{blockIdx.x} * kAcross + tx, part = blockIdx.y;
  const int64_t begin = part * pixels_per_part;
  const int64_t end = begin + pixels_per_part < pixels ? begin + pixels_per_part : pixels;
  double sums[2] = {};
  for (int64_t p = begin + ty; p < end && c < channels; p += kDown) {
    terms.add(sums, p * channels + c, c);
  }
  for (int k = 0; k < 2; ++k) room[(k * kDown + ty) * kAcross + tx] = sums[k];
  barrier();
  if (ty != 0 || c >= channels) return;
  for (int k = 0; k < 2; ++k) {
    double sum = sums[k];
    for (int other = 1; other < kDown; ++other) sum += room[(k * kDown + other) * kAcross + tx];
    partial[(part * 2 + k) * channels + c] = sum;
  }
}

template <typename T>
__global__ void finish_sums_kernel(Global<T> result, Global<const double> partial, Terms<T> terms,
                                   int64_t pixels, int64_t channels, int64_t parts) {
  for (int64_t c = grid_thread(); c < channels; c += grid_threads()) {
    double sums[2] = {};
    for (int64_t part = 0; part < parts; ++part) {
      for (int k = 0; k < 2; ++k) sums[k] += partial[(part * 2 + k) * channels + c];
    }
    if (!terms.norm_x) {
      const auto count = static_cast<double>(pixels);
      const double mean = sums[0] / count, variance = sums[1] / count - mean * mean;
      sums[0] = terms.shift(c) + mean;
      sums[1] = variance > 0 || math::is_nan(variance) ? variance : 0;
    }
    for (int k = 0; k < 2; ++k) result[k * channels + c] = static_cast<T>(sums[k]);
  }
}

}  // namespace

void sum_channels(Queue& queue, const Tensor& y, const gatun::kernels::Epilogue& epilogue) {
  if (epilogue.moments == nullptr && epilogue.sums == nullptr) return;
  const int64_t channels = y.dims[3], pixels = y.dims[0] * y.dims[1] * y.dims[2];
  const int64_t parts = std::clamp<int64_t>(pixels / kPixelsPerPart, 1, 512);
  const Global<double> partial = queue.scratch<double>(parts * 2 * channels);
  const Grid grid{
      {static_cast<uint32_t>((channels + kAcross - 1) / kAcross), static_cast<uint32_t>(parts)},
      {kAcross, kDown}};
  const auto sum = [&](const Tensor* result, const Tensor* norm_x, const Tensor* norm_mean) {
    if (result == nullptr) return;
    with_real(y.dtype, [&](auto zero) {
      using T = decltype(zero);
      const Terms<T> terms{elements<const T>(y), elements<const T>(norm_x),
                           elements<const T>(norm_mean)};
      queue.launch(partial_sums_kernel<T>, grid, partial, terms, pixels, channels,
                   (pixels + parts - 1) / parts);
      queue.launch(finish_sums_kernel<T>, elements_grid(channels), elements<T>(*result),
                   Global<const double>(partial), terms, pixels, channels, parts);
    });
  };
  sum(epilogue.moments, nullptr, nullptr);
  sum(epilogue.sums, epilogue.norm_x, epilogue.norm_mean);
}

}  // namespace gatun::cuda
