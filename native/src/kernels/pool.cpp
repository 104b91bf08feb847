#include "kernels/pool.h"

#include "kernels/pool_naive.h"
#include "kernels/pool_simd.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

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

// bf16, picture by picture in f32: rows(n, to, from) makes what becomes picture n of `to`.
template <typename Rows>
void by_pictures(Launcher& launcher, int64_t images, const Tensor& to, int64_t to_size,
                 const Tensor& from, int64_t from_size, Rows rows) {
  const auto room = launcher.scratch<float>(launcher.workers() * (to_size + from_size));
  launcher.parallel(images, [=](const Context& context, int64_t n) {
    float* result = context.at(room) + context.worker * (to_size + from_size);
    float* values = result + to_size;
    widen(values, from.as<Bf16>() + n * from_size, from_size);
    rows(n, result, values);
    narrow(to.as<Bf16>() + n * to_size, result, to_size);
  });
}

}  // namespace

void max_pool(Launcher& launcher, const Tensor& y, const Tensor& taps, const Tensor& x,
              const PoolGeometry& g) {
  if (x.dtype == DType::F64) {
    serial(launcher,
           [=] { naive::max_pool(y.as<double>(), taps.as<uint8_t>(), x.as<double>(), g); });
    return;
  }
  if (x.dtype == DType::BF16) {
    const auto rows = [=](int64_t n, float* to, const float* from) {
      for (int64_t p = 0; p < g.h.places; ++p) {
        const int64_t at = p * pooled_row(g);
        max_pool_row(to + at, taps.as<uint8_t>() + n * pooled_picture(g) + at, from, g, p);
      }
    };
    return by_pictures(launcher, g.images, y, pooled_picture(g), x, picture(g), rows);
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
  if (dx.dtype == DType::BF16) {
    const auto rows = [=](int64_t n, float* to, const float* from) {
      const uint8_t* places = taps.as<uint8_t>() + n * pooled_picture(g);
      for (int64_t h = 0; h < g.h.size; ++h) {
        max_pool_backward_row(to + h * row(g), from, places, g, h);
      }
    };
    return by_pictures(launcher, g.images, dx, picture(g), dy, pooled_picture(g), rows);
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
  if (x.dtype == DType::BF16) {
    const auto rows = [=](int64_t, float* to, const float* from) {
      for (int64_t p = 0; p < g.h.places; ++p) {
        average_pool_row(to + p * pooled_row(g), from, g, p);
      }
    };
    return by_pictures(launcher, g.images, y, pooled_picture(g), x, picture(g), rows);
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
  if (dx.dtype == DType::BF16) {
    const auto rows = [=](int64_t, float* to, const float* from) {
      for (int64_t h = 0; h < g.h.size; ++h) {
        average_pool_backward_row(to + h * row(g), from, g, h);
      }
    };
    return by_pictures(launcher, g.images, dx, picture(g), dy, pooled_picture(g), rows);
  }
  for_rows(launcher, g.images, g.h.size, row(g), [=](int64_t n, int64_t h) {
    average_pool_backward_row(dx.as<float>() + n * picture(g) + h * row(g),
                              dy.as<float>() + n * pooled_picture(g), g, h);
  });
}

}  // namespace gatun::kernels
