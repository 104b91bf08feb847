package dev.gatun;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Activate;
import dev.gatun.graph.op.Affine;
import dev.gatun.graph.op.Argmax;
import dev.gatun.graph.op.AveragePool;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Concat;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.Convert;
import dev.gatun.graph.op.Expand;
import dev.gatun.graph.op.GroupNorm;
import dev.gatun.graph.op.LayerNorm;
import dev.gatun.graph.op.LogSoftmax;
import dev.gatun.graph.op.MatMul;
import dev.gatun.graph.op.MaxPool;
import dev.gatun.graph.op.OneHot;
import dev.gatun.graph.op.Permute;
import dev.gatun.graph.op.Reduce;
import dev.gatun.graph.op.Reshape;
import dev.gatun.graph.op.Slice;
import dev.gatun.graph.op.Softmax;
import dev.gatun.graph.op.SubsamplePad;
import dev.gatun.graph.op.UnaryOp;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/// A dense array of numbers, row-major, channels-last. It is either concrete (memory on a [Device])
/// or symbolic (a node of a graph that is being traced); the same methods work on both, so a
/// function over tensors can be called eagerly, compiled ([Functions#compile]) and differentiated
/// ([Functions#grad]).
///
/// A concrete tensor belongs to the [Scope] it was made in and dies with it; made outside any scope
/// it is the caller's to close. Every use after close is an [IllegalStateException]. Operations
/// make new tensors and leave their operands as they are; operands may be used from several
/// threads.
///
/// A shape or dtype that does not fit is a [ShapeException] that names the operation, what it
/// expected and what it found. This class is not meant to be extended outside Gatun.
public abstract class Tensor implements AutoCloseable {
  private final DType dtype;
  private final Shape shape;

  /// For Gatun's own two kinds of tensors.
  protected Tensor(DType dtype, Shape shape) {
    this.dtype = dtype;
    this.shape = shape;
  }

  /// A tensor on `device` with these elements in row-major order, [DType#F32].
  ///
  /// @throws ShapeException if the number of elements differs from the product of `dims`
  public static Tensor of(Device device, float[] elements, long... dims) {
    return ConcreteTensor.of(device, elements, Shape.of(dims));
  }

  /// A tensor on `device` with these elements in row-major order, [DType#F64].
  ///
  /// @throws ShapeException if the number of elements differs from the product of `dims`
  public static Tensor of(Device device, double[] elements, long... dims) {
    return ConcreteTensor.of(device, elements, Shape.of(dims));
  }

  /// A tensor on `device` with these elements in row-major order, [DType#I32].
  ///
  /// @throws ShapeException if the number of elements differs from the product of `dims`
  public static Tensor of(Device device, int[] elements, long... dims) {
    return ConcreteTensor.of(device, elements, Shape.of(dims));
  }

  /// A tensor on `device` full of zeros.
  public static Tensor zeros(Device device, DType dtype, long... dims) {
    return ConcreteTensor.zeros(device, dtype, Shape.of(dims));
  }

  /// A tensor on `device` full of `value`.
  public static Tensor full(Device device, DType dtype, double value, long... dims) {
    return ConcreteTensor.full(device, dtype, Shape.of(dims), value);
  }

  /// Samples of the normal distribution with mean 0 and standard deviation 1, [DType#F32], the same
  /// on every device for the same `seed`.
  public static Tensor randn(Device device, long seed, long... dims) {
    return ConcreteTensor.of(
        device, Initializer.normal(1).sample(Shape.of(dims), seed, 0), Shape.of(dims));
  }

  /// The type of the elements.
  public final DType dtype() {
    return dtype;
  }

  /// The extents.
  public final Shape shape() {
    return shape;
  }

  /// Gives the memory back; a second call does nothing.
  @Override
  public abstract void close();

  // ---- Elementwise. Operands of different shapes are broadcast as in NumPy. ----

  /// this + other.
  public final Tensor plus(Tensor other) {
    return apply(new BinaryOp(Binary.ADD), this, other);
  }

  /// this - other.
  public final Tensor minus(Tensor other) {
    return apply(new BinaryOp(Binary.SUBTRACT), this, other);
  }

  /// this · other, element by element.
  public final Tensor times(Tensor other) {
    return apply(new BinaryOp(Binary.MULTIPLY), this, other);
  }

