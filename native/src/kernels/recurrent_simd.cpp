#include "kernels/recurrent_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/recurrent_simd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// Headers made anew for every target come after foreach_target.h.
#include "kernels/lanes-inl.h"
#include "kernels/squash-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gatun::kernels::HWY_NAMESPACE {
namespace {

template <Cell kCell, class D, class V = hn::Vec<D>>
HWY_INLINE V activate(D d, V x) {
  if constexpr (kCell == Cell::RELU) {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);  // not Max: NaN stays NaN
  } else if constexpr (kCell == Cell::SIGMOID) {
    return squash_sigmoid(d, x);
  } else {
    return squash_tanh(d, x);
  }
}

// a (1 - a), the derivative of the sigmoid where it is a.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid_slope(D, V a) {
  return hn::NegMulAdd(a, a, a);
}

// 1 - a², the derivative of tanh where it is a.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh_slope(D d, V a) {
  return hn::NegMulAdd(a, a, hn::Set(d, 1.0f));
}

// b + g (a - b)
template <class V>
HWY_INLINE V mix(V g, V a, V b) {
  return hn::MulAdd(g, hn::Sub(a, b), b);
}

void multiply_elements(float* y, const float* a, const float* b, int64_t count) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  });
}

void add_elements(float* y, const float* a, const float* b, int64_t count) {
  for_lanes(count, [=](auto d, int64_t i) HWY_ATTR {
    const auto from = hn::LoadU(d, a + i), to = hn::LoadU(d, y + i);
    hn::StoreU(b == nullptr ? hn::Add(to, from) : hn::MulAdd(from, hn::LoadU(d, b + i), to), d,
               y + i);
  });
}

bool masked(const float* mask, int64_t r) { return mask != nullptr && mask[r] == 0; }

// A row that is masked out keeps its state.
void keep_state(const CellStep& s, int64_t r) {
  const CellForm form = form_of(s.cell);
  const float* h = s.h.row_at(r);
  if (form.second_product != 0 && s.phase == 0) {
    std::fill_n(s.reset.row_at(r), s.units, 0.0f);
    std::fill_n(s.saved.row_at(r), s.units, 0.0f);
    std::fill_n(s.saved.row_at(r) + s.saved.value, s.units, 0.0f);
    return;
  }
  std::copy_n(h, s.units, s.new_h.row_at(r));
  if (form.has_skip) {
    std::fill_n(s.y.row_at(r), s.units, 0.0f);
  } else {
    std::copy_n(h, s.units, s.y.row_at(r));
  }
  if (s.saved.at == nullptr) return;
  for (int v = form.second_product; v < form.saved; ++v) {
    float* kept = s.saved.row_at(r) + v * s.saved.value;
    if (v == kSavedState) {
      std::copy_n(form.has_cell ? s.c.row_at(r) : h, s.units, kept);
    } else {
      std::fill_n(kept, s.units, 0.0f);
    }
  }
}

