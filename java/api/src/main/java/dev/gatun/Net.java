package dev.gatun;

import dev.gatun.Layers.Concat;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Conv1d;
import dev.gatun.Layers.ConvTransposed;
import dev.gatun.Layers.Dense;
import dev.gatun.Layers.DropConnect;
import dev.gatun.Layers.Dropout;
import dev.gatun.Layers.Embedding;
import dev.gatun.Layers.FractionalMaxPool;
import dev.gatun.Layers.Maxout;
import dev.gatun.Layers.PRelu;
import dev.gatun.Layers.Residual;
import dev.gatun.Layers.Sequential;
import dev.gatun.Layers.SpatialDropout;
import dev.gatun.Layers.StochasticDepth;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/// The description of a network: the shape of one input and the layers it goes through. Immutable:
/// every method returns a longer network. Nothing is allocated; shapes are checked as layers are
/// added, with the layer's path in the message.
///
/// ```java
/// Net net = Net.input(28, 28, 1).flatten().dense(256).relu().dense(10);
/// ```
public final class Net {
  private final String path; // of the part this describes, for messages; empty for a whole network
  private final TensorType input; // of one, without the batch axis
  private final Sequential layers;
  private final TensorType output;
  private final Shape outputShape; // of one
  private final ConvAlgorithm convAlgorithm;
  private volatile long vocabulary; // 0 until somebody asks

  private Net(
      String path,
      TensorType input,
      Sequential layers,
      TensorType output,
      ConvAlgorithm convAlgorithm) {
    this.path = path;
    this.input = input;
    this.layers = layers;
    this.output = output;
    long[] dims = output.shape().toArray();
    if (dims.length == 0) {
      throw new ShapeException("[net] expected outputs [N, ...], found a scalar");
    }
    outputShape = Shape.of(Arrays.copyOfRange(dims, 1, dims.length));
    this.convAlgorithm = convAlgorithm;
  }

  /// A network without layers for inputs of these extents, the batch axis left out: `input(32, 32,
  /// 3)` for pictures.
  ///
  /// @throws IllegalArgumentException if an extent is less than 1
  public static Net input(long... dims) {
    Shape shape = Shape.of(dims);
    if (shape.count() < 1) {
      throw new IllegalArgumentException("[input] expected extents of at least 1, found " + shape);
    }
    return of(new TensorType(DType.F32, shape));
  }

  /// A network without layers for sequences of `steps` tokens, whole numbers from 0 on such as the
  /// places of characters in an alphabet; the first layer is an [#embedding], as a rule.
  ///
  /// @throws IllegalArgumentException if there are no steps
  public static Net tokens(long steps) {
    if (steps < 1) {
      throw new IllegalArgumentException("[tokens] expected at least 1 step, found " + steps);
    }
    return of(new TensorType(DType.I32, Shape.of(steps)));
  }

  private static Net of(TensorType input) {
    TensorType two = batchOf(input, 2); // enough for batch statistics
    return new Net("", input, new Sequential(List.of()), two, ConvAlgorithm.AUTO);
  }

  /// The extents of one input.
  public Shape inputShape() {
    return input.shape();
  }

  /// The type of the inputs' elements: [DType#F32], or [DType#I32] for tokens.
  public DType inputType() {
    return input.dtype();
  }

  /// A batch of inputs.
  TensorType inputs(long batch) {
    return batchOf(input, batch);
  }

  /// A batch of sequences of another length than those this is made for.
  TensorType inputs(long batch, long steps) {
    if (input.shape().rank() < 1) {
      throw new ShapeException("[inputs] expected sequences [T, ...], found " + input.shape());
    }
    return batchOf(input.with(input.shape().with(0, steps)), batch);
  }

  /// Checks that inputs are what `caller` has.
  void requireInputs(String caller, DType found) {
    if (found != input.dtype()) {
      throw new ShapeException(
          "[%s] the network expects inputs %s %s, found %s"
              .formatted(caller, input.dtype(), input.shape(), found));
    }
  }

  /// How many tokens the network has vectors for; [Long#MAX_VALUE] without an embedding of its
  /// inputs.
  long vocabulary() {
    long known = vocabulary;
    if (known == 0) {
      known = NetTrace.vocabulary(this);
      vocabulary = known;
    }
    return known;
  }

