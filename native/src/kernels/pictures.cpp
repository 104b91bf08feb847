#include "kernels/pictures.h"

#include <algorithm>

#include "core/bf16.h"
#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

template <typename T>
T narrowed(float value) {
  if constexpr (sizeof(T) == sizeof(Bf16)) {
    return to_bf16(value);
  } else {
    return value;
  }
}

template <typename T>
void gather(Launcher& launcher, const Tensor& y, const Tensor& pictures, const Tensor& indices,
            const Tensor& values, const Tensor& epoch, const PictureRule& rule) {
  const int64_t height = y.dims[1], width = y.dims[2], channels = y.dims[3];
  const int64_t rows = pictures.dims[1], columns = pictures.dims[2];
  parallel_rows(launcher, y.dims[0], height * width * channels, [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T* to = y.as<T>() + n * height * width * channels;
      const int32_t index = indices.as<int32_t>()[n];
      if (index < 0 || index >= pictures.dims[0]) {
        std::fill_n(to, height * width * channels, T{});
        continue;
      }
      const auto change =
          PictureChange::draw(rule, *epoch.as<int64_t>(), index, rows, columns, height, width);
      const uint8_t* picture = pictures.as<uint8_t>() + index * rows * columns * channels;
      for (int64_t h = 0; h < height; ++h) {
        const int64_t row = change.source_row(h);
        for (int64_t w = 0; w < width; ++w) {
          const int64_t column = change.source_column(w, width);
          const bool cut = change.is_cut(rule, h, w);
          const bool inside = row >= 0 && row < rows && column >= 0 && column < columns;
          const int64_t pixel = (row * columns + column) * channels;
          for (int64_t c = 0; c < channels; ++c) {
            const int32_t byte = cut ? rule.grey : inside ? picture[pixel + c] : 0;
            *to++ = narrowed<T>(values.as<float>()[c * kPictureLevels + byte]);
          }
        }
      }
    }
  });
}

}  // namespace

void gather_pictures(Launcher& launcher, const Tensor& y, const Tensor& pictures,
                     const Tensor& indices, const Tensor& values, const Tensor& epoch,
                     const PictureRule& rule) {
  switch (y.dtype) {
    case DType::F64:
      return gather<double>(launcher, y, pictures, indices, values, epoch, rule);
    case DType::BF16:
      return gather<Bf16>(launcher, y, pictures, indices, values, epoch, rule);
    default:
      return gather<float>(launcher, y, pictures, indices, values, epoch, rule);
  }
}

}  // namespace gatun::kernels
