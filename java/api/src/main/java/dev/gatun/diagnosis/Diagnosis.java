package dev.gatun.diagnosis;

import java.util.Comparator;
import java.util.List;

/// What was measured and the faults in it, the gravest first.
///
/// @param examination what was measured
/// @param findings by severity; of equal ones causes before their consequences
public record Diagnosis(Examination examination, List<Finding> findings) {
  /// Copies the findings.
  public Diagnosis {
    findings = List.copyOf(findings);
  }

  /// What the built-in rules find.
  public static Diagnosis of(Examination examination) {
    return of(examination, Rule.all());
  }

  /// What these rules find.
  public static Diagnosis of(Examination examination, List<Rule> rules) {
    return new Diagnosis(
        examination,
        rules.stream()
            .flatMap(rule -> rule.apply(examination).stream())
            .sorted(Comparator.comparing(Finding::severity))
            .toList());
  }

  /// What the curves of a run show.
  public static Diagnosis of(Curves curves) {
    return of(Examination.of(curves));
  }

  /// Whether nothing severe was found.
  public boolean isHealthy() {
    return findings.stream().noneMatch(finding -> finding.severity() == Severity.SEVERE);
  }

  /// Whether there is a finding of this name.
  public boolean has(String problem) {
    return findings.stream().anyMatch(finding -> finding.problem().equals(problem));
  }

  /// The measurements in short, and each finding with what to try.
  public String report() {
    StringBuilder text = new StringBuilder();
    examination.lines().forEach(line -> text.append(line).append('\n'));
    if (findings.isEmpty()) {
      return text.append("\nNo fault found.\n").toString();
    }
    findings.forEach(finding -> text.append('\n').append(finding).append('\n'));
    return text.toString();
  }

  @Override
  public String toString() {
    return report();
  }
}
