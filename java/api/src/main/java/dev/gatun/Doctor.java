package dev.gatun;

import dev.gatun.data.Batches;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.DataReading;
import dev.gatun.diagnosis.Diagnosis;
import dev.gatun.diagnosis.Examination;
import dev.gatun.diagnosis.InitialLoss;
import dev.gatun.diagnosis.Inspection;
import dev.gatun.diagnosis.LayerReading;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.diagnosis.Origin;
import dev.gatun.diagnosis.Origin.Part;
import dev.gatun.diagnosis.Overfit;
import dev.gatun.diagnosis.ParameterReading;
import dev.gatun.diagnosis.RateCurve;
import dev.gatun.diagnosis.TrialRun;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Says why a trainer does not train, or that nothing is wrong with it:
///
/// ```java
/// Diagnosis diagnosis = Doctor.of(trainer, cifar.train().batch(128)).examine();
/// System.out.println(diagnosis.report());
/// ```
///
/// It makes short runs of copies of the trainer, which begin with the initial weights of its seed,
/// on a few batches of the data; the trainer itself stays as it is. Batches are augmented, but not
/// mixed; schedules are left out, but for a warm-up where the trainer's schedule begins with one.
/// The checks are those with which one begins: is the initial loss right, can a few examples be
/// learned by heart, at which rates does the loss fall (Karpathy 2019)? Used by one thread at a
/// time; the trainer's device has to be open. Without one each run opens its own.
public final class Doctor {
  private static final int BATCHES = 10;
  private static final int STEPS = 60;

  private static final int OVERFIT_BATCHES = 5;
  private static final int OVERFIT_EXAMPLES = 16; // in each of them
  private static final int OVERFIT_PASSES = 60;

  private static final double LEAST_RATE = 1e-6;
  private static final double GREATEST_RATE = 10;
  private static final int RATES = 100;
  private static final double LOST = 4; // times the least loss: the range ends

  /// The share of a trial that a warm-up takes.
  private static final double WARMUP = 0.25;

  private final Training training;
  private final List<Minibatch> batches;
  private final int steps;
  private final int seen; // examples that are looked at together

  private Doctor(Training training, List<Minibatch> batches, int steps) {
    if (batches.isEmpty()) {
      throw new IllegalArgumentException("[doctor] expected at least one batch, found none");
    }
    this.training = training;
    this.batches = batches;
    this.steps = steps;
    long elements = net().inputShape().count();
    int examples = batches.getFirst().examples(elements);
    for (Minibatch batch : batches) {
      int found = batch.examples(elements);
      if (found != examples) {
        throw new ShapeException(
            "[doctor] expected batches of one size, found %d and %d examples"
                .formatted(examples, found));
      }
      Requirements.targets("doctor", net(), Math.toIntExact(examples * elements), batch);
    }
    seen = Probe.most(net(), examples);
  }

  /// For a trainer of pictures; takes the first ten batches that it would train on.
  ///
  /// @throws ShapeException if the pictures do not fit the network
  public static Doctor of(Trainer trainer, Batches train) {
    return of(trainer, trainer.training().minibatches(train, BATCHES));
  }

  /// For a trainer of texts; takes the first ten batches.
  ///
  /// @throws ShapeException if the text does not fit the network
  public static Doctor of(Trainer trainer, TextBatches train) {
    return of(trainer, trainer.training().minibatches(train, BATCHES));
  }

  /// For a trainer of examples in memory; takes the first ten batches that it would train on.
  ///
  /// @throws ShapeException if the examples do not fit the network
  public static Doctor of(Trainer trainer, ExampleBatches train) {
    return of(trainer, trainer.training().minibatches(train, BATCHES));
  }

  /// For a trainer in a loop of your own; a handful of batches is enough.
  ///
  /// @throws ShapeException if they are not of one size, or not inputs of the network
  public static Doctor of(Trainer trainer, List<Minibatch> batches) {
    return new Doctor(trainer.training(), List.copyOf(batches), STEPS);
  }

