package dev.gatun.diagnosis;

import static dev.gatun.Optimizer.adam;
import static dev.gatun.Optimizer.adamW;
import static dev.gatun.Optimizer.sgd;
import static dev.gatun.diagnosis.Cases.CLASSES;
import static dev.gatun.diagnosis.Cases.FEATURES;
import static dev.gatun.diagnosis.Cases.clouds;
import static dev.gatun.diagnosis.Cases.device;
import static dev.gatun.diagnosis.Cases.examine;
import static dev.gatun.diagnosis.Cases.mlp;
import static dev.gatun.diagnosis.Severity.SEVERE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Doctor;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.ShapeException;
import dev.gatun.Span;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.Examples;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import dev.gatun.data.Text;
import dev.gatun.random.RandomStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Faults that are planted are found, by their names and places; sound trainers have none.
class DoctorTest {
  private static Net deep(int layers, double scale, UnaryOperator<Net> activation) {
    Net net = Net.input(FEATURES);
    for (int i = 0; i < layers; i++) {
      net = activation.apply(net.dense(new Dense(48).initializer(Initializer.normal(scale))));
    }
    return net.dense(CLASSES);
  }

  private static Diagnosis atRate(double rate) {
    return examine(mlp(), clouds(), trainer -> trainer.optimizer(sgd(rate).momentum(0.9)));
  }

  /// Adam moves each weight by its rate at first, here as much as the weights are.
  private static Diagnosis hasty() {
    try (Trainer trainer = Trainer.of(mlp()).on(device()).optimizer(adam(0.3))) {
      return Doctor.of(trainer, clouds()).steps(4).examine();
    }
  }

  private static Diagnosis with(UnaryOperator<Trainer> set) {
    return examine(mlp(), clouds(), set);
  }

  private static ParameterGroups frozen() {
    return ParameterGroups.of(sgd(0.05)).frozen(ParameterSelector.all());
  }

  private static Loss negated(Loss loss) {
    return (outputs, targets) -> loss.apply(outputs, targets).negate();
  }

  /// What should be made large, and not small.
  private static Tensor probabilityOfTheRightClass(Tensor outputs, Tensor targets) {
    return outputs.softmax().times(targets.oneHot(CLASSES).as(DType.F32)).sum(-1).mean();
  }

  private static List<Minibatch> labelled(Function<Integer, Integer> label) {
    List<Minibatch> batches = new ArrayList<>();
    for (Minibatch batch : clouds()) {
      float[] inputs = batch.inputs();
      int[] labels = new int[Cases.BATCH];
      for (int n = 0; n < labels.length; n++) {
        labels[n] = label.apply(batches.size() * Cases.BATCH + n);
      }
      batches.add(Minibatch.of(inputs == null ? new float[0] : inputs, labels));
    }
    return batches;
  }

  private static List<Minibatch> poisoned() {
    List<Minibatch> batches = clouds();
    float[] inputs = batches.get(3).inputs();
    if (inputs != null) {
      inputs[5] = Float.NaN;
    }
    return batches;
  }

  private static Arguments fault(String problem, String where, Supplier<Diagnosis> examination) {
    return Arguments.of(problem, where, examination);
  }

