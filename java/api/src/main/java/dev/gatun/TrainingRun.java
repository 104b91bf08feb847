package dev.gatun;

import dev.gatun.Checkpoint.Feeding;
import dev.gatun.Checkpoint.Held;
import dev.gatun.Checkpoint.Place;
import dev.gatun.Checkpoint.Sums;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// One run of [Trainer#fit]: steps, epochs, evaluations and checkpoints; how it goes back when the
/// loss is not finite, and how it ends before its time.
final class TrainingRun {
  /// The beginning of the run and the last two.
  private static final int GOOD_MOMENTS = 3;

  private final Rules rules;
  private final TrainingState state;
  private final TrainingStep compiled;
  private final Feed feed;
  private final Feeding feeding;
  private final @Nullable Supplier<Evaluation> test;
  private final long totalSteps;
  private final History history;

  // Where it is: see Checkpoint.Place.
  private long steps;
  private long inEpoch;
  private Sums sums = new Sums(0, 0, 0);
  private double lowered = 1;
  private Map<String, Held> best = Map.of();

  private List<Double> losses = List.of();
  private long epochStart;
  private double lastRate = Double.NaN;
  private boolean stopped;
  private final Deque<Checkpoint> good = new ArrayDeque<>(); // to go back to; the last is first
  private boolean wentBack; // to the last good moment, and was at no other since
  private @Nullable Checkpoint candidate; // good if the next loss is finite
  private long saved = -1; // steps that had been done when the file was written

  /// What the trainer was told.
  ///
  /// @param learningRate before the schedule
  /// @param accumulation batches in a step
  /// @param stopping when to stop, null if not before the end
  /// @param recovery what to do when the loss is not finite, null to end
  /// @param saving when to write checkpoints, null for never
  /// @param open fails if the trainer is closed
  record Rules(
      double learningRate,
      Schedule schedule,
      int accumulation,
      @Nullable EarlyStopping stopping,
      @Nullable Recovery recovery,
      @Nullable Saving saving,
      List<Watcher> watchers,
      Runnable open) {}

  /// A loss that is not finite.
  ///
  /// @param step it was found at, from 1
  /// @param message what there is to say of it
  private record Trouble(long step, String message) {}

  /// Checkpoints in a file.
  record Saving(Path file, Span every) {}

  /// @param compiled the state's step
  /// @param batches in an epoch
  /// @param test evaluates, null without a test set
  /// @param resumed the place to go on from, null to begin
  TrainingRun(
      Rules rules,
      TrainingState state,
      TrainingStep compiled,
      Feed feed,
      long batches,
      @Nullable Supplier<Evaluation> test,
      Span length,
      @Nullable Checkpoint resumed) {
    this.rules = rules;
    this.state = state;
    this.compiled = compiled;
    this.feed = feed;
    this.test = test;
    feeding = new Feeding(batches / rules.accumulation(), feed.size(), rules.accumulation());
    totalSteps = length.toSteps(feeding.stepsPerEpoch());
    Place place = resumed == null ? null : resumed.position().run();
    if (resumed == null || place == null) {
      history = new History((int) Math.min(totalSteps, 1 << 20));
    } else {
      history = place.history();
      requireSame(place.feed());
      enter(resumed, place);
    }
  }

  private void requireSame(Feeding before) {
    if (!before.equals(feeding)) {
      throw new IllegalArgumentException(
          ("[fit] the run to go on with has %d steps an epoch of %d batches of %d; this one has"
                  + " %d of %d of %d")
              .formatted(
                  before.stepsPerEpoch(),
                  before.accumulation(),
                  before.batch(),
                  feeding.stepsPerEpoch(),
                  feeding.accumulation(),
                  feeding.batch()));
    }
  }

