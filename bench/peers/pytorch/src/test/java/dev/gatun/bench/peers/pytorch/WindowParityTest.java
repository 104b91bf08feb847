package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Comparison.DEVICE;
import static dev.gatun.bench.peers.pytorch.Comparison.test;
import static dev.gatun.bench.peers.pytorch.Tensors.channelsSecond;

import dev.gatun.ConvAlgorithm;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.bench.peers.pytorch.Comparison.Other;
import java.util.stream.Stream;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Convolution and pooling in their forms are PyTorch's: values and gradients.
class WindowParityTest {
  private static final TensorOptional NONE = new TensorOptional();

  @TestFactory
  Stream<DynamicTest> convolutions() {
    return Stream.of(
        convolution("dilation 2", 9, 3, 8, 3, 1, 2, 2, 1),
        convolution("dilation 3, stride 2", 13, 4, 6, 3, 2, 1, 3, 1),
        convolution("two groups", 8, 6, 4, 3, 1, 1, 1, 2),
        convolution("depthwise", 8, 16, 16, 3, 1, 1, 1, 16),
        convolution("depthwise, stride 2, 5x5", 11, 5, 5, 5, 2, 2, 1, 5),
        convolution("depthwise with two filters a channel, dilated", 9, 3, 6, 3, 1, 2, 2, 3));
  }

  private static DynamicTest convolution(
      String name,
      int side,
      int channels,
      int filters,
      int size,
      int stride,
      int pad,
      int dilation,
      int groups) {
    return test(
        name,
        in -> in[0].conv2d(in[1], stride, pad, dilation, groups, ConvAlgorithm.AUTO).square().sum(),
        in ->
            squares(
                torch.conv2d(
                    channelsSecond(in[0]),
                    channelsSecond(in[1]),
                    NONE,
                    both(stride),
                    both(pad),
                    both(dilation),
                    groups)),
        new long[] {2, side, side, channels},
        new long[] {filters, size, size, channels / groups});
  }

  @TestFactory
  Stream<DynamicTest> transposed() {
    return Stream.of(
        transposed(3, 1, 1, 0),
        transposed(3, 2, 1, 1),
        transposed(4, 2, 1, 0),
        transposed(5, 3, 0, 2));
  }

  private static DynamicTest transposed(int size, int stride, int pad, int outputPad) {
    return test(
        "%dx%d, stride %d, padding %d and %d".formatted(size, size, stride, pad, outputPad),
        in -> in[0].conv2dTransposed(in[1], stride, pad, outputPad).square().sum(),
        in ->
            squares(
                torch.conv_transpose2d(
                    channelsSecond(in[0]),
                    channelsSecond(in[1]),
                    NONE,
                    both(stride),
                    both(pad),
                    both(outputPad),
                    1,
                    1,
                    1)),
        new long[] {2, 5, 6, 4},
        new long[] {4, size, size, 3});
  }

  @TestFactory
  Stream<DynamicTest> sequences() {
    return Stream.of(
        sequence(
            "conv1d",
            in -> in[0].conv1d(in[1], 1, 1, 1, 1),
            in -> conv1d(in[0], in[1], 1, 1, 1, 1),
            5,
            3,
            4),
        sequence(
            "conv1d, stride 2, dilation 2, two groups",
            in -> in[0].conv1d(in[1], 2, 2, 2, 2),
            in -> conv1d(in[0], in[1], 2, 2, 2, 2),
            6,
            3,
            2),
        sequence(
            "maxPool1d",
            in -> in[0].maxPool1d(3, 2, 1),
            in -> torch.max_pool1d(channelsMiddle(in[0]), one(3), one(2), one(1), one(1), false),
            1,
            1,
            1),
        sequence(
            "averagePool1d",
            in -> in[0].averagePool1d(3, 2, 1, true),
            in -> torch.avg_pool1d(channelsMiddle(in[0]), one(3), one(2), one(1), false, true),
            1,
            1,
            1));
  }

