package dev.gatun.train;

import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.CompiledFunction;
import dev.gatun.Device;
import dev.gatun.FullBatch;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Hessian;
import dev.gatun.Lbfgs;
import dev.gatun.Lbfgs.Ending;
import dev.gatun.Lbfgs.Minimum;
import dev.gatun.LineSearch;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Newton;
import dev.gatun.Objective;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Products with the Hessian, its spectrum, and Newton's method.
class SecondOrderTest {
  /// x²y + y³: H = [2y 2x; 2x 6y].
  @ParameterizedTest
  @EnumSource(Backends.class)
  void hvp_isTheKnownOne(Backends backend) {
    TensorFunction f = in -> in[0].square().times(in[1]).plus(in[1].square().times(in[1]));
    try (Scope _ = Scope.open();
        CompiledFunction compiled = Functions.compile(Functions.hvp(f))) {
      Device device = backend.device();
      Tensor[] in = {
        Tensor.of(device, new double[] {3}),
        Tensor.of(device, new double[] {2}),
        Tensor.of(device, new double[] {0.5}),
        Tensor.of(device, new double[] {-1}),
      };
      for (List<Tensor> product : List.of(Functions.hvp(f).apply(in), compiled.apply(in))) {
        assertEquals(4 * 0.5 - 6, product.get(0).item(), 1e-12);
        assertEquals(6 * 0.5 - 12, product.get(1).item(), 1e-12);
      }
    }
  }