  /// this / other.
  public final Tensor div(Tensor other) {
    return apply(new BinaryOp(Binary.DIVIDE), this, other);
  }

  /// The greater of both; the gradient of a tie goes to `other`.
  public final Tensor maximum(Tensor other) {
    return apply(new BinaryOp(Binary.MAXIMUM), this, other);
  }

  /// The smaller of both; the gradient of a tie goes to `other`.
  public final Tensor minimum(Tensor other) {
    return apply(new BinaryOp(Binary.MINIMUM), this, other);
  }

  /// this where `condition` is greater than 0, else 0. No gradient flows to the condition.
  public final Tensor where(Tensor condition) {
    return apply(new BinaryOp(Binary.GATE), this, condition);
  }

  /// this + number.
  public final Tensor plus(double number) {
    return apply(new Affine(1, number), this);
  }

  /// this - number.
  public final Tensor minus(double number) {
    return apply(new Affine(1, -number), this);
  }

  /// this · number.
  public final Tensor times(double number) {
    return apply(new Affine(number, 0), this);
  }

  /// this / number.
  public final Tensor div(double number) {
    return apply(new Affine(1 / number, 0), this);
  }

  /// -this.
  public final Tensor negate() {
    return unary(Unary.NEGATE);
  }

  /// |this|; its gradient at 0 is 0.
  public final Tensor abs() {
    return unary(Unary.ABS);
  }

  /// this².
  public final Tensor square() {
    return unary(Unary.SQUARE);
  }

  /// √this.
  public final Tensor sqrt() {
    return unary(Unary.SQRT);
  }

  /// e to the power of this.
  public final Tensor exp() {
    return unary(Unary.EXP);
  }

  /// The natural logarithm.
  public final Tensor log() {
    return unary(Unary.LOG);
  }

  /// max(this, 0); its gradient at 0 is 0.
  public final Tensor relu() {
    return unary(Unary.RELU);
  }

  /// 1 / (1 + exp(-this)).
  public final Tensor sigmoid() {
    return unary(Unary.SIGMOID);
  }

  /// The hyperbolic tangent.
  public final Tensor tanh() {
    return unary(Unary.TANH);
  }

  /// [#leakyRelu(double)] with slope 0.01.
  public final Tensor leakyRelu() {
    return leakyRelu(0.01);
  }

  /// this where it is greater than 0, else slope · this (Maas et al. 2013); its gradient at 0 is
  /// the slope.
  public final Tensor leakyRelu(double slope) {
    return apply(new Activate(Nonlinearity.LEAKY_RELU, slope), this);
  }

  /// this where it is greater than 0, else alpha · this (He et al. 2015). It is max(alpha · this,
  /// this), as it is often written, only for alpha in [0, 1]. Its gradient at 0 is alpha.
  ///
  /// @param alpha a scalar, or `[C]` for one for each channel
  public final Tensor prelu(Tensor alpha) {
    Tensor positive = relu();
    return positive.plus(minus(positive).times(alpha));
  }

  /// [#elu(double)] with alpha 1.
  public final Tensor elu() {
    return elu(1);
  }

  /// this where it is greater than 0, else alpha · (exp(this) - 1) (Clevert et al. 2015); its
  /// gradient at 0 is alpha.
  public final Tensor elu(double alpha) {
    return apply(new Activate(Nonlinearity.ELU, alpha), this);
  }

  /// λ · elu(this, alpha) with the fixed point's λ = 1.0507 and alpha = 1.6733 (Klambauer et al.
  /// 2017).
  public final Tensor selu() {
    return elu(1.6732632423543772).times(1.0507009873554805);
  }

  /// this · Φ(this), Φ the normal distribution (Hendrycks and Gimpel 2016); [#geluTanh] is its
  /// approximation.
  public final Tensor gelu() {
    return apply(new Activate(Nonlinearity.GELU), this);
  }

  /// this · (1 + tanh(√(2/π) (this + 0.044715 this³))) / 2, which [#gelu] differs from by less than
  /// 0.0005.
  public final Tensor geluTanh() {
    return apply(new Activate(Nonlinearity.GELU_TANH), this);
  }

  /// this / (1 + exp(-this)), also called swish.
  public final Tensor silu() {
    return apply(new Activate(Nonlinearity.SILU), this);
  }

