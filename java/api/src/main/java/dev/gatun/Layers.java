package dev.gatun;

import dev.gatun.backend.Window;
import dev.gatun.graph.op.GatherRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// The built-in layers. Immutable descriptions; [Net] has a method for each.
public final class Layers {
  private Layers() {}

  /// Whether a layer adds a learned offset.
  public enum Bias {
    /// It does.
    WITH,
    /// It does not, as before a batch norm, which has its own.
    WITHOUT
  }

  /// A square convolution. Weights `[filters, size, size, channels / groups]`, bias `[filters]`; `x
  /// [N,H,W,C]` becomes `[N,P,Q,filters]` with `P = ⌊(H + 2 pad - dilation (size - 1) - 1) /
  /// stride⌋
  /// + 1`.
  ///
  /// @param filters output channels
  /// @param size of the window
  /// @param stride of the window
  /// @param pad rows and columns of zeros on each side
  /// @param dilation distance between neighbouring elements of the window (Yu and Koltun 2016)
  /// @param groups parts of the channels; each part of the output sees one part of the input. With
  ///   as many groups as channels it is a depthwise convolution
  /// @param bias whether an offset is learned
  /// @param initializer of the weights
  /// @param algorithm how it is computed; AUTO leaves the choice to the network
  public record Conv(
      int filters,
      int size,
      int stride,
      int pad,
      int dilation,
      int groups,
      Bias bias,
      Initializer initializer,
      ConvAlgorithm algorithm)
      implements Layer {
    /// Checks the ranges.
    public Conv {
      positive("conv", "filters", filters);
      positive("conv", "size", size);
      positive("conv", "stride", stride);
      notNegative("conv", "pad", pad);
      positive("conv", "dilation", dilation);
      positive("conv", "groups", groups);
      requireGroups("conv", filters, groups);
    }

    /// Stride 1, padded so that an odd size keeps height and width, with bias, Kaiming normal.
    public Conv(int filters, int size) {
      this(
          filters,
          size,
          1,
          size / 2,
          1,
          1,
          Bias.WITH,
          Initializer.kaimingNormal(),
          ConvAlgorithm.AUTO);
    }

    /// The same with another stride.
    public Conv stride(int newStride) {
      return new Conv(
          filters, size, newStride, pad, dilation, groups, bias, initializer, algorithm);
    }

    /// The same with another padding.
    public Conv pad(int newPad) {
      return new Conv(
          filters, size, stride, newPad, dilation, groups, bias, initializer, algorithm);
    }

    /// The same with another dilation, and padded so that an odd size keeps height and width.
    public Conv dilation(int newDilation) {
      int newPad = Math.multiplyExact(size / 2, newDilation);
      return new Conv(
          filters, size, stride, newPad, newDilation, groups, bias, initializer, algorithm);
    }

    /// The same with the channels in another number of groups.
    public Conv groups(int newGroups) {
      return new Conv(
          filters, size, stride, pad, dilation, newGroups, bias, initializer, algorithm);
    }

    /// The same without a learned offset.
    public Conv withoutBias() {
      return new Conv(
          filters, size, stride, pad, dilation, groups, Bias.WITHOUT, initializer, algorithm);
    }

    /// The same with another initializer of the weights.
    public Conv initializer(Initializer newInitializer) {
      return new Conv(
          filters, size, stride, pad, dilation, groups, bias, newInitializer, algorithm);
    }

    /// The same computed in another way.
    public Conv algorithm(ConvAlgorithm newAlgorithm) {
      return new Conv(
          filters, size, stride, pad, dilation, groups, bias, initializer, newAlgorithm);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      expect("conv", x, 4, "[N,H,W,C]");
      long channels = x.shape().dim(3);
      requireChannels("conv", x, groups);
      Tensor weights =
          context.parameter("weight", initializer, filters, size, size, channels / groups);
      Tensor y = x.conv2d(weights, stride, pad, dilation, groups, algorithm(context));
      return bias == Bias.WITH
          ? y.plus(context.parameter("bias", Initializer.zeros(), filters))
          : y;
    }

    /// The layer's own choice, or else the network's where that is possible.
    private ConvAlgorithm algorithm(LayerContext context) {
      ConvAlgorithm general = context.convAlgorithm();
      Window window = Window.square(size, stride, pad).dilated(dilation, dilation).grouped(groups);
      return algorithm == ConvAlgorithm.AUTO && window.allows(general, DType.F32)
          ? general
          : algorithm;
    }
  }

