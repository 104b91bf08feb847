package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Batch;
import dev.gatun.data.Batches;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Loader;
import dev.gatun.data.Mixing;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.Standardizer;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.file.SafeTensors;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Trains a network on pictures, a text, or batches of your own:
///
/// ```java
/// try (var device = Device.cpu();
///     var trainer = Trainer.of(ResNet.cifar(20, 10))
///         .on(device)
///         .optimizer(sgd(0.1).momentum(0.9).weightDecay(1e-4))
///         .schedule(stepDecay(0.1).at(epochs(82), epochs(123)).warmup(steps(400)))
///         .augment(pad(4), randomCrop(32, 32), flipHorizontal())) {
///   History history = trainer.fit(cifar.train().batch(128), cifar.test().batch(500), epochs(164));
/// }
/// ```
///
/// The methods before [#fit] configure and return the trainer itself; once it has made its model,
/// at the first fit or call of [#model], the configuration is fixed. The whole run depends on the
/// seed only: the same seed gives the same losses bit for bit on a device, for any number of
/// threads. Used by one thread at a time; several trainers may run in several threads.
public final class Trainer implements AutoCloseable {
  private final Net net;
  private @Nullable Device device;
  private Loss loss = Loss.softmaxCrossEntropy();
  private ParameterGroups groups = ParameterGroups.of(Optimizer.sgd(0.1).momentum(0.9));
  private Schedule schedule = Schedule.constant();
  private Augmentation.Pipeline augmentation = Augmentation.Pipeline.none();
  private Mixing mixing = Mixing.none();
  private @Nullable Preprocessing preprocessing;
  private Clipping clipping = Clipping.none();
  private int accumulation = 1;
  private boolean carriesStates;
  private @Nullable Averaging averaging;
  private @Nullable Pruning pruning;
  private Precision precision = Precision.F32;
  private long seed = 1;
  private int loaderThreads = 1;
  private boolean residentSet;
  private int stepsPerCall = 1;
  private final List<Watcher> watchers = new ArrayList<>();

  private @Nullable EarlyStopping stopping;
  private @Nullable Recovery recovery;
  private TrainingRun.@Nullable Saving saving;
  private @Nullable Path resumed;

  private final Holdings holdings = new Holdings("trainer");
  private final Cleaner.Cleanable cleanable = Leaks.watch(this, holdings);
  private @Nullable TrainingState state;
  private @Nullable Checkpoint interrupted; // whose run the next fit goes on with
  private @Nullable TrainingRun running;
  private @Nullable ResidentPictures resident;
  private int stepBatch;
  private Score.Targets stepTargets = Score.Targets.LABELS;
  private final Map<Judge, InferenceStep> judges = new HashMap<>();

  /// What an evaluation is compiled for.
  ///
  /// @param steps of sequences; 0 for pictures
  private record Judge(Model model, int batch, int steps) {}

  private Trainer(Net net) {
    this.net = net;
  }

  /// A trainer for `net`: softmax cross-entropy, SGD with rate 0.1 and momentum 0.9, no
  /// augmentation, seed 1.
  public static Trainer of(Net net) {
    return new Trainer(net);
  }

  /// Trains on `newDevice`, which the caller closes after the trainer. By default on a device of
  /// the trainer's own.
  public Trainer on(Device newDevice) {
    requireFresh();
    device = newDevice;
    return this;
  }

  /// Makes this loss small.
  public Trainer loss(Loss newLoss) {
    requireFresh();
    loss = newLoss;
    return this;
  }

  /// Follows the gradients this way, all parameters alike.
  public Trainer optimizer(Optimizer optimizer) {
    return optimizer(ParameterGroups.of(optimizer));
  }

  /// Follows the gradients this way, with its own rule for each group of parameters.
  public Trainer optimizer(ParameterGroups newGroups) {
    requireFresh();
    groups = newGroups;
    return this;
  }

