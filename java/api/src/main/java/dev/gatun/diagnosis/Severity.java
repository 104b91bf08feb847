package dev.gatun.diagnosis;

/// How much a finding matters, the gravest first.
public enum Severity {
  /// Nothing is learned, or less than could be, until this is changed.
  SEVERE,
  /// It costs speed or quality, or is about to.
  WARNING
}
