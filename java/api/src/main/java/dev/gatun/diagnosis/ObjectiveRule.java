package dev.gatun.diagnosis;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Nothing that could be learned: all parameters frozen, a loss that does not look at the outputs,
/// or one that is small where answers are wrong.
final class ObjectiveRule implements Rule {
  /// How far below 0 a loss has no bottom, in times of its first size.
  private static final double DEEP = 10;

  /// Right answers that chance would give, from which on fewer say something.
  private static final double BY_CHANCE = 8;

  @Override
  public List<Finding> apply(Examination examination) {
    return Stream.of(frozen(examination), deaf(examination), wrongSign(examination))
        .flatMap(Optional::stream)
        .toList();
  }

  private static Optional<Finding> frozen(Examination examination) {
    Inspection initial = examination.initial();
    if (initial == null || !initial.isFinite() || examination.origin() != null) {
      return Optional.empty();
    }
    List<ParameterReading> parameters = initial.parameters();
    if (parameters.isEmpty()
        || parameters.stream().anyMatch(parameter -> !Double.isNaN(parameter.gradientNorm()))) {
      return Optional.empty();
    }
    return Optional.of(
        Finding.severe(
            "all parameters frozen",
            "",
            "none of %d parameters has a gradient".formatted(parameters.size()),
            "steps change nothing but running estimates of norms",
            "leave some out of frozen(...): those of the last layer at least"));
  }

  private static Optional<Finding> deaf(Examination examination) {
    Inspection initial = examination.initial();
    if (initial == null
        || initial.loss() == 0
        || initial.layers().isEmpty()
        || initial.layers().getLast().gradientNorm() != 0) {
      return Optional.empty();
    }
    return Optional.of(
        Finding.severe(
            "loss ignores outputs",
            initial.layers().getLast().path(),
            "the loss is %s, its gradient by the outputs 0 in every element"
                .formatted(Words.number(initial.loss())),
            "it does not depend on them, or only by way of what has no slope: sign, comparisons, a"
                + " product with 0",
            "compare outputs with targets by what has a slope; see Loss for those there are"));
  }

  private static Optional<Finding> wrongSign(Examination examination) {
    TrialRun bottomless =
        Stream.of(examination.own(), examination.slower(), examination.faster())
            .filter(Objects::nonNull)
            .filter(ObjectiveRule::isBottomless)
            .findFirst()
            .orElse(null);
    TrialRun own = examination.own();
    if (bottomless != null) {
      return Optional.of(
          wrongSign(
              bottomless.toString(),
              "it has no least value: steps make outputs as wrong, or as large, as they can"));
    }
    if (own != null
        && own.progress() > LearningRateRule.MUCH
        && answersWorse(examination.data(), own.end())) {
      return Optional.of(
          wrongSign(
              "%s, and then %s of answers are right, fewer than by chance"
                  .formatted(own, Words.percent(Objects.requireNonNull(own.end()).accuracy())),
              "it is small where answers are wrong"));
    }
    return Optional.empty();
  }

  private static Finding wrongSign(String seen, String meaning) {
    return Finding.severe(
        "loss of the wrong sign",
        "",
        seen,
        meaning,
        "a minus in front of what is to be made large, such as a likelihood; none before an error");
  }

  private static boolean isBottomless(TrialRun trial) {
    double size = Math.max(1, Math.max(Math.abs(trial.startLoss()), Math.abs(trial.equalLoss())));
    return trial.losses().stream().anyMatch(loss -> loss < -DEEP * size);
  }

  private static boolean answersWorse(@Nullable DataReading data, @Nullable Inspection end) {
    if (data == null || end == null || data.classes() < 2 || data.sortedBatches() > 0) {
      return false;
    }
    double chance = 1.0 / data.classes();
    return end.examples() * chance >= BY_CHANCE && end.accuracy() < chance / 2;
  }
}