template <Cell kCell>
void step_rows(const CellStep& s) {
  const bool saves = s.saved.at != nullptr;
  for (int64_t r = 0; r < s.rows; ++r) {
    if (masked(s.mask, r)) {
      keep_state(s, r);
      continue;
    }
    const float *x = s.x.row_at(r), *product = s.product.row_at(r), *h = s.h.row_at(r);
    const float* bias = s.bias;
    float *new_h = s.new_h.row_at(r), *y = s.y.row_at(r), *saved = s.saved.row_at(r);
    const int64_t by_gate = s.x.value, by_product = s.product.value, by_saved = s.saved.value;
    const auto sum = [=](auto d, int64_t i, int gate) HWY_ATTR {
      return hn::Add(hn::LoadU(d, x + gate * by_gate + i),
                     hn::LoadU(d, product + gate * by_product + i));
    };
    const auto save = [=](auto d, int64_t i, int v, auto value) HWY_ATTR {
      if (saves) hn::StoreU(value, d, saved + v * by_saved + i);
    };
    const auto finish = [=](auto d, int64_t i, auto value) HWY_ATTR {
      hn::StoreU(value, d, new_h + i);
      hn::StoreU(value, d, y + i);
    };
    if constexpr (kCell == Cell::UGRNN) {
      for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto value = squash_tanh(d, sum(d, i, 0)), gate = squash_sigmoid(d, sum(d, i, 1));
        save(d, i, 0, value);
        save(d, i, 1, gate);
        finish(d, i, mix(gate, hn::LoadU(d, h + i), value));
      });
    } else if constexpr (kCell == Cell::GRU) {
      for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto reset = squash_sigmoid(d, sum(d, i, 0)), z = squash_sigmoid(d, sum(d, i, 1));
        auto inside = hn::LoadU(d, product + 2 * by_product + i);
        if (bias != nullptr) inside = hn::Add(inside, hn::LoadU(d, bias + i));
        const auto value =
            squash_tanh(d, hn::MulAdd(reset, inside, hn::LoadU(d, x + 2 * by_gate + i)));
        save(d, i, 0, reset);
        save(d, i, 1, z);
        save(d, i, 2, value);
        save(d, i, 3, inside);
        finish(d, i, mix(z, hn::LoadU(d, h + i), value));
      });
    } else if constexpr (kCell == Cell::GRU_RESET_BEFORE) {
      if (s.phase == 0) {
        const float* read = s.read.row_at(r);
        float* gated = s.reset.row_at(r);
        for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
          const auto reset = squash_sigmoid(d, sum(d, i, 0));
          hn::StoreU(reset, d, saved + i);
          hn::StoreU(squash_sigmoid(d, sum(d, i, 1)), d, saved + by_saved + i);
          hn::StoreU(hn::Mul(reset, hn::LoadU(d, read + i)), d, gated + i);
        });
      } else {
        for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
          const auto value =
              squash_tanh(d, hn::Add(hn::LoadU(d, x + 2 * by_gate + i), hn::LoadU(d, product + i)));
          hn::StoreU(value, d, saved + 2 * by_saved + i);
          finish(d, i, mix(hn::LoadU(d, saved + by_saved + i), hn::LoadU(d, h + i), value));
        });
      }
    } else if constexpr (kCell == Cell::LSTM) {
      float* c = s.c.row_at(r);
      for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto in = squash_sigmoid(d, sum(d, i, 0)), forget = squash_sigmoid(d, sum(d, i, 1));
        const auto value = squash_tanh(d, sum(d, i, 2)), out = squash_sigmoid(d, sum(d, i, 3));
        const auto state = hn::MulAdd(forget, hn::LoadU(d, c + i), hn::Mul(in, value));
        hn::StoreU(state, d, c + i);
        save(d, i, 0, in);
        save(d, i, 1, forget);
        save(d, i, 2, value);
        save(d, i, 3, out);
        save(d, i, kSavedState, state);
        finish(d, i, hn::Mul(out, squash_tanh(d, state)));
      });
    } else if constexpr (kCell == Cell::INTERSECTION) {
      const float* skip = s.skip.row_at(r);
      for_lanes(s.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto y_in = activate<Cell::RELU>(d, sum(d, i, 0));
        const auto h_in = squash_tanh(d, sum(d, i, 1));
        const auto gy = squash_sigmoid(d, sum(d, i, 2)), gh = squash_sigmoid(d, sum(d, i, 3));
        const auto state = mix(gh, hn::LoadU(d, h + i), h_in);
        save(d, i, 0, y_in);
        save(d, i, 1, h_in);
        save(d, i, 2, gy);
        save(d, i, 3, gh);
        save(d, i, kSavedState, state);
        hn::StoreU(state, d, new_h + i);
        hn::StoreU(mix(gy, hn::LoadU(d, skip + i), y_in), d, y + i);
      });
    } else {
      for_lanes(s.units, [=](auto d, int64_t i)
                             HWY_ATTR { finish(d, i, activate<kCell>(d, sum(d, i, 0))); });
    }
  }
}

// A row that is masked out hands its gradient on.
void pass_on(const CellGradient& g, int64_t r) {
  const CellForm form = form_of(g.cell);
  if (g.phase == 1) {
    std::fill_n(g.dx.row_at(r), g.units, 0.0f);
    std::fill_n(g.dread.row_at(r), g.units, 0.0f);
    return;
  }
  for (int v = form.second_product == 0 ? 0 : 1; v < form.gates; ++v) {
    std::fill_n(g.dx.row_at(r) + v * g.dx.value, g.units, 0.0f);
  }
  if (form.has_bias) std::fill_n(g.dinside.row_at(r), g.units, 0.0f);
  if (form.second_product != 0) std::fill_n(g.reset.row_at(r), g.units, 0.0f);
  if (form.has_skip && !g.add_to_dskip) std::fill_n(g.dskip.row_at(r), g.units, 0.0f);
}

