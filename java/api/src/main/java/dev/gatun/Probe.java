package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.diagnosis.GateReading;
import dev.gatun.diagnosis.Inspection;
import dev.gatun.diagnosis.LayerReading;
import dev.gatun.diagnosis.LayerReading.Kind;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.diagnosis.ParameterReading;
import dev.gatun.graph.Executable;
import dev.gatun.graph.Gradients;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Dropout;
import dev.gatun.graph.op.Full;
import dev.gatun.graph.op.Softmax;
import dev.gatun.graph.op.UnaryOp;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A training step laid open: forward and backward on a batch, with the output of every layer and
/// all gradients copied to the host, where they are looked at. It changes neither parameters nor
/// states. For looking, not for speed: nothing is fused away that somebody wants to see.
final class Probe implements AutoCloseable {
  /// Elements of layers' outputs and of gradients by them that are copied at most.
  private static final long MOST_ELEMENTS = 1L << 27;

  private final Holdings holdings = new Holdings("probe");
  private final Model model;
  private final Loss lossFunction;
  private final int batch;
  private final Score.Targets targets;
  private final Map<String, Seen> layers = new LinkedHashMap<>();
  private final List<SeenGates> gates = new ArrayList<>();
  private final Map<String, Integer> gradients = new LinkedHashMap<>();
  private final Staging staging = holdings.add(new Staging());
  private final Executable executable;
  private final FloatBuffer inputs; // or
  private final IntBuffer tokens; // in the same place
  private final IntBuffer labels; // or
  private final FloatBuffer values; // in the same place
  private final FloatBuffer loss;
  private final IntBuffer correct;
  private final FloatBuffer equalLoss;

  /// A layer's output, and where that and the gradient by it are copied to.
  private record Seen(Kind kind, int depth, Shape shape, int output, int gradient) {}

  /// A recurrent layer's gates, and where what they are in is copied to; -1 for no mask.
  private record SeenGates(Gates gates, int saved, int mask) {}

  /// @param batch examples; [#most] says how many can be looked at
  /// @param targets what outputs are compared with
  Probe(Model model, int batch, Score.Targets targets, TrainerSettings settings) {
    this.model = model;
    this.lossFunction = settings.loss;
    this.batch = batch;
    this.targets = targets;
    Graph graph = new Graph(settings.precision);
    Value x = graph.leaf("inputs", model.net().inputs(batch));
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, settings.seed);
    Value outputs = trace.run(model.net(), x);
    Value t = graph.leaf("targets", targets.type(outputs));
    Score score = Score.of(graph, settings.loss, outputs, t, targets);
    Value nothing = graph.apply(new Full(outputs.type(), 0), List.of()).getFirst();
    Value equal = graph.value(settings.loss.apply(nothing, t));

    int inputEntry = staging.place(x);
    int targetEntry = staging.place(t);
    int stepEntry = staging.place(trace.step());
    int lossEntry = staging.place(score.loss());
    int correctEntry = staging.place(score.correct());
    int equalEntry = staging.place(equal);
    List<Integer> results = new ArrayList<>(List.of(lossEntry, correctEntry, equalEntry));
    Map<Value, Integer> copied = new LinkedHashMap<>(); // layers may share a mask
    for (Node node : graph.nodes()) {
      Gates found = Gates.of(node);
      if (found != null) {
        int savedEntry = copied.computeIfAbsent(found.saved(), staging::place);
        Value mask = found.mask();
        int maskEntry = mask == null ? -1 : copied.computeIfAbsent(mask, staging::place);
        gates.add(new SeenGates(found, savedEntry, maskEntry));
      }
    }
    results.addAll(copied.values());
    Map<String, Value> seen = seen(trace, x);
    List<NetTrace.Parameter> trained =
        trace.parameters().stream()
            .filter(spec -> !settings.groups.of(spec.name(), spec.shape()).frozen())
            .toList();
    List<Value> variables = new ArrayList<>(seen.values());
    trained.forEach(spec -> variables.add(spec.leaf()));
    List<Value> slopes = Gradients.of(score.loss(), variables);
    int next = 0;
    int depth = 0;
    Set<String> deep = deep(trace);
    for (Map.Entry<String, Value> layer : seen.entrySet()) {
      String path = layer.getKey();
      Value output = layer.getValue();
      int outputEntry = staging.place(graph.value(output.as(DType.F32)));
      int gradientEntry = staging.place(graph.value(slopes.get(next++).as(DType.F32)));
      results.add(outputEntry);
      results.add(gradientEntry);
      int place = deep.contains(path) ? ++depth : 0;
      layers.put(path, new Seen(kind(output), place, output.shape(), outputEntry, gradientEntry));
    }
    for (NetTrace.Parameter spec : trained) {
      int entry = staging.place(graph.value(slopes.get(next++).as(DType.F32)));
      results.add(entry);
      gradients.put(spec.name(), entry);
    }
    try {
      Backend backend = model.device().backend();
      staging.allocate(backend);
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      for (int entry : new int[] {inputEntry, targetEntry, stepEntry}) {
        leaves.add(staging.placement(entry));
      }
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      List<Placement> places = results.stream().map(staging::placement).toList();
      executable = holdings.add(Executable.compile(backend, graph, leaves, places));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    inputs = staging.floats(inputEntry);
    tokens = staging.ints(inputEntry);
    labels = staging.ints(targetEntry);
    values = staging.floats(targetEntry);
    loss = staging.floats(lossEntry);
    correct = staging.ints(correctEntry);
    equalLoss = staging.floats(equalEntry);
  }