  /// A convolution along sequences. Weights `[filters, size, channels / groups]`, bias `[filters]`;
  /// `x [N,L,C]` becomes `[N,P,filters]` with `P = ⌊(L + 2 pad - dilation (size - 1) - 1) / stride⌋
  /// + 1`.
  ///
  /// @param filters output channels
  /// @param size of the window
  /// @param stride of the window
  /// @param pad zeros on each side
  /// @param dilation distance between neighbouring elements of the window
  /// @param groups parts of the channels; each part of the output sees one part of the input
  /// @param bias whether an offset is learned
  /// @param initializer of the weights
  public record Conv1d(
      int filters,
      int size,
      int stride,
      int pad,
      int dilation,
      int groups,
      Bias bias,
      Initializer initializer)
      implements Layer {
    /// Checks the ranges.
    public Conv1d {
      positive("conv1d", "filters", filters);
      positive("conv1d", "size", size);
      positive("conv1d", "stride", stride);
      notNegative("conv1d", "pad", pad);
      positive("conv1d", "dilation", dilation);
      positive("conv1d", "groups", groups);
      requireGroups("conv1d", filters, groups);
    }

    /// Stride 1, padded so that an odd size keeps the length, with bias, Kaiming normal.
    public Conv1d(int filters, int size) {
      this(filters, size, 1, size / 2, 1, 1, Bias.WITH, Initializer.kaimingNormal());
    }

    /// The same with another stride.
    public Conv1d stride(int newStride) {
      return new Conv1d(filters, size, newStride, pad, dilation, groups, bias, initializer);
    }

    /// The same with another padding.
    public Conv1d pad(int newPad) {
      return new Conv1d(filters, size, stride, newPad, dilation, groups, bias, initializer);
    }

    /// The same with another dilation, and padded so that an odd size keeps the length.
    public Conv1d dilation(int newDilation) {
      int newPad = Math.multiplyExact(size / 2, newDilation);
      return new Conv1d(filters, size, stride, newPad, newDilation, groups, bias, initializer);
    }

    /// The same with the channels in another number of groups.
    public Conv1d groups(int newGroups) {
      return new Conv1d(filters, size, stride, pad, dilation, newGroups, bias, initializer);
    }

    /// The same without a learned offset.
    public Conv1d withoutBias() {
      return new Conv1d(filters, size, stride, pad, dilation, groups, Bias.WITHOUT, initializer);
    }

    /// The same with another initializer of the weights.
    public Conv1d initializer(Initializer newInitializer) {
      return new Conv1d(filters, size, stride, pad, dilation, groups, bias, newInitializer);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      expect("conv1d", x, 3, "[N,L,C]");
      long channels = x.shape().dim(2);
      requireChannels("conv1d", x, groups);
      Tensor weights = context.parameter("weight", initializer, filters, size, channels / groups);
      Tensor y = x.conv1d(weights, stride, pad, dilation, groups);
      return bias == Bias.WITH
          ? y.plus(context.parameter("bias", Initializer.zeros(), filters))
          : y;
    }
  }

