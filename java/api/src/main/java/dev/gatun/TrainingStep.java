package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.graph.Executable;
import dev.gatun.graph.Gradients;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Convert;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Full;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Forward, backward, clipping and the optimizer's step on one batch, as one program: one downcall,
/// no allocation. If gradients are accumulated over several batches, the update is a program of its
/// own, run after the last.
///
/// A call works on a *half* of the frames, one batch in each. Where the device copies what it takes
/// from the host there are two halves: one is filled while the other is worked on.
final class TrainingStep implements AutoCloseable {
  private final Holdings holdings = new Holdings("training step");
  private final Model model;
  private final Executable forwardBackward;
  private final @Nullable Executable update;
  private final CarriedStates carried;
  private final List<Slab> optimizerStates = new ArrayList<>();
  private final @Nullable Slab sums;
  private final StepFrame[] frames;
  private final int most; // batches in a call
  private final boolean framed; // else it runs on staging memory itself
  private final @Nullable UpdateScalars updateScalars;

  /// What the update takes and gives where it is a program of its own.
  private record UpdateScalars(FloatBuffer rate, ByteBuffer step, FloatBuffer norm) {}

  /// The scalars' places in staging memory.
  private record UpdateEntries(int rate, int step, int norm) {}

  /// @param resident where inputs are gathered from; null if they are set
  /// @param targets what outputs are compared with
  TrainingStep(
      Model model,
      int batch,
      @Nullable ResidentPictures resident,
      Score.Targets targets,
      TrainerSettings settings) {
    this.model = model;
    most = settings.stepsPerCall;
    Graph graph = new Graph(settings.precision);
    ResidentPictures.Batch gathered = resident == null ? null : resident.trace(graph, batch);
    Value x =
        gathered == null ? graph.leaf("inputs", model.net().inputs(batch)) : gathered.pictures();
    Value rate = graph.leaf("learningRate", new TensorType(DType.F32, Shape.scalar()));
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, settings.seed);
    if (settings.carriesStates) {
      trace.carryStates();
    }
    Value outputs = trace.run(model.net(), x);
    Value t = graph.leaf("targets", targets.type(outputs));
    Score score = Score.of(graph, settings.loss, outputs, t, targets);

    Staging staging = holdings.add(new Staging());
    StepFrame.Entries entries =
        new StepFrame.Entries(
            staging.place(gathered == null ? x : gathered.indices()),
            staging.place(t),
            staging.place(rate),
            staging.place(trace.step()),
            staging.place(gathered == null ? trace.step() : gathered.epoch()),
            staging.place(score.loss()),
            staging.place(score.correct()),
            staging.place(rate)); // the norm: a scalar as well
    try {
      Backend backend = model.device().backend();
      int halves = backend.copiesStaging() ? 2 : 1;
      framed = most > 1 || halves > 1;
      if (framed) {
        staging.allocate(backend, (long) most * halves);
      } else {
        staging.allocate(backend);
      }
      carried = holdings.add(new CarriedStates(backend, trace));
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      leaves.addAll(carried.leaves());
      leaves.add(staging.placement(entries.inputs()));
      leaves.add(staging.placement(entries.targets()));
      leaves.add(staging.placement(entries.rate()));
      leaves.add(staging.placement(entries.number()));
      if (gathered != null) {
        leaves.add(staging.placement(entries.epoch()));
        leaves.addAll(gathered.leaves());
      }
      List<Placement> results = new ArrayList<>();
      results.add(staging.placement(entries.loss()));
      results.add(staging.placement(entries.correct()));
      Map<NetTrace.State, Value> updates = trace.updates(trace.states());
      Map<NetTrace.State, Value> handedOn = trace.updates(trace.carried());
      Slab parameters = model.parameters();
      Slab gradients = holdings.add(new Slab(backend, "gradients", parameters.shapes()));
      differentiate(trace, score.loss(), settings.groups, gradients, results);
      shadow(graph, trace, leaves, results);
      graph.computeIn(Precision.F32); // what follows is the optimizer's
      if (settings.accumulation == 1) {
        ParameterUpdate tail =
            new ParameterUpdate(graph, parameters, gradients, settings.groups, leaves, results);
        Slot norm = staging.slot(entries.norm());
        optimize(tail, settings, rate, trace.step(), parameters, norm, results);
        update = null;
        updateScalars = null;
        sums = null;
      } else {
        Slab kept = holdings.add(new Slab(backend, "accumulated gradients", parameters.shapes()));
        sums = kept;
        add(graph, kept, gradients, leaves, results);
        Staging scalars = holdings.add(new Staging());
        UpdateEntries places =
            new UpdateEntries(
                scalars.place(rate), scalars.place(trace.step()), scalars.place(rate));
        scalars.allocate(backend);
        update = holdings.add(update(parameters, kept, settings, scalars, places));
        updateScalars =
            new UpdateScalars(
                scalars.floats(places.rate()),
                scalars.buffer(places.step()),
                scalars.floats(places.norm()));
        updateScalars.norm().put(0, Float.NaN);
      }
      updates.forEach(
          (state, next) -> {
            Value last = overwrites(graph, state) ? next : copy(graph, next);
            results.add(new Placement(last, model.states().slot(state.name())));
          });
      carried.store(graph, handedOn, results);
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      forwardBackward =
          holdings.add(Executable.compile(backend, graph, leaves, results, staging.frames()));
      boolean floating = gathered == null && x.dtype() == DType.F32;
      frames = new StepFrame[most * halves];
      for (int i = 0; i < frames.length; i++) {
        frames[i] = new StepFrame(staging, entries, i, floating);
      }
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
  }