  /// log(1 + exp(this)).
  public final Tensor softplus() {
    return apply(new Activate(Nonlinearity.SOFTPLUS), this);
  }

  /// The greatest of `pieces` parts of the last axis: `[..., pieces · units]` becomes `[...,
  /// units]` (Goodfellow et al. 2013). Equal pieces share the gradient.
  public final Tensor maxout(int pieces) {
    int rank = shape.rank();
    if (pieces < 1 || rank < 1 || shape.dim(-1) % pieces != 0) {
      throw new ShapeException(
          "[maxout] expected a last axis of %d equal parts, found %s"
              .formatted(pieces, TensorType.of(this)));
    }
    long[] dims = Arrays.copyOf(shape.toArray(), rank + 1);
    dims[rank - 1] = pieces;
    dims[rank] = shape.dim(-1) / pieces;
    return reshape(dims).max(rank - 1);
  }

  /// -1, 0 or 1; its gradient is 0.
  public final Tensor sign() {
    return unary(Unary.SIGN);
  }

  // ---- Reductions. Negative axes count from the last. ----

  /// The sum over `axes`, which disappear; over all axes if none is given.
  public final Tensor sum(int... axes) {
    return reduce(Reduction.SUM, axes);
  }

  /// The mean over `axes`, which disappear; over all axes if none is given.
  public final Tensor mean(int... axes) {
    return reduce(Reduction.MEAN, axes);
  }

  /// The greatest element over `axes`, which disappear; over all axes if none is given. Equal ones
  /// share the gradient.
  public final Tensor max(int... axes) {
    return reduce(Reduction.MAX, axes);
  }

  /// The index of the first greatest element along the last axis, which disappears; [DType#I32].
  public final Tensor argmax() {
    Tensor index = apply(new Argmax(), this);
    return index.reshape(Arrays.copyOf(shape.toArray(), shape.rank() - 1));
  }

  // ---- Movement. ----

  /// The same elements in the same order with other extents; one of them may be -1, to be found
  /// from the rest.
  public final Tensor reshape(long... dims) {
    return apply(new Reshape(Reshape.resolve(this, dims)), this);
  }

  /// The axes after the first made one: `[N, a, b, c]` becomes `[N, a·b·c]`.
  public final Tensor flatten() {
    if (shape.rank() < 1) {
      throw new ShapeException("[flatten] needs at least one axis, found a scalar");
    }
    return reshape(shape.dim(0), shape.dim(0) == 0 ? inner() : -1);
  }

  /// The axes in another order: axis i of the result is axis `axes[i]` of this.
  public final Tensor permute(int... axes) {
    return apply(new Permute(Arrays.stream(axes).boxed().toList()), this);
  }

  /// The two last axes exchanged.
  public final Tensor transpose() {
    int rank = shape.rank();
    if (rank < 2) {
      throw new ShapeException("[transpose] needs at least two axes, found " + TensorType.of(this));
    }
    int[] axes = IntStream.range(0, rank).toArray();
    axes[rank - 1] = rank - 2;
    axes[rank - 2] = rank - 1;
    return permute(axes);
  }

  /// Tensors one after the other along `axis`; negative axes count from the last. Their types and
  /// their other extents are equal: `[N,H,W,C]` and `[N,H,W,D]` become `[N,H,W,C + D]` along axis
  /// -1.
  ///
  /// @throws IllegalArgumentException if there are none
  /// @throws ShapeException if they do not fit, or there is no such axis
  public static Tensor concat(int axis, Tensor... parts) {
    if (parts.length == 0) {
      throw new IllegalArgumentException("[concat] expected 1 or more tensors, found 0");
    }
    Concat op = Concat.of(parts[0], axis, 0, 0);
    Tensor[] joined = parts;
    while (joined.length > Concat.MAX_INPUTS) { // groups first, which are few
      Tensor[] groups = new Tensor[Math.ceilDiv(joined.length, Concat.MAX_INPUTS)];
      for (int i = 0; i < groups.length; i++) {
        int begin = i * Concat.MAX_INPUTS;
        int end = Math.min(joined.length, begin + Concat.MAX_INPUTS);
        groups[i] = apply(op, Arrays.copyOfRange(joined, begin, end));
      }
      joined = groups;
    }
    return apply(op, joined);
  }

