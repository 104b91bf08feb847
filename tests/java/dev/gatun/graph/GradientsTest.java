package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.CompiledFunction;
import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Functions.TensorsFunction;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.graph.op.ClipByNorm;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Gradients of functions, where the op table only has those of single ops. Each is also compiled,
/// which must not change it.
class GradientsTest {
  private static final Device DEVICE = Device.reference();
  private Scope scope = Scope.open();

  @BeforeEach
  void open() {
    scope.close();
    scope = Scope.open();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  @AfterAll
  static void closeDevice() {
    DEVICE.close();
  }

  @Test
  void aValueUsedSeveralTimesGetsTheSum() {
    Tensor x = tensor(1, -2, 3);
    // x² + x + 2x
    assertGradients(
        in -> in[0].times(in[0]).plus(in[0]).plus(in[0].times(2)).sum(),
        List.of(new double[] {5, -1, 9}),
        x);
  }

  @Test
  void aFunctionOfSeveralInputsHasAGradientForEach() {
    assertGradients(
        in -> in[0].times(in[1]).sum(),
        List.of(new double[] {4, 5}, new double[] {2, 3}),
        tensor(2, 3),
        tensor(4, 5));
  }

  /// Both gradients are the same node; each caller closes its own.
  @Test
  void equalGradientsAreTensorsOfTheirOwn() {
    List<Tensor> results =
        Functions.grad(in -> in[0].plus(in[1]).sum()).apply(tensor(1, 2), tensor(3, 4));
    results.get(0).close();
    assertArrayEquals(new double[] {1, 1}, results.get(1).toDoubleArray());
  }

  @Test
  void anUnusedInputHasZeros() {
    assertGradients(
        in -> in[1].sum(),
        List.of(new double[] {0, 0, 0}, new double[] {1}),
        tensor(1, 2, 3),
        tensor(4));
  }

  @Test
  void whatDoesNotReachTheResultCountsForNothing() {
    assertGradients(
        in -> {
          Tensor unused = in[0].exp().sum();
          return in[0].plus(unused.times(0)).minus(unused.times(0)).sum();
        },
        List.of(new double[] {1, 1}),
        tensor(1, 2));
  }

  @Test
  void broadcastOperandsGetSums() {
    Tensor matrix = Tensor.of(DEVICE, new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
    assertGradients(
        in -> in[0].times(in[1]).plus(in[2]).plus(in[3]).sum(),
        List.of(
            new double[] {10, 20, 30, 10, 20, 30},
            new double[] {5, 7, 9},
            new double[] {3, 3},
            new double[] {6}),
        matrix,
        tensor(10, 20, 30),
        Tensor.of(DEVICE, new double[] {1, 2}, 2, 1),
        Tensor.of(DEVICE, new double[] {7}));
  }

  /// What is summed over is F32, and sums of F32 go back to it as they are; a gradient of BF16 is
  /// BF16.
  @Test
  void broadcastOperandsInBf16GetSums() {
    Tensor ones = Tensor.full(DEVICE, DType.F32, 1, 300, 2);
    Tensor row = Tensor.of(DEVICE, new float[] {1, 2}, 2);
    TensorFunction sum =
        in -> in[0].as(DType.BF16).plus(in[1].as(DType.BF16)).relu().as(DType.F32).sum();
    List<Tensor> gradients = Functions.grad(sum).apply(ones, row);
    assertEquals(DType.F32, gradients.getLast().dtype());
    assertArrayEquals(new double[] {300, 300}, gradients.getLast().toDoubleArray());
    List<Tensor> narrow = Functions.grad(sum).apply(ones.as(DType.BF16), row.as(DType.BF16));
    assertEquals(DType.BF16, narrow.getFirst().dtype());
    assertEquals(DType.BF16, narrow.getLast().dtype());
    TensorFunction twice = // and through another op in BF16
        in -> in[0].plus(in[1].as(DType.BF16).tanh().times(2)).as(DType.F32).sum();
    Tensor flat = Tensor.zeros(DEVICE, DType.F32, 2);
    assertArrayEquals(
        new double[] {600, 600},
        Functions.grad(twice).apply(ones.as(DType.BF16), flat).getLast().toDoubleArray());
  }

  /// As in PyTorch: they are as great as themselves.
  @Test
  void infiniteMaximaShareTheGradientToo() {
    double inf = Double.POSITIVE_INFINITY;
    Tensor x = Tensor.of(DEVICE, new double[] {1, inf, 2, -inf, -inf, -inf, 3, -inf, 3}, 3, 3);
    assertGradients(
        in -> in[0].max(1).sum(),
        List.of(new double[] {0, 1, 0, 1 / 3.0, 1 / 3.0, 1 / 3.0, 0.5, 0, 0.5}),
        x);
  }

  @Test
  void integerInputsAreConstantsAndLeftOut() {
    Tensor logits = Tensor.of(DEVICE, new double[] {0, 0}, 1, 2);
    List<Tensor> gradients =
        Functions.grad(in -> in[0].softmaxCrossEntropy(in[1]))
            .apply(logits, Tensor.of(DEVICE, new int[] {1}, 1));
    assertEquals(1, gradients.size());
    assertArrayEquals(new double[] {0.5, -0.5}, gradients.getFirst().toDoubleArray(), 1e-15);
  }

  @Test
  void valueAndGradHasTheValueInFront() {
    List<Tensor> both = Functions.valueAndGrad(in -> in[0].square().sum()).apply(tensor(3, 4));
    assertEquals(25, both.getFirst().item());
    assertArrayEquals(new double[] {6, 8}, both.getLast().toDoubleArray());
  }

  /// x³ has the derivatives 3x², 6x, 6.
  @Test
  void gradientsHaveGradients() {
    TensorFunction cube = in -> in[0].times(in[0]).times(in[0]).sum();
    TensorFunction slope = in -> Functions.grad(cube).apply(in).getFirst().sum();
    TensorFunction bend = in -> Functions.grad(slope).apply(in).getFirst().sum();
    assertGradients(cube, List.of(new double[] {12, 27}), tensor(2, 3));
    assertGradients(slope, List.of(new double[] {12, 18}), tensor(2, 3));
    assertGradients(bend, List.of(new double[] {6, 6}), tensor(2, 3));
  }

  /// The second derivatives of a small network are those of its first ones by finite differences.
  @Test
  void secondDerivativesOfConvolutionAndPooling() {
    TensorFunction net =
        in ->
            in[0]
                .conv2d(in[1], 1, 1)
                .tanh()
                .averagePool(2, 2, 0)
                .subsamplePad(1, 4)
                .flatten()
                .square()
                .sum();
    TensorFunction size = in -> Functions.grad(net).apply(in).getFirst().square().sum();
    double[] x = sines(1 * 4 * 4 * 2);
    double[] w = sines(3 * 3 * 3 * 2);
    double[] analytic =
        Functions.grad(size)
            .apply(Tensor.of(DEVICE, x, 1, 4, 4, 2), Tensor.of(DEVICE, w, 3, 3, 3, 2))
            .getLast()
            .toDoubleArray();
    for (int i = 0; i < w.length; i += 7) {
      double[] up = w.clone();
      double[] down = w.clone();
      up[i] += 1e-5;
      down[i] -= 1e-5;
      double numeric = (value(size, x, up) - value(size, x, down)) / 2e-5;
      assertEquals(numeric, analytic[i], 1e-6 * Math.max(1, Math.abs(numeric)), "weight " + i);
    }
  }

  private double value(TensorFunction size, double[] x, double[] w) {
    return size.apply(Tensor.of(DEVICE, x, 1, 4, 4, 2), Tensor.of(DEVICE, w, 3, 3, 3, 2)).item();
  }

  /// The gradient counts an input's own way only: with y = x², d(xy)/dx is y, not 3x².
  @Test
  void inputsThatDependOnEachOtherAreStillTakenOneByOne() {
    TensorFunction product = in -> in[0].times(in[1]).sum();
    TensorsFunction partial = in -> Functions.grad(product).apply(in[0], in[0].square());
    List<Tensor> eager = partial.apply(tensor(3));
    assertArrayEquals(new double[] {9}, eager.get(0).toDoubleArray());
    assertArrayEquals(new double[] {3}, eager.get(1).toDoubleArray());
    try (CompiledFunction compiled = Functions.compile(partial)) {
      List<Tensor> results = compiled.apply(tensor(3));
      assertArrayEquals(new double[] {9}, results.get(0).toDoubleArray());
      assertArrayEquals(new double[] {3}, results.get(1).toDoubleArray());
    }
  }

  @Test
  void theSameInputTwiceIsTwoInputs() {
    TensorsFunction both =
        in -> Functions.grad(it -> it[0].times(it[0]).times(it[1]).sum()).apply(in[0], in[0]);
    try (CompiledFunction compiled = Functions.compile(both)) {
      for (TensorsFunction function : List.of(both, compiled)) {
        List<Tensor> results = function.apply(tensor(3));
        assertArrayEquals(new double[] {18}, results.get(0).toDoubleArray());
        assertArrayEquals(new double[] {9}, results.get(1).toDoubleArray());
      }
    }
  }

  /// A concrete input beside a symbolic one is a variable too.
  @Test
  void concreteInputsInsideATraceHaveGradients() {
    Tensor w = tensor(2, 3);
    TensorsFunction gradient =
        in -> Functions.grad(it -> it[0].times(it[1].square()).sum()).apply(in[0], w);
    TensorsFunction turned =
        in -> Functions.grad(it -> it[1].times(it[0].square()).sum()).apply(w, in[0]).reversed();
    try (CompiledFunction first = Functions.compile(gradient);
        CompiledFunction second = Functions.compile(turned)) {
      for (TensorsFunction function : List.of(gradient, turned, first, second)) {
        List<Tensor> results = function.apply(tensor(5, 7));
        assertArrayEquals(new double[] {4, 9}, results.get(0).toDoubleArray());
        assertArrayEquals(new double[] {20, 42}, results.get(1).toDoubleArray());
      }
    }
  }

  @Test
  void whatIsNotAScalarHasNoGradient() {
    ShapeException e =
        assertThrows(
            ShapeException.class, () -> Functions.grad(in -> in[0].exp()).apply(tensor(1, 2)));
    assertEquals(
        "[grad] only a real scalar can be differentiated, found f64 (2); reduce it first, by mean()"
            + " or sum()",
        e.getMessage());
  }

  @Test
  void aResultThatIgnoresTheInputsIsRefused() {
    Tensor other = tensor(1).sum();
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> Functions.grad(in -> other).apply(tensor(1)));
    assertTrue(
        String.valueOf(e.getMessage()).startsWith("[grad] the function's result does not depend"));
    assertThrows(IllegalArgumentException.class, () -> Functions.grad(in -> other).apply());
  }

  @Test
  void anOpWithoutGradientSaysSo() {
    UnsupportedOperationException e =
        assertThrows(
            UnsupportedOperationException.class,
            () ->
                Functions.grad(
                        in ->
                            Tensor.applyAll(new ClipByNorm(1), List.of(in[0], in[0].sum()))
                                .getFirst()
                                .sum())
                    .apply(tensor(1, 2)));
    assertEquals("[clip_by_norm] has no gradient", e.getMessage());
  }

  /// The ops of a gradient stand in the layer whose op they differentiate, however deep the trace
  /// is at that moment.
  @Test
  void gradientNodesCarryTheLayersPath() {
    Graph graph = new Graph();
    Value x = graph.leaf("x", new TensorType(DType.F64, Shape.of(2, 3)));
    graph.enter("body");
    graph.enter("dense");
    Value y = (Value) x.exp();
    graph.leave();
    Value loss = (Value) y.square().sum();
    int forward = graph.nodes().size();
    Gradients.of(loss, List.of(x));
    List<String> paths = graph.nodes().stream().skip(forward).map(Node::path).distinct().toList();
    assertEquals(List.of("body", "body.dense"), paths);
    assertEquals("body", graph.path());
  }

  private static Tensor tensor(double... elements) {
    return Tensor.of(DEVICE, elements, elements.length);
  }

  private static double[] sines(int count) {
    double[] elements = new double[count];
    for (int i = 0; i < count; i++) {
      elements[i] = Math.sin(1 + 1.7 * i);
    }
    return elements;
  }

  private static void assertGradients(
      TensorFunction function, List<double[]> expected, Tensor... inputs) {
    try (CompiledFunction compiled = Functions.compile(Functions.grad(function))) {
      for (TensorsFunction gradient : List.of(Functions.grad(function), compiled)) {
        List<Tensor> results = gradient.apply(inputs);
        assertEquals(expected.size(), results.size());
        for (int k = 0; k < expected.size(); k++) {
          assertArrayEquals(expected.get(k), results.get(k).toDoubleArray(), 1e-12, "input " + k);
          assertEquals(TensorType.of(inputs[k]), TensorType.of(results.get(k)));
        }
      }
    }
  }
}
