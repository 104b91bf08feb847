package dev.gatun.spec;

import static dev.gatun.spec.Fill.DISTINCT;
import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Window;
import dev.gatun.graph.op.AveragePool;
import dev.gatun.graph.op.MaxPool;
import java.util.List;

/// The greatest element and the mean of windows.
final class PoolingRows {
  private static final Window ODD = new Window(3, 2, 1, 2, 1, 0);
  private static final Window UNEVEN = Window.square(3, 2, 0).padded(0, 1, 2, 1);
  private static final String MEAN = "a sum of up to 150 terms and a division";

  private PoolingRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(new MaxPool(Window.square(2, 2, 0)))
            .on(real(DISTINCT, 2, 6, 8, 5))
            .on(real(DISTINCT, 2, 5, 7, 11))
            .on(real(DISTINCT, 0, 4, 4, 3))
            .on(max(3, 2, 1), real(DISTINCT, 2, 7, 9, 5))
            .on(max(3, 1, 1), real(DISTINCT, 1, 5, 5, 3))
            .on(max(3, 2, 1), real(DISTINCT, 4, 24, 24, 32))
            .on(max(1, 1, 0), real(DISTINCT, 1, 1, 1, 1))
            .on(new MaxPool(ODD), real(DISTINCT, 2, 5, 7, 3))
            .on(new MaxPool(UNEVEN), real(DISTINCT, 2, 6, 7, 3))
            .on(new MaxPool(new Window(15, 17, 1, 1, 0, 0)), real(DISTINCT, 1, 16, 17, 2))
            .values(max(3, 2, 1), real(TIES, 2, 7, 9, 5))
            .values(max(3, 2, 1), real(SPECIAL, 2, 7, 9, 3))
            .values(max(2, 2, 0), real(Fill.constant(Double.NEGATIVE_INFINITY), 1, 4, 4, 3))
            .bf16(0)
            .gradient()
            .refuses("expected x [N,H,W,C], found f32 (6, 8, 5)", real(6, 8, 5))
            .refuses(
                "expected padding less than the window 2x2, found 2x2",
                () -> max(2, 2, 2),
                real(2, 6, 8, 5))
            .refuses(
                "expected a window of at most 255 elements, found 16x16",
                () -> max(16, 1, 0),
                real(1, 16, 16, 1))
            .refuses("the window 3x3 does not fit into 2x2", () -> max(3, 1, 0), real(1, 2, 2, 1))
            .refuses(
                "expected padding less than the window 2x2, found 0+2x0+0",
                () -> new MaxPool(Window.square(2, 2, 0).padded(0, 0, 2, 0)),
                real(2, 6, 8, 5))
            .refuses(
                "expected neither dilation nor groups, found the window 2x2 (dilation 2x1)",
                () -> new MaxPool(Window.square(2, 2, 0).dilated(2, 1)),
                real(2, 6, 8, 5))
            .refuses("real tensor", typed(DType.U8, Fill.integers(0, 9), 2, 6, 8, 5)),
        OpRow.of(maxBackward(2, 2, 0, 2, 6, 8, 5))
            .on(real(2, 3, 4, 5), taps(0, 3, 2, 3, 4, 5))
            .on(maxBackward(2, 2, 0, 2, 5, 7, 11), real(2, 2, 3, 11), taps(0, 3, 2, 2, 3, 11))
            .on(maxBackward(2, 2, 0, 0, 4, 4, 3), real(0, 2, 2, 3), taps(0, 3, 0, 2, 2, 3))
            .on(maxBackward(3, 1, 0, 2, 7, 9, 5), real(2, 5, 7, 5), taps(0, 8, 2, 5, 7, 5))
            .on(maxBackward(3, 2, 1, 2, 7, 9, 5), real(2, 4, 5, 5), taps(4, 4, 2, 4, 5, 5))
            .on(maxBackward(3, 2, 1, 4, 24, 24, 32), real(4, 12, 12, 32), taps(4, 5, 4, 12, 12, 32))
            // Taps that no max_pool has written: into the padding, beyond the window. They must do
            // no harm.
            .on(maxBackward(3, 2, 1, 2, 7, 9, 5), real(2, 4, 5, 5), taps(0, 255, 2, 4, 5, 5))
            .ulps(4, "sums of up to 9 terms")
            .bf16(1)
            .shapedBy((op, dx) -> new MaxPool.Backward(((MaxPool.Backward) op).window(), dx))
            .refuses(
                "expected dy (2, 3, 4, 5), found f32 (2, 3, 3, 5)",
                real(2, 3, 3, 5),
                taps(0, 3, 2, 3, 3, 5))
            .refuses(
                "expected taps (2, 3, 4, 5), found u8 (2, 3, 4, 4)",
                real(2, 3, 4, 5),
                taps(0, 3, 2, 3, 4, 4))
            .refuses(
                "expected taps of type U8, found i32 (2, 3, 4, 5)",
                real(2, 3, 4, 5),
                typed(DType.I32, Fill.integers(0, 3), 2, 3, 4, 5)),
        OpRow.of(new AveragePool(Window.square(2, 2, 0)))
            .on(real(2, 6, 8, 5))
            .on(real(2, 5, 7, 11))
            .on(real(0, 4, 4, 3))
            .on(average(3, 2, 1), real(2, 7, 9, 5))
            .on(average(3, 1, 1), real(1, 5, 5, 3))
            .on(average(8, 1, 0), real(16, 8, 8, 64))
            .on(average(1, 1, 0), real(1, 1, 1, 1))
            .on(new AveragePool(ODD), real(2, 5, 7, 3))
            .on(new AveragePool(UNEVEN), real(2, 6, 7, 3))
            .on(new AveragePool(UNEVEN, true), real(2, 6, 7, 18))
            .on(new AveragePool(Window.square(3, 1, 1), true), real(1, 5, 5, 3))
            .on(new AveragePool(new Window(11, 13, 1, 1, 0, 0)), real(3, 11, 13, 7))
            .ulps(32, MEAN)
            .bf16(1)
            .gradient()
            .refuses("expected x [N,H,W,C], found f32 (6, 8, 5)", real(6, 8, 5))
            .refuses(
                "expected padding less than the window 2x2, found 3x3",
                () -> average(2, 2, 3),
                real(2, 6, 8, 5))
            .refuses(
                "the window 3x3 does not fit into 2x2", () -> average(3, 1, 0), real(1, 2, 2, 1)),
        OpRow.of(averageBackward(2, 2, 0, 2, 6, 8, 5))
            .on(real(2, 3, 4, 5))
            .on(averageBackward(2, 2, 0, 2, 5, 7, 11), real(2, 2, 3, 11))
            .on(averageBackward(2, 2, 0, 0, 4, 4, 3), real(0, 2, 2, 3))
            .on(averageBackward(3, 2, 1, 2, 7, 9, 5), real(2, 4, 5, 5))
            .on(averageBackward(3, 1, 1, 1, 5, 5, 3), real(1, 5, 5, 3))
            .on(averageBackward(8, 1, 0, 16, 8, 8, 64), real(16, 1, 1, 64))
            .on(new AveragePool.Backward(ODD, Shape.of(2, 5, 7, 3)), real(2, 5, 3, 3))
            .on(new AveragePool.Backward(UNEVEN, Shape.of(2, 6, 7, 3)), real(2, 3, 4, 3))
            .on(new AveragePool.Backward(UNEVEN, Shape.of(2, 6, 7, 18), true), real(2, 3, 4, 18))
            .ulps(32, MEAN)
            .bf16(1)
            .gradient()
            .shapedBy(
                (op, dx) -> {
                  var backward = (AveragePool.Backward) op;
                  return new AveragePool.Backward(backward.window(), dx, backward.countPadding());
                })
            .refuses("expected dy (2, 3, 4, 5), found f32 (2, 3, 4, 4)", real(2, 3, 4, 4)));
  }

  private static MaxPool max(int size, int stride, int pad) {
    return new MaxPool(Window.square(size, stride, pad));
  }

  private static MaxPool.Backward maxBackward(int size, int stride, int pad, long... dims) {
    return new MaxPool.Backward(Window.square(size, stride, pad), Shape.of(dims));
  }

  private static AveragePool average(int size, int stride, int pad) {
    return new AveragePool(Window.square(size, stride, pad));
  }

  private static AveragePool.Backward averageBackward(int size, int stride, int pad, long... dims) {
    return new AveragePool.Backward(Window.square(size, stride, pad), Shape.of(dims));
  }

  private static Input taps(int from, int to, long... dims) {
    return typed(DType.U8, Fill.integers(from, to), dims);
  }
}
