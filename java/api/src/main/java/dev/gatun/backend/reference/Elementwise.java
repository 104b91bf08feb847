package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;

/// Functions of one and two operands, element by element.
final class Elementwise {
  private Elementwise() {}

  static Instruction unary(View yView, View xView, Unary op) {
    Operands operands = new Operands("unary");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    operands.requireShapeOf(x, y);
    operands.allowInPlace(y, x);
    return operands.instruction(() -> unary(y.reals(), x.reals(), op, y.count()));
  }

  private static void unary(Reals y, Reals x, Unary op, int count) {
    for (int i = 0; i < count; i++) {
      y.set(i, apply(op, x.get(i)));
    }
  }

  static double apply(Unary op, double x) {
    return switch (op) {
      case NEGATE -> -x;
      case ABS -> Math.abs(x);
      case SQUARE -> x * x;
      case SQRT -> Math.sqrt(x);
      case EXP -> Math.exp(x);
      case LOG -> Math.log(x);
      case RELU -> relu(x);
      case SIGMOID -> 1 / (1 + Math.exp(-x));
      case TANH -> Math.tanh(x);
      case SIGN -> Math.signum(x);
    };
  }

  /// max(x, 0); NaN stays NaN.
  private static double relu(double x) {
    return Math.max(x, 0.0);
  }

  static double activate(Activation activation, double x) {
    return switch (activation) {
      case NONE -> x;
      case RELU -> relu(x);
    };
  }

  static Instruction binary(View yView, View aView, View bView, Binary op) {
    Operands operands = new Operands("binary");
    Operand y = operands.output("y", yView);
    Operand a = operands.input("a", aView);
    Operand b = operands.input("b", bView);
    operands.requireFloating(y, a, b);
    Strided aWalk = broadcast(operands, a, y);
    Strided bWalk = broadcast(operands, b, y);
    if (a.count() == y.count()) {
      operands.allowInPlace(y, a);
    }
    if (b.count() == y.count()) {
      operands.allowInPlace(y, b);
    }
    boolean equalShapes = a.shape().equals(y.shape()) && b.shape().equals(y.shape());
    Strided one = Strided.row(y.count());
    return operands.instruction(
        () ->
            binary(
                y.reals(),
                a.reals(),
                b.reals(),
                equalShapes ? one : aWalk,
                equalShapes ? one : bWalk,
                op,
                y.count()));
  }

  static Strided broadcast(Operands operands, Operand operand, Operand y) {
    Strided walk = Strided.broadcast(operand, y);
    if (walk == null) {
      throw operands.refusal(
          "%s does not broadcast to y: %s is %s, y is %s"
              .formatted(operand.name(), operand.name(), operand.view(), y.view()));
    }
    return walk;
  }

  private static void binary(
      Reals y, Reals a, Reals b, Strided aWalk, Strided bWalk, Binary op, int count) {
    int length = aWalk.rowLength();
    int aStep = aWalk.step();
    int bStep = bWalk.step();
    for (int yi = 0, row = 0; yi < count; yi += length, row++) {
      int ai = aWalk.start(row);
      int bi = bWalk.start(row);
      for (int j = 0; j < length; j++) {
        y.set(yi + j, apply(op, a.get(ai + j * aStep), b.get(bi + j * bStep)));
      }
    }
  }

  static double apply(Binary op, double a, double b) {
    return switch (op) {
      case ADD -> a + b;
      case SUBTRACT -> a - b;
      case MULTIPLY -> a * b;
      case DIVIDE -> a / b;
      case MAXIMUM -> Math.max(a, b);
      case MINIMUM -> Math.min(a, b);
      case GATE -> b > 0 ? a : 0;
    };
  }

  static Instruction affine(View yView, View xView, double scale, double shift) {
    Operands operands = new Operands("affine");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    operands.requireFloating(y, x);
    operands.requireShapeOf(x, y);
    operands.allowInPlace(y, x);
    return operands.instruction(() -> affine(y.reals(), x.reals(), scale, shift, y.count()));
  }

  private static void affine(Reals y, Reals x, double scale, double shift, int count) {
    for (int i = 0; i < count; i++) {
      y.set(i, scale * x.get(i) + shift);
    }
  }
}
