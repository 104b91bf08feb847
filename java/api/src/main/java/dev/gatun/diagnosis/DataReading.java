package dev.gatun.diagnosis;

import dev.gatun.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What some batches have for inputs and targets.
///
/// @param batches how many were looked at
/// @param examples in each
/// @param inputs all inputs' numbers; null for tokens
/// @param features each input channel (the last axis) on its own; empty for tokens
/// @param alike whether all examples have the same inputs
/// @param classes that outputs tell apart: the extent of the outputs' last axis, 2 for a logit
///   alone; 1 for an output that is a number
/// @param labels how often each label comes, negative ones left out; empty if targets are values
/// @param ignored labels that are negative
/// @param sortedBatches batches that have one label only
/// @param values the targets' numbers; null if they are labels
public record DataReading(
    int batches,
    int examples,
    @Nullable Spread inputs,
    List<Feature> features,
    boolean alike,
    long classes,
    Map<Integer, Long> labels,
    long ignored,
    int sortedBatches,
    @Nullable Spread values) {
  /// Copies the collections.
  public DataReading {
    features = List.copyOf(features);
    labels = Map.copyOf(labels);
  }

  /// An input channel.
  ///
  /// @param index of the channel
  /// @param mean of its numbers
  /// @param deviation their standard deviation, of 1/N
  public record Feature(int index, double mean, double deviation) {}

  /// What `batches` have, which are of one size and kind.
  ///
  /// @param input the extents of an example
  /// @param classes that outputs tell apart
  public static DataReading of(List<Minibatch> batches, Shape input, long classes) {
    int elements = Math.toIntExact(input.count());
    int examples = batches.getFirst().examples(elements);
    List<float[]> inputs = new ArrayList<>();
    List<float[]> values = new ArrayList<>();
    Map<Integer, Long> labels = new TreeMap<>();
    long ignored = 0;
    int sorted = 0;
    for (Minibatch batch : batches) {
      float[] itsInputs = batch.inputs();
      if (itsInputs != null) {
        inputs.add(itsInputs);
      }
      float[] itsValues = batch.values();
      if (itsValues != null) {
        values.add(itsValues);
      }
      int[] present = batch.labels();
      if (present != null) {
        int[] counted = Arrays.stream(present).filter(label -> label >= 0).toArray();
        Arrays.stream(counted).forEach(label -> labels.merge(label, 1L, Long::sum));
        ignored += present.length - counted.length;
        sorted += counted.length > 1 && Arrays.stream(counted).distinct().count() == 1 ? 1 : 0;
      }
    }
    float[] numbers = joined(inputs);
    int channels = input.rank() == 0 ? 1 : Math.toIntExact(input.dim(-1));
    return new DataReading(
        batches.size(),
        examples,
        inputs.isEmpty() ? null : Spread.of(numbers),
        inputs.isEmpty() ? List.of() : features(numbers, channels),
        alike(batches, elements),
        classes,
        labels,
        ignored,
        sorted,
        values.isEmpty() ? null : Spread.of(joined(values)));
  }

  private static List<Feature> features(float[] numbers, int channels) {
    double[] means = new double[channels];
    double[] squares = new double[channels];
    long each = numbers.length / channels;
    for (int i = 0; i < numbers.length; i++) {
      means[i % channels] += (double) numbers[i] / each;
    }
    for (int i = 0; i < numbers.length; i++) {
      double away = numbers[i] - means[i % channels];
      squares[i % channels] += away * away / each;
    }
    List<Feature> features = new ArrayList<>();
    for (int k = 0; k < channels; k++) {
      features.add(new Feature(k, means[k], Math.sqrt(squares[k])));
    }
    return features;
  }

  private static boolean alike(List<Minibatch> batches, int elements) {
    for (Minibatch batch : batches) {
      Minibatch first = batches.getFirst();
      for (int n = 0; n < batch.examples(elements); n++) {
        if (differs(batch, first, n * elements, elements)) {
          return false;
        }
      }
    }
    return true;
  }

  private static boolean differs(Minibatch batch, Minibatch first, int from, int elements) {
    float[] inputs = batch.inputs();
    float[] firsts = first.inputs();
    int[] tokens = batch.tokens();
    int[] firstTokens = first.tokens();
    if (inputs != null && firsts != null) {
      return !Arrays.equals(inputs, from, from + elements, firsts, 0, elements);
    }
    return tokens != null
        && firstTokens != null
        && !Arrays.equals(tokens, from, from + elements, firstTokens, 0, elements);
  }

  private static float[] joined(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int done = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, done, part.length);
      done += part.length;
    }
    return all;
  }
}