  /// A square transposed convolution: see [Tensor#conv2dTransposed]. Weights `[channels, size,
  /// size, filters]`, bias `[filters]`; `x [N,P,Q,C]` becomes `[N,H,W,filters]` with `H = (P - 1)
  /// stride - 2 pad + size + outputPad`.
  ///
  /// @param filters output channels
  /// @param size of the window
  /// @param stride of the convolution that this transposes: by which the picture grows
  /// @param pad of that convolution
  /// @param outputPad rows and columns added at the end, less than the stride
  /// @param bias whether an offset is learned
  /// @param initializer of the weights
  public record ConvTransposed(
      int filters, int size, int stride, int pad, int outputPad, Bias bias, Initializer initializer)
      implements Layer {
    /// Checks the ranges.
    public ConvTransposed {
      positive("convTransposed", "filters", filters);
      positive("convTransposed", "size", size);
      positive("convTransposed", "stride", stride);
      notNegative("convTransposed", "pad", pad);
      if (outputPad < 0 || outputPad >= stride) {
        throw new IllegalArgumentException(
            "[convTransposed] expected an output padding of 0 to %d, found %d"
                .formatted(stride - 1, outputPad));
      }
    }

    /// Height and width times `stride`, with bias. Weights are normal with variance 2 stride² /
    /// (channels · size²), for that is how many of them meet in an output. A stride of 1 needs an
    /// odd size.
    public ConvTransposed(int filters, int size, int stride) {
      this(
          filters,
          size,
          stride,
          Math.max(0, size - stride + 1) / 2,
          2 * (Math.max(0, size - stride + 1) / 2) - (size - stride),
          Bias.WITH,
          Initializer.kaimingNormal(Initializer.Fan.OUT, 0).times(stride));
    }

    /// The same with other paddings.
    public ConvTransposed pad(int newPad, int newOutputPad) {
      return new ConvTransposed(filters, size, stride, newPad, newOutputPad, bias, initializer);
    }

    /// The same without a learned offset.
    public ConvTransposed withoutBias() {
      return new ConvTransposed(filters, size, stride, pad, outputPad, Bias.WITHOUT, initializer);
    }

    /// The same with another initializer of the weights.
    public ConvTransposed initializer(Initializer newInitializer) {
      return new ConvTransposed(filters, size, stride, pad, outputPad, bias, newInitializer);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      expect("convTransposed", x, 4, "[N,P,Q,C]");
      Tensor weights =
          context.parameter("weight", initializer, x.shape().dim(3), size, size, filters);
      Tensor y = x.conv2dTransposed(weights, stride, pad, outputPad);
      return bias == Bias.WITH
          ? y.plus(context.parameter("bias", Initializer.zeros(), filters))
          : y;
    }
  }

  /// Fractional max pooling: see [Tensor#fractionalMaxPool]. `x [N,H,W,C]` becomes `[N,⌊ratio
  /// H⌋,⌊ratio W⌋,C]`. In training every picture has regions of its own, others at each step; in
  /// inference they are fixed, and [MonteCarlo] averages over random ones, as the paper does.
  ///
  /// @param size of the windows
  /// @param ratio of output to input, in (0, 1)
  public record FractionalMaxPool(int size, double ratio) implements Layer {
    /// Checks the ranges.
    public FractionalMaxPool {
      positive("fractionalMaxPool", "size", size);
      if (!(ratio > 0 && ratio < 1)) {
        throw new IllegalArgumentException(
            "[fractionalMaxPool] expected a ratio in (0, 1), found " + ratio);
      }
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      expect("fractionalMaxPool", x, 4, "[N,H,W,C]");
      return x.fractionalMaxPool(
          size,
          (long) (x.shape().dim(1) * ratio),
          (long) (x.shape().dim(2) * ratio),
          context.uniform(x.shape().dim(0), 2));
    }
  }

  /// A fully connected layer. Weights `[units, inputs]`, bias `[units]`; `x [N, inputs]` becomes
  /// `[N, units]`, and each step of sequences `[N, T, inputs]` likewise.
  ///
  /// @param units outputs
  /// @param bias whether an offset is learned
  /// @param initializer of the weights
  public record Dense(int units, Bias bias, Initializer initializer) implements Layer {
    /// Checks the range.
    public Dense {
      positive("dense", "units", units);
    }

    /// With bias, Kaiming normal.
    public Dense(int units) {
      this(units, Bias.WITH, Initializer.kaimingNormal());
    }

    /// The same without a learned offset.
    public Dense withoutBias() {
      return new Dense(units, Bias.WITHOUT, initializer);
    }