  private static Stream<Arguments> faults() {
    Net cut = Net.input(FEATURES).dense(16).relu().layer("cut", (context, x) -> x.sign());
    Net deaf = Net.input(FEATURES).dense(16).layer("deaf", (context, x) -> x.times(0.0));
    Net shifted = Net.input(FEATURES).dense(32).layer("shift", (context, x) -> x.minus(20)).relu();
    Net heavy = Net.input(FEATURES).dense(new Dense(32).initializer(Initializer.normal(20)));
    return Stream.of(
        fault("inputs not standardised", "", () -> examine(mlp(), clouds(32, 1, 100), t -> t)),
        fault("inputs not standardised", "", () -> examine(mlp(), clouds(32, 60, 0), t -> t)),
        fault("inputs not standardised", "", () -> examine(mlp(), clouds(32, 1e-3, 0), t -> t)),
        fault("inputs all alike", "", () -> examine(mlp(), clouds(32, 0, 1), t -> t)),
        fault("inputs not finite", "", () -> examine(mlp(), poisoned(), t -> t)),
        fault("labels outside the classes", "", () -> examine(mlp(), labelled(i -> i % 5), t -> t)),
        fault("labels all alike", "", () -> examine(mlp(), labelled(i -> 2), t -> t)),
        fault("labels all ignored", "", () -> examine(mlp(), labelled(i -> -1), t -> t)),
        fault(
            "labels imbalanced",
            "",
            () -> examine(mlp(), labelled(i -> i % 10 == 0 ? 1 : 0), t -> t)),
        fault("batches sorted by label", "", () -> examine(mlp(), labelled(i -> i / 80), t -> t)),
        fault(
            "targets not finite",
            "",
            () ->
                examine(
                    Net.input(FEATURES).dense(1),
                    Cases.sums(Double.POSITIVE_INFINITY),
                    t -> t.loss(Loss.meanSquaredError()))),
        fault(
            "targets not standardised",
            "",
            () ->
                examine(
                    Net.input(FEATURES).dense(16).relu().dense(1),
                    Cases.sums(500),
                    t -> t.loss(Loss.meanSquaredError()).optimizer(adam(0.01)))),
        fault(
            "initial loss off",
            "",
            () ->
                examine(
                    Net.input(FEATURES)
                        .dense(32)
                        .relu()
                        .dense(new Dense(CLASSES).initializer(Initializer.normal(3))))),
        fault("signals die out", "dense7", () -> examine(deep(8, 0.01, Net::tanh))),
        fault("signals explode", "dense7", () -> examine(deep(8, 2, Net::relu))),
        fault("vanishing gradients", "dense0", () -> examine(deep(12, 0.14, Net::sigmoid))),
        fault("exploding gradients", "dense0", () -> examine(deep(10, 2, Net::relu))),
        fault("dead units", "relu0", () -> examine(shifted.dense(CLASSES))),
        fault("saturated units", "sigmoid0", () -> examine(heavy.sigmoid().dense(CLASSES))),
        fault("saturated units", "tanh0", () -> examine(heavy.tanh().dense(CLASSES))),
        fault("constant outputs", "dense1", () -> examine(deaf.dense(CLASSES))),
        fault("no gradient", "dense0.weight", () -> examine(cut.dense(CLASSES))),
        fault(
            "small batches for batch norm",
            "batchNorm0",
            () ->
                examine(
                    Net.input(FEATURES).dense(32).batchNorm().relu().dense(CLASSES),
                    clouds(4, 1, 0),
                    t -> t)),
        fault("learning rate too high", "", () -> atRate(1000)),
        fault("learning rate too high", "", () -> atRate(4)),
        fault("learning rate too low", "", () -> atRate(1e-4)),
        fault("learning rate too low", "", () -> atRate(1e-8)),
        fault("updates too small", "dense", () -> atRate(1e-6)),
        fault("updates too large", "dense", DoctorTest::hasty),
        fault(
            "loss does not fall",
            "",
            () ->
                examine(
                    mlp(),
                    clouds(),
                    t ->
                        t.loss(
                            (outputs, targets) ->
                                outputs.times(0.0).softmaxCrossEntropy(targets)))),
        fault("all parameters frozen", "", () -> with(t -> t.optimizer(frozen()))),
        fault(
            "loss ignores outputs",
            "dense2",
            () -> with(t -> t.loss((outputs, targets) -> targets.as(DType.F32).plus(1).mean()))),
        fault(
            "no gradient",
            "dense0.weight",
            () -> examine(mlp().layer("cut", (context, x) -> x.sign()).dense(CLASSES))),
        fault(
            "loss of the wrong sign",
            "",
            () -> with(t -> t.loss(negated(Loss.softmaxCrossEntropy())))),
        fault(
            "loss of the wrong sign",
            "",
            () -> with(t -> t.loss(DoctorTest::probabilityOfTheRightClass).optimizer(adam(0.01)))),
        fault(
            "loss of the wrong sign",
            "",
            () ->
                examine(
                    Net.input(FEATURES).dense(16).relu().dense(1),
                    Cases.sums(1),
                    t -> t.loss(negated(Loss.meanSquaredError())))),
        fault("probabilities for logits", "softmax0", () -> examine(mlp().softmax())),
        fault("probabilities for logits", "sigmoid0", () -> examine(mlp().sigmoid())),
        fault(
            "probabilities for logits",
            "sigmoid0",
            () ->
                examine(
                    Net.input(FEATURES).dense(16).relu().dense(1).sigmoid(),
                    labelled(i -> i % 2),
                    t -> t.loss(Loss.binaryCrossEntropy()))),
        fault(
            "weights shrink away",
            "",
            () -> with(t -> t.optimizer(sgd(0.05).momentum(0.9).weightDecay(1)))),
        fault(
            "weights shrink away", "", () -> with(t -> t.optimizer(adamW(0.003).weightDecay(30)))),
        fault(
            "weights shrink away",
            "",
            () ->
                with(
                    t ->
                        t.optimizer(ParameterGroups.of(sgd(0.05)).l2(5, ParameterSelector.all())))),
        fault(
            "dropout too large",
            "dropout0",
            () -> examine(Net.input(FEATURES).dense(32).relu().dropout(0.98).dense(CLASSES))),
        fault(
            "dropout too large",
            "dropout0",
            () -> examine(Net.input(FEATURES).dropout(0.98).dense(32).relu().dense(CLASSES))),
        fault("few examples not learned", "", () -> examine(mlp(), clouds(32, 0, 1), t -> t)));
  }

