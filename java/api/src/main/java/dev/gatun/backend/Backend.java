package dev.gatun.backend;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.Direction;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The instruction set, one typed method per instruction, and the memory it works on. `gatun.h`
/// states the same instructions with their full contracts: shapes, formulas, ties, aliasing; this
/// page repeats only the shapes.
///
/// Instructions run at once. Inside [#record] they are checked and kept instead. Outputs come
/// first, then inputs, then attributes. `real` means F32 or F64, the same for all real operands of
/// one instruction; many work on BF16 too. A wrong shape, dtype or attribute is an
/// [IllegalArgumentException], a closed operand an [IllegalStateException].
///
/// Thread-safe: instructions may be issued from any thread.
public interface Backend extends AutoCloseable {
  /// `reference`, `cpu`, ...
  String name();

  /// One line for people, such as `cpu, 2 threads, AVX3_ZEN4`.
  String description();

  /// How many threads work on an instruction.
  int threads();

  /// New zeroed memory.
  ///
  /// @throws dev.gatun.OutOfDeviceMemoryException if the device cannot provide it
  Memory allocate(long bytes, Memory.Kind kind);

  /// New zeroed memory for `holder`, such as `gradients`, whom the message names when memory runs
  /// out.
  ///
  /// @throws dev.gatun.OutOfDeviceMemoryException if the device cannot provide it
  default Memory allocate(long bytes, Memory.Kind kind, String holder) {
    return allocate(bytes, kind);
  }

  /// Records the instructions that `instructions` issues on the backend it is given (and on no
  /// other) as a program.
  default Program record(Consumer<Backend> instructions) {
    return record(null, instructions);
  }

  /// The same for a program that also runs on frames: [Program#start].
  ///
  /// @param frames null for none
  /// @throws IllegalArgumentException if the two memories do not fit each other, or an operand lies
  ///   in the frames
  Program record(@Nullable Frames frames, Consumer<Backend> instructions);

  /// Whether staging memory is copied to the device, so that one batch can be on its way while the
  /// device works on another.
  default boolean copiesStaging() {
    return false;
  }

  /// Inside [#record]: this tensor changes seldom, and no instruction of the program writes it; the
  /// program may keep what it derives from it until [Program#refresh].
  default void hold(View tensor) {}

  /// How instructions issued, or in [#record] recorded, from here on compute products of F32:
  /// matrix products, convolutions, weight gradients of recurrent layers. [Products#F32] until it
  /// is called and in each new recording. Backends without units for another type compute F32.
  default void multiplyIn(Products products) {}

  /// The memory held now.
  MemoryUse memoryUse();

  /// Gives the device back; a second call does nothing. Memory and programs made here stay valid
  /// until they are closed.
  @Override
  void close();

  /// What a device holds.
  ///
  /// @param bytes held now
  /// @param peakBytes the most held at any time
  /// @param allocations how many allocations were made since the device was opened
  record MemoryUse(long bytes, long peakBytes, long allocations) {}

  /// Several batches for one program.
  ///
  /// @param current where operands lie, [Memory.Kind#DEVICE]
  /// @param all so many times as large, [Memory.Kind#STAGING]: what a run finds in `current` and
  ///   leaves there, once for each frame
  record Frames(Memory current, Memory all) {
    /// How many there are.
    public int count() {
      return Math.toIntExact(all.bytes() / current.bytes());
    }
  }

  /// In which type factors of F32 are multiplied; their products are summed in F32.
  enum Products {
    /// As they are.
    F32,
    /// Rounded to 11 significant bits.
    TF32
  }

  /// The elementwise functions of one operand.
  enum Unary {
    NEGATE,
    ABS,
    SQUARE,
    SQRT,
    EXP,
    LOG,
    RELU,
    SIGMOID,
    TANH,
    SIGN
  }

  /// The elementwise functions of two operands; GATE is `b > 0 ? a : 0`.
  enum Binary {
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    MAXIMUM,
    MINIMUM,
    GATE
  }

