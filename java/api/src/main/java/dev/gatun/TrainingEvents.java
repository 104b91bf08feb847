package dev.gatun;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import org.jspecify.annotations.Nullable;

/// What the JDK's Flight Recorder is told of training. A process that never records pays for a test
/// of a flag: not even the classes of events are loaded, which takes long. Later an event's fields
/// are filled when it is wanted.
final class TrainingEvents {
  private TrainingEvents() {}

  /// Begins a step, or those of a call; null if nobody records.
  static @Nullable Step step() {
    return FlightRecorder.isInitialized() ? Step.begun() : null;
  }

  /// Begins an epoch; null if nobody records.
  static @Nullable Epoch epoch() {
    return FlightRecorder.isInitialized() ? Epoch.begun() : null;
  }

  /// Begins to write a checkpoint; null if nobody records.
  static @Nullable CheckpointWrite checkpointWrite() {
    return FlightRecorder.isInitialized() ? CheckpointWrite.begun() : null;
  }

  /// Tells of a loss.
  static void notFinite(long step, String message) {
    if (FlightRecorder.isInitialized()) {
      NonFiniteLoss.commit(step, message);
    }
  }

  /// A call of the device: a step, or some ([Trainer#stepsPerCall]), waiting for data included.
  @Name("dev.gatun.Step")
  @Label("Training Step")
  @Category({"Gatun", "Training"})
  @Description("A training step, or those of one call of the device, waiting for data included")
  @StackTrace(false)
  static final class Step extends Event {
    @Label("Step")
    @Description("The number of the last one in its run, from 1")
    long step;

    @Label("Steps")
    @Description("How many there were")
    int steps;

    @Label("Epoch")
    @Description("From 1; 0 in a training loop of somebody's own")
    int epoch;

    @Label("Loss")
    @Description("The mean loss of the last batch")
    double loss;

    @Label("Learning Rate")
    double learningRate;

    @Label("Gradient Norm")
    @Description("Over all parameters, before clipping; NaN if it is not measured")
    double gradientNorm;

    @Label("Work")
    @Description("How long they took without waiting for data")
    @Timespan(Timespan.NANOSECONDS)
    long work;

    static Step begun() {
      Step event = new Step();
      event.begin();
      return event;
    }

    /// The steps of a call that were done.
    void commit(List<Watcher.Step> done) {
      if (shouldCommit() && !done.isEmpty()) {
        Watcher.Step last = done.getLast();
        step = last.step();
        steps = done.size();
        epoch = last.epoch();
        loss = last.loss();
        learningRate = last.learningRate();
        gradientNorm = last.gradientNorm();
        work = (long) (1e9 * done.stream().mapToDouble(Watcher.Step::seconds).sum());
        commit();
      }
    }

    /// A step of somebody's own loop.
    void commit(long number, StepFrame frame, long nanos) {
      if (shouldCommit()) {
        step = number;
        steps = 1;
        loss = frame.loss();
        learningRate = frame.rate();
        gradientNorm = frame.gradientNorm();
        work = nanos;
        commit();
      }
    }
  }

  /// A pass over the training set.
  @Name("dev.gatun.Epoch")
  @Label("Training Epoch")
  @Category({"Gatun", "Training"})
  @Description("A pass over the training set, and the test after it")
  @StackTrace(false)
  static final class Epoch extends Event {
    @Label("Epoch")
    @Description("From 1")
    int epoch;

    @Label("Training Loss")
    double trainLoss;

    @Label("Training Accuracy")
    double trainAccuracy;

    @Label("Test Loss")
    @Description("NaN without a test set")
    double testLoss;

    @Label("Test Accuracy")
    @Description("NaN without a test set")
    double testAccuracy;

    static Epoch begun() {
      Epoch event = new Epoch();
      event.begin();
      return event;
    }

    void commit(History.Epoch done) {
      if (shouldCommit()) {
        Evaluation test = done.test();
        epoch = done.number();
        trainLoss = done.trainLoss();
        trainAccuracy = done.trainAccuracy();
        testLoss = test == null ? Double.NaN : test.loss();
        testAccuracy = test == null ? Double.NaN : test.accuracy();
        commit();
      }
    }
  }

  /// A checkpoint.
  @Name("dev.gatun.CheckpointWrite")
  @Label("Checkpoint Write")
  @Category({"Gatun", "Training"})
  @StackTrace(false)
  static final class CheckpointWrite extends Event {
    @Label("Path")
    String path = "";

    @Label("Size")
    @DataAmount
    long size;

    static CheckpointWrite begun() {
      CheckpointWrite event = new CheckpointWrite();
      event.begin();
      return event;
    }

    void commit(Path file) throws IOException {
      end();
      if (shouldCommit()) {
        path = file.toString();
        size = Files.size(file);
        commit();
      }
    }
  }

  /// A loss that is infinite or NaN.
  @Name("dev.gatun.NonFiniteLoss")
  @Label("Non-Finite Loss")
  @Category({"Gatun", "Training"})
  @Description("A loss that is infinite or NaN")
  static final class NonFiniteLoss extends Event {
    @Label("Step")
    @Description("Whose loss it is, from 1")
    long step;

    @Label("Message")
    String message = "";

    static void commit(long number, String message) {
      NonFiniteLoss event = new NonFiniteLoss();
      if (event.shouldCommit()) {
        event.step = number;
        event.message = message;
        event.commit();
      }
    }
  }
}