  /// The elements from `begin` up to `end`, not included, along `axis`; negative axes count from
  /// the last. The axis stays, with extent `end - begin`, which may be 0.
  ///
  /// @throws ShapeException if there is no such axis, or not 0 ≤ begin ≤ end ≤ its extent
  public final Tensor slice(int axis, long begin, long end) {
    return apply(Slice.of(this, axis, begin, end), this);
  }

  /// This with `before` zeros in front of it and `after` zeros behind it along `axis`; negative
  /// axes count from the last.
  ///
  /// @throws IllegalArgumentException if a number of zeros is negative
  /// @throws ShapeException if there is no such axis
  public final Tensor pad(int axis, long before, long after) {
    return apply(Concat.of(this, axis, before, after), this);
  }

  /// This repeated along axes of extent 1, and along new axes in front, to the given extents.
  public final Tensor expand(long... dims) {
    return apply(new Expand(Shape.of(dims)), this);
  }

  /// The elements converted to another type; to integers toward zero.
  public final Tensor as(DType other) {
    return other == dtype ? this : apply(new Convert(other), this);
  }

  // ---- Layers without state. ----

  /// The matrix product `[M,K] · [K,N]`.
  public final Tensor matmul(Tensor other) {
    return apply(new MatMul(false, false, false, Activation.NONE), this, other);
  }

  /// `this [N,I] · weightsᵀ [O,I] + bias [O]`.
  public final Tensor dense(Tensor weights, Tensor bias) {
    return matmulTransposed(weights).plus(bias);
  }

  /// `this [M,K] · otherᵀ [N,K]`.
  public final Tensor matmulTransposed(Tensor other) {
    return apply(new MatMul(false, true, false, Activation.NONE), this, other);
  }

  /// The cross-correlation of this `[N,H,W,C]` with `weights [K,R,S,C]`, to `[N,P,Q,K]` with `P =
  /// ⌊(H + 2 pad - R) / stride⌋ + 1`.
  public final Tensor conv2d(Tensor weights, int stride, int pad) {
    return conv2d(weights, stride, pad, ConvAlgorithm.AUTO);
  }

  /// The same, computed by `algorithm`.
  public final Tensor conv2d(Tensor weights, int stride, int pad, ConvAlgorithm algorithm) {
    return conv2d(weights, stride, pad, 1, 1, algorithm);
  }

  /// The same with the window's elements `dilation` apart, so that it covers `dilation (R - 1) + 1`
  /// rows, and with channels in `groups`: `weights [K,R,S,C/groups]`, output channels of one part
  /// see input channels of one part.
  ///
  /// @throws ShapeException if the channels do not divide, or `algorithm` has no form for it
  public final Tensor conv2d(
      Tensor weights, int stride, int pad, int dilation, int groups, ConvAlgorithm algorithm) {
    return apply(Conv2d.of(weights, stride, pad, dilation, groups, algorithm), this, weights);
  }

  /// The cross-correlation of this `[N,L,C]` with `weights [K,S,C/groups]` along the middle axis,
  /// to `[N,P,K]` with `P = ⌊(L + 2 pad - dilation (S - 1) - 1) / stride⌋ + 1`: [#conv2d] of
  /// pictures that are one row high.
  ///
  /// @throws ShapeException if the shapes do not fit
  public final Tensor conv1d(Tensor weights, int stride, int pad, int dilation, int groups) {
    Layers.expect("conv1d", weights, 3, "weights [K,S,C/groups]");
    long[] dims = weights.shape().toArray();
    Window window = row((int) dims[1], stride, pad).dilated(1, dilation).grouped(groups);
    Op op = new Conv2d(window, false, Activation.NONE, ConvAlgorithm.AUTO);
    return alongRow("conv1d", x -> apply(op, x, weights.reshape(dims[0], 1, dims[1], dims[2])));
  }

