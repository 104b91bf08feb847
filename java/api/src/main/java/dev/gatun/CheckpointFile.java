package dev.gatun;

import dev.gatun.Checkpoint.Feeding;
import dev.gatun.Checkpoint.Held;
import dev.gatun.Checkpoint.Place;
import dev.gatun.Checkpoint.Position;
import dev.gatun.Checkpoint.Sums;
import dev.gatun.data.Preprocessing;
import dev.gatun.file.SafeTensors;
import dev.gatun.file.SafeTensorsWriter;
import dev.gatun.file.SafeTensorsWriter.Source;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.DoubleStream;

/// A [Checkpoint] in a file that is also the model's file: what is beside the model's tensors has
/// names that begin with two underscores, and [Model#restore] passes it over. Numbers of the
/// position are in the metadata.
final class CheckpointFile {
  private static final String HISTORY = "__history__.";
  private static final String BEST = "__best__.";
  private static final int EPOCH_COLUMNS = 10;
  private static final int ROLL_BACK_COLUMNS = 3;

  private CheckpointFile() {}

  static void write(Path file, Checkpoint checkpoint) throws IOException {
    TrainingEvents.CheckpointWrite event = TrainingEvents.checkpointWrite();
    Map<String, String> metadata = new TreeMap<>(Map.of("format", "gatun"));
    List<Source> sources = new ArrayList<>();
    add(sources, "", checkpoint.tensors());
    Preprocessing preprocessing = checkpoint.preprocessing();
    if (preprocessing != null) {
      ModelFile.write(preprocessing, metadata, sources);
    }
    Position position = checkpoint.position();
    metadata.put("seed", String.valueOf(position.seed()));
    metadata.put("batches", String.valueOf(position.batches()));
    metadata.put("epochs", String.valueOf(position.epochs()));
    metadata.put("averages", String.valueOf(position.averages()));
    Place run = position.run();
    if (run != null) {
      metadata.put("run.steps", String.valueOf(run.steps()));
      metadata.put("run.inEpoch", String.valueOf(run.inEpoch()));
      metadata.put("run.loss", String.valueOf(run.sums().loss()));
      metadata.put("run.correct", String.valueOf(run.sums().correct()));
      metadata.put("run.images", String.valueOf(run.sums().images()));
      metadata.put("run.rate", String.valueOf(run.rate()));
      metadata.put("run.stepsPerEpoch", String.valueOf(run.feed().stepsPerEpoch()));
      metadata.put("run.batch", String.valueOf(run.feed().batch()));
      metadata.put("run.accumulation", String.valueOf(run.feed().accumulation()));
      add(sources, BEST, run.best());
      History history = run.history();
      sources.add(source("losses", history.losses()));
      sources.add(source("learningRates", history.learningRates()));
      sources.add(source("gradientNorms", history.gradientNorms()));
      sources.add(source("seconds", history.seconds()));
      sources.add(source("epochs", epochs(history, run.epochs())));
      sources.add(source("rollBacks", rollBacks(history)));
    }
    SafeTensorsWriter.write(file, metadata, sources);
    if (event != null) {
      event.commit(file);
    }
  }

  private static void add(List<Source> sources, String prefix, Map<String, Held> tensors) {
    tensors.forEach(
        (name, held) ->
            sources.add(new Source(prefix + name, DType.F32, held.shape(), held::elements)));
  }

  private static Source source(String name, float[] values) {
    return new Source(HISTORY + name, DType.F32, Shape.of(values.length), () -> values);
  }

  private static Source source(String name, double[] values) {
    return new Source(HISTORY + name, DType.F64, Shape.of(values.length), () -> values);
  }

  /// @throws dev.gatun.data.DataFormatException when it is no checkpoint
  static Checkpoint read(SafeTensors file) {
    Map<String, Held> tensors = new LinkedHashMap<>();
    Map<String, Held> best = new LinkedHashMap<>();
    for (String name : file.names()) {
      if (name.startsWith(BEST)) {
        best.put(name.substring(BEST.length()), held(file, name));
      } else if (!name.startsWith(HISTORY) && !name.startsWith(ModelFile.PREFIX)) {
        tensors.put(name, held(file, name));
      }
    }
    Position position =
        new Position(
            number(file, "seed", Long::valueOf),
            number(file, "batches", Long::valueOf),
            number(file, "epochs", Integer::valueOf),
            number(file, "averages", Long::valueOf),
            file.metadata().containsKey("run.steps") ? place(file, best) : null);
    return new Checkpoint(tensors, ModelFile.preprocessing(file), position);
  }

