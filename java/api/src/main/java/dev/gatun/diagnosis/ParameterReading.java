package dev.gatun.diagnosis;

import dev.gatun.Shape;

/// A parameter, its gradient, and how far a step moves it.
///
/// @param name such as `dense0.weight`
/// @param shape its extents
/// @param norm of its elements
/// @param gradientNorm of the loss's gradient by it, without penalties and before clipping; NaN if
///   it is not finite, or the parameter is frozen
/// @param updateRatio the norm of what a step adds to it, over its own; NaN where no step was made
/// @param notFinite how many elements are infinite or NaN
public record ParameterReading(
    String name,
    Shape shape,
    double norm,
    double gradientNorm,
    double updateRatio,
    long notFinite) {
  /// Whether it multiplies signals, as weights do and biases do not.
  public boolean isMatrix() {
    return shape.rank() > 1;
  }

  /// The same after a step that moved it by this much of its norm.
  public ParameterReading updated(double ratio) {
    return new ParameterReading(name, shape, norm, gradientNorm, ratio, notFinite);
  }

  /// The Euclidean norm, in f64.
  static double norm(float[] elements) {
    double squares = 0;
    for (float element : elements) {
      squares += (double) element * element;
    }
    return Double.isFinite(squares) ? Math.sqrt(squares) : Double.NaN;
  }

  /// What is to be seen in a parameter's elements and its gradient's.
  public static ParameterReading of(String name, Shape shape, float[] elements, float[] gradient) {
    return new ParameterReading(
        name,
        shape,
        norm(elements),
        gradient.length == 0 ? Double.NaN : norm(gradient),
        Double.NaN,
        Spread.of(elements).notFinite());
  }
}
