package dev.gatun;

import java.util.function.UnaryOperator;

/// A smooth function of many numbers, to be made small by [Lbfgs] or [Newton], or looked at by
/// [Hessian]. The same point must always give the same value: no minibatches, no dropout.
@FunctionalInterface
public interface Objective {
  /// The value at `point`; its gradient goes to `gradient`, which is as long.
  double valueAndGradient(double[] point, double[] gradient);

  /// The product of the Hessian at `point` with `vector`, which goes to `product`.
  ///
  /// By default a central difference of gradients, (∇f(x + h v) - ∇f(x - h v)) / 2h with h = 6e-6
  /// (1 + |x|) / |v|: right to about ten digits where gradients are right to sixteen.
  default void hessianVector(double[] point, double[] vector, double[] product) {
    Hessian.difference(this, Math.cbrt(0x1p-52), point, vector, product);
  }

  /// An objective that `function` gives: a scalar of one [DType#F64] vector on `device`, whose
  /// gradients and products with the Hessian are exact ([Functions#hvp]).
  ///
  /// ```java
  /// Objective norm = Objective.of(device, x -> x.square().sum());
  /// ```
  static Objective of(Device device, UnaryOperator<Tensor> function) {
    return new TensorObjective(device, function);
  }
}
