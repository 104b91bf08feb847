package dev.gatun.train;

import static dev.gatun.train.Messages.illegalState;
import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.DivergedException;
import dev.gatun.EarlyStopping;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Examples;
import dev.gatun.data.FeatureScaler;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Runs of a trainer on examples in memory: labels, and numbers to be predicted.
class ExamplesFitTest {
  private static final Net CLASSIFIER = Net.input(2).dense(8).tanh().dense(2);
  private static final Net REGRESSOR = Net.input(2).dense(8).tanh().dense(1);
  private static final int SIZE = 220;

  @TempDir private Path folder;

  /// Two features of very different scale.
  private static float[] inputs() {
    float[] inputs = Pictures.normal(2 * SIZE, 1);
    for (int i = 0; i < SIZE; i++) {
      inputs[2 * i] = 50 + 10 * inputs[2 * i];
      inputs[2 * i + 1] = 3000 + 900 * inputs[2 * i + 1];
    }
    return inputs;
  }

  private static Examples labelled() {
    float[] inputs = inputs();
    int[] labels = new int[SIZE];
    for (int i = 0; i < SIZE; i++) {
      labels[i] = 90 * inputs[2 * i] + inputs[2 * i + 1] > 7500 ? 1 : 0;
    }
    return Examples.of(inputs, labels);
  }

