package dev.gatun.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/// Writes many images of a set into one picture, for people to look at.
final class ContactSheet {
  private ContactSheet() {}

  /// Draws the built-in set: `ContactSheet [file] [seed]`.
  public static void main(String[] arguments) throws IOException {
    Path file = Path.of(arguments.length > 0 ? arguments[0] : "target/characters.png");
    long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : 1;
    write(DrawnCharacters.make(seed, 36 * 20, 1).train(), 36, file);
  }

  /// All images, `columns` in a row, twice as large.
  static void write(Dataset dataset, int columns, Path file) throws IOException {
    int cellHeight = 2 * dataset.height();
    int cellWidth = 2 * dataset.width();
    int rows = Math.ceilDiv(dataset.size(), columns);
    BufferedImage sheet =
        new BufferedImage(columns * cellWidth, rows * cellHeight, BufferedImage.TYPE_INT_RGB);
    byte[] image = new byte[dataset.image().elements()];
    int channels = dataset.channels();
    for (int i = 0; i < dataset.size(); i++) {
      dataset.read(i, image, 0);
      for (int y = 0; y < cellHeight; y++) {
        for (int x = 0; x < cellWidth; x++) {
          int p = (y / 2 * dataset.width() + x / 2) * channels;
          int red = image[p] & 0xFF;
          int green = image[p + (channels > 2 ? 1 : 0)] & 0xFF;
          int blue = image[p + (channels > 2 ? 2 : 0)] & 0xFF;
          sheet.setRGB(
              i % columns * cellWidth + x,
              i / columns * cellHeight + y,
              red << 16 | green << 8 | blue);
        }
      }
    }
    Files.createDirectories(file.toAbsolutePath().getParent());
    ImageIO.write(sheet, "png", file.toFile());
  }
}
