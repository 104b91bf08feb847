package dev.gatun.search;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What a trial gave.
///
/// @param trial the trial
/// @param goal what the score is
/// @param score what its function returned; that of its best epoch if it was given up for being
///   behind others; NaN if its loss became too large or not finite
/// @param trouble why it did not come to its end, null if it did
/// @param seconds it took
public record Result(
    Trial trial, Goal goal, double score, @Nullable String trouble, double seconds) {
  /// The lectures' line: `val acc: 0.412000, lr: 1.405206e-04, reg: 4.793564e-01, (1 / 100)`.
  public String line() {
    String line =
        String.format(
            Locale.ROOT,
            "%s: %f, %s, (%d / %d)",
            goal.label(),
            score,
            trial,
            trial.number(),
            trial.of());
    return trouble == null ? line : line + ": " + trouble;
  }
}