  @ParameterizedTest(name = "{index}: {0} at {1}")
  @MethodSource("faults")
  void aFault_isFound(String problem, String where, Supplier<Diagnosis> examination) {
    Diagnosis diagnosis = examination.get();
    Cases.requireDocumented(problem);
    assertTrue(
        diagnosis.findings().stream()
            .anyMatch(
                finding ->
                    finding.problem().equals(problem)
                        && (where.isEmpty()
                            ? finding.where().isEmpty()
                            : finding.where().startsWith(where))),
        problem + " at " + where + " in\n" + diagnosis.report());
  }

  /// What all else follows from comes first, and is as grave.
  @ParameterizedTest
  @CsvSource({"500, WARNING", "1e6, SEVERE"})
  void targetsOfAnyScale_areJudgedByWhatIsLearned(double scale, Severity severity) {
    Diagnosis diagnosis =
        examine(
            Net.input(FEATURES).dense(16).relu().dense(1),
            Cases.sums(scale),
            t -> t.loss(Loss.meanSquaredError()).optimizer(adam(severity == SEVERE ? 0.01 : 1)));
    Finding first =
        diagnosis.findings().stream()
            .filter(finding -> finding.severity() == severity)
            .findFirst()
            .orElseThrow(() -> new AssertionError(diagnosis.report()));
    assertEquals("targets not standardised", first.problem(), diagnosis.report());
  }

  private static Arguments sound(String name, Supplier<Diagnosis> examination) {
    return Arguments.of(name, examination);
  }

  private static Stream<Arguments> soundOnes() {
    Net tanh = Net.input(FEATURES).dense(32).tanh().dense(32).tanh().dense(CLASSES);
    Net deep = Net.input(FEATURES);
    for (int i = 0; i < 8; i++) {
      deep = deep.dense(32).relu();
    }
    Net relus = deep.dense(CLASSES);
    Net norms =
        Net.input(FEATURES)
            .dense(32)
            .batchNorm()
            .relu()
            .dropout(0.2)
            .dense(32)
            .relu()
            .dense(CLASSES);
    Net zeroHead =
        Net.input(FEATURES)
            .dense(32)
            .relu()
            .dense(new Dense(CLASSES).initializer(Initializer.zeros()));
    Net sigmoid = Net.input(FEATURES).dense(32).sigmoid().dense(CLASSES);
    Net regression = Net.input(FEATURES).dense(32).relu().dense(1);
    return Stream.of(
        sound("mlp", () -> examine(mlp())),
        sound("Adam", () -> examine(mlp(), clouds(), t -> t.optimizer(adam(0.003)))),
        sound("slow", () -> atRate(0.01)),
        sound("fast", () -> atRate(0.15)),
        sound("tanh", () -> examine(tanh)),
        sound("sigmoid", () -> examine(sigmoid, clouds(), t -> t.optimizer(adam(0.01)))),
        sound("eight layers", () -> examine(relus)),
        sound("norms and dropout", () -> examine(norms)),
        sound("a head of zeros", () -> examine(zeroHead)),
        sound(
            "weight decay and dropout",
            () -> examine(norms, clouds(), t -> t.optimizer(adamW(0.01).weightDecay(0.1)))),
        sound("a log-softmax", () -> examine(mlp().logSoftmax())),
        sound(
            "probabilities with a squared error",
            () ->
                examine(
                    mlp().sigmoid(),
                    clouds(),
                    t -> t.loss(Loss.meanSquaredError()).optimizer(adam(0.01)))),
        sound(
            "a sound part frozen",
            () ->
                with(
                    t ->
                        t.optimizer(
                            ParameterGroups.of(adam(0.01))
                                .frozen(ParameterSelector.under("dense0"))))),
        sound("hinge", () -> examine(mlp(), clouds(), t -> t.loss(Loss.hinge()))),
        sound(
            "two classes",
            () -> examine(mlp(), labelled(i -> i % 2), t -> t.optimizer(adam(0.01)))),
        sound("pixels", () -> examine(mlp(), clouds(32, 0.25, 0.5), t -> t)),
        sound(
            "regression",
            () ->
                examine(
                    regression,
                    Cases.sums(1),
                    t -> t.loss(Loss.meanSquaredError()).optimizer(adam(0.01)))),
        sound("examples", DoctorTest::examples),
        sound("text", DoctorTest::text),
        sound("pictures", DoctorTest::pictures));
  }

