package dev.gatun;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.graph.Op;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import java.util.List;
import java.util.stream.IntStream;

/// The layers that normalise. Immutable descriptions; [Net] has a method for each.
public final class Norms {
  private Norms() {}

  /// What a sum of m squares is divided by.
  public enum Variance {
    /// m: the variance of the batch itself.
    BIASED,
    /// m - 1: an estimate of that of the distribution which the batch is drawn from.
    UNBIASED
  }

  /// Where a batch norm has its epsilon.
  public enum EpsilonPlace {
    /// √(variance + epsilon).
    IN_ROOT,
    /// √variance + epsilon. For small deviations this is another function: with a deviation of
    /// 0.001 and an epsilon of 1e-5 it gives values 3.3 times as large.
    BESIDE_ROOT
  }

  /// Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last: `y = weight · (x -
  /// mean) / √(variance + epsilon) + bias`. In training by the batch's mean and variance, which its
  /// m values per channel (2 at least) divided by m; in inference by running estimates: new = (1 -
  /// momentum) · old + momentum · batch, the variance divided by m - 1 there, as PyTorch does it.
  /// Parameters `weight` (ones) and `bias` (zeros), states `runningMean` (zeros) and
  /// `runningVariance` (ones), all `[C]`.
  ///
  /// Literature has other forms. Keras and Flax divide the running variance by m too
  /// ([#runningVariance]); lectures also normalise by the variance divided by m - 1
  /// ([#batchVariance]) or add epsilon to the deviation ([#epsilonPlace]), in training only; here
  /// inference has the same form as training.
  ///
  /// @param momentum the share of the new batch in the running estimates, in (0, 1]
  /// @param epsilon at least 0; 0 gives NaN where a channel is constant
  /// @param epsilonPlace where epsilon is added
  /// @param batchVariance what x is normalised by in training
  /// @param runningVariance what becomes of it for inference
  /// @param frozen whether training too uses the running estimates and leaves them as they are, as
  ///   for fine-tuning
  /// @param initialWeight what `weight` is at the start; 0 at the end of a residual branch makes
  ///   the block the identity at first (Goyal et al. 2017)
  public record BatchNorm(
      double momentum,
      double epsilon,
      EpsilonPlace epsilonPlace,
      Variance batchVariance,
      Variance runningVariance,
      boolean frozen,
      double initialWeight)
      implements Layer {
    /// Checks the ranges.
    public BatchNorm {
      if (!(momentum > 0 && momentum <= 1)) {
        throw new IllegalArgumentException(
            "[batchNorm] expected a momentum in (0, 1], found " + momentum);
      }
      if (!(epsilon >= 0 && Double.isFinite(epsilon))) {
        throw new IllegalArgumentException(
            "[batchNorm] expected an epsilon of at least 0, found " + epsilon);
      }
    }

    /// PyTorch's form.
    public BatchNorm(double momentum, double epsilon) {
      this(momentum, epsilon, EpsilonPlace.IN_ROOT, Variance.BIASED, Variance.UNBIASED, false, 1);
    }

    /// Momentum 0.1, epsilon 1e-5.
    public BatchNorm() {
      this(0.1, 1e-5);
    }

    /// The same with epsilon at another place.
    public BatchNorm epsilonPlace(EpsilonPlace place) {
      return new BatchNorm(
          momentum, epsilon, place, batchVariance, runningVariance, frozen, initialWeight);
    }

    /// The same normalising by another variance in training.
    public BatchNorm batchVariance(Variance variance) {
      return new BatchNorm(
          momentum, epsilon, epsilonPlace, variance, runningVariance, frozen, initialWeight);
    }

    /// The same with other running estimates.
    public BatchNorm runningVariance(Variance variance) {
      return new BatchNorm(
          momentum, epsilon, epsilonPlace, batchVariance, variance, frozen, initialWeight);
    }

    /// The same with its running estimates in training too, which stay as they are.
    public BatchNorm freeze() {
      return new BatchNorm(
          momentum, epsilon, epsilonPlace, batchVariance, runningVariance, true, initialWeight);
    }

    /// The same with `weight` starting at another number.
    public BatchNorm initialWeight(double weight) {
      return new BatchNorm(
          momentum, epsilon, epsilonPlace, batchVariance, runningVariance, frozen, weight);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      if (x.shape().rank() < 2) {
        throw new ShapeException("[batchNorm] expected [N, ..., C], found " + x.shape());
      }
      long channels = x.shape().dim(-1);
      Initializer start = Initializer.constant(initialWeight);
      Tensor gamma = context.parameter("weight", start, channels);
      Tensor beta = context.parameter("bias", Initializer.zeros(), channels);
      Tensor mean = context.state("runningMean", 0, channels);
      Tensor variance = context.state("runningVariance", 1, channels);
      boolean inRoot = epsilonPlace == EpsilonPlace.IN_ROOT;
      if (frozen || context.mode() != Mode.TRAINING) {
        return inRoot
            ? Tensor.applyAll(
                    new BatchNormInference(epsilon, false, Activation.NONE),
                    List.of(x, gamma, beta, mean, variance))
                .getFirst()
            : x.minus(mean).div(variance.sqrt().plus(epsilon)).times(gamma).plus(beta);
      }
      double count = (double) x.shape().count() / channels;
      return inRoot
          ? train(context, x, gamma, beta, mean, variance, count)
          : trainBesideRoot(context, x, gamma, beta, mean, variance, count);
    }

    private Tensor train(
        LayerContext context,
        Tensor x,
        Tensor gamma,
        Tensor beta,
        Tensor mean,
        Tensor variance,
        double count) {
      // The unbiased variance is a multiple of the other, which gamma and epsilon can take in.
      double ratio = batchVariance == Variance.UNBIASED ? (count - 1) / count : 1;
      Tensor scale = ratio == 1 ? gamma : gamma.times(Math.sqrt(ratio));
      Op op = new BatchNormTraining(momentum, epsilon * ratio, false, Activation.NONE);
      List<? extends Tensor> outputs = Tensor.applyAll(op, List.of(x, scale, beta, mean, variance));
      Tensor unbiased = outputs.get(4);
      context.update(mean, outputs.get(3));
      context.update(
          variance,
          runningVariance == Variance.UNBIASED
              ? unbiased
              : unbiased.times((count - 1) / count).plus(variance.times((1 - momentum) / count)));
      return outputs.getFirst();
    }

    private Tensor trainBesideRoot(
        LayerContext context,
        Tensor x,
        Tensor gamma,
        Tensor beta,
        Tensor mean,
        Tensor variance,
        double count) {
      if (count < 2) {
        throw new ShapeException(
            "[batchNorm] a batch's variance needs at least 2 values per channel, found %.0f in %s"
                .formatted(count, x.shape()));
      }
      int[] axes = IntStream.range(0, x.shape().rank() - 1).toArray();
      Tensor wide = x.dtype() == DType.BF16 ? x.as(DType.F32) : x;
      Tensor batchMean = wide.mean(axes);
      Tensor centred = wide.minus(batchMean);
      Tensor biased = centred.square().mean(axes);
      Tensor unbiased = biased.times(count / (count - 1));
      Tensor chosen = batchVariance == Variance.UNBIASED ? unbiased : biased;
      // The root of what is added last is 1e-15: it gives the root a slope where a channel is
      // constant.
      Tensor deviation = chosen.plus(1e-30).sqrt();
      context.update(mean, mean.times(1 - momentum).plus(batchMean.times(momentum)));
      Tensor kept = runningVariance == Variance.UNBIASED ? unbiased : biased;
      context.update(variance, variance.times(1 - momentum).plus(kept.times(momentum)));
      return centred.div(deviation.plus(epsilon)).times(gamma).plus(beta);
    }
  }