template <Cell kCell>
void gradient_rows(const CellGradient& g) {
  constexpr CellForm form = form_of(kCell);
  for (int64_t r = 0; r < g.rows; ++r) {
    const float *dy = g.dy.row_at(r), *saved = g.saved.row_at(r), *h = g.h.row_at(r);
    float *dx = g.dx.row_at(r), *dh = g.dh.row_at(r);
    const int64_t by_gate = g.dx.value, by_saved = g.saved.value;
    const bool has_dy = g.dy.at != nullptr;
    if (!form.has_skip && has_dy && g.phase == 0) add_elements(dh, dy, nullptr, g.units);
    if (masked(g.mask, r)) {
      pass_on(g, r);
      continue;
    }
    const auto value_of = [=](auto d, int64_t i, int v)
                              HWY_ATTR { return hn::LoadU(d, saved + v * by_saved + i); };
    const auto store = [=](auto d, int64_t i, int gate, auto value)
                           HWY_ATTR { hn::StoreU(value, d, dx + gate * by_gate + i); };
    if constexpr (kCell == Cell::UGRNN) {
      for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto value = value_of(d, i, 0), gate = value_of(d, i, 1);
        const auto slope = hn::LoadU(d, dh + i), by_gated = hn::Mul(slope, gate);
        store(d, i, 0, hn::Mul(hn::Sub(slope, by_gated), tanh_slope(d, value)));
        store(d, i, 1,
              hn::Mul(hn::Mul(slope, hn::Sub(hn::LoadU(d, h + i), value)), sigmoid_slope(d, gate)));
        hn::StoreU(by_gated, d, dh + i);
      });
    } else if constexpr (kCell == Cell::GRU || kCell == Cell::GRU_RESET_BEFORE) {
      float *inside = g.dinside.row_at(r), *gated = g.reset.row_at(r), *dread = g.dread.row_at(r);
      const float* read = g.read.row_at(r);
      if (g.phase == 0) {
        for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
          const auto reset = value_of(d, i, 0), z = value_of(d, i, 1), value = value_of(d, i, 2);
          const auto slope = hn::LoadU(d, dh + i), by_z = hn::Mul(slope, z);
          const auto to_value = hn::Mul(hn::Sub(slope, by_z), tanh_slope(d, value));
          store(d, i, 2, to_value);
          store(d, i, 1,
                hn::Mul(hn::Mul(slope, hn::Sub(hn::LoadU(d, h + i), value)), sigmoid_slope(d, z)));
          if constexpr (kCell == Cell::GRU) {
            store(d, i, 0, hn::Mul(hn::Mul(to_value, value_of(d, i, 3)), sigmoid_slope(d, reset)));
            hn::StoreU(hn::Mul(to_value, reset), d, inside + i);
          } else {
            hn::StoreU(hn::Mul(reset, hn::LoadU(d, read + i)), d, gated + i);
          }
          hn::StoreU(by_z, d, dh + i);
        });
      } else {
        for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
          const auto reset = value_of(d, i, 0), slope = hn::LoadU(d, dread + i);
          store(d, i, 0, hn::Mul(hn::Mul(slope, hn::LoadU(d, read + i)), sigmoid_slope(d, reset)));
          hn::StoreU(hn::Mul(slope, reset), d, dread + i);
        });
      }
    } else if constexpr (kCell == Cell::LSTM) {
      float* dc = g.dc.row_at(r);
      const float* c = g.c.row_at(r);
      for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto in = value_of(d, i, 0), forget = value_of(d, i, 1);
        const auto value = value_of(d, i, 2), out = value_of(d, i, 3);
        const auto bent = squash_tanh(d, value_of(d, i, kSavedState));
        const auto slope = hn::LoadU(d, dh + i);
        const auto to_cell =
            hn::MulAdd(hn::Mul(slope, out), tanh_slope(d, bent), hn::LoadU(d, dc + i));
        store(d, i, 0, hn::Mul(hn::Mul(to_cell, value), sigmoid_slope(d, in)));
        store(d, i, 1, hn::Mul(hn::Mul(to_cell, hn::LoadU(d, c + i)), sigmoid_slope(d, forget)));
        store(d, i, 2, hn::Mul(hn::Mul(to_cell, in), tanh_slope(d, value)));
        store(d, i, 3, hn::Mul(hn::Mul(slope, bent), sigmoid_slope(d, out)));
        hn::StoreU(hn::Mul(to_cell, forget), d, dc + i);
        hn::StoreU(hn::Zero(d), d, dh + i);
      });
    } else if constexpr (kCell == Cell::INTERSECTION) {
      const float* skip = g.skip.row_at(r);
      float* dskip = g.dskip.row_at(r);
      const bool adds = g.add_to_dskip;
      for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto y_in = value_of(d, i, 0), h_in = value_of(d, i, 1);
        const auto gy = value_of(d, i, 2), gh = value_of(d, i, 3);
        const auto to_y = has_dy ? hn::LoadU(d, dy + i) : hn::Zero(d);
        const auto slope = hn::LoadU(d, dh + i), by_gh = hn::Mul(slope, gh);
        const auto to_skip = hn::Mul(to_y, gy);
        store(d, i, 0, hn::IfThenElseZero(hn::Gt(y_in, hn::Zero(d)), hn::Sub(to_y, to_skip)));
        store(d, i, 1, hn::Mul(hn::Sub(slope, by_gh), tanh_slope(d, h_in)));
        store(d, i, 2,
              hn::Mul(hn::Mul(to_y, hn::Sub(hn::LoadU(d, skip + i), y_in)), sigmoid_slope(d, gy)));
        store(d, i, 3,
              hn::Mul(hn::Mul(slope, hn::Sub(hn::LoadU(d, h + i), h_in)), sigmoid_slope(d, gh)));
        hn::StoreU(by_gh, d, dh + i);
        hn::StoreU(adds ? hn::Add(to_skip, hn::LoadU(d, dskip + i)) : to_skip, d, dskip + i);
      });
    } else {
      const float* y = g.y.row_at(r);
      for_lanes(g.units, [=](auto d, int64_t i) HWY_ATTR {
        const auto value = hn::LoadU(d, y + i), slope = hn::LoadU(d, dh + i);
        if constexpr (kCell == Cell::RELU) {
          store(d, i, 0, hn::IfThenElseZero(hn::Gt(value, hn::Zero(d)), slope));
        } else if constexpr (kCell == Cell::SIGMOID) {
          store(d, i, 0, hn::Mul(slope, sigmoid_slope(d, value)));
        } else {
          store(d, i, 0, hn::Mul(slope, tanh_slope(d, value)));
        }
        hn::StoreU(hn::Zero(d), d, dh + i);
      });
    }
  }
}