  /// Multiplies the optimizer's learning rate by this schedule.
  public Trainer schedule(Schedule newSchedule) {
    requireFresh();
    schedule = newSchedule;
    return this;
  }

  /// Changes training pictures at random, in the loader's threads, in this order.
  public Trainer augment(Augmentation... steps) {
    requireFresh();
    augmentation = Augmentation.Pipeline.of(steps);
    return this;
  }

  /// Mixes training pictures in pairs, and their targets: mixup, CutMix. The loss then has
  /// distributions over the classes for targets.
  public Trainer mix(Mixing newMixing) {
    requireFresh();
    mixing = newMixing;
    return this;
  }

  /// Turns bytes into numbers this way. By default each channel is standardised by the training
  /// set's mean and deviation. It becomes the model's ([Model#preprocessing]).
  public Trainer preprocess(Preprocessing newPreprocessing) {
    requireFresh();
    preprocessing = newPreprocessing;
    return this;
  }

  /// Scales gradients down whose norm over all parameters exceeds `maxNorm`.
  public Trainer clipNorm(double maxNorm) {
    return clip(Clipping.byNorm(maxNorm));
  }

  /// Limits gradients this way.
  public Trainer clip(Clipping newClipping) {
    requireFresh();
    clipping = newClipping;
    return this;
  }

  /// Makes one step of the mean gradient of this many batches, as if of one larger batch; batch
  /// norm and dropout still see each batch on its own. Spans, rates and watchers count steps.
  public Trainer accumulate(int batches) {
    requireFresh();
    if (batches < 1) {
      throw new IllegalArgumentException(
          "[accumulate] expected at least 1 batch, found " + batches);
    }
    accumulation = batches;
    return this;
  }

  /// Keeps the weights at 0 that this takes away, from the start and in every step.
  public Trainer prune(Pruning newPruning) {
    requireFresh();
    pruning = newPruning;
    return this;
  }

  /// Lets recurrent layers begin each batch with the states which the batch before left, as when
  /// batches are the following pieces of long sequences: truncated back-propagation through time
  /// (Williams and Peng 1990). Values go on from batch to batch, gradients do not. [#resetStates]
  /// begins sequences anew.
  public Trainer carryStates() {
    requireFresh();
    carriesStates = true;
    return this;
  }

  /// Begins sequences anew: the next batch has zeros for first states. Without [#carryStates] every
  /// batch has.
  public void resetStates() {
    holdings.requireOpen();
    TrainingStep compiled = state == null ? null : state.step();
    if (compiled != null) {
      compiled.resetStates();
    }
  }

  /// Keeps an average of the weights, and evaluates on it.
  public Trainer average(Averaging newAveraging) {
    requireFresh();
    averaging = newAveraging;
    return this;
  }

  /// Trains in this precision; [Precision#F32] by default. Parameters are F32 in any, and so are
  /// evaluation and prediction.
  public Trainer precision(Precision newPrecision) {
    requireFresh();
    precision = Objects.requireNonNull(newPrecision, "precision");
    return this;
  }

  /// Draws initial weights, the order of pictures, augmentation and dropout from this seed.
  public Trainer seed(long newSeed) {
    requireFresh();
    seed = newSeed;
    return this;
  }

  /// Prepares batches in this many background threads.
  public Trainer loaderThreads(int threads) {
    requireFresh();
    loaderThreads = threads;
    return this;
  }

  /// Ends runs before their time if they do not become better, and keeps the best epoch:
  /// `stopEarly(EarlyStopping.patience(5).restoreBest())`. By default a run goes to its end and
  /// keeps its last weights.
  public Trainer stopEarly(EarlyStopping newStopping) {
    requireFresh();
    stopping = newStopping;
    return this;
  }

  /// Goes back to where all was well, and on with a lower learning rate, when the loss in [#fit] is
  /// not finite: `recover(Recovery.attempts(3))`. By default a run ends with a [DivergedException].
  public Trainer recover(Recovery newRecovery) {
    requireFresh();
    recovery = newRecovery;
    return this;
  }

