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
  bool normalised = false;

  CellForm form() const { return form_of(cell); }
  int64_t directions() const { return direction == GT_DIRECTION_BOTH ? 2 : 1; }
  int64_t saved() const { return form().saved + (normalised ? form().gates : 0); }
};

// Sigmoids and hyperbolic tangents, carried on through the steps.
constexpr double kUnits = 400;
// Of layer norms: so much that no sequence whose products happen to be equal is blown up.
constexpr double kEpsilon = 1e-2;

// What a device has for a layer: bytes of shared memory for a block, multiprocessors, and the
// blocks of its largest cluster.
struct Machine {
  const char* name;
  int shared, multiprocessors, cluster = 1;
};

class CudaRecurrent : public CudaTest {
 protected:
  // The emulation as another machine; a GPU is what it is.
  void open(const Machine& machine) {
    setenv("GATUN_EMULATED_SHARED", std::to_string(machine.shared).c_str(), 1);
    setenv("GATUN_EMULATED_MULTIPROCESSORS", std::to_string(machine.multiprocessors).c_str(), 1);
    setenv("GATUN_EMULATED_CLUSTER", std::to_string(machine.cluster).c_str(), 1);
    cuda = std::make_unique<TestDevice>(0, GT_DEVICE_CUDA);
    unsetenv("GATUN_EMULATED_SHARED");
    unsetenv("GATUN_EMULATED_MULTIPROCESSORS");
    unsetenv("GATUN_EMULATED_CLUSTER");
  }

