package dev.gatun.diagnosis;

import java.util.List;

/// A loss before the first step that is not that of who knows nothing.
final class InitialLossRule implements Rule {
  @Override
  public List<Finding> apply(Examination examination) {
    InitialLoss loss = examination.initialLoss();
    if (loss == null || !Double.isFinite(loss.found()) || loss.isPlausible()) {
      return List.of();
    }
    boolean high = loss.found() > loss.expected();
    return List.of(
        Finding.warning(
            "initial loss off",
            "",
            "the untrained model's loss is %s; equal outputs would give %s"
                .formatted(Words.number(loss.found()), Words.number(loss.expected())),
            high
                ? "it is sure of answers that it cannot know, and the first steps go into unlearning"
                    + " them"
                : "it knows something before it has learned",
            high
                ? "a smaller scale for the last layer's weights (normal(0.01)), inputs and targets"
                    + " of deviation 1"
                : "look whether inputs hold the targets, and whether loss and targets fit"));
  }
}
