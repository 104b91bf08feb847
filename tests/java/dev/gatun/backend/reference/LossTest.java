package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.FiniteDifferences.assertGradient;
import static dev.gatun.backend.reference.Tensors.shape;

import dev.gatun.DType;
import dev.gatun.backend.View;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LossTest {
  private static final double NAN = Double.NaN;
  private static final double INFINITY = Double.POSITIVE_INFINITY;
  private static final double LN2 = Math.log(2);
  private static final double LN3 = Math.log(3);

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void softmaxKnownAnswers(DType dtype) {
    Tensors t = new Tensors(dtype);
    // exp(ln k) = k: rows become (1, 2, 3) / 6 and (1, 1, 2) / 4.
    View x = t.of(shape(1, 2, 3), 0, LN2, LN3, -1, -1, LN2 - 1);
    View y = t.zeros(1, 2, 3);
    t.backend.softmax(y, x);
    t.assertElements(y, 1 / 6.0, 2 / 6.0, 3 / 6.0, 0.25, 0.25, 0.5);
    t.backend.softmax(x, x);
    t.assertElements(x, 1 / 6.0, 2 / 6.0, 3 / 6.0, 0.25, 0.25, 0.5);
  }

  @Test
  void softmaxDoesNotOverflow() {
    Tensors t = new Tensors(DType.F32);
    View x = t.of(shape(4, 2), 1e30, 1e30, -1e30, 1e30, -INFINITY, 0, NAN, 0);
    View y = t.zeros(4, 2);
    t.backend.softmax(y, x);
    t.assertElements(y, 0.5, 0.5, 0, 1, 0, 1, NAN, NAN);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void crossEntropyKnownAnswers(DType dtype) {
    Tensors t = new Tensors(dtype);
    View logits = t.of(shape(3, 3), 0, LN2, LN3, -1, -1, LN2 - 1, 0, 0, 0);
    View loss = t.scalar(9);
    View correct = t.zeros(DType.I32);
    t.backend.softmaxCrossEntropy(loss, correct, logits, t.labels(2, 0, 1), null, 0);
    t.assertElements(loss, (LN2 + Math.log(4) + LN3) / 3);
    t.assertElements(correct, 1); // of three equal logits the first counts, which is not label 1
    t.backend.softmaxCrossEntropy(loss, correct, logits, t.labels(1, 2, 0), null, 0);
    t.assertElements(loss, (LN3 + LN2 + LN3) / 3);
    t.assertElements(correct, 2);
  }

  @Test
  void ignoredRowsDoNotCount() {
    Tensors t = new Tensors(DType.F64);
    View logits = t.of(shape(3, 2), 0, LN3, NAN, NAN, LN3, 0);
    View labels = t.labels(0, -1, 0);
    View loss = t.zeros();
    View correct = t.zeros(DType.I32);
    t.backend.softmaxCrossEntropy(loss, correct, logits, labels, null, 0);
    t.assertElements(loss, (Math.log(4) + Math.log(4 / 3.0)) / 2);
    t.assertElements(correct, 1);
    View dlogits = t.zeros(3, 2);
    t.backend.softmaxCrossEntropyBackward(dlogits, logits, labels, null, t.scalar(1), 0);
    t.assertElements(dlogits, -0.375, 0.375, 0, 0, -0.125, 0.125);
  }

  @Test
  void nothingCountedIsALossOfZero() {
    Tensors t = new Tensors(DType.F32);
    View loss = t.scalar(9);
    View correct = t.of(DType.I32, shape(), 9);
    View logits = t.of(shape(2, 2), 1, 2, 3, 4);
    t.backend.softmaxCrossEntropy(loss, correct, logits, t.labels(-1, -100), null, 0);
    t.assertElements(loss, 0);
    t.assertElements(correct, 0);
    View dlogits = t.of(shape(2, 2), 9, 9, 9, 9);
    t.backend.softmaxCrossEntropyBackward(dlogits, logits, t.labels(-1, -1), null, t.scalar(1), 0);
    t.assertElements(dlogits, 0, 0, 0, 0);
    t.backend.softmaxCrossEntropy(loss, correct, t.zeros(0, 5), t.labels(), null, 0);
    t.assertElements(loss, 0);
  }

  @Test
  void aLabelWithoutAClassGivesNaN() {
    Tensors t = new Tensors(DType.F32);
    View logits = t.of(shape(2, 2), 1, 2, 2, 1);
    View labels = t.labels(2, 0);
    View loss = t.zeros();
    View correct = t.zeros(DType.I32);
    t.backend.softmaxCrossEntropy(loss, correct, logits, labels, null, 0);
    t.assertElements(loss, NAN);
    t.assertElements(correct, 1);
  }

  @Test
  void aRowWithNaNIsNeverRight() {
    Tensors t = new Tensors(DType.F32);
    View loss = t.zeros();
    View correct = t.of(DType.I32, shape(), 9);
    View logits = t.of(shape(3, 2), NAN, 1, 1, NAN, NAN, NAN);
    t.backend.softmaxCrossEntropy(loss, correct, logits, t.labels(0, 0, 1), null, 0);
    t.assertElements(loss, NAN);
    t.assertElements(correct, 0);
  }

  @Test
  void hugeLogitsGiveAFiniteLoss() {
    Tensors t = new Tensors(DType.F32);
    View loss = t.zeros();
    View correct = t.zeros(DType.I32);
    View logits = t.of(shape(1, 2), 1000, 0);
    t.backend.softmaxCrossEntropy(loss, correct, logits, t.labels(1), null, 0);
    t.assertElements(loss, 1000);
    t.assertElements(correct, 0);
  }

  @Test
  void gradient() {
    Tensors t = new Tensors(DType.F64);
    View logits = t.of(shape(5, 4), Tensors.random(1, 20));
    View labels = t.labels(0, 3, -1, 2, 2);
    View loss = t.zeros();
    View correct = t.zeros(DType.I32);
    View dlogits = t.zeros(5, 4);
    t.backend.softmaxCrossEntropyBackward(dlogits, logits, labels, null, t.scalar(-2.5), 0);
    assertGradient(
        t,
        logits,
        t.read(dlogits),
        new double[] {-2.5},
        () -> {
          t.backend.softmaxCrossEntropy(loss, correct, logits, labels, null, 0);
          return loss;
        });
  }
}
