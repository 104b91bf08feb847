package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.tensorboard.TensorBoard.tensorBoard;
import static dev.gatun.train.Messages.message;
import static dev.gatun.train.Messages.refused;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.History;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Recovery;
import dev.gatun.Schedule;
import dev.gatun.Trainer;
import dev.gatun.Watcher;
import dev.gatun.data.Dataset;
import dev.gatun.data.Examples;
import dev.gatun.data.ImageShape;
import dev.gatun.suite.Backends;
import dev.gatun.train.EventReader.Event;
import dev.gatun.train.EventReader.Value;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a run writes for TensorBoard, read back without TensorBoard: 60 pictures in batches of 10,
/// so six steps an epoch.
class TensorBoardTest {
  private static final ImageShape TINY = new ImageShape(4, 4, 1);
  private static final Dataset TRAIN = Pictures.noisy(60, TINY, 1, 1);
  private static final Dataset TEST = Pictures.noisy(40, TINY, 1, 2);
  private static final Net NET = Net.input(4, 4, 1).flatten().dense(12).relu().dense(10);
  private static final List<Long> TWELVE = LongStream.rangeClosed(1, 12).boxed().toList();

  @TempDir Path folder;

  private static Trainer trainer() {
    return Trainer.of(NET)
        .on(Backends.REFERENCE.device())
        .optimizer(Optimizer.sgd(0.05).momentum(0.9))
        .schedule(Schedule.cosine())
        .clipNorm(5);
  }

  private static History fit(Trainer trainer, int epochs) {
    return trainer.fit(TRAIN.batch(10), TEST.batch(20), epochs(epochs));
  }

  @Test
  void everyStep_andEveryTest_isInTheFiles() {
    double before = System.currentTimeMillis() * 1e-3;
    try (Trainer trainer = trainer().watch(tensorBoard(folder))) {
      History history = fit(trainer, 2);
      List<Event> train = EventReader.run(folder.resolve("train"));
      Map<Long, Float> losses = numbers(train, "loss");
      assertEquals(TWELVE, List.copyOf(losses.keySet()));
      assertArrayEquals(history.losses(), floats(losses));
      assertArrayEquals(history.gradientNorms(), floats(numbers(train, "gradient norm")));
      Map<Long, Float> rates = numbers(train, "learning rate");
      for (long step : TWELVE) {
        double factor = 0.5 * (1 + Math.cos(Math.PI * (step - 1) / 12));
        assertEquals(0.05 * factor, Objects.requireNonNull(rates.get(step)), 1e-8);
      }
      double shares = 0;
      for (float share : floats(numbers(train, "accuracy"))) {
        shares += share / 12;
      }
      assertEquals(
          history.epochs().stream().mapToDouble(History.Epoch::trainAccuracy).sum() / 2,
          shares,
          1e-6);

      List<Event> test = EventReader.run(folder.resolve("test"));
      List<History.Epoch> epochs = history.epochs();
      for (int i = 0; i < 2; i++) {
        var evaluation = Objects.requireNonNull(epochs.get(i).test());
        long last = 6L * (i + 1);
        assertEquals((float) evaluation.loss(), numbers(test, "loss").get(last));
        assertEquals((float) evaluation.accuracy(), numbers(test, "accuracy").get(last));
      }
      assertEquals(List.of(6L, 12L), test.stream().map(Event::step).toList());
      double after = System.currentTimeMillis() * 1e-3;
      assertTrue(train.stream().allMatch(e -> e.wallTime() >= before && e.wallTime() <= after));
    }
  }

  /// A network with one output is never right or wrong.
  @Test
  void anAccuracyThatIsNone_isNotInTheFiles() {
    Examples examples = Examples.of(Pictures.normal(60, 1), Pictures.normal(20, 2), 20);
    try (Trainer trainer =
        Trainer.of(Net.input(3).dense(1))
            .on(Backends.REFERENCE.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.sgd(0.01))
            .watch(tensorBoard(folder))) {
      trainer.fit(examples.batch(10), examples.batch(10), epochs(1));
    }
    for (String run : List.of("train", "test")) {
      List<Event> events = EventReader.run(folder.resolve(run));
      assertFalse(numbers(events, "loss").isEmpty());
      assertTrue(numbers(events, "accuracy").isEmpty());
    }
  }

