package dev.gatun.spec;

import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import java.util.List;

/// The matrix product and the convolution with its two gradients.
final class ProductRows {
  private static final String DOT =
      "dot products of up to 2,000 terms in f32: an error of about the square root of that, with a"
          + " margin of a few";

  private static final double FILTERING_ULPS = 400;
  private static final String FILTERING =
      "transforms whose terms are some ten times greater than their sums, on both sides of the"
          + " products";
  private static final Window SAME = Window.square(3, 1, 1);

  private ProductRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(product(false, false))
            .on(real(7, 13), real(13, 5))
            .on(real(1, 1), real(1, 1))
            .on(real(1, 129), real(129, 1))
            .on(real(0, 3), real(3, 4))
            .on(real(3, 0), real(0, 4))
            .on(real(3, 4), real(4, 0))
            .on(real(64, 127), real(127, 65))
            .on(real(96, 700), real(700, 257))
            .on(product(true, false), real(13, 7), real(13, 5))
            .on(product(false, true), real(7, 13), real(5, 13))
            .on(product(true, true), real(13, 7), real(5, 13))
            .on(product(true, false), real(127, 64), real(127, 65))
            .on(product(false, true), real(64, 127), real(65, 127))
            .on(product(true, true), real(127, 64), real(65, 127))
            .on(biased(Activation.NONE), real(7, 13), real(13, 5), real(5))
            .on(biased(Activation.NONE), real(3, 0), real(0, 4), real(4))
            .on(biased(Activation.RELU), real(11, 7), real(7, 33), real(33))
            .on(new MatMul(false, true, true, Activation.RELU), real(5, 11), real(17, 11), real(17))
            .on(new MatMul(false, false, false, Activation.RELU), real(5, 11), real(11, 3))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .refuses("inner dimensions differ: (64, 784) x (512, 10)", real(64, 784), real(512, 10))
            .refuses(
                "inner dimensions differ: (3, 4) transposed x (4, 5)",
                () -> product(true, false),
                real(3, 4),
                real(4, 5))
            .refuses("expected a with two axes, found f32 (3)", real(3), real(3, 4))
            .refuses("expected b with two axes, found f32 (2, 3, 4)", real(2, 3), real(2, 3, 4))
            .refuses(
                "expected bias (5), found f32 (4)",
                () -> biased(Activation.NONE),
                real(2, 3),
                real(3, 5),
                real(4))
            .refuses("dtypes differ", real(2, 3), typed(DType.F64, NORMAL, 3, 4))
            .refuses("expected 2 inputs, found 3", real(2, 3), real(3, 4), real(4)),
        OpRow.of(conv(3, 1, 1))
            .on(real(2, 5, 7, 11), real(13, 3, 3, 11))
            .on(
                new Conv2d(SAME, false, Activation.NONE, ConvAlgorithm.DIRECT),
                real(2, 5, 7, 11),
                real(13, 3, 3, 11))
            .on(real(1, 1, 1, 1), real(1, 3, 3, 1))
            .on(real(0, 5, 5, 3), real(4, 3, 3, 3))
            .on(real(2, 2, 2, 3), real(5, 3, 3, 3))
            .on(real(8, 16, 16, 16), real(16, 3, 3, 16))
            .on(real(2, 9, 9, 32), real(24, 3, 3, 32))
            .on(conv(3, 2, 1), real(2, 8, 8, 5), real(7, 3, 3, 5))
            .on(conv(3, 2, 1), real(2, 7, 9, 5), real(7, 3, 3, 5))
            .on(conv(3, 1, 0), real(2, 5, 7, 3), real(4, 3, 3, 3))
            .on(conv(1, 1, 0), real(2, 5, 7, 11), real(13, 1, 1, 11))
            .on(conv(1, 2, 0), real(2, 5, 7, 11), real(13, 1, 1, 11))
            .on(conv(5, 1, 2), real(2, 6, 5, 3), real(4, 5, 5, 3))
            .on(conv(7, 2, 3), real(1, 13, 11, 3), real(16, 7, 7, 3))
            .on(conv(2, 3, 0), real(1, 7, 8, 3), real(5, 2, 2, 3))
            .on(conv(3, 1, 3), real(1, 2, 3, 2), real(3, 3, 3, 2))
            .on(odd(false, Activation.NONE), real(2, 7, 6, 3), real(5, 3, 2, 3))
            .on(conv(3, 1, 1, true, Activation.NONE), real(2, 5, 5, 3), real(7, 3, 3, 3), real(7))
            .on(conv(3, 1, 1, true, Activation.RELU), real(2, 5, 5, 3), real(7, 3, 3, 3), real(7))
            .on(conv(3, 1, 1, false, Activation.RELU), real(2, 5, 5, 3), real(7, 3, 3, 3))
            .on(odd(true, Activation.RELU), real(2, 7, 6, 3), real(5, 3, 2, 3), real(5))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .refuses("expected x [N,H,W,C], found f32 (5, 7, 3)", real(5, 7, 3), real(4, 3, 3, 3))
            .refuses("expected w [K,R,S,C], found f32 (3, 3, 3)", real(2, 5, 7, 3), real(3, 3, 3))
            .refuses(
                "expected weights for 3 input channels, found f32 (4, 3, 3, 5)",
                real(2, 5, 7, 3),
                real(4, 3, 3, 5))
            .refuses(
                "expected weights of 3x3, found f32 (4, 5, 5, 3)",
                real(2, 5, 7, 3),
                real(4, 5, 5, 3))
            .refuses(
                "the window 5x5 does not fit into 4x7 with padding 0x0",
                () -> conv(5, 1, 0),
                real(2, 4, 7, 3),
                real(4, 5, 5, 3))
            .refuses(
                "expected bias (4), found f32 (3)",
                () -> conv(3, 1, 1, true, Activation.NONE),
                real(2, 5, 7, 3),
                real(4, 3, 3, 3),
                real(3))
            .refuses("dtypes differ", real(2, 5, 7, 3), typed(DType.F64, NORMAL, 4, 3, 3, 3))
            .refuses(
                "window and stride must be at least 1",
                () -> conv(3, 0, 1),
                real(2, 5, 7, 3),
                real(4, 3, 3, 3))
            .refuses(
                "padding must not be negative",
                () -> conv(3, 1, -1),
                real(2, 5, 7, 3),
                real(4, 3, 3, 3)),
        OpRow.of(conv(3, 1, 1).withResidual())
            .on(real(2, 5, 7, 11), real(13, 3, 3, 11), real(2, 5, 7, 13))
            .on(
                conv(3, 1, 1, true, Activation.RELU).withResidual(),
                real(2, 5, 7, 11),
                real(13, 3, 3, 11),
                real(13),
                real(2, 5, 7, 13))
            .on(
                conv(1, 1, 0, true, Activation.RELU).withResidual(),
                real(2, 5, 7, 11),
                real(40, 1, 1, 11),
                real(40),
                real(2, 5, 7, 40))
            .on(
                conv(3, 2, 1, false, Activation.RELU).withResidual().withMoments(),
                real(2, 7, 9, 5),
                real(7, 3, 3, 5),
                real(2, 4, 5, 7))
            .on(conv(3, 1, 1).withMoments(), real(1, 1, 1, 1), real(1, 3, 3, 1))
            .on(conv(3, 1, 1).withMoments(), real(2, 5, 7, 11), real(13, 3, 3, 11))
            .on(conv(3, 1, 1).withMoments(), real(8, 16, 16, 16), real(16, 3, 3, 16))
            .on(conv(3, 1, 1).withMoments(), real(5, 9, 8, 32), real(72, 3, 3, 32))
            .on(conv(3, 2, 1).withMoments(), real(37, 8, 8, 5), real(8, 3, 3, 5))
            .on(conv(1, 1, 0).withMoments(), real(2, 5, 7, 11), real(13, 1, 1, 11))
            .on(
                conv(3, 1, 1, true, Activation.RELU).withMoments(),
                real(2, 5, 5, 3),
                real(7, 3, 3, 3),
                real(7))
            .ulps(192, DOT)
            .refuses(
                "expected residual (2, 5, 7, 13), found f32 (2, 5, 6, 13)",
                real(2, 5, 7, 11),
                real(13, 3, 3, 11),
                real(2, 5, 6, 13))
            .refuses(
                "there are no moments of nothing",
                () -> conv(3, 1, 1).withMoments(),
                real(0, 5, 7, 11),
                real(13, 3, 3, 11)),
        OpRow.of(backwardData(3, 1, 1, 2, 5, 7, 11))
            .on(real(2, 5, 7, 13), real(13, 3, 3, 11))
            .on(
                new Conv2d.BackwardData(SAME, Shape.of(2, 5, 7, 11), ConvAlgorithm.DIRECT),
                real(2, 5, 7, 13),
                real(13, 3, 3, 11))
            .on(backwardData(3, 1, 1, 1, 1, 1, 1), real(1, 1, 1, 1), real(1, 3, 3, 1))
            .on(backwardData(3, 1, 1, 0, 5, 5, 3), real(0, 5, 5, 4), real(4, 3, 3, 3))
            .on(backwardData(3, 1, 1, 8, 16, 16, 16), real(8, 16, 16, 16), real(16, 3, 3, 16))
            .on(backwardData(3, 2, 1, 2, 8, 8, 5), real(2, 4, 4, 7), real(7, 3, 3, 5))
            .on(backwardData(3, 2, 1, 2, 7, 9, 5), real(2, 4, 5, 7), real(7, 3, 3, 5))
            .on(backwardData(1, 1, 0, 2, 5, 7, 11), real(2, 5, 7, 13), real(13, 1, 1, 11))
            .on(backwardData(1, 2, 0, 2, 5, 7, 11), real(2, 3, 4, 13), real(13, 1, 1, 11))
            .on(backwardData(7, 2, 3, 1, 13, 11, 3), real(1, 7, 6, 16), real(16, 7, 7, 3))
            .on(backwardData(2, 3, 0, 1, 7, 8, 3), real(1, 2, 3, 5), real(5, 2, 2, 3))
            .on(
                new Conv2d.BackwardData(
                    new Window(3, 2, 2, 1, 1, 0), Shape.of(2, 7, 6, 3), ConvAlgorithm.AUTO),
                real(2, 4, 5, 5),
                real(5, 3, 2, 3))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .shapedBy(ProductRows::reshaped)
            .refuses(
                "expected dy (2, 5, 7, 13), found f32 (2, 5, 6, 13)",
                real(2, 5, 6, 13),
                real(13, 3, 3, 11))
            .refuses(
                "expected weights for 11 input channels", real(2, 5, 7, 13), real(13, 3, 3, 10))
            .refuses("expected weights of 3x3", real(2, 5, 7, 13), real(13, 3, 2, 11)),
        OpRow.of(backwardData(3, 1, 1, 2, 5, 7, 11).withAddend())
            .on(real(2, 5, 7, 13), real(13, 3, 3, 11), real(2, 5, 7, 11))
            .on(
                backwardData(3, 1, 1, 2, 5, 7, 11).withGate(),
                real(2, 5, 7, 13),
                real(13, 3, 3, 11),
                real(TIES, 2, 5, 7, 11))
            .on(
                backwardData(3, 1, 1, 2, 5, 7, 11).withSums(),
                real(2, 5, 7, 13),
                real(13, 3, 3, 11),
                real(2, 5, 7, 11),
                real(11))
            .on(allOf(backwardData(3, 1, 1, 1, 1, 1, 1)), all(1, 3, 1, 1, 1, 1, 1, 1))
            .on(allOf(backwardData(3, 1, 1, 0, 5, 5, 3)), all(4, 3, 5, 5, 0, 5, 5, 3))
            .on(allOf(backwardData(3, 1, 1, 8, 16, 16, 16)), all(16, 3, 16, 16, 8, 16, 16, 16))
            .on(allOf(backwardData(3, 2, 1, 3, 7, 9, 72)), all(7, 3, 4, 5, 3, 7, 9, 72))
            .on(allOf(backwardData(1, 1, 0, 2, 5, 8, 32)), all(13, 1, 5, 8, 2, 5, 8, 32))
            .on(allOf(backwardData(1, 2, 0, 2, 5, 7, 11)), all(13, 1, 3, 4, 2, 5, 7, 11))
            .ulps(192, DOT)
            .shapedBy((op, dx) -> resized((Conv2d.BackwardData) op, dx))
            .refuses(
                "expected addend (2, 5, 7, 11), found f32 (2, 5, 7, 10)",
                real(2, 5, 7, 13),
                real(13, 3, 3, 11),
                real(2, 5, 7, 10))
            .refuses(
                "expected gate (2, 5, 7, 11), found f32 (2, 5, 7, 10)",
                () -> backwardData(3, 1, 1, 2, 5, 7, 11).withGate(),
                real(2, 5, 7, 13),
                real(13, 3, 3, 11),
                real(2, 5, 7, 10))
            .refuses(
                "expected a batch norm's mean (11), found f32 (10)",
                () -> backwardData(3, 1, 1, 2, 5, 7, 11).withSums(),
                real(2, 5, 7, 13),
                real(13, 3, 3, 11),
                real(2, 5, 7, 11),
                real(10)),
        OpRow.of(backwardWeights(3, 1, 1))
            .on(real(2, 5, 7, 11), real(2, 5, 7, 13))
            .on(
                new Conv2d.BackwardWeights(SAME, ConvAlgorithm.DIRECT),
                real(2, 5, 7, 11),
                real(2, 5, 7, 13))
            .on(real(1, 1, 1, 1), real(1, 1, 1, 1))
            .on(real(0, 5, 5, 3), real(0, 5, 5, 4))
            .on(real(8, 16, 16, 16), real(8, 16, 16, 16))
            .on(backwardWeights(3, 2, 1), real(2, 8, 8, 5), real(2, 4, 4, 7))
            .on(backwardWeights(3, 2, 1), real(2, 7, 9, 5), real(2, 4, 5, 7))
            .on(backwardWeights(1, 1, 0), real(2, 5, 7, 11), real(2, 5, 7, 13))
            .on(backwardWeights(1, 2, 0), real(2, 5, 7, 11), real(2, 3, 4, 13))
            .on(backwardWeights(7, 2, 3), real(1, 13, 11, 3), real(1, 7, 6, 16))
            .on(backwardWeights(2, 3, 0), real(1, 7, 8, 3), real(1, 2, 3, 5))
            .on(
                new Conv2d.BackwardWeights(new Window(3, 2, 2, 1, 1, 0), ConvAlgorithm.AUTO),
                real(2, 7, 6, 3),
                real(2, 4, 5, 5))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .refuses(
                "expected dy (2, 5, 7, 13), found f32 (2, 4, 7, 13)",
                real(2, 5, 7, 11),
                real(2, 4, 7, 13))
            .refuses(
                "expected dy [N,P,Q,K], found f32 (5, 7, 13)", real(2, 5, 7, 11), real(5, 7, 13)),
        OpRow.of(winograd(1, false, Activation.NONE))
            .on(real(2, 5, 7, 11), real(13, 3, 3, 11))
            .on(real(1, 1, 1, 1), real(1, 3, 3, 1))
            .on(real(0, 5, 5, 3), real(4, 3, 3, 3))
            .on(real(8, 16, 16, 16), real(16, 3, 3, 16))
            .on(real(2, 9, 9, 32), real(24, 3, 3, 32))
            .on(winograd(0, false, Activation.NONE), real(2, 5, 7, 3), real(4, 3, 3, 3))
            .on(winograd(3, false, Activation.NONE), real(1, 2, 3, 2), real(3, 3, 3, 2))
            .on(winograd(1, true, Activation.RELU), real(2, 8, 9, 3), real(7, 3, 3, 3), real(7))
            .inF32()
            .gradient()
            .ulps(FILTERING_ULPS, FILTERING)
            .refuses(
                "WINOGRAD needs f32, a 3x3 window and stride 1, found f64",
                typed(DType.F64, NORMAL, 2, 5, 7, 3),
                typed(DType.F64, NORMAL, 4, 3, 3, 3))
            .refuses(
                "found f32, 3x3 and 2x2",
                () -> winograd(Window.square(3, 2, 1)),
                real(2, 5, 7, 3),
                real(4, 3, 3, 3))
            .refuses(
                "found f32, 5x5 and 1x1",
                () -> winograd(Window.square(5, 1, 2)),
                real(2, 5, 7, 3),
                real(4, 5, 5, 3)),
        OpRow.of(new Conv2d.BackwardData(SAME, Shape.of(2, 5, 7, 11), ConvAlgorithm.WINOGRAD))
            .on(real(2, 5, 7, 13), real(13, 3, 3, 11))
            .on(
                new Conv2d.BackwardData(SAME, Shape.of(8, 16, 16, 16), ConvAlgorithm.WINOGRAD),
                real(8, 16, 16, 16),
                real(16, 3, 3, 16))
            .on(
                new Conv2d.BackwardData(
                    Window.square(3, 1, 0), Shape.of(2, 5, 7, 11), ConvAlgorithm.WINOGRAD),
                real(2, 3, 5, 13),
                real(13, 3, 3, 11))
            .inF32()
            .gradient()
            .ulps(FILTERING_ULPS, FILTERING)
            .shapedBy(ProductRows::reshaped)
            .refuses(
                "WINOGRAD needs f32, a 3x3 window and stride 1, found f64",
                typed(DType.F64, NORMAL, 2, 5, 7, 13),
                typed(DType.F64, NORMAL, 13, 3, 3, 11)),
        OpRow.of(new Conv2d.BackwardWeights(SAME, ConvAlgorithm.WINOGRAD))
            .on(real(2, 5, 7, 11), real(2, 5, 7, 13))
            .on(real(1, 1, 1, 1), real(1, 1, 1, 1))
            .on(real(8, 16, 16, 16), real(8, 16, 16, 16))
            .on(
                new Conv2d.BackwardWeights(Window.square(3, 1, 2), ConvAlgorithm.WINOGRAD),
                real(2, 4, 5, 3),
                real(2, 6, 7, 4))
            .inF32()
            .gradient()
            .ulps(FILTERING_ULPS, FILTERING)
            .refuses(
                "WINOGRAD needs f32, a 3x3 window and stride 1, found f64",
                typed(DType.F64, NORMAL, 2, 5, 7, 11),
                typed(DType.F64, NORMAL, 2, 5, 7, 13)));
  }

  private static MatMul product(boolean transposeA, boolean transposeB) {
    return new MatMul(transposeA, transposeB, false, Activation.NONE);
  }

  private static MatMul biased(Activation activation) {
    return new MatMul(false, false, true, activation);
  }

  private static Conv2d conv(int size, int stride, int pad) {
    return conv(size, stride, pad, false, Activation.NONE);
  }

  private static Conv2d conv(int size, int stride, int pad, boolean bias, Activation activation) {
    return new Conv2d(Window.square(size, stride, pad), bias, activation, ConvAlgorithm.AUTO);
  }

  private static Conv2d winograd(int pad, boolean bias, Activation activation) {
    return new Conv2d(Window.square(3, 1, pad), bias, activation, ConvAlgorithm.WINOGRAD);
  }

  private static Conv2d winograd(Window window) {
    return new Conv2d(window, false, Activation.NONE, ConvAlgorithm.WINOGRAD);
  }

  /// Different along the two axes.
  private static Conv2d odd(boolean bias, Activation activation) {
    return new Conv2d(new Window(3, 2, 2, 1, 1, 0), bias, activation, ConvAlgorithm.AUTO);
  }

  private static Conv2d.BackwardData backwardData(int size, int stride, int pad, long... dims) {
    return new Conv2d.BackwardData(
        Window.square(size, stride, pad), Shape.of(dims), ConvAlgorithm.AUTO);
  }

  private static Conv2d.BackwardData reshaped(Op op, Shape dx) {
    var backward = (Conv2d.BackwardData) op;
    return new Conv2d.BackwardData(backward.window(), dx, backward.algorithm());
  }

  /// With all that can be fused into it.
  private static Conv2d.BackwardData allOf(Conv2d.BackwardData plain) {
    return plain.withAddend().withGate().withSums();
  }

  /// dy [N,P,Q,K], w [K,size,size,C], addend, gate, x of `dims` [N,H,W,C] and mean [C].
  private static Input[] all(long filters, long size, long height, long width, long... dims) {
    return new Input[] {
      real(dims[0], height, width, filters),
      real(filters, size, size, dims[3]),
      real(dims),
      real(TIES, dims),
      real(dims),
      real(dims[3])
    };
  }

  private static Conv2d.BackwardData resized(Conv2d.BackwardData op, Shape dx) {
    return new Conv2d.BackwardData(
        op.window(), dx, op.addend(), op.gate(), op.sums(), op.algorithm());
  }

  private static Conv2d.BackwardWeights backwardWeights(int size, int stride, int pad) {
    return new Conv2d.BackwardWeights(Window.square(size, stride, pad), ConvAlgorithm.AUTO);
  }
}
