package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Batch;
import dev.gatun.data.Batches;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.Examples;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Loader;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.Standardizer;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.file.SafeTensors;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// What a trainer does with its settings: runs over data, steps of somebody's own loop,
/// evaluations. It makes the model when that is first needed; until then, settings may change.
final class Training implements AutoCloseable {
  private final TrainerSettings settings;
  private final Holdings holdings = new Holdings("trainer");
  private final Cleaner.Cleanable cleanable = Leaks.watch(this, holdings);
  private final Evaluator evaluator;
  private @Nullable TrainingState state;
  private @Nullable Checkpoint interrupted; // whose run the next one goes on with
  private @Nullable TrainingRun running;
  private @Nullable ResidentPictures resident;
  private int stepBatch;
  private Score.Targets stepTargets = Score.Targets.LABELS;

  Training(TrainerSettings settings) {
    this.settings = settings;
    evaluator = new Evaluator(settings, holdings);
  }

  /// One that does the same steps from the beginning, in a model of its own: see
  /// [TrainerSettings#rehearsal].
  Training rehearsal() {
    holdings.requireOpen();
    TrainerSettings same = settings.rehearsal();
    if (state != null) {
      same.device = state.model().device();
    }
    return new Training(same);
  }

  TrainerSettings settings() {
    return settings;
  }

  /// Whether there is a model.
  boolean hasBegun() {
    return state != null;
  }

  /// Whether there is a model, and it is not as it began.
  boolean hasTrained() {
    return state != null && state.model().version() > 0;
  }

  Model model() {
    return state().model();
  }

  /// The model with averaged parameters.
  Model averaged() {
    AveragedModel average = state().averaged();
    if (average == null || !average.hasBegun()) {
      throw new IllegalStateException(
          settings.averaging == null
              ? "[averaged] this trainer does not average: ask for it with average(...)"
              : "[averaged] nothing was averaged yet");
    }
    return average.model();
  }

  /// Begins sequences anew.
  void resetStates() {
    holdings.requireOpen();
    TrainingStep compiled = state == null ? null : state.step();
    if (compiled != null) {
      compiled.resetStates();
    }
  }

  /// Writes a checkpoint, of the present run if there is one.
  void saveCheckpoint(Path file) throws IOException {
    TrainingState present = state();
    CheckpointFile.write(file, present.capture(place(present)));
  }

  /// Where a run is: the present one, or one that is to go on and has not yet.
  private Checkpoint.@Nullable Place place(TrainingState present) {
    TrainingRun run = running;
    if (run != null) {
      return run.place();
    }
    Checkpoint read = interrupted;
    return read != null && read.position().batches() == present.batches()
        ? read.position().run()
        : null;
  }

  /// Trains on pictures.
  ///
  /// @param test evaluated on after each epoch, null for none
  History fit(Batches train, @Nullable Batches test, Span length) {
    holdings.requireOpen();
    Batches batches = train.shuffled().dropRemainder();
    requireFits("fit", train, settings.augmentation);
    if (test != null) {
      requireFits("fit", test, Augmentation.Pipeline.none());
    }
    if (settings.mixes()) {
      Requirements.mixed(settings.net, train);
    }
    Preprocessing fitted = fitted(train);
    model().preprocessing(fitted);
    Supplier<Evaluation> judgement = test == null ? null : () -> evaluate(test);
    try (Feed feed = feed(batches, fitted)) {
      return run(feed, batches.count(), judgement, length, () -> minibatches(train, 1).getFirst());
    }
  }

  /// Trains on a text.
  ///
  /// @param test evaluated on after each epoch, null for none
  History fit(TextBatches train, @Nullable TextBatches test, Span length) {
    holdings.requireOpen();
    Requirements.text("fit", settings.net, train);
    Supplier<Evaluation> judgement = test == null ? null : () -> evaluate(test);
    return run(
        new Feed.Characters(train),
        train.count(),
        judgement,
        length,
        () -> minibatches(train, 1).getFirst());
  }

  /// Trains on examples.
  ///
  /// @param test evaluated on after each epoch, null for none
  History fit(ExampleBatches train, @Nullable ExampleBatches test, Span length) {
    holdings.requireOpen();
    ExampleBatches batches = fitting("fit", train);
    ExampleBatches judged = test == null ? null : fitting("fit", test);
    Requirements.wholeBatch("fit", batches);
    Supplier<Evaluation> judgement =
        judged == null ? null : () -> evaluator.evaluate(judged(), judged);
    int answers = Math.toIntExact(Requirements.rows(settings.net.outputShape()));
    try (Feed feed = new Feed.Rows(batches, answers, settings.seed)) {
      return run(
          feed,
          batches.examples().size() / batches.size(),
          judgement,
          length,
          () -> Feed.Rows.first(batches, 1, settings.seed).getFirst());
    }
  }

