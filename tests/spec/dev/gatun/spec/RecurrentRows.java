package dev.gatun.spec;

import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.Cell;
import dev.gatun.DType;
import dev.gatun.Direction;
import dev.gatun.graph.op.GatherRows;
import dev.gatun.graph.op.Recurrent;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Recurrent layers and rows of tables.
final class RecurrentRows {
  static final String CARRIED =
      "products of up to 48 terms, sigmoid and tanh in f32, carried on through the steps";
  private static final Fill SMALL = Fill.normal(0.4);
  private static final Fill ZEROS_AND_ONES = Fill.integers(0, 1);
  private static final Fill INDICES = Fill.cycle(4, 0, -1, 4, 2);

  private RecurrentRows() {}

  static List<OpRow> rows() {
    List<OpRow> rows = new ArrayList<>();
    for (Cell cell : Cell.values()) {
      rows.add(plain(cell));
      rows.add(started(cell));
      rows.add(masked(cell));
      rows.add(normalised(cell));
      rows.add(normalisedStarted(cell));
      rows.add(normalisedMasked(cell));
      rows.add(backward(cell));
      rows.add(backwardNormalised(cell));
    }
    rows.add(
        OpRow.of(new GatherRows())
            .on(real(5, 3), typed(DType.I32, INDICES, 7))
            .on(real(5, 130), typed(DType.I32, INDICES, 4))
            .on(real(5, 3), typed(DType.I32, INDICES, 0))
            .on(real(9, 0), typed(DType.I32, INDICES, 3))
            .on(real(300, 256), typed(DType.I32, Fill.integers(-1, 299), 4096))
            .values(real(3, 5), typed(DType.I32, Fill.cycle(3, 1, 1000), 5))
            .gradient(0)
            .refuses("expected a table [V,W]", real(5), typed(DType.I32, INDICES, 7))
            .refuses("expected indices of type I32", real(5, 3), typed(DType.I64, INDICES, 7))
            .refuses("expected indices [N]", real(5, 3), typed(DType.I32, INDICES, 7, 1)));
    rows.add(
        OpRow.of(new GatherRows.Backward(5))
            .on(real(7, 3), typed(DType.I32, INDICES, 7))
            .on(real(0, 3), typed(DType.I32, INDICES, 0))
            // Indices outside count for nothing here, and are NaN where rows are looked up.
            .values(real(7, 130), typed(DType.I32, Fill.cycle(5, 1, 1000), 7))
            .on(
                new GatherRows.Backward(300),
                real(4096, 256),
                typed(DType.I32, Fill.integers(-1, 299), 4096))
            .ulps(64, "sums of up to 40 rows in f32")
            .gradient(0)
            .shapedBy((op, shape) -> new GatherRows.Backward(shape.dim(0)))
            .refuses("expected rows [N,W]", real(7), typed(DType.I32, INDICES, 7))
            .refuses("expected an index for each row", real(7, 3), typed(DType.I32, INDICES, 6)));
    return rows;
  }

  private static OpRow plain(Cell cell) {
    Recurrent op = Recurrent.of(cell, Direction.FORWARD);
    OpRow row =
        OpRow.of(op)
            .on(inputs(op, 1, 1, 1))
            .on(inputs(op, 5, 3, 7))
            .on(inputs(op, 20, 2, 3))
            .on(inputs(op, 2, 9, 40))
            .on(inputs(op, 4, 70, 48))
            .on(inputs(op, 3, 0, 4));
    for (Direction direction : List.of(Direction.REVERSE, Direction.BOTH)) {
      Recurrent variant = Recurrent.of(cell, direction);
      row.on(variant, inputs(variant, 4, 3, 5));
    }
    return row.ulps(512, 128, CARRIED)
        .gradient()
        .refuses("expected x [T,B,D·G·H]", with(inputs(op, 2, 3, 4), 0, real(2, 3)))
        .refuses(
            "expected weights (%d, 4)".formatted(4L * cell.gates()),
            with(inputs(op, 2, 3, 4), op.cell().hasSkip() ? 2 : 1, real(5, 4)))
        .refuses("expected %d inputs".formatted(cell.hasSkip() ? 3 : 2), real(2, 3, 4));
  }