  /// The activations that have an instruction of their own, both ways.
  enum Nonlinearity {
    /// x > 0 ? x : slope · x.
    LEAKY_RELU,
    /// x > 0 ? x : alpha · (exp(x) - 1).
    ELU,
    /// x Φ(x), Φ the normal distribution.
    GELU,
    /// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    GELU_TANH,
    /// x / (1 + exp(-x)).
    SILU,
    /// log(1 + exp(x)).
    SOFTPLUS
  }

  /// The reductions.
  enum Reduction {
    SUM,
    MEAN,
    MAX
  }

  /// The activation that an instruction applies to its result.
  enum Activation {
    NONE,
    RELU
  }

  // Movement.

  /// y = value, any dtype.
  void fill(View y, double value);

  /// y = x in row-major order, converted to y's dtype; equal counts.
  void copy(View y, View x);

  /// `y.dim(i) = x.dim(axes[i])`.
  void permute(View y, View x, int[] axes);

  /// y = the elements of x from `begin` on along `axis`, as many as y has.
  void slice(View y, View x, int axis, long begin);

  /// y = the inputs one after the other along `axis` from `begin` on, zeros before and behind them.
  void concat(View y, List<View> inputs, int axis, long begin);

  /// The option A shortcut: x [N,H,W,C] to y [N,⌈H/s⌉,⌈W/s⌉,K], zeros in the new channels.
  void subsamplePad(View y, View x, int stride);

  /// The transpose of [#subsamplePad].
  void subsamplePadBackward(View dx, View dy, int stride);

  // Elementwise and reductions.

  /// y = op(x).
  void unary(View y, View x, Unary op);

  /// y = op(a, b), both broadcast to y's shape.
  void binary(View y, View a, View b, Binary op);

  /// y = f(x). The parameter is the slope, or alpha; functions without one ignore it.
  void activate(View y, View x, Nonlinearity function, double parameter);

  /// dx = dy f'(x).
  void activateBackward(View dx, View dy, View x, Nonlinearity function, double parameter);

  /// y = scale x + shift.
  void affine(View y, View x, double scale, double shift);

  /// The most inputs of [#elementwise].
  int MAX_STEP_INPUTS = 8;

  /// The most steps of [#elementwise].
  int MAX_STEPS = 16;

  /// y = the last step's value; inputs are broadcast to y's shape. The same bits as the steps'
  /// instructions would give one after the other.
  void elementwise(View y, List<View> inputs, List<Step> steps);

  /// A step of [#elementwise]. Operands are numbers of values: the inputs first, then the result of
  /// each step.
  sealed interface Step {
    /// The operands' numbers.
    List<Integer> operands();
  }

  /// [#unary].
  ///
  /// @param op which
  /// @param a the operand's number
  record UnaryStep(Unary op, int a) implements Step {
    @Override
    public List<Integer> operands() {
      return List.of(a);
    }

    @Override
    public String toString() {
      return "%s(%d)".formatted(op, a);
    }
  }

  /// [#binary].
  ///
  /// @param op which
  /// @param a the left operand's number
  /// @param b the right operand's number
  record BinaryStep(Binary op, int a, int b) implements Step {
    @Override
    public List<Integer> operands() {
      return List.of(a, b);
    }

    @Override
    public String toString() {
      return "%s(%d,%d)".formatted(op, a, b);
    }
  }

  /// [#affine].
  ///
  /// @param a the operand's number
  /// @param scale the factor
  /// @param shift the summand
  record AffineStep(int a, double scale, double shift) implements Step {
    @Override
    public List<Integer> operands() {
      return List.of(a);
    }

    @Override
    public String toString() {
      return "%s*(%d)+%s".formatted(scale, a, shift);
    }
  }

  /// Reduces the axes whose bits are set; they keep extent 1 in y.
  void reduce(View y, View x, Reduction op, int axes);

  /// y [...,1] (I32) = index of the first greatest element along the last axis.
  void argmax(View y, View x);

  // Matrix product and convolution.

