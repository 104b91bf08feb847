package dev.gatun;

import dev.gatun.diagnosis.Inspection;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.diagnosis.ParameterReading;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A few steps of a trainer from its beginning, over and over the same batches. As a run depends on
/// its seed alone, a second rehearsal of the same steps is the same to the bit.
final class Rehearsal implements AutoCloseable {
  private final Training training;
  private final List<Minibatch> batches;
  private int steps;
  private double loss = Double.NaN;

  /// @param batches of one size, in their order
  Rehearsal(Training original, List<Minibatch> batches) {
    training = original.rehearsal();
    this.batches = batches;
  }

  /// The batch of the next step.
  Minibatch next() {
    return batches.get(steps % batches.size());
  }

  /// Makes a step, and returns the loss before it.
  double step(double rate) {
    if (steps % batches.size() == 0) {
      training.resetStates();
    }
    Minibatch batch = next();
    steps++;
    loss = training.step(batch, rate);
    return loss;
  }

  /// The loss before the last step.
  double loss() {
    return loss;
  }

  /// The share of right answers in the batch of the last step; NaN if targets are values, or an
  /// answer is never right or wrong.
  double accuracy() {
    int[] labels = batches.get((steps - 1) % batches.size()).labels();
    if (labels == null) {
      return Double.NaN;
    }
    TrainerSettings settings = training.settings();
    long counted = Arrays.stream(labels).filter(label -> label >= 0).count();
    return Score.accuracy(
        settings.net, settings.loss, Score.Targets.LABELS, training.correct(), counted);
  }

  /// Looks at the first `examples` of the next step's batch.
  Inspection inspect(int examples) {
    return inspect(training, next(), examples);
  }

  /// Looks at the first `examples` of a batch through a training's present model.
  static Inspection inspect(Training training, Minibatch batch, int examples) {
    int all = batch.examples(training.settings().net.inputShape().count());
    int some = Math.min(all, examples);
    try (Probe probe = training.probe(some, Score.Targets.of(batch))) {
      return probe.inspect(batch.first(some, all));
    }
  }

  /// Looks, makes a step, and tells by how much of its norm each parameter moved.
  Inspection inspectAndStep(int examples, double rate) {
    Inspection inspection = inspect(examples);
    Map<String, float[]> before = new LinkedHashMap<>();
    Model model = training.model();
    model.parameterNames().forEach(name -> before.put(name, model.read(name)));
    step(rate);
    List<ParameterReading> moved =
        inspection.parameters().stream()
            .map(reading -> reading.updated(ratio(before, reading)))
            .toList();
    return new Inspection(
        inspection.examples(),
        inspection.loss(),
        inspection.accuracy(),
        inspection.equalLoss(),
        inspection.layers(),
        inspection.gates(),
        moved);
  }

  private double ratio(Map<String, float[]> before, ParameterReading reading) {
    float[] old = before.getOrDefault(reading.name(), new float[0]);
    float[] now = training.model().read(reading.name());
    double squares = 0;
    for (int i = 0; i < old.length; i++) {
      double moved = (double) now[i] - old[i];
      squares += moved * moved;
    }
    return Math.sqrt(squares) / reading.norm();
  }

  @Override
  public void close() {
    training.close();
  }
}
