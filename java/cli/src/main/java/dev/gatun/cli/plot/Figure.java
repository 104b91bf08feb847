package dev.gatun.cli.plot;

import java.util.List;

/// Panels beside and below each other, two in a row.
///
/// @param panels at least one
public record Figure(List<Panel> panels) {
  /// Copies the list.
  public Figure {
    panels = List.copyOf(panels);
    if (panels.isEmpty()) {
      throw new IllegalArgumentException("[figure] at least one panel expected, found none");
    }
  }

  static Figure of(Panel... panels) {
    return new Figure(List.of(panels));
  }
}
