// Recurrent layers in plain loops: the f64 path, and the oracle of the fast one.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/recurrent.h"

namespace gatun::kernels::naive {

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline double activate(Cell cell, double x) {
  return cell == Cell::RELU ? std::max(x, 0.0) : cell == Cell::SIGMOID ? sigmoid(x) : std::tanh(x);
}

// The derivative of `activate` where its value is y.
inline double slope(Cell cell, double y) {
  return cell == Cell::RELU ? (y > 0 ? 1 : 0) : cell == Cell::SIGMOID ? y * (1 - y) : 1 - y * y;
}

// y = gain (p - mean) / sqrt(variance + epsilon).
template <typename T>
void normalise(double* y, const double* p, const T* gain, int64_t count, double epsilon) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < count; ++i) mean += p[i] / count;
  for (int64_t i = 0; i < count; ++i) variance += (p[i] - mean) * (p[i] - mean) / count;
  for (int64_t i = 0; i < count; ++i)
    y[i] = gain[i] * (p[i] - mean) / std::sqrt(variance + epsilon);
}

// From the slopes dy of what `normalise` made of p to those of p, over dy; adds to dgain.
template <typename T>
void normalise_back(double* dy, double* dgain, const double* p, const T* gain, int64_t count,
                    double epsilon) {
  double mean = 0, variance = 0, slopes = 0, by_value = 0;
  for (int64_t i = 0; i < count; ++i) mean += p[i] / count;
  for (int64_t i = 0; i < count; ++i) variance += (p[i] - mean) * (p[i] - mean) / count;
  const double inverse = 1 / std::sqrt(variance + epsilon);
  for (int64_t i = 0; i < count; ++i) {
    const double value = (p[i] - mean) * inverse;
    dgain[i] += dy[i] * value;
    slopes += gain[i] * dy[i] / count;
    by_value += gain[i] * dy[i] * value / count;
  }
  for (int64_t i = 0; i < count; ++i) {
    dy[i] = inverse * (gain[i] * dy[i] - slopes - (p[i] - mean) * inverse * by_value);
  }
}

// One sequence in one direction; `values` are doubles between steps.
template <typename T>
class Walk {
 public:
  Walk(const Sequence& s, int d, int64_t b) : s_(s), d_(d), b_(b), h_(s.units), c_(s.units) {}

  void forward(const RecurrentOperands<T>& o) {
    const int64_t H = s_.units;
    for (int64_t i = 0; i < H; ++i) {
      h_[i] = o.first == nullptr ? 0 : o.first[state() + i];
      c_[i] = o.first_cell == nullptr ? 0 : o.first_cell[state() + i];
    }
    for (int64_t n = 0; n < s_.steps; ++n) step(o, s_.step(d_, n));
    for (int64_t i = 0; i < H; ++i) {
      o.last[state() + i] = static_cast<T>(h_[i]);
      if (o.last_cell != nullptr) o.last_cell[state() + i] = static_cast<T>(c_[i]);
    }
  }

  // Adds to dweights, dbias and dgain, which are sums over sequences; writes the rest.
  void backward(const RecurrentGradients<T>& o, double* dweights, double* dbias, double* dgain) {
    const int64_t H = s_.units;
    std::vector<double>&dh = h_, &dc = c_;
    for (int64_t i = 0; i < H; ++i) {
      dh[i] = o.dlast == nullptr ? 0 : o.dlast[state() + i];
      dc[i] = o.dlast_cell == nullptr ? 0 : o.dlast_cell[state() + i];
    }
    for (int64_t n = s_.steps - 1; n >= 0; --n) step_back(o, n, dweights, dbias, dgain);
    for (int64_t i = 0; i < H; ++i) {
      if (o.dfirst != nullptr) o.dfirst[state() + i] = static_cast<T>(dh[i]);
      if (o.dfirst_cell != nullptr) o.dfirst_cell[state() + i] = static_cast<T>(dc[i]);
    }
  }

 private:
  // Element (t, value v, unit 0) of a [T,B,D * values * H] tensor, and of a [D,B,H] one.
  int64_t at(int64_t t, int values, int v) const {
    return ((t * s_.batch + b_) * s_.directions() + d_) * values * s_.units + v * s_.units;
  }
  int64_t state() const { return (d_ * s_.batch + b_) * s_.units; }