  /// The transposed convolution of this `[N,P,Q,K]` with `weights [K,R,S,C]`, to `[N,H,W,C]` with
  /// `H = (P - 1) stride - 2 pad + R + outputPad`: the linear map that takes gradients through
  /// [#conv2d(Tensor, int, int)]. `outputPad`, less than the stride, chooses among the heights that
  /// a convolution would bring to P.
  ///
  /// @throws ShapeException if the shapes do not fit
  public final Tensor conv2dTransposed(Tensor weights, int stride, int pad, int outputPad) {
    Window window = Conv2d.window(weights, stride, pad);
    if (shape.rank() != 4 || outputPad < 0 || outputPad >= stride) {
      throw new ShapeException(
          "[conv2d_transposed] expected x [N,P,Q,K] and an output padding of 0 to %d, found %s and %d"
              .formatted(stride - 1, shape, outputPad));
    }
    long height = (shape.dim(1) - 1) * stride - 2L * pad + window.height() + outputPad;
    long width = (shape.dim(2) - 1) * stride - 2L * pad + window.width() + outputPad;
    if (height < 1 || width < 1) {
      throw new ShapeException(
          "[conv2d_transposed] nothing is left of %s with padding %d".formatted(shape, pad));
    }
    Shape output = Shape.of(shape.dim(0), height, width, weights.shape().dim(3));
    return apply(new Conv2d.BackwardData(window, output, ConvAlgorithm.AUTO), this, weights);
  }

  /// The greatest element of each `size` x `size` window; padding never wins.
  public final Tensor maxPool(int size, int stride, int pad) {
    return apply(new MaxPool(Window.square(size, stride, pad)), this);
  }

  /// The greatest of each `size` neighbours along the middle axis of this `[N,L,C]`.
  public final Tensor maxPool1d(int size, int stride, int pad) {
    return alongRow("maxPool1d", x -> apply(new MaxPool(row(size, stride, pad)), x));
  }

  /// The mean of each `size` x `size` window; padding is not counted.
  public final Tensor averagePool(int size, int stride, int pad) {
    return averagePool(size, stride, pad, false);
  }

  /// The mean of each `size` x `size` window.
  ///
  /// @param countPadding whether padding counts as zeros, as it does by default in PyTorch; else
  ///   the mean is that of what lies inside
  public final Tensor averagePool(int size, int stride, int pad, boolean countPadding) {
    return apply(new AveragePool(Window.square(size, stride, pad), countPadding), this);
  }

  /// The mean of each `size` neighbours along the middle axis of this `[N,L,C]`.
  ///
  /// @param countPadding see [#averagePool(int, int, int, boolean)]
  public final Tensor averagePool1d(int size, int stride, int pad, boolean countPadding) {
    return alongRow(
        "averagePool1d", x -> apply(new AveragePool(row(size, stride, pad), countPadding), x));
  }

  /// `[N,H,W,C]` to `[N,C]`: the mean over each picture. `[N,L,C]` too.
  public final Tensor globalAveragePool() {
    if (shape.rank() == 3) {
      return alongRow("globalAveragePool", x -> x.globalAveragePool());
    }
    if (shape.rank() != 4) {
      throw new ShapeException(
          "[globalAveragePool] expected [N,H,W,C] or [N,L,C], found " + TensorType.of(this));
    }
    Window window = new Window((int) shape.dim(1), (int) shape.dim(2), 1, 1, 0, 0);
    return apply(new AveragePool(window), this).reshape(shape.dim(0), shape.dim(3));
  }

  /// `[N,H,W,C]` to `[N,C]`: the greatest of each picture, by channel. `[N,L,C]` too. Equal ones
  /// share the gradient.
  public final Tensor globalMaxPool() {
    int rank = shape.rank();
    if (rank != 3 && rank != 4) {
      throw new ShapeException(
          "[globalMaxPool] expected [N,H,W,C] or [N,L,C], found " + TensorType.of(this));
    }
    return max(IntStream.range(1, rank - 1).toArray());
  }

  /// `[N,H,W,C]` to `[N,height,width,C]`, whatever H and W: the mean of the rows from ⌊i H /
  /// height⌋ up to ⌈(i + 1) H / height⌉, not included, and of columns alike; regions overlap where
  /// the output does not divide the input. PyTorch's rule.
  ///
  /// @throws ShapeException if this has another rank, or an extent is less than 1
  public final Tensor adaptiveAveragePool(long height, long width) {
    return Regions.adaptive(this, height, width, Reduction.MEAN);
  }

