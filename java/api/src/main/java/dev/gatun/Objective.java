package dev.gatun;

/// A smooth function of many numbers, to be made small by a [Lbfgs]. The same point must always
/// give the same value: no minibatches, no dropout.
@FunctionalInterface
public interface Objective {
  /// The value at `point`; its gradient goes to `gradient`, which is as long.
  double valueAndGradient(double[] point, double[] gradient);
}
