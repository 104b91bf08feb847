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
import org.jspecify.annotations.Nullable;

/// The loss of a model over a whole data set, as a function of all its parameters one after the
/// other, in the order of [Model#parameterNames]. An evaluation, or a product with the Hessian,
/// leaves its point in the model, and a minimisation what it found. Batch norm sees the data set as
/// one batch; running estimates stay as they are. Close it before the model. Points, gradients and
/// vectors of another length than all parameters together are an [IllegalArgumentException].
///
/// Products with the Hessian are exact, by reverse mode over reverse mode, where the gradient of
/// every op has a gradient; with max pooling, batch, layer or group norm and recurrent cells they
/// are central differences of gradients, right to about three digits in single precision.
public final class FullBatch implements Objective, AutoCloseable {
  /// The step of central differences, for gradients in F32.
  private static final double STEP = Math.cbrt(0x1p-23);

  private final Holdings holdings = new Holdings("full batch");
  private final Model model;
  private final int parameterCount;
  private final Loss lossFunction;
  private final Staging staging = holdings.add(new Staging());
  private final Places places;
  private final Slab gradients;
  private final Executable executable;
  private final FloatBuffer loss;
  private @Nullable Curvature curvature;
  private boolean exact = true;

  /// The numbers of entries in the staging memory.
  private record Places(int inputs, int labels, int step, int loss) {}

  /// The program of products with the Hessian, and what it reads and writes.
  private record Curvature(Slab vectors, Slab products, Executable executable) {}

  /// The loss as a graph.
  private record Traced(Graph graph, Value inputs, Value labels, NetTrace trace, Value loss) {}

  private FullBatch(Model model, Loss lossFunction, float[] inputs, int[] labels) {
    this.model = model;
    this.parameterCount = Math.toIntExact(model.net().parameterCount());
    this.lossFunction = lossFunction;
    model.net().requireInputs("fullBatch", DType.F32);
    long each = model.net().inputShape().count();
    if (labels.length == 0 || inputs.length != labels.length * each) {
      throw new ShapeException(
          "[fullBatch] expected %d inputs %s (%d elements), found %d elements"
              .formatted(
                  labels.length, model.net().inputShape(), labels.length * each, inputs.length));
    }
    Requirements.labels("fullBatch", model.net(), lossFunction, labels);
    Traced traced = trace(labels.length);
    requireNoNoise(traced.graph());
    places =
        new Places(
            staging.place(traced.inputs()),
            staging.place(traced.labels()),
            staging.place(traced.trace().step()),
            staging.place(traced.loss()));
    try {
      staging.allocate(model.device().backend());
      gradients = holdings.add(slab());
      List<Value> slopes = Gradients.of(traced.loss(), parameters(traced));
      executable = compile(traced, List.of(), slopes, gradients);
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    staging.floats(places.inputs()).put(0, inputs);
    staging.ints(places.labels()).put(0, labels);
    loss = staging.floats(places.loss());
  }

  private Traced trace(long count) {
    Graph graph = new Graph();
    Value x = graph.leaf("inputs", model.net().inputs(count));
    Value t = graph.leaf("labels", new TensorType(DType.I32, Shape.of(count)));
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, 0);
    Score score = Score.of(graph, lossFunction, trace.run(model.net(), x), t, Score.Targets.LABELS);
    return new Traced(graph, x, t, trace, score.loss());
  }

  private static List<Value> parameters(Traced traced) {
    return traced.trace().parameters().stream().map(NetTrace.Parameter::leaf).toList();
  }

  private Slab slab() {
    return new Slab(model.device().backend(), "gradients", model.parameters().shapes());
  }

