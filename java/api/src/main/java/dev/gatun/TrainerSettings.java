package dev.gatun;

import dev.gatun.data.Augmentation;
import dev.gatun.data.Mixing;
import dev.gatun.data.Preprocessing;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a trainer was told, and the defaults; the methods of [Trainer] say what each is. The
/// trainer alone writes it, and nothing but watchers once there is a model.
final class TrainerSettings {
  final Net net;
  @Nullable Device device;
  Loss loss = Loss.softmaxCrossEntropy();
  ParameterGroups groups = ParameterGroups.of(Optimizer.sgd(0.1).momentum(0.9));
  Schedule schedule = Schedule.constant();
  Augmentation.Pipeline augmentation = Augmentation.Pipeline.none();
  Mixing mixing = Mixing.none();
  @Nullable Preprocessing preprocessing;
  Clipping clipping = Clipping.none();
  int accumulation = 1;
  boolean carriesStates;
  @Nullable Averaging averaging;
  @Nullable Pruning pruning;
  Precision precision = Precision.F32;
  long seed = 1;
  int loaderThreads = 1;
  boolean resident;
  int stepsPerCall = 1;
  final List<Watcher> watchers = new ArrayList<>();
  @Nullable EarlyStopping stopping;
  @Nullable Recovery recovery;
  @Nullable Saving saving;
  @Nullable Path resumed;

  /// When to write checkpoints, and where.
  record Saving(Path file, Span every) {}

  TrainerSettings(Net net) {
    this.net = net;
  }

  boolean mixes() {
    return !(mixing instanceof Mixing.None);
  }

  /// Settings under which steps are the same, for looking at what they do: no batch is mixed or
  /// accumulated, no weights are averaged, nobody is told and nothing is written.
  TrainerSettings rehearsal() {
    TrainerSettings copy = new TrainerSettings(net);
    copy.device = device;
    copy.loss = loss;
    copy.groups = groups;
    copy.schedule = schedule;
    copy.augmentation = augmentation;
    copy.preprocessing = preprocessing;
    copy.clipping = clipping;
    copy.carriesStates = carriesStates;
    copy.pruning = pruning;
    copy.precision = precision;
    copy.seed = seed;
    return copy;
  }

  /// In words, without what can be told in code only and what was not asked for.
  ///
  /// @param batch examples in a batch
  /// @param trained the device it turned out to be
  Map<String, String> inWords(int batch, Device trained) {
    Map<String, String> words = new LinkedHashMap<>();
    words.put("optimizer", groups.toString());
    words.put("batch", accumulation == 1 ? "" + batch : accumulation + " times " + batch);
    if (!(clipping instanceof Clipping.None)) {
      words.put("clipping", clipping.toString());
    }
    if (!augmentation.steps().isEmpty()) {
      words.put("augmentation", augmentation.steps().toString());
    }
    if (mixes()) {
      words.put("mixing", mixing.toString());
    }
    if (averaging != null) {
      words.put("averaging", averaging.toString());
    }
    words.put("precision", precision.toString());
    words.put("seed", Long.toString(seed));
    words.put("device", trained.description());
    return words;
  }
}