  /// Runs to the end.
  History go(Watcher.Start begin) {
    rules.watchers().forEach(watcher -> watcher.start(begin));
    if (rules.recovery() != null) {
      good.push(capture());
    }
    judge();
    while ((inEpoch > 0 || steps < totalSteps) && !stopped) {
      Trouble trouble = advance();
      if (trouble == null) {
        keep();
      } else {
        goBack(trouble);
      }
    }
    if (rules.saving() != null && saved != steps) {
      save(rules.saving().file());
    }
    EarlyStopping stopping = rules.stopping();
    if (stopping != null && stopping.restoresBest() && !best.isEmpty()) {
      state.restore(best);
    }
    rules.watchers().forEach(watcher -> watcher.end(history));
    return history;
  }

  /// Steps of the run that are done.
  long stepsDone() {
    return steps + inEpoch;
  }

  /// Where it is.
  Place place() {
    return new Place(
        steps, inEpoch, sums, lowered, feeding, history, history.epochs().size(), best);
  }

  private Checkpoint capture() {
    return state.capture(place());
  }

  /// Goes to a place: in the data first, for a feed begins sequences anew.
  private void enter(Checkpoint checkpoint, Place place) {
    steps = place.steps();
    inEpoch = place.inEpoch();
    sums = place.sums();
    lowered = place.rate();
    best = place.best();
    history.truncate(Math.toIntExact(steps + inEpoch), place.epochs());
    losses = history.epochLosses();
    epochStart = System.nanoTime();
    if (inEpoch > 0) {
      feed.start(checkpoint.position().epochs() - 1, compiled);
      feed.skip(inEpoch * feeding.accumulation());
    }
    state.restore(checkpoint);
  }

  /// A step, and if it is the last of an epoch what belongs to the end of that. Returns what is
  /// wrong if a loss is not finite, else null.
  private @Nullable Trouble advance() {
    if (inEpoch == 0) {
      losses = history.epochLosses();
      epochStart = System.nanoTime();
      feed.start(state.nextEpoch(), compiled);
    }
    long end = Math.min(feeding.stepsPerEpoch(), totalSteps - steps);
    Trouble trouble = inEpoch < end ? step() : null;
    return trouble == null && inEpoch >= end ? endEpoch() : trouble;
  }

  private @Nullable Trouble step() {
    rules.open().run(); // a watcher may close the trainer
    long number = steps + inEpoch;
    double rate = rules.learningRate() * lowered * rules.schedule().factor(moment(number));
    lastRate = rate;
    double seconds = 0;
    double stepLoss = 0;
    int stepCorrect = 0;
    int stepImages = 0;
    int batches = feeding.accumulation();
    for (int k = 0; k < batches; k++) {
      feed.await();
      long begin = System.nanoTime();
      stepImages += feed.fill(compiled);
      compiled.run(rate, state.nextBatch());
      float loss = compiled.loss();
      if (!Float.isFinite(loss)) {
        return divergence("loss", loss, number + 1);
      }
      if (k == batches - 1) {
        compiled.update(rate, state.batches() / batches - 1);
      }
      seconds += (System.nanoTime() - begin) * 1e-9;
      stepLoss += loss / batches;
      stepCorrect += compiled.correct();
    }
    settle();
    state.average(moment(number + 1));
    double norm = compiled.gradientNorm();
    history.add(stepLoss, norm, seconds);
    inEpoch++;
    sums =
        new Sums(sums.loss() + stepLoss, sums.correct() + stepCorrect, sums.images() + stepImages);
    double accuracy = (double) stepCorrect / stepImages;
    Watcher.Step report =
        new Watcher.Step(number + 1, state.epochs(), stepLoss, accuracy, rate, norm, seconds);
    for (Watcher watcher : rules.watchers()) {
      watcher.step(report);
    }
    return null;
  }

  private Schedule.Moment moment(long number) {
    return new Schedule.Moment(number, feeding.stepsPerEpoch(), totalSteps, losses);
  }

