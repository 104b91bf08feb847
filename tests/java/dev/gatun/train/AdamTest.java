package dev.gatun.train;

import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Adam;
import dev.gatun.Adam.Form;
import dev.gatun.Adam.WeightDecay;
import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The mean of w² x by the library, and once more by Adam's formulas in double precision.
class AdamTest {
  private static final float[] START = {3, -1, 0.5f, 0};
  private static final float[] X = {1, 2, -4, 3};
  private static final int STEPS = 10;

  private static final Layer SQUARES =
      (context, x) -> {
        var w = context.parameter("w", Initializer.ones(), START.length);
        return w.times(w).times(x);
      };

  static List<Arguments> variants() {
    List<Arguments> variants = new ArrayList<>();
    for (Backends backend : Backends.values()) {
      for (Adam adam :
          new Adam[] {
            Optimizer.adam(1),
            Optimizer.adam(1).betas(0.5, 0.9).epsilon(0.1),
            Optimizer.adam(1).weightDecay(0.1),
            Optimizer.adamW(1),
            Optimizer.adam(1).decoupledWeightDecay(0.2)
          }) {
        variants.add(Arguments.of(backend, adam));
      }
    }
    return variants;
  }

  @ParameterizedTest
  @MethodSource("variants")
  void steps_followTheFormulas(Backends backend, Adam adam) {
    Net net = Net.input(START.length).layer("squares", SQUARES);
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(adam)
            .loss((outputs, labels) -> outputs.mean())) {
      trainer.model().write("squares0.w", START);
      double[] w = {3, -1, 0.5, 0};
      double[] m = new double[w.length];
      double[] v = new double[w.length];
      for (int t = 1; t <= STEPS; t++) {
        double rate = 0.1 / t;
        trainer.step(X, new int[1], rate);
        for (int i = 0; i < w.length; i++) {
          step(adam, rate, t, i, w, m, v);
        }
        float[] found = trainer.model().read("squares0.w");
        for (int i = 0; i < w.length; i++) {
          assertEquals(w[i], found[i], 1e-6 * (1 + Math.abs(w[i])), "step " + t + ", w " + i);
        }
      }
    }
  }

  private static void step(
      Adam adam, double rate, int t, int i, double[] w, double[] m, double[] v) {
    boolean decoupled = adam.decay() == WeightDecay.DECOUPLED;
    double gradient = 2 * w[i] * X[i] / X.length;
    double d = decoupled ? gradient : gradient + adam.weightDecay() * w[i];
    m[i] = adam.beta1() * m[i] + (1 - adam.beta1()) * d;
    v[i] = adam.beta2() * v[i] + (1 - adam.beta2()) * d * d;
    double first = m[i] / (1 - Math.pow(adam.beta1(), t));
    double second = v[i] / (1 - Math.pow(adam.beta2(), t));
    double shrunk = decoupled ? rate * adam.weightDecay() * w[i] : 0;
    w[i] -= shrunk + rate * first / (Math.sqrt(second) + adam.epsilon());
  }

  @Test
  void defaults_arePyTorchs() {
    assertEquals(
        new Adam(0.001, 0.9, 0.999, 1e-8, 0, WeightDecay.L2, Form.PLAIN), Optimizer.adam(0.001));
    assertEquals(
        new Adam(0.001, 0.9, 0.999, 1e-8, 0.01, WeightDecay.DECOUPLED, Form.PLAIN),
        Optimizer.adamW(0.001));
  }

  @Test
  void hyperparameters_outOfRange_areRefused() {
    refused("[adam] expected a learning rate greater than 0, found 0.0", () -> Optimizer.adam(0));
    Adam adam = Optimizer.adam(0.1);
    refused("[adam] expected beta1 in [0, 1), found 1.0", () -> adam.betas(1, 0.9));
    refused("[adam] expected beta2 in [0, 1), found NaN", () -> adam.betas(0.9, Double.NaN));
    refused("[adam] expected an epsilon greater than 0, found 0.0", () -> adam.epsilon(0));
    refused("[adam] expected a weight decay of at least 0, found -1.0", () -> adam.weightDecay(-1));
    refused(
        "[adam] expected a weight decay of at least 0, found NaN",
        () -> adam.decoupledWeightDecay(Double.NaN));
  }
}
