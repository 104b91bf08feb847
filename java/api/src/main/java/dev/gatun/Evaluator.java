package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Batch;
import dev.gatun.data.Batches;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.Examples;
import dev.gatun.data.Loader;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.TextBatches;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Evaluates models of a trainer in inference mode: the trained one, and that of averaged weights.
final class Evaluator {
  private final TrainerSettings settings;
  private final Holdings holdings;
  private final Map<Judge, InferenceStep> judges = new HashMap<>();

  /// What an evaluation is compiled for.
  ///
  /// @param steps of sequences; 0 for other inputs
  private record Judge(Model model, int batch, int steps, Score.Targets targets) {}

  /// @param holdings take over what is compiled
  Evaluator(TrainerSettings settings, Holdings holdings) {
    this.settings = settings;
    this.holdings = holdings;
  }

  /// On all pictures of `test`.
  Evaluation evaluate(Model model, Preprocessing preprocessing, Batches test) {
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(model, test.size(), 0, Score.Targets.LABELS),
            key ->
                holdings.add(
                    InferenceStep.judging(
                        key.model(), key.batch(), settings.loss, Score.Targets.LABELS)));
    long start = System.nanoTime();
    Weights weights = new Weights();
    double lossSum = 0;
    long correct = 0;
    long images = 0;
    try (Loader loader =
        new Loader(
            test,
            preprocessing,
            Augmentation.Pipeline.none(),
            settings.seed,
            settings.loaderThreads)) {
      loader.start(0);
      for (Batch batch = loader.next(); batch != null; batch = loader.next()) {
        judge.setLabels(batch.labels());
        judge.run(batch.images(), 0, batch.images().length);
        lossSum += judge.loss() * weights.add(batch.labels(), batch.count());
        correct += judge.correct();
        images += batch.count();
        loader.release(batch);
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    double accuracy = accuracy(Score.Targets.LABELS, correct, images);
    return new Evaluation(lossSum / weights.sum, accuracy, images, seconds);
  }

  /// On preprocessed examples. An incomplete last batch has a program of its own.
  Evaluation evaluate(Model model, ExampleBatches test) {
    Examples examples = test.examples();
    long start = System.nanoTime();
    Weights weights = new Weights();
    double lossSum = 0;
    long correct = 0;
    for (int first = 0; first < examples.size(); first += test.size()) {
      int end = Math.min(first + test.size(), examples.size());
      Examples batch = examples.subset(IntStream.range(first, end).toArray());
      InferenceStep judge = judge(model, batch);
      int[] labels = batch.labels();
      float[] targets = batch.targets();
      if (labels != null) {
        judge.setLabels(labels);
      } else if (targets != null) {
        judge.setTargets(targets);
      }
      float[] inputs = batch.inputs();
      judge.run(inputs, 0, inputs.length);
      lossSum += judge.loss() * weights.add(labels, batch.size());
      correct += judge.correct();
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    long answers = examples.size() * Requirements.rows(settings.net.outputShape());
    return new Evaluation(
        lossSum / weights.sum,
        accuracy(Score.Targets.of(examples), correct, answers),
        examples.size(),
        seconds);
  }

  private InferenceStep judge(Model model, Examples batch) {
    return judges.computeIfAbsent(
        new Judge(model, batch.size(), 0, Score.Targets.of(batch)),
        key ->
            holdings.add(
                InferenceStep.judging(key.model(), key.batch(), settings.loss, key.targets())));
  }

  /// On a text from its beginning; where states are carried they go on along its streams.
  Evaluation evaluate(Model model, TextBatches test) {
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(model, test.streams(), test.steps(), Score.Targets.LABELS),
            key ->
                holdings.add(
                    InferenceStep.judging(
                        key.model(),
                        key.batch(),
                        key.steps(),
                        settings.loss,
                        settings.carriesStates)));
    judge.resetStates();
    long start = System.nanoTime();
    Weights weights = new Weights();
    double lossSum = 0;
    long correct = 0;
    for (int i = 0; i < test.count(); i++) {
      int[] tokens = test.inputs(i);
      int[] labels = test.targets(i);
      judge.setLabels(labels);
      judge.run(tokens, 0, tokens.length);
      lossSum += judge.loss() * weights.add(labels, labels.length);
      correct += judge.correct();
    }
    long characters = (long) test.count() * test.streams() * test.steps();
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Evaluation(
        lossSum / weights.sum,
        accuracy(Score.Targets.LABELS, correct, characters),
        characters,
        seconds);
  }

  private double accuracy(Score.Targets targets, long correct, long rows) {
    return Score.accuracy(settings.net, settings.loss, targets, correct, rows);
  }

  /// What the means of batches count for in the mean of all, so that this does not depend on how a
  /// set is cut: the numbers that they were divided by.
  private final class Weights {
    private final float @Nullable [] ofClasses;
    private double sum;

    Weights() {
      Tensor weights =
          settings.loss instanceof CrossEntropy entropy ? entropy.classWeights() : null;
      ofClasses = weights == null ? null : weights.toFloatArray();
    }

    /// That of a batch: how many examples it has, or the sum of the weights of their classes.
    double add(int @Nullable [] labels, int count) {
      double weight = count;
      if (labels != null && ofClasses != null) {
        weight = 0;
        for (int i = 0; i < labels.length; i++) {
          weight += labels[i] < 0 ? 0 : ofClasses[labels[i]];
        }
      }
      sum += weight;
      return weight;
    }
  }
}