  /// Writes a checkpoint to `file` after every such span of a [#fit], and at its end: all that
  /// training goes on from. A run that [#resume] goes on with gives, bit for bit on a device, what
  /// it would have given without the interruption. An old file is replaced when the new one is
  /// complete; never by one with numbers that are not finite.
  ///
  /// In it are parameters, layer states, the preprocessing, the optimizer's states, sums of
  /// gradients, carried states, averages, the best weights so far, the history, and how many
  /// batches and epochs there were: random numbers are addressed by these. Not in it are the
  /// network and the trainer's configuration, which are code. [Model#load] reads the model of it.
  public Trainer checkpoint(Path file, Span every) {
    requireFresh();
    if (!(every.amount() > 0)) {
      throw new IllegalArgumentException(
          "[checkpoint] expected a span longer than 0, found " + every.amount());
    }
    saving = new TrainingRun.Saving(file, every);
    return this;
  }

  /// Goes on from a checkpoint: of the trainer's configuration and data everything is to be as when
  /// it was written. If it was written in a run, the next [#fit], called with the same arguments,
  /// is that run and does what is left of it; it may be longer. Its [History] is that of the whole
  /// run. The file is read when the trainer makes its model, and a
  /// [dev.gatun.data.DataFormatException] then says if it does not fit.
  public Trainer resume(Path file) {
    requireFresh();
    resumed = file;
    return this;
  }

  /// Writes a checkpoint now: for training loops of your own, and for watchers.
  ///
  /// @throws IOException when it cannot be written
  public void saveCheckpoint(Path file) throws IOException {
    TrainingState present = state();
    TrainingRun run = running;
    CheckpointFile.write(file, present.capture(run == null ? null : run.place()));
  }

  /// Keeps the training pictures in the device's memory, as bytes, and gathers, changes and
  /// standardises each batch there: a step takes nothing from the host but the batch's indices and
  /// labels, and [#loaderThreads] have nothing to do. The run is the same bit for bit as without.
  ///
  /// For pictures that are changed by [Augmentation#pad], [Augmentation#randomCrop],
  /// [Augmentation#flipHorizontal] and [Augmentation#cutout], each at most once and in this order,
  /// and standardised per channel; not for mixed ones. One trainer then trains on one set, by
  /// [#fit].
  public Trainer resident() {
    requireFresh();
    residentSet = true;
    return this;
  }

  /// Does up to this many steps of a [#fit] in one call of the device, which then need not wait for
  /// Java between them; for small networks on a GPU, above all with [#resident]. Results are the
  /// same bit for bit. Each step of a call has its own place in memory for a batch.
  ///
  /// A call ends early where something else is to be done: at the end of an epoch, where a
  /// checkpoint or a moment to go back to is due, where weights are averaged. Watchers are told of
  /// its steps when all of them are done. A loss that is not finite is seen then too; its step, and
  /// the last step that was done, are named.
  ///
  /// @param most 1 by default; more cannot be had with [#accumulate]
  public Trainer stepsPerCall(int most) {
    requireFresh();
    if (most < 1) {
      throw new IllegalArgumentException("[stepsPerCall] expected at least 1 step, found " + most);
    }
    stepsPerCall = most;
    return this;
  }

  /// Tells these watchers what happens.
  public Trainer watch(Watcher... newWatchers) {
    watchers.addAll(List.of(newWatchers));
    return this;
  }

  /// The model with its present parameters; owned by this trainer.
  public Model model() {
    return state().model();
  }

