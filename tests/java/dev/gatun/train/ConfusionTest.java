package dev.gatun.train;

import static dev.gatun.train.Messages.illegalState;
import static dev.gatun.train.Messages.refused;
import static dev.gatun.train.Messages.shapeError;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Confusion;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Predictions;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Examples;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import dev.gatun.data.Samples;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// What a classifier's outputs say, and how often that is right in each class.
class ConfusionTest {
  private static final List<String> NAMES = List.of("cat", "dog", "owl");

  /// Logits whose greatest is at these classes.
  private static Predictions answers(int... classes) {
    float[] logits = new float[3 * classes.length];
    IntStream.range(0, classes.length).forEach(n -> logits[3 * n + classes[n]] = 1);
    return Predictions.of(logits, 3);
  }

  /// Counted by hand: 3 cats, one taken for a dog; 2 dogs, one taken for a cat; no owl.
  @Test
  void sharesOfEachClass_areThoseCountedByHand() {
    Confusion confusion =
        Confusion.of(answers(0, 0, 1, 1, 0, 2), new int[] {0, 0, 0, 1, 1, -1}, NAMES);
    assertEquals(2, confusion.count(0, 0));
    assertEquals(1, confusion.count(0, 1));
    assertEquals(1, confusion.count(1, 0));
    assertEquals(5, confusion.total());
    assertEquals(3.0 / 5, confusion.accuracy());
    assertEquals(2.0 / 3, confusion.precision(0));
    assertEquals(2.0 / 3, confusion.recall(0));
    assertEquals(2.0 / 3, confusion.f1(0), 1e-12);
    assertEquals(0.5, confusion.precision(1));
    assertEquals(Double.NaN, confusion.precision(2));
    assertEquals(Double.NaN, confusion.recall(2));
    assertEquals(Double.NaN, confusion.f1(2));
    Confusion uneven = Confusion.of(answers(0, 0, 0, 1), new int[] {0, 1, 2, 0}, NAMES);
    assertEquals(1.0 / 3, uneven.precision(0));
    assertEquals(1.0 / 2, uneven.recall(0));
    assertEquals(2 / (3.0 + 2.0), uneven.f1(0), 1e-12); // 2 / (1 / precision + 1 / recall)
    assertEquals(
        """
        is \\ taken for  cat  dog  owl  precision  recall     F1
        cat               2    1    0      0.667   0.667  0.667
        dog               1    1    0      0.500   0.500  0.500
        owl               0    0    0          -       -      -
        accuracy 0.600 of 5
        """,
        confusion.toString());
  }

  /// A table of counts grows with the square of the classes, to more than memory holds.
  @Test
  void manyClasses_haveNoCountsInTheTable() {
    int classes = 1000;
    float[] logits = new float[2 * classes];
    logits[3] = 1;
    logits[classes + 4] = 1;
    List<String> names = IntStream.range(0, classes).mapToObj(k -> "c" + k).toList();
    String table = Confusion.of(Predictions.of(logits, classes), new int[] {3, 5}, names) + "";
    List<String> lines = table.lines().toList();
    assertEquals("class  precision  recall     F1", lines.getFirst());
    assertEquals("c3         1.000   1.000  1.000", lines.get(4));
    assertEquals("c5             -   0.000  0.000", lines.get(6));
    assertEquals("accuracy 0.500 of 2", lines.getLast());
    assertEquals(classes + 2, lines.size());
  }

  @Test
  void logits_becomeClassesAndProbabilities() {
    float[] logits = {1, 3, 2, 1000, 0, 1000};
    Predictions predictions = Predictions.of(logits, 3);
    assertArrayEquals(new int[] {1, 0}, predictions.best());
    double sum = Math.exp(1) + Math.exp(3) + Math.exp(2);
    assertArrayEquals(
        new float[] {
          (float) (Math.exp(1) / sum),
          (float) (Math.exp(3) / sum),
          (float) (Math.exp(2) / sum),
          0.5f,
          0,
          0.5f
        },
        predictions.probabilities(),
        1e-7f);
    Predictions yes = Predictions.of(new float[] {-1, 0, 2}, 1);
    assertEquals(2, yes.classes());
    assertArrayEquals(new int[] {0, 0, 1}, yes.best());
    assertArrayEquals(
        new float[] {(float) (1 / (1 + Math.E)), 0.5f, (float) (1 / (1 + Math.exp(-2)))},
        yes.probabilities(),
        1e-7f);
    shapeError(
        "[predictions] expected a multiple of 4 logits, and at least 1 output, found 6",
        () -> Predictions.of(logits, 4));
  }

