package dev.gatun.train;

import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.AdaGrad;
import dev.gatun.Adam;
import dev.gatun.Initializer;
import dev.gatun.Lamb;
import dev.gatun.Layer;
import dev.gatun.Lion;
import dev.gatun.Muon;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Optimizer.Momentum;
import dev.gatun.Optimizer.Sgd;
import dev.gatun.Optimizer.Velocity;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.RmsProp;
import dev.gatun.ShapeException;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The mean of w² x by the library, and once more by each optimizer's formulas in double precision.
class OptimizersTest {
  static final int ROWS = 3;
  static final int COLUMNS = 4;
  static final int SIZE = ROWS * COLUMNS;
  private static final int STEPS = 10;
  private static final double TOLERANCE = 2e-6;

  /// Mean of w² x with w `[3,4]`, which an optimizer sees as a matrix.
  static final Layer SQUARES =
      (context, x) -> {
        var w = context.parameter("w", Initializer.ones(), ROWS, COLUMNS);
        return w.times(w).reshape(1, SIZE).times(x);
      };

  /// A rule by its book: changes w, and its own states.
  interface Rule {
    void step(double rate, int t, double[] w, double[] gradient);
  }

  static List<Arguments> variants() {
    List<Arguments> variants = new ArrayList<>();
    for (Backends backend : Backends.values()) {
      for (Optimizer optimizer :
          new Optimizer[] {
            Optimizer.sgd(1).momentum(0.9).rateInVelocity(),
            Optimizer.sgd(1).nesterov(0.9).rateInVelocity().weightDecay(0.1),
            Optimizer.amsGrad(1),
            Optimizer.amsGrad(1).betas(0.5, 0.7).weightDecay(0.1),
            Optimizer.nAdam(1),
            Optimizer.nAdam(1).betas(0.8, 0.9).decoupledWeightDecay(0.1),
            Optimizer.adaGrad(1),
            Optimizer.adaGrad(1).epsilon(0.1).weightDecay(0.1),
            Optimizer.rmsProp(1),
            Optimizer.rmsProp(1).decay(0.9).momentum(0.9).weightDecay(0.1),
            Optimizer.lion(1),
            Optimizer.lion(1).betas(0.5, 0.8).weightDecay(0.1),
            Optimizer.lamb(1),
            Optimizer.lamb(1).betas(0.5, 0.9).weightDecay(0),
            Optimizer.muon(1),
            Optimizer.muon(1).momentum(0.5).weightDecay(0).scale(Muon.Scale.LIKE_ADAM)
          }) {
        variants.add(Arguments.of(backend, optimizer));
      }
    }
    return variants;
  }

  @ParameterizedTest
  @MethodSource("variants")
  void steps_followTheFormulas(Backends backend, Optimizer optimizer) {
    float[] x = Pictures.normal(SIZE, 7);
    float[] start = Pictures.normal(SIZE, 8);
    Rule rule = rule(optimizer);
    double[] w = new double[SIZE];
    for (int i = 0; i < SIZE; i++) {
      w[i] = start[i];
    }
    try (Trainer trainer = trainer(backend, optimizer)) {
      trainer.model().write("squares0.w", start);
      for (int t = 1; t <= STEPS; t++) {
        double rate = 0.1 / t;
        trainer.step(x, new int[1], rate);
        double[] gradient = new double[SIZE];
        for (int i = 0; i < SIZE; i++) {
          gradient[i] = 2 * w[i] * x[i] / SIZE;
        }
        rule.step(rate, t, w, gradient);
        float[] found = trainer.model().read("squares0.w");
        for (int i = 0; i < SIZE; i++) {
          assertEquals(w[i], found[i], TOLERANCE * (1 + Math.abs(w[i])), "step " + t + ", w " + i);
        }
      }
    }
  }

  static Trainer trainer(Backends backend, Optimizer optimizer) {
    return Trainer.of(Net.input(SIZE).layer("squares", SQUARES))
        .on(backend.device())
        .optimizer(optimizer)
        .loss((outputs, labels) -> outputs.mean());
  }

  private static Rule rule(Optimizer optimizer) {
    return switch (optimizer) {
      case Sgd sgd -> sgd(sgd);
      case Adam adam -> adam.form() == Adam.Form.AMSGRAD ? amsGrad(adam) : nAdam(adam);
      case AdaGrad adaGrad -> adaGrad(adaGrad);
      case RmsProp rmsProp -> rmsProp(rmsProp);
      case Lion lion -> lion(lion);
      case Lamb lamb -> lamb(lamb);
      case Muon muon -> muon(muon);
      default -> throw new IllegalArgumentException(optimizer.toString());
    };
  }

