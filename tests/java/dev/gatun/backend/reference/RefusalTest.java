package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Mistakes, and what is said about them.
class RefusalTest {
  /// A mistake that is made with f32 tensors.
  record Case(String message, Consumer<Tensors> mistake) {
    @Override
    public String toString() {
      return message;
    }
  }

  private static final Activation NONE = Activation.NONE;
  private static final Window ONE = Window.square(1, 1, 0);
  private static final Window TWO = Window.square(2, 1, 0);

  static Case[] shapesAndTypes() {
    return new Case[] {
      new Case(
          "[copy] element counts differ: y is f32 (2), x is f32 (3)",
          t -> t.backend.copy(t.zeros(2), t.zeros(3))),
      new Case(
          "[permute] y must be f32, but is i32 (2)",
          t -> t.backend.permute(t.zeros(DType.I32, 2), t.zeros(2), new int[] {0})),
      new Case(
          "[permute] y must be f32 (3, 2), but is f32 (2, 3)",
          t -> t.backend.permute(t.zeros(2, 3), t.zeros(2, 3), new int[] {1, 0})),
      new Case(
          "[subsample_pad] x must have rank 4, but is f32 (2, 3)",
          t -> t.backend.subsamplePad(t.zeros(1, 1, 1, 1), t.zeros(2, 3), 2)),
      new Case(
          "[subsample_pad] y must be f32 (1, 2, 3, 4), but is f32 (1, 2, 2, 4)",
          t -> t.backend.subsamplePad(t.zeros(1, 2, 2, 4), t.zeros(1, 3, 5, 2), 2)),
      new Case(
          "[subsample_pad] y must have at least the 4 channels of x, but is f32 (1, 2, 2, 3)",
          t -> t.backend.subsamplePad(t.zeros(1, 2, 2, 3), t.zeros(1, 4, 4, 4), 2)),
      new Case(
          "[subsample_pad_backward] dy must be f32 (1, 2, 2, 4), but is f32 (1, 4, 4, 4)",
          t -> t.backend.subsamplePadBackward(t.zeros(1, 4, 4, 4), t.zeros(1, 4, 4, 4), 2)),
      new Case(
          "[unary] y must be f32, f64 or bf16, but is i32 (2)",
          t -> t.backend.unary(t.zeros(DType.I32, 2), t.zeros(2), Unary.ABS)),
      new Case(
          "[unary] dtypes differ: y is f32 (2), x is f64 (2)",
          t -> t.backend.unary(t.zeros(2), t.zeros(DType.F64, 2), Unary.ABS)),
      new Case(
          "[unary] shapes differ: y is f32 (2, 3), x is f32 (3, 2)",
          t -> t.backend.unary(t.zeros(2, 3), t.zeros(3, 2), Unary.ABS)),
      new Case(
          "[binary] b does not broadcast to y: b is f32 (3), y is f32 (2, 2)",
          t -> t.backend.binary(t.zeros(2, 2), t.zeros(2), t.zeros(3), Binary.ADD)),
      new Case(
          "[binary] a does not broadcast to y: a is f32 (1, 2), y is f32 (2)",
          t -> t.backend.binary(t.zeros(2), t.zeros(1, 2), t.zeros(2), Binary.ADD)),
      new Case(
          "[binary] b must be f32, f64 or bf16, but is u8 (2)",
          t -> t.backend.binary(t.zeros(2), t.zeros(2), t.zeros(DType.U8, 2), Binary.ADD)),
      new Case(
          "[affine] shapes differ: y is f32 (2), x is f32 ()",
          t -> t.backend.affine(t.zeros(2), t.zeros(), 1, 1)),
      new Case(
          "[reduce] y must be f32 (2, 1), but is f32 (2)",
          t -> t.backend.reduce(t.zeros(2), t.zeros(2, 3), Reduction.SUM, 0b10)),
      new Case(
          "[argmax] y must be i32, but is f32 (2, 1)",
          t -> t.backend.argmax(t.zeros(2, 1), t.zeros(2, 3))),
      new Case(
          "[argmax] y must be i32 (2, 1), but is i32 (2)",
          t -> t.backend.argmax(t.zeros(DType.I32, 2), t.zeros(2, 3))),
      new Case(
          "[argmax] x must have at least one axis, but is f32 ()",
          t -> t.backend.argmax(t.zeros(DType.I32), t.zeros())),
      new Case(
          "[argmax] the last axis of x must have 1..2147483647 elements, but x is f32 (2, 0)",
          t -> t.backend.argmax(t.zeros(DType.I32, 2, 1), t.zeros(2, 0))),
      new Case(
          "[matmul] inner dimensions differ: (64, 784) x (512, 10)",
          t -> matmul(t, t.zeros(64, 10), t.zeros(64, 784), t.zeros(512, 10), false, false)),
      new Case(
          "[matmul] inner dimensions differ: (2, 3) transposed x (3, 2)",
          t -> matmul(t, t.zeros(3, 2), t.zeros(2, 3), t.zeros(3, 2), true, false)),
      new Case(
          "[matmul] inner dimensions differ: (2, 3) x (3, 2) transposed",
          t -> matmul(t, t.zeros(2, 3), t.zeros(2, 3), t.zeros(3, 2), false, true)),
      new Case(
          "[matmul] y must be f32 (2, 4), but is f32 (4, 2)",
          t -> matmul(t, t.zeros(4, 2), t.zeros(2, 3), t.zeros(3, 4), false, false)),
      new Case(
          "[matmul] a must have rank 2, but is f32 (6)",
          t -> matmul(t, t.zeros(4, 2), t.zeros(6), t.zeros(3, 4), false, false)),
      new Case(
          "[matmul] bias must be f32 (4), but is f32 (2)",
          t ->
              t.backend.matmul(
                  t.zeros(2, 4), t.zeros(2, 3), t.zeros(3, 4), t.zeros(2), false, false, NONE)),
      new Case(
          "[conv2d] x must have rank 4, but is f32 (4, 4, 3)",
          t -> conv(t, t.zeros(4, 4, 1), t.zeros(4, 4, 3), t.zeros(1, 1, 1, 3), ONE)),
      new Case(
          "[conv2d] the window is 1x1, but w is f32 (1, 2, 1, 3)",
          t -> conv(t, t.zeros(1, 4, 4, 1), t.zeros(1, 4, 4, 3), t.zeros(1, 2, 1, 3), ONE)),
      new Case(
          "[conv2d] channels differ: x is f32 (1, 4, 4, 3), w is f32 (1, 1, 1, 4)",
          t -> conv(t, t.zeros(1, 4, 4, 1), t.zeros(1, 4, 4, 3), t.zeros(1, 1, 1, 4), ONE)),
      new Case(
          "[conv2d] the window 2x2 does not fit into 1x4 with padding 0x0: x is f32 (1, 1, 4, 3)",
          t -> conv(t, t.zeros(1, 0, 3, 1), t.zeros(1, 1, 4, 3), t.zeros(1, 2, 2, 3), TWO)),
      new Case(
          "[conv2d] y must be f32 (1, 3, 3, 5), but is f32 (1, 4, 4, 5)",
          t -> conv(t, t.zeros(1, 4, 4, 5), t.zeros(1, 4, 4, 3), t.zeros(5, 2, 2, 3), TWO)),
      new Case(
          "[conv2d] bias must be f32 (5), but is f32 (1, 5)",
          t ->
              t.backend.conv2d(
                  t.zeros(1, 4, 4, 5),
                  null,
                  t.zeros(1, 4, 4, 3),
                  t.zeros(5, 1, 1, 3),
                  t.zeros(1, 5),
                  null,
                  ONE,
                  NONE,
                  ConvAlgorithm.AUTO)),
      new Case(
          "[conv2d_backward_data] dy must be f32 (1, 4, 4, 5), but is f32 (1, 4, 4, 3)",
          t ->
              t.backend.conv2dBackwardData(
                  t.zeros(1, 4, 4, 3),
                  null,
                  t.zeros(1, 4, 4, 3),
                  t.zeros(5, 1, 1, 3),
                  null,
                  null,
                  null,
                  null,
                  ONE,
                  ConvAlgorithm.AUTO)),
      new Case(
          "[conv2d_backward_weights] channels differ: x is f32 (1, 4, 4, 3), dw is f32"
              + " (5, 1, 1, 2)",
          t ->
              t.backend.conv2dBackwardWeights(
                  t.zeros(5, 1, 1, 2),
                  t.zeros(1, 4, 4, 3),
                  t.zeros(1, 4, 4, 5),
                  ONE,
                  ConvAlgorithm.AUTO)),
      new Case(
          "[batch_norm_training] x must have at least one axis, but is f32 ()",
          t -> train(t, t.zeros(), t.zeros(), t.zeros(1), 0.1, 0)),
      new Case(
          "[batch_norm_training] shapes differ: y is f32 (4), x is f32 (2, 2)",
          t -> train(t, t.zeros(4), t.zeros(2, 2), t.zeros(2), 0.1, 0)),
      new Case(
          "[batch_norm_training] mean must be f32 (2), but is f32 (3)",
          t -> train(t, t.zeros(2, 2), t.zeros(2, 2), t.zeros(3), 0.1, 0)),
      new Case(
          "[batch_norm_inference] shapes differ: residual is f32 (2, 3), x is f32 (3, 2)",
          t -> {
            View c = t.zeros(2);
            t.backend.batchNormInference(
                t.zeros(3, 2), t.zeros(3, 2), c, c, t.zeros(2, 3), c, c, 0, NONE);
          }),
      new Case(
          "[batch_norm_backward] shapes differ: dy is f32 (2, 3), x is f32 (3, 2)",
          t ->
              t.backend.batchNormBackward(
                  t.zeros(3, 2),
                  t.zeros(2),
                  t.zeros(2),
                  null,
                  t.zeros(2, 3),
                  t.zeros(3, 2),
                  null,
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  null,
                  NONE)),
      new Case(
          "[max_pool] taps must be u8, but is f32 (1, 1, 1, 1)",
          t ->
              t.backend.maxPool(
                  t.zeros(1, 1, 1, 1), t.zeros(1, 1, 1, 1), t.zeros(1, 2, 2, 1), TWO)),
      new Case(
          "[max_pool] shapes differ: taps is u8 (1, 1, 1, 2), y is f32 (1, 1, 1, 1)",
          t ->
              t.backend.maxPool(
                  t.zeros(1, 1, 1, 1), t.zeros(DType.U8, 1, 1, 1, 2), t.zeros(1, 2, 2, 1), TWO)),
      new Case(
          "[max_pool_backward] dy must be f32 (1, 1, 1, 1), but is f32 (1, 2, 2, 1)",
          t ->
              t.backend.maxPoolBackward(
                  t.zeros(1, 2, 2, 1), t.zeros(1, 2, 2, 1), t.zeros(DType.U8, 1, 2, 2, 1), TWO)),
      new Case(
          "[average_pool] x has no pixels: f32 (1, 0, 2, 1)",
          t -> t.backend.averagePool(t.zeros(1, 1, 1, 1), t.zeros(1, 0, 2, 1), TWO, false)),
      new Case(
          "[average_pool] y must be f32 (1, 1, 1, 3), but is f32 (1, 1, 1, 1)",
          t -> t.backend.averagePool(t.zeros(1, 1, 1, 1), t.zeros(1, 2, 2, 3), TWO, false)),
      new Case(
          "[average_pool_backward] the window 2x2 does not fit into 1x1 with padding 0x0: dx is f32"
              + " (1, 1, 1, 1)",
          t -> t.backend.averagePoolBackward(t.zeros(1, 1, 1, 1), t.zeros(1, 0, 0, 1), TWO, false)),
      new Case(
          "[dropout] step must be i64, but is i32 ()",
          t -> t.backend.dropout(t.zeros(2), t.zeros(2), t.zeros(DType.I32), 0.5, 1, 1)),
      new Case(
          "[dropout] step must be i64 (), but is i64 (1)",
          t -> t.backend.dropout(t.zeros(2), t.zeros(2), t.zeros(DType.I64, 1), 0.5, 1, 1)),
      new Case(
          "[softmax] x must have at least one axis, but is f32 ()",
          t -> t.backend.softmax(t.zeros(), t.zeros())),
      new Case(
          "[softmax_cross_entropy] shapes differ: targets is f32 (2), logits is f32 (2, 3)",
          t ->
              t.backend.softmaxCrossEntropy(
                  t.zeros(), t.zeros(DType.I32), t.zeros(2, 3), t.zeros(2), null, 0)),
      new Case(
          "[softmax_cross_entropy] targets must be i32 (2), but is i32 (3)",
          t ->
              t.backend.softmaxCrossEntropy(
                  t.zeros(), t.zeros(DType.I32), t.zeros(2, 3), t.labels(0, 0, 0), null, 0)),
      new Case(
          "[softmax_cross_entropy] logits must have rank 2, but is f32 (2)",
          t ->
              t.backend.softmaxCrossEntropy(
                  t.zeros(), t.zeros(DType.I32), t.zeros(2), t.labels(0, 0), null, 0)),
      new Case(
          "[softmax_cross_entropy] loss must be f32 (), but is f32 (1)",
          t ->
              t.backend.softmaxCrossEntropy(
                  t.zeros(1), t.zeros(DType.I32), t.zeros(2, 3), t.labels(0, 0), null, 0)),
      new Case(
          "[softmax_cross_entropy] correct must be i32, but is i64 ()",
          t ->
              t.backend.softmaxCrossEntropy(
                  t.zeros(), t.zeros(DType.I64), t.zeros(2, 3), t.labels(0, 0), null, 0)),
      new Case(
          "[softmax_cross_entropy_backward] shapes differ: dlogits is f32 (3, 2), logits is f32"
              + " (2, 3)",
          t ->
              t.backend.softmaxCrossEntropyBackward(
                  t.zeros(3, 2), t.zeros(2, 3), t.labels(0, 0), null, t.zeros(), 0)),
      new Case(
          "[norm] norm must be f32 (), but is f32 (1)",
          t -> t.backend.norm(t.zeros(1), t.zeros(3))),
      new Case(
          "[clip_by_norm] dtypes differ: y is f32 (3), norm is f64 ()",
          t -> t.backend.clipByNorm(t.zeros(3), t.zeros(3), t.zeros(DType.F64), 1)),
      new Case(
          "[sgd_step] shapes differ: gradient is f32 (4), parameter is f32 (3)",
          t ->
              t.backend.sgdStep(
                  t.zeros(3),
                  null,
                  t.zeros(3),
                  null,
                  t.zeros(4),
                  t.zeros(),
                  new Sgd(0, 0, 0, false))),
      new Case(
          "[sgd_step] learning_rate must be f32 (), but is f32 (3)",
          t ->
              t.backend.sgdStep(
                  t.zeros(3),
                  null,
                  t.zeros(3),
                  null,
                  t.zeros(3),
                  t.zeros(3),
                  new Sgd(0, 0, 0, false))),
    };
  }

