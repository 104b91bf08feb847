package dev.gatun.spec;

import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;

import dev.gatun.ConvAlgorithm;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.op.Conv2d;
import java.util.List;

/// Convolutions with dilation, groups and unequal padding, depthwise ones among them.
final class GroupedConvolutionRows {
  private static final String DOT = "dot products of up to 500 terms in f32";

  private static final Window DILATED = Window.square(3, 1, 2).dilated(2, 2);
  private static final Window ODD =
      new Window(3, 2, 2, 3, 0, 0).padded(1, 0, 2, 3).dilated(2, 3).grouped(2);
  private static final Window PAIRS = Window.square(3, 1, 1).grouped(2);
  private static final Window DEPTHWISE = Window.square(3, 1, 1).grouped(7);
  private static final Window STRIDED = Window.square(3, 2, 0).padded(0, 0, 1, 1).grouped(19);
  private static final Window FIVE = Window.square(5, 2, 2).grouped(5);

  private GroupedConvolutionRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(conv(DILATED))
            .on(real(2, 9, 7, 5), real(13, 3, 3, 5))
            .on(real(1, 1, 1, 1), real(1, 3, 3, 1))
            .on(real(0, 5, 5, 3), real(4, 3, 3, 3))
            .on(conv(ODD), real(2, 9, 8, 6), real(4, 3, 2, 3))
            .on(conv(PAIRS), real(2, 5, 7, 6), real(10, 3, 3, 3))
            .on(conv(PAIRS), real(3, 8, 8, 32), real(64, 3, 3, 16))
            .on(conv(Window.square(1, 1, 0).grouped(3)), real(2, 5, 4, 9), real(6, 1, 1, 3))
            .on(conv(DEPTHWISE), real(2, 5, 7, 7), real(7, 3, 3, 1))
            .on(conv(DEPTHWISE), real(2, 5, 6, 7), real(14, 3, 3, 1))
            .on(conv(DEPTHWISE), real(0, 5, 7, 7), real(7, 3, 3, 1))
            .on(conv(STRIDED), real(2, 8, 6, 19), real(19, 3, 3, 1))
            .on(conv(FIVE), real(2, 11, 20, 5), real(5, 5, 5, 1))
            .on(
                new Conv2d(DEPTHWISE, true, Activation.RELU, ConvAlgorithm.AUTO),
                real(2, 5, 7, 7),
                real(7, 3, 3, 1),
                real(7))
            .on(
                new Conv2d(PAIRS, true, Activation.RELU, ConvAlgorithm.DIRECT),
                real(2, 5, 7, 6),
                real(10, 3, 3, 3),
                real(10))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .refuses(
                "the window 3x3 (dilation 2x2) does not fit into 4x4 with padding 0x0",
                () -> conv(Window.square(3, 1, 0).dilated(2, 2)),
                real(1, 4, 4, 2),
                real(3, 3, 3, 2))
            .refuses(
                "expected channels that divide into 2 groups, found 5 to 4",
                () -> conv(PAIRS),
                real(1, 4, 4, 5),
                real(4, 3, 3, 2))
            .refuses(
                "expected channels that divide into 2 groups, found 4 to 5",
                () -> conv(PAIRS),
                real(1, 4, 4, 4),
                real(5, 3, 3, 2))
            .refuses(
                "expected weights for 2 input channels (in each of 2 groups), found f32 (4, 3, 3, 4)",
                () -> conv(PAIRS),
                real(1, 4, 4, 4),
                real(4, 3, 3, 4))
            .refuses(
                "WINOGRAD has no form with dilation or groups, found the window 3x3 with 2 groups",
                () -> new Conv2d(PAIRS, false, Activation.NONE, ConvAlgorithm.WINOGRAD),
                real(1, 4, 4, 4),
                real(4, 3, 3, 2))
            .refuses(
                "WINOGRAD has no form with dilation or groups, found the window 3x3 (dilation 2x2)",
                () -> new Conv2d(DILATED, false, Activation.NONE, ConvAlgorithm.WINOGRAD),
                real(1, 4, 4, 4),
                real(4, 3, 3, 4))
            .refuses(
                "dilation and groups must be at least 1",
                () -> conv(DILATED.dilated(0, 1)),
                real(1, 4, 4, 4),
                real(4, 3, 3, 4))
            .refuses(
                "padding must not be negative, found 0+-1x0+0",
                () -> conv(PAIRS.padded(0, 0, -1, 0)),
                real(1, 4, 4, 4),
                real(4, 3, 3, 2)),
        OpRow.of(conv(PAIRS).withResidual())
            .on(real(2, 5, 7, 6), real(10, 3, 3, 3), real(2, 5, 7, 10))
            .on(
                conv(DEPTHWISE).withResidual().withMoments(),
                real(2, 5, 7, 7),
                real(7, 3, 3, 1),
                real(2, 5, 7, 7))
            .on(conv(DILATED).withMoments(), real(2, 9, 7, 5), real(13, 3, 3, 5))
            .ulps(192, DOT),
        OpRow.of(data(DILATED, 2, 9, 7, 5))
            .on(real(2, 9, 7, 13), real(13, 3, 3, 5))
            .on(data(ODD, 2, 9, 8, 6), real(2, 4, 3, 4), real(4, 3, 2, 3))
            .on(data(PAIRS, 2, 5, 7, 6), real(2, 5, 7, 10), real(10, 3, 3, 3))
            .on(data(PAIRS, 0, 5, 7, 6), real(0, 5, 7, 10), real(10, 3, 3, 3))
            .on(data(DEPTHWISE, 2, 5, 7, 7), real(2, 5, 7, 7), real(7, 3, 3, 1))
            .on(data(STRIDED, 2, 8, 6, 19), real(2, 4, 3, 19), real(19, 3, 3, 1))
            .on(data(FIVE, 2, 11, 20, 5), real(2, 6, 10, 5), real(5, 5, 5, 1))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .shapedBy(GroupedConvolutionRows::resized)
            .refuses(
                "expected dy (2, 9, 7, 13), found f32 (2, 5, 3, 13)",
                real(2, 5, 3, 13),
                real(13, 3, 3, 5)),
        OpRow.of(data(DEPTHWISE, 2, 5, 7, 7).withAddend().withGate().withSums())
            .on(
                real(2, 5, 7, 7),
                real(7, 3, 3, 1),
                real(2, 5, 7, 7),
                real(TIES, 2, 5, 7, 7),
                real(2, 5, 7, 7),
                real(7))
            .ulps(192, DOT)
            .shapedBy(GroupedConvolutionRows::resized),
        OpRow.of(weights(DILATED))
            .on(real(2, 9, 7, 5), real(2, 9, 7, 13))
            .on(weights(ODD), real(2, 9, 8, 6), real(2, 4, 3, 4))
            .on(weights(PAIRS), real(2, 5, 7, 6), real(2, 5, 7, 10))
            .on(weights(PAIRS), real(0, 5, 7, 6), real(0, 5, 7, 10))
            .on(weights(PAIRS), real(3, 8, 8, 32), real(3, 8, 8, 64))
            .on(weights(DEPTHWISE), real(2, 5, 7, 7), real(2, 5, 7, 7))
            .on(weights(DEPTHWISE), real(0, 5, 7, 7), real(0, 5, 7, 7))
            .on(weights(STRIDED), real(2, 8, 6, 19), real(2, 4, 3, 19))
            .on(weights(FIVE), real(2, 11, 20, 5), real(2, 6, 10, 5))
            .ulps(192, DOT)
            .bf16(1)
            .gradient()
            .refuses(
                "expected channels that divide into 2 groups, found 6 to 9",
                () -> weights(PAIRS),
                real(2, 5, 7, 6),
                real(2, 5, 7, 9)));
  }

  private static Conv2d conv(Window window) {
    return new Conv2d(window, false, Activation.NONE, ConvAlgorithm.AUTO);
  }

  private static Conv2d.BackwardData data(Window window, long... dims) {
    return new Conv2d.BackwardData(window, Shape.of(dims), ConvAlgorithm.AUTO);
  }

  private static Conv2d.BackwardWeights weights(Window window) {
    return new Conv2d.BackwardWeights(window, ConvAlgorithm.AUTO);
  }

  private static Conv2d.BackwardData resized(Op op, Shape dx) {
    var backward = (Conv2d.BackwardData) op;
    return new Conv2d.BackwardData(
        backward.window(),
        dx,
        backward.addend(),
        backward.gate(),
        backward.sums(),
        backward.algorithm());
  }
}
