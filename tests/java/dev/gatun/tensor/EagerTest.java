package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Every method of a tensor against arithmetic written out in Java, with numbers small enough to be
/// exact.
class EagerTest {
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

  @ParameterizedTest
  @EnumSource(Backends.class)
  void functionsOfOneNumber(Backends backend) {
    double[] x = {-2.5, -1, -0.25, 0.25, 1, 3};
    unary(backend, x, Tensor::negate, a -> -a);
    unary(backend, x, Tensor::abs, Math::abs);
    unary(backend, x, Tensor::square, a -> a * a);
    unary(backend, x, Tensor::exp, Math::exp);
    unary(backend, x, Tensor::relu, a -> Math.max(a, 0));
    unary(backend, x, Tensor::sigmoid, a -> 1 / (1 + Math.exp(-a)));
    unary(backend, x, Tensor::tanh, Math::tanh);
    unary(backend, x, Tensor::sign, Math::signum);
    unary(backend, x, t -> t.plus(1.5), a -> a + 1.5);
    unary(backend, x, t -> t.minus(1.5), a -> a - 1.5);
    unary(backend, x, t -> t.times(3), a -> a * 3);
    unary(backend, x, t -> t.div(4), a -> a / 4);
    double[] positive = {0.25, 1, 2, 9};
    unary(backend, positive, Tensor::sqrt, Math::sqrt);
    unary(backend, positive, Tensor::log, Math::log);
  }

