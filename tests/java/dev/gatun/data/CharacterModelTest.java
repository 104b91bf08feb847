package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.Evaluation;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/// A model of characters on real text.
class CharacterModelTest {
  /// Half a pass: far below what the frequencies of characters (3.3 nats) and of pairs (2.45) give.
  @Test
  void realText_isLearned() {
    Backends.requireNative();
    Path file = TestData.folder("text").resolve("tinyshakespeare.txt");
    assumeTrue(Files.exists(file), "no " + file);
    Text.Split text = Text.read(file).split(0.1);
    int characters = text.alphabet().size();
    Net net = Net.tokens(64).embedding(characters, 32).gru(128).dense(characters);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.CPU.device())
            .optimizer(Optimizer.adam(0.01))
            .clipNorm(1)
            .carryStates()) {
      trainer.fit(text.train().batches(32, 64), Span.steps(250));
      Evaluation test = trainer.evaluate(text.heldOut().batches(16, 64));
      assertTrue(test.loss() < 2, "nats per character: " + test.loss());
    }
  }
}
