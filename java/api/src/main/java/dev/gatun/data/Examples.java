package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Inputs that are numbers, each with a label or with numbers to be predicted, in memory: the rows
/// of a table, say:
///
/// ```java
/// Table table = Table.read(Path.of("iris.csv"), Table.Format.csv().header());
/// List<String> species = table.distinct("species");
/// Examples.Split data =
///     Examples.of(table.numbers("sepal_length", "sepal_width"), table.labels("species", species))
///         .split(0.2, 1);
/// trainer
///     .preprocess(FeatureScaler.standardize(data.train()))
///     .fit(data.train().batch(16), data.heldOut().batch(100), epochs(50));
/// ```
///
/// As [Samples] they are their inputs. Immutable.
public final class Examples implements Samples {
  private static final long PURPOSE = 0x6578616d706c6573L; // "examples"

  private final int size;
  private final float[] inputs;
  private final int @Nullable [] labels;
  private final float @Nullable [] targets;

  private Examples(int size, float[] inputs, int @Nullable [] labels, float @Nullable [] targets) {
    this.size = size;
    this.inputs = inputs;
    this.labels = labels;
    this.targets = targets;
  }

  /// Two parts of a set.
  ///
  /// @param train to learn from, and to fit a [Preprocessing] on
  /// @param heldOut the rest, to measure on
  public record Split(Examples train, Examples heldOut) {}

  /// Inputs with a class each.
  ///
  /// @param inputs as many numbers for each label, input after input; copied
  /// @param labels of at least 0; copied
  /// @throws IllegalArgumentException when there are none, the inputs do not divide among the
  ///   labels, or a label is negative
  public static Examples of(float[] inputs, int[] labels) {
    requireWhole("inputs", inputs.length, labels.length);
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0) {
        throw new IllegalArgumentException(
            "[examples] labels of at least 0 expected, found " + labels[i] + " for input " + i);
      }
    }
    return new Examples(labels.length, inputs.clone(), labels.clone(), null);
  }

  /// Inputs with numbers to be predicted.
  ///
  /// @param inputs input after input; copied
  /// @param targets as many for each input, in the same order; copied
  /// @param size the number of examples
  /// @throws IllegalArgumentException when there are none, or inputs or targets do not divide among
  ///   them
  public static Examples of(float[] inputs, float[] targets, int size) {
    requireWhole("inputs", inputs.length, size);
    requireWhole("targets", targets.length, size);
    return new Examples(size, inputs.clone(), null, targets.clone());
  }

  /// How many there are, at least 1.
  @Override
  public int size() {
    return size;
  }

  /// How many numbers an input has.
  @Override
  public int features() {
    return inputs.length / size;
  }

  /// How many numbers are to be predicted of each; 0 where there are labels.
  public int targetsEach() {
    return targets == null ? 0 : targets.length / size;
  }

  /// One more than the greatest label; 0 where there are none.
  public int classes() {
    return labels == null ? 0 : Arrays.stream(labels).max().orElse(-1) + 1;
  }

  /// The inputs, `[size, features]`, in a new array.
  public float[] inputs() {
    return inputs.clone();
  }

  /// The labels in a new array; null where there are numbers to be predicted.
  public int @Nullable [] labels() {
    return labels == null ? null : labels.clone();
  }

  /// The numbers to be predicted, `[size, targetsEach]`, in a new array; null where there are
  /// labels.
  public float @Nullable [] targets() {
    return targets == null ? null : targets.clone();
  }

  @Override
  public void read(int index, double[] target) {
    int start = Objects.checkIndex(index, size) * features();
    for (int i = 0; i < features(); i++) {
      target[i] = inputs[start + i];
    }
  }

  /// Writes the inputs of an example to `target[offset ..]`. Allocates nothing.
  ///
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())` or the target is too
  ///   short
  public void readInputs(int index, float[] target, int offset) {
    copyRow(inputs, features(), index, target, offset);
  }

  /// The label of an example.
  ///
  /// @throws IllegalStateException when there are numbers to be predicted
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())`
  public int label(int index) {
    if (labels == null) {
      throw new IllegalStateException("[examples] they have numbers to be predicted, not labels");
    }
    return labels[index];
  }

  /// Writes the numbers that are to be predicted of an example to `target[offset ..]`. Allocates
  /// nothing.
  ///
  /// @throws IllegalStateException when there are labels
  /// @throws IndexOutOfBoundsException when `index` is not in `[0, size())` or the target is too
  ///   short
  public void readTargets(int index, float[] target, int offset) {
    if (targets == null) {
      throw new IllegalStateException("[examples] they have labels, not numbers to be predicted");
    }
    copyRow(targets, targetsEach(), index, target, offset);
  }

  /// Those at `indices`, in that order.
  ///
  /// @throws IllegalArgumentException when there are none
  /// @throws IndexOutOfBoundsException when an index is not in `[0, size())`
  public Examples subset(int... indices) {
    if (indices.length == 0) {
      throw new IllegalArgumentException("[examples] at least one index expected, found none");
    }
    for (int index : indices) {
      Objects.checkIndex(index, size);
    }
    return new Examples(
        indices.length,
        rows(inputs, features(), indices),
        labels == null ? null : Arrays.stream(indices).map(i -> labels[i]).toArray(),
        targets == null ? null : rows(targets, targetsEach(), indices));
  }

  /// Cut in two at random, of which the second part is this share of the whole.
  ///
  /// @param seed the same seed gives the same parts
  /// @throws IllegalArgumentException when a part would be empty
  public Split split(double heldOut, long seed) {
    int cut = size - (int) Math.round(heldOut * size);
    if (!(cut > 0 && cut < size)) {
      throw new IllegalArgumentException(
          "[examples] expected a share that leaves some of %d in both parts, found %s"
              .formatted(size, heldOut));
    }
    int[] order = IntStream.range(0, size).toArray();
    new RandomStream(Philox.derive(seed, PURPOSE), 0).shuffle(order);
    return new Split(
        subset(Arrays.copyOf(order, cut)), subset(Arrays.copyOfRange(order, cut, size)));
  }

  /// The same with inputs changed this way.
  ///
  /// @throws IllegalArgumentException when the preprocessing was fitted on inputs of another size
  public Examples preprocessed(Preprocessing preprocessing) {
    return new Examples(size, preprocessing.apply(inputs), labels, targets);
  }

  /// In batches of this size, in their order, the last one smaller if need be.
  ///
  /// @throws IllegalArgumentException when `examples` is below 1
  public ExampleBatches batch(int examples) {
    return new ExampleBatches(this, examples);
  }

  private static float[] rows(float[] all, int width, int... indices) {
    float[] rows = new float[Math.multiplyExact(indices.length, width)];
    for (int i = 0; i < indices.length; i++) {
      System.arraycopy(all, indices[i] * width, rows, i * width, width);
    }
    return rows;
  }

  private void copyRow(float[] all, int width, int index, float[] target, int offset) {
    System.arraycopy(all, Objects.checkIndex(index, size) * width, target, offset, width);
  }

  private static void requireWhole(String what, int found, int examples) {
    if (examples < 1 || found == 0 || found % examples != 0) {
      throw new IllegalArgumentException(
          "[examples] a multiple of the examples for %s, and at least one, expected, found %d for %d"
              .formatted(what, found, examples));
    }
  }
}