void step_all(const CellStep& s) {
  switch (s.cell) {
    case Cell::TANH:
      return step_rows<Cell::TANH>(s);
    case Cell::RELU:
      return step_rows<Cell::RELU>(s);
    case Cell::SIGMOID:
      return step_rows<Cell::SIGMOID>(s);
    case Cell::UGRNN:
      return step_rows<Cell::UGRNN>(s);
    case Cell::GRU:
      return step_rows<Cell::GRU>(s);
    case Cell::GRU_RESET_BEFORE:
      return step_rows<Cell::GRU_RESET_BEFORE>(s);
    case Cell::LSTM:
      return step_rows<Cell::LSTM>(s);
    case Cell::INTERSECTION:
      return step_rows<Cell::INTERSECTION>(s);
  }
}

void gradient_all(const CellGradient& g) {
  switch (g.cell) {
    case Cell::TANH:
      return gradient_rows<Cell::TANH>(g);
    case Cell::RELU:
      return gradient_rows<Cell::RELU>(g);
    case Cell::SIGMOID:
      return gradient_rows<Cell::SIGMOID>(g);
    case Cell::UGRNN:
      return gradient_rows<Cell::UGRNN>(g);
    case Cell::GRU:
      return gradient_rows<Cell::GRU>(g);
    case Cell::GRU_RESET_BEFORE:
      return gradient_rows<Cell::GRU_RESET_BEFORE>(g);
    case Cell::LSTM:
      return gradient_rows<Cell::LSTM>(g);
    case Cell::INTERSECTION:
      return gradient_rows<Cell::INTERSECTION>(g);
  }
}

}  // namespace
}  // namespace gatun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gatun::kernels {
namespace {

HWY_EXPORT(step_all);
HWY_EXPORT(gradient_all);
HWY_EXPORT(multiply_elements);
HWY_EXPORT(add_elements);

}  // namespace

void cell_step(const CellStep& step) { HWY_DYNAMIC_DISPATCH(step_all)(step); }

void cell_gradient(const CellGradient& gradient) { HWY_DYNAMIC_DISPATCH(gradient_all)(gradient); }

void multiply_all(float* y, const float* a, const float* b, int64_t count) {
  HWY_DYNAMIC_DISPATCH(multiply_elements)(y, a, b, count);
}

void add_product(float* y, const float* a, const float* b, int64_t count) {
  HWY_DYNAMIC_DISPATCH(add_elements)(y, a, b, count);
}

}  // namespace gatun::kernels
#endif  // HWY_ONCE
