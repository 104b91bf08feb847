package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What comes back through steps in time: a product of Jacobians, which vanishes or explodes.
class GradientFlowTest {
  /// Four steps of h = tanh(W h + x): the gradient by the first state is Wᵀ diag(1 - h²) three
  /// times, from the last step backwards.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void fourSteps_areAProductOfJacobians(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      double[][] w = {{0.5, -1.2, 0.3}, {0.8, 0.1, -0.7}, {-0.4, 0.9, 1.1}};
      double[][] x = {{0.1, 0.2, -0.3}, {-0.5, 0.4, 0.2}, {0.3, -0.1, 0.6}};
      double[] c = {1, -2, 0.5};
      double[] first = {0.3, -0.6, 0.2};
      double[][] states = {first, null, null, null};
      for (int t = 0; t < 3; t++) {
        double[] next = new double[3];
        for (int i = 0; i < 3; i++) {
          next[i] = Math.tanh(dot(w[i], states[t]) + x[t][i]);
        }
        states[t + 1] = next;
      }
      double[] expected = c;
      for (int t = 3; t > 0; t--) {
        double[] back = new double[3];
        for (int i = 0; i < 3; i++) {
          for (int k = 0; k < 3; k++) {
            back[k] += w[i][k] * (1 - states[t][i] * states[t][i]) * expected[i];
          }
        }
        expected = back;
      }
      Tensor weights = Tensor.of(device, flat(w), 3, 3);
      Tensor out = Tensor.of(device, c, 1, 3);
      TensorFunction walk =
          in -> {
            Tensor h = in[0];
            for (double[] input : x) {
              h = h.matmulTransposed(weights).plus(Tensor.of(device, input, 1, 3)).tanh();
            }
            return h.times(out).sum();
          };
      double[] found =
          Functions.grad(walk).apply(Tensor.of(device, first, 1, 3)).getFirst().toDoubleArray();
      for (int i = 0; i < 3; i++) {
        assertEquals(expected[i], found[i], 1e-12);
      }
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static double[] flat(double[][] rows) {
    double[] elements = new double[rows.length * rows[0].length];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = rows[i / rows[0].length][i % rows[0].length];
    }
    return elements;
  }

  /// Fifty steps of h = tanh(W h), W with a spectral radius of about ρ. Signals stay within 1
  /// whatever ρ is; gradients vanish for a small one and explode for a large one, where saturation
  /// holds only the signals.
  @Test
  void bounded_signalsHaveGradientsThatExplode() {
    double[] norms = new double[3];
    double[] radii = {0.5, 1, 3};
    int width = 200;
    Device device = Backends.CPU.device();
    for (int k = 0; k < 3; k++) {
      double radius = radii[k];
      try (Scope _ = Scope.open()) {
        Tensor w = Tensor.randn(device, 1, width, width).times(radius / Math.sqrt(width));
        TensorFunction walk =
            in -> {
              Tensor h = in[0];
              for (int t = 0; t < 50; t++) {
                h = h.matmul(w).tanh();
              }
              return h;
            };
        Tensor h = Tensor.randn(device, 2, 1, width);
        Tensor c = Tensor.randn(device, 3, 1, width);
        assertTrue(walk.apply(h).abs().max().item() <= 1);
        Tensor slope = Functions.grad(in -> walk.apply(in).times(c).sum()).apply(h).getFirst();
        norms[k] = Math.sqrt(slope.square().sum().item() / c.square().sum().item());
      }
    }
    assertTrue(
        norms[0] < 1e-10 && norms[1] < 1 && norms[2] > 100,
        "%.1e, %.1e, %.1e".formatted(norms[0], norms[1], norms[2]));
  }

  /// A skip through time: h = ½ h + ½ tanh(W h), a UGRNN whose gate is fixed at ½. Where the plain
  /// step lets gradients fade by ρ = 0.1 a step, this one cannot let them fade by more than a half,
  /// but for what the branch takes from them: over 20 steps between 0.45^20 and 0.55^20.
  @Test
  void aSkipThroughTime_keepsHalf() {
    int steps = 20;
    int width = 200;
    double radius = 0.1;
    Device device = Backends.CPU.device();
    try (Scope _ = Scope.open()) {
      Tensor w = Tensor.randn(device, 1, width, width).times(radius / Math.sqrt(width));
      Tensor h = Tensor.randn(device, 2, 1, width);
      Tensor c = Tensor.randn(device, 3, 1, width);
      double[] norms = new double[2];
      for (int k = 0; k < 2; k++) {
        boolean skip = k == 1;
        TensorFunction loss =
            in -> {
              Tensor state = in[0];
              for (int t = 0; t < steps; t++) {
                Tensor branch = state.matmul(w).tanh();
                state = skip ? state.plus(branch).times(0.5) : branch;
              }
              return state.times(c).sum();
            };
        Tensor slope = Functions.grad(loss).apply(h).getFirst();
        norms[k] = Math.sqrt(slope.square().sum().item() / c.square().sum().item());
      }
      String found = "%.1e, %.1e".formatted(norms[0], norms[1]);
      assertTrue(norms[0] < Math.pow(0.15, steps), found);
      assertTrue(norms[1] > Math.pow(0.45, steps) && norms[1] < Math.pow(0.55, steps), found);
    }
  }
}
