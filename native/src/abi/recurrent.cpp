#include "kernels/recurrent.h"

#include <cmath>

#include "abi/aliasing.h"
#include "abi/handles.h"

using namespace gatun;

namespace {

// The extents all operands agree on.
struct Extents {
  const char* op;
  kernels::Sequence s;
  DType dtype = DType::F32;

  int64_t D() const { return s.directions(); }

  void steps(const Named& t, int64_t values) const {
    check(t, {s.steps, s.batch, D() * values * s.units});
  }
  void states(const Named& t) const { check(t, {D(), s.batch, s.units}); }
  void inputs(const Named& t) const { check(t, {s.steps, s.batch, s.units}); }
  void sequence(const Named& t) const { check(t, {s.steps, s.batch}); }
  void weights(const Named& t) const { check(t, {D() * s.form().gates * s.units, s.units}); }
  void units(const Named& t) const { check(t, {D() * s.units}); }
  void gates(const Named& t) const { check(t, {D() * s.form().gates * s.units}); }

 private:
  void check(const Named& t, std::initializer_list<int64_t> dims) const {
    if (t.operand.tensor == nullptr) return;
    require(t.operand.tensor->dtype == dtype, "[", op, "] ", t.name, " must be ", dtype,
            " as y is, but is ", *t.operand.tensor);
    check_shape(op, t.name, t.operand, dims);
  }
};

// Extents as y [T,B,D H] has them.
Extents extents_of(const char* op, const Tensor& y, int32_t cell, int32_t direction,
                   const Named& gain, double epsilon) {
  require(cell >= GT_CELL_TANH && cell <= GT_CELL_INTERSECTION, "[", op, "] unknown cell ", cell);
  require(direction >= GT_DIRECTION_FORWARD && direction <= GT_DIRECTION_BOTH, "[", op,
          "] unknown direction ", direction);
  check_real(op, {{"y", y}});
  check_rank(op, "y", y, 3);
  Extents e{.op = op,
            .s = {.cell = static_cast<kernels::Cell>(cell),
                  .direction = static_cast<kernels::Direction>(direction),
                  .steps = y.dims[0],
                  .batch = y.dims[1],
                  .units = y.dims[2],
                  .normalised = gain.operand.tensor != nullptr,
                  .epsilon = epsilon},
            .dtype = y.dtype};
  require(y.dims[2] % e.D() == 0, "[", op, "] y must have an even last extent for two directions, ",
          "but is ", y);
  e.s.units /= e.D();
  require(!e.s.normalised || (epsilon > 0 && std::isfinite(epsilon)), "[", op,
          "] epsilon must be positive and finite, but is ", epsilon);
  return e;
}

// An operand that some cells have: it must be there if `needed`, and may only be if `allowed`.
void check_presence(const char* op, const Named& t, bool needed, bool allowed) {
  require(t.operand.tensor != nullptr || !needed, "[", op, "] ", t.name, " is NULL");
  require(t.operand.tensor == nullptr || allowed, "[", op, "] ", t.name,
          " must be NULL for this cell");
}

}  // namespace

gt_status gt_recurrent(gt_stream stream, gt_tensor y, gt_tensor last, gt_tensor last_cell,
                       gt_tensor saved, gt_tensor x, gt_tensor skip, gt_tensor weights,
                       gt_tensor bias, gt_tensor gain, gt_tensor first, gt_tensor first_cell,
                       gt_tensor mask, gt_tensor keep, int32_t cell, int32_t direction,
                       double epsilon) {
  constexpr auto op = "recurrent";
  return instruction(
      op, stream, {y, last, last_cell, saved},
      {x, skip, weights, bias, gain, first, first_cell, mask, keep}, [&](Launcher& launcher) {
        const Named to{"y", tensor(op, "y", y)}, end{"last", tensor(op, "last", last)};
        const Named end_cell{"last_cell", nullable(last_cell)}, kept{"saved", nullable(saved)};
        const Named from{"x", tensor(op, "x", x)}, input{"skip", nullable(skip)};
        const Named u{"weights", tensor(op, "weights", weights)}, offset{"bias", nullable(bias)};
        const Named gains{"gain", nullable(gain)};
        const Named start{"first", nullable(first)}, start_cell{"first_cell", nullable(first_cell)};
        const Named masks{"mask", nullable(mask)}, keeps{"keep", nullable(keep)};
        const Extents e = extents_of(op, *to.operand.tensor, cell, direction, gains, epsilon);
        const kernels::CellForm form = e.s.form();
        check_presence(op, end_cell, form.has_cell, form.has_cell);
        check_presence(op, kept, false, e.s.saved() > 0);
        check_presence(op, input, form.has_skip, form.has_skip);
        check_presence(op, offset, false, form.has_bias);
        check_presence(op, start_cell, false, form.has_cell);
        e.steps(from, form.gates);
        e.steps(kept, e.s.saved());
        e.inputs(input);
        e.weights(u);
        e.units(offset);
        e.gates(gains);
        for (const Named& state : {end, end_cell, start, start_cell, keeps}) e.states(state);
        e.sequence(masks);
        check_disjoint(op, {to, end, end_cell, kept},
                       {from, input, u, offset, gains, start, start_cell, masks, keeps});
        launch::recurrent(
            launcher, e.s,
            {to.operand.tensor, end.operand.tensor, end_cell.operand.tensor, kept.operand.tensor,
             from.operand.tensor, input.operand.tensor, u.operand.tensor, offset.operand.tensor,
             gains.operand.tensor, start.operand.tensor, start_cell.operand.tensor,
             masks.operand.tensor, keeps.operand.tensor});
      });
}