  private @Nullable Trouble endEpoch() {
    double seconds = (System.nanoTime() - epochStart) * 1e-9;
    Evaluation evaluation = test == null ? null : test.get();
    if (evaluation != null && !Double.isFinite(evaluation.loss())) {
      return divergence("test loss", evaluation.loss(), steps + inEpoch);
    }
    History.Epoch epoch =
        new History.Epoch(
            state.epochs(),
            sums.loss() / inEpoch,
            (double) sums.correct() / sums.images(),
            evaluation,
            seconds);
    history.add(epoch, sums.images());
    steps += inEpoch;
    inEpoch = 0;
    sums = new Sums(0, 0, 0);
    judge();
    EarlyStopping stopping = rules.stopping();
    if (stopping != null
        && stopping.restoresBest()
        && stopping.best(history.epochs()) == history.epochs().size() - 1) {
      best = state.weights();
    }
    rules.watchers().forEach(watcher -> watcher.epoch(epoch));
    return null;
  }

  private void judge() {
    EarlyStopping stopping = rules.stopping();
    if (stopping != null) {
      stopped = stopping.stops(history.epochs());
      history.judge(stopping, stopped);
    }
  }

  /// A finite loss shows that the numbers were good which it was computed from.
  private void settle() {
    Checkpoint shown = candidate;
    if (shown != null) {
      candidate = null;
      good.push(shown);
      wentBack = false;
      if (good.size() > GOOD_MOMENTS) {
        Checkpoint beginning = good.removeLast();
        good.removeLast();
        good.addLast(beginning);
      }
    }
  }

  /// Keeps a checkpoint where one is due.
  private void keep() {
    Recovery recovery = rules.recovery();
    if (recovery != null && isDue(recovery.every())) {
      Checkpoint now = capture();
      candidate = now.isFinite() ? now : candidate;
      if (inEpoch == 0 && test != null) {
        settle(); // the test's loss was finite
      }
    }
    Saving saving = rules.saving();
    if (saving != null && isDue(saving.every())) {
      save(saving.file());
    }
  }

  private boolean isDue(Span every) {
    return (steps + inEpoch) % Math.max(1, every.toSteps(feeding.stepsPerEpoch())) == 0;
  }

  /// Replaces the file, unless the numbers are ruined: the next loss will say so.
  private void save(Path file) {
    Checkpoint now = capture();
    if (now.isFinite()) {
      try {
        CheckpointFile.write(file, now);
      } catch (IOException e) {
        throw new UncheckedIOException("the checkpoint " + file + " cannot be written", e);
      }
    }
    saved = steps + inEpoch;
  }

  private void goBack(Trouble trouble) {
    Recovery recovery = rules.recovery();
    if (wentBack && good.size() > 1) {
      good.pop(); // finite, but past help
    }
    Checkpoint to = good.peek();
    Place place = to == null ? null : to.position().run();
    int before = history.rollBacks().size();
    if (recovery == null || to == null || place == null || before == recovery.attempts()) {
      throw new DivergedException(
          before == 0
              ? trouble.message()
              : trouble.message() + ". Going back %d times did not help".formatted(before));
    }
    double rate = lowered * recovery.rate();
    enter(to, place);
    lowered = rate;
    wentBack = true;
    candidate = null;
    saved = -1;
    judge();
    History.RollBack rollBack = new History.RollBack(trouble.step(), steps + inEpoch, rate);
    history.add(rollBack);
    rules.watchers().forEach(watcher -> watcher.rolledBack(rollBack));
  }

  private Trouble divergence(String what, double loss, long step) {
    String first = state.firstNotFinite();
    String last =
        history.steps() == 0
            ? "it was the first step"
            : "the training loss before was " + history.lastLoss();
    String message =
        String.format(
            Locale.ROOT,
            "the %s became %s at step %d with learning rate %.3g; %s. %s. Usual causes: a learning"
                + " rate that is too high (try a tenth, or a warm-up), no clipping (try"
                + " clipNorm(1)), or inputs that are not standardised. Doctor.of(trainer,"
                + " batches).examine() finds where it begins",
            what,
            loss,
            step,
            lastRate,
            last,
            first == null
                ? "All parameters are finite"
                : "The first tensor that is not finite is " + first);
    return new Trouble(step, message);
  }
}