  /// y [M,N] = activation(op(a) op(b) + bias [N]).
  void matmul(
      View y,
      View a,
      View b,
      @Nullable View bias,
      boolean transposeA,
      boolean transposeB,
      Activation activation);

  /// y [N,P,Q,K] = activation(x [N,H,W,C] * w [K,R,S,C/groups] + bias [K] + residual [N,P,Q,K]);
  /// the window's size is that of w. Moments [2,K] are the mean and the variance of y per channel.
  void conv2d(
      View y,
      @Nullable View moments,
      View x,
      View w,
      @Nullable View bias,
      @Nullable View residual,
      Window window,
      Activation activation,
      ConvAlgorithm algorithm);

  /// dx [N,H,W,C] from dy [N,P,Q,K] and w [K,R,S,C/groups], plus an addend, where gate > 0. Sums
  /// [2,C] are those of dx and of dx (normX - normMean); the three come together.
  void conv2dBackwardData(
      View dx,
      @Nullable View sums,
      View dy,
      View w,
      @Nullable View addend,
      @Nullable View gate,
      @Nullable View normX,
      @Nullable View normMean,
      Window window,
      ConvAlgorithm algorithm);

  /// dw [K,R,S,C/groups] from x [N,H,W,C] and dy [N,P,Q,K].
  void conv2dBackwardWeights(View dw, View x, View dy, Window window, ConvAlgorithm algorithm);

  // Normalisation; x, y, residual [...,C], the rest [C].

  /// Normalises by the batch's statistics, which it returns, and moves the running estimates.
  /// Moments [2,C] are the mean and the variance of x, if they are known.
  void batchNormTraining(
      View y,
      View mean,
      View invStd,
      View newRunningMean,
      View newRunningVariance,
      View x,
      View gamma,
      View beta,
      @Nullable View residual,
      @Nullable View moments,
      View runningMean,
      View runningVariance,
      double momentum,
      double epsilon,
      Activation activation);

  /// The gradient of [#batchNormTraining]; y is needed with an activation, dresidual is optional.
  /// Sums [2,C] are those of [#conv2dBackwardData], if they are known.
  void batchNormBackward(
      View dx,
      View dgamma,
      View dbeta,
      @Nullable View dresidual,
      View dy,
      View x,
      @Nullable View y,
      View mean,
      View invStd,
      View gamma,
      @Nullable View sums,
      Activation activation);

  /// Normalises by the running estimates.
  void batchNormInference(
      View y,
      View x,
      View gamma,
      View beta,
      @Nullable View residual,
      View runningMean,
      View runningVariance,
      double epsilon,
      Activation activation);

  /// Normalises each row along the last axis. mean and invStd are [...,1]; without a mean it is RMS
  /// normalisation. gamma and beta [C] are optional.
  void layerNorm(
      View y,
      @Nullable View mean,
      View invStd,
      View x,
      @Nullable View gamma,
      @Nullable View beta,
      double epsilon);

  /// The gradient of [#layerNorm].
  void layerNormBackward(
      View dx,
      @Nullable View dgamma,
      @Nullable View dbeta,
      View dy,
      View x,
      @Nullable View mean,
      View invStd,
      @Nullable View gamma);

  /// Normalises each group of neighbouring channels of each picture x [N,...,C]. mean and invStd
  /// are [N,groups].
  void groupNorm(
      View y, View mean, View invStd, View x, View gamma, View beta, int groups, double epsilon);

  /// The gradient of [#groupNorm].
  void groupNormBackward(
      View dx,
      View dgamma,
      View dbeta,
      View dy,
      View x,
      View mean,
      View invStd,
      View gamma,
      int groups);

  // Rows of tables.

  /// y [N,W] = the rows of table [V,W] that indices (I32) [N] name; zeros for a negative index, NaN
  /// for one of V or more.
  void gatherRows(View y, View table, View indices);

  /// dtable [V,W] = the sums of the rows of dy [N,W] that name each row.
  void scatterAddRows(View dtable, View dy, View indices);