  private static Place place(SafeTensors file, Map<String, Held> best) {
    long steps = number(file, "run.steps", Long::valueOf);
    long inEpoch = number(file, "run.inEpoch", Long::valueOf);
    History history = history(file);
    if (history.steps() != steps + inEpoch) {
      throw file.bad(
          "the losses of %d steps expected, found %d".formatted(steps + inEpoch, history.steps()));
    }
    return new Place(
        steps,
        inEpoch,
        new Sums(
            number(file, "run.loss", Double::valueOf),
            number(file, "run.correct", Long::valueOf),
            number(file, "run.images", Long::valueOf)),
        number(file, "run.rate", Double::valueOf),
        new Feeding(
            number(file, "run.stepsPerEpoch", Long::valueOf),
            number(file, "run.batch", Integer::valueOf),
            number(file, "run.accumulation", Integer::valueOf)),
        history,
        history.epochs().size(),
        best);
  }

  private static Held held(SafeTensors file, String name) {
    return new Held(file.shape(name), file.floats(name));
  }

  private static <T> T number(SafeTensors file, String key, Function<String, T> parse) {
    String text = file.metadata().get(key);
    if (text == null) {
      throw file.bad("a checkpoint of a trainer expected, with %s in it".formatted(key));
    }
    try {
      return parse.apply(text);
    } catch (NumberFormatException e) {
      throw file.bad("a number expected for %s, found %s".formatted(key, text), e);
    }
  }

  private static double[] epochs(History history, int count) {
    double[] rows = new double[count * EPOCH_COLUMNS];
    for (int i = 0; i < count; i++) {
      History.Epoch epoch = history.epochs().get(i);
      Evaluation test = epoch.test();
      int at = i * EPOCH_COLUMNS;
      rows[at] = epoch.number();
      rows[at + 1] = epoch.trainLoss();
      rows[at + 2] = epoch.trainAccuracy();
      rows[at + 3] = epoch.learningRate();
      rows[at + 4] = epoch.seconds();
      rows[at + 5] = history.images(i);
      rows[at + 6] = test == null ? 0 : test.loss();
      rows[at + 7] = test == null ? 0 : test.accuracy();
      rows[at + 8] = test == null ? -1 : test.images(); // without a test
      rows[at + 9] = test == null ? 0 : test.seconds();
    }
    return rows;
  }

  private static double[] rollBacks(History history) {
    return history.rollBacks().stream()
        .flatMapToDouble(
            back -> DoubleStream.of((double) back.from(), (double) back.to(), back.rate()))
        .toArray();
  }

  private static History history(SafeTensors file) {
    float[] losses = file.floats(HISTORY + "losses");
    double[] rates = file.doubles(HISTORY + "learningRates");
    float[] norms = file.floats(HISTORY + "gradientNorms");
    float[] seconds = file.floats(HISTORY + "seconds");
    int steps = losses.length;
    if (rates.length != steps || norms.length != steps || seconds.length != steps) {
      throw file.bad("losses, learningRates, gradientNorms and seconds of one length expected");
    }
    History history = new History(steps);
    for (int i = 0; i < steps; i++) {
      history.add(losses[i], rates[i], norms[i], seconds[i]);
    }
    double[] rows = rows(file, "epochs", EPOCH_COLUMNS);
    for (int at = 0; at < rows.length; at += EPOCH_COLUMNS) {
      Evaluation test =
          rows[at + 8] < 0
              ? null
              : new Evaluation(rows[at + 6], rows[at + 7], (long) rows[at + 8], rows[at + 9]);
      history.add(
          new History.Epoch(
              (int) rows[at], rows[at + 1], rows[at + 2], rows[at + 3], test, rows[at + 4]),
          (long) rows[at + 5]);
    }
    double[] backs = rows(file, "rollBacks", ROLL_BACK_COLUMNS);
    for (int at = 0; at < backs.length; at += ROLL_BACK_COLUMNS) {
      history.add(new History.RollBack((long) backs[at], (long) backs[at + 1], backs[at + 2]));
    }
    return history;
  }

  private static double[] rows(SafeTensors file, String name, int columns) {
    double[] rows = file.doubles(HISTORY + name);
    if (rows.length % columns != 0) {
      throw file.bad(
          "a multiple of %d numbers expected in %s, found %d"
              .formatted(columns, HISTORY + name, rows.length));
    }
    return rows;
  }
}
