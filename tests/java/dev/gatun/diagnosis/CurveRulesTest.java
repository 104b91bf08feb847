package dev.gatun.diagnosis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Text;
import java.util.List;
import java.util.Objects;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Curves as lectures draw them.
class CurveRulesTest {
  private static final int EPOCHS = 20;

  private static double constant(int epoch) {
    return 0.1;
  }

  private static double cosine(int epoch) {
    return 0.05 * (1 + Math.cos(Math.PI * epoch / EPOCHS));
  }

  /// A test loss `gap` times the training loss; accuracies that go with them.
  private static Curves curves(
      IntToDoubleFunction loss, IntToDoubleFunction gap, IntToDoubleFunction rate) {
    return new Curves(
        IntStream.range(0, EPOCHS)
            .mapToObj(
                epoch -> {
                  double train = loss.applyAsDouble(epoch);
                  double test = train * gap.applyAsDouble(epoch);
                  return new History.Epoch(
                      epoch + 1,
                      train,
                      Math.exp(-train),
                      rate.applyAsDouble(epoch),
                      new Evaluation(test, Math.exp(-test), 1, 0),
                      0);
                })
            .toList());
  }

  private static Arguments fault(
      String problem, IntToDoubleFunction loss, IntToDoubleFunction gap, IntToDoubleFunction rate) {
    return Arguments.of(problem, curves(loss, gap, rate));
  }

  private static double falling(int epoch) {
    return 2.3 * Math.exp(-0.15 * epoch);
  }

  private static Stream<Arguments> faults() {
    IntToDoubleFunction none = epoch -> 1.03;
    return Stream.of(
        fault("flat at first", e -> e < 6 ? 2.3 : falling(e - 6), none, CurveRulesTest::constant),
        fault(
            "plateau",
            e -> Math.max(falling(e), 0.8 + 0.001 * (e % 2)),
            none,
            CurveRulesTest::constant),
        fault(
            "decayed too early",
            e -> e < 6 ? falling(e) : 0.9 * falling(5) - 0.001 * e,
            none,
            e -> e < 6 ? 0.1 : 0.01),
        fault(
            "loss rises and falls",
            e -> e % 2 == 0 ? 1.2 : 1.9,
            e -> 1.1,
            CurveRulesTest::constant),
        fault(
            "overfitting",
            CurveRulesTest::falling,
            e -> Math.exp(0.25 * e),
            CurveRulesTest::cosine),
        fault(
            "underfitting",
            e -> 2.0 - 0.4 * Math.min(1, e / 8.0),
            e -> 1.0,
            CurveRulesTest::cosine));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("faults")
  void aFault_isTheOnlyOneFound(String problem, Curves curves) {
    Cases.requireDocumented(problem);
    assertEquals(
        List.of(problem), Diagnosis.of(curves).findings().stream().map(Finding::problem).toList());
  }

  private static Stream<Curves> soundOnes() {
    return Stream.of(
        curves(CurveRulesTest::falling, e -> 1.05, CurveRulesTest::cosine),
        curves(CurveRulesTest::falling, e -> 1.05, CurveRulesTest::constant),
        curves(CurveRulesTest::falling, e -> 1.05, e -> e < 10 ? 0.1 : 0.01),
        // A step decay at the plateau, as it should be.
        curves(
            e -> e < 10 ? 0.6 + falling(2 * e) : 0.2 + 0.1 * falling(e - 10),
            e -> 1.1,
            e -> e < 10 ? 0.1 : 0.01),
        // Noise, and the end of a cosine.
        curves(
            e -> 0.3 + falling(2 * e) * (e % 2 == 0 ? 1 : 0.97), e -> 1.1, CurveRulesTest::cosine));
  }

  @ParameterizedTest
  @MethodSource("soundOnes")
  void aSoundRun_hasNoFault(Curves curves) {
    assertEquals(List.of(), Diagnosis.of(curves).findings());
  }

  /// Without a test set, and with few epochs, there is nothing to say.
  @Test
  void shortCurves_sayNothing() {
    History.Epoch epoch = new History.Epoch(1, 2, 0.1, 0.1, null, 0);
    assertEquals(List.of(), Diagnosis.of(new Curves(List.of())).findings());
    assertEquals(List.of(), Diagnosis.of(new Curves(List.of(epoch, epoch, epoch))).findings());
  }

  /// Without a test set nothing is said of one.
  @Test
  void untestedRuns_neitherOverfitNorUnderfit() {
    List<History.Epoch> epochs =
        IntStream.range(0, EPOCHS)
            .mapToObj(epoch -> new History.Epoch(epoch + 1, 2, 0.9, cosine(epoch), null, 0))
            .toList();
    assertEquals(List.of(), Diagnosis.of(new Curves(epochs)).findings());
  }

  /// The rules read the rates of a run that took place.
  @Test
  void aHistory_hasItsRates() {
    Text.Split text = Text.of("abcd".repeat(300)).split(0.3);
    try (Trainer trainer =
        Trainer.of(Net.tokens(8).embedding(4, 4).dense(4))
            .on(Cases.device())
            .optimizer(Optimizer.adam(0.05))
            .schedule(Schedule.stepDecay(0.1).at(Span.epochs(2)))) {
      Curves curves =
          Curves.of(
              trainer.fit(
                  text.train().batches(4, 8), text.heldOut().batches(4, 8), Span.epochs(4)));
      assertEquals(4, curves.size());
      for (int i = 0; i < 4; i++) {
        assertEquals(i < 2 ? 0.05 : 0.005, curves.rate(i), 1e-12);
        assertTrue(curves.testLoss(i) > 0);
      }
    }
  }

  private static Curves withoutAccuracies(Curves curves) {
    return new Curves(
        curves.epochs().stream()
            .map(
                epoch -> {
                  Evaluation test = Objects.requireNonNull(epoch.test());
                  return new History.Epoch(
                      epoch.number(),
                      epoch.trainLoss(),
                      Double.NaN,
                      epoch.learningRate(),
                      new Evaluation(test.loss(), Double.NaN, test.images(), 0),
                      0);
                })
            .toList());
  }

  /// A regression overfits by its loss alone.
  @Test
  void runsWithoutAccuracy_areJudgedByTheirLosses() {
    soundOnes()
        .forEach(
            sound -> assertEquals(List.of(), Diagnosis.of(withoutAccuracies(sound)).findings()));
    Curves overfitting =
        curves(CurveRulesTest::falling, e -> Math.exp(0.25 * e), CurveRulesTest::cosine);
    Finding finding = Diagnosis.of(withoutAccuracies(overfitting)).findings().getFirst();
    assertEquals("overfitting", finding.problem());
    assertTrue(finding.seen().startsWith("test loss "), finding.seen());
  }
}