  /// Sutskever et al. 2013, with the sign of the velocity turned: u = momentum u + rate g, w -= u;
  /// Nesterov's at the look-ahead point.
  private static Rule sgd(Sgd sgd) {
    double[] u = new double[SIZE];
    return (rate, t, w, g) -> {
      for (int i = 0; i < SIZE; i++) {
        double d = rate * (g[i] + sgd.weightDecay() * w[i]);
        double before = u[i];
        u[i] = sgd.momentum() * u[i] + d;
        w[i] -=
            sgd.form() == Momentum.NESTEROV
                ? (1 + sgd.momentum()) * u[i] - sgd.momentum() * before
                : u[i];
      }
    };
  }

  private static Rule amsGrad(Adam adam) {
    double[] m = new double[SIZE];
    double[] v = new double[SIZE];
    double[] greatest = new double[SIZE];
    return (rate, t, w, g) -> {
      for (int i = 0; i < SIZE; i++) {
        double d = g[i] + adam.weightDecay() * w[i];
        m[i] = adam.beta1() * m[i] + (1 - adam.beta1()) * d;
        v[i] = adam.beta2() * v[i] + (1 - adam.beta2()) * d * d;
        greatest[i] = Math.max(greatest[i], v[i]);
        double root = Math.sqrt(greatest[i] / (1 - Math.pow(adam.beta2(), t)));
        w[i] -= rate * m[i] / (1 - Math.pow(adam.beta1(), t)) / (root + adam.epsilon());
      }
    };
  }

  private static Rule nAdam(Adam adam) {
    double[] m = new double[SIZE];
    double[] v = new double[SIZE];
    double[] product = {1};
    return (rate, t, w, g) -> {
      double now = adam.beta1() * (1 - 0.5 * Math.pow(0.96, 0.004 * t));
      double next = adam.beta1() * (1 - 0.5 * Math.pow(0.96, 0.004 * (t + 1)));
      product[0] *= now;
      for (int i = 0; i < SIZE; i++) {
        w[i] *= 1 - rate * adam.weightDecay();
        m[i] = adam.beta1() * m[i] + (1 - adam.beta1()) * g[i];
        v[i] = adam.beta2() * v[i] + (1 - adam.beta2()) * g[i] * g[i];
        double root = Math.sqrt(v[i] / (1 - Math.pow(adam.beta2(), t))) + adam.epsilon();
        w[i] -= rate * (1 - now) / (1 - product[0]) * g[i] / root;
        w[i] -= rate * next / (1 - product[0] * next) * m[i] / root;
      }
    };
  }

  private static Rule adaGrad(AdaGrad adaGrad) {
    double[] r = new double[SIZE];
    return (rate, t, w, g) -> {
      for (int i = 0; i < SIZE; i++) {
        double d = g[i] + adaGrad.weightDecay() * w[i];
        r[i] += d * d;
        w[i] -= rate * d / (Math.sqrt(r[i]) + adaGrad.epsilon());
      }
    };
  }

  private static Rule rmsProp(RmsProp rmsProp) {
    double[] r = new double[SIZE];
    double[] v = new double[SIZE];
    return (rate, t, w, g) -> {
      for (int i = 0; i < SIZE; i++) {
        double d = g[i] + rmsProp.weightDecay() * w[i];
        r[i] = rmsProp.decay() * r[i] + (1 - rmsProp.decay()) * d * d;
        v[i] = rmsProp.momentum() * v[i] + d / (Math.sqrt(r[i]) + rmsProp.epsilon());
        w[i] -= rate * v[i];
      }
    };
  }

  private static Rule lion(Lion lion) {
    double[] m = new double[SIZE];
    return (rate, t, w, g) -> {
      for (int i = 0; i < SIZE; i++) {
        w[i] *= 1 - rate * lion.weightDecay();
        w[i] -= rate * Math.signum(lion.beta1() * m[i] + (1 - lion.beta1()) * g[i]);
        m[i] = lion.beta2() * m[i] + (1 - lion.beta2()) * g[i];
      }
    };
  }