  private static void unary(
      Backends backend, double[] x, UnaryOperator<Tensor> op, DoubleUnaryOperator expected) {
    double[] y = DoubleStream.of(x).map(expected).toArray();
    Tensor wide = Tensor.of(backend.device(), x, x.length);
    assertArrayEquals(y, op.apply(wide).toDoubleArray(), 1e-14);
    assertArrayEquals(y, op.apply(wide.as(DType.F32)).toDoubleArray(), 1e-5);
    assertArrayEquals(x, wide.toDoubleArray(), "operands stay as they are");
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void functionsOfTwoNumbers(Backends backend) {
    double[] a = {-3, -1, 0, 2, 5, 8};
    double[] b = {2, -1, 4, -4, 0.5, 8};
    binary(backend, a, b, Tensor::plus, (x, y) -> x + y);
    binary(backend, a, b, Tensor::minus, (x, y) -> x - y);
    binary(backend, a, b, Tensor::times, (x, y) -> x * y);
    binary(backend, a, b, Tensor::div, (x, y) -> x / y);
    binary(backend, a, b, Tensor::maximum, Math::max);
    binary(backend, a, b, Tensor::minimum, Math::min);
    binary(backend, a, b, Tensor::where, (x, y) -> y > 0 ? x : 0);
  }

  /// A function of two tensors.
  private interface TensorOperator {
    Tensor apply(Tensor a, Tensor b);
  }

  private static void binary(
      Backends backend, double[] a, double[] b, TensorOperator op, DoubleBinaryOperator expected) {
    double[] y = new double[a.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = expected.applyAsDouble(a[i], b[i]);
    }
    Device device = backend.device();
    Tensor result = op.apply(Tensor.of(device, a, 2, 3), Tensor.of(device, b, 2, 3));
    assertEquals(Shape.of(2, 3), result.shape());
    assertArrayEquals(y, result.toDoubleArray());
  }

  /// All pairs of a column and a row, a new axis in front, and a scalar.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void operandsAreBroadcast(Backends backend) {
    Device device = backend.device();
    Tensor column = Tensor.of(device, new double[] {10, 20, 30}, 3, 1);
    Tensor row = Tensor.of(device, new double[] {1, 2}, 2);
    assertElements(column.plus(row), Shape.of(3, 2), 11, 12, 21, 22, 31, 32);
    assertElements(row.minus(column), Shape.of(3, 2), -9, -8, -19, -18, -29, -28);
    Tensor cube = Tensor.of(device, new double[] {1, 2, 3, 4}, 2, 1, 2);
    assertElements(cube.times(row), Shape.of(2, 1, 2), 1, 4, 3, 8);
    assertElements(
        cube.times(column), Shape.of(2, 3, 2), 10, 20, 20, 40, 30, 60, 30, 40, 60, 80, 90, 120);
    assertElements(row.times(Tensor.full(device, DType.F64, 5)), Shape.of(2), 5, 10);
    assertElements(Tensor.zeros(device, DType.F64, 0, 2).plus(row), Shape.of(0, 2));
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void reductionsDropTheirAxes(Backends backend) {
    Tensor x = counting(backend.device(), 2, 3, 4);
    assertElements(x.sum(), Shape.scalar(), 276);
    assertElements(x.sum(0), Shape.of(3, 4), 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34);
    assertElements(x.sum(-1), Shape.of(2, 3), 6, 22, 38, 54, 70, 86);
    assertElements(x.sum(0, 2), Shape.of(3), 60, 92, 124);
    assertElements(x.mean(0, 1), Shape.of(4), 10, 11, 12, 13);
    assertElements(x.mean(), Shape.scalar(), 11.5);
    assertElements(x.max(1), Shape.of(2, 4), 8, 9, 10, 11, 20, 21, 22, 23);
    assertElements(x.max(), Shape.scalar(), 23);
    assertEquals(276, x.sum().item());
    Tensor scores = Tensor.of(backend.device(), new double[] {1, 5, 5, 7, 2, 0}, 2, 3);
    assertArrayEquals(new int[] {1, 0}, scores.argmax().toIntArray());
    assertEquals(Shape.of(2), scores.argmax().shape());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void reshapesKeepTheOrder(Backends backend) {
    Tensor x = counting(backend.device(), 2, 3, 4);
    assertEquals(Shape.of(6, 4), x.reshape(6, 4).shape());
    assertEquals(Shape.of(4, 6), x.reshape(4, -1).shape());
    assertEquals(Shape.of(24), x.reshape(-1).shape());
    assertEquals(Shape.of(2, 1, 12), x.reshape(2, 1, -1).shape());
    assertEquals(Shape.of(2, 12), x.flatten().shape());
    assertArrayEquals(x.toDoubleArray(), x.reshape(4, -1).toDoubleArray());
    Tensor empty = Tensor.zeros(backend.device(), DType.F64, 0, 3, 4);
    assertEquals(Shape.of(0, 12), empty.flatten().shape());
    assertEquals(Shape.of(0), empty.reshape(-1).shape());
    assertEquals(
        Shape.of(1, 1), Tensor.full(backend.device(), DType.F64, 5).reshape(1, -1).shape());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void axesArePermutedAndExpanded(Backends backend) {
    Tensor x = counting(backend.device(), 2, 3);
    assertElements(x.transpose(), Shape.of(3, 2), 0, 3, 1, 4, 2, 5);
    assertElements(x.permute(1, 0), Shape.of(3, 2), 0, 3, 1, 4, 2, 5);
    Tensor y = counting(backend.device(), 2, 1, 3).permute(2, 0, 1);
    assertElements(y, Shape.of(3, 2, 1), 0, 3, 1, 4, 2, 5);
    assertElements(x.sum(0).expand(2, 3), Shape.of(2, 3), 3, 5, 7, 3, 5, 7);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void tensorsAreCutAndJoined(Backends backend) {
    Tensor x = counting(backend.device(), 2, 3);
    assertElements(x.slice(1, 1, 3), Shape.of(2, 2), 1, 2, 4, 5);
    assertElements(x.slice(-2, 1, 2), Shape.of(1, 3), 3, 4, 5);
    assertElements(x.slice(-1, 2, 2), Shape.of(2, 0));
    Tensor y = counting(backend.device(), 2, 1);
    assertElements(Tensor.concat(-1, x, y), Shape.of(2, 4), 0, 1, 2, 0, 3, 4, 5, 1);
    assertElements(Tensor.concat(0, y, y, y), Shape.of(6, 1), 0, 1, 0, 1, 0, 1);
    assertElements(Tensor.concat(1, x), Shape.of(2, 3), 0, 1, 2, 3, 4, 5);
    assertElements(x.pad(1, 1, 0), Shape.of(2, 4), 0, 0, 1, 2, 0, 3, 4, 5);
    assertElements(y.pad(-2, 1, 2), Shape.of(5, 1), 0, 0, 1, 0, 0);
    Tensor[] many = new Tensor[300]; // more than have a fixed place
    Arrays.fill(many, y);
    assertEquals(150, Tensor.concat(0, many).slice(0, 300, 600).sum().item());
    int[] labels = Tensor.concat(0, y.as(DType.I32), x.as(DType.I32).slice(1, 2, 3)).toIntArray();
    assertArrayEquals(new int[] {0, 1, 2, 5}, labels);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void elementsAreConverted(Backends backend) {
    Device device = backend.device();
    Tensor x = Tensor.of(device, new double[] {-2.7, -0.2, 0.9, 300.5}, 4);
    assertArrayEquals(new int[] {-2, 0, 0, 300}, x.as(DType.I32).toIntArray());
    assertArrayEquals(new int[] {0, 0, 0, 255}, x.as(DType.U8).toIntArray());
    assertArrayEquals(new float[] {-2.7f, -0.2f, 0.9f, 300.5f}, x.toFloatArray());
    assertArrayEquals(new double[] {-2, 0, 0, 300}, x.as(DType.I64).toDoubleArray());
    assertSame(x, x.as(DType.F64));
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void productsAndLayers(Backends backend) {
    Device device = backend.device();
    Tensor a = Tensor.of(device, new double[] {1, 2, 3, 4, 5, 6}, 2, 3);
    Tensor b = Tensor.of(device, new double[] {1, 0, 0, 1, 2, -1}, 3, 2);
    assertElements(a.matmul(b), Shape.of(2, 2), 7, -1, 16, -1);
    assertElements(a.matmulTransposed(b.transpose()), Shape.of(2, 2), 7, -1, 16, -1);
    Tensor bias = Tensor.of(device, new double[] {100, 200}, 2);
    assertElements(a.dense(b.transpose(), bias), Shape.of(2, 2), 107, 199, 116, 199);

    // The weight 1 is at the left, the weight 10 in the middle: a row of x plus ten times itself.
    Tensor x = Tensor.of(device, new double[] {1, 2, 3, 4}, 1, 1, 4, 1);
    Tensor w = Tensor.of(device, new double[] {0, 0, 0, 1, 10, 0, 0, 0, 0}, 1, 3, 3, 1);
    assertElements(x.conv2d(w, 1, 1), Shape.of(1, 1, 4, 1), 10, 21, 32, 43);
    assertElements(x.conv2d(w, 2, 1), Shape.of(1, 1, 2, 1), 10, 32);

    Tensor picture = counting(device, 1, 4, 4, 1);
    assertElements(picture.maxPool(2, 2, 0), Shape.of(1, 2, 2, 1), 5, 7, 13, 15);
    assertElements(picture.averagePool(2, 2, 0), Shape.of(1, 2, 2, 1), 2.5, 4.5, 10.5, 12.5);
    assertElements(picture.averagePool(3, 3, 1), Shape.of(1, 2, 2, 1), 2.5, 4.5, 10.5, 12.5);
    assertElements(picture.globalAveragePool(), Shape.of(1, 1), 7.5);
    assertElements(picture.subsamplePad(2, 2), Shape.of(1, 2, 2, 2), 0, 0, 2, 0, 8, 0, 10, 0);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void probabilitiesAndLosses(Backends backend) {
    Device device = backend.device();
    Tensor logits = Tensor.of(device, new double[] {0, Math.log(3), 5, 5, 0, 0}, 3, 2);
    assertArrayEquals(
        new double[] {0.25, 0.75, 0.5, 0.5, 0.5, 0.5}, logits.softmax().toDoubleArray(), 1e-15);
    Tensor labels = Tensor.of(device, new int[] {1, 0, -1}, 3);
    double expected = (-Math.log(0.75) - Math.log(0.5)) / 2;
    assertEquals(expected, logits.softmaxCrossEntropy(labels).item(), 1e-15);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void tensorsAreMadeOfData(Backends backend) {
    Device device = backend.device();
    assertEquals(DType.F32, Tensor.of(device, new float[] {1}, 1).dtype());
    assertEquals(DType.F64, Tensor.of(device, new double[] {1}, 1).dtype());
    assertEquals(DType.I32, Tensor.of(device, new int[] {1}, 1).dtype());
    assertElements(Tensor.zeros(device, DType.F32, 2, 2), Shape.of(2, 2), 0, 0, 0, 0);
    assertElements(Tensor.full(device, DType.U8, 7, 3), Shape.of(3), 7, 7, 7);
    assertElements(Tensor.of(device, new float[0], 0, 3), Shape.of(0, 3));
    assertEquals(2.5, Tensor.full(device, DType.F32, 2.5).item());
    assertSame(device, Tensor.zeros(device, DType.F32, 2).device());
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void normalSamplesAreTheSameOnEveryDevice(Backends backend) {
    float[] elements = Tensor.randn(backend.device(), 42, 10_000).toFloatArray();
    assertArrayEquals(
        Tensor.randn(Backends.REFERENCE.device(), 42, 10_000).toFloatArray(), elements);
    double mean = 0;
    double square = 0;
    for (float element : elements) {
      mean += element / 1e4;
      square += element * element / 1e4;
    }
    assertEquals(0, mean, 0.05);
    assertEquals(1, square, 0.05);
  }

  /// What belongs to one statement runs in one thread, but threads may share tensors.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void bf16IsReadAsTheNumbersItHolds(Backends backend) {
    Tensor x = Tensor.of(backend.device(), new float[] {1, 0.1f, -257, 3e38f}, 4).as(DType.BF16);
    assertEquals(DType.BF16, x.dtype());
    float[] held = {1, 0x1.9Ap-4f, -256, 0x1.C4p127f};
    assertArrayEquals(held, x.toFloatArray());
    assertArrayEquals(held, x.as(DType.F32).toFloatArray());
    assertEquals(
        "bf16 (4) on " + backend + " [1.0, 0.100097656, -256.0, 3.0040553E38]", x.toString());
    assertThrows(UnsupportedOperationException.class, x::toIntArray);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void operandsMayBeSharedByThreads(Backends backend) throws InterruptedException {
    Tensor x = counting(backend.device(), 100);
    double[] sums = new double[4];
    List<Thread> threads =
        IntStream.range(0, 4)
            .mapToObj(
                i ->
                    Thread.ofPlatform()
                        .start(
                            () -> {
                              for (int k = 0; k < 50; k++) {
                                try (Scope _ = Scope.open()) {
                                  sums[i] += x.times(i).sum().item();
                                }
                              }
                            }))
            .toList();
    for (Thread thread : threads) {
      thread.join();
    }
    assertArrayEquals(new double[] {0, 50 * 4950, 2 * 50 * 4950, 3 * 50 * 4950}, sums);
  }

  private static Tensor counting(Device device, long... dims) {
    double[] elements = new double[(int) Shape.of(dims).count()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = i;
    }
    return Tensor.of(device, elements, dims);
  }

  private static void assertElements(Tensor tensor, Shape shape, double... elements) {
    assertEquals(shape, tensor.shape());
    assertArrayEquals(elements, tensor.toDoubleArray());
  }
}
