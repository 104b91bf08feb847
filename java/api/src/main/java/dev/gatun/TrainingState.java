package dev.gatun;

import dev.gatun.Checkpoint.Held;
import dev.gatun.Checkpoint.Part;
import dev.gatun.Checkpoint.Place;
import dev.gatun.Checkpoint.Position;
import dev.gatun.data.DataFormatException;
import dev.gatun.data.Preprocessing;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// What training goes on from: tensors on the device, and how far it is. A [Checkpoint] is a copy.
final class TrainingState {
  private final Model model;
  private final long seed;
  private final @Nullable Averaging averaging;
  private final Holdings holdings;
  private @Nullable TrainingStep step;
  private @Nullable AveragedModel averaged;
  private long batches;
  private int epochs;
  private @Nullable Checkpoint waiting; // for the step to be compiled
  private @Nullable Path waitingFile;

  /// @param holdings take over the averaged model, which is made when it is needed
  TrainingState(Model model, TrainerSettings settings, Holdings holdings) {
    this.model = model;
    this.holdings = holdings;
    seed = settings.seed;
    averaging = settings.averaging;
  }

  /// Fails if it was closed.
  void requireOpen() {
    holdings.requireOpen();
  }

  Model model() {
    return model;
  }

  @Nullable TrainingStep step() {
    return step;
  }

  /// Batches that were trained on.
  long batches() {
    return batches;
  }

  /// One batch more was trained on.
  void countBatch() {
    batches++;
  }

  /// Epochs that were begun.
  int epochs() {
    return epochs;
  }

  /// The number of the next epoch, from 0.
  int nextEpoch() {
    return epochs++;
  }

  /// The average of the weights, null as long as there is none.
  @Nullable AveragedModel averaged() {
    return averaged;
  }

  /// Whether weights are averaged at this moment.
  boolean averagesAt(Schedule.Moment moment) {
    return averaging != null && average(averaging).isDue(moment);
  }

  /// Averages the weights, if that is asked for.
  void average(Schedule.Moment moment) {
    if (averaging != null) {
      average(averaging).follow(moment);
    }
  }

  private AveragedModel average(Averaging rule) {
    AveragedModel present = averaged;
    if (present == null) {
      present = holdings.add(new AveragedModel(rule, model, seed));
      averaged = present;
    }
    return present;
  }

  /// What the optimizer keeps is `newStep`'s from now on.
  void compiled(TrainingStep newStep) {
    step = newStep;
    Checkpoint content = waiting;
    if (content != null && content.position().batches() > 0) {
      List<Part> parts = newStep.parts();
      requireFit(content, parts);
      requireNoMore(
          content,
          parts,
          name -> name.startsWith(Checkpoint.FOREIGN) && !name.startsWith(Checkpoint.AVERAGE));
      Checkpoint.write(content.tensors(), parts);
    }
    waiting = null;
  }

  /// Takes the content of a file over. What belongs to a step waits until it is compiled.
  ///
  /// @throws DataFormatException if it does not fit the model
  void resume(Path file, Checkpoint content) {
    waiting = content;
    waitingFile = file;
    Position position = content.position();
    if (position.seed() != seed) {
      throw new DataFormatException(
          file, "seed %d, the trainer's, expected, found %d".formatted(seed, position.seed()));
    }
    if (position.averages() > 0 && averaging == null) {
      throw new DataFormatException(file, "it has averaged weights: ask for average(...)");
    }
    if (averaging != null && position.averages() > 0) {
      average(averaging);
    }
    requireFit(content, weightParts());
    requireNoMore(content, weightParts(), name -> !name.startsWith(Checkpoint.FOREIGN));
    restore(content);
  }