  /// Against differences of gradients, through convolution, pooling, activations and both losses.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void hvp_isTheSlopeOfTheGradient(Backends backend) {
    Device device = backend.device();
    try (Scope _ = Scope.open()) {
      Tensor pictures = doubles(device, 1, 4, 6, 6, 2);
      Tensor labels = Tensor.of(device, new int[] {2, 0, 1, 2}, 4);
      Tensor targets = doubles(device, 5, 4, 3);
      TensorFunction logits =
          in ->
              pictures
                  .conv2d(in[0], 1, 1)
                  .tanh()
                  .averagePool(2, 2, 0)
                  .silu()
                  .flatten()
                  .matmulTransposed(in[1])
                  .softplus();
      Tensor conv = doubles(device, 2, 3, 3, 3, 2);
      Tensor dense = doubles(device, 3, 3, 27);
      Tensor u = doubles(device, 4, 3, 3, 3, 2);
      Tensor v = doubles(device, 6, 3, 27);
      for (TensorFunction f :
          List.<TensorFunction>of(
              in -> logits.apply(in).softmaxCrossEntropy(labels),
              in -> Loss.meanSquaredError().apply(logits.apply(in), targets),
              in -> logits.apply(in).logSoftmax().times(targets).mean(),
              in -> logits.apply(in).softmax().times(targets).gelu().mean())) {
        List<Tensor> exact = Functions.hvp(f).apply(conv, dense, u, v);
        double h = 1e-5;
        List<Tensor> above = Functions.grad(f).apply(conv.plus(u.times(h)), dense.plus(v.times(h)));
        List<Tensor> below =
            Functions.grad(f).apply(conv.minus(u.times(h)), dense.minus(v.times(h)));
        double size = 0;
        for (int i = 0; i < 2; i++) {
          double[] slope = above.get(i).minus(below.get(i)).times(1 / (2 * h)).toDoubleArray();
          double[] product = exact.get(i).toDoubleArray();
          assertArrayEquals(slope, product, 1e-8);
          size += Arrays.stream(product).map(Math::abs).sum();
        }
        assertTrue(size > 1e-3, "not all zeros: " + size);
      }
    }
  }

  /// Twice differentiated is not everything; it says so.
  @Test
  void hvp_namesWhatHasNoSecondGradient() {
    Device device = Backends.REFERENCE.device();
    try (Scope _ = Scope.open()) {
      Tensor x = doubles(device, 1, 1, 4, 4, 1);
      TensorFunction f = in -> in[0].square().maxPool(2, 2, 0).square().sum();
      assertEquals(
          "[max_pool_backward] has no gradient",
          message(UnsupportedOperationException.class, () -> Functions.hvp(f).apply(x, x)));
      refused(
          "[hvp] expected as many vectors as inputs, found 3 tensors",
          () -> Functions.hvp(f).apply(x, x, x));
      Tensor other = doubles(device, 1, 4, 4);
      shapeError(
          "[hvp] expected a real input and a vector of its type, found f64 (1, 4, 4, 1) and f64 (4,"
              + " 4)",
          () -> Functions.hvp(f).apply(x, other));
    }
  }

  /// A step each, whether the Hessian is exact or by differences.
  @Test
  void newton_solvesAQuadraticInOneStep() {
    double[] start = {3, -2};
    Minimum byDifferences = Newton.of().minimize(LbfgsTest.VALLEY, start);
    assertEquals(Ending.CONVERGED, byDifferences.ending());
    assertEquals(1, byDifferences.iterations());
    assertArrayEquals(new double[2], byDifferences.point(), 1e-8);
    assertArrayEquals(new double[] {3, -2}, start, "the start is changed");
    try (Scope _ = Scope.open()) {
      Device device = Backends.CPU.device();
      Tensor a = doubles(device, 1, 7, 7);
      Tensor b = doubles(device, 2, 7);
      // ½ |A x|² - b x, so that AᵀA x = b
      Objective quadratic =
          Objective.of(
              device,
              x -> a.matmul(x.reshape(7, 1)).square().sum().times(0.5).minus(x.times(b).sum()));
      Minimum exact = Newton.of().minimize(quadratic, new double[7]);
      assertEquals(1, exact.iterations());
      Tensor x = Tensor.of(device, exact.point(), 7, 1);
      double[] found = a.transpose().matmul(a.matmul(x)).toDoubleArray();
      assertArrayEquals(b.toDoubleArray(), found, 1e-7);
    }
  }

  /// Where the Hessian is not positive definite too, along the way: Rosenbrock's valley, from a
  /// ridge as well; each of the last steps doubles the digits.
  @Test
  void newton_convergesOnRosenbrock() {
    Objective rosenbrock =
        (p, g) -> {
          double a = p[1] - p[0] * p[0];
          double b = 1 - p[0];
          g[0] = -400 * a * p[0] - 2 * b;
          g[1] = 200 * a;
          return 100 * a * a + b * b;
        };
    for (double[] start : new double[][] {{-1.2, 1}, {0, 2}, {2, -3}}) {
      Minimum minimum = Newton.of().minimize(rosenbrock, start);
      assertEquals(Ending.CONVERGED, minimum.ending());
      assertArrayEquals(new double[] {1, 1}, minimum.point(), 1e-7);
      assertTrue(minimum.iterations() < 40, minimum.iterations() + " steps");
    }
    Minimum short1 = Newton.of().iterations(3).minimize(rosenbrock, new double[] {-1.2, 1});
    assertEquals(Ending.ITERATIONS_USED, short1.ending());
    refused(
        "[newton] expected a finite value at the start, found NaN",
        () -> Newton.of().minimize((p, g) -> Double.NaN, new double[1]));
    refused("[newton] expected at least 1 iteration, found 0.0", () -> Newton.of().iterations(0));
  }

  /// Softmax regression: a handful of steps, where gradient descent takes many times as many.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void newton_fitsARegression(Backends backend) {
    try (Model model = Model.of(Net.input(5).dense(3), backend.device(), 1);
        FullBatch objective = LbfgsTest.randomBatch(model, 200, 3)) {
      double[] start = objective.parameters();
      Minimum newton = Newton.of().tolerance(1e-4).minimize(objective, start);
      Minimum descent =
          Lbfgs.of()
              .history(0)
              .lineSearch(LineSearch.backtracking())
              .tolerance(1e-4)
              .iterations(500)
              .minimize(objective, start);
      assertEquals(Ending.CONVERGED, newton.ending());
      assertEquals(newton.value(), descent.value(), 1e-4);
      assertTrue(
          newton.iterations() <= 8 && descent.iterations() > 3 * newton.iterations(),
          newton.iterations() + " steps against " + descent.iterations());
    }
  }

  /// The spectrum of what is known: a valley, a saddle, a dome.
  @Test
  void spectrum_isTheKnownOne() {
    Hessian valley = Hessian.of(LbfgsTest.VALLEY, new double[] {5, -1});
    assertArrayEquals(new double[] {20, 1}, valley.eigenvalues(), 1e-6);
    assertEquals(20, valley.extremes(2, 1).condition(), 1e-6);
    assertEquals(0, valley.index(1e-6));
    Objective saddle =
        (p, g) -> {
          g[0] = 2 * p[0];
          g[1] = -2 * p[1];
          return p[0] * p[0] - p[1] * p[1];
        };
    assertEquals(0.5, Hessian.of(saddle, new double[2]).index(1e-6));
    assertEquals(-2, Hessian.of(saddle, new double[2]).extremes(2, 1).least(), 1e-6);
    Objective dome =
        (p, g) -> {
          g[0] = -p[0];
          return -p[0] * p[0] / 2;
        };
    assertEquals(1, Hessian.of(dome, new double[1]).index(1e-6));
    refused(
        "[hessian] expected a vector of 2 elements, found 3", () -> valley.times(new double[3]));
    refused("[hessian] expected at least 1 step, found 0.0", () -> valley.extremes(0, 1));
  }

  /// On a small net: products are symmetric and agree with differences; the method of Lanczos finds
  /// the ends of the whole matrix, the greatest eigenvalue in a third of the steps. By differences,
  /// as with a norm, the same to fewer digits.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aNetsHessian_isSymmetric_andItsEndsAreFound(Backends backend) {
    Net plain = Net.input(4).dense(6).tanh().dense(3);
    Net normed = Net.input(4).dense(6).batchNorm().tanh().dense(3);
    for (Net net : List.of(plain, normed)) {
      boolean exact = net == plain;
      try (Model model = Model.of(net, backend.device(), 1);
          FullBatch objective = LbfgsTest.randomBatch(model, 60, 3)) {
        double[] point = objective.parameters();
        Hessian hessian = Hessian.of(objective, point);
        int n = point.length;
        double[] u = new double[n];
        double[] v = new double[n];
        for (int i = 0; i < n; i++) {
          u[i] = Math.sin(i + 1);
          v[i] = Math.cos(3 * i);
        }
        double[] hv = hessian.times(v);
        double scale = Math.sqrt(dot(hv, hv) * dot(u, u));
        assertEquals(dot(u, hv), dot(v, hessian.times(u)), (exact ? 1e-5 : 1e-2) * scale);
        double[] above = new double[n];
        double[] below = new double[n];
        double h = 1e-2;
        objective.valueAndGradient(moved(point, h, v), above);
        objective.valueAndGradient(moved(point, -h, v), below);
        for (int i = 0; i < n; i++) {
          assertEquals((above[i] - below[i]) / (2 * h), hv[i], 1e-2 * scale, "element " + i);
        }
        double[] all = hessian.eigenvalues();
        Hessian.Extremes ends = hessian.extremes(n, 1);
        double tolerance = (exact ? 1e-4 : 1e-2) * all[0];
        assertEquals(all[0], ends.greatest(), tolerance);
        assertEquals(all[n - 1], ends.least(), tolerance);
        assertEquals(all[0], hessian.extremes(n / 3, 1).greatest(), tolerance);
      }
    }
  }

  /// Dauphin et al. 2014: high losses have many directions down, low ones few. A net at its start,
  /// on the way, and where it ends.
  @Test
  void theIndex_fallsWithTheLoss() {
    Net net = Net.input(4).dense(8).tanh().dense(3);
    try (Model model = Model.of(net, Backends.CPU.device(), 3);
        FullBatch objective = LbfgsTest.randomBatch(model, 100, 3)) {
      double[] start = objective.parameters();
      Minimum way = Lbfgs.of().iterations(5).minimize(objective, start);
      Minimum end = Lbfgs.of().iterations(400).tolerance(1e-4).minimize(objective, start);
      double first = Hessian.of(objective, start).index(1e-4);
      double middle = Hessian.of(objective, way.point()).index(1e-4);
      double last = Hessian.of(objective, end.point()).index(1e-4);
      assertTrue(
          first > middle && middle > last && last < 0.1,
          "index %.3f at the start, %.3f at loss %.3f, %.3f at loss %.3f"
              .formatted(first, middle, way.value(), last, end.value()));
    }
  }

  private static double[] moved(double[] point, double h, double[] v) {
    double[] moved = point.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += h * v[i];
    }
    return moved;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static Tensor doubles(Device device, long seed, long... dims) {
    int count = (int) Arrays.stream(dims).reduce(1, (a, b) -> a * b);
    float[] normal = Pictures.normal(count, seed);
    double[] elements = new double[count];
    for (int i = 0; i < count; i++) {
      elements[i] = 0.5 * normal[i];
    }
    return Tensor.of(device, elements, dims);
  }
}
