package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DivergedException;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recovery;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Examples;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a flight recording holds of training. Other tests of this process may train meanwhile, so a
/// recording is searched for the events of this thread.
class FlightRecorderTest {
  private static final Net NET = Net.input(3).dense(2);
  private static final int[] LABELS = IntStream.range(0, 40).map(i -> i % 2).toArray();
  private static final Examples EXAMPLES = Examples.of(Pictures.normal(3 * 40, 1), LABELS);

  @TempDir private Path folder;

  private interface Work {
    void run() throws IOException;
  }

  private List<RecordedEvent> recorded(String name, Work work) throws IOException {
    Path file = folder.resolve("recording.jfr");
    try (Recording recording = new Recording()) {
      recording.start();
      work.run();
      recording.stop();
      recording.dump(file);
    }
    String thread = Thread.currentThread().getName();
    return RecordingFile.readAllEvents(file).stream()
        .filter(event -> event.getEventType().getName().equals(name))
        .filter(event -> event.getThread().getJavaName().equals(thread))
        .toList();
  }

  private static Trainer trainer(double rate) {
    return Trainer.of(NET).on(Backends.REFERENCE.device()).optimizer(Optimizer.sgd(rate));
  }

  @Test
  void steps_tellLossRateAndTime() throws IOException {
    History[] history = new History[1];
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.Step",
            () -> {
              try (Trainer trainer = trainer(0.1).clipNorm(1)) {
                history[0] = trainer.fit(EXAMPLES.batch(10), Span.epochs(2));
              }
            });
    assertEquals(8, events.size());
    for (int i = 0; i < 8; i++) {
      RecordedEvent event = events.get(i);
      assertEquals(i + 1, event.getLong("step"));
      assertEquals(1, event.getInt("steps"));
      assertEquals(i / 4 + 1, event.getInt("epoch"));
      assertEquals(history[0].losses()[i], event.getDouble("loss"), 1e-7);
      assertEquals(history[0].gradientNorms()[i], event.getDouble("gradientNorm"), 1e-7);
      assertEquals(0.1, event.getDouble("learningRate"), 1e-7);
      Duration work = event.getDuration("work");
      assertTrue(work.isPositive() && work.compareTo(event.getDuration()) <= 0, event.toString());
    }
  }

  /// One event for each call of the device.
  @Test
  void stepsOfACall_areOneEvent() throws IOException {
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.Step",
            () -> {
              try (Trainer trainer = trainer(0.1).stepsPerCall(3)) {
                trainer.fit(EXAMPLES.batch(10), Span.epochs(1));
              }
            });
    assertEquals(List.of(3, 1), events.stream().map(event -> event.getInt("steps")).toList());
    assertEquals(List.of(3L, 4L), events.stream().map(event -> event.getLong("step")).toList());
  }

  @Test
  void ownSteps_areEventsToo() throws IOException {
    float[] loss = new float[1];
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.Step",
            () -> {
              try (Trainer trainer = trainer(0.1)) {
                loss[0] = trainer.step(new float[] {1, 2, 3}, new int[] {1}, 0.25);
              }
            });
    assertEquals(1, events.size());
    assertEquals(loss[0], events.getFirst().getDouble("loss"));
    assertEquals(0.25, events.getFirst().getDouble("learningRate"));
  }

  @Test
  void epochs_tellOfTheTest() throws IOException {
    History[] history = new History[1];
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.Epoch",
            () -> {
              try (Trainer trainer = trainer(0.1)) {
                history[0] = trainer.fit(EXAMPLES.batch(10), EXAMPLES.batch(10), Span.epochs(2));
              }
            });
    assertEquals(2, events.size());
    Evaluation test = Objects.requireNonNull(history[0].test());
    RecordedEvent last = events.getLast();
    assertEquals(2, last.getInt("epoch"));
    assertEquals(history[0].epochs().getLast().trainLoss(), last.getDouble("trainLoss"));
    assertEquals(test.loss(), last.getDouble("testLoss"));
    assertEquals(test.accuracy(), last.getDouble("testAccuracy"));
  }

  @Test
  void checkpoints_tellTheFile() throws IOException {
    Path file = folder.resolve("checkpoint");
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.CheckpointWrite",
            () -> {
              try (Trainer trainer = trainer(0.1).checkpoint(file, Span.steps(2))) {
                trainer.fit(EXAMPLES.batch(10), Span.epochs(1));
              }
            });
    assertEquals(2, events.size());
    assertEquals(file.toString(), events.getLast().getString("path"));
    assertEquals(Files.size(file), events.getLast().getLong("size"));
  }

  /// Each time, also when the run goes back and on.
  @Test
  void losses_thatAreNotFinite_areTold() throws IOException {
    List<RecordedEvent> events =
        recorded(
            "dev.gatun.NonFiniteLoss",
            () -> {
              try (Trainer trainer = trainer(1e45).recover(Recovery.attempts(2))) {
                assertThrows(
                    DivergedException.class, () -> trainer.fit(EXAMPLES.batch(10), Span.epochs(2)));
              }
            });
    assertEquals(3, events.size());
    assertTrue(events.getFirst().getLong("step") > 1);
    assertTrue(
        events.getFirst().getString("message").contains("the loss became"),
        events.getFirst().getString("message"));
  }
}