  private static OpRow started(Cell cell) {
    Recurrent op =
        new Recurrent(cell, Direction.FORWARD, cell.hasInnerBias(), true, false, false, true, 0);
    Recurrent both =
        new Recurrent(cell, Direction.BOTH, cell.hasInnerBias(), true, false, false, true, 0);
    Input[] wrong = inputs(op, 2, 3, 4);
    return OpRow.of(op)
        .on(inputs(op, 5, 3, 7))
        .on(inputs(op, 0, 3, 5))
        .on(both, inputs(both, 4, 2, 9))
        .ulps(512, 128, CARRIED)
        .gradient()
        .refuses(
            "expected first", with(wrong, wrong.length - (cell.hasCell() ? 2 : 1), real(3, 4)));
  }

  private static OpRow masked(Cell cell) {
    Recurrent op = new Recurrent(cell, Direction.FORWARD, false, false, true, true, true, 0);
    Recurrent both = new Recurrent(cell, Direction.BOTH, false, false, true, true, true, 0);
    int smooth = cell.hasSkip() ? 3 : 2;
    return OpRow.of(op)
        .on(inputs(op, 6, 3, 7))
        .on(both, inputs(both, 5, 4, 3))
        .ulps(512, 128, CARRIED)
        .gradient(IntStream.range(0, smooth).toArray())
        .refuses("expected mask (2, 3)", with(inputs(op, 2, 3, 4), smooth, real(3, 2)));
  }

  private static OpRow backward(Cell cell) {
    Recurrent plain = Recurrent.of(cell, Direction.FORWARD);
    Recurrent all =
        new Recurrent(cell, Direction.BOTH, cell.hasInnerBias(), true, true, true, true, 0);
    Recurrent.Backward ends = new Recurrent.Backward(all, true, true, cell.hasCell());
    Recurrent.Backward onlyEnd = new Recurrent.Backward(plain, false, true, false);
    Recurrent.Backward reverse =
        new Recurrent.Backward(Recurrent.of(cell, Direction.REVERSE), true, false, false);
    Recurrent.Backward op = new Recurrent.Backward(plain, true, false, false);
    return OpRow.of(op)
        .on(slopes(op, 1, 1, 1))
        .on(slopes(op, 5, 3, 7))
        .on(slopes(op, 3, 40, 33))
        .on(reverse, slopes(reverse, 4, 2, 3))
        .on(ends, slopes(ends, 5, 3, 6))
        .on(onlyEnd, slopes(onlyEnd, 4, 2, 5))
        .ulps(2048, 256, CARRIED)
        .refuses("expected dy", with(slopes(op, 2, 3, 4), 0, real(2, 3, 5)));
  }

  /// An epsilon so large that sequences whose products happen to be nearly equal are not blown up,
  /// nor bent more than finite differences can follow.
  static final double EPSILON = 0.1;

  private static OpRow normalised(Cell cell) {
    Recurrent op =
        new Recurrent(cell, Direction.FORWARD, false, false, false, false, true, EPSILON);
    int gain = cell.hasSkip() ? 3 : 2;
    return OpRow.of(op)
        .on(inputs(op, 1, 1, 1))
        .on(inputs(op, 5, 3, 7))
        .on(inputs(op, 20, 2, 3))
        .on(inputs(op, 3, 40, 48))
        .on(inputs(op, 3, 0, 4))
        .ulps(4096, 1024, CARRIED)
        .gradient()
        .refuses(
            "expected gain (%d)".formatted(4L * cell.gates()),
            with(inputs(op, 2, 3, 4), gain, real(5)));
  }

  private static OpRow normalisedStarted(Cell cell) {
    boolean biased = cell.hasInnerBias();
    Recurrent op = new Recurrent(cell, Direction.BOTH, biased, true, false, false, true, EPSILON);
    return OpRow.of(op).on(inputs(op, 4, 3, 5)).ulps(4096, 1024, CARRIED).gradient();
  }

