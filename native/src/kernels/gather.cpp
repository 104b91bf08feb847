#include "kernels/gather.h"

#include <limits>

#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

// Columns that one task sums: a few cache lines of each row.
constexpr int64_t kColumns = 64;

template <typename T>
void gather(Launcher& launcher, const Tensor& y, const Tensor& table, const Tensor& indices) {
  const int64_t width = y.dims[1], rows = table.dims[0];
  parallel_rows(launcher, y.dims[0], width, [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t row = indices.as<int32_t>()[n];
      T* to = y.as<T>() + n * width;
      if (row >= 0 && row < rows) {
        std::copy_n(table.as<T>() + row * width, width, to);
      } else {
        std::fill_n(to, width, row < 0 ? T{0} : std::numeric_limits<T>::quiet_NaN());
      }
    }
  });
}

// A task owns columns and walks through all rows, so that each sum has one order.
template <typename T>
void scatter_add(Launcher& launcher, const Tensor& dtable, const Tensor& dy,
                 const Tensor& indices) {
  const int64_t width = dtable.dims[1], rows = dtable.dims[0], count = dy.dims[0];
  parallel_ranges(launcher, width, kColumns, [=](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      T* sums = dtable.as<T>() + row * width;
      std::fill(sums + begin, sums + end, T{0});
    }
    for (int64_t n = 0; n < count; ++n) {
      const int64_t row = indices.as<int32_t>()[n];
      if (row < 0 || row >= rows) continue;
      T* sums = dtable.as<T>() + row * width;
      const T* terms = dy.as<T>() + n * width;
      for (int64_t i = begin; i < end; ++i) sums[i] += terms[i];
    }
  });
}

}  // namespace

void gather_rows(Launcher& launcher, const Tensor& y, const Tensor& table, const Tensor& indices) {
  y.dtype == DType::F64 ? gather<double>(launcher, y, table, indices)
                        : gather<float>(launcher, y, table, indices);
}

void scatter_add_rows(Launcher& launcher, const Tensor& dtable, const Tensor& dy,
                      const Tensor& indices) {
  dtable.dtype == DType::F64 ? scatter_add<double>(launcher, dtable, dy, indices)
                             : scatter_add<float>(launcher, dtable, dy, indices);
}

}  // namespace gatun::kernels