    /// The same with another initializer of the weights.
    public Dense initializer(Initializer newInitializer) {
      return new Dense(units, bias, newInitializer);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      boolean steps = x.shape().rank() == 3;
      expect("dense", x, steps ? 3 : 2, "[N, inputs] (put flatten() in front)");
      long inputs = x.shape().dim(-1);
      Tensor weights = context.parameter("weight", initializer, units, inputs);
      Tensor rows = steps ? x.reshape(x.shape().dim(0) * x.shape().dim(1), inputs) : x;
      Tensor y = rows.matmulTransposed(weights);
      if (bias == Bias.WITH) {
        y = y.plus(context.parameter("bias", Initializer.zeros(), units));
      }
      return steps ? y.reshape(x.shape().with(-1, units).toArray()) : y;
    }
  }

  /// A vector of learned numbers for each token (Bengio et al. 2003): the rows of `weight`
  /// `[vocabulary, units]` that tokens `[...]`, whole numbers from 0 on, name; `[..., units]`. A
  /// negative token, as padding has, gives zeros; one of `vocabulary` or more gives NaN. It is the
  /// product of a dense layer and tokens in one-hot form, without the product. The weights begin
  /// normal with deviation 1, as PyTorch's do; Keras has ±0.05.
  ///
  /// @param vocabulary how many tokens there are
  /// @param units numbers for each
  /// @param initializer of the weights
  public record Embedding(int vocabulary, int units, Initializer initializer) implements Layer {
    /// Checks the ranges.
    public Embedding {
      positive("embedding", "vocabulary", vocabulary);
      positive("embedding", "units", units);
    }

    /// Normal with deviation 1.
    public Embedding(int vocabulary, int units) {
      this(vocabulary, units, Initializer.normal(1));
    }

    /// The same with another initializer of the weights.
    public Embedding initializer(Initializer newInitializer) {
      return new Embedding(vocabulary, units, newInitializer);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      if (x.dtype() != DType.I32) {
        throw new ShapeException(
            "[embedding] expected tokens I32 (begin the network with Net.tokens), found %s %s"
                .formatted(x.dtype(), x.shape()));
      }
      Tensor table = context.parameter("weight", initializer, vocabulary, units);
      Tensor rows =
          Tensor.applyAll(new GatherRows(), List.of(table, x.reshape(x.shape().count())))
              .getFirst();
      long[] dims = Arrays.copyOf(x.shape().toArray(), x.shape().rank() + 1);
      dims[dims.length - 1] = units;
      return rows.reshape(dims);
    }
  }

  /// Leaky ReLU with learned slopes (He et al. 2015): x where it is greater than 0, else alpha · x.
  /// Parameter `alpha`, `[1]` or, one for each channel of the last axis, `[C]`. It is max(alpha ·
  /// x, x), as lectures write it, as long as alpha stays in [0, 1]. Decay would pull it to ReLU.
  ///
  /// @param eachChannel whether channels have slopes of their own
  /// @param slope at the start
  public record PRelu(boolean eachChannel, double slope) implements Layer {
    /// One slope for all channels, at first 0.25.
    public PRelu() {
      this(false, 0.25);
    }

    /// The same with a slope for each channel.
    public PRelu perChannel() {
      return new PRelu(true, slope);
    }

    /// The same with another slope at the start.
    public PRelu slope(double newSlope) {
      return new PRelu(eachChannel, newSlope);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long channels = eachChannel ? x.shape().dim(-1) : 1;
      return x.prelu(context.parameter("alpha", Initializer.constant(slope), channels));
    }
  }

  /// The greatest of several linear maps (Goodfellow et al. 2013): `max(w₁ᵀx + b₁, w₂ᵀx + b₂, ...)`
  /// for each unit. ReLU and leaky ReLU are two pieces of it, but it neither saturates nor dies, at
  /// `pieces` times the parameters. Weights `[pieces · units, inputs]`, piece by piece, bias
  /// `[pieces · units]`; `x [N, inputs]` becomes `[N, units]`. Equal pieces share the gradient.
  ///
  /// @param units outputs
  /// @param pieces maps for each output
  /// @param bias whether offsets are learned
  /// @param initializer of the weights
  public record Maxout(int units, int pieces, Bias bias, Initializer initializer) implements Layer {
    /// Checks the ranges.
    public Maxout {
      positive("maxout", "units", units);
      positive("maxout", "pieces", pieces);
    }