  /// A share of 30,000 draws deviates by 0.0029 at most: 0.014 is five of that.
  @Test
  void draws_haveTheProbabilitiesOfTheTemperature() {
    int draws = 30_000;
    float[] logits = new float[3 * draws];
    for (int n = 0; n < draws; n++) {
      System.arraycopy(new float[] {1, 3, 2}, 0, logits, 3 * n, 3);
    }
    for (double temperature : new double[] {0.5, 1, 4}) {
      Predictions predictions = Predictions.of(logits, 3).temperature(temperature);
      int[] drawn = predictions.sample(new RandomStream(7, 0));
      assertArrayEquals(drawn, predictions.sample(new RandomStream(7, 0)));
      double[] weights = DoubleStream.of(1, 3, 2).map(x -> Math.exp(x / temperature)).toArray();
      for (int k = 0; k < 3; k++) {
        double expected = weights[k] / DoubleStream.of(weights).sum();
        int label = k;
        double found = IntStream.of(drawn).filter(c -> c == label).count() / (double) draws;
        assertEquals(expected, found, 0.014);
        assertEquals(expected, predictions.probabilities()[k], 1e-6);
      }
    }
  }

  @Test
  void draws_ofOneOutputAreYesAndNo() {
    float[] logits = new float[30_000];
    Arrays.fill(logits, 2);
    Predictions predictions = Predictions.of(logits, 1).temperature(2);
    double yes = IntStream.of(predictions.sample(new RandomStream(7, 0))).average().orElse(-1);
    assertEquals(1 / (1 + Math.exp(-1)), yes, 0.014);
    assertEquals(1, Predictions.of(new float[] {2}, 1).top(1).probabilities()[0]);
    assertEquals(0, Predictions.of(new float[] {-2}, 1).top(1).probabilities()[0]);
  }

  /// The first of equal ones stay, as they are the best.
  @Test
  void top_leavesTheMostProbable() {
    Predictions predictions = Predictions.of(new float[] {0, 5, 5, 5, 1, 2, 3, 4}, 4);
    float[] two = predictions.top(2).probabilities();
    float share = (float) (1 / (1 + Math.exp(-1)));
    assertArrayEquals(new float[] {0, 0.5f, 0.5f, 0, 0, 0, 1 - share, share}, two, 1e-6f);
    assertArrayEquals(predictions.best(), predictions.top(1).sample(new RandomStream(1, 0)));
    assertArrayEquals(predictions.probabilities(), predictions.top(9).probabilities());
  }

  /// A temperature near 0 is that of the greatest, and classes that are ruled out never come.
  @Test
  void draws_atTheEnds() {
    Predictions predictions = Predictions.of(new float[] {1e30f, 2e30f, -1, -2}, 2);
    assertArrayEquals(
        predictions.best(), predictions.temperature(1e-300).sample(new RandomStream(1, 0)));
    float never = Float.NEGATIVE_INFINITY;
    float[] logits = new float[3 * 1000];
    for (int n = 0; n < 1000; n++) {
      System.arraycopy(new float[] {never, 0, never}, 0, logits, 3 * n, 3);
    }
    for (int drawn : Predictions.of(logits, 3).temperature(2).sample(new RandomStream(1, 0))) {
      assertEquals(1, drawn);
    }
  }