  /// Two classes far from 0, which the trainer standardises and a single logit tells apart.
  private static Diagnosis examples() {
    Examples examples = yesAndNo();
    Net net = Net.input(FEATURES).dense(16).tanh().dense(1);
    try (Trainer trainer =
        Trainer.of(net)
            .on(device())
            .loss(Loss.binaryCrossEntropy())
            .optimizer(adam(0.01))
            .preprocess(FeatureScaler.standardize(examples))) {
      return Doctor.of(trainer, examples.batch(32)).examine();
    }
  }

  private static Examples yesAndNo() {
    RandomStream random = new RandomStream(8, 0);
    float[] inputs = new float[400 * FEATURES];
    int[] labels = new int[400];
    for (int n = 0; n < labels.length; n++) {
      labels[n] = random.nextInt(2);
      for (int k = 0; k < FEATURES; k++) {
        inputs[n * FEATURES + k] = (float) (500 + 60 * (labels[n] + random.nextGaussian()));
      }
    }
    return Examples.of(inputs, labels);
  }

  /// A text in which a character tells the next.
  private static Diagnosis text() {
    StringBuilder words = new StringBuilder();
    RandomStream random = new RandomStream(5, 0);
    for (int i = 0; i < 1500; i++) {
      words.append(List.of("sail ", "anchor ", "lock ", "tide ").get(random.nextInt(4)));
    }
    Text text = Text.of(words.toString());
    int characters = text.alphabet().size();
    Net net = Net.tokens(16).embedding(characters, 16).gru(32).dense(characters);
    try (Trainer trainer =
        Trainer.of(net).on(device()).optimizer(adam(0.01)).clipNorm(1).carryStates()) {
      return Doctor.of(trainer, text.batches(16, 16)).examine();
    }
  }