  private static Rule lamb(Lamb lamb) {
    double[] m = new double[SIZE];
    double[] v = new double[SIZE];
    return (rate, t, w, g) -> {
      double[] r = new double[SIZE];
      for (int i = 0; i < SIZE; i++) {
        m[i] = lamb.beta1() * m[i] + (1 - lamb.beta1()) * g[i];
        v[i] = lamb.beta2() * v[i] + (1 - lamb.beta2()) * g[i] * g[i];
        double root = Math.sqrt(v[i] / (1 - Math.pow(lamb.beta2(), t)));
        r[i] = m[i] / (1 - Math.pow(lamb.beta1(), t)) / (root + lamb.epsilon());
        r[i] += lamb.weightDecay() * w[i];
      }
      double ratio = norm(w) / norm(r);
      for (int i = 0; i < SIZE; i++) {
        w[i] -= rate * ratio * r[i];
      }
    };
  }

  /// Rows by hand; 3 rows and 4 columns, so nothing is transposed.
  private static Rule muon(Muon muon) {
    double[] v = new double[SIZE];
    return (rate, t, w, g) -> {
      double[] x = new double[SIZE];
      for (int i = 0; i < SIZE; i++) {
        v[i] = muon.momentum() * v[i] + g[i];
        x[i] = g[i] + muon.momentum() * v[i];
      }
      double size = norm(x) + 1e-7;
      for (int i = 0; i < SIZE; i++) {
        x[i] /= size;
      }
      for (int n = 0; n < muon.iterations(); n++) {
        x = newtonSchulz(x);
      }
      double scale = muon.scale() == Muon.Scale.SPECTRAL ? 1 : 0.2 * Math.sqrt(COLUMNS);
      for (int i = 0; i < SIZE; i++) {
        w[i] = w[i] * (1 - rate * muon.weightDecay()) - rate * scale * x[i];
      }
    };
  }

