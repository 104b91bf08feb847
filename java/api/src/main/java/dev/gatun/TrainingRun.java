package dev.gatun;

import dev.gatun.Checkpoint.Feeding;
import dev.gatun.Checkpoint.Held;
import dev.gatun.Checkpoint.Place;
import dev.gatun.Checkpoint.Sums;
import dev.gatun.TrainerSettings.Saving;
import dev.gatun.data.DataFormatException;
import dev.gatun.file.SafeTensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// One run of [Trainer#fit]: steps, epochs, evaluations and checkpoints; how it goes back when the
/// loss is not finite, and how it ends before its time.
final class TrainingRun {
  private static final String USUAL_CAUSES =
      "Usual causes: a learning rate that is too high (try a tenth, or a warm-up), no clipping (try"
          + " clipNorm(1)), or inputs that are not standardised. Doctor.of(trainer,"
          + " batches).examine() finds where it begins";

  private static final String BAD_DATA =
      "Look for it in the data: missing values, divisions by 0, logarithms of 0";

  /// The beginning of the run and the last two.
  private static final int GOOD_MOMENTS = 3;

  private final TrainerSettings settings;
  private final TrainingState state;
  private final TrainingStep compiled;
  private final Feed feed;
  private final Supply supply;
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

  private Present present = new Present();
  private List<Double> losses = List.of();
  private long epochStart;
  private TrainingEvents.@Nullable Epoch epochEvent;
  private double lastRate = Double.NaN;
  private boolean stopped;
  private final Deque<Checkpoint> good = new ArrayDeque<>(); // to go back to; the last is first
  private boolean wentBack; // to the last good moment, and was at no other since
  private @Nullable Checkpoint candidate; // good if the next loss is finite
  private long saved = -1; // steps that had been done when the file was written

  /// The present step's batches so far.
  private static final class Present {
    private int batches;
    private double loss;
    private int correct;
    private int images;
    private double seconds;

    void add(double share, int hits, int count, double duration) {
      batches++;
      loss += share;
      correct += hits;
      images += count;
      seconds += duration;
    }
  }

  /// A loss that is not finite.
  ///
  /// @param step it was found at, from 1
  /// @param message what there is to say of it
  private record Trouble(long step, String message) {}

