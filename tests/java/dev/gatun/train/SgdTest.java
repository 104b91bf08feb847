package dev.gatun.train;

import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Optimizer.Momentum;
import dev.gatun.Optimizer.Sgd;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Softmax regression trained by the library, and once more by the formulas in double precision.
class SgdTest {
  private static final int INPUTS = 5;
  private static final int CLASSES = 3;
  private static final int ROWS = 6;
  private static final double[] RATES = {0.2, 0.4, 0.1, 0.4, 0.05, 0.3};
  private static final double NO_CLIPPING = Double.POSITIVE_INFINITY;

  static List<Arguments> variants() {
    List<Arguments> variants = new ArrayList<>();
    Sgd plain = Optimizer.sgd(1);
    for (Backends backend : Backends.values()) {
      for (Sgd sgd :
          new Sgd[] {
            plain,
            plain.weightDecay(0.1),
            plain.momentum(0.9),
            plain.momentum(0.9).dampening(0.5),
            plain.momentum(0.5).dampening(1),
            plain.momentum(0.8).weightDecay(0.05),
            plain.momentum(0.8).dampening(0.25).weightDecay(0.05),
            plain.nesterov(0.9),
            plain.nesterov(0.7).weightDecay(0.05)
          }) {
        variants.add(Arguments.of(backend, sgd));
      }
    }
    return variants;
  }

  @ParameterizedTest
  @MethodSource("variants")
  void steps_followTheFormulas(Backends backend, Sgd sgd) {
    compare(backend, sgd, NO_CLIPPING);
  }

  /// The norm is about 0.9 at first: 0.3 clips every step, 0.6 only some.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void clipNorm_scalesTheGradientOfAllParameters(Backends backend) {
    compare(backend, Optimizer.sgd(1).momentum(0.9), 0.3);
    compare(backend, Optimizer.sgd(1).weightDecay(0.1), 0.6);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void clipNorm_aboveTheNorm_changesNoBit(Backends backend) {
    Sgd sgd = Optimizer.sgd(1).momentum(0.9);
    assertArrayEquals(
        train(backend, sgd, NO_CLIPPING).parameters(), train(backend, sgd, 100).parameters());
  }

  @Test
  void hyperparameters_outOfRange_areRefused() {
    refused("[sgd] expected a learning rate greater than 0, found 0.0", () -> Optimizer.sgd(0));
    refused(
        "[sgd] expected a learning rate greater than 0, found NaN",
        () -> Optimizer.sgd(Double.NaN));
    refused(
        "[sgd] expected a learning rate greater than 0, found Infinity",
        () -> Optimizer.sgd(Double.POSITIVE_INFINITY));
    Sgd sgd = Optimizer.sgd(0.1);
    refused("[sgd] expected a momentum in [0, 1), found 1.0", () -> sgd.momentum(1));
    refused("[sgd] expected a momentum in [0, 1), found -0.1", () -> sgd.momentum(-0.1));
    refused("[sgd] expected a dampening in [0, 1], found 1.5", () -> sgd.dampening(1.5));
    refused("[sgd] expected a weight decay of at least 0, found -1.0", () -> sgd.weightDecay(-1));
    refused(
        "[sgd] Nesterov needs a momentum greater than 0 and no dampening", () -> sgd.nesterov(0));
    refused(
        "[sgd] Nesterov needs a momentum greater than 0 and no dampening",
        () -> sgd.nesterov(0.9).dampening(0.5));
    refused(
        "[clipNorm] expected a norm greater than 0, found 0.0",
        () -> Trainer.of(Net.input(1)).clipNorm(0));
    refused(
        "[clipNorm] expected a norm greater than 0, found NaN",
        () -> Trainer.of(Net.input(1)).clipNorm(Double.NaN));
  }

  private record Outcome(float[] losses, float[] parameters) {}

  private static void compare(Backends backend, Sgd sgd, double maxNorm) {
    Outcome outcome = train(backend, sgd, maxNorm);
    Formulas formulas = new Formulas(sgd, maxNorm);
    for (int i = 0; i < RATES.length; i++) {
      double loss = formulas.step(RATES[i]);
      assertEquals(loss, outcome.losses()[i], 1e-5 * loss, "loss " + i);
    }
    for (int i = 0; i < outcome.parameters().length; i++) {
      assertEquals(formulas.parameters[i], outcome.parameters()[i], 1e-5, "parameter " + i);
    }
  }