  /// As they come to the network.
  private ExampleBatches fitting(String caller, ExampleBatches batches) {
    Preprocessing known = preprocessing();
    Examples examples = known == null ? batches.examples() : batches.examples().preprocessed(known);
    Requirements.examples(caller, settings.net, settings.loss, examples);
    return new ExampleBatches(examples, batches.size());
  }

  private History run(
      Feed feed,
      long batches,
      @Nullable Supplier<Evaluation> test,
      Span length,
      Supplier<Minibatch> sample) {
    int accumulation = settings.accumulation;
    if (settings.stepsPerCall > 1 && accumulation > 1) {
      throw new IllegalArgumentException(
          "[stepsPerCall] a step of %d batches takes as many calls, so %d steps cannot share one"
              .formatted(accumulation, settings.stepsPerCall));
    }
    EarlyStopping stopping = settings.stopping;
    if (stopping != null
        && stopping.measure() == EarlyStopping.Measure.ACCURACY
        && Double.isNaN(Score.accuracy(settings.net, settings.loss, feed.targets(), 1, 1))) {
      throw new IllegalArgumentException(
          "[stopEarly] epochs cannot be judged by accuracy: the network's outputs are numbers, which"
              + " are never right or wrong");
    }
    long stepsPerEpoch = batches / accumulation;
    if (stepsPerEpoch < 1 && accumulation > 1) {
      throw new IllegalArgumentException(
          "[fit] an epoch has %d batches, fewer than the %d that a step accumulates"
              .formatted(batches, accumulation));
    }
    TrainingStep compiled = compiled("fit", feed.size(), feed.resident(), feed.targets());
    TrainingState present = state();
    TrainingRun run =
        new TrainingRun(settings, present, compiled, feed, batches, test, length, interrupted);
    interrupted = null;
    running = run;
    try {
      long done = run.stepsDone();
      return run.go(
          new Watcher.Start(
              present.model(),
              settings.inWords(feed.size(), present.model().device()),
              feed.size(),
              stepsPerEpoch,
              length.toSteps(stepsPerEpoch),
              done,
              present.batches() / accumulation - done,
              sample));
    } finally {
      running = null;
    }
  }

  private Feed feed(Batches batches, Preprocessing fitted) {
    if (!settings.resident) {
      return new Feed.Pictures(
          new Loader(
              batches,
              fitted,
              settings.augmentation,
              settings.mixing,
              settings.seed,
              settings.loaderThreads),
          batches.size());
    }
    if (settings.mixes()) {
      throw new IllegalArgumentException("[resident] pictures on the device cannot be mixed");
    }
    if (batches.count() == 0) {
      throw new IllegalArgumentException(
          "[resident] %s has %d images, fewer than one batch of %d, and incomplete batches are dropped"
              .formatted(batches.dataset().name(), batches.dataset().size(), batches.size()));
    }
    ResidentPictures present = resident;
    if (present == null) {
      present =
          holdings.add(
              new ResidentPictures(
                  model().device().backend(),
                  batches.dataset(),
                  settings.augmentation,
                  fitted,
                  settings.seed));
      resident = present;
    } else if (!present.dataset().equals(batches.dataset())) {
      throw new IllegalArgumentException(
          "[resident] this trainer keeps %s on the device, found another set, %s"
              .formatted(present.dataset().name(), batches.dataset().name()));
    }
    return new Feed.Indices(present, batches, settings.seed);
  }

  /// One step. Returns the mean loss before it.
  float step(Minibatch batch, double learningRate) {
    holdings.requireOpen();
    int examples = Requirements.step(settings.net, settings.loss, batch);
    Requirements.rate(learningRate);
    TrainingStep compiled = compiled("step", examples, null, Score.Targets.of(batch));
    TrainingState present = state();
    StepFrame frame = compiled.frame(0, 0);
    TrainingEvents.Step event = TrainingEvents.step();
    long start = System.nanoTime();
    frame.set(batch);
    frame.set(learningRate, present.batches());
    compiled.feed(0, 0, 1);
    compiled.start(0, 1);
    compiled.await();
    present.countBatch();
    if (present.batches() % settings.accumulation == 0) {
      long done = present.batches() / settings.accumulation;
      compiled.update(learningRate, done - 1);
      present.average(new Schedule.Moment(done, 1, done));
    }
    if (event != null) {
      event.commit(present.batches(), frame, System.nanoTime() - start);
    }
    if (!Float.isFinite(frame.loss())) {
      TrainingEvents.notFinite(present.batches(), "the loss is " + frame.loss());
    }
    return frame.loss();
  }

  /// How many answers were right in the last step's batch.
  int correct() {
    TrainingStep compiled = state().step();
    return compiled == null ? 0 : compiled.frame(0, 0).correct();
  }

  /// Lays a step of the present model open.
  Probe probe(int batch, Score.Targets targets) {
    return new Probe(model(), batch, targets, settings);
  }

