package dev.gatun;

import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;
import dev.gatun.Norms.BatchNorm;
import java.util.Arrays;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Residual networks (He et al. 2015, "Deep Residual Learning for Image Recognition"), version 1:
/// batch norm after each convolution, ReLU after the sum. Convolutions have no bias and start
/// Kaiming normal. [Options] has what was found out later:
///
/// ```java
/// ResNet.cifar(
///     110,
///     10,
///     ResNet.Options.of(ResNet.Shortcut.PAD).stochasticDepth(0.5).zeroInitResidual())
/// ```
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

  /// What is chosen beside depth and classes.
  ///
  /// @param shortcut how blocks carry their input around where its shape changes
  /// @param lastDropProbability with which an example loses the branch of the last block; that of
  ///   block l of L is l / L times as much
  /// @param zeroInit whether the last batch norm of each branch starts with weights 0
  public record Options(Shortcut shortcut, double lastDropProbability, boolean zeroInit) {
    /// Checks the range.
    public Options {
      if (!(lastDropProbability >= 0 && lastDropProbability < 1)) {
        throw new IllegalArgumentException(
            "[resnet] expected a drop probability in [0, 1), found " + lastDropProbability);
      }
    }

    /// Every block in every step, all batch norms with weights 1.
    public static Options of(Shortcut shortcut) {
      return new Options(shortcut, 0, false);
    }

    /// The same with stochastic depth (Huang et al. 2016) that grows linearly with depth: block l
    /// of L is dropped with probability l / L times `newLastDropProbability`, in the paper 0.5. See
    /// [Layers.StochasticDepth].
    public Options stochasticDepth(double newLastDropProbability) {
      return new Options(shortcut, newLastDropProbability, zeroInit);
    }

    /// The same with every branch 0 at the start, so that the net begins as its shortcuts alone
    /// (Goyal et al. 2017): the last batch norm of each branch starts with weights 0.
    public Options zeroInitResidual() {
      return new Options(shortcut, lastDropProbability, true);
    }

    private double dropProbability(int block, int blocks) {
      return lastDropProbability * block / blocks;
    }
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
    return cifar(depth, classes, Options.of(shortcut));
  }

  /// The same with more choices.
  ///
  /// @throws IllegalArgumentException if the depth is not 6n+2 with n ≥ 1, or there is no class
  public static Net cifar(int depth, int classes, Options options) {
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
      int before = stage * blocks;
      int stride = stage == 0 ? 1 : 2;
      net =
          net.stage(
              "stage" + (stage + 1),
              part -> {
                Net result = part;
                for (int block = 0; block < blocks; block++) {
                  boolean first = block == 0;
                  int blockStride = first ? stride : 1;
                  double drop = options.dropProbability(before + block + 1, 3 * blocks);
                  result =
                      block(
                          result,
                          branch -> end(basic(branch, filters, blockStride), options, drop),
                          shortcut(options.shortcut(), first ? in : filters, filters, blockStride));
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
    return imagenet(depth, classes, Options.of(Shortcut.PROJECTION));
  }

  /// The same with more choices.
  ///
  /// @throws IllegalArgumentException if there is no such depth, or there is no class
  public static Net imagenet(int depth, int classes, Options options) {
    int[] stages = STAGES.get(depth);
    if (stages == null) {
      throw new IllegalArgumentException(
          "[resnet] expected a depth of 18, 34, 50, 101 or 152, found " + depth);
    }
    boolean bottleneck = depth >= 50;
    int expansion = bottleneck ? 4 : 1;
    Net net = Net.input(224, 224, 3).conv(plain(64, 7, 2)).batchNorm().relu().maxPool(3, 2, 1);
    int channels = 64;
    int blocks = Arrays.stream(stages).sum();
    int done = 0;
    for (int stage = 0; stage < stages.length; stage++) {
      int width = 64 << stage;
      int in = channels;
      int out = width * expansion;
      int count = stages[stage];
      int before = done;
      int stride = stage == 0 ? 1 : 2;
      net =
          net.stage(
              "stage" + (stage + 1),
              part -> {
                Net result = part;
                for (int block = 0; block < count; block++) {
                  boolean first = block == 0;
                  int blockStride = first ? stride : 1;
                  double drop = options.dropProbability(before + block + 1, blocks);
                  result =
                      block(
                          result,
                          branch ->
                              end(
                                  bottleneck
                                      ? bottleneck(branch, width, blockStride)
                                      : basic(branch, width, blockStride),
                                  options,
                                  drop),
                          shortcut(options.shortcut(), first ? in : out, out, blockStride));
                }
                return result;
              });
      channels = out;
      done += count;
    }
    return head(net, classes);
  }

  private static Net block(Net net, UnaryOperator<Net> branch, UnaryOperator<Net> shortcut) {
    return net.residual(branch, shortcut).relu();
  }

  /// The convolutions of a branch; [#end] follows.
  private static Net basic(Net branch, int filters, int stride) {
    return branch.conv(plain(filters, 3, stride)).batchNorm().relu().conv(plain(filters, 3, 1));
  }

  private static Net bottleneck(Net branch, int width, int stride) {
    return branch
        .conv(plain(width, 1, 1))
        .batchNorm()
        .relu()
        .conv(plain(width, 3, stride))
        .batchNorm()
        .relu()
        .conv(plain(4 * width, 1, 1));
  }

  private static Net end(Net branch, Options options, double dropProbability) {
    Net whole = branch.batchNorm(new BatchNorm().initialWeight(options.zeroInit() ? 0 : 1));
    return dropProbability == 0 ? whole : whole.stochasticDepth(dropProbability);
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
