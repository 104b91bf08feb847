package dev.gatun;

import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Dropout;
import dev.gatun.graph.op.Full;
import dev.gatun.graph.op.GatherRows;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// One walk through a network that writes its graph, and collects the parameters and states it
/// meets.
final class NetTrace implements LayerContext {
  /// Binary digits of a number of type F32 below 1.
  private static final int UNIFORM_BITS = 24;

  private final Graph graph;
  private final Mode mode;
  private final Value step;
  private final long seed;
  private final Deque<String> path = new ArrayDeque<>();
  private final Map<String, Parameter> parameters = new LinkedHashMap<>();
  private final Map<String, State> states = new LinkedHashMap<>();
  private final Map<String, State> carried = new LinkedHashMap<>();
  private final Map<String, Value> outputs = new LinkedHashMap<>();
  private final Map<String, Value> layers = new LinkedHashMap<>();
  private ConvAlgorithm convAlgorithm = ConvAlgorithm.AUTO;
  private int dropouts;
  private boolean carrying;

  NetTrace(Graph graph, Mode mode, long seed) {
    this.graph = graph;
    this.mode = mode;
    this.seed = seed;
    this.step = graph.leaf("step", new TensorType(DType.I64, Shape.scalar()));
  }

  /// A trained tensor: what it is called and how it starts.
  record Parameter(String name, Shape shape, Initializer initializer, Value leaf) {}

  /// A tensor that is kept but not trained.
  static final class State {
    private final String name;
    private final double initialValue;
    private final Value leaf;
    private Value next;

    State(String name, double initialValue, Value leaf) {
      this.name = name;
      this.initialValue = initialValue;
      this.leaf = leaf;
      this.next = leaf;
    }

    String name() {
      return name;
    }

    double initialValue() {
      return initialValue;
    }

    Value leaf() {
      return leaf;
    }

    /// What the step stores; the leaf itself if nothing changes it.
    Value next() {
      return next;
    }
  }

  /// The parameters of `net`, in the order of the walk.
  static List<Parameter> parameters(Net net) {
    return dryRun(net).parameters();
  }

  /// The walk for a batch of two in training mode, just for what it collects.
  static NetTrace dryRun(Net net) {
    NetTrace trace = new NetTrace(new Graph(), Mode.TRAINING, 0);
    trace.run(net, trace.graph.leaf("input", net.inputs(2)));
    return trace;
  }

  /// How many tokens there are vectors for: the rows of the smallest table that inputs are looked
  /// up in; [Long#MAX_VALUE] if there is none.
  static long vocabulary(Net net) {
    NetTrace trace = new NetTrace(new Graph(), Mode.TRAINING, 0);
    Value input = trace.graph.leaf("input", net.inputs(2));
    trace.run(net, input);
    return trace.nodes().stream()
        .filter(node -> node.op() instanceof GatherRows)
        .filter(node -> Score.source(node.inputs().get(1)) == input)
        .mapToLong(node -> node.inputs().getFirst().shape().dim(0))
        .min()
        .orElse(Long.MAX_VALUE);
  }

  /// The type that `layer` makes of `input`.
  static TensorType infer(String name, Layer layer, TensorType input) {
    NetTrace trace = new NetTrace(new Graph(), Mode.TRAINING, 0);
    return TensorType.of(trace.apply(name, layer, trace.graph.leaf("input", input)));
  }

  /// Lets layers carry states from step to step.
  void carryStates() {
    carrying = true;
  }

  /// The net's outputs, in F32 also where a graph of less precision computes them in less.
  Value run(Net net, Value x) {
    convAlgorithm = net.convAlgorithm();
    return graph.value(net.layers().apply(this, x).as(DType.F32));
  }

  List<Parameter> parameters() {
    return new ArrayList<>(parameters.values());
  }

  List<State> states() {
    return new ArrayList<>(states.values());
  }

  /// What a step hands on to the next.
  List<State> carried() {
    return new ArrayList<>(carried.values());
  }

  /// What becomes of each of `changing` that changes. One that takes the place of another, or of a
  /// parameter, is saved before that changes too.
  Map<State, Value> updates(List<State> changing) {
    Map<State, Value> updates = new LinkedHashMap<>();
    for (State state : changing) {
      Value next = state.next();
      Node producer = next.producer();
      if (next != state.leaf()) {
        boolean computed = producer != null && !producer.op().isAlias();
        updates.put(state, computed ? next : graph.apply(new Copy(), List.of(next)).getFirst());
      }
    }
    return updates;
  }

  /// What the layers with weights (a parameter `weight` that is a matrix) gave, by path.
  Map<String, Value> outputs() {
    return outputs;
  }

  /// What every layer gave, by path; parts come before the layer that they are of.
  Map<String, Value> layers() {
    return layers;
  }

  /// The nodes that the walk has added, and what was there before.
  List<Node> nodes() {
    return graph.nodes();
  }

  /// The leaf that holds the number of the step.
  Value step() {
    return step;
  }

  @Override
  public Mode mode() {
    return mode;
  }

  @Override
  public ConvAlgorithm convAlgorithm() {
    return convAlgorithm;
  }

