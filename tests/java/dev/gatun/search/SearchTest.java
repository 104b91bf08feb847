package dev.gatun.search;

import static dev.gatun.Span.epochs;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DivergedException;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.random.RandomStream;
import dev.gatun.search.Search.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Strategies, bad trials and what is said of results, with functions in the place of trainings.
class SearchTest {
  private static final Parameter<Double> LR = Parameter.logUniform("lr", 1e-6, 1e-1);
  private static final Parameter<Double> REG = Parameter.logUniform("reg", 1e-5, 1e5);
  private static final Search SEARCH = Search.over(LR, REG);

  /// An accuracy that is best, 0.9, for a rate of 1e-3 and hardly depends on the other.
  private static double accuracy(Trial trial) {
    double rate = Math.log10(trial.get(LR)) + 3;
    double reg = Math.log10(trial.get(REG)) + 1;
    return 0.9 - 0.1 * rate * rate - 0.001 * reg * reg;
  }

  private static Stage trials(int count) {
    return new Stage(count, epochs(1));
  }

  @Test
  void values_followFromTheSeedAndTheTrialsNumber() {
    List<String> ten = values(SEARCH.random(trials(10), SearchTest::accuracy));
    assertEquals(ten, values(SEARCH.random(trials(10), SearchTest::accuracy)));
    assertEquals(ten, values(SEARCH.random(trials(25), SearchTest::accuracy)).subList(0, 10));
    List<String> others = values(SEARCH.seed(2).random(trials(10), SearchTest::accuracy));
    assertTrue(Stream.of(0, 1, 2).noneMatch(i -> ten.get(i).equals(others.get(i))), "another seed");
  }

  /// Five decades have a fifth of the draws each: 200 of 1000, give or take four deviations of
  /// 12.6.
  @Test
  void logarithmicRanges_coverEachDecadeAlike() {
    int[] decades = new int[5];
    for (Result result : SEARCH.random(trials(1000), SearchTest::accuracy).trials()) {
      decades[(int) Math.floor(Math.log10(result.trial().get(LR))) + 6]++;
    }
    for (int count : decades) {
      assertEquals(200, count, 50);
    }
  }

  /// The lectures' figure: nine trials on a grid try three values of the parameter that matters,
  /// nine random ones nine. So they come nearer to its best value, wherever that is: by less than
  /// six tenths of the distance, the mean of 200 searches.
  @Test
  void randomTrials_coverAnImportantParameterBetterThanAGrid() {
    Parameter<Double> important = Parameter.uniform("important", 0, 1);
    Parameter<Double> other = Parameter.uniform("other", 0, 1);
    Search search = Search.over(important, other).goal(Goal.LOSS);
    assertEquals(3, distinct(search.grid(3, epochs(1), trial -> 0), important));
    assertEquals(9, distinct(search.random(trials(9), trial -> 0), important));
    double onGrid = 0;
    double atRandom = 0;
    for (int seed = 1; seed <= 200; seed++) {
      double best = new RandomStream(seed, 9).nextDouble();
      ToDoubleFunction<Trial> distance = trial -> Math.abs(trial.get(important) - best);
      onGrid += score(search.grid(3, epochs(1), distance)) / 200;
      atRandom += score(search.seed(seed).random(trials(9), distance)) / 200;
    }
    assertEquals(0.125, onGrid, 0.02, "an eighth: points lie half apart");
    assertTrue(atRandom < 0.6 * onGrid, atRandom + " of " + onGrid);
  }

  private static long distinct(Results results, Parameter<Double> parameter) {
    return results.trials().stream()
        .map(result -> result.trial().get(parameter))
        .distinct()
        .count();
  }

  @Test
  void grid_isAllCombinations() {
    Parameter<String> update = Parameter.choice("update", "sgd", "adam");
    Parameter<Integer> layers = Parameter.whole("layers", 1, 3);
    Results results =
        Search.over(update, layers).grid(3, Span.steps(5), trial -> trial.get(layers));
    assertEquals(
        List.of(
            "update: sgd, layers: 1",
            "update: sgd, layers: 2",
            "update: sgd, layers: 3",
            "update: adam, layers: 1",
            "update: adam, layers: 2",
            "update: adam, layers: 3"),
        values(results));
    assertEquals(Span.steps(5), results.trials().getFirst().trial().length());
  }

  /// The rate's 1e-3 and the other's 0.1 are found ever more exactly, in ever narrower ranges, with
  /// ever longer trials; the best score grows from stage to stage.
  @Test
  void coarseToFine_narrowsTheRangesAroundTheBest() {
    List<Results> stages =
        SEARCH.coarseToFine(
            SearchTest::accuracy, Stage.coarse(40), Stage.fine(40), new Stage(40, epochs(20)));
    assertEquals(
        List.of(epochs(3), epochs(15), epochs(20)), stages.stream().map(Results::length).toList());
    double width = 5.001;
    double score = 0;
    for (Results stage : stages) {
      Parameter<?> rate = stage.space().getFirst();
      double low = (Double) rate.at(0);
      double high = (Double) rate.at(1);
      assertTrue(low < 1e-3 && 1e-3 < high, rate.range());
      assertTrue(Math.log10(high / low) < width, rate.range());
      width = Math.log10(high / low);
      assertTrue(score(stage) > score, "stage " + stage.stage() + ": " + score(stage));
      score = score(stage);
    }
    assertEquals(0.9, score, 0.002);
    assertEquals(
        values(stages.get(1)),
        values(SEARCH.around(stages.getFirst()).random(Stage.fine(40), SearchTest::accuracy)));
  }

