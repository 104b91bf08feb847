package dev.gatun.search;

import dev.gatun.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The trials of a stage.
///
/// @param stage its number, from 1
/// @param space what was tried
/// @param goal what scores are
/// @param length how long each trial trained
/// @param trials in the order in which they were run
public record Results(
    int stage, List<Parameter<?>> space, Goal goal, Span length, List<Result> trials) {
  /// Copies the lists.
  public Results {
    space = List.copyOf(space);
    trials = List.copyOf(trials);
  }

  /// The trials by score, the best first, those without a score last.
  public List<Result> ranking() {
    return trials.stream()
        .sorted(
            (a, b) ->
                goal.isBetter(a.score(), b.score())
                    ? -1
                    : goal.isBetter(b.score(), a.score()) ? 1 : 0)
        .toList();
  }

  /// The best trial; null if none has a score.
  public @Nullable Result best() {
    return ranking().stream()
        .filter(result -> !Double.isNaN(result.score()))
        .findFirst()
        .orElse(null);
  }

  /// What is worrying: values of the best trial that lie at an end of their range, so that better
  /// ones may lie beyond; trials none of which has a score.
  public List<String> findings() {
    Result best = best();
    if (best == null) {
      return List.of("no trial came to a score; try smaller learning rates");
    }
    List<String> findings = new ArrayList<>();
    for (Parameter<?> parameter : space) {
      String finding = edge(parameter, best.trial());
      if (finding != null) {
        findings.add(finding);
      }
    }
    return List.copyOf(findings);
  }

  private static <T> @Nullable String edge(Parameter<T> parameter, Trial trial) {
    T value = trial.get(parameter);
    Parameter.Edge edge = parameter.edge(value);
    return edge == null
        ? null
        : "%s: the best value, %s, lies at the %s end of its range (%s); better ones may lie beyond"
            .formatted(
                parameter.name(),
                parameter.format(value),
                edge.name().toLowerCase(Locale.ROOT),
                parameter.range());
  }

  /// The best trials as a table in plain text: score, values, and the trial's number.
  ///
  /// @param rows at most so many
  public String table(int rows) {
    List<String[]> cells = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of(goal.label()));
    space.forEach(parameter -> head.add(parameter.name()));
    head.add("trial");
    cells.add(head.toArray(String[]::new));
    for (Result result : ranking().subList(0, Math.min(rows, trials.size()))) {
      List<String> row = new ArrayList<>();
      row.add(String.format(Locale.ROOT, "%.6f", result.score()));
      row.addAll(result.trial().words());
      row.add(Integer.toString(result.trial().number()));
      cells.add(row.toArray(String[]::new));
    }
    int[] widths = new int[head.size()];
    for (String[] row : cells) {
      Arrays.setAll(widths, i -> Math.max(widths[i], row[i].length()));
    }
    StringBuilder text = new StringBuilder();
    for (String[] row : cells) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < row.length; i++) {
        line.append(" ".repeat(widths[i] - row[i].length() + (i == 0 ? 0 : 2))).append(row[i]);
      }
      text.append(line).append('\n');
    }
    return text.toString();
  }
}