gt_status gt_recurrent_backward(gt_stream stream, gt_tensor dx, gt_tensor dskip, gt_tensor dweights,
                                gt_tensor dbias, gt_tensor dgain, gt_tensor dfirst,
                                gt_tensor dfirst_cell, gt_tensor dy, gt_tensor dlast,
                                gt_tensor dlast_cell, gt_tensor y, gt_tensor saved, gt_tensor skip,
                                gt_tensor weights, gt_tensor gain, gt_tensor first,
                                gt_tensor first_cell, gt_tensor mask, gt_tensor keep, int32_t cell,
                                int32_t direction, double epsilon) {
  constexpr auto op = "recurrent_backward";
  return instruction(
      op, stream, {dx, dskip, dweights, dbias, dgain, dfirst, dfirst_cell},
      {dy, dlast, dlast_cell, y, saved, skip, weights, gain, first, first_cell, mask, keep},
      [&](Launcher& launcher) {
        const Named to{"dx", tensor(op, "dx", dx)}, to_input{"dskip", nullable(dskip)};
        const Named to_u{"dweights", tensor(op, "dweights", dweights)};
        const Named to_offset{"dbias", nullable(dbias)}, to_start{"dfirst", nullable(dfirst)};
        const Named to_start_cell{"dfirst_cell", nullable(dfirst_cell)};
        const Named to_gain{"dgain", nullable(dgain)}, gains{"gain", nullable(gain)};
        const Named slope{"dy", nullable(dy)}, end{"dlast", nullable(dlast)};
        const Named end_cell{"dlast_cell", nullable(dlast_cell)};
        const Named out{"y", tensor(op, "y", y)}, kept{"saved", nullable(saved)};
        const Named input{"skip", nullable(skip)}, u{"weights", tensor(op, "weights", weights)};
        const Named start{"first", nullable(first)}, start_cell{"first_cell", nullable(first_cell)};
        const Named masks{"mask", nullable(mask)}, keeps{"keep", nullable(keep)};
        const Extents e = extents_of(op, *out.operand.tensor, cell, direction, gains, epsilon);
        const kernels::CellForm form = e.s.form();
        check_presence(op, to_input, form.has_skip, form.has_skip);
        check_presence(op, to_offset, false, form.has_bias);
        check_presence(op, to_gain, e.s.normalised, e.s.normalised);
        check_presence(op, to_start_cell, false, form.has_cell);
        check_presence(op, end_cell, false, form.has_cell);
        check_presence(op, kept, e.s.saved() > 0, e.s.saved() > 0);
        check_presence(op, input, form.has_skip, form.has_skip);
        check_presence(op, start_cell, false, form.has_cell);
        e.steps(to, form.gates);
        e.steps(slope, 1);
        e.steps(kept, e.s.saved());
        for (const Named& inputs : {to_input, input}) e.inputs(inputs);
        for (const Named& matrix : {to_u, u}) e.weights(matrix);
        e.units(to_offset);
        for (const Named& each : {to_gain, gains}) e.gates(each);
        for (const Named& state :
             {to_start, to_start_cell, end, end_cell, start, start_cell, keeps}) {
          e.states(state);
        }
        e.sequence(masks);
        check_disjoint(
            op, {to, to_input, to_u, to_offset, to_gain, to_start, to_start_cell},
            {slope, end, end_cell, out, kept, input, u, gains, start, start_cell, masks, keeps});
        launch::recurrent_backward(
            launcher, e.s,
            {to.operand.tensor, to_input.operand.tensor, to_u.operand.tensor,
             to_offset.operand.tensor, to_gain.operand.tensor, to_start.operand.tensor,
             to_start_cell.operand.tensor, slope.operand.tensor, end.operand.tensor,
             end_cell.operand.tensor, out.operand.tensor, kept.operand.tensor, input.operand.tensor,
             u.operand.tensor, gains.operand.tensor, start.operand.tensor,
             start_cell.operand.tensor, masks.operand.tensor, keeps.operand.tensor});
      });
}