    /// With bias, Kaiming normal.
    public Maxout(int units, int pieces) {
      this(units, pieces, Bias.WITH, Initializer.kaimingNormal());
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      return new Dense(units * pieces, bias, initializer).apply(context, x).maxout(pieces);
    }
  }

  /// Inverted dropout (Srivastava et al. 2014): in training each element is dropped with this
  /// probability and the rest divided by what stays; in inference nothing happens.
  ///
  /// The paper's own form, which lectures call vanilla dropout, drops without dividing and
  /// multiplies by the share that stays in inference: the same expectation, but inference has to
  /// know of it. Lectures' code has `p` for the probability to keep an element; here, as in PyTorch
  /// and Keras, it is that of losing it.
  ///
  /// @param dropProbability in [0, 1)
  public record Dropout(double dropProbability) implements Layer {
    /// Checks the range.
    public Dropout {
      checkDropProbability("dropout", dropProbability);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      return context.dropout(x, dropProbability);
    }
  }

  /// Spatial dropout (Tompson et al. 2015): inverted dropout of whole channels of each `x [N, ...,
  /// C]`. Neighbours in a picture say nearly the same, so that dropping them one by one takes
  /// little away.
  ///
  /// @param dropProbability in [0, 1)
  public record SpatialDropout(double dropProbability) implements Layer {
    /// Checks the range.
    public SpatialDropout {
      checkDropProbability("spatialDropout", dropProbability);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      if (x.shape().rank() < 3) {
        throw new ShapeException(
            "[spatialDropout] expected [N, ..., C] with places between, found " + x.shape());
      }
      return context.dropout(
          x, dropProbability, IntStream.range(1, x.shape().rank() - 1).toArray());
    }
  }

  /// DropConnect (Wan et al. 2013): a dense layer, in training with each weight dropped with this
  /// probability and the rest divided by what stays; in inference all weights are there. The bias
  /// is never dropped.
  ///
  /// Here a mask belongs to a step; the paper draws one for each example. For inference it samples
  /// outputs from a normal distribution that has the moments of the dropped sum; lectures use all
  /// weights, as this does, and [MonteCarlo] samples the masks themselves.
  ///
  /// Weights `[units, inputs]`, bias `[units]`; `x [N, inputs]` becomes `[N, units]`.
  ///
  /// @param units outputs
  /// @param dropProbability of a weight, in [0, 1)
  /// @param bias whether an offset is learned
  /// @param initializer of the weights
  public record DropConnect(int units, double dropProbability, Bias bias, Initializer initializer)
      implements Layer {
    /// Checks the ranges.
    public DropConnect {
      positive("dropConnect", "units", units);
      checkDropProbability("dropConnect", dropProbability);
    }

    /// With bias, Kaiming normal.
    public DropConnect(int units, double dropProbability) {
      this(units, dropProbability, Bias.WITH, Initializer.kaimingNormal());
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      expect("dropConnect", x, 2, "[N, inputs] (put flatten() in front)");
      Tensor weights = context.parameter("weight", initializer, units, x.shape().dim(1));
      Tensor y = x.matmulTransposed(context.dropout(weights, dropProbability));
      return bias == Bias.WITH ? y.plus(context.parameter("bias", Initializer.zeros(), units)) : y;
    }
  }

  /// Stochastic depth (Huang et al. 2016), at the end of a residual branch: in training each
  /// example loses the whole branch with this probability, and what stays is divided by its share;
  /// in inference nothing happens. [ResNet.Options#stochasticDepth] lets the probability grow with
  /// depth.
  ///
  /// The paper draws once for a whole batch, and multiplies by the share in inference.
  ///
  /// @param dropProbability of the branch, in [0, 1)
  public record StochasticDepth(double dropProbability) implements Layer {
    /// Checks the range.
    public StochasticDepth {
      checkDropProbability("stochasticDepth", dropProbability);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      return context.dropout(x, dropProbability, IntStream.range(1, x.shape().rank()).toArray());
    }
  }

