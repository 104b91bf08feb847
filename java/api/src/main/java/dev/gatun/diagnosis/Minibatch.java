package dev.gatun.diagnosis;

import dev.gatun.ShapeException;
import dev.gatun.data.Examples;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Examples as a step sees them: inputs that are numbers or tokens, and targets that are labels or
/// values. The arrays are not copied, and nobody changes them here.
public final class Minibatch {
  private final float @Nullable [] inputs;
  private final int @Nullable [] tokens;
  private final int @Nullable [] labels;
  private final float @Nullable [] values;

  private Minibatch(
      float @Nullable [] inputs,
      int @Nullable [] tokens,
      int @Nullable [] labels,
      float @Nullable [] values) {
    this.inputs = inputs;
    this.tokens = tokens;
    this.labels = labels;
    this.values = values;
  }

  /// Preprocessed inputs with labels; see [dev.gatun.Trainer#step(float[], int[], double)].
  public static Minibatch of(float[] inputs, int[] labels) {
    return new Minibatch(inputs, null, labels, null);
  }

  /// Preprocessed inputs with values that outputs should have.
  public static Minibatch of(float[] inputs, float[] values) {
    return new Minibatch(inputs, null, null, values);
  }

  /// Tokens with labels.
  public static Minibatch of(int[] tokens, int[] labels) {
    return new Minibatch(null, tokens, labels, null);
  }

  /// Tokens with values that outputs should have.
  public static Minibatch of(int[] tokens, float[] values) {
    return new Minibatch(null, tokens, null, values);
  }

  /// All of a set as it is; for a part of it, take a [Examples#subset].
  public static Minibatch of(Examples examples) {
    return new Minibatch(examples.inputs(), null, examples.labels(), examples.targets());
  }

  /// The inputs, null if they are tokens.
  public float @Nullable [] inputs() {
    return inputs;
  }

  /// The tokens, null if inputs are numbers.
  public int @Nullable [] tokens() {
    return tokens;
  }

  /// The labels, null if targets are values.
  public int @Nullable [] labels() {
    return labels;
  }

  /// The values, null if targets are labels.
  public float @Nullable [] values() {
    return values;
  }

  /// How many examples there are if each has `elements` inputs.
  ///
  /// @throws ShapeException if that is no whole number above 0
  public int examples(long elements) {
    int found = inputs != null ? inputs.length : tokens == null ? 0 : tokens.length;
    if (found == 0 || found % elements != 0) {
      throw new ShapeException(
          "[doctor] expected inputs of %d elements each, found %d elements"
              .formatted(elements, found));
    }
    return Math.toIntExact(found / elements);
  }

  /// The first `count` of its `examples`; this if there are no more.
  public Minibatch first(int count, int examples) {
    return count >= examples
        ? this
        : new Minibatch(
            inputs == null ? null : Arrays.copyOf(inputs, inputs.length / examples * count),
            tokens == null ? null : Arrays.copyOf(tokens, tokens.length / examples * count),
            labels == null ? null : Arrays.copyOf(labels, labels.length / examples * count),
            values == null ? null : Arrays.copyOf(values, values.length / examples * count));
  }
}
