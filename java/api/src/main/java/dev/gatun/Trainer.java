package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Batches;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.Mixing;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.Minibatch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/// Trains a network on pictures, examples in memory, a text, or batches of your own:
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
///
/// What a [Watcher] throws ends a run between two steps and comes out of [#fit]; an interrupt of
/// the thread does so too, as an [IllegalStateException]. The trainer keeps what it has learned,
/// and may be evaluated, saved and trained on.
public final class Trainer implements AutoCloseable {
  private final TrainerSettings settings;
  private final Training training;

  private Trainer(Net net) {
    settings = new TrainerSettings(net);
    training = new Training(settings);
  }

  /// A trainer for `net`: softmax cross-entropy, SGD with rate 0.1 and momentum 0.9, no
  /// augmentation, seed 1.
  public static Trainer of(Net net) {
    return new Trainer(net);
  }

  /// Trains on `device`, which the caller closes after the trainer. By default on a device of the
  /// trainer's own.
  public Trainer on(Device device) {
    fresh().device = device;
    return this;
  }

  /// Makes this loss small.
  public Trainer loss(Loss loss) {
    fresh().loss = loss;
    return this;
  }

  /// Follows the gradients this way, all parameters alike.
  public Trainer optimizer(Optimizer optimizer) {
    return optimizer(ParameterGroups.of(optimizer));
  }

  /// Follows the gradients this way, with its own rule for each group of parameters.
  public Trainer optimizer(ParameterGroups groups) {
    fresh().groups = groups;
    return this;
  }

  /// Multiplies the optimizer's learning rate by this schedule.
  public Trainer schedule(Schedule schedule) {
    fresh().schedule = schedule;
    return this;
  }

  /// Changes training pictures at random, in the loader's threads, in this order.
  public Trainer augment(Augmentation... steps) {
    fresh().augmentation = Augmentation.Pipeline.of(steps);
    return this;
  }

  /// Mixes training pictures in pairs, and their targets: mixup, CutMix. The loss then has
  /// distributions over the classes for targets.
  public Trainer mix(Mixing mixing) {
    fresh().mixing = mixing;
    return this;
  }

  /// Turns the bytes of pictures into numbers this way, and changes the inputs of examples. By
  /// default each channel of pictures is standardised by the training set's mean and deviation, and
  /// examples stay as they are. It becomes the model's ([Model#preprocessing]), also where steps of
  /// your own train it on inputs that are preprocessed already.
  public Trainer preprocess(Preprocessing preprocessing) {
    fresh().preprocessing = preprocessing;
    return this;
  }

  /// Scales gradients down whose norm over all parameters exceeds `maxNorm`.
  public Trainer clipNorm(double maxNorm) {
    return clip(Clipping.byNorm(maxNorm));
  }

  /// Limits gradients this way.
  public Trainer clip(Clipping clipping) {
    fresh().clipping = clipping;
    return this;
  }

  /// Makes one step of the mean gradient of this many batches, as if of one larger batch; batch
  /// norm and dropout still see each batch on its own. Spans, rates and watchers count steps.
  public Trainer accumulate(int batches) {
    if (batches < 1) {
      throw new IllegalArgumentException(
          "[accumulate] expected at least 1 batch, found " + batches);
    }
    fresh().accumulation = batches;
    return this;
  }

  /// Keeps the weights at 0 that this takes away, from the start and in every step.
  public Trainer prune(Pruning pruning) {
    fresh().pruning = pruning;
    return this;
  }

  /// Lets recurrent layers begin each batch with the states which the batch before left, as when
  /// batches are the following pieces of long sequences: truncated back-propagation through time
  /// (Williams and Peng 1990). Values go on from batch to batch, gradients do not. [#resetStates]
  /// begins sequences anew.
  public Trainer carryStates() {
    fresh().carriesStates = true;
    return this;
  }

  /// Begins sequences anew: the next batch has zeros for first states. Without [#carryStates] every
  /// batch has.
  public void resetStates() {
    training.resetStates();
  }

  /// Keeps an average of the weights, and evaluates on it.
  public Trainer average(Averaging averaging) {
    fresh().averaging = averaging;
    return this;
  }