  /// For inputs [2,11,4], and weights of these extents.
  private static DynamicTest sequence(
      String name, TensorFunction own, Other other, long... weights) {
    return test(
        name,
        in -> own.apply(in).square().sum().plus(in[1].sum()),
        in -> squares(other.apply(in)).add(in[1].sum()),
        new long[] {2, 11, 4},
        weights);
  }

  private static Tensor conv1d(Tensor x, Tensor w, int stride, int pad, int dilation, int groups) {
    return torch.conv1d(
        channelsMiddle(x), channelsMiddle(w), NONE, one(stride), one(pad), one(dilation), groups);
  }

  @TestFactory
  Stream<DynamicTest> pools() {
    LongOptional none = new LongOptional();
    return Stream.of(
        pool(
            "averagePool, padding counted",
            in -> in.averagePool(3, 2, 1, true),
            in -> torch.avg_pool2d(in, both(3), both(2), both(1), false, true, none)),
        pool(
            "averagePool, padding not counted",
            in -> in.averagePool(3, 2, 1),
            in -> torch.avg_pool2d(in, both(3), both(2), both(1), false, false, none)),
        pool(
            "adaptiveAveragePool 3x4",
            in -> in.adaptiveAveragePool(3, 4),
            in -> torch.adaptive_avg_pool2d(in, 3, 4)),
        pool(
            "adaptiveAveragePool 10x12, larger than the input",
            in -> in.adaptiveAveragePool(10, 12),
            in -> torch.adaptive_avg_pool2d(in, 10, 12)),
        pool(
            "adaptiveMaxPool 3x4",
            in -> in.adaptiveMaxPool(3, 4),
            in -> torch.adaptive_max_pool2d(in, 3, 4).get0()),
        pool(
            "globalMaxPool",
            in -> in.globalMaxPool(),
            in -> torch.adaptive_max_pool2d(in, 1, 1).get0()),
        fractional(2, 5, 7),
        fractional(3, 4, 5));
  }

  private interface Pool {
    dev.gatun.Tensor apply(dev.gatun.Tensor x);
  }

  private interface OtherPool {
    Tensor apply(Tensor x);
  }

  private static DynamicTest pool(String name, Pool own, OtherPool other) {
    return test(
        name,
        in -> own.apply(in[0]).square().sum(),
        in -> squares(other.apply(channelsSecond(in[0]))),
        new long[] {2, 8, 11, 5});
  }

  /// PyTorch has samples for each channel, columns first; here all channels of a picture have the
  /// same.
  private static DynamicTest fractional(int size, int height, int width) {
    float[] rows = {0.13f, 0.86f};
    float[] columns = {0.5f, 0.31f};
    float[] own = new float[4];
    float[] others = new float[2 * 5 * 2];
    for (int n = 0; n < 2; n++) {
      own[2 * n] = rows[n];
      own[2 * n + 1] = columns[n];
      for (int c = 0; c < 5; c++) {
        others[(n * 5 + c) * 2] = columns[n];
        others[(n * 5 + c) * 2 + 1] = rows[n];
      }
    }
    return pool(
        "fractionalMaxPool of " + size,
        in -> in.fractionalMaxPool(size, height, width, dev.gatun.Tensor.of(DEVICE, own, 2, 2)),
        in ->
            torch
                .fractional_max_pool2d(
                    in, both(size), new long[] {height, width}, Tensors.of(others, 2, 5, 2))
                .get0());
  }

  private static Tensor squares(Tensor y) {
    return y.mul(y).sum();
  }

  /// Sequences [N,L,C] as PyTorch sees them: [N,C,L].
  private static Tensor channelsMiddle(Tensor x) {
    return x.permute(0, 2, 1);
  }

  private static long[] one(long value) {
    return new long[] {value};
  }

  private static long[] both(long value) {
    return new long[] {value, value};
  }
}