  /// The greatest of each region of [#adaptiveAveragePool]. Equal ones share the gradient, unless
  /// the output divides the input: then the first has it, as in [#maxPool].
  ///
  /// @throws ShapeException if this has another rank, or an extent is less than 1
  public final Tensor adaptiveMaxPool(long height, long width) {
    return Regions.adaptive(this, height, width, Reduction.MAX);
  }

  /// Fractional max pooling (Graham 2014) of `[N,H,W,C]` to `[N,height,width,C]`: the greatest of
  /// `size` x `size` windows whose distances are the two whole numbers around a = (H - size) /
  /// (height - 1), in pseudorandom order: row window i begins at ⌊(i + u) a⌋ - ⌊u a⌋, the last at
  /// the end; columns alike. With windows of 2 it takes away less than a half. Equal elements share
  /// the gradient.
  ///
  /// The paper also has disjoint regions and wholly random ones; PyTorch has this rule, with
  /// samples for each channel, where the paper and this have one sequence for all channels of a
  /// picture.
  ///
  /// @param size of the windows
  /// @param samples u for rows and for columns of each picture, `[N,2]`, in [0, 1)
  /// @throws ShapeException if the shapes do not fit, or the windows do not
  public final Tensor fractionalMaxPool(int size, long height, long width, Tensor samples) {
    return Regions.fractional(this, size, height, width, samples);
  }

  /// Every `stride`-th row and column of `[N,H,W,C]`, with zeros added behind the last channel up
  /// to `channels`: the parameter-free residual shortcut (option A of He et al. 2015).
  public final Tensor subsamplePad(int stride, long channels) {
    return apply(new SubsamplePad(stride, channels), this);
  }

  /// Layer normalisation along the last axis (Ba, Kiros and Hinton 2016): `gamma · (this - mean) /
  /// √(variance + epsilon) + beta`, mean and variance (divided by C) of each row `[C]`.
  ///
  /// @param gamma `[C]`
  /// @param beta `[C]`
  /// @param epsilon added to the variance, inside the root
  public final Tensor layerNorm(Tensor gamma, Tensor beta, double epsilon) {
    return applyAll(new LayerNorm(epsilon, true, true, true), List.of(this, gamma, beta))
        .getFirst();
  }

  /// RMS normalisation along the last axis (Zhang and Sennrich 2019): `gamma · this / √(mean of
  /// squares + epsilon)`, of each row `[C]`.
  ///
  /// @param gamma `[C]`
  /// @param epsilon added to the mean of squares, inside the root
  public final Tensor rmsNorm(Tensor gamma, double epsilon) {
    return applyAll(new LayerNorm(epsilon, false, true, false), List.of(this, gamma)).getFirst();
  }

  /// Group normalisation (Wu and He 2018) of `[N, ..., C]`: the channels are divided into groups of
  /// `C / groups` neighbours, and each group of each picture is normalised by its mean and
  /// variance: `gamma · (this - mean) / √(variance + epsilon) + beta`.
  ///
  /// @param groups divides C
  /// @param gamma `[C]`
  /// @param beta `[C]`
  /// @param epsilon added to the variance, inside the root
  /// @throws ShapeException if the groups do not divide the channels, or a group has one value
  public final Tensor groupNorm(int groups, Tensor gamma, Tensor beta, double epsilon) {
    long channels = shape.rank() < 2 ? 0 : shape.dim(-1);
    if (groups < 1 || channels < 1 || channels % groups != 0) {
      throw new ShapeException(
          "[groupNorm] expected [N, ..., C] with %d groups of channels, found %s"
              .formatted(groups, TensorType.of(this)));
    }
    long pictures = shape.dim(0);
    long places = pictures == 0 ? 0 : shape.count() / pictures / channels;
    long each = channels / groups;
    if (pictures > 0 && places * each < 2) {
      throw new ShapeException(
          "[groupNorm] a group's variance needs at least 2 values, found %d in %s"
              .formatted(places * each, TensorType.of(this)));
    }
    return applyAll(new GroupNorm(groups, epsilon), List.of(this, gamma, beta)).getFirst();
  }

  /// Instance normalisation (Ulyanov et al. 2016) of `[N, ..., C]`: [#groupNorm] with a group for
  /// each channel.
  public final Tensor instanceNorm(Tensor gamma, Tensor beta, double epsilon) {
    return groupNorm(
        shape.rank() < 2 ? 1 : Math.toIntExact(Math.max(1, shape.dim(-1))), gamma, beta, epsilon);
  }