  @ParameterizedTest
  @MethodSource
  void shapesAndTypes(Case mistake) {
    Tensors t = new Tensors(DType.F32);
    ShapeException e = assertThrows(ShapeException.class, () -> mistake.mistake().accept(t));
    assertEquals(mistake.message(), e.getMessage());
  }

  static Case[] attributes() {
    return new Case[] {
      new Case(
          "[permute] axes must be a permutation of 0..1, but are [0, 0]",
          t -> t.backend.permute(t.zeros(2, 2), t.zeros(2, 2), new int[] {0, 0})),
      new Case(
          "[permute] axes must be a permutation of 0..1, but are [1, 2]",
          t -> t.backend.permute(t.zeros(2, 2), t.zeros(2, 2), new int[] {1, 2})),
      new Case(
          "[permute] axes must be a permutation of 0..1, but are [0]",
          t -> t.backend.permute(t.zeros(2, 2), t.zeros(2, 2), new int[] {0})),
      new Case(
          "[subsample_pad] stride must be at least 1, but is 0",
          t -> t.backend.subsamplePad(t.zeros(1, 2, 2, 1), t.zeros(1, 2, 2, 1), 0)),
      new Case(
          "[reduce] axes must have bits of x's 2 axes only, but is 5",
          t -> t.backend.reduce(t.zeros(1, 1), t.zeros(2, 2), Reduction.SUM, 0b101)),
      new Case(
          "[reduce] there is no maximum along an empty axis: x is f32 (2, 0)",
          t -> t.backend.reduce(t.zeros(2, 1), t.zeros(2, 0), Reduction.MAX, 0b10)),
      new Case(
          "[batch_norm_training] needs at least 2 values per channel for a variance, but x is f32"
              + " (1, 1, 2)",
          t -> train(t, t.zeros(1, 1, 2), t.zeros(1, 1, 2), t.zeros(2), 0.1, 0)),
      new Case(
          "[batch_norm_training] momentum must be in 0..1, but is 1.5",
          t -> train(t, t.zeros(2, 2), t.zeros(2, 2), t.zeros(2), 1.5, 0)),
      new Case(
          "[batch_norm_training] epsilon must be finite and not negative, but is NaN",
          t -> train(t, t.zeros(2, 2), t.zeros(2, 2), t.zeros(2), 0.1, Double.NaN)),
      new Case(
          "[batch_norm_inference] epsilon must be finite and not negative, but is -1.0",
          t -> {
            View c = t.zeros(2);
            t.backend.batchNormInference(t.zeros(3, 2), t.zeros(3, 2), c, c, null, c, c, -1, NONE);
          }),
      new Case(
          "[batch_norm_backward] y is needed with an activation, but is null",
          t ->
              t.backend.batchNormBackward(
                  t.zeros(3, 2),
                  t.zeros(2),
                  t.zeros(2),
                  null,
                  t.zeros(3, 2),
                  t.zeros(3, 2),
                  null,
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  null,
                  Activation.RELU)),
      new Case(
          "[average_pool] padding must be less than the window 2x2, but is 0x2",
          t ->
              t.backend.averagePool(
                  t.zeros(1, 2, 2, 3), t.zeros(1, 2, 2, 3), new Window(2, 2, 1, 1, 0, 2), false)),
      new Case(
          "[max_pool] the window may have at most 255 elements, but is 16x16",
          t ->
              t.backend.maxPool(
                  t.zeros(1, 1, 1, 1),
                  t.zeros(DType.U8, 1, 1, 1, 1),
                  t.zeros(1, 16, 16, 1),
                  Window.square(16, 1, 0))),
      new Case(
          "[dropout] drop_probability must be at least 0 and less than 1, but is 1.0",
          t -> t.backend.dropout(t.zeros(2), t.zeros(2), null, 1, 1, 1)),
      new Case(
          "[dropout] drop_probability must be at least 0 and less than 1, but is NaN",
          t -> t.backend.dropout(t.zeros(2), t.zeros(2), null, Double.NaN, 1, 1)),
      new Case(
          "[clip_by_norm] max_norm must be positive and finite, but is 0.0",
          t -> t.backend.clipByNorm(t.zeros(2), t.zeros(2), t.zeros(), 0)),
      new Case(
          "[sgd_step] momentum is 0.9, so new_velocity must not be null",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  null,
                  t.zeros(2),
                  null,
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(0.9, 0, 0, false))),
      new Case(
          "[sgd_step] momentum is 0.9, so velocity must not be null",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  null,
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(0.9, 0, 0, false))),
      new Case(
          "[sgd_step] momentum is 0.0, so new_velocity must be null",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(0, 0, 0, false))),
      new Case(
          "[sgd_step] nesterov needs momentum, which is 0",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  null,
                  t.zeros(2),
                  null,
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(0, 0, 0, true))),
      new Case(
          "[sgd_step] momentum must be finite and not negative, but is -0.9",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(-0.9, 0, 0, false))),
      new Case(
          "[sgd_step] weight_decay must be finite, but is NaN",
          t ->
              t.backend.sgdStep(
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(2),
                  t.zeros(),
                  new Sgd(0.9, 0, Double.NaN, false))),
    };
  }

  @ParameterizedTest
  @MethodSource
  void attributes(Case mistake) {
    Tensors t = new Tensors(DType.F32);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> mistake.mistake().accept(t));
    assertEquals(mistake.message(), e.getMessage());
  }

  @Test
  void aRefusedInstructionWritesNothing() {
    Tensors t = new Tensors(DType.F32);
    View y = t.of(shape(2, 2), 1, 2, 3, 4);
    assertThrows(
        ShapeException.class, () -> matmul(t, y, t.zeros(2, 3), t.zeros(2, 3), false, false));
    t.assertElements(y, 1, 2, 3, 4);
  }

  @Test
  void viewsOfOtherBackendsAreRefused() {
    Tensors t = new Tensors(DType.F32);
    Tensors other = new Tensors(DType.F32);
    View x = t.zeros(2);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> t.backend.unary(x, other.zeros(2), Unary.ABS));
    assertEquals("[unary] x is memory of another reference backend", e.getMessage());
    View foreign =
        new View() {
          @Override
          public DType dtype() {
            return DType.F32;
          }

          @Override
          public Shape shape() {
            return Shape.of(2);
          }

          @Override
          public void close() {}
        };
    e = assertThrows(IllegalArgumentException.class, () -> t.backend.fill(foreign, 1));
    assertEquals(
        "[fill] y is a view of another backend, not of the reference backend", e.getMessage());
  }

  static void matmul(Tensors t, View y, View a, View b, boolean transposeA, boolean transposeB) {
    t.backend.matmul(y, a, b, null, transposeA, transposeB, NONE);
  }

  static void conv(Tensors t, View y, View x, View w, Window window) {
    t.backend.conv2d(y, null, x, w, null, null, window, NONE, ConvAlgorithm.AUTO);
  }

  /// Batch norm with `mean`, and other vectors of two channels.
  static void train(Tensors t, View y, View x, View mean, double momentum, double epsilon) {
    t.backend.batchNormTraining(
        y,
        mean,
        t.zeros(2),
        t.zeros(2),
        t.zeros(2),
        x,
        t.zeros(2),
        t.zeros(2),
        null,
        null,
        t.zeros(2),
        t.zeros(2),
        momentum,
        epsilon,
        NONE);
  }
}
