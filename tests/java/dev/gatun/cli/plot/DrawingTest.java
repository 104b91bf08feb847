package dev.gatun.cli.plot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/// Files with figures are what their names say, and show what they should.
class DrawingTest {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 420;
  private static final int BLUE = 0xFF0072B2; // of the first curve

  @TempDir private Path folder = Path.of("");

  /// A picture with all panels, in each of them lines of two colours, if there are two.
  @ParameterizedTest
  @EnumSource(
      value = Plot.class,
      names = {"initialization", "scalers", "valley"})
  void figures_arePngs(Plot plot) throws IOException {
    Figure figure = Figures.of(plot);
    BufferedImage image = png(figure);
    int panels = figure.panels().size();
    assertEquals(2 * WIDTH * Math.min(2, panels), image.getWidth());
    assertEquals(2 * HEIGHT * ((panels + 1) / 2), image.getHeight());
    for (int i = 0; i < panels; i++) {
      Panel panel = figure.panels().get(i);
      BufferedImage part =
          image.getSubimage(i % 2 * 2 * WIDTH, i / 2 * 2 * HEIGHT, 2 * WIDTH, 2 * HEIGHT);
      long colored = panel.curves().stream().filter(curve -> !behind(curve)).count();
      long seen = Chart.COLORS.stream().filter(color -> pixels(part, color.getRGB()) > 100).count();
      assertTrue(seen >= Math.min(2, colored), panel.title() + " has " + seen + " colours");
    }
  }

  private static boolean behind(Curve curve) {
    return curve.style() == Curve.Style.CONTOUR || curve.style() == Curve.Style.CLOUD;
  }

  private static int pixels(BufferedImage image, int color) {
    int count = 0;
    for (int rgb :
        image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth())) {
      count += rgb == color ? 1 : 0;
    }
    return count;
  }

  /// Every piece of every curve is there.
  @ParameterizedTest
  @EnumSource(Plot.class)
  void everyFigure_isAnSvg(Plot plot) throws Exception {
    Figure figure = Figures.of(plot);
    Element svg = svg(figure).getDocumentElement();
    assertEquals("svg", svg.getTagName());
    int panels = figure.panels().size();
    assertEquals(
        "0 0 %d %d".formatted(WIDTH * Math.min(2, panels), HEIGHT * ((panels + 1) / 2)),
        svg.getAttribute("viewBox").replace(".0", ""));
    long pieces = 0;
    for (Panel panel : figure.panels()) {
      for (Curve curve : panel.curves()) {
        for (int i = 1; i < curve.y().length; i++) {
          boolean joined = Double.isFinite(curve.y()[i - 1]) && Double.isFinite(curve.y()[i]);
          pieces += joined && !scattered(curve) ? 1 : 0;
        }
      }
    }
    int lines = svg.getElementsByTagName("line").getLength();
    assertTrue(lines >= pieces, lines + " lines for " + pieces + " pieces");
    assertFalse(Files.readString(folder.resolve("figure.svg")).contains("NaN"));
  }

  private static boolean scattered(Curve curve) {
    return curve.style() == Curve.Style.DOTS || curve.style() == Curve.Style.CLOUD;
  }

  /// From the lower left to the upper right, with a gap where a value is missing.
  @Test
  void points_areWhereTheyBelong() throws IOException {
    double[] x = new double[101];
    double[] y = new double[101];
    for (int i = 0; i <= 100; i++) {
      x[i] = i / 100.0;
      y[i] = i > 40 && i < 60 ? Double.NaN : x[i];
    }
    Axis unit = Axis.linear("unit").within(0, 1);
    BufferedImage image = png(one(unit, unit, x, y));
    List<int[]> points = new ArrayList<>();
    for (int column = 0; column < image.getWidth(); column++) {
      for (int row = 0; row < image.getHeight(); row++) {
        if (image.getRGB(column, row) == BLUE) {
          points.add(new int[] {column, row});
          break;
        }
      }
    }
    int[] first = points.getFirst();
    int[] last = points.getLast();
    double width = last[0] - first[0];
    double height = first[1] - last[1];
    assertTrue(width > 600 && height > 400, width + " by " + height);
    for (int[] point : points) {
      double right = (point[0] - first[0]) / width;
      double up = (first[1] - point[1]) / height;
      assertEquals(right, up, 0.02);
      assertTrue(right < 0.42 || right > 0.58, "at " + right);
    }
  }

  /// What no axis has a place for is left out, and the rest is drawn.
  @Test
  void infinities_andZerosOnLogarithmicAxes_areLeftOut() throws IOException {
    double[] x = {1, 2, 3, 4, 5, 6, 7};
    double[] y = {0, -1, Double.POSITIVE_INFINITY, Double.NaN, 1e-3, 10, 1};
    Figure figure = one(Axis.linear("x"), Axis.logarithmic("y"), x, y);
    BufferedImage image = png(figure);
    int blue = pixels(image, BLUE);
    assertTrue(blue > 200, blue + " pixels");
  }

  @Test
  void names_tellTheFormat() {
    assertTrue(Drawing.knows(Path.of("a.svg")) && Drawing.knows(Path.of("b.c", "d.PNG")));
    assertFalse(Drawing.knows(Path.of("a.pdf")) || Drawing.knows(Path.of("svg.d", "png")));
  }

  @Test
  void aFullDisk_isExplained() {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "no /dev/full");
    Path link = folder.resolve("full.svg");
    UncheckedIOException refusal =
        assertThrows(
            UncheckedIOException.class,
            () -> {
              Files.createSymbolicLink(link, full);
              Drawing.write(Figures.of(Plot.schedules), link);
            });
    assertTrue(
        String.valueOf(refusal.getMessage())
            .startsWith("the plot cannot be written to " + link + ": "),
        refusal.getMessage());
  }

  private static Figure one(Axis horizontal, Axis vertical, double[] x, double[] y) {
    return Figure.of(new Panel("One", horizontal, vertical, List.of(Curve.line("", x, y))));
  }

  private BufferedImage png(Figure figure) throws IOException {
    Path file = folder.resolve("figure.png");
    Drawing.write(figure, file);
    BufferedImage image = ImageIO.read(file.toFile());
    assertNotNull(image, "no picture");
    return image;
  }

  private Document svg(Figure figure) throws Exception {
    Path file = folder.resolve("figure.svg");
    Drawing.write(figure, file);
    DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
    parsers.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
    return parsers.newDocumentBuilder().parse(file.toFile());
  }
}