  /// The program of `results`, one for each parameter, which go to `target`; and of the loss.
  ///
  /// @param more leaves beside inputs and parameters
  private Executable compile(
      Traced traced, List<Placement> more, List<Value> results, Slab target) {
    List<Placement> leaves = new ArrayList<>(model.placements(traced.trace()));
    leaves.add(new Placement(traced.inputs(), staging.slot(places.inputs())));
    leaves.add(new Placement(traced.labels(), staging.slot(places.labels())));
    leaves.add(new Placement(traced.trace().step(), staging.slot(places.step())));
    leaves.addAll(more);
    List<Placement> wanted = new ArrayList<>();
    wanted.add(new Placement(traced.loss(), staging.slot(places.loss())));
    List<NetTrace.Parameter> specs = traced.trace().parameters();
    for (int i = 0; i < specs.size(); i++) {
      wanted.add(new Placement(results.get(i), target.slot(specs.get(i).name())));
    }
    leaves.addAll(holdings.add(Constants.of(traced.graph(), model.device())).placements());
    return holdings.add(
        Executable.compile(model.device().backend(), traced.graph(), leaves, wanted));
  }

  /// The loss of `model` on these inputs.
  ///
  /// @param inputs `[N, ...]`, standardised
  /// @param labels `[N]`, below the number of classes
  /// @throws ShapeException if the inputs are not N inputs of the network, or N is 0
  /// @throws IllegalArgumentException if the network has dropout, or a label is too large
  public static FullBatch of(Model model, Loss loss, float[] inputs, int[] labels) {
    return new FullBatch(model, loss, inputs, labels);
  }

  /// The model's present parameters.
  public double[] parameters() {
    holdings.requireOpen();
    double[] point = new double[parameterCount];
    read(model.parameters(), point);
    return point;
  }

  @Override
  public double valueAndGradient(double[] point, double[] gradient) {
    holdings.requireOpen();
    requireLength("point", point);
    requireLength("gradient", gradient);
    write(point, model.parameters());
    model.changed();
    executable.run();
    read(gradients, gradient);
    return loss.get(0);
  }

  @Override
  public void hessianVector(double[] point, double[] vector, double[] product) {
    holdings.requireOpen();
    requireLength("point", point);
    requireLength("vector", vector);
    requireLength("product", product);
    Curvature present = curvature();
    if (present == null) {
      Hessian.difference(this, STEP, point, vector, product);
      write(point, model.parameters()); // the differences went beside it
      model.changed();
      return;
    }
    write(point, model.parameters());
    model.changed();
    write(vector, present.vectors());
    present.executable().run();
    read(present.products(), product);
  }

  /// Null if a gradient has none.
  private @Nullable Curvature curvature() {
    if (curvature == null && exact) {
      Traced traced = trace(staging.ints(places.labels()).capacity());
      List<Value> variables = parameters(traced);
      List<Value> slopes = Gradients.of(traced.loss(), variables);
      List<Value> leaves = new ArrayList<>();
      for (NetTrace.Parameter spec : traced.trace().parameters()) {
        TensorType type = new TensorType(DType.F32, spec.shape());
        leaves.add(traced.graph().leaf("vector of " + spec.name(), type));
      }
      List<Value> results;
      try {
        Tensor along = Functions.product(slopes, leaves.toArray(Tensor[]::new));
        results = Gradients.of(traced.graph().value(along), variables);
      } catch (UnsupportedOperationException e) {
        exact = false;
        return null;
      }
      Slab vectors = holdings.add(slab());
      Slab products = holdings.add(slab());
      List<Placement> more = new ArrayList<>();
      for (int i = 0; i < leaves.size(); i++) {
        String name = traced.trace().parameters().get(i).name();
        more.add(new Placement(leaves.get(i), vectors.slot(name)));
      }
      curvature = new Curvature(vectors, products, compile(traced, more, results, products));
    }
    return curvature;
  }

  private void requireLength(String what, double[] found) {
    if (found.length != parameterCount) {
      throw new IllegalArgumentException(
          "[fullBatch] expected a %s of %d elements, one for each parameter, found %d"
              .formatted(what, parameterCount, found.length));
    }
  }

  private void write(double[] source, Slab target) {
    int at = 0;
    for (String name : model.parameterNames()) {
      float[] elements = new float[Math.toIntExact(model.shape(name).count())];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = (float) source[at++];
      }
      target.write(name, elements);
    }
  }

  private void read(Slab source, double[] target) {
    int at = 0;
    for (String name : model.parameterNames()) {
      for (float element : source.read(name)) {
        target[at++] = element;
      }
    }
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
