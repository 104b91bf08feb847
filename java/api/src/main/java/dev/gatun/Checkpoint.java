package dev.gatun;

import dev.gatun.data.Preprocessing;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// All that training goes on from, on the host: what it does from here depends on nothing else but
/// the configuration and the data. Random numbers are addressed by seed, batch and epoch, so the
/// counts of these are all that there is to keep of them.
///
/// @param tensors by their names in files: the model's under their own, others behind a prefix
/// @param preprocessing the model's
/// @param position how far training is
record Checkpoint(
    Map<String, Held> tensors, @Nullable Preprocessing preprocessing, Position position) {
  /// What names of tensors that are not the model's begin with.
  static final String FOREIGN = "__";

  /// Before the names of an averaged model's tensors.
  static final String AVERAGE = "__average__.";

  /// A tensor's content.
  record Held(Shape shape, float[] elements) {}

  /// Tensors of a training, and what stands before their names.
  record Part(String prefix, Slab slab) {}

  /// How far a training is.
  ///
  /// @param seed of everything random
  /// @param batches that were trained on
  /// @param epochs that were begun
  /// @param averages of weights that were made
  /// @param run the run that is not over, null between runs
  record Position(long seed, long batches, int epochs, long averages, @Nullable Place run) {}

  /// Where a run is.
  ///
  /// @param steps that were done before this epoch
  /// @param inEpoch that were done in it; with 0 it has not begun
  /// @param sums over the steps of the epoch
  /// @param rate what the learning rate is multiplied by since the run went back
  /// @param feed what the run is fed with
  /// @param history up to here: it may go on after this
  /// @param epochs of the history that are up to here
  /// @param best the tensors of the best epoch, if they are kept and there is one
  record Place(
      long steps,
      long inEpoch,
      Sums sums,
      double rate,
      Feeding feed,
      History history,
      int epochs,
      Map<String, Held> best) {}

  /// What an epoch adds up.
  record Sums(double loss, long correct, long images) {}

  /// What must be the same for a run to go on.
  record Feeding(long stepsPerEpoch, int batch, int accumulation) {}

  /// The present content of `parts`.
  static Map<String, Held> read(List<Part> parts) {
    Map<String, Held> tensors = new LinkedHashMap<>();
    for (Part part : parts) {
      part.slab()
          .shapes()
          .forEach(
              (name, shape) ->
                  tensors.put(part.prefix() + name, new Held(shape, part.slab().read(name))));
    }
    return tensors;
  }

  /// Writes to `parts` what they have in `tensors`.
  static void write(Map<String, Held> tensors, List<Part> parts) {
    for (Part part : parts) {
      for (String name : part.slab().shapes().keySet()) {
        Held held = tensors.get(part.prefix() + name);
        if (held != null) {
          part.slab().write(name, held.elements());
        }
      }
    }
  }

  /// Whether it has no infinity and no NaN.
  boolean isFinite() {
    return tensors.values().stream().allMatch(held -> isFinite(held.elements()));
  }

  static boolean isFinite(float[] elements) {
    for (float element : elements) {
      if (!Float.isFinite(element)) {
        return false;
      }
    }
    return true;
  }
}
