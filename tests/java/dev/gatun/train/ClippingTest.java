package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Clipping;
import dev.gatun.History;
import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A loss that is linear in its parameters, so that the inputs are the gradients: those of `a
/// [2,2]` are 3, 4 in the first row and 0.3, 0.4 in the second, those of `b [2]` are 0 and 12.
class ClippingTest {
  private static final float[] GRADIENT = {3, 4, 0.3f, 0.4f, 0, 12};
  private static final double[] WEIGHTS = {1, 0, 0, 2, 0, 0};

  private static final Tensor FIRST_FOUR = columns(0, 4);
  private static final Tensor LAST_TWO = columns(4, 2);

  private static final Layer LINEAR =
      (context, x) -> {
        Tensor a = context.parameter("a", Initializer.zeros(), 2, 2);
        Tensor b = context.parameter("b", Initializer.zeros(), 2);
        Tensor left = x.matmul(FIRST_FOUR).times(a.reshape(1, 4)).sum(1);
        Tensor right = x.matmul(LAST_TWO).times(b.reshape(1, 2)).sum(1);
        return left.plus(right).reshape(x.shape().dim(0), 1);
      };

  /// What picks columns `from` to `from + count` of six in a product.
  private static Tensor columns(int from, int count) {
    float[] pick = new float[6 * count];
    for (int i = 0; i < count; i++) {
      pick[(from + i) * count + i] = 1;
    }
    return Tensor.of(Backends.REFERENCE.device(), pick, 6, count);
  }

  @Test
  void none_takesTheGradientAsItIs() {
    assertMoves(Clipping.none(), 3, 4, 0.3, 0.4, 0, 12);
    assertMoves(Clipping.byNorm(Double.POSITIVE_INFINITY), 3, 4, 0.3, 0.4, 0, 12);
  }

  /// (3, 4) at a limit of 1 is (0.6, 0.8); here the norm is √(25 + 0.25 + 144).
  @Test
  void byNorm_scalesAllTogether() {
    double by = 1 / Math.sqrt(169.25);
    assertMoves(Clipping.byNorm(1), 3 * by, 4 * by, 0.3 * by, 0.4 * by, 0, 12 * by);
    assertMoves(Clipping.byNorm(100), 3, 4, 0.3, 0.4, 0, 12);
  }

  @Test
  void byTensorNorm_scalesEachTensorAlone() {
    double by = 1 / Math.sqrt(25.25);
    assertMoves(Clipping.byTensorNorm(1), 3 * by, 4 * by, 0.3 * by, 0.4 * by, 0, 1);
    assertMoves(Clipping.byTensorNorm(6), 3, 4, 0.3, 0.4, 0, 6);
  }

  @Test
  void byValue_limitsEachElement() {
    assertMoves(Clipping.byValue(0.35), 0.35, 0.35, 0.3, 0.35, 0, 0.35);
  }

  /// The rows of a are 1 and 2 long, b counts as 0.001: limits 0.1, 0.2 and 0.0001.
  @Test
  void adaptive_limitsEachUnitByItsWeights() {
    assertMoves(Clipping.adaptive(0.1), 0.06, 0.08, 0.12, 0.16, 0, 1e-4);
  }