  void expect_agrees(DType dtype, const Layer& v) {
    SCOPED_TRACE(testing::Message()
                 << "cell " << static_cast<int32_t>(v.cell) << ", direction " << v.direction << ", "
                 << v.steps << " steps of " << v.batch << " sequences, " << v.units << " units"
                 << (v.all ? ", all" : "") << (v.normalised ? ", normalised" : ""));
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
    const Operand saved = empty(dtype, {T, B, D * v.saved() * H});
    const Operand gain = operand(dtype, {D * form.gates * H}, 14);
    const auto when = [](bool condition, gt_tensor tensor) { return condition ? tensor : nullptr; };

    std::vector<Operand> outputs = {y, state};
    if (form.has_cell) outputs.push_back(state);
    if (v.saved() > 0) outputs.push_back(saved);
    expect_like_cpu(
        *cuda, cpu, outputs, {x, skip, weights, bias, first, first_cell, mask, keep, gain}, kUnits,
        [&](gt_stream s, const Handles& out, const Handles& in) {
          return gt_recurrent(s, out[0], out[1], when(form.has_cell, out[form.has_cell ? 2 : 0]),
                              when(v.saved() > 0, out.back()), in[0], when(form.has_skip, in[1]),
                              in[2], when(v.all && form.has_bias, in[3]), when(v.normalised, in[8]),
                              when(v.all, in[4]), when(v.all && form.has_cell, in[5]),
                              when(v.all, in[6]), when(v.all, in[7]), cell, v.direction, kEpsilon);
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
    const size_t dgain = add(v.normalised, gain.dims());
    const size_t dfirst = add(v.all, states), dfirst_cell = add(v.all && form.has_cell, states);
    expect_like_cpu(*cuda, cpu, outputs,
                    {dy, dlast, dlast_cell, some_y, some_saved, skip, weights, first, first_cell,
                     mask, keep, gain},
                    4 * kUnits, [&](gt_stream s, const Handles& out, const Handles& in) {
                      const auto given = [&](size_t which) { return when(which != 0, out[which]); };
                      return gt_recurrent_backward(
                          s, out[0], given(dskip), out[1], given(dbias), given(dgain),
                          given(dfirst), given(dfirst_cell), in[0], when(v.all, in[1]),
                          when(v.all && form.has_cell, in[2]), in[3], when(v.saved() > 0, in[4]),
                          when(form.has_skip, in[5]), in[6], when(v.normalised, in[11]),
                          when(v.all, in[7]), when(v.all && form.has_cell, in[8]),
                          when(v.all, in[9]), when(v.all, in[10]), cell, v.direction, kEpsilon);
                    });
  }

  // Of both directions, with sequences that end early.
  void expect_same_bits(Cell cell, int64_t H, const std::vector<Machine>& machines) {
    constexpr int64_t T = 4, B = 3, D = 2;
    const CellForm form = form_of(cell);
    const int64_t G = form.gates, S = form.saved;
    const Dims states = {D, B, H};
    Operand mask = operand(DType::F32, {T, B}, 1);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t b = 0; b < B; ++b) mask.values[t * B + b] = t < T - b ? 1 : 0;
    }
    const std::vector<Operand> inputs = {operand(DType::F32, {T, B, D * G * H}, 1),
                                         operand(DType::F32, {D * G * H, H}, 2, -0.5, 0.5),
                                         operand(DType::F32, {T, B, H}, 3),
                                         operand(DType::F32, states, 4),
                                         operand(DType::F32, {T, B, D * H}, 5),
                                         operand(DType::F32, states, 6, 0, 1.5),
                                         mask};
    // y, last, last_cell, saved, dx, dweights, dskip, dfirst
    const std::vector<Operand> outputs = {empty(DType::F32, {T, B, D * H}),
                                          empty(DType::F32, states),
                                          empty(DType::F32, states),
                                          empty(DType::F32, {T, B, D * S * H}),
                                          empty(DType::F32, {T, B, D * G * H}),
                                          empty(DType::F32, {D * G * H, H}),
                                          empty(DType::F32, {T, B, H}),
                                          empty(DType::F32, states)};
    std::vector<std::vector<std::byte>> expected;
    for (const Machine& machine : machines) {
      SCOPED_TRACE(testing::Message()
                   << "cell " << static_cast<int>(cell) << ", " << H << " units, " << machine.name);
      open(machine);
      const Placed in(*cuda, inputs, 0), out(*cuda, outputs, 0);
      const Handles x = in.handles(), y = out.handles();
      const auto when = [](bool given, gt_tensor tensor) { return given ? tensor : nullptr; };
      const gt_tensor skip = when(form.has_skip, x[2]), saved = when(S > 0, y[3]);
      ASSERT_OK(gt_recurrent(cuda->stream(), y[0], y[1], when(form.has_cell, y[2]), saved, x[0],
                             skip, x[1], nullptr, nullptr, x[3], nullptr, x[6], x[5],
                             static_cast<int32_t>(cell), GT_DIRECTION_BOTH, 0));
      ASSERT_OK(gt_recurrent_backward(cuda->stream(), y[4], when(form.has_skip, y[6]), y[5],
                                      nullptr, nullptr, y[7], nullptr, x[4], nullptr, nullptr, y[0],
                                      saved, skip, x[1], nullptr, x[3], nullptr, x[6], x[5],
                                      static_cast<int32_t>(cell), GT_DIRECTION_BOTH, 0));
      for (size_t k = 0; k < outputs.size(); ++k) {
        if (expected.size() == k) {
          expected.push_back(out[k].bytes());
        } else {
          EXPECT_EQ(out[k].bytes(), expected[k]) << "output " << k;
        }
      }
    }
  }
};

TEST_F(CudaRecurrent, RunsEveryCell) {
  for (int32_t cell = GT_CELL_TANH; cell <= GT_CELL_INTERSECTION; ++cell) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_FORWARD, 4, 3, 7, false});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_REVERSE, 3, 2, 5, false});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_BOTH, 5, 4, 6, true});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_REVERSE, 3, 3, 7, false, true});
      expect_agrees(dtype, {static_cast<Cell>(cell), GT_DIRECTION_BOTH, 4, 3, 6, true, true});
    }
  }
}

// The ways that layers run in; recurrent_share_test.cc holds them to it.
constexpr Machine kSteps{"a launch for each step", 0, 3};
constexpr Machine kOneBlock{"a block with all units", 99 << 10, 1};
constexpr Machine kPieces{"blocks that exchange states in pieces", 24 << 10, 20};