  /// The same with this many steps in each trial; 60 by default.
  public Doctor steps(int newSteps) {
    if (newSteps < 4) {
      throw new IllegalArgumentException("[doctor] expected at least 4 steps, found " + newSteps);
    }
    return new Doctor(training, batches, newSteps);
  }

  /// Does everything below and judges it by the built-in rules.
  public Diagnosis examine() {
    DataReading data = readData();
    Diagnosis first = Diagnosis.of(Examination.of(data));
    if (first.has("labels outside the classes") || first.has("inputs not finite")) {
      return first; // no step can be made
    }
    double rate = learningRate();
    Inspection initial = inspectInitial();
    TrialRun own = trial(rate);
    return Diagnosis.of(
        new Examination(
            data,
            initial,
            own,
            trial(rate / 10),
            trial(rate * 10),
            own.isFinite() ? null : findOrigin(rate),
            findLearningRate(),
            overfitSmall(),
            training.hasTrained() ? inspect() : null,
            null));
  }

  /// What the batches hold.
  public DataReading readData() {
    long classes = Requirements.classes(net().outputShape(), training.settings().loss);
    return DataReading.of(batches, net().inputShape(), classes);
  }

  /// Lays the first batch open in the trainer's present model, which it makes if there is none.
  /// Where a batch has too many numbers, its first examples.
  public Inspection inspect() {
    return Rehearsal.inspect(training, batches.getFirst(), seen);
  }

  /// The same in a model with the initial weights.
  public Inspection inspectInitial() {
    try (Rehearsal rehearsal = new Rehearsal(training, batches)) {
      return rehearsal.inspect(seen);
    }
  }

  /// The loss of the initial weights, beside that of equal outputs.
  public InitialLoss checkInitialLoss() {
    Inspection initial = inspectInitial();
    return new InitialLoss(initial.loss(), initial.equalLoss());
  }

  /// A short run at a rate, over and over the same batches.
  public TrialRun trial(double rate) {
    List<Double> losses = new ArrayList<>();
    double equalLoss;
    Inspection end = null;
    try (Rehearsal rehearsal = new Rehearsal(training, batches)) {
      equalLoss = rehearsal.inspect(seen).equalLoss();
      while (losses.size() < steps && (losses.isEmpty() || Double.isFinite(losses.getLast()))) {
        if (losses.size() == steps - 1) {
          end = rehearsal.inspectAndStep(seen, warmed(rate, losses.size()));
          losses.add(rehearsal.loss());
        } else {
          losses.add(rehearsal.step(warmed(rate, losses.size())));
        }
      }
    }
    return new TrialRun(rate, equalLoss, losses, end);
  }

  /// Learns five batches of 16 examples at most by heart: at the trainer's rate, or if it cannot,
  /// at a tenth of it, for batches are smaller than the trainer's.
  public Overfit overfitSmall() {
    Overfit own = overfitSmall(learningRate());
    Overfit slower = own.succeeded() ? own : overfitSmall(learningRate() / 10);
    return slower.succeeded() || slower.endLoss() < own.endLoss() ? slower : own;
  }

  private Overfit overfitSmall(double rate) {
    int all = batches.getFirst().examples(net().inputShape().count());
    int each = Math.min(all, OVERFIT_EXAMPLES);
    List<Minibatch> few =
        batches.stream().limit(OVERFIT_BATCHES).map(batch -> batch.first(each, all)).toList();
    double first = Double.NaN;
    try (Rehearsal rehearsal = new Rehearsal(training, few)) {
      for (int pass = 1; ; pass++) {
        double loss = 0;
        double accuracy = 0;
        for (int i = 0; i < few.size(); i++) {
          loss += rehearsal.step(warmed(rate, (pass - 1) * few.size() + i)) / few.size();
          accuracy += rehearsal.accuracy() / few.size();
        }
        first = pass == 1 ? loss : first;
        Overfit result =
            new Overfit(rate, each * few.size(), pass * few.size(), first, loss, accuracy);
        if (result.succeeded() || pass == OVERFIT_PASSES || !Double.isFinite(loss)) {
          return result;
        }
      }
    }
  }

