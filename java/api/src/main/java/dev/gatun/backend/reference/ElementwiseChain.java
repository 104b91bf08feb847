package dev.gatun.backend.reference;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AffineStep;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.BinaryStep;
import dev.gatun.backend.Backend.Step;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Backend.UnaryStep;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.ArrayList;
import java.util.List;

/// Several elementwise functions of each element, one after the other.
final class ElementwiseChain {
  private ElementwiseChain() {}

  static Instruction of(View yView, List<View> inputViews, List<Step> steps) {
    Operands operands = new Operands("elementwise");
    operands.require(
        !inputViews.isEmpty() && inputViews.size() <= Backend.MAX_STEP_INPUTS,
        () ->
            "expected 1 to %d inputs, found %d"
                .formatted(Backend.MAX_STEP_INPUTS, inputViews.size()));
    operands.require(
        !steps.isEmpty() && steps.size() <= Backend.MAX_STEPS,
        () -> "expected 1 to %d steps, found %d".formatted(Backend.MAX_STEPS, steps.size()));
    Operand y = operands.output("y", yView);
    List<Operand> inputs = new ArrayList<>();
    List<Strided> walks = new ArrayList<>();
    for (View view : inputViews) {
      Operand input = operands.input("inputs[%d]".formatted(inputs.size()), view);
      inputs.add(input);
      operands.requireFloating(y, input);
      walks.add(Elementwise.broadcast(operands, input, y));
      if (input.count() == y.count()) {
        operands.allowInPlace(y, input);
      }
    }
    List<Step> kept = List.copyOf(steps);
    for (int k = 0; k < kept.size(); k++) {
      check(operands, kept.get(k), k, inputs.size());
    }
    double[] values = operands.scratch(inputs.size() + kept.size());
    return operands.instruction(() -> run(y, inputs, walks, kept, values));
  }

  private static void check(Operands operands, Step step, int k, int inputs) {
    for (int operand : step.operands()) {
      operands.require(
          operand >= 0 && operand < inputs + k,
          () ->
              "step %d, %s, reads value %d, but there are 0 to %d"
                  .formatted(k, step, operand, inputs + k - 1));
    }
  }

  /// All inputs are read before y is written, which may be one of them.
  private static void run(
      Operand y, List<Operand> inputs, List<Strided> walks, List<Step> steps, double[] values) {
    Reals to = y.reals();
    int count = y.count();
    int length = y.rank() == 0 ? 1 : y.dim(-1);
    for (int i = 0; i < count; i++) {
      for (int input = 0; input < inputs.size(); input++) {
        Strided walk = walks.get(input);
        values[input] =
            inputs.get(input).reals().get(walk.start(i / length) + i % length * walk.step());
      }
      for (int k = 0; k < steps.size(); k++) {
        to.set(i, apply(steps.get(k), values));
        values[inputs.size() + k] = to.get(i); // rounded, as if it had been stored
      }
    }
  }

  private static double apply(Step step, double[] values) {
    return switch (step) {
      case UnaryStep(Unary op, int a) -> Elementwise.apply(op, values[a]);
      case BinaryStep(Binary op, int a, int b) -> Elementwise.apply(op, values[a], values[b]);
      case AffineStep(int a, double scale, double shift) -> scale * values[a] + shift;
    };
  }
}