  private static OpRow normalisedMasked(Cell cell) {
    Recurrent op = new Recurrent(cell, Direction.REVERSE, false, false, true, true, true, EPSILON);
    return OpRow.of(op)
        .on(inputs(op, 5, 3, 4))
        .ulps(4096, 1024, CARRIED)
        .gradient(IntStream.range(0, cell.hasSkip() ? 4 : 3).toArray());
  }

  private static OpRow backwardNormalised(Cell cell) {
    Recurrent plain =
        new Recurrent(cell, Direction.FORWARD, false, false, false, false, true, EPSILON);
    Recurrent all =
        new Recurrent(cell, Direction.BOTH, cell.hasInnerBias(), true, true, true, true, EPSILON);
    Recurrent.Backward op = new Recurrent.Backward(plain, true, false, false);
    Recurrent.Backward ends = new Recurrent.Backward(all, true, true, cell.hasCell());
    return OpRow.of(op)
        .on(slopes(op, 1, 1, 1))
        .on(slopes(op, 5, 3, 7))
        .on(slopes(op, 3, 40, 33))
        .on(ends, slopes(ends, 5, 3, 6))
        .ulps(4096, 1024, CARRIED)
        .refuses(
            "expected gain", with(slopes(op, 2, 3, 4), slopes(op, 2, 3, 4).length - 1, real(3)));
  }

  /// Inputs of the forward op for T steps of B sequences and H units.
  static Input[] inputs(Recurrent op, long steps, long batch, long units) {
    long cells = op.direction().count();
    long gates = op.cell().gates();
    List<Input> inputs = new ArrayList<>(List.of(real(steps, batch, cells * gates * units)));
    if (op.cell().hasSkip()) {
      inputs.add(real(steps, batch, units));
    }
    inputs.add(real(SMALL, cells * gates * units, units));
    if (op.biased()) {
      inputs.add(real(cells * units));
    }
    if (op.epsilon() > 0) {
      inputs.add(real(cells * gates * units));
    }
    states(op, inputs, batch, units);
    masks(op, inputs, steps, batch, units);
    return inputs.toArray(Input[]::new);
  }

  /// Inputs of the backward op.
  static Input[] slopes(Recurrent.Backward op, long steps, long batch, long units) {
    Recurrent forward = op.forward();
    Cell cell = forward.cell();
    long cells = forward.direction().count();
    List<Input> inputs = new ArrayList<>();
    if (op.slopes()) {
      inputs.add(real(steps, batch, cells * units));
    }
    if (op.lastSlopes()) {
      inputs.add(real(cells, batch, units));
    }
    if (op.lastCellSlopes()) {
      inputs.add(real(cells, batch, units));
    }
    inputs.add(real(SMALL, steps, batch, cells * units));
    int saved = cell.saved() + (forward.epsilon() > 0 ? cell.gates() : 0);
    if (saved > 0) {
      inputs.add(real(SMALL, steps, batch, cells * saved * units));
    }
    if (cell.hasSkip()) {
      inputs.add(real(steps, batch, units));
    }
    inputs.add(real(SMALL, cells * cell.gates() * units, units));
    if (forward.epsilon() > 0) {
      inputs.add(real(cells * cell.gates() * units));
    }
    states(forward, inputs, batch, units);
    masks(forward, inputs, steps, batch, units);
    return inputs.toArray(Input[]::new);
  }

  private static void states(Recurrent op, List<Input> inputs, long batch, long units) {
    for (int i = 0; op.started() && i < (op.cell().hasCell() ? 2 : 1); i++) {
      inputs.add(real(op.direction().count(), batch, units));
    }
  }

  private static void masks(Recurrent op, List<Input> inputs, long steps, long batch, long units) {
    if (op.masked()) {
      inputs.add(real(ZEROS_AND_ONES, steps, batch));
    }
    if (op.kept()) {
      inputs.add(real(Fill.cycle(0, 1.5, 1.5), op.direction().count(), batch, units));
    }
  }

  private static Input[] with(Input[] inputs, int index, Input other) {
    Input[] changed = inputs.clone();
    changed[index] = other;
    return changed;
  }
}
