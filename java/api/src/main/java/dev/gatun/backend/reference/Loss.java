package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;

/// Softmax, and softmax with cross-entropy.
final class Loss {
  private Loss() {}

  static Instruction softmax(View yView, View xView) {
    Operands operands = new Operands("softmax");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireReal(y, x);
    x.requireAxis();
    operands.requireShapeOf(x, y);
    operands.allowInPlace(y, x);
    return operands.instruction(() -> softmax(y.reals(), x.reals(), x.count(), x.dim(-1)));
  }

  private static void softmax(Reals y, Reals x, int count, int classes) {
    for (int row = 0; row < count; row += classes) {
      double max = max(x, row, classes);
      double sum = sumOfExps(x, row, classes, max);
      for (int c = 0; c < classes; c++) {
        y.set(row + c, Math.exp(x.get(row + c) - max) / sum);
      }
    }
  }

  static Instruction crossEntropy(
      View lossView, View correctView, View logitsView, View labelsView) {
    Operands operands = new Operands("softmax_cross_entropy");
    Operand loss = operands.output("loss", lossView);
    Operand correct = operands.output("correct", correctView);
    Operand logits = operands.input("logits", logitsView);
    Operand labels = operands.input("labels", labelsView);
    operands.requireReal(loss, logits);
    loss.requireShape();
    correct.requireDtype(DType.I32);
    correct.requireShape();
    requireLabels(logits, labels);
    return operands.instruction(
        () ->
            crossEntropy(
                loss.reals(),
                correct.integers(),
                logits.reals(),
                labels.integers(),
                logits.dim(0),
                logits.dim(1)));
  }

  private static void crossEntropy(
      Reals loss, Integers correct, Reals logits, Integers labels, int rows, int classes) {
    double sum = 0;
    int counted = 0;
    int right = 0;
    for (int n = 0; n < rows; n++) {
      int label = (int) labels.get(n);
      if (label < 0) {
        continue;
      }
      counted++;
      if (label >= classes) {
        sum = Double.NaN;
        continue;
      }
      int row = n * classes;
      double max = max(logits, row, classes);
      double logSum = max + Math.log(sumOfExps(logits, row, classes, max));
      sum += logSum - logits.get(row + label);
      // A row with a NaN is never right.
      if (Reductions.argmax(logits, row, classes) == label
          && !Double.isNaN(logits.get(row + label))) {
        right++;
      }
    }
    loss.set(0, counted == 0 ? 0 : sum / counted);
    correct.setInteger(0, right);
  }

  static Instruction crossEntropyBackward(
      View dlogitsView, View logitsView, View labelsView, View dlossView) {
    Operands operands = new Operands("softmax_cross_entropy_backward");
    Operand dlogits = operands.output("dlogits", dlogitsView);
    Operand logits = operands.input("logits", logitsView);
    Operand labels = operands.input("labels", labelsView);
    Operand dloss = operands.input("dloss", dlossView);
    operands.requireReal(dlogits, logits, dloss);
    requireLabels(logits, labels);
    operands.requireShapeOf(logits, dlogits);
    dloss.requireShape();
    return operands.instruction(
        () ->
            crossEntropyBackward(
                dlogits.reals(),
                logits.reals(),
                labels.integers(),
                dloss.reals(),
                logits.dim(0),
                logits.dim(1)));
  }

  static Instruction crossEntropyTraining(
      View lossView,
      View correctView,
      View dlogitsView,
      View logitsView,
      View labelsView,
      View dlossView) {
    Operands operands = new Operands("softmax_cross_entropy_training");
    Operand loss = operands.output("loss", lossView);
    Operand correct = operands.output("correct", correctView);
    Operand dlogits = operands.output("dlogits", dlogitsView);
    Operand logits = operands.input("logits", logitsView);
    Operand labels = operands.input("labels", labelsView);
    Operand dloss = operands.input("dloss", dlossView);
    operands.requireReal(loss, dlogits, logits, dloss);
    loss.requireShape();
    correct.requireDtype(DType.I32);
    correct.requireShape();
    requireLabels(logits, labels);
    operands.requireShapeOf(logits, dlogits);
    dloss.requireShape();
    int rows = logits.dim(0);
    int classes = logits.dim(1);
    Reals x = logits.reals();
    Integers t = labels.integers();
    return operands.instruction(
        () -> {
          crossEntropy(loss.reals(), correct.integers(), x, t, rows, classes);
          crossEntropyBackward(dlogits.reals(), x, t, dloss.reals(), rows, classes);
        });
  }

  private static void crossEntropyBackward(
      Reals dlogits, Reals logits, Integers labels, Reals dloss, int rows, int classes) {
    int counted = 0;
    for (int n = 0; n < rows; n++) {
      counted += labels.get(n) >= 0 ? 1 : 0;
    }
    double scale = dloss.get(0) / counted;
    for (int n = 0; n < rows; n++) {
      int label = (int) labels.get(n);
      int row = n * classes;
      double max = max(logits, row, classes);
      double sum = sumOfExps(logits, row, classes, max);
      for (int c = 0; c < classes; c++) {
        double softmax = Math.exp(logits.get(row + c) - max) / sum;
        double gradient = scale * (softmax - (c == label ? 1 : 0));
        // A label that names no class has a NaN loss, and so a NaN gradient.
        dlogits.set(row + c, label < 0 ? 0 : label >= classes ? Double.NaN : gradient);
      }
    }
  }

  private static double max(Reals x, int from, int length) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < length; i++) {
      max = Math.max(max, x.get(from + i));
    }
    return max;
  }

  /// The sum of exp(x - max), which cannot overflow.
  private static double sumOfExps(Reals x, int from, int length, double max) {
    double sum = 0;
    for (int i = 0; i < length; i++) {
      sum += Math.exp(x.get(from + i) - max);
    }
    return sum;
  }

  /// logits [N,C] and labels [N].
  private static void requireLabels(Operand logits, Operand labels) {
    logits.requireRank(2);
    labels.requireDtype(DType.I32);
    labels.requireShape(logits.dim(0));
  }
}
