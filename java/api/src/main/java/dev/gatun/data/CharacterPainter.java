package dev.gatun.data;

import dev.gatun.random.RandomStream;
import java.util.List;

/// Draws one character in a random face, place and colour. Holds working memory; for one thread.
final class CharacterPainter {
  private static final int CURVE_PIECES = 7;
  private static final int MAX_POINTS = 256;
  private static final double MARGIN = 1; // pixels kept free around a character
  private static final double MAX_SHIFT = 4; // pixels off the middle
  private static final double MIN_CONTRAST = 64; // of luma, between ink and any part of the ground

  /// A type face.
  ///
  /// @param weight width of the pen, in heights of a character
  /// @param roundness weight of the corner in curves: 0.71 is an oval, more is squarer
  /// @param aspect width of the characters, 1 is that of the shapes
  /// @param slant how far the top leans to the right, in heights
  /// @param serif half the length of the bars at the ends of upright strokes, 0 for none
  /// @param pen the thin side of the pen divided by its long side
  /// @param angle of the long side of the pen, in radians
  /// @param cap how strokes end
  private record Face(
      double weight,
      double roundness,
      double aspect,
      double slant,
      double serif,
      double pen,
      double angle,
      StrokeRaster.Cap cap) {}

  private static final List<Face> FACES =
      List.of(
          new Face(0.13, 0.71, 1.00, 0.00, 0.0, 1.00, 0.0, StrokeRaster.Cap.BUTT), // plain
          new Face(0.08, 0.71, 0.90, 0.00, 0.0, 1.00, 0.0, StrokeRaster.Cap.ROUND), // light
          new Face(0.21, 0.85, 1.10, 0.00, 0.0, 0.85, 0.0, StrokeRaster.Cap.BUTT), // heavy
          new Face(0.13, 2.40, 0.95, 0.00, 0.0, 1.00, 0.0, StrokeRaster.Cap.SQUARE), // square
          new Face(0.14, 0.71, 1.00, 0.00, 1.0, 0.45, 0.0, StrokeRaster.Cap.BUTT), // serif
          new Face(0.13, 0.90, 1.05, 0.00, 1.2, 1.00, 0.0, StrokeRaster.Cap.BUTT), // slab
          new Face(0.12, 0.71, 0.85, 0.22, 0.0, 0.55, 0.5, StrokeRaster.Cap.ROUND), // italic
          new Face(0.10, 0.55, 0.95, 0.10, 0.0, 1.00, 0.0, StrokeRaster.Cap.ROUND), // hand
          new Face(0.13, 1.00, 0.65, 0.00, 0.0, 0.90, 0.0, StrokeRaster.Cap.BUTT), // narrow
          new Face(0.12, 0.80, 1.30, 0.00, 0.0, 0.80, 0.0, StrokeRaster.Cap.BUTT), // wide
          new Face(0.18, 0.71, 0.95, 0.05, 0.0, 0.35, 0.7, StrokeRaster.Cap.SQUARE), // nib
          new Face(0.17, 1.30, 1.00, 0.00, 0.0, 1.00, 0.0, StrokeRaster.Cap.ROUND)); // marker

  private final ImageShape image;
  private final StrokeRaster raster;
  private final double[] x = new double[MAX_POINTS];
  private final double[] y = new double[MAX_POINTS];
  private final int[] ends = new int[MAX_POINTS]; // index of the last point of each path
  private final double[] ground = new double[3];
  private final double[] groundEnd = new double[3];
  private final double[] ink = new double[3];
  private final double[] rim = new double[3];
  private int points;
  private int paths;

  CharacterPainter(ImageShape image) {
    this.image = image;
    this.raster = new StrokeRaster(image.height(), image.width());
  }

  /// Draws character number `character` to `target[offset ..]`, all choices from `random`.
  void paint(int character, RandomStream random, byte[] target, int offset) {
    Face face = FACES.get(random.nextInt(FACES.size()));
    double roundness = face.roundness() * random.nextDouble(0.9, 1.15);
    int shape = random.nextInt(Glyphs.shapes(character));
    trace(Glyphs.shape(character, shape), roundness);
    if (face.serif() > 0) {
      addSerifs(face.serif());
    }
    double tall = place(face, random);

    chooseColors(random);
    paintGround(random, target, offset);

    double radius = Math.max(0.6, 0.5 * tall * face.weight() * random.nextDouble(0.85, 1.2));
    double ratio = Math.max(face.pen(), 0.45 / radius); // the thin side still shows
    double angle = face.angle() + random.nextDouble(-0.1, 0.1);
    raster.clear();
    raster.pen(radius, Math.min(1, ratio), StrictMath.cos(angle), StrictMath.sin(angle));
    drawPaths(face.cap());
    float softness = (float) random.nextDouble(0.9, 1.7);
    double style = random.nextDouble();
    if (style < 0.15) { // with a rim
      blend(rim, 1.1f, softness, target, offset);
      blend(ink, 0, softness, target, offset);
    } else if (style < 0.30 && radius >= 1.8) { // hollow
      blend(ink, 0.3f, softness, target, offset);
      blend(rim, -1f, softness, target, offset);
    } else {
      blend(ink, 0, softness, target, offset);
    }
    addNoise(random, target, offset);
  }