  /// The first batches that [#fit] would train on, but never mixed ones: `count` of them, or as
  /// many as there are.
  List<Minibatch> minibatches(Batches train, int count) {
    Batches batches = train.shuffled().dropRemainder();
    requireFits("doctor", train, settings.augmentation);
    List<Minibatch> minibatches = new ArrayList<>();
    try (Loader loader =
        new Loader(
            batches, fitted(train), settings.augmentation, settings.seed, settings.loaderThreads)) {
      loader.start(0);
      for (Batch batch = loader.next();
          batch != null && minibatches.size() < count;
          batch = loader.next()) {
        minibatches.add(Minibatch.of(batch.images().clone(), batch.labels().clone()));
        loader.release(batch);
      }
    }
    return minibatches;
  }

  /// The same of a text.
  List<Minibatch> minibatches(TextBatches train, int count) {
    Requirements.text("doctor", settings.net, train);
    return IntStream.range(0, Math.min(count, train.count()))
        .mapToObj(i -> Minibatch.of(train.inputs(i), train.targets(i)))
        .toList();
  }

  /// The same of examples.
  List<Minibatch> minibatches(ExampleBatches train, int count) {
    ExampleBatches batches = fitting("doctor", train);
    Requirements.wholeBatch("doctor", batches);
    return Feed.Rows.first(batches, count, settings.seed);
  }

  Evaluation evaluate(Batches test) {
    Preprocessing known = preprocessing();
    if (known == null) {
      throw new IllegalStateException(
          "[evaluate] the pictures' preprocessing is not known: call fit first, or"
              + " preprocess(...)");
    }
    requireFits("evaluate", test, Augmentation.Pipeline.none());
    return evaluator.evaluate(judged(), known, test);
  }

  Evaluation evaluate(ExampleBatches test) {
    ExampleBatches fitting = fitting("evaluate", test);
    return evaluator.evaluate(judged(), fitting);
  }

  Evaluation evaluate(TextBatches test) {
    Requirements.text("evaluate", settings.net, test);
    return evaluator.evaluate(judged(), test);
  }

  /// The model that is evaluated.
  private Model judged() {
    TrainingState present = state();
    AveragedModel average = present.averaged();
    Model judged = average != null && average.hasBegun() ? average.model() : present.model();
    judged.requireOpen();
    return judged;
  }

  @Override
  public void close() {
    holdings.closeByOwner();
    cleanable.clean();
  }

  private TrainingState state() {
    holdings.requireOpen();
    TrainingState present = state;
    if (present == null) {
      Device device = settings.device;
      if (device == null) {
        device = holdings.add(Device.best());
      }
      Model model = holdings.add(Model.of(settings.net, device, settings.seed));
      if (settings.pruning != null) {
        settings.pruning.apply(model);
      }
      present = new TrainingState(model, settings, holdings);
      if (settings.resumed != null) {
        try (SafeTensors file = SafeTensors.open(settings.resumed)) {
          Checkpoint checkpoint = CheckpointFile.read(file);
          present.resume(settings.resumed, checkpoint);
          interrupted = checkpoint.position().run() == null ? null : checkpoint;
        }
      }
      if (settings.preprocessing != null) {
        model.preprocessing(settings.preprocessing); // in steps of somebody's own too
      }
      state = present;
    }
    return present;
  }

  /// The program of a step, made for the first batch.
  ///
  /// @param caller whom a message is from
  private TrainingStep compiled(
      String caller, int batch, @Nullable ResidentPictures pictures, Score.Targets targets) {
    if (settings.resident && pictures == null) {
      throw new IllegalStateException(
          "[%s] this trainer gathers pictures on the device: train it by fit".formatted(caller));
    }
    TrainingState own = state();
    own.model().requireOpen();
    TrainingStep present = own.step();
    if (present == null) {
      present = holdings.add(new TrainingStep(own.model(), batch, pictures, targets, settings));
      own.compiled(present);
      stepBatch = batch;
      stepTargets = targets;
    } else if (stepBatch != batch) {
      throw new IllegalArgumentException(
          "[%s] this trainer is compiled for batches of %d, found %d"
              .formatted(caller, stepBatch, batch));
    } else if (stepTargets != targets) {
      throw new IllegalArgumentException(
          "[%s] this trainer is compiled for targets that are %s, found %s"
              .formatted(caller, stepTargets, targets));
    }
    return present;
  }

  /// What was given, or else what the model has.
  private @Nullable Preprocessing preprocessing() {
    if (settings.resumed != null) {
      state(); // knows it from the file
    }
    return settings.preprocessing != null || state == null
        ? settings.preprocessing
        : state.model().preprocessing();
  }

  /// The same, or else what suits the training set.
  private Preprocessing fitted(Batches train) {
    Preprocessing known = preprocessing();
    return known == null ? Standardizer.fit(train.dataset()) : known;
  }

  private void requireFits(String caller, Batches batches, Augmentation.Pipeline changes) {
    ImageShape image = changes.output(batches.dataset().image());
    Preprocessing known = preprocessing();
    Requirements.pictures(
        caller, settings.net, settings.loss, batches, known == null ? image : known.output(image));
  }
}
