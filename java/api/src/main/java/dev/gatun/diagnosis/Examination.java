package dev.gatun.diagnosis;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// All that is known of a case. Rules look at what they need, and say nothing where it is missing.
///
/// @param data the batches
/// @param initial a batch through the untrained model
/// @param own a run at the trainer's rate
/// @param slower the same at a tenth of it
/// @param faster the same at ten times it
/// @param origin where the first run had a number that was not finite; null if it had none
/// @param rates the range of learning rates
/// @param overfit a few examples, learned by heart
/// @param present a batch through a model that was trained before
/// @param curves of a whole run
public record Examination(
    @Nullable DataReading data,
    @Nullable Inspection initial,
    @Nullable TrialRun own,
    @Nullable TrialRun slower,
    @Nullable TrialRun faster,
    @Nullable Origin origin,
    @Nullable RateCurve rates,
    @Nullable Overfit overfit,
    @Nullable Inspection present,
    @Nullable Curves curves) {
  /// Data alone.
  public static Examination of(DataReading data) {
    return new Examination(data, null, null, null, null, null, null, null, null, null);
  }

  /// A model that was trained before, alone.
  public static Examination of(Inspection present) {
    return new Examination(null, null, null, null, null, null, null, null, present, null);
  }

  /// Curves alone.
  public static Examination of(Curves curves) {
    return new Examination(null, null, null, null, null, null, null, null, null, curves);
  }

  /// The model after some training: as it is, or at the end of the run at the trainer's rate. Empty
  /// if its numbers are not finite.
  public Optional<Inspection> trained() {
    Inspection end = present != null ? present : own == null ? null : own.end();
    return Optional.ofNullable(end).filter(Inspection::isFinite);
  }

  /// The same, or else the untrained model.
  public Optional<Inspection> latest() {
    return trained().or(() -> Optional.ofNullable(initial));
  }

  /// What was measured, a line each.
  public List<String> lines() {
    return Stream.of(
            line("initial loss", initialLoss()),
            line("at the trainer's rate", own),
            line("at a tenth of it", slower),
            line("at ten times it", faster),
            line("not finite first", origin),
            line("range of rates", rates),
            line("learned by heart", overfit),
            line("present model", present))
        .flatMap(Optional::stream)
        .toList();
  }

  /// The loss of the untrained model, null if it is not known.
  public @Nullable InitialLoss initialLoss() {
    return initial == null ? null : new InitialLoss(initial.loss(), initial.equalLoss());
  }

  /// How grave data are that are not standardised: many a net learns from them in spite of that,
  /// but where the loss falls at none of the rates, they are the reason to begin with.
  Severity ofUnscaledData() {
    boolean learns = own == null || Stream.of(own, slower, faster).anyMatch(Examination::learns);
    return learns ? Severity.WARNING : Severity.SEVERE;
  }

  private static boolean learns(@Nullable TrialRun trial) {
    return trial != null && trial.progress() >= LearningRateRule.LITTLE;
  }

  private static Optional<String> line(String what, @Nullable Object found) {
    return Optional.ofNullable(found).map(words -> what + ": " + words);
  }
}
