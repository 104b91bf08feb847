#include "kernels/pool.h"

#include "kernels/pool_naive.h"
#include "kernels/pool_simd.h"
#include "kernels/ranges.h"

namespace gatun::kernels {
namespace {

// Runs row(image, place) for all rows of all images.
template <typename Row>
void for_rows(Launcher& launcher, int64_t images, int64_t rows, int64_t elements_per_row, Row row) {
  parallel_rows(launcher, images * rows, elements_per_row, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) row(i / rows, i % rows);
  });
}

int64_t picture(const PoolGeometry& g) { return g.h.size * g.w.size * g.channels; }
int64_t row(const PoolGeometry& g) { return g.w.size * g.channels; }
int64_t pooled_picture(const PoolGeometry& g) { return g.h.places * g.w.places * g.channels; }
int64_t pooled_row(const PoolGeometry& g) { return g.w.places * g.channels; }
// Taps read for one row of y.
int64_t row_taps(const PoolGeometry& g) { return pooled_row(g) * g.h.window * g.w.window; }

// f64, in one task.
template <typename F>
void serial(Launcher& launcher, F body) {
  launcher.parallel(1, [=](const Context&, int64_t) { body(); });
}

}  // namespace

void max_pool(Launcher& launcher, const Tensor& y, const Tensor& taps, const Tensor& x,
              const PoolGeometry& g) {
  if (x.dtype == DType::F64) {
    serial(launcher,
           [=] { naive::max_pool(y.as<double>(), taps.as<uint8_t>(), x.as<double>(), g); });
    return;
  }
  for_rows(launcher, g.images, g.h.places, row_taps(g), [=](int64_t n, int64_t p) {
    const int64_t at = n * pooled_picture(g) + p * pooled_row(g);
    max_pool_row(y.as<float>() + at, taps.as<uint8_t>() + at, x.as<float>() + n * picture(g), g, p);
  });
}

void max_pool_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& taps,
                       const PoolGeometry& g) {
  if (dx.dtype == DType::F64) {
    serial(launcher, [=] {
      naive::max_pool_backward(dx.as<double>(), dy.as<double>(), taps.as<uint8_t>(), g);
    });
    return;
  }
  for_rows(launcher, g.images, g.h.size, row(g), [=](int64_t n, int64_t h) {
    const int64_t from = n * pooled_picture(g);
    max_pool_backward_row(dx.as<float>() + n * picture(g) + h * row(g), dy.as<float>() + from,
                          taps.as<uint8_t>() + from, g, h);
  });
}

void average_pool(Launcher& launcher, const Tensor& y, const Tensor& x, const PoolGeometry& g) {
  if (x.dtype == DType::F64) {
    serial(launcher, [=] { naive::average_pool(y.as<double>(), x.as<double>(), g); });
    return;
  }
  for_rows(launcher, g.images, g.h.places, row_taps(g), [=](int64_t n, int64_t p) {
    average_pool_row(y.as<float>() + n * pooled_picture(g) + p * pooled_row(g),
                     x.as<float>() + n * picture(g), g, p);
  });
}

void average_pool_backward(Launcher& launcher, const Tensor& dx, const Tensor& dy,
                           const PoolGeometry& g) {
  if (dx.dtype == DType::F64) {
    serial(launcher, [=] { naive::average_pool_backward(dx.as<double>(), dy.as<double>(), g); });
    return;
  }
  for_rows(launcher, g.images, g.h.size, row(g), [=](int64_t n, int64_t h) {
    average_pool_backward_row(dx.as<float>() + n * picture(g) + h * row(g),
                              dy.as<float>() + n * pooled_picture(g), g, h);
  });
}

}  // namespace gatun::kernels
