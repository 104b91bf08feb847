package dev.gatun;

import dev.gatun.data.Batch;
import dev.gatun.data.Loader;
import dev.gatun.data.TextBatches;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Where the batches of a run come from.
interface Feed extends AutoCloseable {
  /// What outputs are compared with.
  Score.Targets targets();

  /// Examples in a batch.
  int size();

  /// Begins a pass.
  void start(int epoch, TrainingStep step);

  /// Passes the next batches of a pass by.
  void skip(long batches);

  /// Waits for the next batch.
  void await();

  /// Puts the batch into `step`, and returns the number of targets that count.
  int fill(TrainingStep step);

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
      return loader.hasTargets() ? Score.Targets.VALUES : Score.Targets.LABELS;
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
    public void await() {
      batch = loader.next();
    }

    @Override
    public int fill(TrainingStep step) {
      Batch filled = batch;
      if (filled == null) {
        throw new IllegalStateException("the loader ended before the epoch");
      }
      step.setInputs(filled.images());
      float[] targets = filled.targets();
      if (targets == null) {
        step.setTargets(filled.labels());
      } else {
        step.setTargets(targets);
      }
      int count = filled.count();
      loader.release(filled);
      return count;
    }

    @Override
    public void close() {
      loader.close();
    }
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
    public void await() {}

    @Override
    public int fill(TrainingStep step) {
      step.setInputs(text.inputs(next));
      step.setTargets(text.targets(next++));
      return text.streams() * text.steps();
    }

    @Override
    public void close() {}
  }
}
