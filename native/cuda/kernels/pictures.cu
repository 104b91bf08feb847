// Batches of pictures from a data set in the device's memory: some blocks for each picture, which
// draw its change anew.
#include "cuda/kernels/divisor.h"
#include "cuda/kernels/floating.h"
#include "cuda/kernels/kernels.h"

namespace gatun::cuda {
namespace {

using gatun::kernels::kPictureLevels;
using gatun::kernels::PictureChange;
using gatun::kernels::PictureRule;

constexpr int kPictureThreads = 256;
constexpr int64_t kElementsEach = 8;  // of a thread

struct PictureShape {
  int64_t rows, columns, height, width, channels;
};

template <typename T>
__global__ void gather_pictures_kernel(Global<T> y, Global<const uint8_t> pictures,
                                       Global<const int32_t> indices, Global<const float> values,
                                       Global<const int64_t> epoch, int64_t count,
                                       PictureShape shape, Divisor channels, Divisor width,
                                       PictureRule rule) {
  GATUN_SHARED(int32_t, drawn, 5);
  const int64_t n = blockIdx.x, elements = shape.height * shape.width * shape.channels;
  const int32_t index = indices[n];
  const bool is_there = index >= 0 && index < count;
  if (is_there && threadIdx.x == 0) {
    const auto change = PictureChange::draw(rule, epoch[0], index, shape.rows, shape.columns,
                                            shape.height, shape.width);
    drawn[0] = change.top;
    drawn[1] = change.left;
    drawn[2] = change.cut_top;
    drawn[3] = change.cut_left;
    drawn[4] = change.flipped;
  }
  barrier();
  PictureChange change{};
  if (is_there) change = {drawn[0], drawn[1], drawn[2], drawn[3], drawn[4]};
  const int64_t first = int64_t{index} * shape.rows * shape.columns * shape.channels;
  for (int64_t e = int64_t{blockIdx.y} * kPictureThreads + threadIdx.x; e < elements;
       e += int64_t{gridDim.y} * kPictureThreads) {
    int64_t pixel = e;
    const int64_t c = channels.split(pixel);
    int64_t h = pixel;
    const int64_t w = width.split(h);
    float value = 0;
    if (is_there) {
      const int64_t row = change.source_row(h), column = change.source_column(w, shape.width);
      int32_t byte = 0;
      if (change.is_cut(rule, h, w)) {
        byte = rule.grey;
      } else if (row >= 0 && row < shape.rows && column >= 0 && column < shape.columns) {
        byte = pictures[first + (row * shape.columns + column) * shape.channels + c];
      }
      value = values[c * kPictureLevels + byte];
    }
    y[n * elements + e] = narrow<T>(value);
  }
}

}  // namespace

namespace kernels {

void gather_pictures(Queue& queue, const Tensor& y, const Tensor& pictures, const Tensor& indices,
                     const Tensor& values, const Tensor& epoch, const PictureRule& rule) {
  if (y.count == 0) return;
  const PictureShape shape{pictures.dims[1], pictures.dims[2], y.dims[1], y.dims[2], y.dims[3]};
  constexpr int64_t kEach = kPictureThreads * kElementsEach, kMostBlocks = 256;
  const int64_t each = y.count / y.dims[0];
  const int64_t blocks = std::min((each + kEach - 1) / kEach, kMostBlocks);
  const Grid grid{{static_cast<uint32_t>(y.dims[0]), static_cast<uint32_t>(blocks)},
                  {kPictureThreads}};
  with_floating(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    queue.launch(gather_pictures_kernel<T>, grid, elements<T>(y), elements<const uint8_t>(pictures),
                 elements<const int32_t>(indices), elements<const float>(values),
                 elements<const int64_t>(epoch), pictures.dims[0], shape, Divisor(shape.channels),
                 Divisor(shape.width), rule);
  });
}

}  // namespace kernels
}  // namespace gatun::cuda
