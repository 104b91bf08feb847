package dev.gatun;

import dev.gatun.diagnosis.Minibatch;
import java.util.Map;
import java.util.function.Supplier;

/// Follows a training run. All methods are called by the thread that trains.
public interface Watcher {
  /// Training begins.
  default void start(Start start) {}

  /// A step is done.
  default void step(Step step) {}

  /// An epoch is done and, if there is a test set, evaluated.
  default void epoch(History.Epoch epoch) {}

  /// The loss was not finite, and the run is back where all was well: see [Recovery]. The next step
  /// has the number that follows on that.
  default void rolledBack(History.RollBack rollBack) {}

  /// Training has ended; not called after an exception.
  default void end(History history) {}

  /// What is known before the first step.
  ///
  /// @param model that is trained, with its present parameters
  /// @param settings of the trainer by name, in words
  /// @param batchSize images in a step
  /// @param stepsPerEpoch steps in a pass over the training set
  /// @param totalSteps steps of the whole run
  /// @param stepsDone steps of the run that were done before, if it was resumed; else 0
  /// @param stepsBefore steps that the trainer did in earlier runs
  /// @param sample makes, when it is asked, the first batch of the first epoch as the network gets
  ///   it: augmented and preprocessed, but not mixed
  record Start(
      Model model,
      Map<String, String> settings,
      int batchSize,
      long stepsPerEpoch,
      long totalSteps,
      long stepsDone,
      long stepsBefore,
      Supplier<Minibatch> sample) {}

  /// A step.
  ///
  /// @param step its number in the run, from 1
  /// @param epoch its epoch, from 1
  /// @param loss the batch's mean loss
  /// @param accuracy the share of right answers in the batch: see [Evaluation]
  /// @param learningRate that was used
  /// @param gradientNorm of all parameters, before clipping; NaN if it is not measured
  /// @param seconds of the step itself, without waiting for data
  record Step(
      long step,
      int epoch,
      double loss,
      double accuracy,
      double learningRate,
      double gradientNorm,
      double seconds) {}
}