  private static void checkDropProbability(String layer, double dropProbability) {
    if (!(dropProbability >= 0 && dropProbability < 1)) {
      throw new IllegalArgumentException(
          "[%s] expected a drop probability in [0, 1), found %s".formatted(layer, dropProbability));
    }
  }

  /// Layers one after the other, each with its name.
  ///
  /// @param parts in order
  public record Sequential(List<Named> parts) implements Layer {
    /// Copies the list.
    public Sequential {
      parts = List.copyOf(parts);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      Tensor y = x;
      for (Named part : parts) {
        y = context.apply(part.name(), part.layer(), y);
      }
      return y;
    }

    Sequential with(String name, Layer layer) {
      List<Named> extended = new ArrayList<>(parts);
      extended.add(new Named(name, layer));
      return new Sequential(extended);
    }
  }

  /// A layer and what it is called among its neighbours.
  ///
  /// @param name unique among the neighbours
  /// @param layer the layer
  public record Named(String name, Layer layer) {}

  /// branch0(x), branch1(x), ... one after the other along the last axis, the channels (Szegedy et
  /// al. 2014, Ronneberger et al. 2015, Huang et al. 2016). What they give must agree in the other
  /// extents.
  ///
  /// @param branches one or more
  public record Concat(List<Layer> branches) implements Layer {
    /// Copies the list.
    public Concat {
      branches = List.copyOf(branches);
      if (branches.isEmpty()) {
        throw new IllegalArgumentException("[concat] expected 1 or more branches, found 0");
      }
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      List<Tensor> parts = new ArrayList<>();
      for (Layer branch : branches) {
        String name = name(parts.size());
        Tensor part = context.apply(name, branch, x);
        Tensor first = parts.isEmpty() ? part : parts.getFirst();
        int rank = part.shape().rank();
        if (rank < 2
            || rank != first.shape().rank()
            || !part.shape().with(rank - 1, 0).equals(first.shape().with(rank - 1, 0))) {
          throw new ShapeException(
              "[concat] expected branches that agree but for the last axis, found %s of %s and %s of %s"
                  .formatted(first.shape(), name(0), part.shape(), name));
        }
        parts.add(part);
      }
      return Tensor.concat(-1, parts.toArray(Tensor[]::new));
    }

    /// What a branch is called: `branch0`.
    static String name(int branch) {
      return "branch" + branch;
    }
  }

  /// branch(x) + shortcut(x) (He et al. 2015). The two must agree in shape.
  ///
  /// @param branch what learns the residual
  /// @param shortcut what carries x around it
  public record Residual(Layer branch, Layer shortcut) implements Layer {
    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      Tensor y = context.apply("branch", branch, x);
      Tensor carried = context.apply("shortcut", shortcut, x);
      if (!y.shape().equals(carried.shape())) {
        throw new ShapeException(
            "[residual] the branch gives %s, the shortcut %s"
                .formatted(y.shape(), carried.shape()));
      }
      return y.plus(carried);
    }
  }

  static void expect(String layer, Tensor x, int rank, String axes) {
    if (x.shape().rank() != rank) {
      throw new ShapeException("[%s] expected %s, found %s".formatted(layer, axes, x.shape()));
    }
  }

  private static void requireGroups(String layer, int filters, int groups) {
    if (filters % groups != 0) {
      throw new IllegalArgumentException(
          "[%s] expected filters that divide into the groups, found %d filters and %d groups"
              .formatted(layer, filters, groups));
    }
  }

  private static void requireChannels(String layer, Tensor x, int groups) {
    if (x.shape().dim(-1) % groups != 0) {
      throw new ShapeException(
          "[%s] expected channels that divide into %d groups, found %s"
              .formatted(layer, groups, x.shape()));
    }
  }

  static void positive(String layer, String what, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(
          "[%s] expected %s of at least 1, found %d".formatted(layer, what, value));
    }
  }

  private static void notNegative(String layer, String what, int value) {
    if (value < 0) {
      throw new IllegalArgumentException(
          "[%s] expected %s of at least 0, found %d".formatted(layer, what, value));
    }
  }
}
