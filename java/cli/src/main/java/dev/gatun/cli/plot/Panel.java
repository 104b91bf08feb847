package dev.gatun.cli.plot;

import java.util.List;

/// A pair of axes and what is drawn between them.
///
/// @param title above it
/// @param x the horizontal axis
/// @param y the vertical axis
/// @param curves from the one behind to the one in front
public record Panel(String title, Axis x, Axis y, List<Curve> curves) {
  /// Copies the list.
  public Panel {
    curves = List.copyOf(curves);
  }
}
