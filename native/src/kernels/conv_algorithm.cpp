// Which algorithm computes a convolution.
#include <algorithm>
#include <utility>

#include "kernels/conv.h"
#include "kernels/conv_naive.h"
#include "kernels/winograd.h"

namespace gatun::kernels {
namespace {

enum class Pass { FORWARD, DATA, WEIGHTS };

// Pairs of a result and an input pixel along one axis that one of three taps joins.
double taps(int64_t size, int64_t places, int64_t pad) {
  int64_t count = 0;
  for (int64_t r = 0; r < 3; ++r) {
    count +=
        std::clamp<int64_t>(size + pad - r, 0, places) - std::clamp<int64_t>(pad - r, 0, places);
  }
  return static_cast<double>(count);
}

// Compares costs in multiply-adds. A tile costs 36 for each pair of channels and its transforms
// about 400 for each channel; the transform of the weights costs 300 for each pair, or 1000 where
// they outgrow the caches, and in the weight gradient, where they are sums, two to three times
// that. Fitted to measurements of 20 layers on a Zen 4 core.
bool faster_by_winograd(Pass pass, const naive::ConvDims& d, const ConvGeometry& g) {
  constexpr int64_t kVector = 16, kCachedPairs = int64_t{1} << 17;
  const auto whole = [](int64_t n) {
    return static_cast<double>((n + kVector - 1) / kVector * kVector);
  };
  const double C = whole(d.C), K = whole(d.K);
  const int64_t P = pass == Pass::DATA ? d.H : d.P, Q = pass == Pass::DATA ? d.W : d.Q;
  const auto tiles = static_cast<double>(d.N * ((P + 3) / 4) * ((Q + 3) / 4));
  const bool cached = d.C * d.K <= kCachedPairs;
  const double pair = pass == Pass::WEIGHTS ? (cached ? 600 : 3000) : (cached ? 300 : 1000);
  const double winograd = tiles * (36 * C * K + 400 * (C + K)) + pair * C * K;
  const double joined =
      static_cast<double>(d.N) * taps(d.H, d.P, g.pad_h) * taps(d.W, d.Q, g.pad_w);
  const double direct =
      joined * (pass == Pass::DATA ? C * static_cast<double>(d.K) : static_cast<double>(d.C) * K);
  return winograd < 0.95 * direct;  // less exact, so not for nothing
}

// x and y are the forward pass's.
bool by_winograd(ConvAlgorithm algorithm, Pass pass, const Tensor& x, const Tensor& w,
                 const Tensor& y, const ConvGeometry& g) {
  if (x.count == 0 || w.count == 0 || y.count == 0 || !winograd::fits(x, w, g)) return false;
  return algorithm == ConvAlgorithm::WINOGRAD ||
         (algorithm == ConvAlgorithm::AUTO && faster_by_winograd(pass, {x, w, y}, g));
}

float* data(const Tensor* tensor) { return tensor == nullptr ? nullptr : tensor->as<float>(); }

// Winograd's tiles do what changes the result themselves; its sums are left for a later section.
winograd::Epilogue in_tiles(const Tensor* bias, Epilogue& epilogue) {
  return {.bias = data(bias),
          .addend = data(std::exchange(epilogue.addend, nullptr)),
          .gate = data(std::exchange(epilogue.gate, nullptr)),
          .relu = std::exchange(epilogue.activation, Activation::NONE) == Activation::RELU};
}

}  // namespace

void conv2d(Launcher& launcher, const Tensor& y, const Tensor& x, const Tensor& w,
            const Tensor* bias, const ConvGeometry& g, const Epilogue& epilogue,
            ConvAlgorithm algorithm) {
  if (!by_winograd(algorithm, Pass::FORWARD, x, w, y, g)) {
    return direct::conv2d(launcher, y, x, w, bias, g, epilogue);
  }
  Epilogue rest = epilogue;
  winograd::conv2d(launcher, y, x, w, g, in_tiles(bias, rest));
  run_epilogue(launcher, y, rest);
}

void conv2d_backward_data(Launcher& launcher, const Tensor& dx, const Tensor& dy, const Tensor& w,
                          const ConvGeometry& g, const Epilogue& epilogue,
                          ConvAlgorithm algorithm) {
  if (!by_winograd(algorithm, Pass::DATA, dx, w, dy, g)) {
    return direct::conv2d_backward_data(launcher, dx, dy, w, g, epilogue);
  }
  Epilogue rest = epilogue;
  winograd::conv2d_backward_data(launcher, dx, dy, w, g, in_tiles(nullptr, rest));
  run_epilogue(launcher, dx, rest);
}

void conv2d_backward_weights(Launcher& launcher, const Tensor& dw, const Tensor& x,
                             const Tensor& dy, const ConvGeometry& g, ConvAlgorithm algorithm) {
  if (!by_winograd(algorithm, Pass::WEIGHTS, x, dw, dy, g)) {
    return direct::conv2d_backward_weights(launcher, dw, x, dy, g);
  }
  winograd::conv2d_backward_weights(launcher, dw, x, dy, g);
}

}  // namespace gatun::kernels
