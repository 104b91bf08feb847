package dev.gatun.cli;

import dev.gatun.Model;
import dev.gatun.Predictions;
import dev.gatun.Stepper;
import dev.gatun.random.RandomStream;

/// Writes text with a model of what comes next: draws a token from its distribution and gives it
/// back to it, one step at a time.
final class Writer implements AutoCloseable {
  private final Stepper stepper;
  private final double temperature;
  private final RandomStream random;

  /// @param temperature logits are divided by it: below 1 what is likely becomes more so
  Writer(Model model, double temperature, long seed) {
    this.stepper = Stepper.of(model, 1, 1);
    this.temperature = temperature;
    this.random = new RandomStream(seed, 0);
  }

  /// `count` tokens that follow on `start`, which has one at least.
  int[] write(int[] start, int count) {
    stepper.reset();
    float[] logits = {};
    for (int token : start) {
      logits = stepper.next(token);
    }
    int[] written = new int[count];
    for (int i = 0; i < count; i++) {
      Predictions next = Predictions.of(logits, logits.length).temperature(temperature);
      written[i] = next.sample(random)[0];
      logits = stepper.next(written[i]);
    }
    return written;
  }

  @Override
  public void close() {
    stepper.close();
  }
}
