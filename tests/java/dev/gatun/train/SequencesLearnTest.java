package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Evaluation;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recurrent;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Text;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// What recurrent networks learn, and the vanilla cell does not.
class SequencesLearnTest {
  private static final int STEPS = 100;
  private static final int BATCH = 64;
  private static final int UNITS = 32;
  private static final int LEARNED = 1_000;
  private static final int MEASURED = 20;
  private static final double RATE = 0.01;

  /// Of the targets' variance, 1/6, which is what is left if nothing is learned.
  private static final double SOLVED = 0.005;

  @BeforeAll
  static void needsTheNativeLibrary() {
    Backends.requireNative();
  }

  @Test
  void addingProblem_isSolvedByGru() {
    double left = adding(Recurrent.gru(UNITS), RATE);
    assertTrue(left < SOLVED, "mean squared error " + left);
  }

  @Test
  void addingProblem_isSolvedByLstm() {
    double left = adding(Recurrent.lstm(UNITS), RATE);
    assertTrue(left < SOLVED, "mean squared error " + left);
  }

  /// Nor with a smaller rate.
  @Test
  void addingProblem_isNotSolvedByTheVanillaCell() {
    for (double rate : new double[] {RATE, RATE / 10, RATE / 30}) {
      double left = adding(Recurrent.rnn(UNITS), rate);
      assertTrue(left > 10 * SOLVED, "mean squared error " + left + ", rate " + rate);
    }
  }

  /// The adding problem (Hochreiter and Schmidhuber 1997; Le et al. 2015): of 100 numbers in [0, 1]
  /// two are marked, one in each half; the target is their sum. Every batch is new, and all cells
  /// have as many. Returns the mean squared error over batches that nothing is learned from.
  private static double adding(Recurrent layer, double rate) {
    Net net = Net.input(STEPS, 2).recurrent(layer.lastState()).dense(1);
    RandomStream random = new RandomStream(11, 0);
    float[] x = new float[BATCH * STEPS * 2];
    float[] sums = new float[BATCH];
    double error = 0;
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.CPU.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.adam(rate))
            .clipNorm(1)
            .seed(3)) {
      for (int i = 0; i < LEARNED + MEASURED; i++) {
        draw(random, x, sums);
        boolean learns = i < LEARNED;
        double loss = trainer.step(x, sums, learns ? rate : 0);
        error += learns ? 0 : loss / MEASURED;
      }
    }
    return error;
  }

  private static void draw(RandomStream random, float[] x, float[] sums) {
    for (int n = 0; n < sums.length; n++) {
      int first = random.nextInt(STEPS / 2);
      int second = STEPS / 2 + random.nextInt(STEPS / 2);
      sums[n] = 0;
      for (int t = 0; t < STEPS; t++) {
        float value = (float) random.nextDouble(0, 1);
        boolean marked = t == first || t == second;
        x[(n * STEPS + t) * 2] = value;
        x[(n * STEPS + t) * 2 + 1] = marked ? 1 : 0;
        sums[n] += marked ? value : 0;
      }
    }
  }

  /// Sixteen words in random order: nothing can be known of which comes next, and everything of how
  /// a word goes on once it is told apart from the others. Held-out text then costs ln 16 a word,
  /// and a model that has learned the words comes near that; none can do better.
  @Test
  void characters_ofRandomWordsCostTheirEntropy() {
    String[] words = {
      "and",
      "anchor",
      "canal",
      "candle",
      "deep",
      "depth",
      "gate",
      "gatun",
      "lake",
      "lock",
      "ship",
      "shipping",
      "stone",
      "stream",
      "water",
      "wave"
    };
    RandomStream random = new RandomStream(5, 0);
    StringBuilder letters = new StringBuilder();
    while (letters.length() < 60_000) {
      letters.append(words[random.nextInt(words.length)]).append(' ');
    }
    Text.Split text = Text.of(letters.toString()).split(0.1);
    String heldOut = text.alphabet().decode(text.heldOut().tokens());
    double spaces = heldOut.chars().filter(c -> c == ' ').count();
    double entropy = spaces * Math.log(words.length) / heldOut.length();
    int characters = text.alphabet().size();
    Net net = Net.tokens(32).embedding(characters, 16).gru(48).dense(characters);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.CPU.device())
            .optimizer(Optimizer.adam(0.01))
            .schedule(Schedule.cosine())
            .clipNorm(1)
            .carryStates()) {
      trainer.fit(text.train().batches(16, 32), Span.epochs(5));
      Evaluation test = trainer.evaluate(text.heldOut().batches(4, 32));
      assertEquals(entropy, test.loss(), 0.03 * entropy);
      assertTrue(test.loss() > 0.99 * entropy, "better than can be: " + test.loss());
    }
  }
}
