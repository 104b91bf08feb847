// Recurrent layers on CUDA.
#include "cuda_support.h"
#include "kernels/recurrent.h"

namespace gatun::test {
namespace {

using kernels::Cell;
using kernels::CellForm;
using kernels::form_of;

struct Layer {
  Cell cell;
  int32_t direction;
  int64_t steps, batch, units;
  bool all;  // with everything that may be absent

  CellForm form() const { return form_of(cell); }
  int64_t directions() const { return direction == GT_DIRECTION_BOTH ? 2 : 1; }
};

// Sigmoids and hyperbolic tangents, carried on through the steps.
constexpr double kUnits = 400;

class CudaRecurrent : public CudaTest {
 protected:
  void expect_agrees(DType dtype, const Layer& v) {
    SCOPED_TRACE(testing::Message()
                 << "cell " << static_cast<int32_t>(v.cell) << ", direction " << v.direction << ", "
                 << v.steps << " steps of " << v.batch << " sequences, " << v.units << " units"
                 << (v.all ? ", all" : ""));
    const int64_t D = v.directions(), H = v.units, T = v.steps, B = v.batch;
    const CellForm form = v.form();
    const auto cell = static_cast<int32_t>(v.cell);
    const Dims states = {D, B, H};
    Operand mask = operand(dtype, {T, B}, 1);
    for (int64_t i = 0; i < mask.values.count(); ++i) mask.values[i] = i % 3 == 1 ? 0 : 1;
    const Operand x = operand(dtype, {T, B, D * form.gates * H}, 2);
    const Operand skip = operand(dtype, {T, B, H}, 3);
    const Operand weights = operand(dtype, {D * form.gates * H, H}, 4, -0.5, 0.5);
    const Operand bias = operand(dtype, {D * H}, 5), first = operand(dtype, states, 6);
    const Operand first_cell = operand(dtype, states, 7), keep = operand(dtype, states, 8, 0, 1.5);
    const Operand y = empty(dtype, {T, B, D * H}), state = empty(dtype, states);
    const Operand saved = empty(dtype, {T, B, D * form.saved * H});
    const auto when = [](bool condition, gt_tensor tensor) { return condition ? tensor : nullptr; };

    std::vector<Operand> outputs = {y, state};
    if (form.has_cell) outputs.push_back(state);
    if (form.saved > 0) outputs.push_back(saved);
    expect_like_cpu(*cuda, cpu, outputs, {x, skip, weights, bias, first, first_cell, mask, keep},
                    kUnits, [&](gt_stream s, const Handles& out, const Handles& in) {
                      return gt_recurrent(
                          s, out[0], out[1], when(form.has_cell, out[form.has_cell ? 2 : 0]),
                          when(form.saved > 0, out.back()), in[0], when(form.has_skip, in[1]),
                          in[2], when(v.all && form.has_bias, in[3]), when(v.all, in[4]),
                          when(v.all && form.has_cell, in[5]), when(v.all, in[6]),
                          when(v.all, in[7]), cell, v.direction);
                    });

    // y and saved need not come from the forward pass.
    const Operand some_saved = operand(dtype, saved.dims(), 9, 0.1, 0.9);
    const Operand some_y = operand(dtype, y.dims(), 10, 0.1, 0.9),
                  dy = operand(dtype, y.dims(), 11);
    const Operand dlast = operand(dtype, states, 12), dlast_cell = operand(dtype, states, 13);
    outputs = {empty(dtype, x.dims()), empty(dtype, weights.dims())};
    const auto add = [&](bool condition, const Dims& dims) {
      if (condition) outputs.push_back(empty(dtype, dims));
      return condition ? outputs.size() - 1 : 0;
    };
    const size_t dskip = add(form.has_skip, skip.dims());
    const size_t dbias = add(v.all && form.has_bias, bias.dims());
    const size_t dfirst = add(v.all, states), dfirst_cell = add(v.all && form.has_cell, states);
    expect_like_cpu(
        *cuda, cpu, outputs,
        {dy, dlast, dlast_cell, some_y, some_saved, skip, weights, first, first_cell, mask, keep},
        4 * kUnits, [&](gt_stream s, const Handles& out, const Handles& in) {
          const auto given = [&](size_t which) { return when(which != 0, out[which]); };
          return gt_recurrent_backward(
              s, out[0], given(dskip), out[1], given(dbias), given(dfirst), given(dfirst_cell),
              in[0], when(v.all, in[1]), when(v.all && form.has_cell, in[2]), in[3],
              when(form.saved > 0, in[4]), when(form.has_skip, in[5]), in[6], when(v.all, in[7]),
              when(v.all && form.has_cell, in[8]), when(v.all, in[9]), when(v.all, in[10]), cell,
              v.direction);
        });
  }
};

TEST_F(CudaRecurrent, RunsEveryCell) {
  for (int32_t cell = GT_CELL_TANH; cell <= GT_CELL_INTERSECTION; ++cell) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_FORWARD, 4, 3, 7, false});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_REVERSE, 3, 2, 5, false});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_BOTH, 5, 4, 6, true});
    }
  }
}

// Several blocks, several tiles of terms.
TEST_F(CudaRecurrent, RunsManyUnitsAndSequences) {
  expect_agrees(DType::F32, {Cell::GRU, GT_DIRECTION_BOTH, 3, 18, 40, true});
  expect_agrees(DType::F32, {Cell::GRU_RESET_BEFORE, GT_DIRECTION_FORWARD, 2, 17, 36, true});
  expect_agrees(DType::F32, {Cell::LSTM, GT_DIRECTION_REVERSE, 3, 20, 33, false});
}

TEST_F(CudaRecurrent, PassesStatesOnWithoutSteps) {
  for (const Cell cell : {Cell::TANH, Cell::GRU, Cell::LSTM, Cell::INTERSECTION}) {
    expect_agrees(DType::F32, {cell, GT_DIRECTION_FORWARD, 0, 3, 5, true});
    expect_agrees(DType::F32, {cell, GT_DIRECTION_BOTH, 2, 0, 5, true});
  }
}

}  // namespace
}  // namespace gatun::test