  private static Examples aimed() {
    float[] inputs = inputs();
    float[] targets = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      targets[i] = inputs[2 * i] / 50 + inputs[2 * i + 1] / 3000;
    }
    return Examples.of(inputs, targets, SIZE);
  }

  private static Trainer trainer(Net net, Backends backend, Examples train) {
    return Trainer.of(net)
        .on(backend.device())
        .optimizer(Optimizer.adam(0.02))
        .preprocess(FeatureScaler.standardize(train));
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void classes_areLearnt(Backends backend) throws IOException {
    Examples.Split data = labelled().split(0.25, 1);
    Path file = folder.resolve("model");
    Evaluation found;
    try (Trainer trainer = trainer(CLASSIFIER, backend, data.train())) {
      History history =
          trainer.fit(data.train().batch(16), data.heldOut().batch(20), Span.epochs(30));
      found = Objects.requireNonNull(history.test());
      assertTrue(found.accuracy() > 0.9, "accuracy " + found.accuracy());
      assertEquals(55, found.images());
      assertEquals(30 * 10, history.steps()); // 165 examples: the last 5 of each pass are left out
      trainer.model().save(file);
    }
    // By hand, with what the file knows.
    try (Model model = Model.load(CLASSIFIER, backend.device(), file)) {
      float[] inputs = Objects.requireNonNull(model.preprocessing()).apply(data.heldOut().inputs());
      float[] outputs = model.predict(inputs);
      int[] labels = Objects.requireNonNull(data.heldOut().labels());
      double loss = 0;
      int correct = 0;
      for (int i = 0; i < labels.length; i++) {
        double other = outputs[2 * i + 1 - labels[i]] - outputs[2 * i + labels[i]];
        loss += Math.log1p(Math.exp(other)) / labels.length;
        correct += other < 0 ? 1 : 0;
      }
      assertEquals(loss, found.loss(), 1e-5);
      assertEquals((double) correct / labels.length, found.accuracy());
    }
  }

  /// The run ends by the loss on what is held out, which has no accuracy, and keeps the best.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void numbers_areLearnt_andRunsStopEarly(Backends backend) {
    Examples.Split data = aimed().split(0.25, 1);
    try (Trainer trainer =
        trainer(REGRESSOR, backend, data.train())
            .loss(Loss.meanSquaredError())
            .stopEarly(EarlyStopping.patience(3).restoreBest())) {
      History history =
          trainer.fit(data.train().batch(16), data.heldOut().batch(20), Span.epochs(500));
      assertTrue(history.stoppedEarly(), "after " + history.epochs().size());
      Evaluation best = Objects.requireNonNull(Objects.requireNonNull(history.best()).test());
      assertTrue(best.loss() < 0.01, "loss " + best.loss());
      assertTrue(Double.isNaN(best.accuracy()));
      assertTrue(Double.isNaN(history.epochs().getFirst().trainAccuracy()));
      assertEquals(best.loss(), trainer.evaluate(data.heldOut().batch(20)).loss());

      FeatureScaler scaler = FeatureScaler.standardize(data.train());
      float[] outputs = trainer.model().predict(scaler.apply(data.heldOut().inputs()));
      float[] targets = Objects.requireNonNull(data.heldOut().targets());
      double squares = 0;
      for (int i = 0; i < targets.length; i++) {
        squares += Math.pow(outputs[i] - targets[i], 2) / targets.length;
      }
      assertEquals(squares, best.loss(), 1e-6);
    }
  }

  /// Cut off in the middle of an epoch.
  @Test
  void resumedRun_isTheRunItself() {
    Examples examples = aimed();
    Path file = folder.resolve("checkpoint");
    float[] whole;
    try (Trainer trainer = regressor(examples)) {
      whole = trainer.fit(examples.batch(32), Span.epochs(4)).losses();
    }
    try (Trainer trainer = regressor(examples).checkpoint(file, Span.steps(4))) {
      trainer.watch(
          new Watcher() {
            @Override
            public void step(Step step) {
              if (step.step() == 15) {
                throw new IllegalStateException("cut off");
              }
            }
          });
      Messages.illegalState("cut off", () -> trainer.fit(examples.batch(32), Span.epochs(4)));
    }
    try (Trainer trainer = regressor(examples).resume(file)) {
      assertArrayEquals(whole, trainer.fit(examples.batch(32), Span.epochs(4)).losses());
    }
  }

  private static Trainer regressor(Examples train) {
    return trainer(REGRESSOR, Backends.REFERENCE, train).loss(Loss.meanSquaredError());
  }

  @Test
  void whatDoesNotFit_isRefused() {
    Examples labels = labelled();
    Examples numbers = aimed();
    Span epoch = Span.epochs(1);
    try (Trainer trainer = Trainer.of(Net.input(3).dense(2)).on(Backends.REFERENCE.device());
        Trainer narrow = Trainer.of(Net.input(2).dense(4)).on(Backends.REFERENCE.device());
        Trainer tokens =
            Trainer.of(Net.tokens(2).embedding(3, 2).flatten().dense(2))
                .on(Backends.REFERENCE.device())) {
      shapeError(
          "[fit] the network expects inputs (3) (3 numbers), the examples have 2",
          () -> trainer.fit(labels.batch(10), epoch));
      shapeError(
          "[evaluate] the network expects inputs (3) (3 numbers), the examples have 2",
          () -> trainer.evaluate(labels.batch(10)));
      shapeError(
          "[fit] the network has outputs (4), the examples 1 targets each",
          () -> narrow.fit(numbers.batch(10), epoch));
      shapeError(
          "[fit] the network tells 4 classes apart, the examples have a label 7",
          () -> narrow.fit(Examples.of(new float[4], new int[] {0, 7}).batch(1), epoch));
      shapeError(
          "[fit] the network expects inputs I32 (2), found F32",
          () -> tokens.fit(labels.batch(10), epoch));
      refused(
          "[fit] there are 220 examples, fewer than one batch of 221, and incomplete batches are"
              + " dropped",
          () -> narrow.fit(labels.batch(221), epoch));
    }
  }

  /// Four steps with distributions over three classes each: accuracy is a share of the answers, not
  /// of the examples. The weights stay, so that training and test see the same.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void severalAnswersEach_areAllCounted(Backends backend) {
    float[] inputs = Pictures.normal(30 * 4 * 3, 1);
    float[] targets = new float[inputs.length];
    for (int row = 0; row < targets.length / 3; row++) {
      targets[3 * row + row % 3] = 1;
    }
    Examples examples = Examples.of(inputs, targets, 30);
    try (Trainer trainer =
        Trainer.of(Net.input(4, 3).dense(3)).on(backend.device()).optimizer(Optimizer.sgd(1e-30))) {
      float[] outputs = trainer.model().predict(inputs);
      int correct = 0;
      for (int row = 0; row < targets.length / 3; row++) {
        int greatest = 0;
        for (int k = 1; k < 3; k++) {
          greatest = outputs[3 * row + k] > outputs[3 * row + greatest] ? k : greatest;
        }
        correct += greatest == row % 3 ? 1 : 0;
      }
      History history = trainer.fit(examples.batch(10), examples.batch(8), Span.epochs(1));
      assertEquals(correct / 120.0, history.epochs().getFirst().trainAccuracy());
      Evaluation test = Objects.requireNonNull(history.test());
      assertEquals(correct / 120.0, test.accuracy());
      assertEquals(30, test.images());
    }
  }

  /// A net whose outputs are its inputs.
  private static Trainer identity(Backends backend, Loss loss, long... shape) {
    Trainer trainer =
        Trainer.of(Net.input(shape).dense(1))
            .on(backend.device())
            .loss(loss)
            .optimizer(Optimizer.sgd(1e-30));
    trainer.model().write("dense0.weight", new float[] {1});
    return trainer;
  }

  private static void expectAccuracy(double expected, Trainer trainer, Examples examples) {
    History history =
        trainer.fit(examples.batch(examples.size()), examples.batch(3), Span.epochs(1));
    assertEquals(expected, history.epochs().getFirst().trainAccuracy());
    assertEquals(expected, Objects.requireNonNull(history.test()).accuracy());
  }

  /// By hand: above 0 is a yes, 0 itself is none.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void logitsAlone_haveTheBinaryAccuracy(Backends backend) {
    float[] logits = {-2, -0.5f, 0, 0, 1e-6f, 3, 4, -1};
    int[] labels = {0, 1, 0, 1, 1, 0, 1, 0};
    try (Trainer trainer = identity(backend, Loss.binaryCrossEntropy(), 1)) {
      expectAccuracy(5 / 8.0, trainer, Examples.of(logits, labels));
    }
    try (Trainer trainer = identity(backend, Loss.binaryCrossEntropy(3), 1)) {
      expectAccuracy(5 / 8.0, trainer, Examples.of(logits, labels));
    }
    float[] targets = {0, 1, 0, 1, 0.75f, 0.25f, 0.5f, 0.5f};
    try (Trainer trainer = identity(backend, Loss.binaryCrossEntropy(), 1)) {
      expectAccuracy(4 / 8.0, trainer, Examples.of(logits, targets, 8));
    }
    try (Trainer trainer = identity(backend, Loss.binaryCrossEntropy(), 2, 1)) {
      expectAccuracy(4 / 8.0, trainer, Examples.of(logits, targets, 4)); // two answers each
    }
    try (Trainer trainer = identity(backend, Loss.meanSquaredError(), 1)) {
      expectAccuracy(Double.NaN, trainer, Examples.of(logits, labels));
    }
  }

  /// By hand, with weights that give the inputs back. Outputs that are numbers have no accuracy;
  /// where each is a yes or no, it counts for itself; one label for all is the greatest's place.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void severalOutputs_areJudgedByTheirLoss(Backends backend) {
    float[] logits = {-2, 1, 3, /* */ 0, -1, 2, /* */ 1, -3, -1};
    float[] targets = {0, 1, 1, /* */ 0, 1, 0.5f, /* */ 0.75f, 0, 0.25f};
    int[] labels = {2, 1, 0};
    Examples aimed = Examples.of(logits, targets, 3);
    Examples labelled = Examples.of(logits, labels);
    List<Loss> regressions =
        List.of(Loss.meanSquaredError(), Loss.meanAbsoluteError(), Loss.huber(1));
    for (Loss loss : regressions) {
      expectAccuracy(Double.NaN, backend, loss, aimed);
      expectAccuracy(2 / 3.0, backend, loss, labelled);
    }
    expectAccuracy(7 / 9.0, backend, Loss.binaryCrossEntropy(), aimed);
    expectAccuracy(7 / 9.0, backend, Loss.binaryCrossEntropy(3), aimed);
    expectAccuracy(2 / 3.0, backend, Loss.binaryCrossEntropy(), labelled);
  }

  private static void expectAccuracy(
      double expected, Backends backend, Loss loss, Examples examples) {
    try (Trainer trainer =
        Trainer.of(Net.input(3).dense(3))
            .on(backend.device())
            .loss(loss)
            .optimizer(Optimizer.sgd(1e-30))) {
      trainer.model().write("dense0.weight", new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1});
      expectAccuracy(expected, trainer, examples);
    }
  }

  /// A loss of one's own that says so.
  private record Focal() implements Loss {
    @Override
    public Tensor apply(Tensor outputs, Tensor targets) {
      Tensor wrong = outputs.sigmoid().minus(targets.as(DType.F32).reshape(-1, 1)).square();
      return wrong.mean();
    }

    @Override
    public boolean isBinary() {
      return true;
    }
  }

  @Test
  void binaryLossOfOnesOwn_hasTheBinaryAccuracy() {
    try (Trainer trainer = identity(Backends.REFERENCE, new Focal(), 1)) {
      expectAccuracy(2 / 3.0, trainer, Examples.of(new float[] {-1, 1, 2}, new int[] {0, 1, 0}));
    }
  }

  /// Steps of one's own take the labels that [Trainer#fit] takes.
  @Test
  void labelsOfASingleOutput_areTakenInSteps() {
    float[] inputs = {-2, 1, 3, -1};
    int[] labels = {0, 1, 0, -1};
    try (Trainer trainer = identity(Backends.REFERENCE, Loss.binaryCrossEntropy(), 1)) {
      double expected =
          Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(-1)) + Math.log1p(Math.exp(3));
      assertEquals(expected / 3, trainer.step(inputs, labels, 0.1), 1e-6);
      refused(
          "[step] expected labels below 2, found 2 for input 3",
          () -> trainer.step(inputs, new int[] {0, 1, 0, 2}, 0.1));
      shapeError(
          "[fit] the network tells 2 classes apart, the examples have a label 2",
          () -> trainer.fit(Examples.of(inputs, new int[] {0, 1, 0, 2}).batch(4), Span.steps(1)));
    }
    try (Trainer trainer = identity(Backends.REFERENCE, Loss.meanSquaredError(), 1)) {
      assertEquals((4 + 16 + 1) / 3.0, trainer.step(inputs, new int[] {0, 5, 2, -1}, 0.1), 1e-5);
    }
  }

  /// Its softmax is 1 whatever it is.
  @Test
  void softmaxOfASingleOutput_isRefused() {
    try (Trainer trainer = identity(Backends.REFERENCE, Loss.softmaxCrossEntropy(), 1)) {
      shapeError(
          "[loss] softmax cross-entropy expected an output for each class, found f32 (2, 1); take"
              + " dense(2), or Loss.binaryCrossEntropy()",
          () -> trainer.step(new float[2], new int[2], 0.1));
    }
  }

  /// A batch goes to the device's memory without a new array on its way.
  @Test
  void aStep_allocatesNoBatch() {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long self = Thread.currentThread().threadId();
    int features = 512;
    Examples examples = Examples.of(Pictures.normal(64 * features, 1), Pictures.labels(64, 2, 1));
    long[] allocated = new long[20];
    try (Trainer trainer =
        Trainer.of(Net.input(features).dense(2))
            .on(Backends.CPU.device())
            .watch(
                new Watcher() {
                  @Override
                  public void step(Step step) {
                    allocated[(int) step.step() - 1] = threads.getThreadAllocatedBytes(self);
                  }
                })) {
      trainer.fit(examples.batch(64), Span.steps(allocated.length));
    }
    long each = (allocated[allocated.length - 1] - allocated[9]) / (allocated.length - 10);
    assertTrue(each < 64L * features, "bytes allocated in a step: " + each);
  }

  /// Or no epoch would be better than another, and the run would end.
  @Test
  void runsWithoutAccuracy_areNotJudgedByIt() {
    Examples examples = aimed();
    try (Trainer trainer = regressor(examples).stopEarly(EarlyStopping.patience(2).byAccuracy())) {
      refused(
          "[stopEarly] epochs cannot be judged by accuracy: the network's outputs are numbers, which"
              + " are never right or wrong",
          () -> trainer.fit(examples.batch(20), Span.epochs(5)));
    }
  }

  /// The reference is the definition: the sum of -w log p over all labels, each with the weight w
  /// of its class, divided by the sum of these.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void anEvaluation_byClassWeights_doesNotDependOnTheBatches(Backends backend) {
    float[] inputs = Pictures.normal(2 * 21, 3);
    int[] labels = new int[21];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = i < 15 ? 0 : 1; // so that batches have different shares of each
    }
    Examples examples = Examples.of(inputs, labels);
    float[] weights = {1, 9};
    try (Tensor onDevice = Tensor.of(backend.device(), weights, 2);
        Trainer trainer =
            Trainer.of(CLASSIFIER)
                .on(backend.device())
                .loss(Loss.softmaxCrossEntropy().classWeights(onDevice))) {
      float[] logits = trainer.model().predict(inputs);
      double sum = 0;
      double divisor = 0;
      for (int i = 0; i < labels.length; i++) {
        double all = Math.exp(logits[2 * i]) + Math.exp(logits[2 * i + 1]);
        sum += weights[labels[i]] * (Math.log(all) - logits[2 * i + labels[i]]);
        divisor += weights[labels[i]];
      }
      for (int size : new int[] {1, 5, 8, 21}) {
        assertEquals(sum / divisor, trainer.evaluate(examples.batch(size)).loss(), 1e-5);
      }
    }
  }

  @Test
  void targetsThatAreNotFinite_areNamed() {
    Examples aimed = aimed();
    float[] targets = Objects.requireNonNull(aimed.targets());
    targets[7] = Float.NaN;
    try (Trainer trainer = regressor(aimed)) {
      String message =
          message(
              DivergedException.class,
              () ->
                  trainer.fit(
                      Examples.of(aimed.inputs(), targets, SIZE).batch(SIZE), Span.steps(1)));
      assertEquals(
          "the loss became NaN at step 1 with learning rate 0.0200; it was the first step. The first"
              + " tensor that is not finite is the batch's targets. Look for it in the data: missing"
              + " values, divisions by 0, logarithms of 0",
          message);
    }
  }

  @Test
  void anInterrupt_endsARun_andTheTrainerGoesOn() {
    Examples examples = labelled();
    try (Trainer trainer =
        trainer(CLASSIFIER, Backends.REFERENCE, examples)
            .watch(
                new Watcher() {
                  @Override
                  public void step(Step step) {
                    if (step.step() == 3) {
                      Thread.currentThread().interrupt();
                    }
                  }
                })) {
      illegalState(
          "[fit] interrupted after 3 steps", () -> trainer.fit(examples.batch(20), Span.epochs(5)));
      assertTrue(Thread.interrupted(), "the interrupt is the caller's to see");
      assertEquals(2, trainer.fit(examples.batch(20), Span.steps(2)).steps());
    } finally {
      Thread.interrupted();
    }
  }

  @Test
  void aScheduleThatIsNoNumber_isNamed() {
    Examples examples = labelled();
    try (Trainer trainer =
        trainer(CLASSIFIER, Backends.REFERENCE, examples)
            .schedule(moment -> moment.progress() < 0.5 ? 1 : Double.NaN)) {
      refused(
          "[schedule] expected a finite factor of at least 0 at step 2, found NaN",
          () -> trainer.fit(examples.batch(20), Span.steps(4)));
    }
  }

  @Test
  void aNegativeFactor_isNamed() {
    Examples examples = labelled();
    try (Trainer trainer =
        trainer(CLASSIFIER, Backends.REFERENCE, examples).schedule(moment -> -0.5)) {
      refused(
          "[schedule] expected a finite factor of at least 0 at step 0, found -0.5",
          () -> trainer.fit(examples.batch(20), Span.steps(4)));
    }
  }

  /// Numbers for targets and the loss that trainers have by default.
  @Test
  void targetsThatAreNoDistribution_areRefusedByCrossEntropy() {
    String advice =
        "; name a loss of numbers, such as .loss(Loss.meanSquaredError()), or of a yes or no for"
            + " each output, .loss(Loss.binaryCrossEntropy())";
    float[] inputs = {1, 2, 3, 4};
    try (Trainer trainer = Trainer.of(CLASSIFIER).on(Backends.REFERENCE.device())) {
      refused(
          "[fit] softmax cross-entropy expected targets that are a distribution over 2 classes,"
              + " found numbers from 0.0 with the sum 1.5 in row 1"
              + advice,
          () ->
              trainer.fit(
                  Examples.of(inputs, new float[] {0.25f, 0.75f, 0, 1.5f}, 2).batch(2),
                  Span.epochs(1)));
      refused(
          "[step] softmax cross-entropy expected targets that are a distribution over 2 classes,"
              + " found numbers from -1.0 with the sum 1.0 in row 0"
              + advice,
          () -> trainer.step(inputs, new float[] {2, -1, 0, 1}, 0.1));
      float loss = trainer.step(inputs, new float[] {0.3f, 0.7f, 0.99995f, 0}, 0.1);
      assertTrue(Float.isFinite(loss), "loss " + loss);
      float ofOne = trainer.step(inputs, new float[] {-1, 0, 0.3f, 0.7f}, 0.1); // one is ignored
      assertTrue(Float.isFinite(ofOne), "loss " + ofOne);
    }
    try (Trainer trainer =
        Trainer.of(CLASSIFIER).on(Backends.REFERENCE.device()).loss(Loss.meanSquaredError())) {
      assertTrue(trainer.step(inputs, new float[] {2, -1, 0, 7}, 0.1) > 0);
    }
  }

  @Test
  void aLoaderWithoutThreads_isRefusedAtOnce() {
    try (Trainer trainer = Trainer.of(CLASSIFIER)) {
      refused(
          "[loaderThreads] expected at least 1 thread, found 0", () -> trainer.loaderThreads(0));
    }
  }

  @Test
  void aHistory_printsOneLine() {
    Examples examples = labelled();
    try (Trainer trainer = trainer(CLASSIFIER, Backends.REFERENCE, examples)) {
      String line = trainer.fit(examples.batch(20), Span.epochs(2)).toString();
      assertTrue(line.startsWith("22 steps in 2 epochs, the last: Epoch[number=2, "), line);
    }
  }
}