  /// Checks that the network has a vector for each of `tokens`, or that they are padding: on the
  /// device what is missing would be NaN.
  ///
  /// @param caller whom a message is from
  void requireTokens(String caller, int... tokens) {
    long known = vocabulary();
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] >= known) {
        throw new IllegalArgumentException(
            "[%s] expected tokens below %d, the vocabulary of the embedding, found %d at place %d"
                .formatted(caller, known, tokens[i], i));
      }
    }
  }

  /// The extents of one output.
  public Shape outputShape() {
    return outputShape;
  }

  /// The layers, as one.
  public Sequential layers() {
    return layers;
  }

  /// How convolutions are computed that leave the choice to the network.
  public ConvAlgorithm convAlgorithm() {
    return convAlgorithm;
  }

  /// The same network with its convolutions computed by `algorithm`, save those that cannot be or
  /// have an algorithm of their own. By default [ConvAlgorithm#AUTO].
  public Net convAlgorithm(ConvAlgorithm algorithm) {
    return new Net(path, input, layers, output, algorithm);
  }

  /// A square convolution that keeps height and width (for an odd `size`), with bias.
  public Net conv(int filters, int size) {
    return conv(new Conv(filters, size));
  }

  /// A convolution, for example `new Conv(64, 3).stride(2).withoutBias()`.
  public Net conv(Conv conv) {
    return layer("conv", conv);
  }

  /// A convolution of every channel alone, by a window of its own, that keeps height and width (for
  /// an odd `size`), with bias.
  public Net depthwiseConv(int size) {
    return depthwiseConv(size, 1);
  }

  /// The same with another stride.
  public Net depthwiseConv(int size, int stride) {
    int channels = Math.toIntExact(outputShape().dim(-1));
    return layer("depthwiseConv", new Conv(channels, size).groups(channels).stride(stride));
  }

  /// A convolution along sequences `[L,C]` that keeps their length (for an odd `size`), with bias.
  public Net conv1d(int filters, int size) {
    return conv1d(new Conv1d(filters, size));
  }

  /// A convolution along sequences, for example `new Conv1d(64, 3).dilation(4)`.
  public Net conv1d(Conv1d conv) {
    return layer("conv1d", conv);
  }

  /// A transposed convolution that multiplies height and width by `stride`, with bias.
  public Net convTransposed(int filters, int size, int stride) {
    return convTransposed(new ConvTransposed(filters, size, stride));
  }

  /// A transposed convolution.
  public Net convTransposed(ConvTransposed conv) {
    return layer("convTransposed", conv);
  }

  /// A fully connected layer with bias.
  public Net dense(int units) {
    return dense(new Dense(units));
  }

  /// A fully connected layer.
  public Net dense(Dense dense) {
    return layer("dense", dense);
  }

  /// Batch normalisation over all axes but the last.
  public Net batchNorm() {
    return batchNorm(new BatchNorm());
  }

  /// Batch normalisation in a form of its own, for example `new BatchNorm(0.01, 1e-3).freeze()`.
  public Net batchNorm(BatchNorm batchNorm) {
    return layer("batchNorm", batchNorm);
  }

  /// Layer normalisation along the last axis.
  public Net layerNorm() {
    return layer("layerNorm", new Norms.LayerNorm());
  }

  /// Group normalisation: each picture by the mean and variance of each group of its channels.
  public Net groupNorm(int groups) {
    return layer("groupNorm", new Norms.GroupNorm(groups));
  }

  /// Instance normalisation: each channel of each picture by its own mean and variance.
  public Net instanceNorm() {
    return layer("instanceNorm", new Norms.InstanceNorm());
  }

  /// RMS normalisation along the last axis.
  public Net rmsNorm() {
    return layer("rmsNorm", new Norms.RmsNorm());
  }

  /// A vector of `units` learned numbers for each token: tokens `[T]`, from 0 to vocabulary - 1,
  /// become `[T, units]`.
  public Net embedding(int vocabulary, int units) {
    return embedding(new Embedding(vocabulary, units));
  }

  /// A vector for each token, for example `new Embedding(65, 16).initializer(normal(0.1))`.
  public Net embedding(Embedding embedding) {
    return layer("embedding", embedding);
  }

  /// A recurrent layer of vanilla cells with tanh: sequences `[T, features]` become the states
  /// after each step, `[T, units]`. See [Recurrent] for more layers, directions and options.
  public Net rnn(int units) {
    return recurrent(Recurrent.rnn(units));
  }

  /// A recurrent layer of update gate RNNs.
  public Net ugrnn(int units) {
    return recurrent(Recurrent.ugrnn(units));
  }

  /// A recurrent layer of GRUs.
  public Net gru(int units) {
    return recurrent(Recurrent.gru(units));
  }

  /// A recurrent layer of LSTMs.
  public Net lstm(int units) {
    return recurrent(Recurrent.lstm(units));
  }

  /// A recurrent layer of intersection RNNs, as many as there are features.
  public Net intersectionRnn(int units) {
    return recurrent(Recurrent.intersection(units));
  }

  /// Recurrent layers, for example `Recurrent.lstm(256).layers(2).dropout(0.5)`. Their name is that
  /// of the cell: `lstm0`.
  public Net recurrent(Recurrent recurrent) {
    return layer(recurrent.kind(), recurrent);
  }

  /// max(x, 0).
  public Net relu() {
    return layer("relu", (context, x) -> x.relu());
  }

  /// 1 / (1 + exp(-x)).
  public Net sigmoid() {
    return layer("sigmoid", (context, x) -> x.sigmoid());
  }

  /// The hyperbolic tangent.
  public Net tanh() {
    return layer("tanh", (context, x) -> x.tanh());
  }

  /// x where it is greater than 0, else 0.01 · x.
  public Net leakyRelu() {
    return layer("leakyRelu", (context, x) -> x.leakyRelu());
  }

  /// x where it is greater than 0, else slope · x. Overviews of activations often have the slope
  /// 0.1, papers and other libraries 0.01.
  public Net leakyRelu(double slope) {
    return layer("leakyRelu", (context, x) -> x.leakyRelu(slope));
  }

  /// Leaky ReLU with one learned slope, at first 0.25.
  public Net prelu() {
    return prelu(new PRelu());
  }

  /// Leaky ReLU with learned slopes, for example `new PRelu().perChannel()`.
  public Net prelu(PRelu prelu) {
    return layer("prelu", prelu);
  }

  /// x where it is greater than 0, else exp(x) - 1.
  public Net elu() {
    return elu(1);
  }

  /// x where it is greater than 0, else alpha · (exp(x) - 1).
  public Net elu(double alpha) {
    return layer("elu", (context, x) -> x.elu(alpha));
  }

  /// The self-normalising form of ELU: see [Tensor#selu].
  public Net selu() {
    return layer("selu", (context, x) -> x.selu());
  }

  /// x · Φ(x), Φ the normal distribution.
  public Net gelu() {
    return layer("gelu", (context, x) -> x.gelu());
  }

  /// GELU by its approximation with tanh: see [Tensor#geluTanh].
  public Net geluTanh() {
    return layer("geluTanh", (context, x) -> x.geluTanh());
  }

  /// x / (1 + exp(-x)), also called swish.
  public Net silu() {
    return layer("silu", (context, x) -> x.silu());
  }

  /// log(1 + exp(x)).
  public Net softplus() {
    return layer("softplus", (context, x) -> x.softplus());
  }

  /// The greatest of `pieces` linear maps for each of `units` outputs.
  public Net maxout(int units, int pieces) {
    return layer("maxout", new Maxout(units, pieces));
  }

  /// exp(x) normalised to sum 1 along the last axis. Not before a softmax cross-entropy, which does
  /// it itself.
  public Net softmax() {
    return layer("softmax", (context, x) -> x.softmax());
  }

  /// The logarithm of [#softmax].
  public Net logSoftmax() {
    return layer("logSoftmax", (context, x) -> x.logSoftmax());
  }

  /// Inverted dropout with this probability for an element to be dropped.
  public Net dropout(double dropProbability) {
    return layer("dropout", new Dropout(dropProbability));
  }

  /// Inverted dropout of whole channels.
  public Net spatialDropout(double dropProbability) {
    return layer("spatialDropout", new SpatialDropout(dropProbability));
  }

  /// A fully connected layer with bias whose weights are dropped with this probability.
  public Net dropConnect(int units, double dropProbability) {
    return layer("dropConnect", new DropConnect(units, dropProbability));
  }

  /// At the end of a residual branch: an example loses the branch with this probability.
  public Net stochasticDepth(double dropProbability) {
    return layer("stochasticDepth", new StochasticDepth(dropProbability));
  }

  /// The greatest element of each `size` x `size` window, moved by `size`.
  public Net maxPool(int size) {
    return maxPool(size, size, 0);
  }

  /// The greatest element of each `size` x `size` window.
  public Net maxPool(int size, int stride, int pad) {
    return layer("maxPool", (context, x) -> x.maxPool(size, stride, pad));
  }

  /// The mean of each `size` x `size` window, moved by `size`.
  public Net averagePool(int size) {
    return averagePool(size, size, 0);
  }

  /// The mean of each `size` x `size` window; padding is not counted.
  public Net averagePool(int size, int stride, int pad) {
    return averagePool(size, stride, pad, false);
  }

  /// The mean of each `size` x `size` window; padding counts as zeros, as in PyTorch, or not.
  public Net averagePool(int size, int stride, int pad, boolean countPadding) {
    return layer("averagePool", (context, x) -> x.averagePool(size, stride, pad, countPadding));
  }

  /// The greatest of each `size` neighbours of sequences `[L,C]`.
  public Net maxPool1d(int size, int stride, int pad) {
    return layer("maxPool1d", (context, x) -> x.maxPool1d(size, stride, pad));
  }

  /// The mean of each `size` neighbours of sequences `[L,C]`; padding is not counted.
  public Net averagePool1d(int size, int stride, int pad) {
    return layer("averagePool1d", (context, x) -> x.averagePool1d(size, stride, pad, false));
  }

  /// `[H,W,C]` or `[L,C]` to `[C]`: the mean over each picture or sequence.
  public Net globalAveragePool() {
    return layer("globalAveragePool", (context, x) -> x.globalAveragePool());
  }

  /// `[H,W,C]` or `[L,C]` to `[C]`: the greatest of each picture or sequence.
  public Net globalMaxPool() {
    return layer("globalMaxPool", (context, x) -> x.globalMaxPool());
  }

  /// `[H,W,C]` to `[height,width,C]`: see [Tensor#adaptiveAveragePool].
  public Net adaptiveAveragePool(long height, long width) {
    return layer("adaptiveAveragePool", (context, x) -> x.adaptiveAveragePool(height, width));
  }

  /// `[H,W,C]` to `[height,width,C]`: see [Tensor#adaptiveMaxPool].
  public Net adaptiveMaxPool(long height, long width) {
    return layer("adaptiveMaxPool", (context, x) -> x.adaptiveMaxPool(height, width));
  }

  /// `[H,W,C]` to `[⌊ratio H⌋,⌊ratio W⌋,C]` by windows of 2x2 at random distances: see
  /// [Tensor#fractionalMaxPool].
  public Net fractionalMaxPool(double ratio) {
    return layer("fractionalMaxPool", new FractionalMaxPool(2, ratio));
  }

  /// All axes of an input made one.
  public Net flatten() {
    return layer("flatten", (context, x) -> x.flatten());
  }

  /// x + branch(x), the shapes being equal.
  public Net residual(UnaryOperator<Net> branch) {
    return residual(branch, UnaryOperator.identity());
  }

  /// branch(x) + shortcut(x).
  public Net residual(UnaryOperator<Net> branch, UnaryOperator<Net> shortcut) {
    String name = next("residual");
    return add(
        name, new Residual(part(name + ".branch", branch), part(name + ".shortcut", shortcut)));
  }

  /// Branches on the same input, and what they give one after the other along the channels, the
  /// last axis; their other extents are equal. An empty branch, `UnaryOperator.identity()` or `x ->
  /// x`, is the input itself. So a block of DenseNet is
  ///
  /// ```java
  /// net.concat(x -> x, x -> x.batchNorm().relu().conv(12, 3))
  /// ```
  ///
  /// and a level of U-Net
  ///
  /// ```java
  /// net.concat(x -> x, x -> x.maxPool(2).conv(32, 3).relu().convTransposed(16, 2, 2))
  /// ```
  ///
  /// @throws IllegalArgumentException if there is no branch
  /// @throws ShapeException if what a branch gives does not fit the first one's
  @SafeVarargs
  public final Net concat(UnaryOperator<Net>... branches) {
    String name = next("concat");
    List<Layer> layers = new ArrayList<>();
    for (UnaryOperator<Net> branch : branches) {
      layers.add(part(name + "." + Concat.name(layers.size()), branch));
    }
    return add(name, new Concat(layers));
  }

  /// The shortcut without parameters (option A of He et al. 2015): every `stride`-th row and
  /// column, zeros in the new channels.
  public Net subsamplePad(int stride, int channels) {
    return layer("subsamplePad", (context, x) -> x.subsamplePad(stride, channels));
  }

  /// A group of layers under one name: `stage("stage1", s -> s.conv(16, 3).relu())`.
  ///
  /// @throws IllegalArgumentException if the name is taken, empty or has a dot
  public Net stage(String name, UnaryOperator<Net> part) {
    requireName(name);
    return add(name, part(name, part));
  }

  /// Any layer. Its name is `kind` with a number behind it: `conv0`, `conv1`, ...
  ///
  /// @throws IllegalArgumentException if the kind has a dot
  public Net layer(String kind, Layer layer) {
    return add(next(kind), layer);
  }

  /// A table of the layers with their output shapes and parameter counts.
  public String summary() {
    return Summary.of(this);
  }

  /// What a training step computes forward, in order, as layers say it and before anything is
  /// fused: inputs, parameters and states first. For drawing a network, or counting what is in it:
  ///
  /// ```java
  /// net.operations(32).stream().filter(operation -> operation.kind().equals("conv2d")).count()
  /// ```
  ///
  /// @param batch examples in a step
  /// @throws ShapeException if layers want more examples, as batch norm may
  public List<Operation> operations(int batch) {
    return Operation.of(this, batch);
  }

  /// The number of trained numbers.
  public long parameterCount() {
    return NetTrace.parameters(this).stream().mapToLong(spec -> spec.shape().count()).sum();
  }

  /// One line: inputs, outputs, layers and parameters; see [#summary] for all of them.
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "net of %s to %s, %d layers, %,d parameters",
        inputShape(),
        outputShape(),
        layers.parts().size(),
        parameterCount());
  }

  private Net add(String name, Layer layer) {
    requireName(name);
    if (layers.parts().stream().anyMatch(part -> part.name().equals(name))) {
      throw new IllegalArgumentException(
          "[net] there is a layer called " + inside(name) + " already");
    }
    return new Net(path, input, layers.with(name, layer), after(name, layer), convAlgorithm);
  }

  /// What `layer` makes of the present output.
  private TensorType after(String name, Layer layer) {
    try {
      TensorType result = NetTrace.infer(inside(name), layer, output);
      Shape shape = result.shape();
      if (shape.rank() > 0 && shape.dim(0) != output.shape().dim(0)) {
        throw new ShapeException(
            "%s: expected outputs [N, ...] of inputs %s, found %s"
                .formatted(inside(name), output.shape(), shape));
      }
      return result;
    } catch (ShapeException e) {
      if (output.dtype().isFloating()) {
        throw e;
      }
      throw new ShapeException(
          e.getMessage() + "; tokens become numbers by embedding(vocabulary, units)");
    }
  }

  private Layer part(String name, UnaryOperator<Net> part) {
    TensorType one = output.with(outputShape());
    Net start = new Net(inside(name), one, new Sequential(List.of()), output, convAlgorithm);
    return part.apply(start).layers;
  }

  private String inside(String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private String next(String kind) {
    Pattern numbered = Pattern.compile(Pattern.quote(kind) + "\\d+");
    return kind + layers.parts().stream().filter(p -> numbered.matcher(p.name()).matches()).count();
  }

  /// Names make paths, whose parts are divided by dots.
  private static void requireName(String name) {
    if (name.isEmpty() || name.contains(".")) {
      throw new IllegalArgumentException(
          "[net] expected a layer name that is not empty and has no dot, found \"" + name + "\"");
    }
  }

  private static TensorType batchOf(TensorType one, long count) {
    return one.with(TrainingStep.batched(count, one.shape()));
  }
}
