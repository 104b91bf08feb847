package dev.gatun.data;

/// A map of the plane, `(x, y)` to `(a x + b y + c, d x + e y + f)`; y points down, as rows do.
///
/// @param a of x to x
/// @param b of y to x
/// @param c added to x
/// @param d of x to y
/// @param e of y to y
/// @param f added to y
public record AffineMap(double a, double b, double c, double d, double e, double f) {
  /// Turns by `degrees`, as seen clockwise.
  public static AffineMap rotation(double degrees) {
    double cosine = Math.cos(Math.toRadians(degrees));
    double sine = Math.sin(Math.toRadians(degrees));
    return new AffineMap(cosine, -sine, 0, sine, cosine, 0);
  }

  /// Moves points sideways by their height times the tangent of `degrees`.
  public static AffineMap shear(double degrees) {
    return new AffineMap(1, Math.tan(Math.toRadians(degrees)), 0, 0, 1, 0);
  }

  /// Moves all points alike.
  public static AffineMap translation(double x, double y) {
    return new AffineMap(1, 0, x, 0, 1, y);
  }

  /// Moves points away from the axes by these factors.
  public static AffineMap scaling(double x, double y) {
    return new AffineMap(x, 0, 0, 0, y, 0);
  }

  /// This and then `next`.
  public AffineMap then(AffineMap next) {
    return new AffineMap(
        next.a * a + next.b * d,
        next.a * b + next.b * e,
        next.a * c + next.b * f + next.c,
        next.d * a + next.e * d,
        next.d * b + next.e * e,
        next.d * c + next.e * f + next.f);
  }

  /// What takes points back.
  ///
  /// @throws ArithmeticException if points fall together
  public AffineMap inverse() {
    double area = a * e - b * d;
    if (area == 0) {
      throw new ArithmeticException("[affine] the map has no inverse: " + this);
    }
    return new AffineMap(
        e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area);
  }

  /// Where x of a point goes.
  public double x(double x, double y) {
    return a * x + b * y + c;
  }

  /// Where y of a point goes.
  public double y(double x, double y) {
    return d * x + e * y + f;
  }
}