  /// Tensors that nobody takes are a sign that the file is of another training.
  private void requireNoMore(Checkpoint content, List<Part> parts, Predicate<String> asked) {
    Path file = waitingFile;
    Set<String> known = new HashSet<>();
    for (Part part : parts) {
      part.slab().shapes().keySet().forEach(name -> known.add(part.prefix() + name));
    }
    List<String> more =
        content.tensors().keySet().stream()
            .filter(asked.and(name -> !known.contains(name)))
            .toList();
    if (file != null && !more.isEmpty()) {
      throw new DataFormatException(
          file, "the tensors of the trainer expected, found also " + more);
    }
  }

  private void requireFit(Checkpoint content, List<Part> parts) {
    Path file = waitingFile;
    if (file == null) {
      return;
    }
    for (Part part : parts) {
      part.slab()
          .shapes()
          .forEach(
              (name, shape) -> {
                Held held = content.tensors().get(part.prefix() + name);
                if (held == null || !held.shape().equals(shape)) {
                  throw new DataFormatException(
                      file,
                      "tensor %s%s: F32 %s expected, found %s"
                          .formatted(
                              part.prefix(), name, shape, held == null ? "none" : held.shape()));
                }
              });
    }
  }

  /// A copy of everything.
  ///
  /// @param run where the present run is, null between runs
  Checkpoint capture(@Nullable Place run) {
    AveragedModel average = averaged;
    Position position =
        new Position(seed, batches, epochs, average == null ? 0 : average.count(), run);
    Map<String, Held> tensors = Checkpoint.read(parts());
    if (waiting != null) {
      waiting.tensors().forEach(tensors::putIfAbsent);
    }
    return new Checkpoint(tensors, model.preprocessing(), position);
  }

  /// Goes back to a copy.
  void restore(Checkpoint content) {
    Position position = content.position();
    batches = position.batches();
    epochs = position.epochs();
    if (averaging != null && (averaged != null || position.averages() > 0)) {
      average(averaging).restart(position.averages());
    }
    write(content.tensors(), parts());
    Preprocessing known = content.preprocessing();
    if (known != null) {
      model.preprocessing(known);
    }
  }

  /// What the model and its average hold.
  Map<String, Held> weights() {
    return Checkpoint.read(weightParts());
  }

  /// Takes them back.
  void restore(Map<String, Held> weights) {
    write(weights, weightParts());
  }

  private void write(Map<String, Held> tensors, List<Part> parts) {
    Checkpoint.write(tensors, parts);
    model.changed();
    AveragedModel average = averaged;
    if (average != null) {
      average.model().changed();
    }
  }

  /// The first tensor that has an infinity or NaN, null if all are finite. Inputs and targets
  /// first, then states of layers, which were computed on the way forward, then parameters, which
  /// had to wait for the gradients: of each kind in the order of the network.
  ///
  /// @param frame with the batch, null if it is not in question
  @Nullable String firstNotFinite(@Nullable StepFrame frame) {
    String bad = badData(frame);
    if (bad != null) {
      return bad;
    }
    for (Slab slab : List.of(model.states(), model.parameters())) {
      for (String name : slab.shapes().keySet()) {
        if (!Checkpoint.isFinite(slab.read(name))) {
          return name;
        }
      }
    }
    return null;
  }

  /// What of a batch has an infinity or NaN, null if neither has or it is not in question.
  static @Nullable String badData(@Nullable StepFrame frame) {
    if (frame == null) {
      return null;
    }
    return !frame.inputsAreFinite()
        ? "the batch's inputs"
        : frame.targetsAreFinite() ? null : "the batch's targets";
  }

  private List<Part> parts() {
    List<Part> parts = weightParts();
    TrainingStep present = step;
    if (present != null) {
      parts.addAll(present.parts());
    }
    return parts;
  }

  private List<Part> weightParts() {
    List<Part> parts = modelParts();
    AveragedModel average = averaged;
    if (average != null) {
      parts.add(new Part(Checkpoint.AVERAGE, average.model().parameters()));
      parts.add(new Part(Checkpoint.AVERAGE, average.model().states()));
    }
    return parts;
  }

  private List<Part> modelParts() {
    return new ArrayList<>(List.of(new Part("", model.parameters()), new Part("", model.states())));
  }
}
