package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class StandardizerTest {
  @Test
  void fitIsMeanAndPopulationDeviation() {
    // Channel 0: 0, 255, 0, 255; channel 1: 51 everywhere.
    byte[] pixels = {0, 51, -1, 51, 0, 51, -1, 51};
    Dataset dataset = MemoryDataset.of("two", new ImageShape(1, 2, 2), pixels, new int[] {0, 1});
    Standardizer fitted = Standardizer.fit(dataset);
    assertArrayEquals(new double[] {0.5, 0.2}, fitted.mean(), 1e-15);
    assertArrayEquals(new double[] {0.5, 1.0}, fitted.deviation(), 1e-15);
    float[] out = new float[10];
    fitted.apply(new byte[] {0, 51, -1, 0}, out, 3);
    assertArrayEquals(new float[] {0, 0, 0, -1, 0, 1, -0.2f, 0, 0, 0}, out, 1e-7f);
  }

  @Test
  void fitAgreesWithThePlainFormula() {
    Dataset dataset = SampleData.dataset(40, new ImageShape(5, 7, 3));
    Standardizer fitted = Standardizer.fit(dataset);
    for (int c = 0; c < 3; c++) {
      double sum = 0;
      double squares = 0;
      for (int i = 0; i < 40; i++) {
        byte[] image = SampleData.image(dataset, i);
        for (int p = c; p < image.length; p += 3) {
          double value = (image[p] & 0xFF) / 255.0;
          sum += value;
          squares += value * value;
        }
      }
      double mean = sum / (40 * 35);
      assertEquals(mean, fitted.mean()[c], 1e-12);
      assertEquals(Math.sqrt(squares / (40 * 35) - mean * mean), fitted.deviation()[c], 1e-12);
    }
  }

  @Test
  void everyByteIsMapped() {
    Standardizer given = Standardizer.of(new double[] {0.25}, new double[] {0.5});
    Standardizer scale = Standardizer.scale(1);
    byte[] all = new byte[256];
    for (int value = 0; value < 256; value++) {
      all[value] = (byte) value;
    }
    float[] out = new float[256];
    given.apply(all, out, 0);
    float[] scaled = new float[256];
    scale.apply(all, scaled, 0);
    for (int value = 0; value < 256; value++) {
      assertEquals((float) ((value / 255.0 - 0.25) / 0.5), out[value]);
      assertEquals((float) (value / 255.0), scaled[value]);
    }
  }

  @Test
  void badArgumentsAreRefused() {
    double[] one = {1};
    assertRefused("found 1 and 2", () -> Standardizer.of(one, new double[] {1, 1}));
    assertRefused("found 0 and 0", () -> Standardizer.of(new double[0], new double[0]));
    assertRefused("channel 0", () -> Standardizer.of(one, new double[] {0}));
    assertRefused("channel 0", () -> Standardizer.of(new double[] {Double.NaN}, one));
    assertRefused("found 0", () -> Standardizer.scale(0));
    assertRefused(
        "4 bytes does not have 3 channels",
        () -> Standardizer.scale(3).apply(new byte[4], new float[4], 0));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> Standardizer.scale(1).apply(new byte[4], new float[4], 1));
  }

  @Test
  void returnedArraysAreCopies() {
    Standardizer scale = Standardizer.scale(1);
    scale.mean()[0] = 7;
    scale.deviation()[0] = 7;
    assertEquals(0, scale.mean()[0]);
    assertEquals(1, scale.deviation()[0]);
  }

  private static void assertRefused(String part, Runnable action) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, action::run);
    Messages.assertSays(e, part);
  }
}