constexpr Machine blocks(Cell cell) {
  return {"blocks that exchange states", form_of(cell).gates * 4500, 30};
}
// The same for the smallest layers.
constexpr Machine small_blocks(Cell cell) {
  return {"small blocks that exchange states", form_of(cell).gates * 1400, 8};
}

// Layers of so many units are shared by `blocks` blocks of 16, of which the last one has fewer: as
// clusters, one after the other where multiprocessors are too few, or in a resident grid.
constexpr int units_of(int blocks) { return blocks == 2 ? 30 : 16 * blocks - 14; }
constexpr int bytes_of_block(Cell cell, int blocks) {
  return form_of(cell).gates * 120 * (units_of(blocks) + 4);
}
constexpr Machine clusters(Cell cell, int blocks) {
  return {"clusters", bytes_of_block(cell, blocks), blocks, blocks};
}
constexpr Machine same_blocks(Cell cell, int blocks) {
  return {"the same blocks in a resident grid", bytes_of_block(cell, blocks), 2 * blocks};
}
constexpr Machine kLargeBlock{"a large block with all units", 227 << 10, 1};
constexpr Machine kLargeGpu{"a large GPU", 227 << 10, 132, 8};

// Several blocks, several tiles of terms.
TEST_F(CudaRecurrent, RunsManyUnitsAndSequences) {
  for (const Layer& layer : {Layer{Cell::GRU, GT_DIRECTION_BOTH, 3, 18, 40, true},
                             {Cell::GRU_RESET_BEFORE, GT_DIRECTION_FORWARD, 2, 17, 36, true},
                             {Cell::LSTM, GT_DIRECTION_REVERSE, 3, 20, 33, false}}) {
    for (const Machine& machine :
         {kSteps, kOneBlock, blocks(layer.cell), clusters(layer.cell, 3)}) {
      SCOPED_TRACE(machine.name);
      open(machine);
      expect_agrees(DType::F32, layer);
    }
  }
  // A layer whose products are normalised has its launches wherever it might have had one.
  open(kOneBlock);
  expect_agrees(DType::F32, {Cell::GRU, GT_DIRECTION_BOTH, 2, 18, 40, true, true});
  expect_agrees(DType::F32, {Cell::LSTM, GT_DIRECTION_FORWARD, 2, 17, 36, true, true});
  SCOPED_TRACE(kPieces.name);
  open(kPieces);
  expect_agrees(DType::F32, {Cell::LSTM, GT_DIRECTION_FORWARD, 2, 3, 136, true});
}

TEST_F(CudaRecurrent, RunsEveryCellHoweverItsUnitsAreShared) {
  for (int32_t number = GT_CELL_TANH; number <= GT_CELL_INTERSECTION; ++number) {
    const auto cell = static_cast<Cell>(number);
    for (const Machine& machine : {kSteps, small_blocks(cell)}) {
      SCOPED_TRACE(machine.name);
      open(machine);
      expect_agrees(DType::F32, {cell, GT_DIRECTION_FORWARD, 4, 3, 18, false});
      expect_agrees(DType::F32, {cell, GT_DIRECTION_BOTH, 3, 2, 20, true});
    }
  }
}

TEST_F(CudaRecurrent, RunsEveryCellInClusters) {
  for (int32_t number = GT_CELL_TANH; number <= GT_CELL_INTERSECTION; ++number) {
    const auto cell = static_cast<Cell>(number);
    open(clusters(cell, 2));
    expect_agrees(DType::F32, {cell, GT_DIRECTION_FORWARD, 4, 3, units_of(2), false});
    expect_agrees(DType::F32, {cell, GT_DIRECTION_BOTH, 3, 9, units_of(2), true});
    // A single step, after which nobody gives anything.
    expect_agrees(DType::F32, {cell, GT_DIRECTION_REVERSE, 1, 3, units_of(2), false});
  }
}

