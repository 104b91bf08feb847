package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Initializer;
import dev.gatun.Initializer.Distribution;
import dev.gatun.Initializer.Fan;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import org.junit.jupiter.api.Test;

/// Initializers with a structure, and gains.
class InitializerFormsTest {
  private static final Shape DENSE = Shape.of(256, 784);

  /// Nothing beyond 2σ, and the variance of the cut distribution, 0.7737 σ², to five standard
  /// errors.
  @Test
  void truncatedNormal_isCutAtTwoDeviations() {
    float[] sample = Initializer.truncatedNormal(0.5).sample(DENSE, 3, 0);
    double greatest = 0;
    for (float x : sample) {
      greatest = Math.max(greatest, Math.abs(x));
    }
    assertTrue(greatest <= 1 && greatest > 0.99, "greatest " + greatest);
    variance(0.25 * 0.7737413, sample);
  }

  @Test
  void varianceScaling_correctsTheCut() {
    Initializer truncated = Initializer.varianceScaling(2, Fan.IN, Distribution.TRUNCATED_NORMAL);
    variance(2.0 / 784, truncated.sample(DENSE, 3, 0));
  }

  @Test
  void kaiming_takesTheSlopeAndTheFan() {
    variance(2 / (1.04 * 256), Initializer.kaimingNormal(Fan.OUT, 0.2).sample(DENSE, 3, 0));
    variance(2 / (1.04 * 784), Initializer.kaimingUniform(Fan.IN, 0.2).sample(DENSE, 3, 0));
  }

  /// g of Sussillo and Abbott for a fan-in of 784, and for a small one.
  @Test
  void randomWalk_hasItsGain() {
    double relu = Math.sqrt(2) * Math.exp(1.2 / (784 - 2.4));
    variance(relu * relu / 784, Initializer.randomWalkRelu().sample(DENSE, 3, 0));
    double linear = Math.exp(1.0 / (2 * 784));
    variance(linear * linear / 784, Initializer.randomWalkLinear().sample(DENSE, 3, 0));
    double small = Math.sqrt(2) * Math.exp(1.2 / 3.6);
    variance(small * small / 4, Initializer.randomWalkRelu().sample(Shape.of(50_000, 4), 3, 0));
  }

  @Test
  void times_scales() {
    float[] plain = Initializer.lecunNormal().sample(DENSE, 3, 0);
    float[] halved = Initializer.lecunNormal().times(0.5).sample(DENSE, 3, 0);
    for (int i = 0; i < plain.length; i++) {
      assertEquals(0.5f * plain[i], halved[i]);
    }
  }

  @Test
  void orthogonal_hasOrthonormalRowsOrColumns() {
    orthonormal(Initializer.orthogonal(1).sample(Shape.of(40, 40), 3, 0), 40, 40, 1);
    orthonormal(Initializer.orthogonal(2).sample(Shape.of(16, 3, 3, 8), 3, 0), 16, 72, 2);
    float[] tall = Initializer.orthogonal(1).sample(Shape.of(70, 20), 3, 0);
    float[] transposed = new float[tall.length];
    for (int r = 0; r < 70; r++) {
      for (int c = 0; c < 20; c++) {
        transposed[c * 70 + r] = tall[r * 20 + c];
      }
    }
    orthonormal(transposed, 20, 70, 1);
  }

  private static void orthonormal(float[] rows, int count, int length, double gain) {
    for (int i = 0; i < count; i++) {
      for (int j = 0; j <= i; j++) {
        double dot = 0;
        for (int k = 0; k < length; k++) {
          dot += (double) rows[i * length + k] * rows[j * length + k];
        }
        assertEquals(i == j ? gain * gain : 0, dot, 1e-6 * gain * gain, i + " and " + j);
      }
    }
  }

  @Test
  void identity_passesChannelsOn() {
    assertArrayEquals(
        new float[] {1, 0, 0, 0, 1, 0}, Initializer.identity().sample(Shape.of(2, 3), 1, 0));
    float[] dirac = Initializer.identity().sample(Shape.of(2, 3, 3, 2), 1, 0);
    for (int i = 0; i < dirac.length; i++) {
      // Row 1 and column 1 of the kernel; channel 0 to 0, then 1 to 1.
      assertEquals(
          i == (1 * 3 + 1) * 2 || i == 18 + (1 * 3 + 1) * 2 + 1 ? 1 : 0, dirac[i], "at " + i);
    }
  }

  @Test
  void vectors_areRefused() {
    assertEquals(
        "[orthogonal] expected weights with at least two axes [out, ..., in], found (3)",
        assertThrows(
                ShapeException.class, () -> Initializer.orthogonal(1).sample(Shape.of(3), 1, 0))
            .getMessage());
    assertThrows(ShapeException.class, () -> Initializer.identity().sample(Shape.of(3), 1, 0));
  }

  /// Five standard errors of a distribution with a kurtosis of 3 at most.
  private static void variance(double expected, float[] sample) {
    double squares = 0;
    for (float x : sample) {
      squares += (double) x * x;
    }
    assertEquals(expected, squares / sample.length, 5 * expected * Math.sqrt(2.0 / sample.length));
  }
}
