#include "kernels/pool_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

void max_row(float* y, uint8_t* taps, const float* x, const PoolGeometry& g, int64_t p) {
  const auto rows = g.h.taps(p);
  const int64_t row_step = g.w.size * g.channels, step = g.channels;
  const int64_t window_w = g.w.window;
  for (int64_t q = 0; q < g.w.places; ++q) {
    const auto columns = g.w.taps(q);
    // May point before the picture; only taps inside are read.
    const int64_t corner =
        (p * g.h.stride - g.h.pad) * row_step + (q * g.w.stride - g.w.pad) * step;
    for_lanes(g.channels, [=](auto d, int64_t c) HWY_ATTR {
      const hn::RebindToSigned<decltype(d)> di;
      const hn::Rebind<uint8_t, decltype(d)> du;
      const int64_t at = corner + c;
      auto best = hn::LoadU(d, x + at + rows.begin * row_step + columns.begin * step);
      auto tap = hn::Set(di, static_cast<int32_t>(rows.begin * window_w + columns.begin));
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        for (int64_t s = columns.begin; s < columns.end; ++s) {
          const auto v = hn::LoadU(d, x + at + r * row_step + s * step);
          // Greater or NaN, unless the best so far is NaN.
          const auto wins = hn::And(hn::Eq(best, best), hn::Not(hn::Le(v, best)));
          best = hn::IfThenElse(wins, v, best);
          tap = hn::IfThenElse(hn::RebindMask(di, wins),
                               hn::Set(di, static_cast<int32_t>(r * window_w + s)), tap);
        }
      }
      hn::StoreU(best, d, y + q * step + c);
      hn::StoreU(hn::DemoteTo(du, tap), du, taps + q * step + c);
    });
  }
}

void max_backward_row(float* dx, const float* dy, const uint8_t* taps, const PoolGeometry& g,
                      int64_t h) {
  const auto rows = g.h.windows(h);
  for (int64_t w = 0; w < g.w.size; ++w) {
    const auto columns = g.w.windows(w);
    for_lanes(g.channels, [=, &g](auto d, int64_t c) HWY_ATTR {
      const hn::RebindToSigned<decltype(d)> di;
      const hn::Rebind<uint8_t, decltype(d)> du;
      auto sum = hn::Zero(d);
      for (int64_t p = rows.begin; p < rows.end; ++p) {
        const int64_t r = h + g.h.pad - p * g.h.stride;
        for (int64_t q = columns.begin; q < columns.end; ++q) {
          const int64_t s = w + g.w.pad - q * g.w.stride;
          const int64_t at = (p * g.w.places + q) * g.channels + c;
          const auto tap = hn::PromoteTo(di, hn::LoadU(du, taps + at));
          const auto here = hn::Eq(tap, hn::Set(di, static_cast<int32_t>(r * g.w.window + s)));
          sum = hn::Add(sum, hn::IfThenElseZero(hn::RebindMask(d, here), hn::LoadU(d, dy + at)));
        }
      }
      hn::StoreU(sum, d, dx + w * g.channels + c);
    });
  }
}

// The mean of a window for kVectors vectors of channels. Each row of the window has a sum of its
// own, which keeps chains of additions short where the window is the whole picture.
template <int kVectors, typename D>
HWY_INLINE void average(D d, float* y, const float* x, PoolAxis::Range rows,
                        PoolAxis::Range columns, int64_t counted, int64_t row_step, int64_t step) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<D> sum[kVectors];
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) sum[k] = hn::Zero(d);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    hn::Vec<D> row[kVectors];
#pragma GCC unroll 4
    for (int k = 0; k < kVectors; ++k) row[k] = hn::Zero(d);
    for (int64_t s = columns.begin; s < columns.end; ++s) {
#pragma GCC unroll 4
      for (int k = 0; k < kVectors; ++k) {
        row[k] = hn::Add(row[k], hn::LoadU(d, x + r * row_step + s * step + k * lanes));
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k < kVectors; ++k) sum[k] = hn::Add(sum[k], row[k]);
  }
  const auto count = hn::Set(d, static_cast<float>(counted));
#pragma GCC unroll 4
  for (int k = 0; k < kVectors; ++k) hn::StoreU(hn::Div(sum[k], count), d, y + k * lanes);
}

void average_row(float* y, const float* x, const PoolGeometry& g, int64_t p) {
  const hn::CappedTag<float, 16> d;
  const auto rows = g.h.taps(p);
  const int64_t row_step = g.w.size * g.channels, step = g.channels;
  const auto four = 4 * static_cast<int64_t>(hn::Lanes(d));
  for (int64_t q = 0; q < g.w.places; ++q) {
    const auto columns = g.w.taps(q);
    const int64_t counted = g.counted(p, q);
    const int64_t corner =
        (p * g.h.stride - g.h.pad) * row_step + (q * g.w.stride - g.w.pad) * step;
    float* to = y + q * step;
    int64_t c = 0;
    for (; c + four <= g.channels; c += four) {
      average<4>(d, to + c, x + corner + c, rows, columns, counted, row_step, step);
    }
    for_lanes(g.channels - c, [=](auto tag, int64_t i) HWY_ATTR {
      average<1>(tag, to + c + i, x + corner + c + i, rows, columns, counted, row_step, step);
    });
  }
}

void average_backward_row(float* dx, const float* dy, const PoolGeometry& g, int64_t h) {
  const auto rows = g.h.windows(h);
  for (int64_t w = 0; w < g.w.size; ++w) {
    const auto columns = g.w.windows(w);
    float* to = dx + w * g.channels;
    if (rows.count() <= 0 || columns.count() <= 0) std::fill_n(to, g.channels, 0.0f);
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const bool first = p == rows.begin && q == columns.begin;
        const float share = 1 / static_cast<float>(g.counted(p, q));
        const float* from = dy + (p * g.w.places + q) * g.channels;
        for_lanes(g.channels, [=](auto d, int64_t c) HWY_ATTR {
          const auto part = hn::Mul(hn::LoadU(d, from + c), hn::Set(d, share));
          hn::StoreU(first ? part : hn::Add(hn::LoadU(d, to + c), part), d, to + c);
        });
      }
    }
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {

HWY_EXPORT(max_row);
HWY_EXPORT(max_backward_row);
HWY_EXPORT(average_row);
HWY_EXPORT(average_backward_row);

void max_pool_row(float* y, uint8_t* taps, const float* x, const PoolGeometry& g, int64_t p) {
  HWY_DYNAMIC_DISPATCH(max_row)(y, taps, x, g, p);
}

void max_pool_backward_row(float* dx, const float* dy, const uint8_t* taps, const PoolGeometry& g,
                           int64_t h) {
  HWY_DYNAMIC_DISPATCH(max_backward_row)(dx, dy, taps, g, h);
}

void average_pool_row(float* y, const float* x, const PoolGeometry& g, int64_t p) {
  HWY_DYNAMIC_DISPATCH(average_row)(y, x, g, p);
}

void average_pool_backward_row(float* dx, const float* dy, const PoolGeometry& g, int64_t h) {
  HWY_DYNAMIC_DISPATCH(average_backward_row)(dx, dy, g, h);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