  /// y [N,height,width,C] = pictures (U8) [V,P,Q,C] that indices (I32) [N] name, changed at random
  /// as seed, epoch (I64 scalar) and index say; zeros for an index outside. values (F32) [C,256] is
  /// what each byte of a channel becomes.
  void gatherPictures(
      View y,
      View pictures,
      View indices,
      View values,
      View epoch,
      PictureChange change,
      long seed);

  // Recurrent layers: T steps, B sequences, H units; D directions, G gates and S saved values of
  // the cell.

  /// A recurrent layer along whole sequences. y [T,B,D·H], last and lastCell [D,B,H], saved
  /// [T,B,D·S·H]; x [T,B,D·G·H], skip [T,B,H], weights [D·G·H,H], bias [D·H], gain [D·G·H], first,
  /// firstCell and keep [D,B,H], mask [T,B]. With a gain the states' products are normalised, and S
  /// is G more.
  void recurrent(
      View y,
      View last,
      @Nullable View lastCell,
      @Nullable View saved,
      View x,
      @Nullable View skip,
      View weights,
      @Nullable View bias,
      @Nullable View gain,
      @Nullable View first,
      @Nullable View firstCell,
      @Nullable View mask,
      @Nullable View keep,
      Cell cell,
      Direction direction,
      double epsilon);

  /// The gradient of [#recurrent].
  void recurrentBackward(
      View dx,
      @Nullable View dskip,
      View dweights,
      @Nullable View dbias,
      @Nullable View dgain,
      @Nullable View dfirst,
      @Nullable View dfirstCell,
      @Nullable View dy,
      @Nullable View dlast,
      @Nullable View dlastCell,
      View y,
      @Nullable View saved,
      @Nullable View skip,
      View weights,
      @Nullable View gain,
      @Nullable View first,
      @Nullable View firstCell,
      @Nullable View mask,
      @Nullable View keep,
      Cell cell,
      Direction direction,
      double epsilon);

  // Pooling; x [N,H,W,C], y [N,P,Q,C].

  /// The greatest element of each window, and its place in the window (U8).
  void maxPool(View y, View taps, View x, Window window);

  /// The gradient of [#maxPool].
  void maxPoolBackward(View dx, View dy, View taps, Window window);

  /// The mean of each window's elements inside x, or of all with zeros in the padding.
  void averagePool(View y, View x, Window window, boolean countPadding);

  /// The gradient of [#averagePool].
  void averagePoolBackward(View dx, View dy, Window window, boolean countPadding);

  // Regularisation and loss.

  /// Inverted dropout; its own gradient with dy for x. `step` (I64 scalar) is read when the
  /// instruction runs.
  void dropout(View y, View x, @Nullable View step, double dropProbability, long seed, int layer);

  /// Along the last axis.
  void softmax(View y, View x);

  /// The logarithm of [#softmax].
  void logSoftmax(View y, View x);

  /// y [...,C] = 1 at the label, 0 elsewhere; labels [...] (I32), one outside of 0..C-1 gives
  /// zeros.
  void oneHot(View y, View labels);

  /// Mean loss (scalar) and number of right answers (I32 scalar) of logits [N,C] against targets:
  /// labels [N] (I32, negative: ignored) or distributions [N,C] (ignored if the first element of a
  /// row is negative). Class weights [C] are optional.
  void softmaxCrossEntropy(
      View loss,
      View correct,
      View logits,
      View targets,
      @Nullable View classWeights,
      double labelSmoothing);

  /// The gradient of the loss, times the scalar dloss.
  void softmaxCrossEntropyBackward(
      View dlogits,
      View logits,
      View targets,
      @Nullable View classWeights,
      View dloss,
      double labelSmoothing);

  /// Both of the former in one pass over the logits.
  void softmaxCrossEntropyTraining(
      View loss,
      View correct,
      View dlogits,
      View logits,
      View targets,
      @Nullable View classWeights,
      View dloss,
      double labelSmoothing);

  // The optimizer on slabs.

  /// norm (scalar) = sqrt(sum x²).
  void norm(View norm, View x);

