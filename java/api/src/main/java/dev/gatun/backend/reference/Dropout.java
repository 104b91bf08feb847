package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import dev.gatun.random.Philox;
import org.jspecify.annotations.Nullable;

/// Inverted dropout. A block of random bits decides over 8 elements, 16 bits over each.
final class Dropout {
  private Dropout() {}

  static Instruction dropout(
      View yView,
      View xView,
      @Nullable View stepView,
      double dropProbability,
      long seed,
      int layer) {
    Operands operands = new Operands("dropout");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    Operand step = operands.optionalInput("step", stepView);
    operands.requireFloating(y, x);
    operands.requireShapeOf(x, y);
    if (step != null) {
      step.requireDtype(DType.I64);
      step.requireShape();
    }
    operands.require(
        dropProbability >= 0 && dropProbability < 1,
        () ->
            "drop_probability must be at least 0 and less than 1, but is %s"
                .formatted(dropProbability));
    operands.allowInPlace(y, x);
    Integers steps = step == null ? null : step.integers();
    long threshold = Math.round(65536 * dropProbability);
    double exact = 1 / (1 - dropProbability);
    double scale = y.dtype() == DType.F32 ? (float) exact : exact; // one product of f32 numbers
    int[] words = new int[4];
    return operands.instruction(
        () -> {
          long stream = (steps == null ? 0 : steps.get(0)) << 32 | Integer.toUnsignedLong(layer);
          dropout(y.reals(), x.reals(), threshold, scale, seed, stream, words, y.count());
        });
  }

  private static void dropout(
      Reals y,
      Reals x,
      long threshold,
      double scale,
      long seed,
      long stream,
      int[] words,
      int count) {
    for (int block = 0; block * 8L < count; block++) {
      Philox.block(seed, stream, block, words);
      int lanes = Math.min(8, count - block * 8);
      for (int lane = 0; lane < lanes; lane++) {
        int i = block * 8 + lane;
        int random = words[lane / 2] >>> (16 * (lane % 2)) & 0xffff;
        y.set(i, random >= threshold ? x.get(i) * scale : 0);
      }
    }
  }
}