  private TrainingState state() {
    holdings.requireOpen();
    TrainingState present = state;
    if (present == null) {
      Device target = device;
      if (target == null) {
        target = holdings.add(Device.best());
        device = target;
      }
      Model model = holdings.add(Model.of(net, target, seed));
      if (pruning != null) {
        pruning.apply(model);
      }
      Averaging rule = averaging;
      present =
          new TrainingState(
              model,
              seed,
              rule == null ? null : () -> holdings.add(new AveragedModel(rule, model, seed)));
      if (resumed != null) {
        try (SafeTensors file = SafeTensors.open(resumed)) {
          Checkpoint checkpoint = CheckpointFile.read(file);
          present.resume(resumed, checkpoint);
          interrupted = checkpoint.position().run() == null ? null : checkpoint;
        }
      }
      state = present;
    }
    return present;
  }

  /// A trainer that is set up like this one, with a model of its own that begins anew: for looking
  /// at what this one does. It tells nobody, writes nothing, averages nothing, and makes a step of
  /// each batch.
  Trainer copy() {
    holdings.requireOpen();
    Trainer copy = new Trainer(net);
    copy.device = device;
    copy.loss = loss;
    copy.groups = groups;
    copy.schedule = schedule;
    copy.augmentation = augmentation;
    copy.preprocessing = preprocessing;
    copy.clipping = clipping;
    copy.carriesStates = carriesStates;
    copy.pruning = pruning;
    copy.precision = precision;
    copy.seed = seed;
    return copy;
  }

  Net net() {
    return net;
  }

  Schedule schedule() {
    return schedule;
  }

  /// Before the schedule.
  double learningRate() {
    return groups.learningRate();
  }

  /// Whether there is a model, and it is not as it began.
  boolean hasTrained() {
    return state != null && state.model().version() > 0;
  }

  /// The share of right answers in the last step's batch, of `rows` that count.
  double accuracy(long rows) {
    TrainingStep compiled = state().step();
    return compiled == null ? Double.NaN : (double) compiled.frame(0, 0).correct() / rows;
  }

  /// Lays a step of the present model open.
  Probe probe(int batch, Score.Targets targets) {
    return new Probe(model(), batch, new Probe.Work(loss, targets, groups, precision, seed));
  }

