package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// The matrix product.
final class MatMul {
  private MatMul() {}

  /// The extents of y [M,N] and of the sum, and where A[i,k] lies: `a[i * aRow + k * aColumn]`.
  private record Extents(int m, int n, int depth, int aRow, int aColumn) {}

  static Instruction matmul(
      View yView,
      View aView,
      View bView,
      @Nullable View biasView,
      boolean transposeA,
      boolean transposeB,
      Activation activation) {
    Operands operands = new Operands("matmul");
    Operand y = operands.output("y", yView);
    Operand a = operands.input("a", aView);
    Operand b = operands.input("b", bView);
    Operand bias = operands.optionalInput("bias", biasView);
    operands.requireFloating(y, a, b, bias);
    a.requireRank(2);
    b.requireRank(2);
    int m = a.dim(transposeA ? 1 : 0);
    int depth = a.dim(transposeA ? 0 : 1);
    int n = b.dim(transposeB ? 0 : 1);
    if (b.dim(transposeB ? 1 : 0) != depth) {
      throw operands.refusal(
          "inner dimensions differ: %s%s x %s%s"
              .formatted(
                  a.shape(),
                  transposeA ? " transposed" : "",
                  b.shape(),
                  transposeB ? " transposed" : ""));
    }
    y.requireShape(m, n);
    if (bias != null) {
      bias.requireShape(n);
    }
    Extents extents = new Extents(m, n, depth, transposeA ? 1 : depth, transposeA ? m : 1);
    Reals biases = Operand.realsOrNull(bias);
    if (transposeB) {
      return operands.instruction(
          () -> byDots(y.reals(), a.reals(), b.reals(), biases, extents, activation));
    }
    double[] sums = operands.scratch(y.count() == 0 ? 0 : n);
    return operands.instruction(
        () -> byRows(y.reals(), a.reals(), b.reals(), biases, extents, activation, sums));
  }

  /// For b [N,K]: each element of y is the dot product of two rows.
  private static void byDots(
      Reals y, Reals a, Reals b, @Nullable Reals bias, Extents e, Activation activation) {
    for (int i = 0; i < e.m(); i++) {
      for (int j = 0; j < e.n(); j++) {
        double sum = bias == null ? 0 : bias.get(j);
        for (int k = 0; k < e.depth(); k++) {
          sum += a.get(i * e.aRow() + k * e.aColumn()) * b.get(j * e.depth() + k);
        }
        y.set(i * e.n() + j, Elementwise.activate(activation, sum));
      }
    }
  }

  /// For b [K,N]: each row of y is a sum of rows of b. The same sums in the same order as
  /// [#byDots].
  private static void byRows(
      Reals y,
      Reals a,
      Reals b,
      @Nullable Reals bias,
      Extents e,
      Activation activation,
      double[] sums) {
    for (int i = 0; i < e.m(); i++) {
      for (int j = 0; j < sums.length; j++) {
        sums[j] = bias == null ? 0 : bias.get(j);
      }
      for (int k = 0; k < e.depth(); k++) {
        double factor = a.get(i * e.aRow() + k * e.aColumn());
        for (int j = 0; j < sums.length; j++) {
          sums[j] += factor * b.get(k * e.n() + j);
        }
      }
      for (int j = 0; j < sums.length; j++) {
        y.set(i * e.n() + j, Elementwise.activate(activation, sums[j]));
      }
    }
  }
}
