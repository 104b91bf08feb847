package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;

/// Sums, means, maxima, and the place of the maximum.
final class Reductions {
  private Reductions() {}

  static Instruction reduce(View yView, View xView, Reduction op, int axes) {
    Operands operands = new Operands("reduce");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireReal(y, x);
    int rank = x.rank();
    operands.require(
        axes >>> rank == 0,
        () -> "axes must have bits of x's %d axes only, but is %d".formatted(rank, axes));
    int[] dims = new int[rank];
    int[] strides = new int[rank]; // of y along the axes of x
    long[] kept = new long[rank];
    double reduced = 1;
    for (int axis = 0; axis < rank; axis++) {
      boolean reduces = (axes >>> axis & 1) == 1;
      dims[axis] = x.dim(axis);
      kept[axis] = reduces ? 1 : dims[axis];
      reduced *= reduces ? dims[axis] : 1;
    }
    y.requireShape(kept);
    operands.require(
        op != Reduction.MAX || reduced > 0,
        () -> "there is no maximum along an empty axis: x is %s".formatted(x.view()));
    int[] dense = Strided.dense(y);
    for (int axis = 0; axis < rank; axis++) {
      strides[axis] = (axes >>> axis & 1) == 1 ? 0 : dense[axis];
    }
    Strided target = new Strided(dims, strides);
    double[] results = operands.scratch(y.count());
    double divisor = op == Reduction.MEAN ? reduced : 1;
    return operands.instruction(
        () -> reduce(y.reals(), x.reals(), op, target, results, divisor, x.count()));
  }

  private static void reduce(
      Reals y, Reals x, Reduction op, Strided target, double[] results, double divisor, int count) {
    Arrays.fill(results, op == Reduction.MAX ? Double.NEGATIVE_INFINITY : 0);
    int length = target.rowLength();
    int step = target.step();
    for (int xi = 0, row = 0; xi < count; xi += length, row++) {
      int yi = target.start(row);
      if (step == 0) {
        double result = results[yi];
        for (int j = 0; j < length; j++) {
          result = combine(op, result, x.get(xi + j));
        }
        results[yi] = result;
      } else {
        for (int j = 0; j < length; j++) {
          results[yi + j * step] = combine(op, results[yi + j * step], x.get(xi + j));
        }
      }
    }
    for (int i = 0; i < results.length; i++) {
      y.set(i, results[i] / divisor);
    }
  }

  private static double combine(Reduction op, double result, double x) {
    return switch (op) {
      case SUM, MEAN -> result + x;
      case MAX -> Math.max(result, x);
    };
  }

  static Instruction argmax(View yView, View xView) {
    Operands operands = new Operands("argmax");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    y.requireDtype(DType.I32);
    operands.requireReal(x);
    x.requireAxis();
    int length = x.dim(-1);
    if (length == 0) {
      throw operands.refusal(
          "the last axis of x must have 1..2147483647 elements, but x is %s".formatted(x.view()));
    }
    y.requireShape(x.shape().with(-1, 1));
    return operands.instruction(() -> argmax(y.integers(), x.reals(), y.count(), length));
  }

  private static void argmax(Integers y, Reals x, int rows, int length) {
    for (int row = 0; row < rows; row++) {
      y.setInteger(row, argmax(x, row * length, length));
    }
  }

  /// The index, counted from `from`, of the first greatest of `length` elements; a NaN is greater
  /// than all others.
  static int argmax(Reals x, int from, int length) {
    int best = 0;
    for (int i = 1; i < length; i++) {
      if (beats(x.get(from + i), x.get(from + best))) {
        best = i;
      }
    }
    return best;
  }

  /// Whether `x` comes before an earlier `best`.
  static boolean beats(double x, double best) {
    return x > best || (Double.isNaN(x) && !Double.isNaN(best));
  }
}