  private static double[] newtonSchulz(double[] x) {
    double[] gram = new double[ROWS * ROWS];
    double[] squared = new double[ROWS * ROWS];
    double[] next = new double[SIZE];
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < ROWS; j++) {
        for (int k = 0; k < COLUMNS; k++) {
          gram[i * ROWS + j] += x[i * COLUMNS + k] * x[j * COLUMNS + k];
        }
      }
    }
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < ROWS; j++) {
        for (int k = 0; k < ROWS; k++) {
          squared[i * ROWS + j] += gram[i * ROWS + k] * gram[k * ROWS + j];
        }
      }
    }
    for (int i = 0; i < ROWS; i++) {
      for (int k = 0; k < COLUMNS; k++) {
        next[i * COLUMNS + k] = 3.4445 * x[i * COLUMNS + k];
        for (int j = 0; j < ROWS; j++) {
          double by = -4.775 * gram[i * ROWS + j] + 2.0315 * squared[i * ROWS + j];
          next[i * COLUMNS + k] += by * x[j * COLUMNS + k];
        }
      }
    }
    return next;
  }

  private static double norm(double[] x) {
    double sum = 0;
    for (double element : x) {
      sum += element * element;
    }
    return Math.sqrt(sum);
  }

  /// The two forms of momentum agree while the rate is constant, and part when it drops (reference
  /// R7 of the syllabus: by 0.459 on x² after a drop to a tenth at step 10).
  @Test
  void formsOfMomentum_agreeForAConstantRate_andPartAfterADrop() {
    double outside = parabola(Velocity.OF_GRADIENTS, 1, 20);
    double inside = parabola(Velocity.OF_STEPS, 1, 20);
    assertEquals(outside, inside, 1e-5);
    double apart = parabola(Velocity.OF_GRADIENTS, 0.1, 20) - parabola(Velocity.OF_STEPS, 0.1, 20);
    assertTrue(Math.abs(apart) > 0.1, "apart by " + apart);
  }

  /// x after steps on x² from 1 with rate 0.1, multiplied by `drop` from step 10 on.
  private static double parabola(Velocity velocity, double drop, int steps) {
    Sgd sgd = new Sgd(1, 0.9, 0, 0, Momentum.CLASSIC, velocity);
    Layer square =
        (context, x) -> {
          var w = context.parameter("w", Initializer.ones(), 1);
          return x.times(w).times(w);
        };
    try (Trainer trainer =
        Trainer.of(Net.input(1).layer("square", square))
            .on(Backends.REFERENCE.device())
            .optimizer(sgd)
            .loss((outputs, labels) -> outputs.mean())) {
      for (int t = 0; t < steps; t++) {
        trainer.step(new float[] {1}, new int[1], t < 10 ? 0.1 : 0.1 * drop);
      }
      return trainer.model().read("square0.w")[0];
    }
  }

  /// After steps with a constant gradient, all of AdaGrad's steps together go as √t.
  @Test
  void adaGrad_stepsFadeAsOneOverTheRoot() {
    Layer line = (context, x) -> x.times(context.parameter("w", Initializer.zeros(), 1));
    try (Trainer trainer =
        Trainer.of(Net.input(1).layer("line", line))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.adaGrad(1))
            .loss((outputs, labels) -> outputs.mean())) {
      double before = 0;
      for (int t = 1; t <= 50; t++) {
        trainer.step(new float[] {3}, new int[1], 1);
        double now = trainer.model().read("line0.w")[0];
        assertEquals(-1 / Math.sqrt(t), now - before, 1e-5, "step " + t);
        before = now;
      }
    }
  }

  /// A tall matrix is transposed for Muon's iteration and back: its step has singular values near
  /// 1, so its norm is near √(least extent).
  @Test
  void muon_stepsAreNearlyOrthogonal() {
    Net net = Net.input(6).dense(20);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.REFERENCE.device())
            .optimizer(
                ParameterGroups.of(Optimizer.muon(1).weightDecay(0))
                    .optimizer(Optimizer.sgd(1), ParameterSelector.vectors()))) {
      float[] before = trainer.model().read("dense0.weight");
      trainer.step(Pictures.normal(8 * 6, 1), Pictures.labels(8, 20, 1), 0.01);
      float[] after = trainer.model().read("dense0.weight");
      double[] step = new double[before.length];
      for (int i = 0; i < step.length; i++) {
        step[i] = (after[i] - before[i]) / 0.01 / Math.sqrt(20.0 / 6);
      }
      assertEquals(Math.sqrt(6), norm(step), 0.25 * Math.sqrt(6));
    }
  }

  @Test
  void muon_refusesVectors() {
    try (Trainer trainer =
        Trainer.of(Net.input(3).dense(2))
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.muon(0.02))) {
      String found =
          message(ShapeException.class, () -> trainer.step(new float[3], new int[1], 0.1));
      assertTrue(found.startsWith("dense0.bias: [muon] expected a matrix, found (2)"), found);
    }
  }

  @Test
  void defaults_areThePublishedOnes() {
    assertEquals(new AdaGrad(0.01, 1e-8, 0), Optimizer.adaGrad(0.01));
    assertEquals(new RmsProp(0.01, 0.99, 1e-8, 0, 0), Optimizer.rmsProp(0.01));
    assertEquals(new Lion(1e-4, 0.9, 0.99, 0), Optimizer.lion(1e-4));
    assertEquals(new Lamb(1e-3, 0.9, 0.999, 1e-6, 0.01), Optimizer.lamb(1e-3));
    assertEquals(new Muon(0.02, 0.95, 0.1, 5, Muon.Scale.SPECTRAL), Optimizer.muon(0.02));
  }

  @Test
  void withoutWeightDecay_keepsTheRest() {
    for (Arguments variant : variants()) {
      Optimizer optimizer = (Optimizer) variant.get()[1];
      Optimizer bare = optimizer.withoutWeightDecay();
      assertEquals(optimizer.getClass(), bare.getClass());
      assertEquals(bare, bare.withoutWeightDecay());
      assertEquals(optimizer.stateSlots(), bare.stateSlots());
      assertTrue(bare.toString().contains("weightDecay=0.0"), bare.toString());
    }
  }

  @Test
  void hyperparameters_outOfRange_areRefused() {
    refused(
        "[adaGrad] expected a learning rate greater than 0, found -1.0",
        () -> Optimizer.adaGrad(-1));
    refused(
        "[adaGrad] expected an epsilon greater than 0, found 0.0",
        () -> Optimizer.adaGrad(1).epsilon(0));
    refused("[rmsProp] expected a decay in [0, 1), found 1.0", () -> Optimizer.rmsProp(1).decay(1));
    refused(
        "[rmsProp] expected a momentum in [0, 1), found NaN",
        () -> Optimizer.rmsProp(1).momentum(Double.NaN));
    refused("[lion] expected beta2 in [0, 1), found 1.0", () -> Optimizer.lion(1).betas(0.9, 1));
    refused(
        "[lion] expected a weight decay of at least 0, found -1.0",
        () -> Optimizer.lion(1).weightDecay(-1));
    refused(
        "[lamb] expected a learning rate greater than 0, found Infinity",
        () -> Optimizer.lamb(Double.POSITIVE_INFINITY));
    refused(
        "[muon] expected a momentum in [0, 1), found 1.5", () -> Optimizer.muon(1).momentum(1.5));
    refused(
        "[muon] expected at least 1 iteration, found 0.0",
        () -> new Muon(1, 0.9, 0, 0, Muon.Scale.SPECTRAL));
  }
}
