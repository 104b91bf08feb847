package dev.gatun;

import dev.gatun.graph.Executable;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A network compiled in inference mode, with or without dropout, for one batch size; with a loss,
/// it also judges its outputs.
final class InferenceStep implements AutoCloseable {
  /// Predictions run in batches of at most this many inputs,
  private static final int MOST_INPUTS = 256;

  /// and at most this many bytes of inputs and outputs: what the host sees has at most 2 GiB, and a
  /// network's values are many times as much.
  private static final long MOST_BYTES = 1L << 28;

  private final Holdings holdings = new Holdings("inference step");
  private final Model model;
  private final Executable executable;
  private final CarriedStates carried;
  private final FloatBuffer inputs; // or
  private final IntBuffer tokens; // in the same place
  private final FloatBuffer outputs;
  private final ByteBuffer step;
  private final @Nullable Judgement judgement;

  /// The version of the model that the folded weights belong to.
  private long prepared = -1;

  /// @param targets labels or numbers
  private record Judgement(ByteBuffer targets, FloatBuffer loss, IntBuffer correct) {}

  /// In which batches `count` inputs are predicted: powers of two, so that there are few programs.
  static int batch(Net net, int count) {
    int few = Math.min(count, MOST_INPUTS);
    int batch = Math.min(MOST_INPUTS, Integer.highestOneBit(Math.max(1, 2 * few - 1)));
    long each = (net.inputShape().count() + net.outputShape().count()) * Float.BYTES;
    while (batch > 1 && batch * each > MOST_BYTES) {
      batch /= 2;
    }
    return batch;
  }

  /// An array for the outputs of `count` inputs.
  ///
  /// @param caller whom a message is from
  /// @throws ShapeException if there is none so large
  static float[] outputs(String caller, Net net, int count) {
    Shape one = net.outputShape();
    if (one.count() > 0 && count > Model.MAX_ELEMENTS / one.count()) {
      throw new ShapeException(
          "[%s] an array has %d elements at most, too few for outputs %s of %d inputs; give fewer at a"
                  .formatted(caller, Model.MAX_ELEMENTS, one, count)
              + " time");
    }
    return new float[count * (int) one.count()];
  }

  static InferenceStep predicting(Model model, int batch) {
    return new InferenceStep(
        model, model.net().inputs(batch), Mode.INFERENCE, 0, null, Score.Targets.LABELS, false);
  }

  /// With dropout.
  static InferenceStep sampling(Model model, int batch, long seed) {
    return new InferenceStep(
        model, model.net().inputs(batch), Mode.SAMPLING, seed, null, Score.Targets.LABELS, false);
  }

  static InferenceStep judging(Model model, int batch, Loss loss, Score.Targets targets) {
    TensorType inputs = model.net().inputs(batch);
    return new InferenceStep(model, inputs, Mode.INFERENCE, 0, loss, targets, false);
  }

  /// Of `batch` sequences, `steps` steps at a time, which go on where those before ended.
  static InferenceStep stepping(Model model, int batch, int steps) {
    TensorType inputs = model.net().inputs(batch, steps);
    return new InferenceStep(model, inputs, Mode.INFERENCE, 0, null, Score.Targets.LABELS, true);
  }

  /// The same with a loss.
  ///
  /// @param carries whether they go on, or begin anew each time
  static InferenceStep judging(Model model, int batch, int steps, Loss loss, boolean carries) {
    TensorType inputs = model.net().inputs(batch, steps);
    return new InferenceStep(model, inputs, Mode.INFERENCE, 0, loss, Score.Targets.LABELS, carries);
  }

  private InferenceStep(
      Model model,
      TensorType type,
      Mode mode,
      long seed,
      @Nullable Loss loss,
      Score.Targets targets,
      boolean carries) {
    this.model = model;
    Graph graph = new Graph();
    Value x = graph.leaf("inputs", type);
    NetTrace trace = new NetTrace(graph, mode, seed);
    if (carries) {
      trace.carryStates();
    }
    Value y = trace.run(model.net(), x);
    Staging staging = holdings.add(new Staging());
    int inputEntry = staging.place(x);
    int outputEntry = staging.place(y);
    int stepEntry = staging.place(trace.step());
    List<Integer> given = new ArrayList<>(List.of(inputEntry, stepEntry));
    List<Integer> wanted = new ArrayList<>(List.of(outputEntry));
    int targetEntry = -1;
    int lossEntry = -1;
    int correctEntry = -1;
    if (loss != null) {
      Value asked = graph.leaf("targets", targets.type(y));
      Score score = Score.of(graph, loss, y, asked, targets);
      targetEntry = staging.place(asked);
      lossEntry = staging.place(score.loss());
      correctEntry = staging.place(score.correct());
      given.add(targetEntry);
      wanted.add(lossEntry);
      wanted.add(correctEntry);
    }
    try {
      staging.allocate(model.device().backend());
      carried = holdings.add(new CarriedStates(model.device().backend(), trace));
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      leaves.addAll(carried.leaves());
      given.forEach(entry -> leaves.add(staging.placement(entry)));
      List<Placement> results = new ArrayList<>();
      wanted.forEach(entry -> results.add(staging.placement(entry)));
      carried.store(graph, trace.updates(trace.carried()), results);
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      executable =
          holdings.add(
              Executable.compile(
                  model.device().backend(), graph, leaves, results, leavesOf(model, trace)));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    inputs = staging.floats(inputEntry);
    tokens = staging.ints(inputEntry);
    outputs = staging.floats(outputEntry);
    step = staging.buffer(stepEntry);
    judgement =
        loss == null
            ? null
            : new Judgement(
                staging.buffer(targetEntry), staging.floats(lossEntry), staging.ints(correctEntry));
  }

  /// Runs on `length` elements of `source`; inputs after them are what an earlier run left, and do
  /// not matter.
  void run(float[] source, int from, int length) {
    inputs.put(0, source, from, length);
    run();
  }

  /// The same on tokens.
  void run(int[] source, int from, int length) {
    tokens.put(0, source, from, length);
    run();
  }

  private void run() {
    long current = model.version();
    if (prepared != current) {
      executable.prepare();
      prepared = current;
    }
    executable.run();
  }

  /// Chooses the masks of dropout.
  void setStep(long number) {
    step.putLong(0, number);
  }

  /// Begins sequences anew.
  void resetStates() {
    carried.reset();
  }

  void setLabels(int[] labels) {
    judgement().targets().asIntBuffer().put(0, labels);
  }

  /// For a step that judges by numbers.
  void setTargets(float[] values) {
    judgement().targets().asFloatBuffer().put(0, values);
  }

  int outputElements() {
    return outputs.capacity();
  }

  void readOutputs(float[] target, int from, int length) {
    outputs.get(0, target, from, length);
  }

  float loss() {
    return judgement().loss().get(0);
  }

  int correct() {
    return judgement().correct().get(0);
  }

  @Override
  public void close() {
    holdings.release();
  }

  /// The model's tensors, which a run does not write.
  private static Set<Value> leavesOf(Model model, NetTrace trace) {
    return model.placements(trace).stream().map(Placement::value).collect(Collectors.toSet());
  }

  private Judgement judgement() {
    if (judgement == null) {
      throw new IllegalStateException("this step only predicts");
    }
    return judgement;
  }
}
