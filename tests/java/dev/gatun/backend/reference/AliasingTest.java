package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.backend.reference.RefusalTest.Case;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Outputs that share memory with other operands. What is allowed in place is tested where each
/// instruction is.
class AliasingTest {
  private static final Activation NONE = Activation.NONE;
  private static final Window ONE = Window.square(1, 1, 0);

  private static String shared(String names) {
    return names + " share memory, which this instruction does not allow";
  }

  private static String overlapping(String names) {
    return names + " share part of their memory; they may only be the same memory or disjoint";
  }

  static Case[] aliasing() {
    return new Case[] {
      new Case(
          overlapping("[unary] y and x"),
          t -> {
            View x = t.zeros(4);
            t.backend.unary(t.alias(x, 4, 3), t.alias(x, 0, 3), Unary.ABS);
          }),
      new Case(
          overlapping("[copy] y and x"),
          t -> {
            View x = t.zeros(4);
            t.backend.copy(t.alias(x, 0, 3), t.alias(x, 4, 3));
          }),
      new Case(
          shared("[copy] y and x"),
          t -> {
            View x = t.zeros(4);
            View ints = t.memory(x).view(0, DType.I32, Shape.of(4));
            t.backend.copy(ints, x);
          }),
      new Case(
          shared("[permute] y and x"),
          t -> {
            View x = t.zeros(2, 2);
            t.backend.permute(x, x, new int[] {1, 0});
          }),
      new Case(
          shared("[binary] y and b"),
          t -> {
            View y = t.zeros(2, 2);
            t.backend.binary(y, t.zeros(2, 2), t.alias(y, 0, 2), Binary.ADD);
          }),
      new Case(
          shared("[reduce] y and x"),
          t -> {
            View x = t.zeros(1, 2);
            t.backend.reduce(x, x, Reduction.SUM, 0b01);
          }),
      new Case(
          shared("[matmul] y and b"),
          t -> {
            View b = t.zeros(2, 2);
            RefusalTest.matmul(t, b, t.zeros(2, 2), b, false, false);
          }),
      new Case(
          shared("[conv2d] y and x"),
          t -> {
            View x = t.zeros(1, 2, 2, 1);
            RefusalTest.conv(t, x, x, t.zeros(1, 1, 1, 1), ONE);
          }),
      new Case(
          shared("[batch_norm_training] y and x"),
          t -> {
            View x = t.zeros(2, 2);
            RefusalTest.train(t, x, x, t.zeros(2), 0.1, 0);
          }),
      new Case(
          shared("[batch_norm_backward] dx and dresidual"),
          t -> {
            View dx = t.zeros(2, 2);
            t.backend.batchNormBackward(
                dx,
                t.zeros(2),
                t.zeros(2),
                dx,
                dx,
                t.zeros(2, 2),
                null,
                t.zeros(2),
                t.zeros(2),
                t.zeros(2),
                null,
                NONE);
          }),
      new Case(
          shared("[batch_norm_backward] dgamma and gamma"),
          t -> {
            View c = t.zeros(2);
            t.backend.batchNormBackward(
                t.zeros(2, 2),
                c,
                t.zeros(2),
                null,
                t.zeros(2, 2),
                t.zeros(2, 2),
                null,
                t.zeros(2),
                t.zeros(2),
                c,
                null,
                NONE);
          }),
      new Case(
          shared("[softmax_cross_entropy_backward] dlogits and logits"),
          t -> {
            View x = t.zeros(2, 2);
            t.backend.softmaxCrossEntropyBackward(x, x, t.labels(0, 0), null, t.zeros(), 0);
          }),
      new Case(
          shared("[clip_by_norm] y and norm"),
          t -> {
            View y = t.zeros(2);
            t.backend.clipByNorm(y, t.zeros(2), t.alias(y, 4), 1);
          }),
      new Case(
          shared("[sgd_step] new_parameter and gradient"),
          t -> {
            View g = t.zeros(2);
            t.backend.sgdStep(g, null, t.zeros(2), null, g, t.zeros(), new Sgd(0, 0, 0, false));
          }),
    };
  }

  @ParameterizedTest
  @MethodSource
  void aliasing(Case mistake) {
    Tensors t = new Tensors(DType.F32);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> mistake.mistake().accept(t));
    assertEquals(mistake.message(), e.getMessage());
  }

  @Test
  void neighboursAndEmptyViewsDoNotOverlap() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(4), 1, 2, 3, 4);
    t.backend.unary(t.alias(x, 0, 2), t.alias(x, 8, 2), Unary.NEGATE);
    t.assertElements(x, -3, -4, 3, 4);
    t.backend.unary(t.alias(x, 8, 2), t.alias(x, 0, 2), Unary.SQUARE);
    t.assertElements(x, -3, -4, 9, 16);
    t.backend.reduce(t.alias(x, 0, 0, 1), t.alias(x, 4, 0, 2), Reduction.SUM, 0b10);
  }
}
