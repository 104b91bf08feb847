package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Activations at known places, far out, and at their kinks.
class ActivationsTest {
  private static final Map<String, TensorFunction> ALL = new LinkedHashMap<>();

  static {
    ALL.put("sigmoid", in -> in[0].sigmoid());
    ALL.put("tanh", in -> in[0].tanh());
    ALL.put("relu", in -> in[0].relu());
    ALL.put("leakyRelu", in -> in[0].leakyRelu());
    ALL.put("leakyRelu0.1", in -> in[0].leakyRelu(0.1));
    ALL.put("elu", in -> in[0].elu());
    ALL.put("selu", in -> in[0].selu());
    ALL.put("gelu", in -> in[0].gelu());
    ALL.put("geluTanh", in -> in[0].geluTanh());
    ALL.put("silu", in -> in[0].silu());
    ALL.put("softplus", in -> in[0].softplus());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void values_areTheKnownOnes(Backends backend) {
    golden(backend, "sigmoid", 0, 0.5, 4, 0.98201379, 10, 0.99995460);
    golden(backend, "tanh", 4, 0.99932930, -4, -0.99932930);
    golden(backend, "relu", -3, 0, 3, 3);
    golden(backend, "leakyRelu", -3, -0.03, 3, 3);
    golden(backend, "leakyRelu0.1", -3, -0.3, 3, 3);
    golden(backend, "elu", -1, -0.63212056, 2, 2);
    golden(backend, "selu", -1, -1.11133074, 1, 1.05070099);
    golden(backend, "gelu", -1, -0.15865525, 1, 0.84134475, 3, 2.99595031);
    golden(backend, "geluTanh", -1, -0.15880801, 1, 0.84119199, 3, 2.99636260);
    golden(backend, "silu", -1, -0.26894142, 1, 0.73105858);
    golden(backend, "softplus", 0, 0.69314718, 1, 1.31326169, -20, 2.0611537e-9);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void slopes_areTheKnownOnes(Backends backend) {
    slope(backend, "sigmoid", 0, 0.25, 4, 0.01766271, 10, 4.53958e-5, -10, 4.53958e-5);
    slope(backend, "tanh", 4, 1.34095e-3, 10, 8.2446e-9);
    slope(backend, "gelu", 0, 0.5, 1, 1.08331547, -1, -0.08331547);
    slope(backend, "silu", 0, 0.5, 1, 0.92767051, -1, 0.07232949);
    slope(backend, "softplus", 1, 0.73105858);
    slope(backend, "elu", -1, 0.36787944, 1, 1);
  }

  /// What flows back for a unit that is off: at -3 ReLU's nothing, the others' a little.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void slopesBelowZero_tellDeadUnitsFromOthers(Backends backend) {
    slope(backend, "relu", -3, 0);
    slope(backend, "leakyRelu", -3, 0.01);
    slope(backend, "leakyRelu0.1", -3, 0.1);
    slope(backend, "elu", -3, 0.04978707);
  }

  /// The derivatives that documentation promises where a function has a kink.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void slopesAtKinks_areTheDocumentedOnes(Backends backend) {
    slope(backend, "relu", 0, 0);
    slope(backend, "leakyRelu", 0, 0.01);
    slope(backend, "elu", 0, 1);
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(device, new double[] {0}, 1);
      Tensor alpha = Tensor.of(device, new double[] {0.25}, 1);
      assertEquals(0.25, grad(in -> in[0].prelu(in[1]), x, alpha)[0]);
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void far_out_nothingOverflows(Backends backend) {
    for (DType dtype : new DType[] {DType.F32, DType.F64, DType.BF16}) {
      try (Scope _ = Scope.open()) {
        Tensor x = Tensor.of(backend.device(), new double[] {-1000, 1000}, 2).as(dtype);
        ALL.forEach(
            (name, function) -> {
              for (double y : function.apply(x).as(DType.F64).toDoubleArray()) {
                assertTrue(Double.isFinite(y) && y <= 1100, name + " gives " + y);
              }
              if (dtype != DType.BF16) {
                for (double d : grad(function, x)) {
                  assertTrue(d >= 0 && d <= 1.1, name + " has slope " + d);
                }
              }
            });
        double[] softmax = x.softmax().as(DType.F64).toDoubleArray();
        assertArrayEquals(new double[] {0, 1}, softmax);
        assertArrayEquals(new double[] {-2000, 0}, x.logSoftmax().as(DType.F64).toDoubleArray());
      }
    }
  }

  /// Means over the normal distribution, by the trapezoidal rule: ELU's output is nearer to 0 than
  /// ReLU's.
  @Test
  void meansOverNormalInputs_areTheKnownOnes() {
    assertEquals(0.3989423, mean("relu", y -> y), 1e-6); // 1 / sqrt(2 pi)
    assertEquals(0.3408451, mean("relu", y -> y * y) - Math.pow(mean("relu", y -> y), 2), 1e-6);
    assertEquals(0.5, mean("relu", y -> y * y), 1e-6);
    assertEquals(0.505, mean("leakyRelu0.1", y -> y * y), 1e-6);
    assertEquals(0.1605206, mean("elu", y -> y), 1e-6); // 1 / sqrt(2 pi) + sqrt(e) Phi(-1) - 1/2
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void prelu_learnsItsSlopes(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(device, new double[] {-1, 2, -3, 4}, 2, 2);
      for (double[] slopes : new double[][] {{0.5}, {0.1, -2}, {3, 0.25}}) {
        Tensor alpha = Tensor.of(device, slopes, slopes.length);
        double first = slopes[0];
        assertArrayEquals(
            new double[] {-first, 2, -3 * first, 4}, x.prelu(alpha).toDoubleArray(), 1e-15);
        double[] byAlpha =
            Functions.grad(in -> x.prelu(in[0]).sum()).apply(alpha).getFirst().toDoubleArray();
        assertArrayEquals(slopes.length == 1 ? new double[] {-4} : new double[] {-4, 0}, byAlpha);
      }
    }
  }

  /// Maxout is ReLU if one of two pieces is 0, and leaky ReLU if it is a hundredth of the other.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void maxout_isReluAndLeakyRelu(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 1, 5, 3);
      Tensor zeros = x.times(0);
      TensorFunction pieces =
          in -> {
            Tensor both = in[0].reshape(5, 1, 3).expand(5, 2, 3);
            Tensor scale = in[1].reshape(1, 2, 1);
            return both.times(scale).reshape(5, 6).maxout(2);
          };
      Tensor relu = Tensor.of(device, new float[] {0, 1}, 2);
      Tensor leaky = Tensor.of(device, new float[] {0.01f, 1}, 2);
      assertArrayEquals(
          x.relu().plus(zeros).toFloatArray(), pieces.apply(x, relu).plus(zeros).toFloatArray());
      assertArrayEquals(x.leakyRelu().toFloatArray(), pieces.apply(x, leaky).toFloatArray(), 1e-7f);
      assertArrayEquals(
          Functions.grad(in -> in[0].leakyRelu().sum()).apply(x).getFirst().toFloatArray(),
          Functions.grad(in -> pieces.apply(in[0], leaky).sum()).apply(x).getFirst().toFloatArray(),
          1e-7f);
      // Equal pieces share.
      Tensor tie = Tensor.of(device, new double[] {7, 7}, 1, 2);
      assertArrayEquals(new double[] {0.5, 0.5}, grad(in -> in[0].maxout(2), tie));
    }
  }

  /// Threshold units are gates: the rows of their truth tables.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void sigmoids_areLogicGates(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor p = Tensor.of(device, new double[] {0, 0, 1, 1}, 4);
      Tensor q = Tensor.of(device, new double[] {0, 1, 0, 1}, 4);
      Tensor sum = p.plus(q).times(100);
      relative(new double[] {7.18e-66, 1.93e-22, 1.93e-22, 1}, sum.minus(150).sigmoid());
      relative(new double[] {1.93e-22, 1, 1, 1}, sum.minus(50).sigmoid());
      relative(new double[] {1, 1, 1.93e-22, 1.93e-22}, p.times(-100).plus(50).sigmoid());
      // XOR: or, but not and.
      Tensor or = sum.minus(50).sigmoid();
      Tensor notAnd = sum.minus(150).sigmoid().times(-100).plus(50).sigmoid();
      Tensor xor = or.plus(notAnd).times(100).minus(150).sigmoid();
      assertArrayEquals(new double[] {0, 1, 1, 0}, xor.toDoubleArray(), 1e-20);
    }
  }

  /// Positive inputs give all weights of a unit gradients of one sign, for one sample; samples of
  /// both classes do not.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void positiveInputs_giveOneSignedGradients(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor w = Tensor.randn(device, 1, 8, 1).times(0.1);
      Tensor x = Tensor.randn(device, 2, 16, 8).square().plus(0.1);
      float[] signs = new float[16];
      for (int i = 0; i < 16; i++) {
        signs[i] = i % 2 == 0 ? 1 : -1;
      }
      Tensor wanted = Tensor.of(device, signs, 16, 1);
      TensorFunction loss = in -> in[0].matmul(in[2]).sigmoid().minus(in[1]).square().mean();
      for (int row = 0; row < 2; row++) {
        float[] one = new float[8];
        System.arraycopy(x.toFloatArray(), 8 * row, one, 0, 8);
        Tensor sample = Tensor.of(device, one, 1, 8);
        Tensor target = Tensor.of(device, new float[] {signs[row]}, 1, 1);
        float[] dw =
            Functions.grad(in -> loss.apply(sample, target, in[0]))
                .apply(w)
                .getFirst()
                .toFloatArray();
        for (float slope : dw) {
          assertEquals(-signs[row], Math.signum(slope));
        }
      }
      Tensor centred = x.minus(x.mean(0));
      float[] dw =
          Functions.grad(in -> loss.apply(centred, wanted, in[0]))
              .apply(w)
              .getFirst()
              .toFloatArray();
      float sum = 0;
      for (float slope : dw) {
        sum += Math.signum(slope);
      }
      assertFalse(Math.abs(sum) == 8, "centred inputs give gradients of both signs");
    }
  }

  /// Through twenty layers of sigmoids whose weights keep lengths, gradients shrink by a factor of
  /// more than four in each, on the whole.
  @Test
  void gradients_vanishThroughManySigmoids() {
    int layers = 20;
    int width = 64;
    try (Scope _ = Scope.open()) {
      Device device = Backends.CPU.device();
      Tensor[] inputs = new Tensor[layers + 1];
      inputs[0] = Tensor.randn(device, 1, 32, width).as(DType.F64);
      for (int i = 1; i <= layers; i++) {
        double scale = 1 / Math.sqrt(width);
        inputs[i] = Tensor.randn(device, 1 + i, width, width).times(scale).as(DType.F64);
      }
      TensorFunction loss =
          in -> {
            Tensor y = in[0];
            for (int i = 1; i <= layers; i++) {
              y = y.matmul(in[i]).sigmoid();
            }
            return y.sum();
          };
      List<Tensor> slopes = Functions.grad(loss).apply(inputs);
      // The slope of a line through the logarithms of the norms.
      double centre = (layers + 1) / 2.0;
      double product = 0;
      double squares = 0;
      for (int i = 1; i <= layers; i++) {
        product += (i - centre) * Math.log(norm(slopes.get(i)));
        squares += (i - centre) * (i - centre);
      }
      assertTrue(product / squares > Math.log(4), "per layer: " + product / squares);
    }
  }

  private static double norm(Tensor tensor) {
    return Math.sqrt(tensor.square().sum().item());
  }

  private static void golden(Backends backend, String name, double... places) {
    check(backend, name, places, false);
  }

  private static void slope(Backends backend, String name, double... places) {
    check(backend, name, places, true);
  }

  /// `pairs`: a place and what is expected there.
  private static void check(Backends backend, String name, double[] pairs, boolean slopes) {
    TensorFunction function = named(name);
    try (Scope _ = Scope.open()) {
      for (int i = 0; i < pairs.length; i += 2) {
        Tensor x = Tensor.of(backend.device(), new double[] {pairs[i]}, 1);
        double found = slopes ? grad(function, x)[0] : function.apply(x).item();
        String what = name + (slopes ? "' of " : " of ") + pairs[i];
        assertEquals(pairs[i + 1], found, 2e-6 * Math.abs(pairs[i + 1]) + 1e-15, what);
        if (!slopes) {
          Tensor single = x.as(DType.F32);
          assertEquals(
              pairs[i + 1],
              function.apply(single).item(),
              1e-6 * Math.abs(pairs[i + 1]) + 1e-10,
              what);
        }
      }
    }
  }

  private static TensorFunction named(String name) {
    return Objects.requireNonNull(ALL.get(name), name);
  }

  private static double[] grad(TensorFunction function, Tensor... inputs) {
    return Functions.grad(in -> function.apply(in).sum())
        .apply(inputs)
        .getFirst()
        .as(DType.F64)
        .toDoubleArray();
  }

  private static double mean(String name, DoubleUnaryOperator of) {
    int count = 4001;
    double[] z = new double[count];
    for (int i = 0; i < count; i++) {
      z[i] = -8 + 16.0 * i / (count - 1);
    }
    try (Scope _ = Scope.open()) {
      double[] y = named(name).apply(Tensor.of(Backends.CPU.device(), z, count)).toDoubleArray();
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += of.applyAsDouble(y[i]) * Math.exp(-z[i] * z[i] / 2) / Math.sqrt(2 * Math.PI);
      }
      return sum * 16 / (count - 1);
    }
  }

  private static void relative(double[] expected, Tensor found) {
    double[] y = found.toDoubleArray();
    for (int i = 0; i < y.length; i++) {
      assertEquals(expected[i], y[i], 0.005 * expected[i]);
    }
  }
}