  /// Turns a shape into straight pieces, in the units of the shape.
  private void trace(List<Glyphs.Element> shape, double roundness) {
    points = 0;
    paths = 0;
    for (Glyphs.Element element : shape) {
      if (element.kind() == 'M') {
        endPath();
        addPoint(element.x(), element.y());
      } else if (element.kind() == 'L') {
        addPoint(element.x(), element.y());
      } else {
        double x0 = x[points - 1];
        double y0 = y[points - 1];
        for (int i = 1; i <= CURVE_PIECES; i++) {
          double t = i / (double) CURVE_PIECES;
          double start = (1 - t) * (1 - t);
          double corner = 2 * roundness * t * (1 - t);
          double end = t * t;
          double sum = start + corner + end;
          addPoint(
              (start * x0 + corner * element.cx() + end * element.x()) / sum,
              (start * y0 + corner * element.cy() + end * element.y()) / sum);
        }
      }
    }
    endPath();
  }

  private void addPoint(double px, double py) {
    x[points] = px;
    y[points++] = py;
  }

  private void endPath() {
    if (points > 0) {
      ends[paths++] = points - 1;
    }
  }

  /// Bars across the upper and lower ends of upright strokes.
  private void addSerifs(double half) {
    int drawn = paths;
    for (int path = 0, first = 0; path < drawn; path++) {
      int last = ends[path];
      addSerif(first, first + 1, half);
      addSerif(last, last - 1, half);
      first = last + 1;
    }
  }

  private void addSerif(int end, int before, double half) {
    boolean upright = Math.abs(y[end] - y[before]) > 1.3 * Math.abs(x[end] - x[before]);
    if (upright && (y[end] == 0 || y[end] == Glyphs.HEIGHT)) {
      double middle = x[end];
      double level = y[end];
      addPoint(middle - half, level);
      addPoint(middle + half, level);
      endPath();
    }
  }

  /// Moves the points from the shape to their pixels; the height of the character in pixels.
  private double place(Face face, RandomStream random) {
    double tall = random.nextDouble(16, 25);
    double unit = tall / Glyphs.HEIGHT;
    double wide = unit * face.aspect() * random.nextDouble(0.88, 1.12);
    double lean = face.slant() + random.nextDouble(-0.15, 0.15);
    double turn = random.nextDouble(-0.26, 0.26); // radians, 15 degrees
    double cosine = StrictMath.cos(turn);
    double sine = StrictMath.sin(turn);
    double bendX = random.nextDouble(-0.5, 0.5);
    double bendY = random.nextDouble(-0.5, 0.5);
    double left = Double.MAX_VALUE;
    double right = -Double.MAX_VALUE;
    double top = Double.MAX_VALUE;
    double bottom = -Double.MAX_VALUE;
    for (int i = 0; i < points; i++) {
      double u = x[i] - Glyphs.WIDTH / 2;
      double v = y[i] - Glyphs.HEIGHT / 2;
      double bentU = u + bendX * v * v / 36;
      double bentV = v + bendY * u * u / 16;
      double px = wide * bentU - unit * lean * bentV;
      double py = unit * bentV;
      x[i] = cosine * px - sine * py;
      y[i] = sine * px + cosine * py;
      left = Math.min(left, x[i]);
      right = Math.max(right, x[i]);
      top = Math.min(top, y[i]);
      bottom = Math.max(bottom, y[i]);
    }
    double room = MARGIN + 0.5 * tall * face.weight();
    double scale = Math.min(1, (image.width() - 2 * room) / (right - left));
    scale = Math.min(scale, (image.height() - 2 * room) / (bottom - top));
    double freeX = image.width() - 2 * room - scale * (right - left);
    double freeY = image.height() - 2 * room - scale * (bottom - top);
    double shiftX = Math.min(MAX_SHIFT, freeX / 2) * random.nextDouble(-1, 1);
    double shiftY = Math.min(MAX_SHIFT, freeY / 2) * random.nextDouble(-1, 1);
    double originX = image.width() / 2.0 + shiftX - scale * (left + right) / 2;
    double originY = image.height() / 2.0 + shiftY - scale * (top + bottom) / 2;
    for (int i = 0; i < points; i++) {
      x[i] = originX + scale * x[i];
      y[i] = originY + scale * y[i];
    }
    return scale * tall;
  }

