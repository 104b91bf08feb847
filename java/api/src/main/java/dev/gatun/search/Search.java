package dev.gatun.search;

import dev.gatun.DivergedException;
import dev.gatun.Span;
import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/// Looks for hyper-parameters that train well. A trial is a function that makes and runs a trainer,
/// any trainer, and returns a score:
///
/// ```java
/// Parameter<Double> lr = Parameter.logUniform("lr", 1e-6, 1e-1);
/// Parameter<Double> reg = Parameter.logUniform("reg", 1e-5, 1e-1);
/// List<Results> stages =
///     Search.over(lr, reg)
///         .each(result -> System.out.println(result.line()))
///         .coarseToFine(
///             trial -> {
///               try (Trainer trainer =
///                   Trainer.of(net)
///                       .on(device)
///                       .optimizer(sgd(trial.get(lr)).momentum(0.9).weightDecay(trial.get(reg)))
///                       .watch(trial.watcher())) {
///                 History history = trainer.fit(train, validation, trial.length());
///                 return history.epochs().getLast().test().accuracy();
///               }
///             },
///             Search.Stage.coarse(100),
///             Search.Stage.fine(100));
/// ```
///
/// Random trials cover each parameter better than a grid of as many (Bergstra and Bengio 2012): 9
/// trials of two parameters try 9 values of each, a grid tries 3. So if one of the two matters
/// little, two thirds of the grid are wasted.
///
/// A trial whose loss is not finite, or more than three times the first, is a bad trial, not the
/// end of the search. Values depend on the seed and the trial's number alone; more trials of the
/// same seed begin with the same ones. Score on data that the final test does not use: what chooses
/// is part of training. Immutable: every method that sets something returns another search.
public final class Search {
  /// Trials are compared when at least so many were there before.
  static final int FEWEST_COMPARED = 3;

  /// The share of a stage's trials that the next one is narrowed around, and the fewest.
  private static final double BEST = 0.1;

  private static final int FEWEST_BEST = 2;

  private static final long PURPOSE = 0x736561726368L; // "search"

  private final List<Parameter<?>> space;
  private final List<Parameter<?>> limits; // that narrowed ranges stay within
  private final int stage;
  private final Rules rules;

  private record Rules(long seed, Trial.Giving giving, Consumer<Result> listener) {}

  /// Random trials of one length.
  ///
  /// @param trials how many, at least 1
  /// @param length how long each trains
  public record Stage(int trials, Span length) {
    /// Checks the range.
    public Stage {
      if (trials < 1) {
        throw new IllegalArgumentException("[search] expected at least 1 trial, found " + trials);
      }
    }

    /// Trials of 3 epochs, which show what works at all; the lectures take 1 to 5.
    public static Stage coarse(int trials) {
      return new Stage(trials, Span.epochs(3));
    }

    /// Trials of 15 epochs, to choose among what works; the lectures take 10 to 20, without a decay
    /// of the learning rate.
    public static Stage fine(int trials) {
      return new Stage(trials, Span.epochs(15));
    }
  }

  private Search(List<Parameter<?>> space, List<Parameter<?>> limits, int stage, Rules rules) {
    this.space = space;
    this.limits = limits;
    this.stage = stage;
    this.rules = rules;
  }

  /// A search over these parameters: seed 1, for accuracy; trials are given up when their loss is
  /// more than 3 times the first.
  ///
  /// @throws IllegalArgumentException if there is none, or two have the same name
  public static Search over(Parameter<?>... parameters) {
    List<Parameter<?>> space = List.of(parameters);
    Set<String> names = space.stream().map(Parameter::name).collect(Collectors.toSet());
    if (names.isEmpty() || names.size() < space.size()) {
      throw new IllegalArgumentException(
          "[search] expected parameters with names of their own, found "
              + space.stream().map(Parameter::name).toList());
    }
    Trial.Giving giving = new Trial.Giving(3, Integer.MAX_VALUE, Goal.ACCURACY);
    return new Search(space, space, 1, new Rules(1, giving, result -> {}));
  }

  /// The same with values drawn from this seed.
  public Search seed(long seed) {
    return with(new Rules(seed, rules.giving, rules.listener));
  }

  /// The same for another kind of score.
  public Search goal(Goal goal) {
    Trial.Giving giving = rules.giving;
    return giving(new Trial.Giving(giving.factor(), giving.grace(), goal));
  }

  /// The same where [Trial#watcher] gives a trial up when its loss is more than `factor` times that
  /// of its first step; of a first loss below 0, when it lies above that by more than `factor - 1`
  /// times its size.
  ///
  /// @throws IllegalArgumentException if the factor is not at least 1
  public Search giveUpAbove(double factor) {
    if (!(factor >= 1)) {
      throw new IllegalArgumentException(
          "[search] expected a factor of at least 1, found " + factor);
    }
    Trial.Giving giving = rules.giving;
    return giving(new Trial.Giving(factor, giving.grace(), giving.goal()));
  }

  /// The same where [Trial#watcher] gives a trial up, too, that after this many epochs, or any
  /// more, is behind the median of the earlier trials of its stage at that epoch, each by its best
  /// so far (Golovin et al. 2017). At least three earlier trials must have come as far.
  ///
  /// @throws IllegalArgumentException unless at least 1
  public Search giveUpBehindMedian(int epochs) {
    if (epochs < 1) {
      throw new IllegalArgumentException("[search] expected at least 1 epoch, found " + epochs);
    }
    Trial.Giving giving = rules.giving;
    return giving(new Trial.Giving(giving.factor(), epochs, giving.goal()));
  }

