#include "kernels/elementwise_chain.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "kernels/broadcast.h"
#include "kernels/elementwise.h"
#include "kernels/elementwise_naive.h"
#include "kernels/elementwise_simd.h"
#include "kernels/ranges.h"
#include "kernels/widen.h"

namespace gatun::kernels {
namespace {

constexpr int kMostValues = GT_ELEMENTWISE_MAX_INPUTS + GT_ELEMENTWISE_MAX_STEPS;
// Elements of a block whose values between the steps stay in the first-level cache.
constexpr int64_t kBlock = 1024;

// ---- One step on a block, as the instruction of its own does it.

void unary_loop(Unary op, float* y, const float* x, int64_t count) { unary_f32(op, y, x, count); }
void unary_loop(Unary op, double* y, const double* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = naive::apply(op, x[i]);
}

void binary_loop(Binary op, float* y, const float* a, const float* b, int64_t count) {
  binary_f32(op, y, a, b, {.columns = count});
}
void binary_loop(Binary op, double* y, const double* a, const double* b, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = naive::apply(op, a[i], b[i]);
}

void affine_loop(float* y, const float* x, int64_t count, double scale, double shift) {
  affine_f32(y, x, count, static_cast<float>(scale), static_cast<float>(shift));
}
void affine_loop(double* y, const double* x, int64_t count, double scale, double shift) {
  for (int64_t i = 0; i < count; ++i) y[i] = scale * x[i] + shift;
}

template <typename T>
void run_step(const gt_step& step, T* y, const T* const* values, int64_t count) {
  const T* a = values[step.a];
  switch (step.kind) {
    case GT_STEP_UNARY:
      return unary_loop(static_cast<Unary>(step.op), y, a, count);
    case GT_STEP_BINARY:
      return binary_loop(static_cast<Binary>(step.op), y, a, values[step.b], count);
    default:
      return affine_loop(y, a, count, step.scale, step.shift);
  }
}

// ---- The inputs

struct Input {
  Tensor tensor;
  Broadcast shape;

  bool is_dense(const Tensor& y) const { return tensor.count == y.count; }
};

template <typename T>
void read(T* to, const T* from, int64_t count) {
  std::copy_n(from, count, to);
}
void read(float* to, const Bf16* from, int64_t count) { widen(to, from, count); }

// What belongs to y's elements [begin, end) of an input that repeats.
template <typename Stored, typename T>
void repeat(T* to, const Input& input, int64_t begin, int64_t end) {
  const auto* from = input.tensor.as<Stored>();
  input.shape.for_blocks(begin, end,
                         [&](int64_t in_y, int64_t in_x, int64_t, const RowBlock& block) {
                           T* row = to + (in_y - begin);
                           for (int64_t r = 0; r < block.rows; ++r, row += block.columns) {
                             const Stored* x = from + in_x + r * block.a_row_stride;
                             if (block.a_is_dense) {
                               read(row, x, block.columns);
                             } else {
                               T value;
                               read(&value, x, 1);
                               std::fill_n(row, block.columns, value);
                             }
                           }
                         });
}

// ---- The chain

struct Chain {
  Tensor y;
  std::vector<Input> inputs;
  std::vector<gt_step> steps;
  // Where each step's result lies: a value that nobody reads any more gives its place away.
  std::array<int, GT_ELEMENTWISE_MAX_STEPS> places{};

  // Elements [begin, end), stored as Stored and computed as T.
  template <typename Stored, typename T>
  void run(int64_t begin, int64_t end) const;
};

std::array<int, GT_ELEMENTWISE_MAX_STEPS> assign_places(int inputs,
                                                        std::span<const gt_step> steps) {
  std::array<int, kMostValues> last_use{};
  for (int k = 0; k < static_cast<int>(steps.size()); ++k) {
    last_use[steps[k].a] = k;
    if (steps[k].kind == GT_STEP_BINARY) last_use[steps[k].b] = k;
  }
  std::array<int, GT_ELEMENTWISE_MAX_STEPS> places{};
  std::array<bool, GT_ELEMENTWISE_MAX_STEPS> taken{};
  for (int k = 0; k < static_cast<int>(steps.size()); ++k) {
    // A loop may write over what it reads.
    for (int j = 0; j < k; ++j) {
      if (last_use[inputs + j] == k) taken[places[j]] = false;
    }
    places[k] = static_cast<int>(std::find(taken.begin(), taken.end(), false) - taken.begin());
    taken[places[k]] = true;
  }
  return places;
}

template <typename Stored, typename T>
void Chain::run(int64_t begin, int64_t end) const {
  constexpr bool kNarrow = !std::is_same_v<Stored, T>;
  alignas(64) T buffers[kMostValues][kBlock];
  const T* values[kMostValues];
  const int first_step = static_cast<int>(inputs.size());
  for (int i = 0; i < first_step; ++i) {
    if (inputs[i].tensor.count == 1) {
      repeat<Stored>(buffers[i], inputs[i], begin, std::min(end, begin + kBlock));
      values[i] = buffers[i];
    }
  }
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t count = std::min(kBlock, end - at);
    for (int i = 0; i < first_step; ++i) {
      if (inputs[i].tensor.count == 1) continue;
      if (!inputs[i].is_dense(y)) {
        repeat<Stored>(buffers[i], inputs[i], at, at + count);
      } else if constexpr (kNarrow) {
        read(buffers[i], inputs[i].tensor.as<Stored>() + at, count);
      } else {
        values[i] = inputs[i].tensor.as<Stored>() + at;
        continue;
      }
      values[i] = buffers[i];
    }
    for (int k = 0; k < static_cast<int>(steps.size()); ++k) {
      const bool last = k + 1 == static_cast<int>(steps.size());
      T* to = buffers[first_step + places[k]];
      if constexpr (!kNarrow) {
        if (last) to = y.as<Stored>() + at;
      }
      run_step(steps[k], to, values, count);
      if constexpr (kNarrow) {
        if (last) {
          narrow(y.as<Stored>() + at, to, count);
        } else {
          round_to_bf16(to, count);
        }
      }
      values[first_step + k] = to;
    }
  }
}

}  // namespace

void elementwise(Launcher& launcher, const Tensor& y, std::span<const Tensor> inputs,
                 std::span<const gt_step> steps) {
  Chain chain{.y = y, .inputs = {}, .steps = {steps.begin(), steps.end()}};
  for (const Tensor& input : inputs) chain.inputs.push_back({input, Broadcast(y, input, input)});
  chain.places = assign_places(static_cast<int>(inputs.size()), steps);
  parallel_ranges(launcher, y.count, ELEMENTS_PER_TASK,
                  [chain = std::move(chain)](int64_t begin, int64_t end) {
                    switch (chain.y.dtype) {
                      case DType::F32:
                        return chain.run<float, float>(begin, end);
                      case DType::BF16:
                        return chain.run<Bf16, float>(begin, end);
                      default:
                        return chain.run<double, double>(begin, end);
                    }
                  });
}

}  // namespace gatun::kernels