  /// Trains in this precision; [Precision#F32] by default. Parameters are F32 in any, and so are
  /// evaluation and prediction.
  public Trainer precision(Precision precision) {
    fresh().precision = Objects.requireNonNull(precision, "precision");
    return this;
  }

  /// Draws initial weights, the order of pictures, augmentation and dropout from this seed.
  public Trainer seed(long seed) {
    fresh().seed = seed;
    return this;
  }

  /// Prepares batches in this many background threads.
  ///
  /// @throws IllegalArgumentException if there is none
  public Trainer loaderThreads(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException(
          "[loaderThreads] expected at least 1 thread, found " + threads);
    }
    fresh().loaderThreads = threads;
    return this;
  }

  /// Ends runs before their time if they do not become better, and keeps the best epoch:
  /// `stopEarly(EarlyStopping.patience(5).restoreBest())`. By default a run goes to its end and
  /// keeps its last weights.
  public Trainer stopEarly(EarlyStopping stopping) {
    fresh().stopping = stopping;
    return this;
  }

  /// Goes back to where all was well, and on with a lower learning rate, when the loss in [#fit] is
  /// not finite: `recover(Recovery.attempts(3))`. By default a run ends with a [DivergedException].
  public Trainer recover(Recovery recovery) {
    fresh().recovery = recovery;
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
    if (!(every.amount() > 0)) {
      throw new IllegalArgumentException(
          "[checkpoint] expected a span longer than 0, found " + every.amount());
    }
    fresh().saving = new TrainerSettings.Saving(file, every);
    return this;
  }

  /// Goes on from a checkpoint: of the trainer's configuration and data everything is to be as when
  /// it was written. If it was written in a run, the next [#fit], called with the same arguments,
  /// is that run and does what is left of it; it may be longer. Its [History] is that of the whole
  /// run. The file is read when the trainer makes its model. A [dev.gatun.data.DataFormatException]
  /// says, then or in [#fit], if it does not fit.
  public Trainer resume(Path file) {
    fresh().resumed = file;
    return this;
  }

  /// Writes a checkpoint now: for training loops of your own, and for watchers.
  ///
  /// @throws IOException when it cannot be written
  public void saveCheckpoint(Path file) throws IOException {
    training.saveCheckpoint(file);
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
    fresh().resident = true;
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
    if (most < 1) {
      throw new IllegalArgumentException("[stepsPerCall] expected at least 1 step, found " + most);
    }
    fresh().stepsPerCall = most;
    return this;
  }

  /// Tells these watchers what happens.
  public Trainer watch(Watcher... watchers) {
    settings.watchers.addAll(List.of(watchers));
    return this;
  }

  /// The model with its present parameters; owned by this trainer.
  public Model model() {
    return training.model();
  }

  /// The model with averaged parameters; owned by this trainer.
  ///
  /// @throws IllegalStateException if no averaging is asked for, or none was done yet
  public Model averaged() {
    return training.averaged();
  }

  /// Trains without a test set; see [#fit(Batches, Batches, Span)].
  public History fit(Batches train, Span length) {
    return training.fit(train, null, length);
  }

  /// Trains for `length`, evaluating on `test` after each epoch. Pictures come in a new random
  /// order in every epoch, and the last incomplete batch of an epoch is left out. A second call
  /// goes on where the first ended, with its own schedule.
  ///
  /// @throws ShapeException if the pictures do not fit the network
  /// @throws DivergedException if the loss becomes infinite or NaN, in training or on `test`
  public History fit(Batches train, Batches test, Span length) {
    return training.fit(train, test, length);
  }

  /// Trains on a text; see [#fit(TextBatches, TextBatches, Span)].
  public History fit(TextBatches train, Span length) {
    return training.fit(train, null, length);
  }

  /// Trains for `length` on a text, batch after batch from its beginning to its end in every epoch,
  /// evaluating on `test` after each. With [#carryStates], states go on along the streams.
  ///
  /// @throws ShapeException if the network does not take sequences of the batches' length, or does
  ///   not answer at every step
  /// @throws DivergedException if the loss becomes infinite or NaN, in training or on `test`
  public History fit(TextBatches train, TextBatches test, Span length) {
    return training.fit(train, test, length);
  }

  /// Trains without a test set; see [#fit(ExampleBatches, ExampleBatches, Span)].
  public History fit(ExampleBatches train, Span length) {
    return training.fit(train, null, length);
  }

  /// Trains for `length` on examples in memory, the rows of a table say, evaluating on `test` after
  /// each epoch. They come in a new random order in every epoch, and the last incomplete batch of
  /// an epoch is left out. Inputs go through what [#preprocess] was given, else through what the
  /// model has from a file ([Model#restore], [#resume]), else through nothing.
  ///
  /// @throws ShapeException if the examples do not fit the network
  /// @throws IllegalArgumentException if the loss is softmax cross-entropy, as it is by default,
  ///   and targets are numbers but no distributions
  /// @throws DivergedException if the loss becomes infinite or NaN, in training or on `test`
  public History fit(ExampleBatches train, ExampleBatches test, Span length) {
    return training.fit(train, test, length);
  }

  /// One step on a batch of your own, for training loops of your own: forward, backward and the
  /// optimizer. Returns the mean loss before the step. The batch size is that of the first step. If
  /// gradients are accumulated, every n-th call changes the parameters. For averages of weights an
  /// epoch is a step.
  ///
  /// @param images `[N, H, W, C]`, preprocessed
  /// @param labels `[N]`, or `[N, ...]` for outputs `[N, ..., classes]`; below the number of
  ///   classes, which is 2 for an only output with a binary loss, negative to be ignored. Other
  ///   losses take labels for an only output as numbers
  /// @param learningRate for this step
  /// @throws ShapeException if the images are not N inputs of the network, or N is 0
  /// @throws IllegalArgumentException if a label is too large, N has changed, or the rate is not
  ///   finite
  public float step(float[] images, int[] labels, double learningRate) {
    return training.step(Minibatch.of(images, labels), learningRate);
  }

  /// The same for a network of tokens: see [Net#tokens].
  ///
  /// @param tokens `[N, T]`
  /// @param labels `[N, T]` for a network that answers at every step, `[N]` for one that does at
  ///   the end
  /// @throws IllegalArgumentException if a token is not below the vocabulary of an embedding
  public float step(int[] tokens, int[] labels, double learningRate) {
    return training.step(Minibatch.of(tokens, labels), learningRate);
  }

  /// The same for targets that are numbers: what a regression aims at, or distributions over the
  /// classes.
  ///
  /// @param inputs `[N, ...]`
  /// @param targets as many as the network has outputs for N inputs
  /// @param learningRate for this step
  /// @throws ShapeException if inputs and targets are not those of N examples, or N is 0
  /// @throws IllegalArgumentException if N has changed, earlier steps had labels, the rate is not
  ///   finite, or the loss is softmax cross-entropy and targets are no distributions
  public float step(float[] inputs, float[] targets, double learningRate) {
    return training.step(Minibatch.of(inputs, targets), learningRate);
  }

  /// The same for a network of tokens.
  public float step(int[] tokens, float[] targets, double learningRate) {
    return training.step(Minibatch.of(tokens, targets), learningRate);
  }

  /// Evaluates on all pictures of `test` in inference mode.
  ///
  /// @throws IllegalStateException if nothing was trained and no preprocessing was given
  public Evaluation evaluate(Batches test) {
    return training.evaluate(test);
  }

  /// Evaluates on all examples of `test` in inference mode, preprocessed as in training.
  ///
  /// @throws ShapeException if the examples do not fit the network
  public Evaluation evaluate(ExampleBatches test) {
    return training.evaluate(test);
  }

  /// Evaluates on a text in inference mode; with [#carryStates], states go on along its streams.
  /// With softmax cross-entropy the loss is in nats per character.
  ///
  /// @throws ShapeException if the network does not take tokens, or not answer at every step
  public Evaluation evaluate(TextBatches test) {
    return training.evaluate(test);
  }

  /// Gives the model and all memory back; a second call does nothing.
  @Override
  public void close() {
    training.close();
  }

  Training training() {
    return training;
  }

  /// The settings, to be changed.
  private TrainerSettings fresh() {
    if (training.hasBegun()) {
      throw new IllegalStateException(
          "the trainer has made its model already; its configuration is fixed");
    }
    return settings;
  }
}