  void step(const RecurrentOperands<T>& o, int64_t t) {
    const int64_t H = s_.units;
    const CellForm form = s_.form();
    const auto save = [&](int v, int64_t i, double value) {
      if (o.saved != nullptr) o.saved[at(t, s_.saved(), v) + i] = static_cast<T>(value);
    };
    if (o.mask != nullptr && o.mask[t * s_.batch + b_] == 0) {
      for (int64_t i = 0; i < H; ++i) {
        o.y[at(t, 1, 0) + i] = static_cast<T>(form.has_skip ? 0 : h_[i]);
        for (int v = 0; v < s_.saved(); ++v) save(v, i, 0);
        if (form.saved > kSavedState) save(kSavedState, i, form.has_cell ? c_[i] : h_[i]);
      }
      return;
    }
    std::vector<double> u(H), a(form.gates * H), q(H);
    for (int64_t i = 0; i < H; ++i) u[i] = o.keep == nullptr ? h_[i] : h_[i] * o.keep[state() + i];
    const auto product = [&](int gate, int64_t i, const std::vector<double>& from) {
      const T* row = o.weights + ((d_ * form.gates + gate) * H + i) * H;
      double sum = 0;
      for (int64_t k = 0; k < H; ++k) sum += row[k] * from[k];
      return sum;
    };
    // The products of the gates [begin, end), normalised if there is a gain.
    const auto products = [&](int begin, int end, const std::vector<double>& from) {
      std::vector<double> p((end - begin) * H);
      for (int64_t i = 0; i < (end - begin) * H; ++i) p[i] = product(begin + i / H, i % H, from);
      if (o.gain != nullptr && !p.empty()) {
        for (int64_t i = 0; i < (end - begin) * H; ++i) save(form.saved + begin, i, p[i]);
        const std::vector<double> raw = p;
        normalise(p.data(), raw.data(), o.gain + (d_ * form.gates + begin) * H, (end - begin) * H,
                  s_.epsilon);
      }
      return p;
    };
    const int border = form.norm_border();
    std::vector<double> p = products(0, border, u);
    for (int64_t i = 0; i < form.gates * H; ++i) a[i] = o.x[at(t, form.gates, 0) + i];
    for (int64_t i = 0; i < border * H; ++i) a[i] += p[i];
    if (form.has_bias) {
      p = products(border, form.gates, u);
      for (int64_t i = 0; i < H; ++i) q[i] = p[i] + (o.bias == nullptr ? 0 : o.bias[d_ * H + i]);
    } else if (form.second_product != 0) {
      std::vector<double> reset(H);
      for (int64_t i = 0; i < H; ++i) reset[i] = sigmoid(a[i]) * u[i];
      p = products(border, form.gates, reset);
      for (int64_t i = 0; i < H; ++i) a[2 * H + i] += p[i];
    }
    for (int64_t i = 0; i < H; ++i) {
      double y = 0;
      switch (s_.cell) {
        case Cell::UGRNN: {
          const double r = std::tanh(a[i]), g = sigmoid(a[H + i]);
          save(0, i, r);
          save(1, i, g);
          y = h_[i] = g * h_[i] + (1 - g) * r;
          break;
        }
        case Cell::GRU:
        case Cell::GRU_RESET_BEFORE: {
          const double r = sigmoid(a[i]), z = sigmoid(a[H + i]);
          const double n = std::tanh(a[2 * H + i] + r * q[i]);
          save(0, i, r);
          save(1, i, z);
          save(2, i, n);
          if (s_.cell == Cell::GRU) save(3, i, q[i]);
          y = h_[i] = (1 - z) * n + z * h_[i];
          break;
        }
        case Cell::LSTM: {
          const double in = sigmoid(a[i]), forget = sigmoid(a[H + i]);
          const double g = std::tanh(a[2 * H + i]), out = sigmoid(a[3 * H + i]);
          c_[i] = forget * c_[i] + in * g;
          save(0, i, in);
          save(1, i, forget);
          save(2, i, g);
          save(3, i, out);
          save(4, i, c_[i]);
          y = h_[i] = out * std::tanh(c_[i]);
          break;
        }
        case Cell::INTERSECTION: {
          const double y_in = std::max(a[i], 0.0), h_in = std::tanh(a[H + i]);
          const double gy = sigmoid(a[2 * H + i]), gh = sigmoid(a[3 * H + i]);
          y = gy * o.skip[(t * s_.batch + b_) * H + i] + (1 - gy) * y_in;
          h_[i] = gh * h_[i] + (1 - gh) * h_in;
          save(0, i, y_in);
          save(1, i, h_in);
          save(2, i, gy);
          save(3, i, gh);
          save(4, i, h_[i]);
          break;
        }
        default:
          y = h_[i] = activate(s_.cell, a[i]);
      }
      o.y[at(t, 1, 0) + i] = static_cast<T>(y);
    }
  }

