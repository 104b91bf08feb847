package dev.gatun.diagnosis;

import dev.gatun.Shape;

/// What a layer gives for a batch in training mode, and the gradient that comes back to it.
///
/// @param path of the layer, such as `stage1.residual0`
/// @param kind what it computes last
/// @param depth its place, from 1, among the layers that signals have to go through and that learn:
///   those with matrices, and residuals; 0 for others and for what lies inside residual branches
/// @param shape of its output, the batch first
/// @param output the output's numbers
/// @param deadUnits the share of units (channels, the last axis) that are 0 wherever the batch
///   looks
/// @param saturated the share of numbers where the slope of a sigmoid or tanh is below 7 % of its
///   greatest, as it is for a sigmoid of 4 and a tanh of 2; NaN for other layers
/// @param variation how much an output's elements differ between examples: the root of the mean of
///   their variances
/// @param gradientNorm the norm of the loss's gradient by the output; NaN if it is not finite
public record LayerReading(
    String path,
    Kind kind,
    int depth,
    Shape shape,
    Spread output,
    double deadUnits,
    double saturated,
    double variation,
    double gradientNorm) {
  private static final double SIGMOID_END = 1 / (1 + Math.exp(-4));
  private static final double TANH_END = Math.tanh(2);

  /// What a layer computes last.
  public enum Kind {
    /// max(x, 0).
    RELU,
    /// 1 / (1 + exp(-x)).
    SIGMOID,
    /// The hyperbolic tangent.
    TANH,
    /// exp(x) normalised to sum 1.
    SOFTMAX,
    /// Dropout with a mask for every number.
    DROPOUT,
    /// Batch norm by the batch's statistics.
    BATCH_NORM,
    /// Something else.
    OTHER
  }

  /// What is to be seen in `output`, the batch first and the units last, and in the gradient by it.
  public static LayerReading of(
      String path, Kind kind, int depth, Shape shape, float[] output, float[] gradient) {
    return new LayerReading(
        path,
        kind,
        depth,
        shape,
        Spread.of(output),
        deadUnits(output, Math.toIntExact(shape.dim(-1))),
        switch (kind) {
          case SIGMOID -> saturated(output, 0.5, SIGMOID_END - 0.5);
          case TANH -> saturated(output, 0, TANH_END);
          default -> Double.NaN;
        },
        variation(output, Math.toIntExact(shape.dim(0))),
        ParameterReading.norm(gradient));
  }

  /// How many numbers each unit has in the batch.
  public long rows() {
    return shape.count() / shape.dim(-1);
  }

  private static double deadUnits(float[] output, int units) {
    boolean[] alive = new boolean[units];
    for (int i = 0; i < output.length; i++) {
      alive[i % units] |= output[i] != 0;
    }
    int dead = 0;
    for (boolean unit : alive) {
      dead += unit ? 0 : 1;
    }
    return (double) dead / units;
  }

  private static double saturated(float[] output, double centre, double limit) {
    long beyond = 0;
    for (float element : output) {
      beyond += Math.abs(element - centre) > limit ? 1 : 0;
    }
    return (double) beyond / output.length;
  }

  private static double variation(float[] output, int examples) {
    int each = output.length / examples;
    double variances = 0;
    for (int k = 0; k < each; k++) {
      double mean = 0;
      for (int n = 0; n < examples; n++) {
        mean += (double) output[n * each + k] / examples;
      }
      for (int n = 0; n < examples; n++) {
        double away = output[n * each + k] - mean;
        variances += away * away / examples;
      }
    }
    return Math.sqrt(variances / each);
  }
}
