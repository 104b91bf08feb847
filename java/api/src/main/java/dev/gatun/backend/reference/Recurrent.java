package dev.gatun.backend.reference;

import dev.gatun.Cell;
import dev.gatun.Direction;
import dev.gatun.ShapeException;
import dev.gatun.backend.View;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Recurrent layers: the operands' checks. The loops are in [RecurrentForward] and
/// [RecurrentBackward].
final class Recurrent {
  private Recurrent() {}

  /// What the operands agree on.
  record Extents(Cell cell, Direction direction, int steps, int batch, int units) {
    /// How many cells there are side by side.
    int directions() {
      return direction.count();
    }

    /// The step that direction `d` takes as its `n`-th.
    int step(int d, int n) {
      return direction == Direction.REVERSE || d == 1 ? steps - 1 - n : n;
    }

    /// Where unit 0 of value `v` of a sequence and step lies in [T,B,D·values·H].
    int at(int d, int t, int b, int values, int v) {
      return (((t * batch + b) * directions() + d) * values + v) * units;
    }

    /// Where unit 0 of a sequence lies in [D,B,H].
    int state(int d, int b) {
      return (d * batch + b) * units;
    }

    /// Where unit 0 of a sequence and step lies in [T,B,H].
    int input(int t, int b) {
      return (t * batch + b) * units;
    }

    /// Where the row of weights of a gate's unit begins.
    int row(int d, int gate, int unit) {
      return ((d * cell.gates() + gate) * units + unit) * units;
    }
  }

  static Instruction forward(
      View yView,
      View lastView,
      @Nullable View lastCellView,
      @Nullable View savedView,
      View xView,
      @Nullable View skipView,
      View weightsView,
      @Nullable View biasView,
      @Nullable View firstView,
      @Nullable View firstCellView,
      @Nullable View maskView,
      @Nullable View keepView,
      Cell cell,
      Direction direction) {
    Operands operands = new Operands("recurrent");
    Operand y = operands.output("y", yView);
    Operand last = operands.output("last", lastView);
    Operand lastCell = operands.optionalOutput("last_cell", lastCellView);
    Operand saved = operands.optionalOutput("saved", savedView);
    Operand x = operands.input("x", xView);
    Operand skip = operands.optionalInput("skip", skipView);
    Operand weights = operands.input("weights", weightsView);
    Operand bias = operands.optionalInput("bias", biasView);
    Operand first = operands.optionalInput("first", firstView);
    Operand firstCell = operands.optionalInput("first_cell", firstCellView);
    Operand mask = operands.optionalInput("mask", maskView);
    Operand keep = operands.optionalInput("keep", keepView);
    operands.requireReal(
        y, last, lastCell, saved, x, skip, weights, bias, first, firstCell, mask, keep);
    Extents e = extents(y, cell, direction);
    Presence presence = new Presence(operands);
    presence.check("last_cell", lastCell, cell.hasCell(), cell.hasCell());
    presence.check("saved", saved, false, cell.saved() > 0);
    presence.check("skip", skip, cell.hasSkip(), cell.hasSkip());
    presence.check("bias", bias, false, cell.hasInnerBias());
    presence.check("first_cell", firstCell, false, cell.hasCell());
    steps(e, cell.gates(), x);
    steps(e, cell.saved(), saved);
    inputs(e, skip);
    matrices(e, weights);
    units(e, bias);
    states(e, last, lastCell, first, firstCell, keep);
    sequences(e, mask);
    RecurrentForward loops =
        new RecurrentForward(
            e,
            y.reals(),
            last.reals(),
            Operand.realsOrNull(lastCell),
            Operand.realsOrNull(saved),
            x.reals(),
            Operand.realsOrNull(skip),
            weights.reals(),
            Operand.realsOrNull(bias),
            Operand.realsOrNull(first),
            Operand.realsOrNull(firstCell),
            Operand.realsOrNull(mask),
            Operand.realsOrNull(keep));
    return operands.instruction(loops);
  }

