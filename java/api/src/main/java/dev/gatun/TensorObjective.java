package dev.gatun;

import java.util.List;
import java.util.function.UnaryOperator;

/// A function over tensors as an [Objective].
record TensorObjective(Device device, UnaryOperator<Tensor> function) implements Objective {
  @Override
  public double valueAndGradient(double[] point, double[] gradient) {
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(device, point, point.length);
      List<Tensor> results = Functions.valueAndGrad(in -> function.apply(in[0])).apply(x);
      System.arraycopy(results.get(1).toDoubleArray(), 0, gradient, 0, gradient.length);
      return results.getFirst().item();
    }
  }

  @Override
  public void hessianVector(double[] point, double[] vector, double[] product) {
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.of(device, point, point.length);
      Tensor v = Tensor.of(device, vector, vector.length);
      Tensor result = Functions.hvp(in -> function.apply(in[0])).apply(x, v).getFirst();
      System.arraycopy(result.toDoubleArray(), 0, product, 0, product.length);
    }
  }
}
