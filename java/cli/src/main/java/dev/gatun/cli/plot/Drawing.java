package dev.gatun.cli.plot;

import de.erichseifert.vectorgraphics2d.VectorGraphics2D;
import de.erichseifert.vectorgraphics2d.svg.SVGProcessor;
import de.erichseifert.vectorgraphics2d.util.PageSize;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import javax.imageio.ImageIO;

/// Draws figures into files: SVG or PNG, by the name's ending. Needs no display, but a font.
public final class Drawing {
  private static final int WIDTH = 640; // of a panel
  private static final int HEIGHT = 420;
  private static final int SHARPNESS = 2; // pixels of a PNG for each of these

  private final Figure figure;
  private final int columns;
  private final int width;
  private final int height;

  private Drawing(Figure figure) {
    this.figure = figure;
    columns = Math.min(2, figure.panels().size());
    width = columns * WIDTH;
    height = Math.ceilDiv(figure.panels().size(), columns) * HEIGHT;
  }

  /// Whether the name ends as that of a file that can be drawn.
  public static boolean knows(Path file) {
    return ending(file).equals("svg") || ending(file).equals("png");
  }

  /// Draws `figure` into `file`, which [#knows].
  ///
  /// @throws UncheckedIOException when it cannot be written
  public static void write(Figure figure, Path file) {
    Drawing drawing = new Drawing(figure);
    try (OutputStream out = Files.newOutputStream(file)) {
      if (ending(file).equals("svg")) {
        drawing.writeSvg(out);
      } else {
        drawing.writePng(out);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the plot cannot be written to " + file + ": " + e, e);
    }
  }

  private static String ending(Path file) {
    String name = file.toString();
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  private void writeSvg(OutputStream out) throws IOException {
    VectorGraphics2D graphics = new VectorGraphics2D();
    paint(graphics);
    new SVGProcessor()
        .getDocument(graphics.getCommands(), new PageSize(0, 0, width, height))
        .writeTo(out);
  }

  private void writePng(OutputStream out) throws IOException {
    BufferedImage image =
        new BufferedImage(SHARPNESS * width, SHARPNESS * height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.scale(SHARPNESS, SHARPNESS);
    paint(graphics);
    graphics.dispose();
    ImageIO.write(image, "png", out);
  }

  private void paint(Graphics2D graphics) {
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, width, height);
    for (int i = 0; i < figure.panels().size(); i++) {
      Graphics2D part = (Graphics2D) graphics.create();
      part.translate(i % columns * WIDTH, i / columns * HEIGHT);
      Chart.of(figure.panels().get(i), WIDTH, HEIGHT).paint(part, WIDTH, HEIGHT);
      part.dispose();
    }
  }
}
