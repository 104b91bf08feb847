package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;

/// Softmax, its logarithm, and labels as distributions.
final class Loss {
  private Loss() {}

  static Instruction softmax(View yView, View xView) {
    return alongRows("softmax", yView, xView, (max, sum, x) -> Math.exp(x - max) / sum);
  }

  static Instruction logSoftmax(View yView, View xView) {
    return alongRows("log_softmax", yView, xView, (max, sum, x) -> x - max - Math.log(sum));
  }

  /// An element of a result, from the row's greatest element and the sum of exp(x - max).
  private interface Element {
    double of(double max, double sum, double x);
  }

  private static Instruction alongRows(String op, View yView, View xView, Element element) {
    Operands operands = new Operands(op);
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    x.requireAxis();
    operands.requireShapeOf(x, y);
    operands.allowInPlace(y, x);
    return operands.instruction(
        () -> alongRows(y.reals(), x.reals(), x.count(), x.dim(-1), element));
  }

  private static void alongRows(Reals y, Reals x, int count, int classes, Element element) {
    for (int row = 0; row < count; row += classes) {
      double max = max(x, row, classes);
      double sum = sumOfExps(x, row, classes, max);
      for (int c = 0; c < classes; c++) {
        y.set(row + c, element.of(max, sum, x.get(row + c)));
      }
    }
  }

  static Instruction oneHot(View yView, View labelsView) {
    Operands operands = new Operands("one_hot");
    Operand y = operands.output("y", yView);
    Operand labels = operands.input("labels", labelsView);
    operands.requireFloating(y);
    labels.requireDtype(DType.I32);
    if (y.rank() != labels.rank() + 1
        || !Arrays.equals(
            Arrays.copyOf(y.shape().toArray(), labels.rank()), labels.shape().toArray())) {
      throw operands.refusal(
          "y must have the axes of labels and one more, but is %s, labels are %s"
              .formatted(y.view(), labels.view()));
    }
    return operands.instruction(
        () -> oneHot(y.reals(), labels.integers(), labels.count(), y.dim(-1)));
  }

  private static void oneHot(Reals y, Integers labels, int count, int classes) {
    for (int n = 0; n < count; n++) {
      for (int c = 0; c < classes; c++) {
        y.set(n * classes + c, labels.get(n) == c ? 1 : 0);
      }
    }
  }

  static double max(Reals x, int from, int length) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < length; i++) {
      max = Math.max(max, x.get(from + i));
    }
    return max;
  }

  /// The sum of exp(x - max), which cannot overflow.
  static double sumOfExps(Reals x, int from, int length, double max) {
    double sum = 0;
    for (int i = 0; i < length; i++) {
      sum += Math.exp(x.get(from + i) - max);
    }
    return sum;
  }
}