  /// Group normalisation (Wu and He 2018): see [Tensor#groupNorm]. Parameters `weight` (ones) and
  /// `bias` (zeros), both `[C]`. With one group it is layer normalisation over a whole picture,
  /// with as many groups as channels instance normalisation.
  ///
  /// @param groups parts that the channels are divided into
  /// @param epsilon added to the variance, inside the root
  public record GroupNorm(int groups, double epsilon) implements Layer {
    /// Checks the ranges.
    public GroupNorm {
      Layers.positive("groupNorm", "groups", groups);
      checkEpsilon("groupNorm", epsilon);
    }

    /// Epsilon 1e-5.
    public GroupNorm(int groups) {
      this(groups, 1e-5);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long channels = x.shape().dim(-1);
      return x.groupNorm(
          groups,
          context.parameter("weight", Initializer.ones(), channels),
          context.parameter("bias", Initializer.zeros(), channels),
          epsilon);
    }
  }

  /// Instance normalisation (Ulyanov et al. 2016): each channel of each picture by its own mean and
  /// variance. Parameters `weight` (ones) and `bias` (zeros), both `[C]`; PyTorch leaves them out
  /// unless they are asked for.
  ///
  /// @param epsilon added to the variance, inside the root
  public record InstanceNorm(double epsilon) implements Layer {
    /// Checks the range.
    public InstanceNorm {
      checkEpsilon("instanceNorm", epsilon);
    }

    /// Epsilon 1e-5.
    public InstanceNorm() {
      this(1e-5);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long channels = x.shape().dim(-1);
      return x.instanceNorm(
          context.parameter("weight", Initializer.ones(), channels),
          context.parameter("bias", Initializer.zeros(), channels),
          epsilon);
    }
  }

  /// Layer normalisation along the last axis: see [Tensor#layerNorm]. Parameters `weight` (ones)
  /// and `bias` (zeros), both `[C]`.
  ///
  /// @param epsilon added to the variance, inside the root
  public record LayerNorm(double epsilon) implements Layer {
    /// Checks the range.
    public LayerNorm {
      checkEpsilon("layerNorm", epsilon);
    }

    /// Epsilon 1e-5.
    public LayerNorm() {
      this(1e-5);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long channels = x.shape().dim(-1);
      return x.layerNorm(
          context.parameter("weight", Initializer.ones(), channels),
          context.parameter("bias", Initializer.zeros(), channels),
          epsilon);
    }
  }

  /// RMS normalisation along the last axis: see [Tensor#rmsNorm]. Parameter `weight` (ones) `[C]`.
  ///
  /// @param epsilon added to the mean of squares, inside the root
  public record RmsNorm(double epsilon) implements Layer {
    /// Checks the range.
    public RmsNorm {
      checkEpsilon("rmsNorm", epsilon);
    }

    /// Epsilon 1e-5.
    public RmsNorm() {
      this(1e-5);
    }

    @Override
    public Tensor apply(LayerContext context, Tensor x) {
      long channels = x.shape().dim(-1);
      return x.rmsNorm(context.parameter("weight", Initializer.ones(), channels), epsilon);
    }
  }

  private static void checkEpsilon(String layer, double epsilon) {
    if (!(epsilon > 0 && Double.isFinite(epsilon))) {
      throw new IllegalArgumentException(
          "[%s] expected an epsilon greater than 0, found %s".formatted(layer, epsilon));
    }
  }
}