  /// A run whose rate grows exponentially from 1e-6 to 10, until the loss is lost.
  public RateCurve findLearningRate() {
    List<Double> rates = new ArrayList<>();
    List<Double> losses = new ArrayList<>();
    double equalLoss;
    double least = Double.POSITIVE_INFINITY;
    try (Rehearsal rehearsal = new Rehearsal(training, batches)) {
      equalLoss = rehearsal.inspect(seen).equalLoss();
      for (int i = 0; i < RATES; i++) {
        double rate = LEAST_RATE * Math.pow(GREATEST_RATE / LEAST_RATE, (double) i / (RATES - 1));
        double loss = rehearsal.step(rate);
        rates.add(rate);
        losses.add(loss);
        least = Math.min(least, loss);
        if (!(loss <= LOST * Math.max(least, losses.getFirst()))) {
          break;
        }
      }
    }
    return RateCurve.of(equalLoss, rates, losses);
  }

  /// Where a run at this rate first has a number that is not finite; null if it has none in as many
  /// steps as a trial. Runs it, and again up to that step, which is laid open.
  public @Nullable Origin findOrigin(double rate) {
    TrialRun trial = trial(rate);
    if (trial.isFinite()) {
      return null;
    }
    int last = trial.losses().size() - 1; // whose loss is not finite
    Inspection present = replay(rate, last);
    boolean ruined = present.parameters().stream().anyMatch(p -> p.notFinite() > 0);
    if (ruined && last > 0) {
      return backwards(last, rate, replay(rate, last - 1), present);
    }
    return forwards(last + 1, rate, present, batches.get(last % batches.size()));
  }

  private Inspection replay(double rate, int done) {
    try (Rehearsal rehearsal = new Rehearsal(training, batches)) {
      for (int i = 0; i < done; i++) {
        rehearsal.step(warmed(rate, i));
      }
      return rehearsal.inspect(seen);
    }
  }

  private static Origin forwards(int step, double rate, Inspection seen, Minibatch batch) {
    float[] inputs = batch.inputs();
    for (float input : inputs == null ? new float[0] : inputs) {
      if (!Float.isFinite(input)) {
        return new Origin(step, Part.INPUTS, "", rate);
      }
    }
    return seen.layers().stream()
        .filter(layer -> !layer.output().isFinite())
        .findFirst()
        .map(layer -> new Origin(step, Part.OUTPUT, layer.path(), rate))
        .orElse(new Origin(step, Part.LOSS, "", rate));
  }

  /// @param before the step that ruined the parameters, laid open
  /// @param after it
  private static Origin backwards(int step, double rate, Inspection before, Inspection after) {
    for (LayerReading layer : before.layers().reversed()) {
      if (Double.isNaN(layer.gradientNorm())) {
        return new Origin(step, Part.GRADIENT, layer.path(), rate);
      }
    }
    for (ParameterReading parameter : after.parameters()) {
      if (parameter.notFinite() > 0) {
        boolean slope =
            before
                .parameter(parameter.name())
                .map(reading -> Double.isNaN(reading.gradientNorm()))
                .orElse(false);
        return new Origin(step, slope ? Part.GRADIENT : Part.UPDATE, parameter.name(), rate);
      }
    }
    throw new IllegalStateException("the parameters are finite");
  }

  /// The rate of a step, from 0. Where the trainer's schedule begins low, it rises over the first
  /// quarter of a trial.
  private double warmed(double rate, int step) {
    Schedule schedule = training.settings().schedule;
    boolean warms = schedule.factor(new Schedule.Moment(0, 100, 1000)) < 0.5;
    double length = WARMUP * steps;
    return warms && step < length ? rate * (step + 1) / length : rate;
  }

  private Net net() {
    return training.settings().net;
  }

  /// Before the schedule.
  private double learningRate() {
    return training.settings().groups.learningRate();
  }
}
