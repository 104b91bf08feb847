package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import org.jspecify.annotations.Nullable;

/// Softmax with cross-entropy against labels or distributions.
final class CrossEntropy {
  private final Operands operands;
  private final Operand logits;
  private final Operand targets;
  private final @Nullable Operand weights;
  private final double smoothing;
  private final boolean labelled;

  private CrossEntropy(
      Operands operands,
      View logitsView,
      View targetsView,
      @Nullable View weightsView,
      double smoothing) {
    this.operands = operands;
    logits = operands.input("logits", logitsView);
    targets = operands.input("targets", targetsView);
    weights = operands.optionalInput("class_weights", weightsView);
    this.smoothing = smoothing;
    operands.requireReal(logits, weights);
    logits.requireRank(2);
    labelled = !targets.dtype().isReal();
    if (labelled) {
      targets.requireDtype(DType.I32);
      targets.requireShape(logits.dim(0));
    } else {
      operands.requireReal(logits, targets);
      operands.requireShapeOf(logits, targets);
    }
    if (weights != null) {
      weights.requireShape(logits.dim(1));
    }
    operands.require(
        smoothing >= 0 && smoothing < 1,
        () -> "label_smoothing must be in [0, 1), but is %s".formatted(smoothing));
  }

  static Instruction forward(
      View lossView,
      View correctView,
      View logitsView,
      View targetsView,
      @Nullable View weightsView,
      double smoothing) {
    Operands operands = new Operands("softmax_cross_entropy");
    Operand loss = operands.output("loss", lossView);
    Operand correct = operands.output("correct", correctView);
    CrossEntropy rule = new CrossEntropy(operands, logitsView, targetsView, weightsView, smoothing);
    rule.requireResults(loss, correct);
    return operands.instruction(() -> rule.forward(loss.reals(), correct.integers()));
  }

  static Instruction backward(
      View dlogitsView,
      View logitsView,
      View targetsView,
      @Nullable View weightsView,
      View dlossView,
      double smoothing) {
    Operands operands = new Operands("softmax_cross_entropy_backward");
    Operand dlogits = operands.output("dlogits", dlogitsView);
    CrossEntropy rule = new CrossEntropy(operands, logitsView, targetsView, weightsView, smoothing);
    Operand dloss = operands.input("dloss", dlossView);
    rule.requireGradient(dlogits, dloss);
    return operands.instruction(() -> rule.backward(dlogits.reals(), dloss.reals()));
  }

  static Instruction training(
      View lossView,
      View correctView,
      View dlogitsView,
      View logitsView,
      View targetsView,
      @Nullable View weightsView,
      View dlossView,
      double smoothing) {
    Operands operands = new Operands("softmax_cross_entropy_training");
    Operand loss = operands.output("loss", lossView);
    Operand correct = operands.output("correct", correctView);
    Operand dlogits = operands.output("dlogits", dlogitsView);
    CrossEntropy rule = new CrossEntropy(operands, logitsView, targetsView, weightsView, smoothing);
    Operand dloss = operands.input("dloss", dlossView);
    rule.requireResults(loss, correct);
    rule.requireGradient(dlogits, dloss);
    return operands.instruction(
        () -> {
          rule.forward(loss.reals(), correct.integers());
          rule.backward(dlogits.reals(), dloss.reals());
        });
  }

  private void requireResults(Operand loss, Operand correct) {
    operands.requireReal(logits, loss);
    loss.requireShape();
    correct.requireDtype(DType.I32);
    correct.requireShape();
  }

  private void requireGradient(Operand dlogits, Operand dloss) {
    operands.requireReal(logits, dlogits, dloss);
    operands.requireShapeOf(logits, dlogits);
    dloss.requireShape();
  }

  private void forward(Reals loss, Integers correct) {
    Reals x = logits.reals();
    int classes = logits.dim(1);
    double sum = 0;
    int right = 0;
    for (int n = 0; n < logits.dim(0); n++) {
      if (!counts(n)) {
        continue;
      }
      int label = label(n);
      if (label >= classes) {
        sum = Double.NaN;
        continue;
      }
      int row = n * classes;
      double max = Loss.max(x, row, classes);
      double logSum = Math.log(Loss.sumOfExps(x, row, classes, max)); // of x - max
      double ofRow = 0;
      for (int c = 0; c < classes; c++) {
        double q = wanted(n, c);
        ofRow += q == 0 ? 0 : q * (logSum - (x.get(row + c) - max));
      }
      sum += ofRow;
      // A row with a NaN is never right.
      if (Reductions.argmax(x, row, classes) == label && !Double.isNaN(x.get(row + label))) {
        right++;
      }
    }
    double total = total();
    loss.set(0, total == 0 ? 0 : sum / total);
    correct.setInteger(0, right);
  }

  private void backward(Reals dlogits, Reals dloss) {
    Reals x = logits.reals();
    int classes = logits.dim(1);
    double total = total();
    double scale = total == 0 ? 0 : dloss.get(0) / total;
    for (int n = 0; n < logits.dim(0); n++) {
      int row = n * classes;
      double max = Loss.max(x, row, classes);
      double sum = Loss.sumOfExps(x, row, classes, max);
      double mass = 0;
      for (int c = 0; c < classes; c++) {
        mass += wanted(n, c);
      }
      for (int c = 0; c < classes; c++) {
        double softmax = Math.exp(x.get(row + c) - max) / sum;
        double gradient = scale * (softmax * mass - wanted(n, c));
        // A label that names no class has a NaN loss, and so a NaN gradient.
        dlogits.set(row + c, !counts(n) ? 0 : label(n) >= classes ? Double.NaN : gradient);
      }
    }
  }

  private boolean counts(int n) {
    return labelled
        ? targets.integers().get(n) >= 0
        : logits.dim(1) > 0 && !(targets.reals().get(n * logits.dim(1)) < 0);
  }

  /// The label, or the place of the first greatest target.
  private int label(int n) {
    return labelled
        ? (int) targets.integers().get(n)
        : Reductions.argmax(targets.reals(), n * logits.dim(1), logits.dim(1));
  }

  /// What is wanted of class c in row n: smoothed and weighted.
  private double wanted(int n, int c) {
    double target =
        labelled
            ? (targets.integers().get(n) == c ? 1 : 0)
            : targets.reals().get(n * logits.dim(1) + c);
    return weight(c) * ((1 - smoothing) * target + smoothing / logits.dim(1));
  }

  private double weight(int c) {
    return weights == null ? 1 : weights.reals().get(c);
  }

  /// What the sum over rows is divided by.
  private double total() {
    double total = 0;
    for (int n = 0; n < logits.dim(0); n++) {
      if (counts(n)) {
        int label = labelled ? label(n) : logits.dim(1);
        total += label < logits.dim(1) ? weight(label) : 1;
      }
    }
    return total;
  }
}