  /// The first batches that [#fit] would train on, but never mixed ones: `count` of them, or as
  /// many as there are.
  List<Minibatch> minibatches(Batches train, int count) {
    Batches batches = train.shuffled().dropRemainder();
    requireFits("doctor", train, preprocessed(augmentation.output(train.dataset().image())));
    Preprocessing known = preprocessing();
    Preprocessing fitted = known == null ? Standardizer.fit(train.dataset()) : known;
    List<Minibatch> minibatches = new ArrayList<>();
    try (Loader loader = new Loader(batches, fitted, augmentation, seed, loaderThreads)) {
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
    requireFits("doctor", train);
    return IntStream.range(0, Math.min(count, train.count()))
        .mapToObj(i -> Minibatch.of(train.inputs(i), train.targets(i)))
        .toList();
  }

  /// The model with averaged parameters; owned by this trainer.
  ///
  /// @throws IllegalStateException if no averaging is asked for, or none was done yet
  public Model averaged() {
    AveragedModel present = state().averaged();
    if (present == null || !present.hasBegun()) {
      throw new IllegalStateException(
          averaging == null
              ? "[averaged] this trainer does not average: ask for it with average(...)"
              : "[averaged] nothing was averaged yet");
    }
    return present.model();
  }

  /// Trains without a test set; see [#fit(Batches, Batches, Span)].
  public History fit(Batches train, Span length) {
    return run(train, null, length);
  }

  /// Trains for `length`, evaluating on `test` after each epoch. Pictures come in a new random
  /// order in every epoch, and the last incomplete batch of an epoch is left out. A second call
  /// goes on where the first ended, with its own schedule.
  ///
  /// @throws ShapeException if the pictures do not fit the network
  /// @throws DivergedException if the loss becomes infinite or NaN, in training or on `test`
  public History fit(Batches train, Batches test, Span length) {
    return run(train, test, length);
  }

  /// Trains on a text; see [#fit(TextBatches, TextBatches, Span)].
  public History fit(TextBatches train, Span length) {
    return run(train, null, length);
  }

  /// Trains for `length` on a text, batch after batch from its beginning to its end in every epoch,
  /// evaluating on `test` after each. With [#carryStates], states go on along the streams.
  ///
  /// @throws ShapeException if the network does not take sequences of the batches' length, or does
  ///   not answer at every step
  /// @throws DivergedException if the loss becomes infinite or NaN, in training or on `test`
  public History fit(TextBatches train, TextBatches test, Span length) {
    return run(train, test, length);
  }

  /// One step on a batch of your own, for training loops of your own: forward, backward and the
  /// optimizer. Returns the mean loss before the step. The batch size is that of the first step. If
  /// gradients are accumulated, every n-th call changes the parameters. For averages of weights an
  /// epoch is a step.
  ///
  /// @param images `[N, H, W, C]`, preprocessed
  /// @param labels `[N]`, or `[N, ...]` for outputs `[N, ..., classes]`; below the number of
  ///   classes, negative to be ignored
  /// @param learningRate for this step
  /// @throws ShapeException if the images are not N inputs of the network, or N is 0
  /// @throws IllegalArgumentException if a label is too large, N has changed, or the rate is not
  ///   finite
  public float step(float[] images, int[] labels, double learningRate) {
    TrainingStep compiled = prepare(DType.F32, images.length, labels, learningRate);
    compiled.frame(0, 0).setInputs(images);
    return run(compiled, learningRate);
  }

  /// The same for a network of tokens: see [Net#tokens].
  ///
  /// @param tokens `[N, T]`
  /// @param labels `[N, T]` for a network that answers at every step, `[N]` for one that does at
  ///   the end
  public float step(int[] tokens, int[] labels, double learningRate) {
    TrainingStep compiled = prepare(DType.I32, tokens.length, labels, learningRate);
    compiled.frame(0, 0).setInputs(tokens);
    return run(compiled, learningRate);
  }

  /// The same for targets that are numbers: what a regression aims at, or distributions over the
  /// classes.
  ///
  /// @param inputs `[N, ...]`
  /// @param targets as many as the network has outputs for N inputs
  /// @param learningRate for this step
  /// @throws ShapeException if inputs and targets are not those of N examples, or N is 0
  /// @throws IllegalArgumentException if N has changed, earlier steps had labels, or the rate is
  ///   not finite
  public float step(float[] inputs, float[] targets, double learningRate) {
    TrainingStep compiled = prepare(DType.F32, inputs.length, targets, learningRate);
    compiled.frame(0, 0).setInputs(inputs);
    return run(compiled, learningRate);
  }

  /// The same for a network of tokens.
  public float step(int[] tokens, float[] targets, double learningRate) {
    TrainingStep compiled = prepare(DType.I32, tokens.length, targets, learningRate);
    compiled.frame(0, 0).setInputs(tokens);
    return run(compiled, learningRate);
  }

  private TrainingStep prepare(DType inputs, int elements, int[] labels, double learningRate) {
    int batch = requireBatch(inputs, elements, labels.length, "labels", rows());
    requireLabels(labels);
    requireRate(learningRate);
    TrainingStep compiled = step("step", batch, null, Score.Targets.LABELS);
    compiled.frame(0, 0).setTargets(labels);
    return compiled;
  }

  private TrainingStep prepare(DType inputs, int elements, float[] targets, double learningRate) {
    long each = net.outputShape().count();
    int batch = requireBatch(inputs, elements, targets.length, "targets", each);
    requireRate(learningRate);
    TrainingStep compiled = step("step", batch, null, Score.Targets.VALUES);
    compiled.frame(0, 0).setTargets(targets);
    return compiled;
  }

  private float run(TrainingStep compiled, double learningRate) {
    TrainingState present = state();
    StepFrame frame = compiled.frame(0, 0);
    frame.set(learningRate, present.batches());
    compiled.feed(0, 0, 1);
    compiled.start(0, 1);
    compiled.await();
    present.countBatch();
    if (present.batches() % accumulation == 0) {
      long done = present.batches() / accumulation;
      compiled.update(learningRate, done - 1);
      present.average(new Schedule.Moment(done, 1, done));
    }
    return frame.loss();
  }

  /// Evaluates on all pictures of `test` in inference mode.
  ///
  /// @throws IllegalStateException if nothing was trained and no preprocessing was given
  public Evaluation evaluate(Batches test) {
    Preprocessing fitted = preprocessing();
    if (fitted == null) {
      throw new IllegalStateException(
          "[evaluate] the pictures' preprocessing is not known: call fit first, or"
              + " preprocess(...)");
    }
    requireFits("evaluate", test, fitted.output(test.dataset().image()));
    Model present = judged();
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(present, test.size(), 0),
            key -> holdings.add(InferenceStep.judging(key.model(), key.batch(), loss)));
    long start = System.nanoTime();
    double lossSum = 0;
    long correct = 0;
    long images = 0;
    try (Loader loader =
        new Loader(test, fitted, Augmentation.Pipeline.none(), seed, loaderThreads)) {
      loader.start(0);
      for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
        judge.setLabels(batch.labels());
        judge.run(batch.images(), 0, batch.images().length);
        lossSum += (double) judge.loss() * batch.count();
        correct += judge.correct();
        images += batch.count();
        loader.release(batch);
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Evaluation(lossSum / images, (double) correct / images, images, seconds);
  }

  /// Evaluates on a text in inference mode; with [#carryStates], states go on along its streams.
  /// With softmax cross-entropy the loss is in nats per character.
  ///
  /// @throws ShapeException if the network does not take tokens, or not answer at every step
  public Evaluation evaluate(TextBatches test) {
    requireFits("evaluate", test);
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(judged(), test.streams(), test.steps()),
            key ->
                holdings.add(
                    InferenceStep.judging(
                        key.model(), key.batch(), key.steps(), loss, carriesStates)));
    judge.resetStates();
    long start = System.nanoTime();
    double lossSum = 0;
    long correct = 0;
    for (int i = 0; i < test.count(); i++) {
      int[] tokens = test.inputs(i);
      judge.setLabels(test.targets(i));
      judge.run(tokens, 0, tokens.length);
      lossSum += judge.loss();
      correct += judge.correct();
    }
    long characters = (long) test.count() * test.streams() * test.steps();
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Evaluation(
        lossSum / test.count(), (double) correct / characters, characters, seconds);
  }