// Large enough for a GPU to choose clusters, of which the last block is full or not, and a grid.
TEST_F(CudaRecurrent, RunsLargerLayers) {
  open(kLargeGpu);
  expect_agrees(DType::F32, {Cell::GRU, GT_DIRECTION_BOTH, 2, 3, 256, true});
  expect_agrees(DType::F32, {Cell::GRU_RESET_BEFORE, GT_DIRECTION_FORWARD, 3, 5, 130, true});
  expect_agrees(DType::F32, {Cell::LSTM, GT_DIRECTION_REVERSE, 2, 3, 200, true});
  expect_agrees(DType::F32, {Cell::TANH, GT_DIRECTION_FORWARD, 2, 3, 520, false});
}

// How a layer is cut is a matter of speed alone.
TEST_F(CudaRecurrent, HasTheSameBitsHoweverItsUnitsAreShared) {
  for (const Cell cell : {Cell::TANH, Cell::UGRNN, Cell::GRU, Cell::GRU_RESET_BEFORE, Cell::LSTM,
                          Cell::INTERSECTION}) {
    expect_same_bits(cell, 18, {kSteps, kOneBlock, small_blocks(cell)});
    for (int blocks = 2; blocks <= 8; ++blocks) {
      expect_same_bits(cell, units_of(blocks),
                       {kSteps, kLargeBlock, same_blocks(cell, blocks), clusters(cell, blocks)});
    }
  }
}

// Both by the same kernel, with more shared memory than it may have unasked, and the smaller layer
// asks last.
TEST_F(CudaRecurrent, RunsLayersOfSeveralSizesInOneProgram) {
  constexpr int64_t T = 3, B = 3, G = 4;
  struct Placement {
    Placed in, out, kept;
  };
  std::vector<std::unique_ptr<Placement>> layers;
  for (const int64_t H : {64, 56}) {
    const std::vector<Operand> inputs = {operand(DType::F32, {T, B, G * H}, 1),
                                         operand(DType::F32, {G * H, H}, 2, -0.5, 0.5)};
    const std::vector<Operand> outputs = {
        empty(DType::F32, {T, B, H}), empty(DType::F32, {1, B, H}), empty(DType::F32, {1, B, H})};
    layers.push_back(std::make_unique<Placement>(
        Placement{{*cuda, inputs, 0}, {*cuda, outputs, 0}, {*cuda, outputs, 0}}));
  }
  const auto run = [&](const Placement& layer, const Placed& to) {
    const Handles in = layer.in.handles(), out = to.handles();
    return gt_recurrent(cuda->stream(), out[0], out[1], out[2], nullptr, in[0], nullptr, in[1],
                        nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, GT_CELL_LSTM,
                        GT_DIRECTION_FORWARD, 0);
  };
  for (const auto& layer : layers) ASSERT_OK(run(*layer, layer->out));
  ASSERT_OK(gt_stream_begin_recording(cuda->stream()));
  for (const auto& layer : layers) ASSERT_OK(run(*layer, layer->kept));
  gt_program program = nullptr;
  ASSERT_OK(gt_stream_end_recording(&program, cuda->stream()));
  ASSERT_OK(gt_program_run(program));
  for (const auto& layer : layers) {
    for (size_t k = 0; k < 3; ++k) EXPECT_EQ(layer->kept[k].bytes(), layer->out[k].bytes());
  }
  gt_program_destroy(program);
}

TEST_F(CudaRecurrent, PassesStatesOnWithoutSteps) {
  for (const Cell cell : {Cell::TANH, Cell::GRU, Cell::LSTM, Cell::INTERSECTION}) {
    expect_agrees(DType::F32, {cell, GT_DIRECTION_FORWARD, 0, 3, 5, true});
    expect_agrees(DType::F32, {cell, GT_DIRECTION_BOTH, 2, 0, 5, true});
    expect_agrees(DType::F32, {cell, GT_DIRECTION_FORWARD, 0, 3, 5, true, true});
    expect_agrees(DType::F32, {cell, GT_DIRECTION_BOTH, 2, 0, 5, true, true});
  }
}

}  // namespace
}  // namespace gatun::test