  private static void assertMoves(Clipping clipping, double... expected) {
    try (Trainer trainer =
        Trainer.of(Net.input(6).layer("linear", LINEAR))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(1))
            .clip(clipping)
            .loss((outputs, labels) -> outputs.mean())) {
      trainer.model().write("linear0.a", floats(0, 4));
      trainer.model().write("linear0.b", floats(4, 6));
      trainer.step(GRADIENT, new int[1], 1);
      float[] a = trainer.model().read("linear0.a");
      float[] b = trainer.model().read("linear0.b");
      double[] moved = new double[6];
      for (int i = 0; i < 6; i++) {
        moved[i] = WEIGHTS[i] - (i < 4 ? a[i] : b[i - 4]);
      }
      assertArrayEquals(expected, moved, 1e-6);
    }
  }

  private static float[] floats(int from, int to) {
    float[] part = new float[to - from];
    for (int i = from; i < to; i++) {
      part[i - from] = (float) WEIGHTS[i];
    }
    return part;
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void everyKind_agreesOnTheNormBefore(Backends backend) {
    float[] expected = norms(backend, Clipping.byNorm(Double.POSITIVE_INFINITY));
    assertTrue(expected[0] > 0.1 && expected[0] < 100, "norm " + expected[0]);
    for (Clipping clipping :
        List.of(
            Clipping.byNorm(0.1),
            Clipping.byTensorNorm(0.1),
            Clipping.byValue(0.01),
            Clipping.adaptive(0.01))) {
      assertEquals(expected[0], norms(backend, clipping)[0], clipping.toString());
    }
    assertTrue(Float.isNaN(norms(backend, Clipping.none())[0]));
  }

  private static float[] norms(Backends backend, Clipping clipping) {
    List<Float> told = new ArrayList<>();
    Watcher watcher =
        new Watcher() {
          @Override
          public void step(Step step) {
            told.add((float) step.gradientNorm());
          }
        };
    try (Trainer trainer =
        Trainer.of(Net.input(3, 3, 1).conv(4, 3).relu().flatten().dense(Pictures.CLASSES))
            .on(backend.device())
            .optimizer(Optimizer.sgd(0.1))
            .clip(clipping)
            .watch(watcher)) {
      History history =
          trainer.fit(Pictures.noisy(40, new ImageShape(3, 3, 1), 1, 1).batch(10), epochs(1));
      float[] norms = history.gradientNorms();
      assertEquals(4, norms.length);
      for (int i = 0; i < 4; i++) {
        assertEquals(told.get(i), norms[i]);
      }
      return norms;
    }
  }

  /// What is frozen has no gradient, and does not count for the norm.
  @Test
  void frozenParameters_doNotCountForTheNorm() {
    try (Trainer trainer =
        Trainer.of(Net.input(6).layer("linear", LINEAR))
            .on(Backends.REFERENCE.device())
            .optimizer(
                ParameterGroups.of(Optimizer.sgd(1)).frozen(ParameterSelector.under("linear0.b")))
            .clip(Clipping.byNorm(1))
            .loss((outputs, labels) -> outputs.mean())) {
      trainer.step(GRADIENT, new int[1], 1);
      float[] a = trainer.model().read("linear0.a");
      assertEquals(-3 / Math.sqrt(25.25), a[0], 1e-6);
      assertArrayEquals(new float[2], trainer.model().read("linear0.b"));
    }
  }

  /// Nor do its penalties, at the first step and later, when they would have added up. The weights
  /// of a begin at 0 and so have none.
  @Test
  void penaltiesOfFrozenParameters_doNotCountForTheNorm() {
    for (int accumulation : new int[] {1, 2}) {
      try (Trainer trainer =
          Trainer.of(Net.input(6).layer("linear", LINEAR))
              .on(Backends.REFERENCE.device())
              .optimizer(
                  ParameterGroups.of(Optimizer.sgd(1))
                      .l1(0.5, ParameterSelector.under("linear0.b"))
                      .l2(0.25, ParameterSelector.under("linear0.b"))
                      .frozen(ParameterSelector.under("linear0.b")))
              .clip(Clipping.byNorm(1))
              .accumulate(accumulation)
              .loss((outputs, labels) -> outputs.mean())) {
        trainer.model().write("linear0.b", new float[] {5, 12});
        for (int step = 1; step <= 3; step++) {
          for (int k = 0; k < accumulation; k++) {
            trainer.step(GRADIENT, new int[1], 1);
          }
          float[] a = trainer.model().read("linear0.a");
          assertEquals(-3 * step / Math.sqrt(25.25), a[0], 1e-6, "step " + step);
        }
        assertArrayEquals(new float[] {5, 12}, trainer.model().read("linear0.b"));
      }
    }
  }

  @Test
  void badLimits_areRefused() {
    refused("[byTensorNorm] expected a norm above 0, found 0.0", () -> Clipping.byTensorNorm(0));
    refused("[byValue] expected a limit above 0, found NaN", () -> Clipping.byValue(Double.NaN));
    refused("[adaptive] expected a ratio above 0, found -1.0", () -> Clipping.adaptive(-1));
  }
}
