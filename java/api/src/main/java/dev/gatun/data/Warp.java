package dev.gatun.data;

import dev.gatun.random.RandomStream;

/// Images moved, turned, sheared, stretched or seen through a lens, about their centre. Each pixel
/// of the result is taken from where it was, between four pixels by bilinear interpolation; what
/// was outside is black.
///
/// @param kind what is done
/// @param limit the strength is uniform in [-limit, limit]: degrees for ROTATE and SHEAR, a share
///   of the sides for TRANSLATE, the logarithm of the factor for STRETCH, κ for DISTORT
public record Warp(Kind kind, double limit) implements Augmentation {
  /// What is done.
  public enum Kind {
    /// Turned.
    ROTATE(180),
    /// Slanted.
    SHEAR(80),
    /// Moved along both axes, each by its own share.
    TRANSLATE(1),
    /// Made wider or narrower, and by its own factor higher or lower.
    STRETCH(2),
    /// r becomes r (1 + κ r²), r = 1 at the corners: barrel for κ < 0, pincushion for κ > 0.
    DISTORT(0.3);

    private final double most;

    Kind(double most) {
      this.most = most;
    }
  }

  private static final int NEWTON_STEPS = 20; // three do for small κ

  /// @throws IllegalArgumentException when the limit is not in (0, most of the kind]
  public Warp {
    if (!(limit > 0 && limit <= kind.most)) {
      throw new IllegalArgumentException(
          "["
              + kind.name().toLowerCase(java.util.Locale.ROOT)
              + "] a limit in (0, "
              + kind.most
              + "] expected, found "
              + limit);
    }
  }

  @Override
  public ImageShape output(ImageShape input) {
    return input;
  }

  @Override
  public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
    double first = random.nextDouble(-limit, limit);
    double second = random.nextDouble(-limit, limit);
    switch (kind) {
      case ROTATE -> warp(source, input, target, AffineMap.rotation(first));
      case SHEAR -> warp(source, input, target, AffineMap.shear(first));
      case TRANSLATE ->
          warp(
              source,
              input,
              target,
              AffineMap.translation(first * input.width(), second * input.height()));
      case STRETCH ->
          warp(source, input, target, AffineMap.scaling(Math.exp(first), Math.exp(second)));
      case DISTORT -> distort(source, input, target, first);
    }
  }

  /// Writes `source` moved by `map` about its centre to `target`.
  static void warp(byte[] source, ImageShape shape, byte[] target, AffineMap map) {
    AffineMap back = map.inverse();
    double centreX = (shape.width() - 1) / 2.0;
    double centreY = (shape.height() - 1) / 2.0;
    for (int y = 0; y < shape.height(); y++) {
      for (int x = 0; x < shape.width(); x++) {
        double fromX = centreX + back.x(x - centreX, y - centreY);
        double fromY = centreY + back.y(x - centreX, y - centreY);
        sample(source, shape, fromX, fromY, target, (y * shape.width() + x) * shape.channels());
      }
    }
  }

  /// Writes `source` with radii changed to r (1 + κ r²) to `target`.
  static void distort(byte[] source, ImageShape shape, byte[] target, double kappa) {
    double centreX = (shape.width() - 1) / 2.0;
    double centreY = (shape.height() - 1) / 2.0;
    double corner = Math.max(1e-9, Math.hypot(centreX, centreY));
    for (int y = 0; y < shape.height(); y++) {
      for (int x = 0; x < shape.width(); x++) {
        double radius = Math.hypot(x - centreX, y - centreY) / corner;
        double share = radius == 0 ? 1 : undistorted(radius, kappa) / radius;
        double fromX = centreX + (x - centreX) * share;
        double fromY = centreY + (y - centreY) * share;
        sample(source, shape, fromX, fromY, target, (y * shape.width() + x) * shape.channels());
      }
    }
  }

  /// The r with r (1 + κ r²) = `radius`, by Newton's method; more than 1, which no pixel has, where
  /// even r = 1 falls short of it. Below that the steps approach r from one side.
  static double undistorted(double radius, double kappa) {
    if (radius > 1 + kappa) {
      return radius / (1 + kappa);
    }
    double r = radius;
    for (int i = 0; i < NEWTON_STEPS; i++) {
      r -= (r * (1 + kappa * r * r) - radius) / (1 + 3 * kappa * r * r);
    }
    return r;
  }

  private static void sample(
      byte[] source, ImageShape shape, double x, double y, byte[] target, int to) {
    int left = (int) Math.floor(x);
    int top = (int) Math.floor(y);
    double right = x - left;
    double down = y - top;
    int channels = shape.channels();
    for (int c = 0; c < channels; c++) {
      double above = (1 - right) * at(source, shape, left, top, c);
      above += right * at(source, shape, left + 1, top, c);
      double below = (1 - right) * at(source, shape, left, top + 1, c);
      below += right * at(source, shape, left + 1, top + 1, c);
      target[to + c] = (byte) Math.round((1 - down) * above + down * below);
    }
  }

  private static int at(byte[] source, ImageShape shape, int x, int y, int channel) {
    boolean inside = x >= 0 && y >= 0 && x < shape.width() && y < shape.height();
    return inside ? source[(y * shape.width() + x) * shape.channels() + channel] & 0xFF : 0;
  }
}