  @Override
  public Tensor parameter(String name, Initializer initializer, long... dims) {
    Shape shape = Shape.of(dims);
    Parameter parameter =
        parameters.computeIfAbsent(
            full(name), key -> new Parameter(key, shape, initializer, leaf(key, shape)));
    if (!parameter.shape().equals(shape)) {
      throw new ShapeException(
          "the parameter %s is %s, now asked for as %s"
              .formatted(parameter.name(), parameter.shape(), shape));
    }
    requireOneKind(parameter.name());
    return parameter.leaf();
  }

  @Override
  public Tensor state(String name, double initialValue, long... dims) {
    return state(states, name, initialValue, Shape.of(dims));
  }

  @Override
  public @Nullable Tensor carried(String name, long... dims) {
    return carrying ? state(carried, name, 0, Shape.of(dims)) : null;
  }

  private Tensor state(Map<String, State> known, String name, double initialValue, Shape shape) {
    State state =
        known.computeIfAbsent(full(name), key -> new State(key, initialValue, leaf(key, shape)));
    if (!state.leaf().shape().equals(shape)) {
      throw new ShapeException(
          "the state %s is %s, now asked for as %s"
              .formatted(state.name(), state.leaf().shape(), shape));
    }
    requireOneKind(state.name());
    return state.leaf();
  }

  @Override
  public void update(Tensor state, Tensor value) {
    List<State> candidates = states();
    candidates.addAll(carried.values());
    for (State candidate : candidates) {
      if (candidate.leaf == state) {
        if (!value.shape().equals(state.shape())) {
          throw new ShapeException(
              "the state %s is %s, its new value %s"
                  .formatted(candidate.name, state.shape(), value.shape()));
        }
        candidate.next = graph.value(value.as(state.dtype()));
        return;
      }
    }
    throw new IllegalArgumentException("not a state of this network: " + state);
  }

  @Override
  public Tensor dropout(Tensor x, double dropProbability, int... sharedAxes) {
    long[] dims = x.shape().toArray();
    for (int axis : sharedAxes) {
      int index = axis < 0 ? axis + dims.length : axis;
      if (index < 0 || index >= dims.length) {
        throw new ShapeException(
            "[dropout] there is no axis %d in %s to share a mask".formatted(axis, x.shape()));
      }
      dims[index] = 1;
    }
    if (mode == Mode.INFERENCE || dropProbability == 0) {
      return x;
    }
    if (sharedAxes.length > 0) {
      return x.times(dropoutMask(dropProbability, dims));
    }
    Dropout op = new Dropout(dropProbability, seed, dropouts++);
    return Tensor.applyAll(op, List.of(x, step)).getFirst();
  }

  @Override
  public Tensor dropoutMask(double dropProbability, long... dims) {
    Full ones = new Full(new TensorType(DType.F32, Shape.of(dims)), 1);
    return dropout(graph.apply(ones, List.of()).getFirst(), dropProbability);
  }

  /// The sum of 24 binary digits, each dropped with probability ½: no instruction draws numbers.
  @Override
  public Tensor uniform(long... dims) {
    TensorType type = new TensorType(DType.F32, Shape.of(dims));
    if (mode == Mode.INFERENCE) {
      return graph.apply(new Full(type, 0.5), List.of()).getFirst();
    }
    List<Double> digits =
        IntStream.rangeClosed(1, UNIFORM_BITS).mapToObj(k -> Math.scalb(1.0, -k)).toList();
    Tensor all =
        Regions.literal(step, DType.F32, digits, UNIFORM_BITS)
            .times(0.5) // which dropout takes back
            .expand(type.shape().count(), UNIFORM_BITS);
    return dropout(all, 0.5).sum(1).reshape(dims);
  }

  @Override
  public Tensor apply(String name, Layer layer, Tensor x) {
    path.addLast(name);
    graph.enter(name);
    try {
      Tensor y =
          Objects.requireNonNull(
              layer.apply(this, x),
              () -> String.join(".", path) + ": a tensor expected of the layer, found null");
      layers.put(String.join(".", path), graph.value(y));
      Parameter weights = parameters.get(full("weight"));
      if (weights != null && weights.shape().rank() > 1) {
        outputs.put(String.join(".", path), graph.value(y));
      }
      return y;
    } catch (ShapeException e) {
      throw located(e);
    } finally {
      graph.leave();
      path.removeLast();
    }
  }

  /// The graph puts the path in front of its own messages; those of layers get it here.
  private ShapeException located(ShapeException e) {
    String message = String.valueOf(e.getMessage());
    String prefix = String.join(".", path);
    return message.startsWith("[") ? new ShapeException(prefix + ": " + message) : e;
  }

  private void requireOneKind(String name) {
    if (parameters.containsKey(name) && states.containsKey(name)) {
      throw new IllegalArgumentException(
          "%s is asked for as a parameter and as a state; give one another name".formatted(name));
    }
  }

  private Value leaf(String name, Shape shape) {
    return graph.leaf(name, new TensorType(DType.F32, shape));
  }

  private String full(String name) {
    return path.isEmpty() ? name : String.join(".", path) + "." + name;
  }
}
