package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.search.Goal;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// What a run trains on what, and the habits that suit both.
interface Task {
  String MODELS = PictureTask.MODELS + ", chargru";

  /// The task for a model's name.
  ///
  /// @param data a folder of pictures or a file of text; null for drawn characters
  /// @param batch examples in a step; null for what is usual
  static Task of(String model, @Nullable Path data, long seed, @Nullable Integer batch) {
    return model.equals(CharacterTask.MODEL)
        ? CharacterTask.of(data, seed, batch)
        : PictureTask.of(model, data, seed, batch);
  }

  /// The network.
  Net net();

  /// The name of the training set.
  String data();

  /// How much there is to learn from and to measure on.
  String sizes();

  /// Examples in a step.
  int batch();

  /// What is counted, in the plural.
  String unit();

  /// How many of them an example has.
  int unitsEach();

  /// The learning rate that usually works.
  double learningRate();

  /// The weight decay that is usual.
  double weightDecay();

  /// Gives the trainer, which works on `device`, the task's habits.
  void configure(Trainer trainer, Device device, double rate, double weightDecay);

  /// Lets the trainer keep what it learns from in the device's memory.
  ///
  /// @throws UsageException if that cannot be done
  void keepResident(Trainer trainer);

  /// What choices go by.
  Goal goal();

  /// The same task learned from nine tenths of its training data and measured on the rest: for
  /// choices, which the test data must not see.
  Task validating();

  /// Looks at a trainer before it trains.
  Doctor doctor(Trainer trainer);

  /// Trains and evaluates.
  History fit(Trainer trainer, Span length);

  /// Says how well it went.
  ///
  /// @param test what the held-out data gave for the trainer's weights
  void conclude(PrintWriter out, Trainer trainer, History history, @Nullable Evaluation test);
}
