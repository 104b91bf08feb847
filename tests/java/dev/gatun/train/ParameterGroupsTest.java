package dev.gatun.train;

import static dev.gatun.ParameterSelector.all;
import static dev.gatun.ParameterSelector.matching;
import static dev.gatun.ParameterSelector.matrices;
import static dev.gatun.ParameterSelector.under;
import static dev.gatun.ParameterSelector.vectors;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.Shape;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// One step of SGD with rate 0.5 on a small net: what each parameter moves by, in terms of its
/// gradient, which a step without any group tells.
class ParameterGroupsTest {
  private static final double RATE = 0.5;
  private static final Net NET =
      Net.input(5).dense(4).batchNorm().relu().stage("head", part -> part.dense(3));
  private static final String FIRST = "dense0.weight";
  private static final String BIAS = "dense0.bias";
  private static final String GAMMA = "batchNorm0.weight";
  private static final String LAST = "head.dense0.weight";

  private static Map<String, float[]> start(Model model) {
    Map<String, float[]> start = new LinkedHashMap<>();
    for (String name : model.parameterNames()) {
      float[] elements = Pictures.normal((int) model.shape(name).count(), name.hashCode());
      model.write(name, elements);
      start.put(name, elements);
    }
    return start;
  }

  /// Parameters before and after one step.
  private record Step(Map<String, float[]> before, Map<String, float[]> after) {
    float[] before(String name) {
      return Objects.requireNonNull(before.get(name));
    }

    float[] after(String name) {
      return Objects.requireNonNull(after.get(name));
    }

    /// (before - after) / rate.
    double moved(String name, int i) {
      return (before(name)[i] - after(name)[i]) / RATE;
    }

    boolean still(String name) {
      return Arrays.equals(before(name), after(name));
    }
  }

  private static Step step(Backends backend, ParameterGroups groups) {
    return step(backend, groups, trainer -> {});
  }

  private static Step step(
      Backends backend, ParameterGroups groups, Consumer<Trainer> configuration) {
    Trainer configured = Trainer.of(NET).on(backend.device()).optimizer(groups);
    configuration.accept(configured);
    try (Trainer trainer = configured) {
      Map<String, float[]> before = start(trainer.model());
      trainer.step(Pictures.normal(6 * 5, 1), Pictures.labels(6, 3, 2), RATE);
      Map<String, float[]> after = new LinkedHashMap<>();
      before.keySet().forEach(name -> after.put(name, trainer.model().read(name)));
      return new Step(before, after);
    }
  }