  /// How many of `examples` can be looked at together: as many as fit, but two at least.
  static int most(Net net, int examples) {
    NetTrace trace = NetTrace.dryRun(net);
    long two = 2 * trace.layers().values().stream().mapToLong(y -> y.shape().count()).sum();
    for (Node node : trace.nodes()) {
      Gates found = Gates.of(node);
      two += found == null ? 0 : found.saved().shape().count();
    }
    return Math.clamp(2 * (MOST_ELEMENTS / Math.max(1, two)), 2, Math.max(2, examples));
  }

  /// What there is to see in `batch`, which has as many examples as this is made for.
  Inspection inspect(Minibatch examples) {
    float[] numbers = examples.inputs();
    if (numbers == null) {
      tokens.put(0, present(examples.tokens()));
    } else {
      inputs.put(0, numbers);
    }
    int[] classes = examples.labels();
    int rows;
    if (classes == null) {
      values.put(0, present(examples.values()));
      rows = 0;
    } else {
      labels.put(0, classes);
      rows = Math.toIntExact(Arrays.stream(classes).filter(label -> label >= 0).count());
    }
    executable.run();
    List<LayerReading> read = new ArrayList<>();
    layers.forEach(
        (path, layer) ->
            read.add(
                LayerReading.of(
                    path,
                    layer.kind(),
                    layer.depth(),
                    layer.shape(),
                    floats(layer.output()),
                    floats(layer.gradient()))));
    List<GateReading> opened = new ArrayList<>();
    for (SeenGates layer : gates) {
      float[] mask = layer.mask() < 0 ? null : floats(layer.mask());
      opened.addAll(layer.gates().read(floats(layer.saved()), mask));
    }
    List<ParameterReading> parameters = new ArrayList<>();
    for (String name : model.parameterNames()) {
      Integer entry = gradients.get(name);
      parameters.add(
          ParameterReading.of(
              name,
              model.shape(name),
              model.read(name),
              entry == null ? new float[0] : floats(entry)));
    }
    double accuracy = Score.accuracy(model.net(), lossFunction, targets, correct.get(0), rows);
    return new Inspection(batch, loss.get(0), accuracy, equalLoss.get(0), read, opened, parameters);
  }

  @Override
  public void close() {
    holdings.release();
  }

  /// The layers that compute something real, by path. What two of them give alike, such as a stage
  /// and its last layer, is that of the first.
  private static Map<String, Value> seen(NetTrace trace, Value input) {
    Map<String, Value> seen = new LinkedHashMap<>();
    Set<Value> known = new HashSet<>(Set.of(input));
    trace
        .layers()
        .forEach(
            (path, value) -> {
              if (value.dtype().isFloating() && value.shape().rank() > 1 && known.add(value)) {
                seen.put(path, value);
              }
            });
    return seen;
  }

  /// Those with matrices of their own and residuals, but for what lies inside residuals.
  private static Set<String> deep(NetTrace trace) {
    Set<String> deep = new HashSet<>();
    for (NetTrace.Parameter spec : trace.parameters()) {
      String path = parent(spec.name());
      int branch = branch(path);
      if (branch >= 0) {
        deep.add(path.substring(0, branch));
      } else if (spec.shape().rank() > 1) {
        deep.add(path);
      }
    }
    return deep;
  }

  /// Where the outermost residual's name ends in a path that leads into one, else -1.
  private static int branch(String path) {
    String closed = path + ".";
    int branch = closed.indexOf(".branch.");
    int shortcut = closed.indexOf(".shortcut.");
    return branch < 0 || shortcut < 0 ? Math.max(branch, shortcut) : Math.min(branch, shortcut);
  }

  private static String parent(String name) {
    return name.substring(0, Math.max(0, name.lastIndexOf('.')));
  }

  private static Kind kind(Value value) {
    Node producer = value.producer();
    return switch (producer == null ? null : producer.op()) {
      case UnaryOp(Unary op) when op == Unary.RELU -> Kind.RELU;
      case UnaryOp(Unary op) when op == Unary.SIGMOID -> Kind.SIGMOID;
      case UnaryOp(Unary op) when op == Unary.TANH -> Kind.TANH;
      case Softmax _ -> Kind.SOFTMAX;
      case Dropout _ -> Kind.DROPOUT;
      case BatchNormTraining _ -> Kind.BATCH_NORM;
      case null, default -> Kind.OTHER;
    };
  }

  private float[] floats(int entry) {
    FloatBuffer buffer = staging.floats(entry);
    float[] elements = new float[buffer.capacity()];
    buffer.get(0, elements);
    return elements;
  }

  private static <T> T present(@Nullable T array) {
    return Objects.requireNonNull(array, "a batch has inputs or tokens, labels or values");
  }
}