  /// exp(this) normalised to sum 1 along the last axis.
  public final Tensor softmax() {
    return apply(new Softmax(), this);
  }

  /// The logarithm of [#softmax], of which nothing underflows.
  public final Tensor logSoftmax() {
    return apply(new LogSoftmax(), this);
  }

  /// Labels `[...]` of [DType#I32] as distributions `[..., classes]` of [DType#F32]: 1 at the
  /// label, 0 elsewhere. A label that names no class gives zeros.
  public final Tensor oneHot(int classes) {
    return apply(new OneHot(classes, DType.F32), this);
  }

  /// The mean over rows of `-log softmax(this)[label]`, a scalar. This is logits `[..., C]`, the
  /// targets are labels `[...]` of [DType#I32], of which negative ones are ignored, or
  /// distributions `[..., C]`. See [CrossEntropy] for smoothed targets and weighted classes.
  public final Tensor softmaxCrossEntropy(Tensor targets) {
    return Loss.softmaxCrossEntropy().apply(this, targets);
  }

  // ---- Reading; symbolic tensors have no elements. ----

  /// The elements as `float`, in a new array. Waits until they are there.
  ///
  /// @throws UnsupportedOperationException if this tensor is symbolic
  public float[] toFloatArray() {
    throw symbolic();
  }

  /// The elements as `double`, in a new array.
  ///
  /// @throws UnsupportedOperationException if this tensor is symbolic
  public double[] toDoubleArray() {
    throw symbolic();
  }

  /// The elements as `int`, in a new array; of an integer tensor.
  ///
  /// @throws UnsupportedOperationException if this tensor is symbolic or real
  public int[] toIntArray() {
    throw symbolic();
  }

  /// The only element.
  ///
  /// @throws ShapeException if there is not exactly one
  /// @throws UnsupportedOperationException if this tensor is symbolic
  public final double item() {
    if (shape.count() != 1) {
      throw new ShapeException("[item] expected one element, found " + TensorType.of(this));
    }
    return toDoubleArray()[0];
  }

  /// The device this lives on.
  ///
  /// @throws UnsupportedOperationException if this tensor is symbolic
  public Device device() {
    throw symbolic();
  }

  /// Applies `op` to `inputs`: as a node if any of them is symbolic, else at once. The first
  /// output.
  @SuppressWarnings("exports")
  protected static Tensor apply(Op op, Tensor... inputs) {
    return applyAll(op, List.of(inputs)).getFirst();
  }

  /// Applies `op` to `inputs` and returns all outputs. For Gatun's own layers and gradient rules.
  @SuppressWarnings("exports")
  public static List<? extends Tensor> applyAll(Op op, List<? extends Tensor> inputs) {
    for (Tensor input : inputs) {
      if (input instanceof Value value) {
        return value.graph().apply(op, inputs);
      }
    }
    return ConcreteTensor.run(op, inputs);
  }

  /// This `[N,L,C]` as pictures one row high, through `function`, and without that row again.
  private Tensor alongRow(String name, UnaryOperator<Tensor> function) {
    if (shape.rank() != 3) {
      throw new ShapeException(
          "[%s] expected [N,L,C], found %s".formatted(name, TensorType.of(this)));
    }
    Tensor y = function.apply(reshape(shape.dim(0), 1, shape.dim(1), shape.dim(2)));
    long[] dims = y.shape().toArray();
    return dims.length == 4 ? y.reshape(dims[0], dims[2], dims[3]) : y;
  }

  private static Window row(int size, int stride, int pad) {
    return new Window(1, size, 1, stride, 0, pad);
  }

  private Tensor unary(Unary op) {
    return apply(new UnaryOp(op), this);
  }

  private Tensor reduce(Reduction op, int... axes) {
    Reduce reduce = Reduce.over(op, shape.rank(), axes);
    Tensor kept = apply(reduce, this);
    return kept.reshape(reduce.squeezed(shape).toArray());
  }

  private long inner() {
    long count = 1;
    for (int i = 1; i < shape.rank(); i++) {
      count *= shape.dim(i);
    }
    return count;
  }

  private UnsupportedOperationException symbolic() {
    return new UnsupportedOperationException(
        this + " is symbolic: it has no elements while a function is being traced");
  }
}