  void step_back(const RecurrentGradients<T>& o, int64_t n, double* dweights, double* dbias,
                 double* dgain) {
    const int64_t H = s_.units, t = s_.step(d_, n);
    const int64_t before = n > 0 ? s_.step(d_, n - 1) : -1;
    const CellForm form = s_.form();
    std::vector<double>&dh = h_, &dc = c_;
    const auto slope_of_y = [&](int64_t i) { return o.dy == nullptr ? 0 : o.dy[at(t, 1, 0) + i]; };
    T* dskip = form.has_skip ? o.dskip + (t * s_.batch + b_) * H : nullptr;
    if (form.has_skip && d_ == 0) std::fill_n(dskip, H, T{0});
    if (!form.has_skip) {
      for (int64_t i = 0; i < H; ++i) dh[i] += slope_of_y(i);
    }
    if (o.mask != nullptr && o.mask[t * s_.batch + b_] == 0) {
      std::fill_n(o.dx + at(t, form.gates, 0), form.gates * H, T{0});
      return;
    }
    const auto saved = [&](int v, int64_t i) -> double {
      return o.saved[at(t, s_.saved(), v) + i];
    };
    std::vector<double> h(H), u(H), da(form.gates * H), dq(H), du(H), reset(H);
    for (int64_t i = 0; i < H; ++i) {
      if (before < 0) {
        h[i] = o.first == nullptr ? 0 : o.first[state() + i];
      } else {
        h[i] = form.has_skip ? o.saved[at(before, s_.saved(), kSavedState) + i]
                             : o.y[at(before, 1, 0) + i];
      }
      u[i] = o.keep == nullptr ? h[i] : h[i] * o.keep[state() + i];
    }
    for (int64_t i = 0; i < H; ++i) {
      switch (s_.cell) {
        case Cell::UGRNN: {
          const double r = saved(0, i), g = saved(1, i);
          da[i] = dh[i] * (1 - g) * (1 - r * r);
          da[H + i] = dh[i] * (h[i] - r) * g * (1 - g);
          dh[i] *= g;
          break;
        }
        case Cell::GRU:
        case Cell::GRU_RESET_BEFORE: {
          const double r = saved(0, i), z = saved(1, i), value = saved(2, i);
          da[2 * H + i] = dh[i] * (1 - z) * (1 - value * value);
          da[H + i] = dh[i] * (h[i] - value) * z * (1 - z);
          if (s_.cell == Cell::GRU) {
            da[i] = da[2 * H + i] * saved(3, i) * r * (1 - r);
            dq[i] = da[2 * H + i] * r;
          }
          reset[i] = r * u[i];
          dh[i] *= z;
          break;
        }
        case Cell::LSTM: {
          const double in = saved(0, i), forget = saved(1, i), g = saved(2, i), out = saved(3, i);
          const double bent = std::tanh(saved(4, i));
          double c = 0;
          if (before >= 0) {
            c = o.saved[at(before, s_.saved(), kSavedState) + i];
          } else if (o.first_cell != nullptr) {
            c = o.first_cell[state() + i];
          }
          da[3 * H + i] = dh[i] * bent * out * (1 - out);
          dc[i] += dh[i] * out * (1 - bent * bent);
          da[i] = dc[i] * g * in * (1 - in);
          da[H + i] = dc[i] * c * forget * (1 - forget);
          da[2 * H + i] = dc[i] * in * (1 - g * g);
          dc[i] *= forget;
          dh[i] = 0;
          break;
        }
        case Cell::INTERSECTION: {
          const double y_in = saved(0, i), h_in = saved(1, i), gy = saved(2, i), gh = saved(3, i);
          const double dy = slope_of_y(i), x = o.skip[(t * s_.batch + b_) * H + i];
          da[i] = y_in > 0 ? dy * (1 - gy) : 0;
          da[H + i] = dh[i] * (1 - gh) * (1 - h_in * h_in);
          da[2 * H + i] = dy * (x - y_in) * gy * (1 - gy);
          da[3 * H + i] = dh[i] * (h[i] - h_in) * gh * (1 - gh);
          dskip[i] = static_cast<T>(dskip[i] + dy * gy);
          dh[i] *= gh;
          break;
        }
        default:
          da[i] = dh[i] * slope(s_.cell, o.y[at(t, 1, 0) + i]);
          dh[i] = 0;
      }
    }
    // Through the products, the last gate's first where it reads what another gate has made.
    const auto flow = [&](int gate, const double* slopes, const std::vector<double>& from,
                          std::vector<double>& to) {
      for (int64_t i = 0; i < H; ++i) {
        const int64_t row = ((d_ * form.gates + gate) * H + i) * H;
        for (int64_t k = 0; k < H; ++k) {
          dweights[row + k] += slopes[i] * from[k];
          to[k] += slopes[i] * o.weights[row + k];
        }
      }
    };
    // The slopes of the products of the gates [begin, end) from those of what was added to x.
    const auto through_norm = [&](int begin, int end, const double* slopes) {
      const int64_t count = (end - begin) * H, gate = (d_ * form.gates + begin) * H;
      std::vector<double> dp(slopes, slopes + count), p(count);
      if (o.gain != nullptr) {
        for (int64_t i = 0; i < count; ++i) p[i] = saved(form.saved + begin, i);
        normalise_back(dp.data(), dgain + gate, p.data(), o.gain + gate, count, s_.epsilon);
      }
      return dp;
    };
    const int border = form.norm_border();
    std::vector<double> dp;
    if (form.second_product != 0) {
      std::vector<double> dreset(H);
      dp = through_norm(border, form.gates, da.data() + 2 * H);
      flow(2, dp.data(), reset, dreset);
      for (int64_t i = 0; i < H; ++i) {
        const double r = saved(0, i);
        da[i] = dreset[i] * u[i] * r * (1 - r);
        du[i] += dreset[i] * r;
      }
    }
    dp = through_norm(0, border, da.data());
    for (int g = 0; g < border; ++g) flow(g, dp.data() + g * H, u, du);
    if (form.has_bias) {
      dp = through_norm(border, form.gates, dq.data());
      flow(2, dp.data(), u, du);
    }
    for (int64_t i = 0; i < H; ++i) {
      dh[i] += o.keep == nullptr ? du[i] : du[i] * o.keep[state() + i];
      if (form.has_bias) dbias[d_ * H + i] += dq[i];
      for (int g = 0; g < form.gates; ++g) {
        o.dx[at(t, form.gates, g) + i] = static_cast<T>(da[g * H + i]);
      }
    }
  }

  const Sequence s_;
  const int d_;
  const int64_t b_;
  std::vector<double> h_, c_;
};

template <typename T>
void recurrent(const Sequence& s, const RecurrentOperands<T>& o) {
  for (int d = 0; d < s.directions(); ++d) {
    for (int64_t b = 0; b < s.batch; ++b) Walk<T>(s, d, b).forward(o);
  }
}

template <typename T>
void recurrent_backward(const Sequence& s, const RecurrentGradients<T>& o) {
  const int64_t D = s.directions(), H = s.units;
  std::vector<double> dweights(D * s.form().gates * H * H), dbias(D * H);
  std::vector<double> dgain(D * s.form().gates * H);
  for (int d = 0; d < D; ++d) {
    for (int64_t b = 0; b < s.batch; ++b) {
      Walk<T>(s, d, b).backward(o, dweights.data(), dbias.data(), dgain.data());
    }
  }
  std::copy(dweights.begin(), dweights.end(), o.dweights);
  if (o.dbias != nullptr) std::copy(dbias.begin(), dbias.end(), o.dbias);
  if (o.dgain != nullptr) std::copy(dgain.begin(), dgain.end(), o.dgain);
}

}  // namespace gatun::kernels::naive
