package dev.gatun;

import dev.gatun.graph.Executable;
import dev.gatun.graph.Gradients;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Placement;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.ClipByNorm;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Norm;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Forward, backward, clipping and the optimizer's step on one batch, as one program: one downcall,
/// no allocation.
final class TrainingStep implements AutoCloseable {
  private final Holdings holdings = new Holdings("training step");
  private final Model model;
  private final Executable executable;
  private final FloatBuffer images;
  private final IntBuffer labels;
  private final FloatBuffer learningRate;
  private final ByteBuffer step;
  private final FloatBuffer loss;
  private final IntBuffer correct;

  /// @param maxNorm the gradient's greatest norm, infinite for no clipping
  TrainingStep(
      Model model, int batch, Loss lossFunction, Optimizer optimizer, double maxNorm, long seed) {
    this.model = model;
    Graph graph = new Graph();
    TensorType imageType = new TensorType(DType.F32, batched(batch, model.net().inputShape()));
    Value x = graph.leaf("images", imageType);
    Value t = graph.leaf("labels", new TensorType(DType.I32, Shape.of(batch)));
    Value rate = graph.leaf("learningRate", new TensorType(DType.F32, Shape.scalar()));
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, seed);
    Value outputs = trace.run(model.net(), x);
    Score score = Score.of(graph, lossFunction, outputs, t);

    Staging staging = holdings.add(new Staging());
    int imageEntry = staging.place(x);
    int labelEntry = staging.place(t);
    int rateEntry = staging.place(rate);
    int stepEntry = staging.place(trace.step());
    int lossEntry = staging.place(score.loss());
    int correctEntry = staging.place(score.correct());
    try {
      staging.allocate(model.device().backend());
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      for (int entry : new int[] {imageEntry, labelEntry, rateEntry, stepEntry}) {
        leaves.add(staging.placement(entry));
      }
      List<Placement> results = new ArrayList<>();
      results.add(staging.placement(lossEntry));
      results.add(staging.placement(correctEntry));
      Map<NetTrace.State, Value> updates = updates(graph, trace);
      optimize(model, graph, trace, score.loss(), rate, optimizer, maxNorm, leaves, results);
      updates.forEach(
          (state, next) -> {
            Value last = overwrites(graph, state) ? next : copy(graph, next);
            results.add(new Placement(last, model.states().slot(state.name())));
          });
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      executable =
          holdings.add(Executable.compile(model.device().backend(), graph, leaves, results));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    images = staging.floats(imageEntry);
    labels = staging.ints(labelEntry);
    learningRate = staging.floats(rateEntry);
    step = staging.buffer(stepEntry);
    loss = staging.floats(lossEntry);
    correct = staging.ints(correctEntry);
  }

  /// The shape of `count` tensors of `shape`.
  static Shape batched(long count, Shape shape) {
    long[] dims = new long[shape.rank() + 1];
    dims[0] = count;
    System.arraycopy(shape.toArray(), 0, dims, 1, shape.rank());
    return Shape.of(dims);
  }

  void run(float[] batchImages, int[] batchLabels, double rate, long number) {
    images.put(0, batchImages);
    labels.put(0, batchLabels);
    learningRate.put(0, (float) rate);
    step.putLong(0, number);
    executable.run();
    model.changed();
  }

  float loss() {
    return loss.get(0);
  }

  int correct() {
    return correct.get(0);
  }

  long instructions() {
    return executable.instructions();
  }

  @Override
  public void close() {
    holdings.release();
  }

  /// What becomes of each state that changes. One that takes the place of another, or of a
  /// parameter, is saved before that changes too.
  private static Map<NetTrace.State, Value> updates(Graph graph, NetTrace trace) {
    Map<NetTrace.State, Value> updates = new LinkedHashMap<>();
    for (NetTrace.State state : trace.states()) {
      Value next = state.next();
      Node producer = next.producer();
      if (next != state.leaf()) {
        boolean computed = producer != null && !producer.op().isAlias();
        updates.put(state, computed ? next : copy(graph, next));
      }
    }
    return updates;
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

  /// Gradients are computed straight into a slab laid out as the parameters; the optimizer then
  /// sees each slab as one vector and writes over it.
  private void optimize(
      Model model,
      Graph graph,
      NetTrace trace,
      Value lossValue,
      Value rate,
      Optimizer optimizer,
      double maxNorm,
      List<Placement> leaves,
      List<Placement> results) {
    Slab parameters = model.parameters();
    Slab gradients = holdings.add(new Slab(model.device().backend(), parameters.shapes()));
    List<NetTrace.Parameter> specs = trace.parameters();
    List<Value> slopes =
        Gradients.of(lossValue, specs.stream().map(NetTrace.Parameter::leaf).toList());
    for (int i = 0; i < specs.size(); i++) {
      results.add(new Placement(slopes.get(i), gradients.slot(specs.get(i).name())));
    }
    TensorType flat = new TensorType(DType.F32, parameters.flat());
    Value parameter = graph.leaf("parameters", flat);
    Value gradient = graph.leaf("gradients", flat);
    leaves.add(new Placement(parameter, parameters.slot()));
    leaves.add(new Placement(gradient, gradients.slot()));
    if (Double.isFinite(maxNorm)) {
      Value norm = graph.apply(new Norm(), List.of(gradient)).getFirst();
      Value clipped = graph.apply(new ClipByNorm(maxNorm), List.of(gradient, norm)).getFirst();
      results.add(new Placement(clipped, gradients.slot()));
      gradient = clipped;
    }
    List<Tensor> states = new ArrayList<>();
    List<Slab> stateSlabs = new ArrayList<>();
    for (int i = 0; i < optimizer.stateSlots(); i++) {
      Value state = graph.leaf("optimizer" + i, flat);
      Map<String, Shape> whole = new LinkedHashMap<>(Map.of("all", parameters.flat()));
      Slab slab = holdings.add(new Slab(model.device().backend(), whole));
      leaves.add(new Placement(state, slab.slot()));
      states.add(state);
      stateSlabs.add(slab);
    }
    List<Tensor> next = optimizer.step(parameter, gradient, rate, trace.step(), states);
    results.add(new Placement(graph.value(next.getFirst()), parameters.slot()));
    for (int i = 0; i < stateSlabs.size(); i++) {
      results.add(new Placement(graph.value(next.get(1 + i)), stateSlabs.get(i).slot()));
    }
  }
}