  /// The shape of `count` tensors of `shape`.
  static Shape batched(long count, Shape shape) {
    long[] dims = new long[shape.rank() + 1];
    dims[0] = count;
    System.arraycopy(shape.toArray(), 0, dims, 1, shape.rank());
    return Shape.of(dims);
  }

  /// The most batches in a call.
  int most() {
    return most;
  }

  /// Whether there are two halves.
  boolean worksAhead() {
    return frames.length > most;
  }

  /// @param half 0, or 1 where there are two
  /// @param place below [#most]
  StepFrame frame(int half, int place) {
    return frames[half * most + place];
  }

  /// Frames of a half are filled, in order; the device may fetch them.
  void feed(int half, int place, int count) {
    if (framed) {
      forwardBackward.feed(half * most + place, count);
    }
  }

  /// Begins forward and backward on the first `count` batches of a half, which were fed; without
  /// accumulation the updates too. On a CPU all is done when this returns.
  void start(int half, int count) {
    if (framed) {
      forwardBackward.start(half * most, count);
    } else {
      forwardBackward.run();
    }
  }

  /// Waits for what was started.
  void await() {
    if (framed) {
      forwardBackward.await();
    }
    model.changed();
  }

  /// What it keeps from step to step beside the model: states of the optimizer, sums of gradients
  /// and carried states.
  List<Checkpoint.Part> parts() {
    List<Checkpoint.Part> parts = new ArrayList<>();
    for (int i = 0; i < optimizerStates.size(); i++) {
      parts.add(new Checkpoint.Part("__optimizer" + i + "__.", optimizerStates.get(i)));
    }
    if (sums != null) {
      parts.add(new Checkpoint.Part("__sums__.", sums));
    }
    parts.add(new Checkpoint.Part("__carried__.", carried.slab()));
    return parts;
  }

  /// Begins sequences anew.
  void resetStates() {
    carried.reset();
  }

  /// The update by the mean of the gradients since the last one; nothing without accumulation.
  ///
  /// @param done updates before this one
  void update(double rate, long done) {
    if (update != null && updateScalars != null) {
      updateScalars.rate().put(0, (float) rate);
      updateScalars.step().putLong(0, done);
      update.run();
      model.changed();
    }
  }

  /// The norm of the gradient of the step that ended with this batch, before clipping; NaN if it is
  /// not measured.
  float gradientNorm(StepFrame last) {
    return updateScalars == null ? last.gradientNorm() : updateScalars.norm().get(0);
  }

  long instructions() {
    return forwardBackward.instructions() + (update == null ? 0 : update.instructions());
  }

  @Override
  public void close() {
    holdings.release();
  }

  /// Whether the new content may be computed over the old: batch norm can, and nobody else reads
  /// it. Any other update is stored at the end of the step, for the old content is read until then.
  private static boolean overwrites(Graph graph, NetTrace.State state) {
    Node producer = state.next().producer();
    return producer != null
        && producer.op() instanceof BatchNormTraining
        && graph.nodes().stream()
            .allMatch(node -> node == producer || !node.inputs().contains(state.leaf()));
  }

  private static Value copy(Graph graph, Value value) {
    return graph.apply(new Copy(), List.of(value)).getFirst();
  }

  /// Gradients are computed straight into a slab laid out as the parameters.
  private static void differentiate(
      NetTrace trace, Value loss, ParameterGroups groups, Slab gradients, List<Placement> results) {
    groups.requireFound(gradients.shapes());
    List<NetTrace.Parameter> trained =
        trace.parameters().stream()
            .filter(spec -> !groups.of(spec.name(), spec.shape()).frozen())
            .toList();
    List<Value> slopes =
        Gradients.of(loss, trained.stream().map(NetTrace.Parameter::leaf).toList());
    for (int i = 0; i < trained.size(); i++) {
      results.add(new Placement(slopes.get(i), gradients.slot(trained.get(i).name())));
    }
  }