  @Test
  void parameters_areHistograms_atTheBeginningAndAfterEachEpoch() {
    try (Trainer trainer = trainer().watch(tensorBoard(folder))) {
      float[] first = trainer.model().read("dense0.weight");
      fit(trainer, 2);
      List<Event> events = EventReader.run(folder.resolve("train"));
      Map<Long, Value> histograms = values(events, "parameters/dense0.weight");
      assertEquals(List.of(0L, 6L, 12L), List.copyOf(histograms.keySet()));
      requireDistribution(first, Objects.requireNonNull(histograms.get(0L)));
      requireDistribution(
          trainer.model().read("dense0.weight"), Objects.requireNonNull(histograms.get(12L)));
      Value zeros = Objects.requireNonNull(values(events, "parameters/dense0.bias").get(0L));
      assertArrayEquals(new double[] {0, 0, 12, 0, 0}, zeros.histogram());
      assertArrayEquals(new double[] {12}, zeros.counts());
    }
  }

  /// Least, greatest, count, sum, sum of squares, and how many lie in each of 30 intervals.
  private static void requireDistribution(float[] elements, Value found) {
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    double sum = 0;
    double squares = 0;
    for (float element : elements) {
      min = Math.min(min, element);
      max = Math.max(max, element);
      sum += element;
      squares += element * (double) element;
    }
    assertArrayEquals(
        new double[] {min, max, elements.length, sum, squares}, found.histogram(), 1e-12);
    double[] counts = new double[30];
    for (float element : elements) {
      counts[Math.min(29, (int) Math.floor(30 * ((element - min) / (max - min))))]++;
    }
    assertEquals(elements.length, Arrays.stream(found.counts()).sum());
    int moved = 0; // from one interval to the next by rounding
    for (int i = 0; i < 30; i++) {
      moved += (int) Math.abs(counts[i] - found.counts()[i]);
    }
    assertTrue(moved <= 2, Arrays.toString(found.counts()));
  }

  @Test
  void netAndSettings_areTexts() {
    try (Trainer trainer =
        trainer().seed(7).watch(tensorBoard(folder).note("remark", "with *care*"))) {
      fit(trainer, 1);
    }
    List<Event> events = EventReader.run(folder.resolve("train"));
    String net = text(events, "net");
    assertTrue(net.lines().allMatch(line -> line.startsWith("    ")), net);
    assertEquals(NET.summary().lines().toList(), net.lines().map(l -> l.substring(4)).toList());
    String settings = text(events, "settings");
    assertTrue(settings.startsWith("| setting | value |\n|---|---|\n| optimizer | Sgd["), settings);
    assertTrue(settings.contains("momentum=0.9"), settings);
    assertTrue(settings.contains("| batch | 10 |\n| clipping | ByNorm[maxNorm=5.0] |"), settings);
    assertTrue(settings.contains("| seed | 7 |"), settings);
    assertEquals("with *care*", text(events, "remark"));
  }

  /// Switched off after step 9, with a checkpoint of step 8: in TensorBoard it looks as if nothing
  /// had happened.
  @Test
  void aResumedRun_goesOnWithItsSteps() {
    try (Trainer whole = trainer().watch(tensorBoard(folder.resolve("whole")))) {
      fit(whole, 2);
    }
    Path file = folder.resolve("checkpoint");
    Path runs = folder.resolve("resumed");
    Watcher cut =
        new Watcher() {
          @Override
          public void step(Step done) {
            if (done.step() == 9) {
              throw new IllegalStateException("cut");
            }
          }
        };
    try (Trainer first = trainer().checkpoint(file, steps(4)).watch(tensorBoard(runs)).watch(cut)) {
      assertThrows(IllegalStateException.class, () -> fit(first, 2));
      assertEquals(9, numbers(EventReader.run(runs.resolve("train")), "loss").size());
    }
    try (Trainer second = trainer().resume(file).watch(tensorBoard(runs))) {
      fit(second, 2);
    }
    for (String run : List.of("train", "test")) {
      List<Event> expected = EventReader.run(folder.resolve("whole").resolve(run));
      List<Event> found = EventReader.run(runs.resolve(run));
      assertEquals(2, EventReader.files(runs.resolve(run)).size());
      assertEquals(expected.stream().map(Event::step).toList(), shown(found));
      assertEquals(numbers(expected, "loss"), numbers(found, "loss"));
      assertEquals(numbers(expected, "accuracy"), numbers(found, "accuracy"));
    }
  }

