package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.Tensors.shape;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Backend.Sgd;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Tensors without elements pass through every instruction whose other tests do not have them.
class EmptyTest {
  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void instructionsDoNothing(DType dtype) {
    Tensors t = new Tensors(dtype);
    View a = t.zeros(0, 3);
    View b = t.zeros(0, 3);
    t.backend.fill(a, 1);
    t.backend.copy(a, b);
    t.backend.copy(a, t.zeros(7, 0));
    t.backend.permute(t.zeros(3, 0), a, new int[] {1, 0});
    t.backend.subsamplePad(t.zeros(2, 0, 2, 4), t.zeros(2, 0, 4, 3), 2);
    t.backend.subsamplePadBackward(t.zeros(2, 4, 4, 0), t.zeros(2, 2, 2, 1), 2);
    t.backend.unary(a, b, Unary.EXP);
    t.backend.binary(a, b, t.zeros(3), Binary.ADD);
    t.backend.binary(t.zeros(2, 0), t.zeros(2, 1), t.zeros(1, 0), Binary.ADD);
    t.backend.affine(a, b, 2, 3);
    t.backend.reduce(t.zeros(0, 1), a, Reduction.MAX, 0b10);
    t.backend.argmax(t.zeros(DType.I32, 0, 1), a);
    t.backend.matmul(t.zeros(0, 4), a, t.zeros(3, 4), null, false, false, Activation.NONE);
    t.backend.matmul(t.zeros(4, 0), t.zeros(4, 3), a, null, false, true, Activation.NONE);
    t.backend.dropout(a, b, null, 0.5, 1, 1);
    t.backend.softmax(a, b);
    t.backend.softmax(t.zeros(3, 0), t.zeros(3, 0));
    t.backend.softmaxCrossEntropyBackward(a, b, t.labels(), null, t.scalar(1), 0);
    t.backend.clipByNorm(a, b, t.scalar(1), 1);
    t.backend.sgdStep(a, b, a, b, t.zeros(0, 3), t.scalar(1), new Sgd(0.9, 0, 0, true));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void sumsOverNothingAreWritten(DType dtype) {
    Tensors t = new Tensors(dtype);
    View y = t.of(shape(1, 2), 9, 9);
    t.backend.reduce(y, t.zeros(0, 2), Reduction.SUM, 0b01);
    t.assertElements(y, 0, 0);
    View dgamma = t.of(shape(2), 9, 9);
    View dbeta = t.of(shape(2), 9, 9);
    t.backend.batchNormBackward(
        t.zeros(0, 2),
        dgamma,
        dbeta,
        null,
        t.zeros(0, 2),
        t.zeros(0, 2),
        null,
        t.zeros(2),
        t.zeros(2),
        t.zeros(2),
        null,
        Activation.NONE);
    t.assertElements(dgamma, 0, 0);
    t.assertElements(dbeta, 0, 0);
  }
}