  /// @param compiled the state's step
  /// @param batches in an epoch
  /// @param test evaluates, null without a test set
  /// @param resumed the place to go on from, null to begin
  TrainingRun(
      TrainerSettings settings,
      TrainingState state,
      TrainingStep compiled,
      Feed feed,
      long batches,
      @Nullable Supplier<Evaluation> test,
      Span length,
      @Nullable Checkpoint resumed) {
    this.settings = settings;
    this.state = state;
    this.compiled = compiled;
    this.feed = feed;
    this.test = test;
    supply = new Supply(feed, compiled, this::mark);
    feeding = new Feeding(batches / settings.accumulation, feed.size(), settings.accumulation);
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
      throw new DataFormatException(
          Objects.requireNonNull(settings.resumed, "a run goes on from a file"),
          "a run with %d steps an epoch of %d batches of %d is to go on; this one has %d of %d of %d"
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
    if (settings.saving != null) {
      requireFolder(settings.saving.file());
    }
    settings.watchers.forEach(watcher -> watcher.start(begin));
    if (settings.recovery != null) {
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
    if (settings.saving != null && saved != steps) {
      save(settings.saving.file());
    }
    EarlyStopping stopping = settings.stopping;
    if (stopping != null && stopping.restoresBest() && !best.isEmpty()) {
      state.restore(best);
    }
    settings.watchers.forEach(watcher -> watcher.end(history));
    return history;
  }

  /// Says before hours of training what would be an error behind them.
  private static void requireFolder(Path file) {
    try {
      SafeTensorsWriter.requireFolder(file);
    } catch (IOException e) {
      throw cannotWrite(file, e);
    }
  }

  private static UncheckedIOException cannotWrite(Path file, IOException e) {
    String reason = e instanceof FileSystemException named ? named.getReason() : null;
    return new UncheckedIOException(
        "the checkpoint %s cannot be written: %s"
            .formatted(file, reason == null ? e.getMessage() : reason),
        e);
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
    epochEvent = TrainingEvents.epoch();
    present = new Present();
    supply.restart();
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
      epochEvent = TrainingEvents.epoch();
      feed.start(state.nextEpoch(), compiled);
    }
    long end = Math.min(feeding.stepsPerEpoch(), totalSteps - steps);
    Trouble trouble = inEpoch < end ? step(end) : null;
    return trouble == null && inEpoch >= end ? endEpoch() : trouble;
  }

  /// The steps of a call; with accumulation one step, in as many calls as it has batches.
  ///
  /// @param end of the steps in this epoch
  private @Nullable Trouble step(long end) {
    state.requireOpen(); // a watcher may close the trainer
    if (Thread.currentThread().isInterrupted()) {
      throw new IllegalStateException("[fit] interrupted after " + stepsDone() + " steps");
    }
    List<Watcher.Step> reports = new ArrayList<>(compiled.most());
    TrainingEvents.Step event = TrainingEvents.step();
    Trouble trouble;
    do {
      trouble = call(end, reports);
    } while (trouble == null && present.batches > 0);
    if (event != null) {
      event.commit(reports);
    }
    for (Watcher.Step report : reports) {
      for (Watcher watcher : settings.watchers) {
        watcher.step(report);
      }
    }
    return trouble;
  }

  private @Nullable Trouble call(long end, List<Watcher.Step> reports) {
    if (!supply.isBegun()) {
      supply.begin(batchesFrom(0, end));
    }
    double seconds = supply.fill();
    int count = supply.wanted();
    int half = supply.take();
    long begin = System.nanoTime();
    compiled.start(half, count);
    try {
      int next = compiled.worksAhead() ? batchesFrom(count, end) : 0;
      if (next > 0) {
        supply.begin(next);
        supply.fillMeanwhile(count);
      }
    } finally {
      compiled.await();
    }
    seconds += (System.nanoTime() - begin) * 1e-9;
    Trouble trouble = null;
    for (int i = 0; i < count && trouble == null; i++) {
      trouble = count(compiled.frame(half, i), seconds / count, count - 1 - i, reports);
    }
    return trouble;
  }

  /// How many batches the call has that comes `ahead` batches later, 0 if it is not in this epoch.
  /// It ends where the host has to look.
  private int batchesFrom(int ahead, long end) {
    int each = feeding.accumulation();
    if (each > 1) {
      return (inEpoch * each + present.batches + ahead) / each < end ? 1 : 0;
    }
    long first = inEpoch + ahead;
    int count = first < end ? 1 : 0;
    while (count > 0
        && count < compiled.most()
        && first + count < end
        && !endsCall(steps + first + count)) {
      count++;
    }
    return count;
  }

  /// Whether something is due when so many steps are done.
  private boolean endsCall(long done) {
    Recovery recovery = settings.recovery;
    Saving saving = settings.saving;
    return (recovery != null && isDue(recovery.every(), done))
        || (saving != null && isDue(saving.every(), done))
        || state.averagesAt(moment(done));
  }

  /// What a batch of the run is addressed by, and its learning rate.
  private void mark(StepFrame frame, long ahead) {
    long number = steps + inEpoch + (present.batches + ahead) / feeding.accumulation();
    double factor = settings.schedule.factor(moment(number));
    if (!(factor >= 0 && Double.isFinite(factor))) {
      throw new IllegalArgumentException(
          "[schedule] expected a finite factor of at least 0 at step %d, found %s"
              .formatted(number, factor));
    }
    frame.set(settings.groups.learningRate() * lowered * factor, state.batches() + ahead);
  }

  /// A batch was trained on; it may have ended a step. Returns what is wrong if its loss is not
  /// finite.
  ///
  /// @param further batches of the same call
  private @Nullable Trouble count(
      StepFrame frame, double seconds, int further, List<Watcher.Step> reports) {
    long number = steps + inEpoch + 1;
    lastRate = frame.rate();
    state.countBatch();
    float loss = frame.loss();
    if (!Float.isFinite(loss)) {
      return divergence("loss", loss, number, number + further, frame);
    }
    int batches = feeding.accumulation();
    present.add(loss / batches, frame.correct(), frame.targets(), seconds);
    if (present.batches < batches) {
      return null;
    }
    if (batches > 1) {
      long begin = System.nanoTime();
      compiled.update(lastRate, state.batches() / batches - 1);
      present.seconds += (System.nanoTime() - begin) * 1e-9;
    }
    settle();
    state.average(moment(number));
    double norm = compiled.gradientNorm(frame);
    history.add(present.loss, lastRate, norm, present.seconds);
    inEpoch++;
    sums =
        new Sums(
            sums.loss() + present.loss,
            sums.correct() + present.correct,
            sums.images() + present.images);
    double accuracy = accuracy(present.correct, present.images);
    reports.add(
        new Watcher.Step(
            number, state.epochs(), present.loss, accuracy, lastRate, norm, present.seconds));
    present = new Present();
    return null;
  }

  private double accuracy(long correct, long rows) {
    return Score.accuracy(settings.net, settings.loss, feed.targets(), correct, rows);
  }

  private Schedule.Moment moment(long number) {
    return new Schedule.Moment(number, feeding.stepsPerEpoch(), totalSteps, losses);
  }

  private @Nullable Trouble endEpoch() {
    double seconds = (System.nanoTime() - epochStart) * 1e-9;
    Evaluation evaluation = test == null ? null : test.get();
    if (evaluation != null && !Double.isFinite(evaluation.loss())) {
      long step = steps + inEpoch;
      return divergence("test loss", evaluation.loss(), step, step, null);
    }
    History.Epoch epoch =
        new History.Epoch(
            state.epochs(),
            sums.loss() / inEpoch,
            accuracy(sums.correct(), sums.images()),
            history.lastLearningRate(),
            evaluation,
            seconds);
    history.add(epoch, sums.images());
    if (epochEvent != null) {
      epochEvent.commit(epoch);
    }
    steps += inEpoch;
    inEpoch = 0;
    sums = new Sums(0, 0, 0);
    judge();
    EarlyStopping stopping = settings.stopping;
    if (stopping != null
        && stopping.restoresBest()
        && stopping.best(history.epochs()) == history.epochs().size() - 1) {
      best = state.weights();
    }
    settings.watchers.forEach(watcher -> watcher.epoch(epoch));
    return null;
  }

  private void judge() {
    EarlyStopping stopping = settings.stopping;
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
    Recovery recovery = settings.recovery;
    if (recovery != null && isDue(recovery.every(), steps + inEpoch)) {
      Checkpoint now = capture();
      candidate = now.isFinite() ? now : candidate;
      if (inEpoch == 0 && test != null) {
        settle(); // the test's loss was finite
      }
    }
    Saving saving = settings.saving;
    if (saving != null && isDue(saving.every(), steps + inEpoch)) {
      save(saving.file());
    }
  }

  private boolean isDue(Span every, long done) {
    return done % Math.max(1, every.toSteps(feeding.stepsPerEpoch())) == 0;
  }

  /// Replaces the file, unless the numbers are ruined: the next loss will say so.
  private void save(Path file) {
    Checkpoint now = capture();
    if (now.isFinite()) {
      try {
        CheckpointFile.write(file, now);
      } catch (IOException e) {
        throw cannotWrite(file, e);
      }
    }
    saved = steps + inEpoch;
  }

  private void goBack(Trouble trouble) {
    TrainingEvents.notFinite(trouble.step(), trouble.message());
    Recovery recovery = settings.recovery;
    if (wentBack && good.size() > 1) {
      good.pop(); // finite, but past help
    }
    Checkpoint to = good.peek();
    Place place = to == null ? null : to.position().run();
    int before = history.rollBacks().size();
    if (recovery == null || to == null || place == null || before >= recovery.attempts()) {
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
    settings.watchers.forEach(watcher -> watcher.rolledBack(rollBack));
  }

  /// @param found the last step that was done when this was seen
  /// @param frame of the batch, null if its inputs are not in question
  private Trouble divergence(
      String what, double loss, long step, long found, @Nullable StepFrame frame) {
    String first = state.firstNotFinite(frame);
    String last =
        history.steps() == 0
            ? "it was the first step"
            : "the training loss before was " + history.lastLoss();
    String message =
        String.format(
            Locale.ROOT,
            "the %s became %s at step %d with learning rate %.3g%s; %s. %s. %s",
            what,
            loss,
            step,
            lastRate,
            found == step ? "" : ", seen after step %d, the last of its call".formatted(found),
            last,
            first == null
                ? "All parameters are finite"
                : "The first tensor that is not finite is " + first,
            TrainingState.badData(frame) == null ? USUAL_CAUSES : BAD_DATA);
    return new Trouble(step, message);
  }
}
