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
  ///
  /// @param epsilon of the normalisation; only where there is one
  record Extents(
      Cell cell,
      Direction direction,
      boolean normalised,
      double epsilon,
      int steps,
      int batch,
      int units) {
    /// How many values of a unit and step are saved; products come last.
    int saved() {
      return cell.saved() + (normalised ? cell.gates() : 0);
    }

    /// The gates before this one are normalised together, and those from it on.
    int normBorder() {
      return switch (cell) {
        case GRU, GRU_RESET_BEFORE -> 2;
        default -> cell.gates();
      };
    }

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
      @Nullable View gainView,
      @Nullable View firstView,
      @Nullable View firstCellView,
      @Nullable View maskView,
      @Nullable View keepView,
      Cell cell,
      Direction direction,
      double epsilon) {
    Operands operands = new Operands("recurrent");
    Operand y = operands.output("y", yView);
    Operand last = operands.output("last", lastView);
    Operand lastCell = operands.optionalOutput("last_cell", lastCellView);
    Operand saved = operands.optionalOutput("saved", savedView);
    Operand x = operands.input("x", xView);
    Operand skip = operands.optionalInput("skip", skipView);
    Operand weights = operands.input("weights", weightsView);
    Operand bias = operands.optionalInput("bias", biasView);
    Operand gain = operands.optionalInput("gain", gainView);
    Operand first = operands.optionalInput("first", firstView);
    Operand firstCell = operands.optionalInput("first_cell", firstCellView);
    Operand mask = operands.optionalInput("mask", maskView);
    Operand keep = operands.optionalInput("keep", keepView);
    operands.requireReal(
        y, last, lastCell, saved, x, skip, weights, bias, gain, first, firstCell, mask, keep);
    Extents e = extents(operands, y, cell, direction, gain, epsilon);
    Presence presence = new Presence(operands);
    presence.check("last_cell", lastCell, cell.hasCell(), cell.hasCell());
    presence.check("saved", saved, false, e.saved() > 0);
    presence.check("skip", skip, cell.hasSkip(), cell.hasSkip());
    presence.check("bias", bias, false, cell.hasInnerBias());
    presence.check("first_cell", firstCell, false, cell.hasCell());
    steps(e, cell.gates(), x);
    steps(e, e.saved(), saved);
    inputs(e, skip);
    matrices(e, weights);
    units(e, bias);
    gates(e, gain);
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
            Operand.realsOrNull(gain),
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
      @Nullable View dgainView,
      @Nullable View dfirstView,
      @Nullable View dfirstCellView,
      @Nullable View dyView,
      @Nullable View dlastView,
      @Nullable View dlastCellView,
      View yView,
      @Nullable View savedView,
      @Nullable View skipView,
      View weightsView,
      @Nullable View gainView,
      @Nullable View firstView,
      @Nullable View firstCellView,
      @Nullable View maskView,
      @Nullable View keepView,
      Cell cell,
      Direction direction,
      double epsilon) {
    Operands operands = new Operands("recurrent_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dskip = operands.optionalOutput("dskip", dskipView);
    Operand dweights = operands.output("dweights", dweightsView);
    Operand dbias = operands.optionalOutput("dbias", dbiasView);
    Operand dgain = operands.optionalOutput("dgain", dgainView);
    Operand dfirst = operands.optionalOutput("dfirst", dfirstView);
    Operand dfirstCell = operands.optionalOutput("dfirst_cell", dfirstCellView);
    Operand dy = operands.optionalInput("dy", dyView);
    Operand dlast = operands.optionalInput("dlast", dlastView);
    Operand dlastCell = operands.optionalInput("dlast_cell", dlastCellView);
    Operand y = operands.input("y", yView);
    Operand saved = operands.optionalInput("saved", savedView);
    Operand skip = operands.optionalInput("skip", skipView);
    Operand weights = operands.input("weights", weightsView);
    Operand gain = operands.optionalInput("gain", gainView);
    Operand first = operands.optionalInput("first", firstView);
    Operand firstCell = operands.optionalInput("first_cell", firstCellView);
    Operand mask = operands.optionalInput("mask", maskView);
    Operand keep = operands.optionalInput("keep", keepView);
    operands.requireReal(y, dx, dskip, dweights, dbias, dgain, dfirst, dfirstCell);
    operands.requireReal(y, dy, dlast, dlastCell, saved, skip, weights, gain, first, firstCell);
    operands.requireReal(y, mask, keep);
    Extents e = extents(operands, y, cell, direction, gain, epsilon);
    Presence presence = new Presence(operands);
    presence.check("dskip", dskip, cell.hasSkip(), cell.hasSkip());
    presence.check("dbias", dbias, false, cell.hasInnerBias());
    presence.check("dgain", dgain, e.normalised(), e.normalised());
    presence.check("dfirst_cell", dfirstCell, false, cell.hasCell());
    presence.check("dlast_cell", dlastCell, false, cell.hasCell());
    presence.check("saved", saved, e.saved() > 0, e.saved() > 0);
    presence.check("skip", skip, cell.hasSkip(), cell.hasSkip());
    presence.check("first_cell", firstCell, false, cell.hasCell());
    steps(e, cell.gates(), dx);
    steps(e, 1, dy);
    steps(e, e.saved(), saved);
    inputs(e, dskip, skip);
    matrices(e, dweights, weights);
    units(e, dbias);
    gates(e, dgain, gain);
    states(e, dfirst, dfirstCell, dlast, dlastCell, first, firstCell, keep);
    sequences(e, mask);
    double[] weightSums = operands.scratch(dweights.count());
    double[] biasSums = operands.scratch(e.directions() * e.units());
    double[] gainSums = operands.scratch(e.directions() * cell.gates() * e.units());
    RecurrentBackward loops =
        new RecurrentBackward(
            e,
            dx.reals(),
            Operand.realsOrNull(dskip),
            weightSums,
            biasSums,
            gainSums,
            Operand.realsOrNull(dfirst),
            Operand.realsOrNull(dfirstCell),
            Operand.realsOrNull(dy),
            Operand.realsOrNull(dlast),
            Operand.realsOrNull(dlastCell),
            y.reals(),
            Operand.realsOrNull(saved),
            Operand.realsOrNull(skip),
            weights.reals(),
            Operand.realsOrNull(gain),
            Operand.realsOrNull(first),
            Operand.realsOrNull(firstCell),
            Operand.realsOrNull(mask),
            Operand.realsOrNull(keep));
    return operands.instruction(
        () -> {
          Arrays.fill(weightSums, 0);
          Arrays.fill(biasSums, 0);
          Arrays.fill(gainSums, 0);
          loops.run();
          for (int i = 0; i < weightSums.length; i++) {
            dweights.reals().set(i, weightSums[i]);
          }
          for (int i = 0; dbias != null && i < biasSums.length; i++) {
            dbias.reals().set(i, biasSums[i]);
          }
          for (int i = 0; dgain != null && i < gainSums.length; i++) {
            dgain.reals().set(i, gainSums[i]);
          }
        });
  }

  /// Extents as y [T,B,D·H] has them.
  private static Extents extents(
      Operands operands,
      Operand y,
      Cell cell,
      Direction direction,
      @Nullable Operand gain,
      double epsilon) {
    y.requireRank(3);
    if (y.dim(2) % direction.count() != 0) {
      throw new ShapeException(
          "[%s] y must have an even last extent for two directions, but is %s"
              .formatted(y.op(), y.view()));
    }
    operands.require(
        gain == null || (epsilon > 0 && Double.isFinite(epsilon)),
        () -> "epsilon must be positive and finite, but is " + epsilon);
    return new Extents(
        cell, direction, gain != null, epsilon, y.dim(0), y.dim(1), y.dim(2) / direction.count());
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

  private static void gates(Extents e, @Nullable Operand... operands) {
    for (Operand operand : operands) {
      if (operand != null) {
        operand.requireShape((long) e.directions() * e.cell().gates() * e.units());
      }
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