  /// Ranges narrow around the best tenth, at least two.
  @Test
  void around_takesTheBestTenth() {
    Results results = SEARCH.random(trials(30), SearchTest::accuracy);
    List<Double> best =
        results.ranking().stream().limit(3).map(result -> result.trial().get(LR)).toList();
    assertEquals(LR.around(best, LR), SEARCH.around(results).space().getFirst());
    Results few = SEARCH.random(trials(4), SearchTest::accuracy);
    List<Double> two =
        few.ranking().stream().limit(2).map(result -> result.trial().get(LR)).toList();
    assertEquals(LR.around(two, LR), SEARCH.around(few).space().getFirst());
  }

  @Test
  void lines_areThoseOfTheLectures() {
    List<String> lines = new ArrayList<>();
    Search.over(
            Parameter.logUniform("lr", 1.405206e-04, 1),
            Parameter.logUniform("reg", 4.793564e-01, 1))
        .each(result -> lines.add(result.line()))
        .grid(2, epochs(5), trial -> 0.412);
    assertEquals(
        "val acc: 0.412000, lr: 1.405206e-04, reg: 4.793564e-01, (1 / 4)", lines.getFirst());
    assertEquals(4, lines.size());
    lines.clear();
    SEARCH.goal(Goal.LOSS).each(result -> lines.add(result.line())).random(trials(1), t -> 2.25);
    assertTrue(lines.getFirst().startsWith("val loss: 2.250000, lr: "), lines.getFirst());
  }

  /// What blows up or returns no number has no score, and the search goes on.
  @Test
  void badTrials_areNotTheEnd() {
    List<ToDoubleFunction<Trial>> kinds =
        List.of(
            trial -> 0.5,
            trial -> {
              throw new DivergedException("the loss became NaN");
            },
            trial -> Double.NaN,
            trial -> {
              trial.loss(2.0);
              trial.loss(6.0);
              trial.loss(6.1);
              return 0.9;
            },
            trial -> 0.6);
    Results results =
        SEARCH.random(trials(5), trial -> kinds.get(trial.number() - 1).applyAsDouble(trial));
    List<Result> trials = results.trials();
    assertNull(trials.get(0).trouble());
    assertEquals("the loss was not finite", trials.get(1).trouble());
    assertEquals("its score is NaN", trials.get(2).trouble());
    assertEquals("the loss came to 6.100 from 2.000 at the start", trials.get(3).trouble());
    assertTrue(
        trials.get(3).line().endsWith("(4 / 5): the loss came to 6.100 from 2.000 at the start"),
        trials.get(3).line());
    assertEquals(
        List.of(5, 1, 2, 3, 4),
        results.ranking().stream().map(result -> result.trial().number()).toList());
    assertEquals(0.6, score(results));
  }

  /// Such as the negative logarithm of a density. What is worse than the first by twice its size is
  /// three times as bad.
  @Test
  void lossesBelowZero_areJudgedByTheirSize() {
    Results results =
        SEARCH
            .goal(Goal.LOSS)
            .random(
                trials(2),
                trial -> {
                  trial.loss(-2);
                  trial.loss(trial.number() == 1 ? 1.9 : 2.1);
                  return -1;
                });
    assertEquals(-1, results.trials().get(0).score());
    assertTrue(Double.isNaN(results.trials().get(1).score()));
  }

  @Test
  void aFirstLossThatIsNotFinite_isBad() {
    Results results =
        SEARCH.random(
            trials(1),
            trial -> {
              trial.loss(Double.POSITIVE_INFINITY);
              return 1;
            });
    assertTrue(Double.isNaN(results.trials().getFirst().score()));
  }

  @Test
  void otherExceptions_areBugs_andLeaveTheSearch() {
    assertThrows(
        IllegalStateException.class,
        () ->
            SEARCH.random(
                trials(3),
                trial -> {
                  throw new IllegalStateException("a bug");
                }));
  }

  /// Three trials reach 0.5, 0.6 and 0.7 after two epochs. The fourth is behind 0.6 then and is
  /// given up; the fifth is behind it after the first epoch only, which does not count yet.
  @Test
  void trialsBehindTheMedian_areGivenUp() {
    double[][] scores = {{0.5, 0.5}, {0.3, 0.6}, {0.7, 0.2}, {0.55, 0.4, 0.9}, {0.1, 0.65, 0.65}};
    List<Integer> reached = new ArrayList<>();
    Results results =
        SEARCH
            .giveUpBehindMedian(2)
            .random(
                trials(5),
                trial -> {
                  int epoch = 0;
                  double best = 0;
                  for (double score : scores[trial.number() - 1]) {
                    reached.add(trial.number() * 10 + ++epoch);
                    trial.epoch(score);
                    best = Math.max(best, score);
                  }
                  return best;
                });
    assertEquals(List.of(11, 12, 21, 22, 31, 32, 41, 42, 51, 52, 53), reached);
    Result fourth = results.trials().get(3);
    assertEquals("val acc 0.5500 after epoch 2 is behind the median, 0.6000", fourth.trouble());
    assertEquals(0.55, fourth.score());
    assertNull(results.trials().get(4).trouble());
  }

