package dev.gatun;

import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Residual networks (He et al. 2015, "Deep Residual Learning for Image Recognition"), version 1:
/// batch norm after each convolution, ReLU after the sum. Convolutions have no bias and start
/// Kaiming normal.
public final class ResNet {
  /// The blocks in each of the four stages, by depth.
  private static final Map<Integer, int[]> STAGES =
      Map.of(
          18, new int[] {2, 2, 2, 2},
          34, new int[] {3, 4, 6, 3},
          50, new int[] {3, 4, 6, 3},
          101, new int[] {3, 4, 23, 3},
          152, new int[] {3, 8, 36, 3});

  private ResNet() {}

  /// How a block whose output has another shape than its input carries the input around.
  public enum Shortcut {
    /// Option A: every second row and column, zeros in the new channels; no parameters.
    PAD,
    /// Option B: a 1x1 convolution with batch norm.
    PROJECTION
  }

  /// The network for 32x32 RGB pictures of depth 6n+2 (20, 32, 44, 56, 110, ...) with option A
  /// shortcuts. 269,722 parameters for depth 20 and 10 classes.
  ///
  /// @throws IllegalArgumentException if the depth is not 6n+2 with n ≥ 1, or there is no class
  public static Net cifar(int depth, int classes) {
    return cifar(depth, classes, Shortcut.PAD);
  }

  /// The same with a choice of shortcut.
  ///
  /// @throws IllegalArgumentException if the depth is not 6n+2 with n ≥ 1, or there is no class
  public static Net cifar(int depth, int classes, Shortcut shortcut) {
    if (depth < 8 || (depth - 2) % 6 != 0) {
      throw new IllegalArgumentException(
          "[resnet] expected a depth of 6n+2 (8, 14, 20, 32, 44, 56, 110, ...), found " + depth);
    }
    int blocks = (depth - 2) / 6;
    Net net = Net.input(32, 32, 3).conv(plain(16, 3, 1)).batchNorm().relu();
    int channels = 16;
    for (int stage = 0; stage < 3; stage++) {
      int filters = 16 << stage;
      int in = channels;
      int stride = stage == 0 ? 1 : 2;
      net =
          net.stage(
              "stage" + (stage + 1),
              part -> {
                Net result = part;
                for (int block = 0; block < blocks; block++) {
                  boolean first = block == 0;
                  result =
                      block(
                          result,
                          basic(filters, first ? stride : 1),
                          shortcut(shortcut, first ? in : filters, filters, first ? stride : 1));
                }
                return result;
              });
      channels = filters;
    }
    return head(net, classes);
  }

  /// The network for 224x224 RGB pictures of depth 18, 34 (basic blocks), 50, 101 or 152
  /// (bottlenecks, with the stride in the 3x3 convolution) and 1000 classes. 25,557,032 parameters
  /// for depth 50.
  ///
  /// @throws IllegalArgumentException if there is no such depth
  public static Net imagenet(int depth) {
    return imagenet(depth, 1000);
  }

  /// The same with another number of classes.
  ///
  /// @throws IllegalArgumentException if there is no such depth, or there is no class
  public static Net imagenet(int depth, int classes) {
    int[] stages = STAGES.get(depth);
    if (stages == null) {
      throw new IllegalArgumentException(
          "[resnet] expected a depth of 18, 34, 50, 101 or 152, found " + depth);
    }
    boolean bottleneck = depth >= 50;
    int expansion = bottleneck ? 4 : 1;
    Net net = Net.input(224, 224, 3).conv(plain(64, 7, 2)).batchNorm().relu().maxPool(3, 2, 1);
    int channels = 64;
    for (int stage = 0; stage < stages.length; stage++) {
      int width = 64 << stage;
      int in = channels;
      int out = width * expansion;
      int count = stages[stage];
      int stride = stage == 0 ? 1 : 2;
      net =
          net.stage(
              "stage" + (stage + 1),
              part -> {
                Net result = part;
                for (int block = 0; block < count; block++) {
                  boolean first = block == 0;
                  int blockStride = first ? stride : 1;
                  result =
                      block(
                          result,
                          bottleneck ? bottleneck(width, blockStride) : basic(width, blockStride),
                          shortcut(Shortcut.PROJECTION, first ? in : out, out, blockStride));
                }
                return result;
              });
      channels = out;
    }
    return head(net, classes);
  }

  private static Net block(Net net, UnaryOperator<Net> branch, UnaryOperator<Net> shortcut) {
    return net.residual(branch, shortcut).relu();
  }

  private static UnaryOperator<Net> basic(int filters, int stride) {
    return branch ->
        branch
            .conv(plain(filters, 3, stride))
            .batchNorm()
            .relu()
            .conv(plain(filters, 3, 1))
            .batchNorm();
  }

  private static UnaryOperator<Net> bottleneck(int width, int stride) {
    return branch ->
        branch
            .conv(plain(width, 1, 1))
            .batchNorm()
            .relu()
            .conv(plain(width, 3, stride))
            .batchNorm()
            .relu()
            .conv(plain(4 * width, 1, 1))
            .batchNorm();
  }

  private static UnaryOperator<Net> shortcut(Shortcut kind, int in, int out, int stride) {
    if (in == out && stride == 1) {
      return UnaryOperator.identity();
    }
    return switch (kind) {
      case PAD -> carried -> carried.subsamplePad(stride, out);
      case PROJECTION -> carried -> carried.conv(plain(out, 1, stride)).batchNorm();
    };
  }

  private static Net head(Net net, int classes) {
    return net.globalAveragePool().dense(new Dense(classes).initializer(Initializer.lecunNormal()));
  }

  private static Conv plain(int filters, int size, int stride) {
    return new Conv(filters, size).stride(stride).withoutBias();
  }
}
