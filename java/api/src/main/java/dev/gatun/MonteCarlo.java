package dev.gatun;

import java.lang.ref.Cleaner;
import java.util.HashMap;
import java.util.Map;

/// Predicts with dropout (Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation"): a net
/// trained with dropout stands for an ensemble of as many nets as there are masks. The mean of
/// several random ones approaches the average that a single pass without dropout only estimates,
/// and their variance says how much they disagree.
///
/// ```java
/// try (MonteCarlo sampler = MonteCarlo.of(model, 1)) {
///   MonteCarlo.Prediction p = sampler.probabilities(inputs, 100);
/// }
/// ```
///
/// Batch norm uses its running estimates. Sample k of an input depends on the seed, k, the input
/// and its place among the inputs, so the same call gives the same answer. Close it before the
/// model.
public final class MonteCarlo implements AutoCloseable {
  private final Model model;
  private final long seed;
  private final int each;
  private final Holdings holdings = new Holdings("Monte-Carlo sampler");
  private final Cleaner.Cleanable cleanable = Leaks.watch(this, holdings);
  private final Map<Integer, InferenceStep> steps = new HashMap<>();

  private MonteCarlo(Model model, long seed) {
    this.model = model;
    this.seed = seed;
    this.each = Math.toIntExact(model.net().outputShape().count());
  }

  /// A sampler of `model`, which draws its masks from `seed`.
  public static MonteCarlo of(Model model, long seed) {
    return new MonteCarlo(model, seed);
  }

  /// What the samples have in common.
  ///
  /// @param mean of each output, one input after the other
  /// @param variance of each output, divided by the number of samples
  public record Prediction(float[] mean, float[] variance) {}

  /// Samples the net's outputs.
  ///
  /// @param inputs any number of inputs one after the other, preprocessed as in training
  /// @param samples at least 1
  /// @throws ShapeException if the length is not a multiple of an input's
  public Prediction predict(float[] inputs, int samples) {
    return sample(inputs, samples, false);
  }

  /// Samples the softmax of the net's outputs along their last axis: the probabilities of classes,
  /// which an ensemble averages rather than their logits.
  ///
  /// @param inputs any number of inputs one after the other, preprocessed as in training
  /// @param samples at least 1
  /// @throws ShapeException if the length is not a multiple of an input's
  public Prediction probabilities(float[] inputs, int samples) {
    return sample(inputs, samples, true);
  }

  @Override
  public synchronized void close() {
    holdings.closeByOwner();
    cleanable.clean();
  }

  private synchronized Prediction sample(float[] inputs, int samples, boolean softmax) {
    holdings.requireOpen();
    model.requireOpen();
    model.net().requireInputs("monteCarlo", DType.F32);
    int in = Math.toIntExact(model.net().inputShape().count());
    if (inputs.length % in != 0) {
      throw new ShapeException(
          "[monteCarlo] expected a multiple of %d elements for inputs %s, found %d"
              .formatted(in, model.net().inputShape(), inputs.length));
    }
    if (samples < 1) {
      throw new IllegalArgumentException(
          "[monteCarlo] expected at least 1 sample, found " + samples);
    }
    int count = inputs.length / in;
    float[] outputs = InferenceStep.outputs("monteCarlo", model.net(), count);
    int batch = InferenceStep.batch(model.net(), count);
    InferenceStep step =
        steps.computeIfAbsent(
            batch, size -> holdings.add(InferenceStep.sampling(model, size, seed)));
    int batches = Math.ceilDiv(count, batch);
    Moments moments = new Moments(outputs.length);
    for (int k = 0; k < samples; k++) {
      for (int b = 0; b < batches; b++) {
        int first = b * batch;
        int size = Math.min(batch, count - first);
        step.setStep((long) k * batches + b);
        step.run(inputs, first * in, size * in);
        step.readOutputs(outputs, first * each, size * each);
      }
      if (softmax) {
        softmax(outputs, Math.toIntExact(model.net().outputShape().dim(-1)));
      }
      moments.add(outputs);
    }
    return moments.prediction();
  }

  private static void softmax(float[] logits, int classes) {
    for (int row = 0; row < logits.length; row += classes) {
      double greatest = Double.NEGATIVE_INFINITY;
      for (int c = row; c < row + classes; c++) {
        greatest = Math.max(greatest, logits[c]);
      }
      double sum = 0;
      for (int c = row; c < row + classes; c++) {
        sum += Math.exp(logits[c] - greatest);
      }
      for (int c = row; c < row + classes; c++) {
        logits[c] = (float) (Math.exp(logits[c] - greatest) / sum);
      }
    }
  }

  /// Mean and variance of each element in one pass (Welford 1962).
  private static final class Moments {
    private final double[] means;
    private final double[] squares; // of the distances to the mean, summed
    private int count;

    Moments(int size) {
      means = new double[size];
      squares = new double[size];
    }

    void add(float[] values) {
      count++;
      for (int i = 0; i < means.length; i++) {
        double away = values[i] - means[i];
        means[i] += away / count;
        squares[i] += away * (values[i] - means[i]);
      }
    }

    Prediction prediction() {
      float[] mean = new float[means.length];
      float[] variance = new float[means.length];
      for (int i = 0; i < mean.length; i++) {
        mean[i] = (float) means[i];
        variance[i] = (float) (squares[i] / count);
      }
      return new Prediction(mean, variance);
    }
  }
}
