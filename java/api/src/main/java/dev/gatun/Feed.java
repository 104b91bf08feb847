package dev.gatun;

import dev.gatun.data.Batch;
import dev.gatun.data.Batches;
import dev.gatun.data.EpochOrder;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.Examples;
import dev.gatun.data.Loader;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.Minibatch;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Where the batches of a run come from.
interface Feed extends AutoCloseable {
  /// What outputs are compared with.
  Score.Targets targets();

  /// Examples in a batch.
  int size();

  /// Where a step gathers inputs from; null if [#fill] sets them.
  default @Nullable ResidentPictures resident() {
    return null;
  }

  /// Begins a pass.
  void start(int epoch, TrainingStep step);

  /// Passes the next batches of a pass by.
  void skip(long batches);

  /// Whether the next batch is there at once.
  default boolean isReady() {
    return true;
  }

  /// Waits for the next batch.
  default void await() {}

  /// Puts the batch into `frame`.
  void fill(StepFrame frame);

  @Override
  void close();

  /// Pictures that a loader prepares.
  final class Pictures implements Feed {
    private final Loader loader;
    private final int size;
    private @Nullable Batch batch;

    Pictures(Loader loader, int size) {
      this.loader = loader;
      this.size = size;
    }

    @Override
    public Score.Targets targets() {
      return loader.hasTargets() ? Score.Targets.SHARES : Score.Targets.LABELS;
    }

    @Override
    public int size() {
      return size;
    }

    @Override
    public void start(int epoch, TrainingStep step) {
      loader.start(epoch);
    }

    @Override
    public void skip(long batches) {
      for (long i = 0; i < batches; i++) {
        loader.release(Objects.requireNonNull(loader.next(), "the loader ended before the place"));
      }
    }

    @Override
    public boolean isReady() {
      return loader.isReady();
    }

    @Override
    public void await() {
      batch = loader.next();
    }

    @Override
    public void fill(StepFrame frame) {
      Batch filled = batch;
      if (filled == null) {
        throw new IllegalStateException("the loader ended before the epoch");
      }
      frame.setInputs(filled.images());
      float[] targets = filled.targets();
      if (targets == null) {
        frame.setTargets(filled.labels());
      } else {
        frame.setTargets(targets);
      }
      frame.countTargets(filled.count());
      loader.release(filled);
    }

    @Override
    public void close() {
      loader.close();
    }
  }

  /// Pictures in the device's memory: a batch is indices and labels.
  final class Indices implements Feed {
    private final ResidentPictures pictures;
    private final EpochOrder order;
    private final int[] indices;
    private final int[] labels;
    private int epoch;
    private int next;

    Indices(ResidentPictures pictures, Batches batches, long seed) {
      this.pictures = pictures;
      order = new EpochOrder(batches, seed);
      indices = new int[batches.size()];
      labels = new int[batches.size()];
    }

    @Override
    public Score.Targets targets() {
      return Score.Targets.LABELS;
    }

    @Override
    public int size() {
      return indices.length;
    }

    @Override
    public ResidentPictures resident() {
      return pictures;
    }

    @Override
    public void start(int newEpoch, TrainingStep step) {
      next = 0;
      epoch = newEpoch;
      order.start(newEpoch);
    }

    @Override
    public void skip(long batches) {
      next = Math.toIntExact(batches * indices.length);
    }

    @Override
    public void fill(StepFrame frame) {
      for (int i = 0; i < indices.length; i++) {
        indices[i] = order.item(next++);
        labels[i] = pictures.dataset().label(indices[i]);
      }
      frame.setInputs(indices);
      frame.setTargets(labels);
      frame.countTargets(indices.length);
      frame.setEpoch(epoch);
    }

    @Override
    public void close() {}
  }

  /// Examples in memory, in a new random order in every pass.
  final class Rows implements Feed {
    private final Examples examples;
    private final EpochOrder order;
    private final int size;
    private final int answers;
    private final float[] inputs;
    private final int[] labels; // or
    private final float[] targets;
    private int next;

    /// @param answers rows of outputs that an example has
    Rows(ExampleBatches batches, int answers, long seed) {
      examples = batches.examples();
      size = batches.size();
      this.answers = answers;
      order = new EpochOrder(examples.size(), Batches.Order.SHUFFLED, seed);
      inputs = new float[Math.multiplyExact(size, examples.features())];
      labels = new int[targets() == Score.Targets.LABELS ? size : 0];
      targets = new float[Math.multiplyExact(size, examples.targetsEach())];
    }

    @Override
    public Score.Targets targets() {
      return Score.Targets.of(examples);
    }

    @Override
    public int size() {
      return size;
    }

    @Override
    public void start(int epoch, TrainingStep step) {
      next = 0;
      order.start(epoch);
    }

    @Override
    public void skip(long batches) {
      next = Math.toIntExact(batches * size);
    }

    @Override
    public void fill(StepFrame frame) {
      boolean labelled = labels.length > 0;
      for (int i = 0; i < size; i++) {
        int index = order.item(next++);
        examples.readInputs(index, inputs, i * examples.features());
        if (labelled) {
          labels[i] = examples.label(index);
        } else {
          examples.readTargets(index, targets, i * examples.targetsEach());
        }
      }
      frame.setInputs(inputs);
      if (labelled) {
        frame.setTargets(labels);
      } else {
        frame.setTargets(targets);
      }
      frame.countTargets(Math.multiplyExact(size, answers));
    }

    /// The first `count` batches of a run, or as many as there are.
    static List<Minibatch> first(ExampleBatches batches, int count, long seed) {
      EpochOrder order = new EpochOrder(batches.examples().size(), Batches.Order.SHUFFLED, seed);
      order.start(0);
      int size = batches.size();
      return IntStream.range(0, Math.min(count, batches.examples().size() / size))
          .map(i -> i * size)
          .mapToObj(from -> IntStream.range(from, from + size).map(order::item).toArray())
          .map(indices -> Minibatch.of(batches.examples().subset(indices)))
          .toList();
    }

    @Override
    public void close() {}
  }

  /// A text, whose streams begin anew with every pass.
  final class Characters implements Feed {
    private final TextBatches text;
    private int next;

    Characters(TextBatches text) {
      this.text = text;
    }

    @Override
    public Score.Targets targets() {
      return Score.Targets.LABELS;
    }

    @Override
    public int size() {
      return text.streams();
    }

    @Override
    public void start(int epoch, TrainingStep step) {
      next = 0;
      step.resetStates();
    }

    @Override
    public void skip(long batches) {
      next = Math.toIntExact(batches);
    }

    @Override
    public void fill(StepFrame frame) {
      frame.setInputs(text.inputs(next));
      frame.setTargets(text.targets(next++));
      frame.countTargets(text.streams() * text.steps());
    }

    @Override
    public void close() {}
  }
}