  private static Outcome train(Backends backend, Sgd sgd, double maxNorm) {
    Net net = Net.input(INPUTS).dense(CLASSES);
    Trainer configured = Trainer.of(net).on(backend.device()).optimizer(sgd);
    try (Trainer trainer = maxNorm == NO_CLIPPING ? configured : configured.clipNorm(maxNorm)) {
      float[] start = start();
      trainer.model().write("dense0.weight", slice(start, 0, CLASSES * INPUTS));
      trainer.model().write("dense0.bias", slice(start, CLASSES * INPUTS, start.length));
      float[] losses = new float[RATES.length];
      for (int i = 0; i < RATES.length; i++) {
        losses[i] = trainer.step(inputs(), labels(), RATES[i]);
      }
      float[] parameters = new float[start.length];
      float[] weight = trainer.model().read("dense0.weight");
      float[] bias = trainer.model().read("dense0.bias");
      System.arraycopy(weight, 0, parameters, 0, weight.length);
      System.arraycopy(bias, 0, parameters, weight.length, bias.length);
      return new Outcome(losses, parameters);
    }
  }

  private static float[] start() {
    return Pictures.normal(CLASSES * INPUTS + CLASSES, 1);
  }

  private static float[] inputs() {
    return Pictures.normal(ROWS * INPUTS, 2);
  }

  private static int[] labels() {
    return new int[] {0, 1, 2, 2, 0, -1}; // the last row does not count
  }

  private static float[] slice(float[] elements, int from, int to) {
    return Arrays.copyOfRange(elements, from, to);
  }

  /// Weights [CLASSES, INPUTS], then biases [CLASSES], by the book.
  private static final class Formulas {
    private final Sgd sgd;
    private final double maxNorm;
    private final double[] parameters;
    private final double[] velocity;

    Formulas(Sgd sgd, double maxNorm) {
      this.sgd = sgd;
      this.maxNorm = maxNorm;
      float[] start = start();
      parameters = new double[start.length];
      velocity = new double[start.length];
      for (int i = 0; i < start.length; i++) {
        parameters[i] = start[i];
      }
    }

    double step(double rate) {
      double[] gradient = new double[parameters.length];
      double loss = gradient(gradient);
      double norm = 0;
      for (double g : gradient) {
        norm += g * g;
      }
      norm = Math.sqrt(norm);
      assertTrue(norm > 0.1, "a gradient worth the test");
      for (int i = 0; i < parameters.length; i++) {
        double clipped = norm > maxNorm ? gradient[i] * maxNorm / norm : gradient[i];
        double d = clipped + sgd.weightDecay() * parameters[i];
        if (sgd.momentum() == 0) {
          parameters[i] -= rate * d;
          continue;
        }
        velocity[i] = sgd.momentum() * velocity[i] + (1 - sgd.dampening()) * d;
        boolean nesterov = sgd.form() == Momentum.NESTEROV;
        parameters[i] -= rate * (nesterov ? d + sgd.momentum() * velocity[i] : velocity[i]);
      }
      return loss;
    }

    /// The mean cross-entropy of the rows with a label, and its gradient.
    private double gradient(double[] gradient) {
      float[] x = inputs();
      int[] labels = labels();
      int counted = ROWS - 1;
      double loss = 0;
      for (int n = 0; n < counted; n++) {
        double[] p = new double[CLASSES];
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) {
          double logit = parameters[CLASSES * INPUTS + c];
          for (int k = 0; k < INPUTS; k++) {
            logit += parameters[c * INPUTS + k] * x[n * INPUTS + k];
          }
          p[c] = Math.exp(logit);
          sum += p[c];
        }
        loss -= Math.log(p[labels[n]] / sum) / counted;
        for (int c = 0; c < CLASSES; c++) {
          double slope = (p[c] / sum - (c == labels[n] ? 1 : 0)) / counted;
          gradient[CLASSES * INPUTS + c] += slope;
          for (int k = 0; k < INPUTS; k++) {
            gradient[c * INPUTS + k] += slope * x[n * INPUTS + k];
          }
        }
      }
      return loss;
    }
  }
}