  @Test
  void draws_fromNoDistribution_areRefused() {
    Predictions two = Predictions.of(new float[] {0, 1}, 2);
    refused(
        "[predictions] expected a finite temperature above 0, found 0.0", () -> two.temperature(0));
    refused(
        "[predictions] expected a finite temperature above 0, found NaN",
        () -> two.temperature(Double.NaN));
    refused("[predictions] expected at least 1 class to stay, found 0", () -> two.top(0));
    for (float other : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      float[] logits = {0, 0, Float.NEGATIVE_INFINITY, other};
      refused(
          "[predictions] expected finite logits to draw from, found %s for input 1"
              .formatted(other),
          () -> Predictions.of(logits, 2).sample(new RandomStream(1, 0)));
    }
    Predictions none = Predictions.of(new float[] {Float.NaN}, 1);
    for (Predictions one : List.of(none, none.top(1), none.temperature(2))) {
      refused(
          "[predictions] expected finite logits to draw from, found NaN for input 0",
          () -> one.sample(new RandomStream(1, 0)));
    }
  }

  /// The accuracy is that of an evaluation, of pictures and of examples, through the preprocessing.
  @Test
  void aModel_isJudgedAsInAnEvaluation() {
    ImageShape shape = new ImageShape(2, 2, 1);
    byte[] pixels = new byte[300 * 4];
    int[] labels = new int[300];
    float[] noise = Pictures.normal(pixels.length, 3);
    for (int i = 0; i < pixels.length; i++) {
      labels[i / 4] = i / 4 % 3;
      pixels[i] =
          (byte)
              Math.clamp(
                  Math.round(100 + 30 * noise[i] + (i % 4 == labels[i / 4] ? 40 : 0)), 0, 255);
    }
    MemoryDataset pictures = MemoryDataset.of("corners", shape, pixels, labels);
    try (Trainer trainer =
        Trainer.of(Net.input(2, 2, 1).flatten().dense(3)).on(Backends.REFERENCE.device())) {
      trainer.fit(pictures.batch(30), Span.epochs(2));
      Confusion confusion = Confusion.of(trainer.model(), pictures);
      assertEquals(trainer.evaluate(pictures.batch(64)).accuracy(), confusion.accuracy(), 1e-12);
      assertEquals(300, confusion.total());
      assertEquals(pictures.classNames(), confusion.classNames());
    }
    float[] inputs = Pictures.normal(200, 5);
    int[] signs = new int[200];
    for (int i = 0; i < signs.length; i++) {
      signs[i] = inputs[i] + 0.5 * noise[i] > 0 ? 1 : 0;
      inputs[i] = 50 + 9 * inputs[i];
    }
    Examples examples = Examples.of(inputs, signs);
    try (Trainer trainer =
        Trainer.of(Net.input(1).dense(1))
            .on(Backends.REFERENCE.device())
            .loss(Loss.binaryCrossEntropy())
            .preprocess(FeatureScaler.standardize(Samples.of(inputs, 1)))) {
      trainer.fit(examples.batch(20), Span.epochs(2));
      Confusion confusion = Confusion.of(trainer.model(), examples);
      double accuracy = trainer.evaluate(examples.batch(64)).accuracy();
      assertEquals(accuracy, confusion.accuracy(), 1e-12);
      assertEquals(List.of("0", "1"), confusion.classNames());
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    shapeError(
        "[confusion] expected a label for each of 2 predictions, found 1",
        () -> Confusion.of(answers(0, 1), new int[1], NAMES));
    shapeError(
        "[confusion] expected outputs for 3 classes, found 2",
        () -> Confusion.of(Predictions.of(new float[2], 2), new int[1], NAMES));
    assertThrows(
        IndexOutOfBoundsException.class, () -> Confusion.of(answers(0), new int[] {3}, NAMES));
    try (Model model = Model.of(Net.input(1).dense(2), Backends.REFERENCE.device(), 1)) {
      refused(
          "[confusion] expected labels, found numbers",
          () -> Confusion.of(model, Examples.of(new float[1], new float[1], 1)));
      MemoryDataset pictures =
          MemoryDataset.of("one", new ImageShape(1, 1, 1), new byte[1], new int[1]);
      illegalState(
          "[confusion] the images' preprocessing is not known: train, load, or set it",
          () -> Confusion.of(model, pictures));
    }
  }
}
