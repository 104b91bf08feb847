package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.backend.View;

/// Activations and their derivatives.
final class Activations {
  /// Beyond it every activation is its asymptote; products with what vanishes there stay finite.
  private static final double FAR = 800;

  private Activations() {}

  static Instruction forward(View yView, View xView, Nonlinearity function, double parameter) {
    Operands operands = new Operands("activate");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    operands.requireShapeOf(x, y);
    requireFinite(operands, parameter);
    operands.allowInPlace(y, x);
    return operands.instruction(
        () -> {
          for (int i = 0; i < y.count(); i++) {
            y.reals().set(i, value(function, x.reals().get(i), parameter));
          }
        });
  }

  static Instruction backward(
      View dxView, View dyView, View xView, Nonlinearity function, double parameter) {
    Operands operands = new Operands("activate_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dy = operands.input("dy", dyView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(dx, dy, x);
    operands.requireShapeOf(x, dx, dy);
    requireFinite(operands, parameter);
    operands.allowInPlace(dx, dy);
    operands.allowInPlace(dx, x);
    return operands.instruction(
        () -> {
          for (int i = 0; i < dx.count(); i++) {
            double slope = slope(function, x.reals().get(i), parameter);
            dx.reals().set(i, dy.reals().get(i) * slope);
          }
        });
  }

  private static void requireFinite(Operands operands, double parameter) {
    operands.require(
        Double.isFinite(parameter),
        () -> "parameter must be finite, but is %s".formatted(parameter));
  }

  private static double value(Nonlinearity function, double x, double parameter) {
    double low = Math.max(x, -FAR);
    return switch (function) {
      case LEAKY_RELU -> x > 0 ? x : parameter * x;
      case ELU -> x > 0 ? x : parameter * Math.expm1(x);
      case GELU -> low * Gaussian.below(x);
      case GELU_TANH -> low * sigmoid(twiceU(x));
      case SILU -> low * sigmoid(x);
      case SOFTPLUS -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    };
  }

  private static double slope(Nonlinearity function, double x, double parameter) {
    double near = Math.clamp(x, -FAR, FAR);
    return switch (function) {
      case LEAKY_RELU -> x > 0 ? 1 : Double.isNaN(x) ? x : parameter;
      case ELU -> x > 0 ? 1 : parameter * Math.exp(x);
      case GELU -> Gaussian.below(near) + near * Gaussian.density(near);
      case GELU_TANH -> {
        double s = sigmoid(twiceU(near));
        yield s + near * s * (1 - s) * 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * CUBIC * near * near);
      }
      case SILU -> sigmoid(near) * (1 + near * (1 - sigmoid(near)));
      case SOFTPLUS -> sigmoid(x);
    };
  }

  private static final double CUBIC = 0.044715;

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /// (1 + tanh(u)) / 2 is sigmoid(2 u).
  private static double twiceU(double x) {
    return 2 * Math.sqrt(2 / Math.PI) * (x + CUBIC * x * x * x);
  }
}