  /// y = x min(1, maxNorm / norm).
  void clipByNorm(View y, View x, View norm, double maxNorm);

  /// One step of SGD; both velocities are absent without momentum. `learningRate` (scalar) is read
  /// when it runs.
  void sgdStep(
      View newParameter,
      @Nullable View newVelocity,
      View parameter,
      @Nullable View velocity,
      View gradient,
      View learningRate,
      Sgd attributes);

  /// The attributes of [#sgdStep].
  ///
  /// @param momentum the factor on the velocity, 0 for none
  /// @param dampening what momentum leaves out of the new gradient
  /// @param weightDecay the factor on the parameter that is added to the gradient
  /// @param nesterov whether to look ahead along the velocity
  /// @param rateInVelocity whether the velocity is made of steps, not of gradients
  record Sgd(
      double momentum,
      double dampening,
      double weightDecay,
      boolean nesterov,
      boolean rateInVelocity) {
    /// Velocities made of gradients.
    public Sgd(double momentum, double dampening, double weightDecay, boolean nesterov) {
      this(momentum, dampening, weightDecay, nesterov, false);
    }
  }

  /// One step of Adam. `learningRate` (scalar) and `step` (I64 scalar, the steps done before) are
  /// read when it runs.
  void adamStep(
      View newParameter,
      View newM,
      View newV,
      View parameter,
      View m,
      View v,
      View gradient,
      View learningRate,
      View step,
      Adam attributes);

  /// The attributes of [#adamStep].
  ///
  /// @param beta1 how much of the mean of gradients stays, in [0, 1)
  /// @param beta2 how much of the mean of their squares stays, in [0, 1)
  /// @param epsilon added to the root, greater than 0
  /// @param weightDecay the factor on the parameter
  /// @param decoupled whether the decay acts on the parameter itself, not through the gradient
  record Adam(double beta1, double beta2, double epsilon, double weightDecay, boolean decoupled) {}

  /// The rules of [#adaptiveStep].
  enum AdaptiveRule {
    /// Adam with the greatest mean square so far.
    AMSGRAD,
    /// Adam with Nesterov's look-ahead.
    NADAM,
    /// The root of the sum of squares.
    ADAGRAD,
    /// The root of the mean of squares.
    RMSPROP,
    /// The sign of a mean.
    LION
  }

  /// One step of an adaptive rule. `learningRate` (scalar) and `step` (I64 scalar, the steps done
  /// before) are read when it runs. States that the rule does not keep are null.
  void adaptiveStep(
      View newParameter,
      @Nullable View newM,
      @Nullable View newV,
      @Nullable View newGreatest,
      View parameter,
      @Nullable View m,
      @Nullable View v,
      @Nullable View greatest,
      View gradient,
      View learningRate,
      View step,
      Adaptive attributes);

  /// The attributes of [#adaptiveStep].
  ///
  /// @param rule what is done
  /// @param beta1 in [0, 1)
  /// @param beta2 in [0, 1)
  /// @param epsilon added to the root, greater than 0
  /// @param weightDecay the factor on the parameter
  /// @param decoupled whether the decay acts on the parameter itself, not through the gradient
  record Adaptive(
      AdaptiveRule rule,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay,
      boolean decoupled) {
    /// Whether a mean of gradients, or a velocity, is kept.
    public boolean hasM() {
      return rule != AdaptiveRule.ADAGRAD && !(rule == AdaptiveRule.RMSPROP && beta1 == 0);
    }

    /// Whether squares are kept.
    public boolean hasV() {
      return rule != AdaptiveRule.LION;
    }

    /// Whether the greatest mean of squares is kept.
    public boolean hasGreatest() {
      return rule == AdaptiveRule.AMSGRAD;
    }
  }

  /// y = a + weight (b - a); weight is a scalar.
  void lerp(View y, View a, View b, View weight);

  /// The rows of `x [R,C]` scaled down to a norm of ratio · max(‖reference row‖, floor), or `ratio`
  /// without a reference.
  void clipRows(View y, View x, @Nullable View reference, double ratio, double floor);
}
