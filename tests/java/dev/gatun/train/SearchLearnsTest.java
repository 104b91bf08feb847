package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.search.Parameter;
import dev.gatun.search.Result;
import dev.gatun.search.Results;
import dev.gatun.search.Search;
import dev.gatun.search.Search.Stage;
import dev.gatun.search.Trial;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Searches with trainers in them: a net of two layers on noisy pictures, rates over seven decades.
class SearchLearnsTest {
  private static final ImageShape SMALL = new ImageShape(6, 6, 1);
  private static final Dataset TRAIN = Pictures.noisy(500, SMALL, 2, 1);
  private static final Dataset VALIDATION = Pictures.noisy(500, SMALL, 2, 2);
  private static final Net NET = Net.input(6, 6, 1).flatten().dense(20).relu().dense(10);
  private static final Parameter<Double> LR = Parameter.logUniform("lr", 1e-6, 1e1);
  private static final Parameter<Double> REG = Parameter.logUniform("reg", 1e-5, 1e1);
  private static final Search SEARCH = Search.over(LR, REG);

  private static double train(Trial trial) {
    try (Trainer trainer =
        Trainer.of(NET)
            .on(Backends.CPU.device())
            .optimizer(Optimizer.sgd(trial.get(LR)).momentum(0.9).weightDecay(trial.get(REG)))
            .watch(trial.watcher())) {
      return Objects.requireNonNull(
              trainer.fit(TRAIN.batch(50), VALIDATION.batch(250), trial.length()).test())
          .accuracy();
    }
  }

  /// The lectures' two logs: many short trials over many decades, most of which learn nothing or
  /// blow up, then longer ones around the best. The best becomes better, and most of the fine ones
  /// are nearly as good.
  @Test
  void coarseToFine_finds_whatLearns() {
    List<String> lines = new ArrayList<>();
    List<Results> stages =
        SEARCH
            .each(result -> lines.add(result.line()))
            .coarseToFine(
                SearchLearnsTest::train, new Stage(30, epochs(1)), new Stage(15, epochs(6)));
    assertEquals(45, lines.size());
    for (String line : lines) {
      assertTrue(
          line.matches(
              "val acc: (NaN|0\\.\\d{6}), lr: \\d\\.\\d{6}e[-+]\\d\\d, reg: \\d\\.\\d{6}e[-+]\\d\\d,"
                  + " \\(\\d+ / (30|15)\\)(: the loss .*)?"),
          line);
    }
    Results coarse = stages.getFirst();
    Results fine = stages.getLast();
    assertTrue(coarse.trials().stream().anyMatch(r -> r.trouble() != null), "some blow up");
    assertTrue(score(fine) > score(coarse) + 0.05, score(coarse) + " to " + score(fine));
    assertTrue(median(fine) > median(coarse) + 0.2, median(coarse) + " to " + median(fine));
  }

  /// Most of a hopeless trial's time is saved.
  @Test
  void hopelessTrials_areGivenUp_andOthersAreNot() {
    Parameter<Double> few = Parameter.choice("lr", 1e6, 10.0, 0.01);
    Results results =
        Search.over(few, REG)
            .grid(
                2,
                epochs(3),
                trial -> {
                  try (Trainer trainer =
                      Trainer.of(NET)
                          .on(Backends.CPU.device())
                          .optimizer(Optimizer.sgd(trial.get(few)))
                          .watch(trial.watcher())) {
                    trainer.fit(TRAIN.batch(50), trial.length());
                    return 1;
                  }
                });
    for (Result result : results.trials()) {
      double rate = result.trial().get(few);
      if (rate > 1) {
        assertNotNull(result.trouble(), result.line());
        assertTrue(Double.isNaN(result.score()), result.line());
      } else {
        assertEquals(1, result.score(), result.line());
      }
    }
  }

  @Test
  void theSameSeed_givesTheSameScores() {
    assertEquals(scores(), scores());
  }

  private static List<Double> scores() {
    return SEARCH.random(new Stage(4, epochs(1)), SearchLearnsTest::train).trials().stream()
        .map(Result::score)
        .toList();
  }

  private static double score(Results results) {
    return Objects.requireNonNull(results.best()).score();
  }

  private static double median(Results results) {
    List<Result> ranking = results.ranking();
    double score = ranking.get(ranking.size() / 2).score();
    return Double.isNaN(score) ? 0 : score;
  }
}
