package dev.gatun.bench.peers;

import java.util.List;

/// The networks of the comparison, described once for all sides.
public enum Network {
  /// For 32x32 pictures and 10 classes, option A shortcuts.
  RESNET20("resnet20", 32, 3, 10, 269_722),
  /// For 224x224 pictures and 1000 classes, basic blocks.
  RESNET18("resnet18", 224, 3, 1000, 11_689_512),
  /// For 224x224 pictures and 1000 classes, bottlenecks with the stride in the 3x3 convolution.
  RESNET50("resnet50", 224, 3, 1000, 25_557_032),
  /// 784-256-10 with ReLU.
  MLP("mlp 784-256-10", 1, 784, 10, 203_530);

  private final String label;
  private final int side;
  private final int channels;
  private final int classes;
  private final long parameters;

  Network(String label, int side, int channels, int classes, long parameters) {
    this.label = label;
    this.side = side;
    this.channels = channels;
    this.classes = classes;
    this.parameters = parameters;
  }

  /// The name in rows.
  public String label() {
    return label;
  }

  /// Height and width of an input.
  public int side() {
    return side;
  }

  /// Channels of an input, or its features where there is no picture.
  public int channels() {
    return channels;
  }

  /// The number of logits.
  public int classes() {
    return classes;
  }

  /// How many trained numbers a right implementation has.
  public long parameters() {
    return parameters;
  }

  /// The elements of one input.
  public int inputCount() {
    return side * side * channels;
  }

  /// What a library offers to build networks of; `T` is its tensor.
  ///
  /// @param <T> a tensor, concrete or symbolic
  public interface Builder<T> {
    /// A convolution with padding `size / 2`, without bias.
    T conv(T x, int in, int out, int size, int stride);

    /// Batch norm over channels, then `residual` is added if there is one, then ReLU if asked.
    T batchNorm(T x, int channels, Join<T> join);

    /// Option A: every second row and column, zeros in the new channels.
    T subsamplePad(T x, int in, int out);

    /// The 3x3 maximum with stride 2 and padding 1.
    T maxPool(T x);

    /// The mean over rows and columns, [N,C].
    T globalAveragePool(T x);

    /// x w + b, then ReLU if asked.
    T dense(T x, int in, int out, Activation activation);
  }

  /// The activation after a layer.
  public enum Activation {
    /// Nothing.
    NONE,
    /// max(x, 0).
    RELU
  }

  /// What happens behind a batch norm.
  ///
  /// @param residual what is added, in a list of at most one
  /// @param activation what follows
  /// @param <T> a tensor
  public record Join<T>(List<T> residual, Activation activation) {
    static <T> Join<T> plain() {
      return new Join<>(List.of(), Activation.NONE);
    }

    static <T> Join<T> relu() {
      return new Join<>(List.of(), Activation.RELU);
    }

    static <T> Join<T> sum(T residual) {
      return new Join<>(List.of(residual), Activation.RELU);
    }
  }

  /// The logits for `x`: pictures [N,H,W,C], or rows of features for the MLP.
  public <T> T build(Builder<T> b, T x) {
    return switch (this) {
      case MLP -> b.dense(b.dense(x, 784, 256, Activation.RELU), 256, 10, Activation.NONE);
      case RESNET20 -> cifar(b, x);
      case RESNET18 -> imagenet(b, x, new int[] {2, 2, 2, 2}, 1);
      case RESNET50 -> imagenet(b, x, new int[] {3, 4, 6, 3}, 4);
    };
  }

  private static <T> T cifar(Builder<T> b, T pictures) {
    T x = b.batchNorm(b.conv(pictures, 3, 16, 3, 1), 16, Join.relu());
    int in = 16;
    for (int stage = 0; stage < 3; stage++) {
      int out = 16 << stage;
      for (int block = 0; block < 3; block++) {
        T carried = in == out ? x : b.subsamplePad(x, in, out);
        x = basic(b, x, carried, in, out);
        in = out;
      }
    }
    return b.dense(b.globalAveragePool(x), 64, 10, Activation.NONE);
  }

  private static <T> T imagenet(Builder<T> b, T pictures, int[] stages, int expansion) {
    T x = b.maxPool(b.batchNorm(b.conv(pictures, 3, 64, 7, 2), 64, Join.relu()));
    int in = 64;
    for (int stage = 0; stage < 4; stage++) {
      int width = 64 << stage;
      int out = width * expansion;
      for (int block = 0; block < stages[stage]; block++) {
        int stride = stage > 0 && block == 0 ? 2 : 1;
        T carried = in == out ? x : b.batchNorm(b.conv(x, in, out, 1, stride), out, Join.plain());
        x =
            expansion == 1
                ? basic(b, x, carried, in, out)
                : bottleneck(b, x, carried, new int[] {in, width, out, stride});
        in = out;
      }
    }
    return b.dense(b.globalAveragePool(x), in, 1000, Activation.NONE);
  }

  private static <T> T basic(Builder<T> b, T x, T carried, int in, int out) {
    T y = b.batchNorm(b.conv(x, in, out, 3, in == out ? 1 : 2), out, Join.relu());
    return b.batchNorm(b.conv(y, out, out, 3, 1), out, Join.sum(carried));
  }

  /// `sizes`: channels in, between and out, and the stride.
  private static <T> T bottleneck(Builder<T> b, T x, T carried, int[] sizes) {
    int width = sizes[1];
    int out = sizes[2];
    T y = b.batchNorm(b.conv(x, sizes[0], width, 1, 1), width, Join.relu());
    T z = b.batchNorm(b.conv(y, width, width, 3, sizes[3]), width, Join.relu());
    return b.batchNorm(b.conv(z, width, out, 1, 1), out, Join.sum(carried));
  }

  /// The flops of convolutions and products for one input, forward.
  double inferenceFlops() {
    return count().flops;
  }

  /// The same for a training step: forward and both gradients, but no gradient of the input.
  double trainingFlops() {
    FlopCount count = count();
    return 3 * count.flops - count.first;
  }

  private FlopCount count() {
    FlopCount count = new FlopCount();
    build(count, side);
    return count;
  }

  private static final class FlopCount extends ShapeWalk {
    private double flops;
    private double first;

    private void add(double more) {
      first = flops == 0 ? more : first;
      flops += more;
    }

    @Override
    public Integer conv(Integer x, int in, int out, int size, int stride) {
      Work.Convolution work =
          new Work.Convolution("", Work.Pass.FORWARD, 1, x, in, out, size, stride, false);
      add(work.cost().amount());
      return work.outputSide();
    }

    @Override
    public Integer dense(Integer x, int in, int out, Activation activation) {
      add(2.0 * in * out);
      return x;
    }
  }
}
