package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import dev.gatun.random.RandomStream;

/// Batches of pictures from a data set, changed at random.
final class Pictures {
  private static final int LEVELS = 256;

  private Pictures() {}

  static Instruction gather(
      View yView,
      View picturesView,
      View indicesView,
      View valuesView,
      View epochView,
      PictureChange change,
      long seed) {
    Operands operands = new Operands("gather_pictures");
    Operand y = operands.output("y", yView);
    Operand pictures = operands.input("pictures", picturesView);
    Operand indices = operands.input("indices", indicesView);
    Operand values = operands.input("values", valuesView);
    Operand epoch = operands.input("epoch", epochView);
    operands.requireFloating(y);
    y.requireRank(4);
    pictures.requireDtype(DType.U8);
    pictures.requireRank(4);
    indices.requireDtype(DType.I32);
    indices.requireShape(y.dim(0));
    values.requireDtype(DType.F32);
    values.requireShape(y.dim(3), LEVELS);
    epoch.requireDtype(DType.I64);
    epoch.requireShape();
    if (pictures.dim(3) != y.dim(3)
        || !change.fits(pictures.dim(1), y.dim(1))
        || !change.fits(pictures.dim(2), y.dim(2))) {
      throw operands.refusal(
          "y is %s, but %s makes no such thing of pictures %s"
              .formatted(y.view(), change, pictures.view()));
    }
    RandomStream random = new RandomStream(seed, 0);
    return operands.instruction(
        () -> {
          for (int n = 0; n < y.dim(0); n++) {
            long index = indices.integers().get(n);
            if (index >= 0 && index < pictures.dim(0)) {
              random.restart(epoch.integers().get(0) << 32 | index);
              gather(y, n, pictures, (int) index, values, change, random);
            } else {
              int each = y.count() / y.dim(0);
              for (int e = n * each; e < (n + 1) * each; e++) {
                y.reals().set(e, 0);
              }
            }
          }
        });
  }

  private static void gather(
      Operand y,
      int n,
      Operand pictures,
      int index,
      Operand values,
      PictureChange change,
      RandomStream random) {
    int rows = pictures.dim(1);
    int columns = pictures.dim(2);
    int channels = pictures.dim(3);
    int height = y.dim(1);
    int width = y.dim(2);
    int top = -change.pad();
    int left = -change.pad();
    if (change.crop()) {
      top += random.nextInt(rows + 2 * change.pad() - height + 1);
      left += random.nextInt(columns + 2 * change.pad() - width + 1);
    }
    boolean flipped = change.flip() && random.nextInt() >= 0;
    int cutTop = 0;
    int cutLeft = 0;
    if (change.cutout() > 0) {
      cutTop = random.nextInt(height) - change.cutout() / 2;
      cutLeft = random.nextInt(width) - change.cutout() / 2;
    }
    Integers bytes = pictures.integers();
    Reals levels = values.reals();
    for (int h = 0; h < height; h++) {
      for (int w = 0; w < width; w++) {
        int row = top + h;
        int column = left + (flipped ? width - 1 - w : w);
        boolean cut =
            h >= cutTop
                && h - cutTop < change.cutout()
                && w >= cutLeft
                && w - cutLeft < change.cutout();
        boolean inside = row >= 0 && row < rows && column >= 0 && column < columns;
        for (int c = 0; c < channels; c++) {
          long level = 0;
          if (cut) {
            level = change.grey();
          } else if (inside) {
            level = bytes.get(((index * rows + row) * columns + column) * channels + c);
          }
          y.reals()
              .set(
                  ((n * height + h) * width + w) * channels + c,
                  levels.get(c * LEVELS + (int) level));
        }
      }
    }
  }
}
