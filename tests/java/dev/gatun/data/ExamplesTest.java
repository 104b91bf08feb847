package dev.gatun.data;

import static dev.gatun.data.PreprocessingTest.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Examples in memory.
class ExamplesTest {
  private static final float[] INPUTS = {0, 1, 10, 11, 20, 21, 30, 31};

  @Test
  void labels_andNumbers_goWithTheirInputs() {
    Examples labelled = Examples.of(INPUTS, new int[] {2, 0, 1, 0});
    assertEquals(4, labelled.size());
    assertEquals(2, labelled.features());
    assertEquals(3, labelled.classes());
    assertEquals(0, labelled.targetsEach());
    assertNull(labelled.targets());
    Examples chosen = labelled.subset(3, 0);
    assertArrayEquals(new float[] {30, 31, 0, 1}, chosen.inputs());
    assertArrayEquals(new int[] {0, 2}, chosen.labels());

    Examples aimed = Examples.of(INPUTS, new float[] {1, 2, 3, 4}, 2);
    assertEquals(4, aimed.features());
    assertEquals(2, aimed.targetsEach());
    assertEquals(0, aimed.classes());
    assertNull(aimed.labels());
    assertArrayEquals(new float[] {3, 4, 1, 2}, aimed.subset(1, 0).targets());
    assertEquals(2, aimed.batch(1).count());
    assertEquals(2, labelled.batch(3).count());
  }

  @Test
  void split_isOfAll_andDependsOnTheSeed() {
    int size = 100;
    float[] inputs = new float[size];
    int[] labels = IntStream.range(0, size).toArray();
    for (int i = 0; i < size; i++) {
      inputs[i] = i;
    }
    Examples all = Examples.of(inputs, labels);
    Examples.Split split = all.split(0.2, 1);
    assertEquals(80, split.train().size());
    assertEquals(20, split.heldOut().size());
    int[] found =
        IntStream.concat(labels(split.train()), labels(split.heldOut())).sorted().toArray();
    assertArrayEquals(labels, found);
    for (int i = 0; i < 20; i++) {
      int label = Objects.requireNonNull(split.heldOut().labels())[i];
      assertEquals(label, split.heldOut().inputs()[i]);
    }
    assertArrayEquals(split.heldOut().labels(), all.split(0.2, 1).heldOut().labels());
    assertFalse(Arrays.equals(split.heldOut().labels(), all.split(0.2, 2).heldOut().labels()));
  }

  private static IntStream labels(Examples examples) {
    return Arrays.stream(Objects.requireNonNull(examples.labels()));
  }

  /// A scaler is fitted on the inputs, and changes them alone.
  @Test
  void inputs_arePreprocessed() {
    Examples examples = Examples.of(INPUTS, new int[] {0, 1, 0, 1});
    FeatureScaler scaler = FeatureScaler.minMax(examples);
    Examples scaled = examples.preprocessed(scaler);
    assertArrayEquals(scaler.apply(INPUTS), scaled.inputs());
    assertArrayEquals(examples.labels(), scaled.labels());
    assertEquals(1, scaled.inputs()[6]);
  }

  @Test
  void badArguments_areRefused() {
    refused("found 8 for 3", () -> Examples.of(INPUTS, new int[3]));
    refused("found 8 for 0", () -> Examples.of(INPUTS, new int[0]));
    refused("found 3 for 2", () -> Examples.of(INPUTS, new float[3], 2));
    refused(
        "labels of at least 0 expected, found -1 for input 1",
        () -> Examples.of(INPUTS, new int[] {0, -1}));
    Examples examples = Examples.of(INPUTS, new int[4]);
    refused("at least one index expected", () -> examples.subset());
    refused("leaves some of 4 in both parts, found 1.0", () -> examples.split(1, 0));
    refused("batch size must be at least 1, found 0", () -> examples.batch(0));
    assertThrows(IndexOutOfBoundsException.class, () -> examples.subset(4));
  }

  @Test
  void rows_areReadOneByOne() {
    Examples labelled = Examples.of(INPUTS, new int[] {2, 0, 1, 0});
    float[] into = {-1, -1, -1};
    labelled.readInputs(2, into, 1);
    assertArrayEquals(new float[] {-1, 20, 21}, into);
    assertEquals(2, labelled.label(0));
    Examples aimed = Examples.of(INPUTS, new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 4);
    aimed.readTargets(3, into, 0);
    assertArrayEquals(new float[] {7, 8, 21}, into);
    assertThrows(IndexOutOfBoundsException.class, () -> labelled.readInputs(4, into, 0));
    assertThrows(IndexOutOfBoundsException.class, () -> aimed.readTargets(0, into, 2));
    assertThrows(IllegalStateException.class, () -> labelled.readTargets(0, into, 0));
    assertThrows(IllegalStateException.class, () -> aimed.label(0));
  }
}
