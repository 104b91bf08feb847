package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MovementTest {
  private final Tensors t = new Tensors(DType.F32);

  @ParameterizedTest
  @EnumSource
  void fillWritesEveryElementOfEveryType(DType dtype) {
    View y = t.of(dtype, shape(2, 3), 9, 9, 9, 9, 9, 9);
    t.backend.fill(y, 7);
    t.assertElements(y, 7, 7, 7, 7, 7, 7);
  }

  @Test
  void fillTouchesNothingBesideTheView() {
    View whole = t.of(shape(4), 1, 2, 3, 4);
    t.backend.fill(t.alias(whole, 4, 2), 0);
    t.assertElements(whole, 1, 0, 0, 4);
  }

  @Test
  void fillConverts() {
    View bytes = t.zeros(DType.U8, 1);
    t.backend.fill(bytes, 300.7);
    t.assertElements(bytes, 255);
    View ints = t.zeros(DType.I32, 1);
    t.backend.fill(ints, -2.9);
    t.assertElements(ints, -2);
  }

  @Test
  void copyConvertsRealsToIntegersTowardZeroAndSaturates() {
    View x =
        t.of(
            shape(8),
            2.9,
            -2.9,
            1e10,
            -1e10,
            256,
            Double.NaN,
            Double.POSITIVE_INFINITY,
            Double.NEGATIVE_INFINITY);
    View ints = t.zeros(DType.I32, 8);
    t.backend.copy(ints, x);
    int top = Integer.MAX_VALUE;
    int bottom = Integer.MIN_VALUE;
    t.assertElements(ints, 2, -2, top, bottom, 256, 0, top, bottom);
    View bytes = t.zeros(DType.U8, 8);
    t.backend.copy(bytes, x);
    t.assertElements(bytes, 2, 0, 255, 0, 255, 0, 255, 0);
    View longs = t.zeros(DType.I64, 8);
    t.backend.copy(longs, x);
    assertEquals(10_000_000_000L, t.memory(longs).map().getLong(16));
    assertEquals(Long.MAX_VALUE, t.memory(longs).map().getLong(48));
    assertEquals(Long.MIN_VALUE, t.memory(longs).map().getLong(56));
  }

  @Test
  void copySaturatesIntegers() {
    View x = t.zeros(DType.I64, 3);
    t.memory(x).map().putLong(1L << 40).putLong(-(1L << 40)).putLong(200);
    View ints = t.zeros(DType.I32, 3);
    t.backend.copy(ints, x);
    t.assertElements(ints, Integer.MAX_VALUE, Integer.MIN_VALUE, 200);
    View bytes = t.zeros(DType.U8, 3);
    t.backend.copy(bytes, x);
    t.assertElements(bytes, 255, 0, 200);
  }

  @Test
  void copyRoundsLongsToFloatsOnce() {
    // Through a double this would be a tie, and go to the even neighbour below.
    long value = (1L << 60) + (1L << 36) + 1;
    View x = t.zeros(DType.I64, 1);
    t.memory(x).map().putLong(value);
    View y = t.zeros(DType.F32, 1);
    t.backend.copy(y, x);
    assertEquals((float) ((1L << 60) + (1L << 37)), t.memory(y).map().getFloat());
  }

  @Test
  void copyKeepsTheBitsOfNumbersAcrossShapes() {
    double[] values = Tensors.random(1, 6);
    View x = t.of(shape(2, 3), values);
    View y = t.zeros(3, 2, 1);
    t.backend.copy(y, x);
    assertArrayEquals(t.read(x), t.read(y));
    View wide = t.zeros(DType.F64, 6);
    t.backend.copy(wide, x);
    assertArrayEquals(t.read(x), t.read(wide));
  }

  @Test
  void bytesAreUnsigned() {
    View x = t.of(DType.U8, shape(2), 200, 255);
    View y = t.zeros(2);
    t.backend.copy(y, x);
    t.assertElements(y, 200, 255);
  }

  @Test
  void copyOntoItselfDoesNothing() {
    View x = t.of(shape(3), 1, 2, 3);
    t.backend.copy(t.alias(x, 0, 3, 1), x);
    t.assertElements(x, 1, 2, 3);
  }

  @Test
  void permuteTransposes() {
    View x = t.of(shape(2, 3), 1, 2, 3, 4, 5, 6);
    View y = t.zeros(3, 2);
    t.backend.permute(y, x, new int[] {1, 0});
    t.assertElements(y, 1, 4, 2, 5, 3, 6);
  }

  @Test
  void permuteMovesChannelsLast() {
    int channels = 3;
    int height = 2;
    int width = 4;
    View x = t.zeros(DType.U8, 1, channels, height, width);
    ByteBuffer bytes = t.memory(x).map();
    for (int i = 0; i < 24; i++) {
      bytes.put((byte) i);
    }
    View y = t.zeros(DType.U8, 1, height, width, channels);
    t.backend.permute(y, x, new int[] {0, 2, 3, 1});
    double[] actual = t.read(y);
    for (int h = 0; h < height; h++) {
      for (int w = 0; w < width; w++) {
        for (int c = 0; c < channels; c++) {
          assertEquals((c * height + h) * width + w, actual[(h * width + w) * channels + c]);
        }
      }
    }
  }

  @Test
  void permuteOfScalarsAndLongs() {
    View x = t.of(DType.I64, shape(), 5);
    View y = t.zeros(DType.I64);
    t.backend.permute(y, x, new int[0]);
    t.assertElements(y, 5);
  }

  @Test
  void subsamplePadTakesEverySecondPixelAndAddsChannels() {
    View x = // 3x3 pixels of 1 channel
        t.of(shape(1, 3, 3, 1), 1, 2, 3, 4, 5, 6, 7, 8, 9);
    View y = t.of(shape(1, 2, 2, 3), Tensors.random(1, 12));
    t.backend.subsamplePad(y, x, 2);
    t.assertElements(y, 1, 0, 0, 3, 0, 0, 7, 0, 0, 9, 0, 0);
  }

  @Test
  void subsamplePadBackwardIsTheTranspose() {
    // <A x, u> = <x, A' u> for all x and u defines the transpose.
    View x = t.of(shape(2, 5, 4, 3), Tensors.random(2, 120));
    View u = t.of(shape(2, 3, 2, 5), Tensors.random(3, 60));
    View ax = t.zeros(2, 3, 2, 5);
    View atu = t.of(shape(2, 5, 4, 3), Tensors.random(4, 120));
    t.backend.subsamplePad(ax, x, 2);
    t.backend.subsamplePadBackward(atu, u, 2);
    assertEquals(dot(t.read(ax), t.read(u)), dot(t.read(x), t.read(atu)), 1e-12);
    // With single terms, so that nothing cancels.
    View one = t.zeros(2, 3, 2, 5);
    t.write(one, Tensors.fill(60, () -> 1));
    t.backend.subsamplePadBackward(atu, one, 2);
    double[] counts = t.read(atu);
    for (int i = 0; i < counts.length; i++) {
      int h = i / 12 % 5;
      int w = i / 3 % 4;
      assertEquals(h % 2 == 0 && w % 2 == 0 ? 1 : 0, counts[i], "at " + i);
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
