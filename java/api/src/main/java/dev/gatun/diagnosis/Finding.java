package dev.gatun.diagnosis;

/// A fault, and what can be done.
///
/// @param severity how much it matters
/// @param problem its name, such as `dead units`: see docs/diagnosis.md
/// @param where the layer or parameter, empty if it is none
/// @param seen what was measured
/// @param meaning what that means
/// @param advice what to try
public record Finding(
    Severity severity, String problem, String where, String seen, String meaning, String advice) {
  static Finding severe(String problem, String where, String seen, String meaning, String advice) {
    return new Finding(Severity.SEVERE, problem, where, seen, meaning, advice);
  }

  static Finding warning(String problem, String where, String seen, String meaning, String advice) {
    return new Finding(Severity.WARNING, problem, where, seen, meaning, advice);
  }

  @Override
  public String toString() {
    String at = where.isEmpty() ? "" : " at " + where;
    return "%s: %s%s\n  seen:  %s\n  means: %s\n  try:   %s"
        .formatted(severity, problem, at, seen, meaning, advice);
  }
}