  /// Pictures with a bright row or column.
  private static Diagnosis pictures() {
    ImageShape shape = new ImageShape(8, 8, 1);
    RandomStream random = new RandomStream(6, 0);
    byte[] pixels = new byte[400 * 64];
    int[] labels = new int[400];
    for (int i = 0; i < pixels.length; i++) {
      labels[i / 64] = i / 64 % 8;
      int noise = random.nextInt(60);
      pixels[i] = (byte) (i % 8 == labels[i / 64] ? 150 + noise : noise);
    }
    Dataset data = MemoryDataset.of("columns", shape, pixels, labels);
    Net net =
        Net.input(8, 8, 1)
            .conv(8, 3)
            .batchNorm()
            .relu()
            .residual(branch -> branch.conv(8, 3).batchNorm().relu().conv(8, 3).batchNorm())
            .relu()
            .flatten()
            .dense(data.classes());
    try (Trainer trainer = Trainer.of(net).on(device()).optimizer(sgd(0.1).momentum(0.9))) {
      return Doctor.of(trainer, data.batch(32)).examine();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("soundOnes")
  void aSoundTrainer_hasNoFault(String name, Supplier<Diagnosis> examination) {
    Diagnosis diagnosis = examination.get();
    assertEquals(List.of(), diagnosis.findings(), name + "\n" + diagnosis.report());
    assertTrue(diagnosis.isHealthy());
  }

  /// The step and the place where something is first not finite, found by doing it again.
  @Test
  void whatIsNotFinite_isTracedBack() {
    Net logs =
        Net.input(FEATURES).dense(16).layer("log", (context, x) -> x.relu().log()).dense(CLASSES);
    assertOrigin(new Origin(1, Origin.Part.OUTPUT, "log0", 0.05), logs, clouds());
    Net roots =
        Net.input(FEATURES)
            .dense(16)
            .layer("root", (context, x) -> x.times(x.sign().relu()).sqrt())
            .dense(CLASSES);
    assertOrigin(new Origin(1, Origin.Part.GRADIENT, "dense0", 0.05), roots, clouds());
    assertOrigin(new Origin(4, Origin.Part.INPUTS, "", 0.05), mlp(), poisoned());
    try (Trainer trainer = Trainer.of(mlp()).on(device()).optimizer(sgd(1e38))) {
      Origin origin = Doctor.of(trainer, clouds()).findOrigin(1e38);
      assertTrue(origin != null && origin.step() <= 3, String.valueOf(origin));
    }
    try (Trainer trainer = Trainer.of(mlp()).on(device())) {
      assertNull(Doctor.of(trainer, clouds()).findOrigin(0.05));
    }
  }

  private static void assertOrigin(Origin expected, Net net, List<Minibatch> batches) {
    try (Trainer trainer = Trainer.of(net).on(device()).optimizer(sgd(0.05).momentum(0.9))) {
      assertEquals(expected, Doctor.of(trainer, batches).findOrigin(0.05));
    }
  }

  /// The rate that the range suggests is one that learns, and better than much lower or higher
  /// ones.
  @Test
  void theSuggestedRate_isAGoodOne() {
    try (Trainer trainer = Trainer.of(mlp()).on(device()).optimizer(sgd(1).momentum(0.9))) {
      Doctor doctor = Doctor.of(trainer, clouds());
      RateCurve curve = doctor.findLearningRate();
      double rate = curve.suggestion();
      double good = doctor.trial(rate).progress();
      assertTrue(good > 0.5, curve + ", " + good);
      assertTrue(good > doctor.trial(rate / 100).progress() + 0.3, curve.toString());
      assertTrue(good > doctor.trial(rate * 100).progress() + 0.3, curve.toString());
    }
  }

  @Test
  void stepsOfTheRecipe_standAlone() {
    try (Trainer trainer = Trainer.of(mlp()).on(device()).optimizer(sgd(0.05).momentum(0.9))) {
      Doctor doctor = Doctor.of(trainer, clouds());
      InitialLoss loss = doctor.checkInitialLoss();
      assertEquals(Math.log(CLASSES), loss.expected(), 1e-6);
      assertTrue(loss.isPlausible(), loss.toString());
      Overfit overfit = doctor.overfitSmall();
      assertEquals(80, overfit.examples());
      assertTrue(overfit.succeeded() && overfit.accuracy() > 0.9, overfit.toString());
      assertEquals(30, doctor.steps(30).trial(0.05).losses().size());
    }
  }

  /// Of a trainer that has trained, the model as it is now is looked at too; it is not changed.
  @Test
  void aTrainedModel_isLookedAt() {
    try (Trainer trainer = Trainer.of(mlp()).on(device()).optimizer(sgd(0.05).momentum(0.9))) {
      Minibatch batch = clouds().getFirst();
      float[] inputs = Objects.requireNonNull(batch.inputs());
      int[] labels = Objects.requireNonNull(batch.labels());
      assertNull(Doctor.of(trainer, clouds()).examine().examination().present());
      for (int i = 0; i < 20; i++) {
        trainer.step(inputs, labels, 0.05);
      }
      float[] weights = trainer.model().read("dense0.weight");
      Diagnosis diagnosis = Doctor.of(trainer, clouds()).examine();
      assertEquals(List.of(), diagnosis.findings(), diagnosis.report());
      Inspection present = Objects.requireNonNull(diagnosis.examination().present());
      Inspection initial = Objects.requireNonNull(diagnosis.examination().initial());
      assertTrue(present.loss() < 0.5 * initial.loss(), diagnosis.report());
      assertArrayEquals(weights, trainer.model().read("dense0.weight"));
    }
  }

  /// A model that training has ruined says so itself.
  @Test
  void aRuinedModel_isFoundOut() {
    try (Trainer trainer = Trainer.of(mlp()).on(device())) {
      float[] bias = trainer.model().read("dense1.bias");
      bias[0] = Float.NaN;
      trainer.model().write("dense1.bias", bias);
      Inspection seen = Doctor.of(trainer, clouds()).inspect();
      assertFalse(seen.isFinite());
      List<Finding> findings = Diagnosis.of(Examination.of(seen)).findings();
      assertEquals("dense1.bias", findings.getFirst().where());
      assertEquals("not finite", findings.getFirst().problem());
    }
  }

  @Test
  void batches_thatDoNotFit_areRefused() {
    try (Trainer trainer = Trainer.of(mlp()).on(device())) {
      assertEquals(
          "[doctor] expected at least one batch, found none",
          assertThrows(
                  IllegalArgumentException.class, () -> Doctor.of(trainer, List.<Minibatch>of()))
              .getMessage());
      assertEquals(
          "[doctor] expected inputs of 12 elements each, found 7 elements",
          assertThrows(
                  ShapeException.class,
                  () -> Doctor.of(trainer, List.of(Minibatch.of(new float[7], new int[1]))))
              .getMessage());
      assertEquals(
          "[doctor] expected batches of one size, found 1 and 2 examples",
          assertThrows(
                  ShapeException.class,
                  () ->
                      Doctor.of(
                          trainer,
                          List.of(
                              Minibatch.of(new float[12], new int[1]),
                              Minibatch.of(new float[24], new int[2]))))
              .getMessage());
      for (int labels : new int[] {1, 3}) {
        assertEquals(
            "[doctor] expected %d inputs (12) (%d elements), found 24 elements"
                .formatted(labels, 12 * labels),
            assertThrows(
                    ShapeException.class,
                    () -> Doctor.of(trainer, List.of(Minibatch.of(new float[24], new int[labels]))))
                .getMessage());
      }
      assertThrows(IllegalArgumentException.class, () -> Doctor.of(trainer, clouds()).steps(3));
    }
  }

  /// Somebody begins with a net in which there is nothing yet.
  @Test
  void aNetWithoutLayers_isExamined() {
    float[] inputs = {1, -2, 3, -1, 2, -3};
    try (Trainer trainer = Trainer.of(Net.input(3)).on(device())) {
      Doctor doctor = Doctor.of(trainer, List.of(Minibatch.of(inputs, new int[] {0, 1}))).steps(4);
      assertTrue(
          doctor.examine().findings().stream()
              .anyMatch(finding -> finding.problem().equals("loss does not fall")));
    }
  }

  /// One label is no imbalance.
  @Test
  void aSingleExample_isNotImbalanced() {
    try (Trainer trainer = Trainer.of(mlp()).on(device())) {
      List<Minibatch> one = List.of(Minibatch.of(new float[12], new int[] {1}));
      assertEquals(
          List.of(),
          Diagnosis.of(Examination.of(Doctor.of(trainer, one).readData())).findings().stream()
              .map(Finding::problem)
              .filter(problem -> problem.startsWith("labels"))
              .toList());
    }
  }

  /// Its batches are those that a run begins with, as they come to the network.
  @Test
  void examples_areThoseThatARunBeginsWith() {
    Examples examples = yesAndNo();
    Net net = Net.input(FEATURES).dense(1);
    try (Trainer trainer =
        Trainer.of(net)
            .on(device())
            .loss(Loss.binaryCrossEntropy())
            .preprocess(FeatureScaler.standardize(examples))) {
      Doctor doctor = Doctor.of(trainer, examples.batch(50));
      assertEquals(8, doctor.readData().batches());
      assertEquals(2, doctor.readData().classes());
      double first = doctor.inspectInitial().loss();
      assertEquals(first, trainer.fit(examples.batch(50), Span.steps(1)).losses()[0], 1e-6);
      assertEquals(
          "[doctor] there are 400 examples, fewer than one batch of 401, and incomplete batches"
              + " are dropped",
          assertThrows(
                  IllegalArgumentException.class, () -> Doctor.of(trainer, examples.batch(401)))
              .getMessage());
    }
  }
}
