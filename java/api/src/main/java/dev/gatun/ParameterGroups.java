package dev.gatun;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Which rule each parameter follows. Everything follows one optimizer, and then exceptions are
/// made, the later over the earlier:
///
/// ```java
/// ParameterGroups.of(adamW(1e-3))
///     .withoutDecay(vectors())             // no decay on norms and biases
///     .rate(0.1, under("stage1"))          // a tenth of the rate
///     .frozen(under("conv0"))
/// ```
///
/// Neighbours in memory that follow the same rule are one pass. Immutable: every method returns
/// another assignment.
public final class ParameterGroups {
  private final Optimizer optimizer;
  private final List<Amendment> amendments;

  private record Amendment(ParameterSelector selector, UnaryOperator<Group> change) {}

  private ParameterGroups(Optimizer optimizer, List<Amendment> amendments) {
    this.optimizer = optimizer;
    this.amendments = amendments;
  }

  /// What one parameter follows.
  ///
  /// @param optimizer the rule
  /// @param rate a factor on the scheduled rate of the rule
  /// @param frozen whether it stays as it is
  /// @param l1 the factor of Σ|w| in the loss
  /// @param l2 the factor of Σw² in the loss
  /// @param maxNorm the greatest norm of a unit's incoming weights
  record Group(
      Optimizer optimizer, double rate, boolean frozen, double l1, double l2, double maxNorm) {}

  /// All parameters follow `optimizer`. A [Schedule] changes its rate, and those of all groups by
  /// the same factor.
  public static ParameterGroups of(Optimizer optimizer) {
    return new ParameterGroups(optimizer, List.of());
  }

  /// These follow another optimizer, with its own rate.
  public ParameterGroups optimizer(Optimizer other, ParameterSelector selector) {
    return with(selector, g -> new Group(other, g.rate, g.frozen, g.l1, g.l2, g.maxNorm));
  }

  /// These have no weight decay; usual for [ParameterSelector#vectors].
  public ParameterGroups withoutDecay(ParameterSelector selector) {
    return with(
        selector,
        g -> new Group(g.optimizer.withoutWeightDecay(), g.rate, g.frozen, g.l1, g.l2, g.maxNorm));
  }

  /// These have their rate multiplied by `factor`.
  ///
  /// @throws IllegalArgumentException if the factor is not greater than 0
  public ParameterGroups rate(double factor, ParameterSelector selector) {
    require(factor > 0 && Double.isFinite(factor), "a factor greater than 0", factor);
    return with(selector, g -> new Group(g.optimizer, factor, g.frozen, g.l1, g.l2, g.maxNorm));
  }

  /// These stay as they are; their gradients are not computed. States of layers are no parameters:
  /// the running estimates of batch norm follow the new data all the same, and batches are
  /// normalised by their own statistics, unless the layer is [Norms.BatchNorm#freeze].
  public ParameterGroups frozen(ParameterSelector selector) {
    return with(selector, g -> new Group(g.optimizer, g.rate, true, g.l1, g.l2, g.maxNorm));
  }

  /// λ Σ|w| over these is added to what is made small: λ sign(w) to their gradient, before
  /// clipping. Together with [#l2] this is the elastic net. Reported losses are without penalties,
  /// so that training and test compare.
  public ParameterGroups l1(double lambda, ParameterSelector selector) {
    require(lambda >= 0 && Double.isFinite(lambda), "a penalty of at least 0", lambda);
    return with(selector, g -> new Group(g.optimizer, g.rate, g.frozen, lambda, g.l2, g.maxNorm));
  }

  /// λ Σw² over these is added to what is made small: 2 λ w to their gradient, before clipping. The
  /// literature calls this weight decay too, but an optimizer's weight decay w adds w, without the
  /// 2 and after clipping, and a decoupled one does not go through the gradient at all; the three
  /// differ under Adam.
  public ParameterGroups l2(double lambda, ParameterSelector selector) {
    require(lambda >= 0 && Double.isFinite(lambda), "a penalty of at least 0", lambda);
    return with(selector, g -> new Group(g.optimizer, g.rate, g.frozen, g.l1, lambda, g.maxNorm));
  }

  /// After each step, the incoming weights of a unit (a row of a matrix, a filter of a convolution)
  /// that are longer than this are scaled down to it (Srebro et al. 2005; Hinton et al. 2012).
  /// Vectors are left alone.
  public ParameterGroups maxNorm(double norm, ParameterSelector selector) {
    require(norm > 0 && Double.isFinite(norm), "a norm greater than 0", norm);
    return with(
        selector.and(ParameterSelector.matrices()),
        g -> new Group(g.optimizer, g.rate, g.frozen, g.l1, g.l2, norm));
  }

  /// The rate of the rule that all follow but for exceptions; what a schedule multiplies.
  public double learningRate() {
    return optimizer.learningRate();
  }

  /// The rule that all follow but for exceptions, and how many of these there are.
  @Override
  public String toString() {
    return amendments.isEmpty()
        ? optimizer.toString()
        : "%s, %d exceptions".formatted(optimizer, amendments.size());
  }

  /// Checks that the paths which exceptions are made for are there.
  ///
  /// @throws IllegalArgumentException if one is not
  void requireFound(Map<String, Shape> parameters) {
    for (Amendment amendment : amendments) {
      Selectors.requireFound("parameterGroups", amendment.selector, parameters);
    }
  }

  Group of(String name, Shape shape) {
    Group group = new Group(optimizer, 1, false, 0, 0, Double.POSITIVE_INFINITY);
    for (Amendment amendment : amendments) {
      if (amendment.selector.selects(name, shape)) {
        group = amendment.change.apply(group);
      }
    }
    return group;
  }

  private ParameterGroups with(ParameterSelector selector, UnaryOperator<Group> change) {
    List<Amendment> more = new ArrayList<>(amendments);
    more.add(new Amendment(selector, change));
    return new ParameterGroups(optimizer, List.copyOf(more));
  }

  private static void require(boolean holds, String expected, double found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "[parameterGroups] expected %s, found %s".formatted(expected, found));
    }
  }
}