  /// The lectures' second log: rates from 1e-4 to 1e-3, and the best is 9.471549e-04.
  @Test
  void aBestValueAtAnEdge_isWorrying() {
    Parameter<Double> rate = Parameter.logUniform("lr", 1e-4, 1e-3);
    Parameter<Double> reg = Parameter.uniform("reg", 0, 1);
    Search search = Search.over(rate, reg);
    Results growing = search.random(trials(100), trial -> trial.get(rate));
    Result best = Objects.requireNonNull(growing.best());
    List<String> findings = growing.findings();
    assertEquals(
        "lr: the best value, "
            + rate.format(best.trial().get(rate))
            + ", lies at the upper end of its range (1.000000e-04 to 1.000000e-03); better ones may"
            + " lie beyond",
        findings.getFirst());
    Results between =
        search.random(
            trials(100),
            trial -> -Math.abs(trial.get(rate) - 3e-4) - 1e-4 * Math.abs(trial.get(reg) - 0.5));
    assertEquals(List.of(), between.findings());
    assertEquals(
        List.of("no trial came to a score; try smaller learning rates"),
        search.random(trials(2), trial -> Double.NaN).findings());
  }

  @Test
  void tables_areSortedByScore() {
    Parameter<Integer> layers = Parameter.whole("layers", 1, 12);
    Results results =
        Search.over(layers, Parameter.choice("update", "sgd"))
            .goal(Goal.LOSS)
            .grid(3, epochs(1), trial -> 1.0 / trial.get(layers));
    assertEquals(
        """
        val loss  layers  update  trial
        0.083333      12     sgd      3
        0.142857       7     sgd      2
        """,
        results.table(2));
  }

  @Test
  void wrongUse_isRefused() {
    refused("[search] expected parameters with names of their own, found []", Search::over);
    refused(
        "[search] expected parameters with names of their own, found [lr, lr]",
        () -> Search.over(LR, LR));
    refused("[search] expected at least 1 trial, found 0", () -> Stage.coarse(0));
    refused("[search] expected a factor of at least 1, found 0.5", () -> SEARCH.giveUpAbove(0.5));
    refused("[search] expected at least 1 epoch, found 0", () -> SEARCH.giveUpBehindMedian(0));
    refused(
        "[search] the space has no parameter depth; it has [lr, reg]",
        () -> SEARCH.random(trials(1), trial -> trial.get(Parameter.whole("depth", 1, 2))));
    refused(
        "[search] no trial has a score to go on from",
        () -> SEARCH.around(SEARCH.random(trials(2), trial -> Double.NaN)));
    assertEquals(
        1, SEARCH.coarseToFine(trial -> Double.NaN, trials(1), trials(1)).size(), "ends early");
  }

  /// All kinds of updates and decays are there to be chosen from, and each is another one.
  @Test
  void presets_areOptimizersAndSchedules() {
    List<Object> rules = new ArrayList<>();
    for (Presets.Update update : Presets.update().grid(2)) {
      rules.add(update.of(0.01, 1e-4));
      assertEquals(0.01, update.of(0.01, 1e-4).learningRate());
      assertNotEquals(update.of(0.01, 1e-4), update.of(0.01, 0), "its weight decay counts");
    }
    assertEquals(4, rules.stream().distinct().count());
    assertEquals(List.of(Presets.Decay.values()), Presets.decay().grid(2));
    assertArrayEquals(new double[] {1, 1, 1}, factors(Presets.Decay.NONE), 1e-6);
    assertArrayEquals(new double[] {1, 0.1, 0.01}, factors(Presets.Decay.STEPS), 1e-6);
    assertArrayEquals(new double[] {1, 0.5, 0.146447}, factors(Presets.Decay.COSINE), 1e-6);
    assertEquals(List.of(1e-4, 1e-5, 0.0), Presets.fewWeightDecays().grid(2));
    assertEquals(List.of(0.0, 0.5), Presets.dropout().grid(2));
    assertEquals(4, Presets.learningRate().grid(4).size());
    assertEquals("1.000000e-06 to 1.000000e-02", Presets.weightDecay().range());
  }

  /// At the beginning, the middle and after three quarters of a run.
  private static double[] factors(Presets.Decay decay) {
    return LongStream.of(0, 50, 75)
        .mapToDouble(step -> decay.schedule().factor(new Schedule.Moment(step, 10, 100)))
        .toArray();
  }

  private static double score(Results results) {
    return Objects.requireNonNull(results.best()).score();
  }

  private static List<String> values(Results results) {
    return results.trials().stream().map(result -> result.trial().toString()).toList();
  }

  private static void refused(String message, org.junit.jupiter.api.function.Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