  private void chooseColors(RandomStream random) {
    double contrast;
    do {
      for (int c = 0; c < 3; c++) {
        ground[c] = random.nextDouble(0, 255);
        groundEnd[c] = Math.clamp(ground[c] + random.nextDouble(-50, 50), 0, 255);
        ink[c] = random.nextDouble(0, 255);
      }
      contrast = luma(ink) - luma(ground);
      double contrastEnd = luma(ink) - luma(groundEnd);
      contrast =
          contrast * contrastEnd > 0 ? Math.min(Math.abs(contrast), Math.abs(contrastEnd)) : 0;
    } while (contrast < MIN_CONTRAST);
    for (int c = 0; c < 3; c++) {
      rim[c] = random.nextDouble(0, 255);
    }
  }

  private static double luma(double[] color) {
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2];
  }

  /// A gradient from side to side, and sometimes lines between its colour and that of the ink.
  private void paintGround(RandomStream random, byte[] target, int offset) {
    double turn = random.nextDouble(0, 2 * StrictMath.PI);
    double stepX = StrictMath.cos(turn) / image.width() / 1.42;
    double stepY = StrictMath.sin(turn) / image.height() / 1.42;
    for (int row = 0, p = offset; row < image.height(); row++) {
      for (int column = 0; column < image.width(); column++, p += 3) {
        double t =
            0.5 + stepX * (column - image.width() / 2.0) + stepY * (row - image.height() / 2.0);
        for (int c = 0; c < 3; c++) {
          target[p + c] = toByte(ground[c] + t * (groundEnd[c] - ground[c]));
        }
      }
    }
    int lines = Math.max(0, random.nextInt(6) - 2); // none for half of the images
    double[] color = new double[3];
    for (int line = 0; line < lines; line++) {
      raster.clear();
      raster.pen(random.nextDouble(0.4, 1.0), 1, 1, 0);
      double[] endsX = {
        random.nextDouble(-4, image.width() + 4.0), random.nextDouble(-4, image.width() + 4.0)
      };
      double[] endsY = {
        random.nextDouble(-4, image.height() + 4.0), random.nextDouble(-4, image.height() + 4.0)
      };
      raster.path(endsX, endsY, 0, 1, StrokeRaster.Cap.ROUND);
      double mix = random.nextDouble(0.15, 0.55);
      for (int c = 0; c < 3; c++) {
        color[c] = ground[c] + mix * (ink[c] - ground[c]);
      }
      blend(color, 0, 1, target, offset);
    }
  }

  private void drawPaths(StrokeRaster.Cap cap) {
    for (int path = 0, first = 0; path < paths; path++) {
      raster.path(x, y, first, ends[path], cap);
      first = ends[path] + 1;
    }
  }

  /// Paints what the raster holds, wider by `grown` pixels on every side.
  private void blend(double[] color, float grown, float softness, byte[] target, int offset) {
    for (int pixel = 0, p = offset; pixel < image.height() * image.width(); pixel++, p += 3) {
      float covered = raster.coverage(pixel, grown, softness);
      if (covered > 0) {
        for (int c = 0; c < 3; c++) {
          double under = target[p + c] & 0xFF;
          target[p + c] = toByte(under + covered * (color[c] - under));
        }
      }
    }
  }

  /// Nearly normal noise: the sum of the four bytes of a random word.
  private void addNoise(RandomStream random, byte[] target, int offset) {
    double deviation = random.nextDouble(0, 18);
    double scale = deviation / 147.8; // the sum's own standard deviation
    for (int p = offset; p < offset + image.elements(); p++) {
      int word = random.nextInt();
      int sum = (word & 0xFF) + (word >>> 8 & 0xFF) + (word >>> 16 & 0xFF) + (word >>> 24);
      target[p] = toByte((target[p] & 0xFF) + scale * (sum - 510));
    }
  }

  private static byte toByte(double value) {
    return (byte) Math.clamp((int) Math.floor(value + 0.5), 0, 255);
  }
}
