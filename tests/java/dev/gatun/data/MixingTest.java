package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.random.RandomStream;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Mixup and CutMix: images and targets are mixed alike.
class MixingTest {
  private static final ImageShape SHAPE = new ImageShape(4, 6, 2);
  private static final Mixing.Extents EXTENTS = new Mixing.Extents(SHAPE, 5);
  private static final int COUNT = 5;

  @Test
  void mixup_isTheWeightedMean_ofImagesAndTargets() {
    float[] images = images();
    float[] targets = targets();
    Mixing.mixup(0.4).apply(images, targets, COUNT, EXTENTS, new RandomStream(3, 0));
    float share = targets[0]; // image 0 has class 0, its partner 4 class 4
    assertEquals(1 - share, targets[4], 1e-6);
    assertEquals(share, targets[4 * 5 + 4], 1e-6);
    float[] before = images();
    int elements = SHAPE.elements();
    for (int i = 0; i < COUNT; i++) {
      for (int k = 0; k < elements; k++) {
        float own = before[i * elements + k];
        float other = before[(COUNT - 1 - i) * elements + k];
        assertEquals(share * own + (1 - share) * other, images[i * elements + k], 1e-5);
      }
    }
    assertEquals(1, targets[2 * 5 + 2], "the one in the middle stays as it is");
  }

  @Test
  void cutMix_exchangesAWindow_andMixesTargetsByItsArea() {
    RandomStream random = new RandomStream(3, 0);
    boolean cut = false;
    for (int draw = 0; draw < 200; draw++) {
      float[] images = images();
      float[] targets = targets();
      Mixing.cutMix(1).apply(images, targets, COUNT, EXTENTS, random);
      float[] before = images();
      int elements = SHAPE.elements();
      int exchanged = 0;
      int[] box = {4, -1, 6, -1};
      for (int p = 0; p < 24; p++) {
        boolean other = images[2 * p] != before[2 * p];
        for (int c = 0; c < 2; c++) {
          float expected = before[(other ? 4 * elements : 0) + 2 * p + c];
          assertEquals(expected, images[2 * p + c]);
        }
        if (other) {
          exchanged++;
          box[0] = Math.min(box[0], p / 6);
          box[1] = Math.max(box[1], p / 6);
          box[2] = Math.min(box[2], p % 6);
          box[3] = Math.max(box[3], p % 6);
        }
      }
      assertTrue(exchanged == 0 || exchanged == (box[1] - box[0] + 1) * (box[3] - box[2] + 1));
      assertEquals(1 - exchanged / 24.0, targets[0], 1e-6);
      assertEquals(exchanged / 24.0, targets[4], 1e-6);
      cut |= exchanged > 0;
    }
    assertTrue(cut);
  }

  /// Mean 1/2, variance 1 / (4 (2α + 1)).
  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.2, 1, 4})
  void betaHasItsMoments(double alpha) {
    RandomStream random = new RandomStream(9, 0);
    int draws = 20_000;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < draws; i++) {
      double value = random.nextBeta(alpha);
      assertTrue(value >= 0 && value <= 1);
      sum += value;
      squares += (value - 0.5) * (value - 0.5);
    }
    double variance = 1 / (4 * (2 * alpha + 1));
    assertEquals(0.5, sum / draws, 4 * Math.sqrt(variance / draws));
    assertEquals(variance, squares / draws, 0.04 * variance);
  }

  /// Incomplete batches keep their -1.
  @Test
  void theLoader_fillsTargets() {
    Dataset dataset = SampleData.dataset(7, SHAPE);
    try (Loader loader =
        new Loader(
            dataset.batch(4),
            Standardizer.scale(2),
            Augmentation.Pipeline.none(),
            Mixing.mixup(1),
            1,
            1)) {
      assertTrue(loader.hasTargets());
      loader.start(0);
      for (int b = 0; b < 2; b++) {
        Batch batch = java.util.Objects.requireNonNull(loader.next());
        float[] targets = java.util.Objects.requireNonNull(batch.targets());
        for (int i = 0; i < 4; i++) {
          float sum = targets[3 * i] + targets[3 * i + 1] + targets[3 * i + 2];
          assertEquals(i < batch.count() ? 1 : -3, sum, 1e-6);
          assertTrue(i >= batch.count() || targets[3 * i + batch.labels()[i]] > 0);
        }
        loader.release(batch);
      }
    }
  }

  /// Each batch of each epoch is mixed by numbers of its own.
  @Test
  void theLoader_mixesEachBatchAnew() {
    Dataset dataset = SampleData.dataset(8, SHAPE);
    Set<Float> shares = new HashSet<>();
    try (Loader loader =
        new Loader(
            dataset.batch(2),
            Standardizer.scale(2),
            Augmentation.Pipeline.none(),
            Mixing.mixup(1),
            1,
            1)) {
      for (int epoch = 0; epoch < 3; epoch++) {
        loader.start(epoch);
        for (int b = 0; b < 4; b++) {
          Batch batch = java.util.Objects.requireNonNull(loader.next());
          shares.add(batch.images()[0] - batch.images()[SHAPE.elements()]);
          loader.release(batch);
        }
      }
    }
    assertEquals(12, shares.size());
  }

  @Test
  void whatDoesNotFit_isRefused() {
    PreprocessingTest.refused("found 0.0", () -> Mixing.mixup(0));
    PreprocessingTest.refused("found NaN", () -> Mixing.cutMix(Double.NaN));
    PreprocessingTest.refused("found -1.0", () -> new RandomStream(0, 0).nextBeta(-1));
    float[] nothing = images();
    Mixing.none().apply(nothing, targets(), COUNT, EXTENTS, new RandomStream(0, 0));
    assertArrayEquals(images(), nothing);
  }

  private static float[] images() {
    float[] images = new float[COUNT * SHAPE.elements()];
    for (int i = 0; i < images.length; i++) {
      images[i] = i;
    }
    return images;
  }

  private static float[] targets() {
    float[] targets = new float[COUNT * 5];
    for (int i = 0; i < COUNT; i++) {
      targets[i * 5 + i] = 1;
    }
    return targets;
  }
}