  static Instruction backward(
      View dxView,
      @Nullable View dskipView,
      View dweightsView,
      @Nullable View dbiasView,
      @Nullable View dfirstView,
      @Nullable View dfirstCellView,
      @Nullable View dyView,
      @Nullable View dlastView,
      @Nullable View dlastCellView,
      View yView,
      @Nullable View savedView,
      @Nullable View skipView,
      View weightsView,
      @Nullable View firstView,
      @Nullable View firstCellView,
      @Nullable View maskView,
      @Nullable View keepView,
      Cell cell,
      Direction direction) {
    Operands operands = new Operands("recurrent_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dskip = operands.optionalOutput("dskip", dskipView);
    Operand dweights = operands.output("dweights", dweightsView);
    Operand dbias = operands.optionalOutput("dbias", dbiasView);
    Operand dfirst = operands.optionalOutput("dfirst", dfirstView);
    Operand dfirstCell = operands.optionalOutput("dfirst_cell", dfirstCellView);
    Operand dy = operands.optionalInput("dy", dyView);
    Operand dlast = operands.optionalInput("dlast", dlastView);
    Operand dlastCell = operands.optionalInput("dlast_cell", dlastCellView);
    Operand y = operands.input("y", yView);
    Operand saved = operands.optionalInput("saved", savedView);
    Operand skip = operands.optionalInput("skip", skipView);
    Operand weights = operands.input("weights", weightsView);
    Operand first = operands.optionalInput("first", firstView);
    Operand firstCell = operands.optionalInput("first_cell", firstCellView);
    Operand mask = operands.optionalInput("mask", maskView);
    Operand keep = operands.optionalInput("keep", keepView);
    operands.requireReal(y, dx, dskip, dweights, dbias, dfirst, dfirstCell, dy, dlast, dlastCell);
    operands.requireReal(y, saved, skip, weights, first, firstCell, mask, keep);
    Extents e = extents(y, cell, direction);
    Presence presence = new Presence(operands);
    presence.check("dskip", dskip, cell.hasSkip(), cell.hasSkip());
    presence.check("dbias", dbias, false, cell.hasInnerBias());
    presence.check("dfirst_cell", dfirstCell, false, cell.hasCell());
    presence.check("dlast_cell", dlastCell, false, cell.hasCell());
    presence.check("saved", saved, cell.saved() > 0, cell.saved() > 0);
    presence.check("skip", skip, cell.hasSkip(), cell.hasSkip());
    presence.check("first_cell", firstCell, false, cell.hasCell());
    steps(e, cell.gates(), dx);
    steps(e, 1, dy);
    steps(e, cell.saved(), saved);
    inputs(e, dskip, skip);
    matrices(e, dweights, weights);
    units(e, dbias);
    states(e, dfirst, dfirstCell, dlast, dlastCell, first, firstCell, keep);
    sequences(e, mask);
    double[] weightSums = operands.scratch(dweights.count());
    double[] biasSums = operands.scratch(e.directions() * e.units());
    RecurrentBackward loops =
        new RecurrentBackward(
            e,
            dx.reals(),
            Operand.realsOrNull(dskip),
            weightSums,
            biasSums,
            Operand.realsOrNull(dfirst),
            Operand.realsOrNull(dfirstCell),
            Operand.realsOrNull(dy),
            Operand.realsOrNull(dlast),
            Operand.realsOrNull(dlastCell),
            y.reals(),
            Operand.realsOrNull(saved),
            Operand.realsOrNull(skip),
            weights.reals(),
            Operand.realsOrNull(first),
            Operand.realsOrNull(firstCell),
            Operand.realsOrNull(mask),
            Operand.realsOrNull(keep));
    return operands.instruction(
        () -> {
          Arrays.fill(weightSums, 0);
          Arrays.fill(biasSums, 0);
          loops.run();
          for (int i = 0; i < weightSums.length; i++) {
            dweights.reals().set(i, weightSums[i]);
          }
          for (int i = 0; dbias != null && i < biasSums.length; i++) {
            dbias.reals().set(i, biasSums[i]);
          }
        });
  }

  /// Extents as y [T,B,D·H] has them.
  private static Extents extents(Operand y, Cell cell, Direction direction) {
    y.requireRank(3);
    if (y.dim(2) % direction.count() != 0) {
      throw new ShapeException(
          "[%s] y must have an even last extent for two directions, but is %s"
              .formatted(y.op(), y.view()));
    }
    return new Extents(cell, direction, y.dim(0), y.dim(1), y.dim(2) / direction.count());
  }

  /// An operand that some cells have: whether it must be there, and whether it may.
  private record Presence(Operands operands) {
    void check(String name, @Nullable Operand operand, boolean needed, boolean allowed) {
      operands.require(operand != null || !needed, () -> name + " is null");
      operands.require(operand == null || allowed, () -> name + " must be null for this cell");
    }
  }

  private static void steps(Extents e, int values, @Nullable Operand operand) {
    if (operand != null) {
      operand.requireShape(e.steps(), e.batch(), (long) e.directions() * values * e.units());
    }
  }

  private static void inputs(Extents e, @Nullable Operand... operands) {
    for (Operand operand : operands) {
      if (operand != null) {
        operand.requireShape(e.steps(), e.batch(), e.units());
      }
    }
  }

  private static void matrices(Extents e, Operand... operands) {
    for (Operand operand : operands) {
      operand.requireShape((long) e.directions() * e.cell().gates() * e.units(), e.units());
    }
  }

  private static void units(Extents e, @Nullable Operand operand) {
    if (operand != null) {
      operand.requireShape((long) e.directions() * e.units());
    }
  }

  private static void states(Extents e, @Nullable Operand... operands) {
    for (Operand operand : operands) {
      if (operand != null) {
        operand.requireShape(e.directions(), e.batch(), e.units());
      }
    }
  }

  private static void sequences(Extents e, @Nullable Operand mask) {
    if (mask != null) {
      mask.requireShape(e.steps(), e.batch());
    }
  }
}
