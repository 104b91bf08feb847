package dev.gatun;

import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Op;
import dev.gatun.graph.Value;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/// A step of what a network computes, or a tensor that is given to it. [Net#operations] lists them.
///
/// @param name the path of its layer and its kind, `stage1.conv0.conv2d`, with a number behind it
///   where a layer has several; of a parameter or state the name that the model knows. No two of a
///   network are equal
/// @param kind of computation, such as `conv2d`; or `input`, `parameter`, `state`, `constant`, or
///   `step` for the number of the step that dropout reads
/// @param operands what it reads; none if it is given
/// @param results what it gives
/// @param settings in words by name, such as `window`
public record Operation(
    String name,
    String kind,
    List<Operand> operands,
    List<Result> results,
    Map<String, String> settings) {
  /// Longer ones, such as tables of indices, are cut off.
  private static final int LONGEST_SETTING = 120;

  /// Copies what it is given.
  public Operation {
    operands = List.copyOf(operands);
    results = List.copyOf(results);
    settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
  }

  /// What an operation reads.
  ///
  /// @param operation the name of the one that gives it
  /// @param result which of its results, from 0
  public record Operand(String operation, int result) {}

  /// What an operation gives.
  ///
  /// @param dtype of its elements
  /// @param shape its extents, the batch first where it has one
  public record Result(DType dtype, Shape shape) {}

  /// What a training step on so many examples computes forward.
  static List<Operation> of(Net net, int batch) {
    Graph graph = new Graph();
    NetTrace trace = new NetTrace(graph, Mode.TRAINING, 0);
    Value input = graph.leaf("input", net.inputs(batch));
    trace.run(net, input);
    Listing listing = new Listing();
    listing.give(input, "input", "input");
    if (graph.nodes().stream().anyMatch(node -> node.inputs().contains(trace.step()))) {
      listing.give(trace.step(), "step", "step");
    }
    trace.parameters().forEach(spec -> listing.give(spec.leaf(), spec.name(), "parameter"));
    trace.states().forEach(state -> listing.give(state.leaf(), state.name(), "state"));
    graph.constants().keySet().forEach(value -> listing.give(value, "constant", "constant"));
    graph.nodes().forEach(listing::add);
    return List.copyOf(listing.operations);
  }

  /// Operations in the making, and which of them gives what.
  private static final class Listing {
    private final List<Operation> operations = new ArrayList<>();
    private final Map<Value, Operand> givers = new HashMap<>();
    private final Set<String> names = new HashSet<>();

    private Operand giver(Value value) {
      return Objects.requireNonNull(givers.get(value), "an operation reads what none gives");
    }

    void give(Value value, String wanted, String kind) {
      add(wanted, kind, List.of(), List.of(value), Map.of());
    }

    void add(Node node) {
      String wanted =
          node.path().isEmpty() ? node.op().name() : node.path() + "." + node.op().name();
      add(wanted, node.op().name(), node.inputs(), node.outputs(), settings(node.op()));
    }

    private void add(
        String wanted,
        String kind,
        List<Value> inputs,
        List<Value> outputs,
        Map<String, String> settings) {
      String name = wanted;
      for (int i = 1; !names.add(name); i++) {
        name = wanted + "_" + i;
      }
      for (Value output : outputs) {
        givers.put(output, new Operand(name, outputs.indexOf(output)));
      }
      operations.add(
          new Operation(
              name,
              kind,
              inputs.stream().map(this::giver).toList(),
              outputs.stream().map(value -> new Result(value.dtype(), value.shape())).toList(),
              settings));
    }
  }

  /// The components of an op, which is a record.
  private static Map<String, String> settings(Op op) {
    Map<String, String> settings = new LinkedHashMap<>();
    RecordComponent[] components = op.getClass().getRecordComponents();
    for (RecordComponent component : components == null ? new RecordComponent[0] : components) {
      try {
        String words = String.valueOf(component.getAccessor().invoke(op));
        settings.put(
            component.getName(),
            words.length() > LONGEST_SETTING ? words.substring(0, LONGEST_SETTING) + "…" : words);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("a record hides " + component, e);
      }
    }
    return settings;
  }
}
