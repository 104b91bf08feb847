package dev.gatun;

import dev.gatun.diagnosis.Minibatch;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/// What one training step takes from the host and gives to it. Allocates nothing.
final class StepFrame {
  private final boolean floating; // inputs
  private final FloatBuffer inputs; // or
  private final IntBuffer tokens; // in the same place, or which pictures to gather
  private final IntBuffer labels; // or
  private final FloatBuffer values; // in the same place
  private final FloatBuffer learningRate;
  private final ByteBuffer number;
  private final ByteBuffer epoch; // that pictures are gathered in
  private final FloatBuffer loss;
  private final IntBuffer correct;
  private final FloatBuffer gradientNorm;
  private double rate;
  private int targets;
  private boolean valued; // targets are numbers

  /// Places in staging memory. Without pictures to gather, nobody reads the epoch.
  record Entries(
      int inputs, int targets, int rate, int number, int epoch, int loss, int correct, int norm) {}

  /// @param floating whether inputs are numbers, not tokens or indices
  StepFrame(Staging staging, Entries entries, int frame, boolean floating) {
    this.floating = floating;
    inputs = staging.buffer(entries.inputs(), frame).asFloatBuffer();
    tokens = staging.buffer(entries.inputs(), frame).asIntBuffer();
    labels = staging.buffer(entries.targets(), frame).asIntBuffer();
    values = staging.buffer(entries.targets(), frame).asFloatBuffer();
    learningRate = staging.buffer(entries.rate(), frame).asFloatBuffer();
    number = staging.buffer(entries.number(), frame);
    epoch = staging.buffer(entries.epoch(), frame);
    loss = staging.buffer(entries.loss(), frame).asFloatBuffer();
    correct = staging.buffer(entries.correct(), frame).asIntBuffer();
    gradientNorm = staging.buffer(entries.norm(), frame).asFloatBuffer();
    gradientNorm.put(0, Float.NaN);
  }

  /// Sets inputs and targets of whatever kind.
  void set(Minibatch batch) {
    if (batch.inputs() != null) {
      setInputs(batch.inputs());
    } else if (batch.tokens() != null) {
      setInputs(batch.tokens());
    }
    if (batch.labels() != null) {
      setTargets(batch.labels());
    } else if (batch.values() != null) {
      setTargets(batch.values());
    }
  }

  void setInputs(float[] batch) {
    inputs.put(0, batch);
  }

  void setInputs(int[] batch) {
    tokens.put(0, batch);
  }

  void setTargets(int[] batch) {
    labels.put(0, batch);
    valued = false;
  }

  void setTargets(float[] batch) {
    values.put(0, batch);
    valued = true;
  }

  /// How many of the targets count.
  void countTargets(int count) {
    targets = count;
  }

  int targets() {
    return targets;
  }

  /// The pass over a training set on the device.
  void setEpoch(int pass) {
    epoch.putLong(0, pass);
  }

  /// What a batch has beside its data.
  ///
  /// @param newRate the learning rate
  /// @param batch what dropout is addressed by: another for every batch
  void set(double newRate, long batch) {
    rate = newRate;
    learningRate.put(0, (float) newRate);
    number.putLong(0, batch);
  }

  /// The learning rate that was set.
  double rate() {
    return rate;
  }

  /// Whether the inputs have no infinity and no NaN.
  boolean inputsAreFinite() {
    return !floating || isFinite(inputs);
  }

  /// Whether the targets have no infinity and no NaN.
  boolean targetsAreFinite() {
    return !valued || isFinite(values);
  }

  private static boolean isFinite(FloatBuffer numbers) {
    for (int i = 0; i < numbers.capacity(); i++) {
      if (!Float.isFinite(numbers.get(i))) {
        return false;
      }
    }
    return true;
  }

  float loss() {
    return loss.get(0);
  }

  int correct() {
    return correct.get(0);
  }

  /// The norm of the gradient before clipping, NaN if it is not measured.
  float gradientNorm() {
    return gradientNorm.get(0);
  }
}