  /// The model that is evaluated.
  private Model judged() {
    TrainingState present = state();
    AveragedModel average = present.averaged();
    Model judged = average != null && average.hasBegun() ? average.model() : present.model();
    judged.requireOpen();
    return judged;
  }

  /// Gives the model and all memory back; a second call does nothing.
  @Override
  public void close() {
    holdings.closeByOwner();
    cleanable.clean();
  }

  private History run(Batches train, @Nullable Batches test, Span length) {
    holdings.requireOpen();
    Batches batches = train.shuffled().dropRemainder();
    requireFits("fit", train, preprocessed(augmentation.output(train.dataset().image())));
    if (test != null) {
      requireFits("fit", test, preprocessed(test.dataset().image()));
    }
    if (!(mixing instanceof Mixing.None)
        && !net.outputShape().equals(Shape.of(train.dataset().classes()))) {
      throw new ShapeException(
          "[fit] mixed pictures need a network with as many outputs as there are classes, found %s"
                  .formatted(net.outputShape())
              + " and "
              + train.dataset().classes());
    }
    Preprocessing fitted = preprocessing();
    if (fitted == null) {
      fitted = Standardizer.fit(train.dataset());
    }
    model().preprocessing(fitted);
    Supplier<Evaluation> judgement = test == null ? null : () -> evaluate(test);
    try (Feed feed = pictures(batches, fitted)) {
      return run(feed, batches.count(), judgement, length);
    }
  }

