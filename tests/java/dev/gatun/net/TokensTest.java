package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Layers.Dense;
import dev.gatun.Layers.Embedding;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recurrent;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Span;
import dev.gatun.Stepper;
import dev.gatun.Trainer;
import dev.gatun.data.Text;
import dev.gatun.data.TextBatches;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Networks whose inputs are tokens, and their embedding.
class TokensTest {
  private static final int[] TOKENS = {3, 0, 4, 4, 1, 3, 2, 0};

  @Test
  void tokens_becomeVectors() {
    Net net = Net.tokens(4).embedding(5, 3);
    assertEquals(Shape.of(4), net.inputShape());
    assertEquals(DType.I32, net.inputType());
    assertEquals(Shape.of(4, 3), net.outputShape());
    assertEquals(15, net.parameterCount());
    assertEquals(DType.F32, Net.input(4).inputType());
    assertTrue(net.summary().contains("input       (4)"), net.summary());
  }

  /// The layer that is forgotten most.
  @Test
  void aMissingEmbedding_isNamed() {
    String message =
        String.valueOf(assertThrows(ShapeException.class, () -> Net.tokens(4).gru(3)).getMessage());
    assertEquals(
        "gru0: [gru] expected sequences [N, T, features], found (2, 4); tokens become numbers by"
            + " embedding(vocabulary, units)",
        message);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void embedding_isARowForEachToken(Backends backend) {
    try (Model model = Model.of(Net.tokens(2).embedding(3, 2), backend.device(), 1)) {
      model.write("embedding0.weight", new float[] {1, 2, 3, 4, 5, 6});
      assertArrayEquals(
          new float[] {5, 6, 1, 2, 0, 0, 3, 4}, model.predict(new int[] {2, 0, -1, 1}));
    }
  }

  /// Trained side by side with a dense layer that reads the tokens in one-hot form.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void embedding_learnsLikeADenseLayerOfOneHots(Backends backend) {
    Net rows = Net.tokens(4).embedding(5, 3).tanh().dense(5);
    Net products =
        Net.tokens(4)
            .layer("oneHot", (context, x) -> x.oneHot(5))
            .dense(new Dense(3).withoutBias())
            .tanh()
            .dense(5);
    int[] labels = {0, 4, 4, 1, -1, 2, 0, 3};
    try (Trainer one = trainer(rows, backend);
        Trainer other = trainer(products, backend)) {
      float[] weights = one.model().read("embedding0.weight");
      other.model().write("dense0.weight", transposed(weights, 5, 3));
      for (String name : new String[] {"weight", "bias"}) {
        other.model().write("dense1." + name, one.model().read("dense0." + name));
      }
      for (int i = 0; i < 5; i++) {
        float loss = one.step(TOKENS, labels, 0.5);
        assertEquals(loss, other.step(TOKENS, labels, 0.5), 1e-5 * loss);
      }
      assertArrayEquals(
          transposed(one.model().read("embedding0.weight"), 5, 3),
          other.model().read("dense0.weight"),
          1e-5f);
    }
  }

  private static float[] transposed(float[] matrix, int rows, int columns) {
    float[] result = new float[matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      result[i % columns * rows + i / columns] = matrix[i];
    }
    return result;
  }

  /// Tokens that are negative are padding to a masked layer: sequences of different lengths in one
  /// batch give what each gives alone.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void negativeTokens_arePadding(Backends backend) {
    Recurrent masked = Recurrent.gru(6).bidirectional().masked().lastState();
    Net whole = Net.tokens(5).embedding(5, 3).recurrent(masked);
    Net cut = Net.tokens(2).embedding(5, 3).recurrent(Recurrent.gru(6).bidirectional().lastState());
    try (Model model = Model.of(whole, backend.device(), 1);
        Model shorter = Model.of(cut, backend.device(), 1)) {
      float[] both = model.predict(new int[] {1, 2, 3, 4, 0, 4, 1, -1, -1, -1});
      assertArrayEquals(shorter.predict(new int[] {4, 1}), Arrays.copyOfRange(both, 12, 24), 1e-6f);
    }
  }

  /// Values for targets: here each sequence's first token.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void tokens_canBeRegressedOn(Backends backend) {
    Net net = Net.tokens(4).embedding(5, 4).recurrent(Recurrent.lstm(8).lastState()).dense(1);
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.adam(0.02))) {
      float first = trainer.step(TOKENS, new float[] {3, 1}, 0.02);
      float last = first;
      for (int i = 0; i < 100; i++) {
        last = trainer.step(TOKENS, new float[] {3, 1}, 0.02);
      }
      assertTrue(last < 0.01 * first, first + " became " + last);
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    assertEquals(
        "embedding0: [embedding] expected tokens I32 (begin the network with Net.tokens), found F32"
            + " (2, 4)",
        assertThrows(ShapeException.class, () -> Net.input(4).embedding(5, 3)).getMessage());
    assertThrows(IllegalArgumentException.class, () -> Net.tokens(0));
    assertThrows(IllegalArgumentException.class, () -> new Embedding(0, 3));
    try (Trainer trainer = trainer(Net.tokens(4).embedding(5, 5), Backends.REFERENCE)) {
      assertEquals(
          "[step] the network expects inputs I32 (4), found F32",
          assertThrows(ShapeException.class, () -> trainer.step(new float[4], new int[4], 0.1))
              .getMessage());
      assertEquals(
          "[predict] the network expects inputs I32 (4), found F32",
          assertThrows(ShapeException.class, () -> trainer.model().predict(new float[4]))
              .getMessage());
      assertEquals(
          "[step] expected 1 inputs (4) (4 elements), found 3 elements",
          assertThrows(ShapeException.class, () -> trainer.step(new int[3], new int[4], 0.1))
              .getMessage());
    }
  }

  /// On the device a token that there is no vector for would be NaN. Negative ones are padding, and
  /// what is behind the embedding is no token.
  @Test
  void tokensBeyondTheVocabulary_areRefused() {
    int[] beyond = {3, 0, 4, 5};
    String message = "expected tokens below 5, the vocabulary of the embedding, found 5 at place 3";
    Net net = Net.tokens(4).embedding(5, 7).gru(3).dense(7);
    try (Trainer trainer = trainer(net, Backends.REFERENCE);
        Stepper stepper = Stepper.of(trainer.model(), 1, 4)) {
      refused("[step] " + message, () -> trainer.step(beyond, new int[4], 0.1));
      refused("[step] " + message, () -> trainer.step(beyond, new float[28], 0.1));
      refused("[predict] " + message, () -> trainer.model().predict(beyond));
      refused("[stepper] " + message, () -> stepper.next(beyond));
      assertTrue(
          Float.isFinite(trainer.step(new int[] {4, 0, -1, 4}, new int[] {6, 0, 0, 6}, 0.1)));
    }
    try (Trainer trainer = trainer(net, Backends.REFERENCE)) {
      TextBatches text = Text.of("abcdefabcdefabcdef").batches(1, 4);
      assertEquals(
          "[fit] the network's embedding has a vocabulary of 5, the text 6 characters",
          assertThrows(ShapeException.class, () -> trainer.fit(text, Span.epochs(1))).getMessage());
    }
    Net oneHot = Net.tokens(4).layer("oneHot", (context, x) -> x.oneHot(5)).dense(2);
    try (Model model = Model.of(oneHot, Backends.REFERENCE.device(), 1)) {
      assertEquals(8, model.predict(beyond).length); // looked up in no table
    }
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }

  private static Trainer trainer(Net net, Backends backend) {
    return Trainer.of(net).on(backend.device()).optimizer(Optimizer.sgd(0.5));
  }
}