  /// NaN comes into a weight at step 9, and the run goes back to step 6: its steps 7 to 9 are those
  /// of the second try.
  @Test
  void aRunThatWentBack_takesAwayWhatItUndid() {
    try (Trainer trainer = trainer().recover(Recovery.attempts(1))) {
      Watcher poison =
          new Watcher() {
            private boolean done;

            @Override
            public void step(Step now) {
              if (now.step() == 9 && !done) {
                done = true;
                float[] elements = trainer.model().read("dense0.weight");
                elements[3] = Float.NaN;
                trainer.model().write("dense0.weight", elements);
              }
            }
          };
      History history = fit(trainer.watch(tensorBoard(folder), poison), 2);
      assertEquals(6, history.rollBacks().getFirst().to());
      Map<Long, Float> losses = numbers(EventReader.run(folder.resolve("train")), "loss");
      assertEquals(TWELVE, List.copyOf(losses.keySet()));
      assertArrayEquals(history.losses(), floats(losses));
    }
  }

  @Test
  void aSecondFit_countsOn() {
    try (Trainer trainer = trainer().watch(tensorBoard(folder).withoutHistograms())) {
      fit(trainer, 1);
      fit(trainer, 1);
    }
    List<Event> events = EventReader.run(folder.resolve("train"));
    assertEquals(TWELVE, List.copyOf(numbers(events, "loss").keySet()));
    assertTrue(values(events, "parameters/dense0.weight").isEmpty());
    assertEquals(List.of(6L, 12L), shown(EventReader.run(folder.resolve("test"))));
  }

  @Test
  void everyFourthStep_ifAsked() {
    try (Trainer trainer = trainer().watch(tensorBoard(folder).everySteps(4))) {
      fit(trainer, 2);
    }
    Map<Long, Float> losses = numbers(EventReader.run(folder.resolve("train")), "loss");
    assertEquals(List.of(4L, 8L, 12L), List.copyOf(losses.keySet()));
    refused(
        "[tensorBoard] expected a number of steps of at least 1, found 0",
        () -> tensorBoard(folder).everySteps(0));
  }

  @Test
  void aNewTrainer_takesThePlaceOfTheOldOne() {
    for (int epochs : new int[] {2, 1}) {
      try (Trainer trainer = trainer().watch(tensorBoard(folder))) {
        fit(trainer, epochs);
      }
    }
    List<Event> events = EventReader.run(folder.resolve("train"));
    assertEquals(TWELVE.subList(0, 6), List.copyOf(numbers(events, "loss").keySet()));
  }

  @Test
  void files_beginWithTheirVersion_andHaveTheirChecksums() throws IOException {
    assertEquals(0xe3069283, EventReader.crc("123456789".getBytes(US_ASCII)), "the check value");
    try (Trainer trainer = trainer().watch(tensorBoard(folder))) {
      trainer.fit(TRAIN.batch(10), steps(1));
    }
    Path file = EventReader.files(folder.resolve("train")).getFirst();
    assertEquals("brain.Event:2", EventReader.read(file).getFirst().version());
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
    assertThrows(AssertionError.class, () -> EventReader.read(file));
  }

  @Test
  void aFolderThatCannotBe_isNamed() throws IOException {
    Path file = Files.write(folder.resolve("file"), new byte[1]);
    try (Trainer trainer = trainer().watch(tensorBoard(file))) {
      String message = message(UncheckedIOException.class, () -> fit(trainer, 1));
      assertTrue(
          message.startsWith("no event file can be made in " + file.resolve("train") + ": "),
          message);
    }
  }

  private static Map<Long, Value> values(List<Event> events, String tag) {
    Map<Long, Value> values = new LinkedHashMap<>();
    for (Event event : events) {
      for (Value value : event.values()) {
        if (value.tag().equals(tag)) {
          assertEquals(null, values.put(event.step(), value), tag + " twice");
        }
      }
    }
    return values;
  }

  private static Map<Long, Float> numbers(List<Event> events, String tag) {
    Map<Long, Float> numbers = new LinkedHashMap<>();
    values(events, tag).forEach((step, value) -> numbers.put(step, value.number()));
    return numbers;
  }

  private static List<Long> shown(List<Event> events) {
    return events.stream().map(Event::step).toList();
  }

  private static String text(List<Event> events, String tag) {
    return Objects.requireNonNull(values(events, tag).get(0L)).text();
  }

  private static float[] floats(Map<Long, Float> numbers) {
    List<Float> list = new ArrayList<>(numbers.values());
    float[] floats = new float[list.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = list.get(i);
    }
    return floats;
  }
}