  private void optimize(
      ParameterUpdate tail,
      TrainerSettings settings,
      Value rate,
      Value step,
      Slab parameters,
      Slot normPlace,
      List<Placement> results) {
    tail.penalise();
    Slab mask = null;
    Pruning pruning = settings.pruning;
    if (pruning != null) {
      mask = holdings.add(new Slab(parameters.backend(), "pruning mask", parameters.shapes()));
      pruning.write(mask);
      tail.maskGradients(mask); // or they would count in the norm
    }
    Value norm = tail.clip(settings.clipping);
    if (norm != null) {
      results.add(new Placement(norm, normPlace));
    }
    for (int i = 0; i < ParameterUpdate.stateSlots(parameters, settings.groups); i++) {
      optimizerStates.add(
          holdings.add(
              new Slab(parameters.backend(), "states of the optimizer", parameters.shapes())));
    }
    tail.step(rate, step, optimizerStates);
    if (mask != null) {
      tail.maskParameters(mask); // for rules that move weights whose gradient is 0
    }
  }

  /// sums += gradients.
  private static void add(
      Graph graph, Slab sums, Slab gradients, List<Placement> leaves, List<Placement> results) {
    TensorType flat = new TensorType(DType.F32, sums.flat());
    Value sum = graph.leaf("sums", flat);
    Value gradient = graph.leaf("gradients", flat);
    leaves.add(new Placement(sum, sums.slot()));
    leaves.add(new Placement(gradient, gradients.slot()));
    results.add(new Placement(graph.value(sum.plus(gradient)), sums.slot()));
  }

  /// The program that steps by the mean of the sums and begins them anew.
  private Executable update(
      Slab parameters,
      Slab sums,
      TrainerSettings settings,
      Staging staging,
      UpdateEntries entries) {
    Graph graph = new Graph();
    Value rate = graph.leaf("learningRate", new TensorType(DType.F32, Shape.scalar()));
    Value step = graph.leaf("step", new TensorType(DType.I64, Shape.scalar()));
    List<Placement> leaves = new ArrayList<>();
    leaves.add(new Placement(rate, staging.slot(entries.rate())));
    leaves.add(new Placement(step, staging.slot(entries.step())));
    List<Placement> results = new ArrayList<>();
    TensorType flat = new TensorType(DType.F32, sums.flat());
    Value sum = graph.leaf("sums", flat);
    leaves.add(new Placement(sum, sums.slot()));
    results.add(new Placement(graph.value(sum.times(1.0 / settings.accumulation)), sums.slot()));
    ParameterUpdate tail =
        new ParameterUpdate(graph, parameters, sums, settings.groups, leaves, results);
    optimize(tail, settings, rate, step, parameters, staging.slot(entries.norm()), results);
    Value zeros = graph.apply(new Full(flat, 0), List.of()).getFirst();
    results.add(new Placement(zeros, sums.slot()));
    return Executable.compile(parameters.backend(), graph, leaves, results);
  }

  /// Parameters that ops read in BF16 are converted at once, in one pass over their slab to another
  /// of half its size.
  private void shadow(
      Graph graph, NetTrace trace, List<Placement> leaves, List<Placement> results) {
    Map<Value, String> names = new HashMap<>();
    trace.parameters().forEach(spec -> names.put(spec.leaf(), spec.name()));
    List<Node> conversions =
        graph.nodes().stream()
            .filter(
                node ->
                    node.op().equals(new Convert(DType.BF16))
                        && names.containsKey(node.inputs().getFirst()))
            .toList();
    if (conversions.isEmpty()) {
      return;
    }
    Slab parameters = model.parameters();
    TensorType flat = new TensorType(DType.F32, parameters.flat());
    long bytes = flat.shape().count() * DType.BF16.bytes();
    Memory shadow =
        holdings.add(
            parameters.backend().allocate(bytes, Memory.Kind.DEVICE, "parameters in bf16"));
    for (Node node : conversions) {
      Slot slot = parameters.slot(Objects.requireNonNull(names.get(node.inputs().getFirst())));
      long offset = slot.offset() / DType.F32.bytes() * DType.BF16.bytes();
      leaves.add(new Placement(graph.turnIntoLeaf(node), new Slot(shadow, offset)));
    }
    Value whole = graph.leaf("parametersToConvert", flat);
    leaves.add(new Placement(whole, parameters.slot()));
    Value converted = graph.applyFirst(new Convert(DType.BF16), List.of(whole)).getFirst();
    results.add(new Placement(converted, new Slot(shadow, 0)));
  }
}
