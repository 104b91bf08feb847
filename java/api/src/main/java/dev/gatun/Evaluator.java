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
        lossSum += (double) judge.loss() * batch.count();
        correct += judge.correct();
        images += batch.count();
        loader.release(batch);
      }
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    double accuracy = Score.accuracy(settings.net, settings.loss, correct, images);
    return new Evaluation(lossSum / images, accuracy, images, seconds);
  }

  /// On preprocessed examples. An incomplete last batch has a program of its own.
  Evaluation evaluate(Model model, ExampleBatches test) {
    Examples examples = test.examples();
    long start = System.nanoTime();
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
      lossSum += (double) judge.loss() * batch.size();
      correct += judge.correct();
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    long answers = examples.size() * Requirements.rows(settings.net.outputShape());
    return new Evaluation(
        lossSum / examples.size(),
        Score.accuracy(settings.net, settings.loss, correct, answers),
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
    double lossSum = 0;
    long correct = 0;
    for (int i = 0; i < test.count(); i++) {
      int[] tokens = test.inputs(i);
      judge.setLabels(test.targets(i));
      judge.run(tokens, 0, tokens.length);
      lossSum += judge.loss();
      correct += judge.correct();
    }
    long characters = (long) test.count() * test.streams() * test.steps();
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new Evaluation(
        lossSum / test.count(),
        Score.accuracy(settings.net, settings.loss, correct, characters),
        characters,
        seconds);
  }
}