  private static ParameterGroups sgd(double weightDecay) {
    return ParameterGroups.of(Optimizer.sgd(1).weightDecay(weightDecay));
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void withoutDecay_sparesNormsAndBiases(Backends backend) {
    Step plain = step(backend, sgd(0));
    Step decayed = step(backend, sgd(0.1).withoutDecay(vectors()));
    for (String name : plain.before().keySet()) {
      boolean matrix = name.equals(FIRST) || name.equals(LAST);
      for (int i = 0; i < plain.before(name).length; i++) {
        double decay = matrix ? 0.1 * plain.before(name)[i] : 0;
        assertEquals(plain.moved(name, i) + decay, decayed.moved(name, i), 2e-6, name);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void rate_multipliesTheRateOfALayer(Backends backend) {
    Step plain = step(backend, sgd(0));
    Step slow = step(backend, sgd(0).rate(0.1, under("head")));
    for (String name : plain.before().keySet()) {
      double factor = name.startsWith("head.") ? 0.1 : 1;
      for (int i = 0; i < plain.before(name).length; i++) {
        assertEquals(factor * plain.moved(name, i), slow.moved(name, i), 2e-6, name);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void frozen_staysBitForBit_andTheRestMoves(Backends backend) {
    Step frozen = step(backend, sgd(0.1).frozen(under("dense0").or(under("batchNorm0"))));
    assertTrue(frozen.still(FIRST) && frozen.still(BIAS) && frozen.still(GAMMA));
    assertFalse(frozen.still(LAST));
    Step plain = step(backend, sgd(0.1));
    assertArrayEquals(plain.after(LAST), frozen.after(LAST));
  }

  /// Two rules with their own rates and numbers of states; the schedule's rate is that of the
  /// first.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void optimizer_givesSomeAnotherRule(Backends backend) {
    Step mixed = step(backend, sgd(0).optimizer(Optimizer.adam(0.25), vectors()));
    Step plain = step(backend, sgd(0));
    for (String name : plain.before().keySet()) {
      for (int i = 0; i < plain.before(name).length; i++) {
        double gradient = plain.moved(name, i);
        boolean matrix = name.equals(FIRST) || name.equals(LAST);
        double expected = matrix ? gradient : 0.25 * Math.signum(gradient);
        if (matrix || Math.abs(gradient) > 1e-4) { // Adam's first step is rate · sign
          assertEquals(expected, mixed.moved(name, i), 2e-4, name);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void penalties_addTheirGradients(Backends backend) {
    Step plain = step(backend, sgd(0));
    Step elastic = step(backend, sgd(0).l1(0.03, all()).l2(0.2, matrices()));
    for (String name : plain.before().keySet()) {
      boolean matrix = name.equals(FIRST) || name.equals(LAST);
      for (int i = 0; i < plain.before(name).length; i++) {
        double w = plain.before(name)[i];
        double penalty = 0.03 * Math.signum(w) + (matrix ? 2 * 0.2 * w : 0);
        assertEquals(plain.moved(name, i) + penalty, elastic.moved(name, i), 2e-6, name);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void maxNorm_limitsEachUnit(Backends backend) {
    double limit = 1.2;
    Step plain = step(backend, sgd(0));
    Step limited = step(backend, sgd(0).maxNorm(limit, all()));
    int scaled = 0;
    for (int unit = 0; unit < 4; unit++) {
      double norm = norm(plain.after(FIRST), unit * 5, 5);
      double by = Math.min(1, limit / norm);
      scaled += by < 1 ? 1 : 0;
      for (int i = unit * 5; i < unit * 5 + 5; i++) {
        assertEquals(by * plain.after(FIRST)[i], limited.after(FIRST)[i], 1e-6);
      }
    }
    assertTrue(scaled > 0, "no unit was long enough");
    assertArrayEquals(plain.after(BIAS), limited.after(BIAS));
  }

  @Test
  void selectors_compose() {
    Shape matrix = Shape.of(3, 2);
    Shape vector = Shape.of(3);
    assertTrue(vectors().selects("a.bias", vector) && !vectors().selects("a", matrix));
    assertTrue(under("a").selects("a.bias", vector) && !under("a").selects("ab.bias", vector));
    assertTrue(matching(".*\\.bias").selects("a.bias", vector));
    assertFalse(matching("bias").selects("a.bias", vector));
    assertTrue(under("a").and(matrices()).selects("a.weight", matrix));
    assertFalse(under("a").and(matrices()).selects("a.bias", vector));
    assertTrue(under("a").not().selects("b", vector) && all().selects("", vector));
  }

  /// Nothing would be frozen.
  @Test
  void aPathThatIsNotThere_isRefused() {
    String start =
        "[parameterGroups] expected the path of a parameter or of a layer with some, found"
            + " under(\"haed\"); there are [dense0.weight, dense0.bias, ";
    for (ParameterGroups groups :
        List.of(
            sgd(0).frozen(under("haed")),
            sgd(0).frozen(under("haed").not()),
            sgd(0).rate(0.1, under("head").or(matrices().and(under("haed")))))) {
      try (Trainer trainer = Trainer.of(NET).on(Backends.REFERENCE.device()).optimizer(groups)) {
        String message =
            Messages.message(
                IllegalArgumentException.class,
                () -> trainer.step(new float[10], new int[2], RATE));
        assertTrue(message.startsWith(start), message);
      }
    }
  }

  @Test
  void anExpressionThatNoNameMatches_isRefused() {
    try (Trainer trainer =
        Trainer.of(NET)
            .on(Backends.REFERENCE.device())
            .optimizer(sgd(0).frozen(matching("haed.*").or(vectors())))) {
      String message =
          Messages.message(
              IllegalArgumentException.class, () -> trainer.step(new float[10], new int[2], RATE));
      String start =
          "[parameterGroups] expected what the name of a parameter matches, found"
              + " matching(\"haed.*\"); there are [dense0.weight, dense0.bias, ";
      assertTrue(message.startsWith(start), message);
    }
  }

  @Test
  void badArguments_areRefused() {
    refused(
        "[parameterGroups] expected a factor greater than 0, found 0.0",
        () -> sgd(0).rate(0, all()));
    refused(
        "[parameterGroups] expected a penalty of at least 0, found -1.0",
        () -> sgd(0).l1(-1, all()));
    refused(
        "[parameterGroups] expected a penalty of at least 0, found NaN",
        () -> sgd(0).l2(Double.NaN, all()));
    refused(
        "[parameterGroups] expected a norm greater than 0, found 0.0",
        () -> sgd(0).maxNorm(0, all()));
  }

  private static double norm(float[] elements, int from, int count) {
    double sum = 0;
    for (int i = from; i < from + count; i++) {
      sum += (double) elements[i] * elements[i];
    }
    return Math.sqrt(sum);
  }
}
