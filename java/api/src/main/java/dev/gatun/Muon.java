package dev.gatun;

import dev.gatun.graph.op.Norm;
import java.util.List;

/// Muon (Jordan et al. 2024): momentum whose step is made orthogonal, for each matrix W `[R,C]`
/// (convolution weights as `[out, rest]`).
///
///     v = momentum · v + G;   U = G + momentum · v
///     X = U / ‖U‖;   5 times: X = 3.4445 X - 4.775 (X Xᵀ) X + 2.0315 (X Xᵀ)² X
///     W = (1 - learningRate · weightDecay) · W - learningRate · scale · X
///
/// The iteration (Newton-Schulz, quintic) brings the singular values near 1. Vectors need another
/// rule, and embeddings and the last layer are usually given one too:
///
/// ```java
/// ParameterGroups.of(muon(0.02)).optimizer(adamW(3e-4), vectors())
/// ```
///
/// @param learningRate greater than 0
/// @param momentum Nesterov's, in [0, 1), 0.95 by default
/// @param weightDecay decoupled, not negative, 0.1 by default
/// @param iterations of Newton-Schulz, at least 1, 5 by default
/// @param scale of the orthogonal step
public record Muon(
    double learningRate, double momentum, double weightDecay, int iterations, Scale scale)
    implements Optimizer {
  private static final double A = 3.4445;
  private static final double B = -4.775;
  private static final double C = 2.0315;
  private static final double EPSILON = 1e-7;

  /// How long an orthogonal step is.
  public enum Scale {
    /// √max(1, R / C): equal change of outputs (Jordan et al. 2024, PyTorch's default).
    SPECTRAL,
    /// 0.2 √max(R, C): the root mean square of Adam's steps, so that Adam's rates fit (Liu et al.
    /// 2025).
    LIKE_ADAM
  }

  /// Checks the ranges.
  public Muon {
    Hyperparameters.learningRate("muon", learningRate);
    Hyperparameters.share("muon", "a momentum", momentum);
    Hyperparameters.weightDecay("muon", weightDecay);
    Hyperparameters.require("muon", iterations >= 1, "at least 1 iteration", iterations);
  }

  /// The same with another momentum.
  public Muon momentum(double newMomentum) {
    return new Muon(learningRate, newMomentum, weightDecay, iterations, scale);
  }

  /// The same with another weight decay.
  public Muon weightDecay(double newWeightDecay) {
    return new Muon(learningRate, momentum, newWeightDecay, iterations, scale);
  }

  /// The same with steps of another length.
  public Muon scale(Scale newScale) {
    return new Muon(learningRate, momentum, weightDecay, iterations, newScale);
  }

  @Override
  public Muon withoutWeightDecay() {
    return weightDecay(0);
  }

  @Override
  public Granularity granularity() {
    return Granularity.PARAMETER;
  }

  /// The velocity.
  @Override
  public int stateSlots() {
    return 1;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    if (parameter.shape().rank() < 2) {
      throw new ShapeException(
          "[muon] expected a matrix, found "
              + parameter.shape()
              + "; give vectors another rule: ParameterGroups.of(muon).optimizer(adamW,"
              + " vectors())");
    }
    Tensor velocity = states.getFirst().times(momentum).plus(gradient);
    Tensor direction = orthogonal(gradient.plus(velocity.times(momentum)).flatten());
    double rows = direction.shape().dim(0);
    double columns = direction.shape().dim(1);
    double length =
        switch (scale) {
          case SPECTRAL -> Math.sqrt(Math.max(1, rows / columns));
          case LIKE_ADAM -> 0.2 * Math.sqrt(Math.max(rows, columns));
        };
    Tensor moved = direction.times(rate.times(length)).reshape(parameter.shape().toArray());
    Tensor kept = weightDecay == 0 ? parameter : parameter.times(rate.times(-weightDecay).plus(1));
    return List.of(kept.minus(moved), velocity);
  }

  /// U Vᵀ of the singular value decomposition of `matrix`, nearly.
  private Tensor orthogonal(Tensor matrix) {
    boolean tall = matrix.shape().dim(0) > matrix.shape().dim(1);
    Tensor x = tall ? matrix.transpose() : matrix;
    x = x.div(Tensor.apply(new Norm(), x).plus(EPSILON));
    for (int i = 0; i < iterations; i++) {
      Tensor gram = x.matmulTransposed(x);
      Tensor polynomial = gram.times(B).plus(gram.matmul(gram).times(C));
      x = x.times(A).plus(polynomial.matmul(x));
    }
    return tall ? x.transpose() : x;
  }
}
