package dev.gatun.diagnosis;

import java.util.List;

/// Probabilities that are given to a loss which makes its own of logits. What the loss expects is
/// seen by what it says of outputs that are all 0: ln C if it takes a softmax of them, ln 2 if a
/// sigmoid.
final class LogitRule implements Rule {
  private static final double NEAR = 1e-3;

  @Override
  public List<Finding> apply(Examination examination) {
    Inspection latest = examination.latest().orElse(null);
    if (latest == null || latest.layers().isEmpty()) {
      return List.of();
    }
    LayerReading last = latest.layers().getLast();
    long classes = last.shape().dim(-1);
    boolean takesSoftmax = classes > 1 && isLog(latest.equalLoss(), (double) classes);
    boolean takesSigmoid = isLog(latest.equalLoss(), 2);
    boolean twice =
        switch (last.kind()) {
          case SOFTMAX -> takesSoftmax;
          case SIGMOID -> takesSoftmax || takesSigmoid;
          default -> false;
        };
    if (!twice) {
      return List.of();
    }
    return List.of(
        Finding.severe(
            "probabilities for logits",
            last.path(),
            "the last layer gives probabilities, and of outputs that are all 0 the loss is ln %d, as that of logits is"
                .formatted(takesSoftmax ? classes : 2),
            "the loss takes a %s of them again: it can tell next to nothing for sure, and gradients are small"
                .formatted(takesSoftmax ? "softmax" : "sigmoid"),
            "leave the last layer away; take the %s of what is predicted"
                .formatted(takesSoftmax ? "softmax" : "sigmoid")));
  }

  private static boolean isLog(double loss, double count) {
    return Math.abs(loss - Math.log(count)) < NEAR;
  }
}