  /// The same where `listener` is told of each result as it comes.
  public Search each(Consumer<Result> listener) {
    return with(new Rules(rules.seed, rules.giving, listener));
  }

  /// Its parameters.
  public List<Parameter<?>> space() {
    return space;
  }

  /// Tries all combinations of values at equal distances, the first parameter changing least often.
  ///
  /// @param points values of each parameter, at least 2
  /// @param length how long each trial trains
  /// @param function trains and returns the score
  public Results grid(int points, Span length, ToDoubleFunction<Trial> function) {
    List<Map<Parameter<?>, Object>> all = List.of(Map.of());
    for (Parameter<?> parameter : space) {
      List<Map<Parameter<?>, Object>> longer = new ArrayList<>();
      for (Map<Parameter<?>, Object> begun : all) {
        for (Object value : parameter.grid(points)) {
          Map<Parameter<?>, Object> values = new LinkedHashMap<>(begun);
          values.put(parameter, value);
          longer.add(values);
        }
      }
      all = longer;
    }
    return run(all, length, function);
  }

  /// Tries combinations drawn at random.
  ///
  /// @param function trains and returns the score
  public Results random(Stage of, ToDoubleFunction<Trial> function) {
    RandomStream random = new RandomStream(Philox.derive(rules.seed, PURPOSE + stage), 0);
    List<Map<Parameter<?>, Object>> all = new ArrayList<>();
    for (int i = 0; i < of.trials(); i++) {
      random.restart(i);
      Map<Parameter<?>, Object> values = new LinkedHashMap<>();
      space.forEach(parameter -> values.put(parameter, parameter.at(random.nextDouble())));
      all.add(values);
    }
    return run(all, of.length(), function);
  }

  /// Stages of random trials, each in the ranges [#around] the best of the stage before: first many
  /// short trials to see what works, then longer ones. Ends early when a stage has no score.
  ///
  /// @param function trains and returns the score
  /// @return the results of each stage
  public List<Results> coarseToFine(ToDoubleFunction<Trial> function, Stage... stages) {
    List<Results> all = new ArrayList<>();
    Search search = this;
    for (Stage of : stages) {
      if (!all.isEmpty()) {
        if (all.getLast().best() == null) {
          break;
        }
        search = search.around(all.getLast());
      }
      all.add(search.random(of, function));
    }
    return List.copyOf(all);
  }

  /// The next stage: the same search in narrower ranges around the best tenth of these trials, at
  /// least two. Ranges may move, but not beyond those of the first stage.
  ///
  /// @throws IllegalArgumentException if no trial has a score
  public Search around(Results results) {
    List<Trial> best =
        results.ranking().stream()
            .filter(result -> !Double.isNaN(result.score()))
            .limit(Math.max(FEWEST_BEST, Math.round(BEST * results.trials().size())))
            .map(Result::trial)
            .toList();
    if (best.isEmpty()) {
      throw new IllegalArgumentException("[search] no trial has a score to go on from");
    }
    List<Parameter<?>> narrowed = new ArrayList<>();
    for (int i = 0; i < space.size(); i++) {
      narrowed.add(narrow(space.get(i), limits.get(i), best));
    }
    return new Search(List.copyOf(narrowed), limits, stage + 1, rules);
  }

  @SuppressWarnings("unchecked") // a parameter and its limits are of one kind
  private static <T> Parameter<T> narrow(
      Parameter<T> parameter, Parameter<?> limits, List<Trial> best) {
    List<T> values = best.stream().map(trial -> trial.get(parameter)).toList();
    return parameter.around(values, (Parameter<T>) limits);
  }

  private Results run(
      List<Map<Parameter<?>, Object>> all, Span length, ToDoubleFunction<Trial> function) {
    List<Result> results = new ArrayList<>();
    List<List<Double>> earlier = new ArrayList<>();
    for (Map<Parameter<?>, Object> values : all) {
      Trial trial =
          new Trial(
              stage,
              results.size() + 1,
              all.size(),
              length,
              values,
              rules.giving,
              List.copyOf(earlier));
      Result result = run(trial, function);
      earlier.add(trial.epochs());
      results.add(result);
      rules.listener.accept(result);
    }
    return new Results(stage, space, rules.giving.goal(), length, results);
  }

  private Result run(Trial trial, ToDoubleFunction<Trial> function) {
    long start = System.nanoTime();
    double score = Double.NaN;
    String trouble = null;
    try {
      score = function.applyAsDouble(trial);
      if (!Double.isFinite(score)) {
        trouble = "its score is " + score;
        score = Double.NaN;
      }
    } catch (DivergedException e) {
      trouble = "the loss was not finite";
    } catch (GivenUpException e) {
      trouble = e.reason();
      score = e.score();
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Result(trial, rules.giving.goal(), score, trouble, seconds);
  }

  private Search giving(Trial.Giving giving) {
    return with(new Rules(rules.seed, giving, rules.listener));
  }

  private Search with(Rules newRules) {
    return new Search(space, limits, stage, newRules);
  }
}