  private Feed pictures(Batches batches, Preprocessing fitted) {
    if (!residentSet) {
      return new Feed.Pictures(
          new Loader(batches, fitted, augmentation, mixing, seed, loaderThreads), batches.size());
    }
    if (!(mixing instanceof Mixing.None)) {
      throw new IllegalArgumentException("[resident] pictures on the device cannot be mixed");
    }
    ResidentPictures present = resident;
    if (present == null) {
      present =
          holdings.add(
              new ResidentPictures(
                  model().device().backend(), batches.dataset(), augmentation, fitted, seed));
      resident = present;
    } else if (!present.dataset().equals(batches.dataset())) {
      throw new IllegalArgumentException(
          "[resident] this trainer keeps %s on the device, found another set, %s"
              .formatted(present.dataset().name(), batches.dataset().name()));
    }
    return new Feed.Indices(present, batches, seed);
  }

  private History run(TextBatches train, @Nullable TextBatches test, Span length) {
    holdings.requireOpen();
    requireFits("fit", train);
    Supplier<Evaluation> judgement = test == null ? null : () -> evaluate(test);
    return run(new Feed.Characters(train), train.count(), judgement, length);
  }

  private History run(Feed feed, long batches, @Nullable Supplier<Evaluation> test, Span length) {
    if (stepsPerCall > 1 && accumulation > 1) {
      throw new IllegalArgumentException(
          "[stepsPerCall] a step of %d batches takes as many calls, so %d steps cannot share one"
              .formatted(accumulation, stepsPerCall));
    }
    long stepsPerEpoch = batches / accumulation;
    if (stepsPerEpoch < 1 && accumulation > 1) {
      throw new IllegalArgumentException(
          "[fit] an epoch has %d batches, fewer than the %d that a step accumulates"
              .formatted(batches, accumulation));
    }
    TrainingStep compiled = step("fit", feed.size(), feed.resident(), feed.targets());
    TrainingRun.Rules rules =
        new TrainingRun.Rules(
            groups.learningRate(),
            schedule,
            accumulation,
            stopping,
            recovery,
            saving,
            watchers,
            holdings::requireOpen);
    TrainingRun run =
        new TrainingRun(rules, state(), compiled, feed, batches, test, length, interrupted);
    interrupted = null;
    running = run;
    try {
      long done = run.stepsDone();
      return run.go(
          new Watcher.Start(
              model(),
              settings(feed.size()),
              feed.size(),
              stepsPerEpoch,
              length.toSteps(stepsPerEpoch),
              done,
              state().batches() / accumulation - done));
    } finally {
      running = null;
    }
  }

  /// The configuration in words, without what can be told in code only and what is not asked for.
  private Map<String, String> settings(int batch) {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("optimizer", groups.toString());
    settings.put("batch", accumulation == 1 ? "" + batch : accumulation + " times " + batch);
    if (!(clipping instanceof Clipping.None)) {
      settings.put("clipping", clipping.toString());
    }
    if (!augmentation.steps().isEmpty()) {
      settings.put("augmentation", augmentation.steps().toString());
    }
    if (!(mixing instanceof Mixing.None)) {
      settings.put("mixing", mixing.toString());
    }
    if (averaging != null) {
      settings.put("averaging", averaging.toString());
    }
    settings.put("precision", precision.toString());
    settings.put("seed", Long.toString(seed));
    settings.put("device", model().device().description());
    return settings;
  }

