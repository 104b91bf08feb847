package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Batch;
import dev.gatun.data.Batches;
import dev.gatun.data.Loader;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.TextBatches;
import java.util.HashMap;
import java.util.Map;

/// Evaluates models of a trainer in inference mode: the trained one, and that of averaged weights.
final class Evaluator {
  private final TrainerSettings settings;
  private final Holdings holdings;
  private final Map<Judge, InferenceStep> judges = new HashMap<>();

  /// What an evaluation is compiled for.
  ///
  /// @param steps of sequences; 0 for pictures
  private record Judge(Model model, int batch, int steps) {}

  /// @param holdings take over what is compiled
  Evaluator(TrainerSettings settings, Holdings holdings) {
    this.settings = settings;
    this.holdings = holdings;
  }

  /// On all pictures of `test`.
  Evaluation evaluate(Model model, Preprocessing preprocessing, Batches test) {
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(model, test.size(), 0),
            key -> holdings.add(InferenceStep.judging(key.model(), key.batch(), settings.loss)));
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
    return new Evaluation(lossSum / images, (double) correct / images, images, seconds);
  }

  /// On a text from its beginning; where states are carried they go on along its streams.
  Evaluation evaluate(Model model, TextBatches test) {
    InferenceStep judge =
        judges.computeIfAbsent(
            new Judge(model, test.streams(), test.steps()),
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
        lossSum / test.count(), (double) correct / characters, characters, seconds);
  }
}
