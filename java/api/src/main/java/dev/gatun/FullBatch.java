package dev.gatun;

import dev.gatun.graph.Executable;
import dev.gatun.graph.Gradients;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Placement;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Dropout;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/// The loss of a model over a whole data set, as a function of all its parameters one after the
/// other, in the order of [Model#parameterNames]. An evaluation leaves its point in the model.
/// Batch norm sees the data set as one batch; running estimates stay as they are. Close it before
/// the model.
public final class FullBatch implements Objective, AutoCloseable {
  private final Holdings holdings = new Holdings("full batch");
  private final Model model;
  private final Slab gradients;
  private final Executable executable;
  private final FloatBuffer loss;

  private FullBatch(Model model, Loss lossFunction, float[] inputs, int[] labels) {
    this.model = model;
    long each = model.net().inputShape().count();
    if (labels.length == 0 || inputs.length != labels.length * each) {
      throw new ShapeException(
          "[fullBatch] expected %d inputs %s (%d elements), found %d elements"
              .formatted(
                  labels.length, model.net().inputShape(), labels.length * each, inputs.length));
    }
    Graph graph = new Graph();
    Shape shape = TrainingStep.batched(labels.length, model.net().inputShape());
    Value x = graph.leaf("inputs", new TensorType(DType.F32, shape));
    Value t = graph.leaf("labels", new TensorType(DType.I32, Shape.of(labels.length)));
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, 0);
    Score score = Score.of(graph, lossFunction, trace.run(model.net(), x), t);
    requireNoNoise(graph);
    Staging staging = holdings.add(new Staging());
    int inputEntry = staging.place(x);
    int labelEntry = staging.place(t);
    int stepEntry = staging.place(trace.step());
    int lossEntry = staging.place(score.loss());
    try {
      staging.allocate(model.device().backend());
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      for (int entry : new int[] {inputEntry, labelEntry, stepEntry}) {
        leaves.add(staging.placement(entry));
      }
      gradients =
          holdings.add(
              new Slab(model.device().backend(), "gradients", model.parameters().shapes()));
      List<Placement> results = new ArrayList<>(List.of(staging.placement(lossEntry)));
      List<NetTrace.Parameter> specs = trace.parameters();
      List<Value> slopes =
          Gradients.of(score.loss(), specs.stream().map(NetTrace.Parameter::leaf).toList());
      for (int i = 0; i < specs.size(); i++) {
        results.add(new Placement(slopes.get(i), gradients.slot(specs.get(i).name())));
      }
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      executable =
          holdings.add(Executable.compile(model.device().backend(), graph, leaves, results));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    staging.floats(inputEntry).put(0, inputs);
    staging.ints(labelEntry).put(0, labels);
    loss = staging.floats(lossEntry);
  }

  /// The loss of `model` on these inputs.
  ///
  /// @param inputs `[N, ...]`, standardised
  /// @param labels `[N]`
  /// @throws ShapeException if the inputs are not N inputs of the network, or N is 0
  /// @throws IllegalArgumentException if the network has dropout
  public static FullBatch of(Model model, Loss loss, float[] inputs, int[] labels) {
    return new FullBatch(model, loss, inputs, labels);
  }

  /// The model's present parameters.
  public double[] parameters() {
    holdings.requireOpen();
    double[] point = new double[Math.toIntExact(model.net().parameterCount())];
    int at = 0;
    for (String name : model.parameterNames()) {
      for (float element : model.read(name)) {
        point[at++] = element;
      }
    }
    return point;
  }

  @Override
  public double valueAndGradient(double[] point, double[] gradient) {
    holdings.requireOpen();
    int at = 0;
    for (String name : model.parameterNames()) {
      float[] elements = new float[Math.toIntExact(model.shape(name).count())];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = (float) point[at++];
      }
      model.write(name, elements);
    }
    executable.run();
    at = 0;
    for (String name : model.parameterNames()) {
      for (float element : gradients.read(name)) {
        gradient[at++] = element;
      }
    }
    return loss.get(0);
  }

  @Override
  public void close() {
    holdings.closeByOwner();
    holdings.release();
  }

  private static void requireNoNoise(Graph graph) {
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Dropout) {
        throw new IllegalArgumentException(
            "[fullBatch] " + node.path() + ": dropout makes the loss noisy; leave it out");
      }
    }
  }
}