  private TrainingStep step(
      String caller, int batch, @Nullable ResidentPictures pictures, Score.Targets targets) {
    if (residentSet && pictures == null) {
      throw new IllegalStateException(
          "[%s] this trainer gathers pictures on the device: train it by fit".formatted(caller));
    }
    TrainingState own = state();
    own.model().requireOpen();
    TrainingStep present = own.step();
    if (present == null) {
      TrainingStep.Rule rule =
          new TrainingStep.Rule(groups, clipping, accumulation, carriesStates, pruning);
      present =
          holdings.add(
              new TrainingStep(
                  own.model(),
                  batch,
                  pictures,
                  loss,
                  targets,
                  rule,
                  precision,
                  stepsPerCall,
                  seed));
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

  /// The rows of outputs that an input has: 1, save for networks that answer for every place.
  private long rows() {
    Shape shape = net.outputShape();
    return shape.rank() < 1 ? 1 : shape.count() / Math.max(1, shape.dim(-1));
  }

  /// The number of examples.
  private int requireBatch(DType inputs, int found, int targets, String what, long each) {
    holdings.requireOpen();
    net.requireInputs("step", inputs);
    if (targets == 0) {
      throw new ShapeException("[step] expected at least one input, found none");
    }
    if (targets % each != 0) {
      throw new ShapeException(
          "[step] expected %d %s an input for outputs %s, found %d in all"
              .formatted(each, what, net.outputShape(), targets));
    }
    int batch = (int) (targets / each);
    long elements = batch * net.inputShape().count();
    if (found != elements) {
      throw new ShapeException(
          "[step] expected %d inputs %s (%d elements), found %d elements"
              .formatted(batch, net.inputShape(), elements, found));
    }
    return batch;
  }

  private static void requireRate(double learningRate) {
    if (!Double.isFinite(learningRate)) {
      throw new IllegalArgumentException(
          "[step] expected a finite learning rate, found " + learningRate);
    }
  }

  private void requireLabels(int[] labels) {
    Shape shape = net.outputShape();
    long classes = shape.rank() < 1 ? Long.MAX_VALUE : shape.dim(-1);
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] >= classes) {
        throw new IllegalArgumentException(
            "[step] expected labels below %d, found %d for input %d"
                .formatted(classes, labels[i], i));
      }
    }
  }

  /// What was given, or else what the model has.
  private @Nullable Preprocessing preprocessing() {
    if (resumed != null) {
      state(); // knows it from the file
    }
    return preprocessing != null || state == null ? preprocessing : state.model().preprocessing();
  }

  private ImageShape preprocessed(ImageShape image) {
    Preprocessing known = preprocessing();
    return known == null ? image : known.output(image);
  }

  private void requireFits(String caller, Batches batches, ImageShape image) {
    Shape shape = Shape.of(image.height(), image.width(), image.channels());
    if (!shape.equals(net.inputShape())) {
      throw new ShapeException(
          "[%s] the network expects inputs %s, the pictures of %s are %s"
              .formatted(caller, net.inputShape(), batches.dataset().name(), shape));
    }
    long classes = net.outputShape().rank() == 1 ? net.outputShape().dim(0) : -1;
    if (classes >= 0 && classes < batches.dataset().classes()) {
      throw new ShapeException(
          "[%s] the network tells %d classes apart, %s has %d"
              .formatted(caller, classes, batches.dataset().name(), batches.dataset().classes()));
    }
  }

  private void requireFits(String caller, TextBatches text) {
    net.requireInputs(caller, DType.I32);
    Shape shape = Shape.of(text.steps());
    Shape outputs = net.outputShape();
    if (!shape.equals(net.inputShape()) || outputs.rank() != 2 || outputs.dim(0) != text.steps()) {
      throw new ShapeException(
          "[%s] the text has sequences %s with a target for each step, the network makes %s of %s"
              .formatted(caller, shape, outputs, net.inputShape()));
    }
    if (outputs.dim(1) < text.classes()) {
      throw new ShapeException(
          "[%s] the network tells %d characters apart, the text has %d"
              .formatted(caller, outputs.dim(1), text.classes()));
    }
  }

  private void requireFresh() {
    if (state != null) {
      throw new IllegalStateException(
          "the trainer has made its model already; its configuration is fixed");
    }
  }
}
