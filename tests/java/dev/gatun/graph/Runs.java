package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Bf16;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Runs graphs in two ways: node by node with memory of its own for every value, and planned and
/// recorded.
final class Runs {
  private Runs() {}

  /// Node by node.
  static List<double[]> interpret(
      Backend backend, Graph graph, Map<Value, double[]> leaves, List<Value> results) {
    Map<Value, Own> owns = new HashMap<>();
    try {
      leaves.forEach(
          (leaf, elements) -> write(own(backend, leaf, owns).memory, leaf.dtype(), elements));
      for (Node node : graph.nodes()) {
        node.op()
            .lower(
                backend, views(backend, node.outputs(), owns), views(backend, node.inputs(), owns));
      }
      return results.stream()
          .map(result -> read(own(backend, result, owns).memory, result.type()))
          .toList();
    } finally {
      owns.values().forEach(own -> own.view.close());
      owns.values().forEach(own -> own.memory.close());
    }
  }

  /// A value's own memory.
  private record Own(Memory memory, View view) {}

  private static Own own(Backend backend, Value value, Map<Value, Own> owns) {
    return owns.computeIfAbsent(
        value,
        any -> {
          Memory memory = backend.allocate(value.type().bytes(), Memory.Kind.DEVICE);
          return new Own(memory, memory.view(0, value.dtype(), value.shape()));
        });
  }

  private static List<View> views(Backend backend, List<Value> values, Map<Value, Own> owns) {
    return values.stream().map(value -> own(backend, value, owns).view).toList();
  }

  /// Fused, planned and recorded; run twice, since a program may not spoil its own inputs.
  static List<double[]> execute(
      Backend backend, Graph graph, Map<Value, double[]> leaves, List<Value> results) {
    return execute(backend, graph, leaves, results, Set.of());
  }

  /// The same where the leaves `constants` seldom change.
  static List<double[]> execute(
      Backend backend,
      Graph graph,
      Map<Value, double[]> leaves,
      List<Value> results,
      Set<Value> constants) {
    Map<Value, Memory> given = new HashMap<>();
    List<Memory> stored = new ArrayList<>();
    try {
      List<Placement> inputs = new ArrayList<>();
      List<Placement> outputs = new ArrayList<>();
      leaves.forEach(
          (leaf, elements) -> {
            Memory memory = backend.allocate(leaf.type().bytes(), Memory.Kind.DEVICE);
            given.put(leaf, memory);
            write(memory, leaf.dtype(), elements);
            inputs.add(new Placement(leaf, new Slot(memory, 0)));
          });
      for (Value result : results) {
        Memory memory = backend.allocate(result.type().bytes(), Memory.Kind.DEVICE);
        stored.add(memory);
        outputs.add(new Placement(result, new Slot(memory, 0)));
      }
      try (Executable executable = Executable.compile(backend, graph, inputs, outputs, constants)) {
        executable.prepare();
        executable.run();
        List<double[]> first = read(stored, results);
        executable.run();
        assertSame(first, read(stored, results), 0);
        return first;
      }
    } finally {
      given.values().forEach(Memory::close);
      stored.forEach(Memory::close);
    }
  }

  /// Fails unless the elements agree to `tolerance` of the greatest in each result.
  static void assertSame(List<double[]> expected, List<double[]> actual, double tolerance) {
    assertEquals(expected.size(), actual.size());
    for (int k = 0; k < expected.size(); k++) {
      double scale = 1;
      for (double element : expected.get(k)) {
        scale = Math.max(scale, Math.abs(element));
      }
      assertEquals(expected.get(k).length, actual.get(k).length, "count of result " + k);
      for (int i = 0; i < expected.get(k).length; i++) {
        double e = expected.get(k)[i];
        double a = actual.get(k)[i];
        boolean same = e == a || (Double.isNaN(e) && Double.isNaN(a));
        if (!same && !(Math.abs(e - a) <= tolerance * scale)) {
          throw new AssertionError(
              "result %d, element %d: expected %s, found %s".formatted(k, i, e, a));
        }
      }
    }
  }

  private static List<double[]> read(List<Memory> memories, List<Value> results) {
    List<double[]> elements = new ArrayList<>();
    for (int k = 0; k < results.size(); k++) {
      elements.add(read(memories.get(k), results.get(k).type()));
    }
    return elements;
  }

  private static void write(Memory memory, DType dtype, double[] elements) {
    ByteBuffer bytes = ByteBuffer.allocate((int) memory.bytes()).order(ByteOrder.nativeOrder());
    for (double element : elements) {
      switch (dtype) {
        case F32 -> bytes.putFloat((float) element);
        case F64 -> bytes.putDouble(element);
        case I32 -> bytes.putInt((int) element);
        case I64 -> bytes.putLong((long) element);
        case U8 -> bytes.put((byte) element);
        case BF16 -> bytes.putShort(Bf16.of((float) element));
      }
    }
    memory.write(0, bytes.flip());
  }

  private static double[] read(Memory memory, TensorType type) {
    ByteBuffer bytes = ByteBuffer.allocate((int) type.bytes()).order(ByteOrder.nativeOrder());
    memory.read(0, bytes);
    bytes.flip();
    double[] elements = new double[(int) type.shape().count()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] =
          switch (type.dtype()) {
            case F32 -> bytes.getFloat();
            case F64 -> bytes.getDouble();
            case I32 -> bytes.getInt();
            case I64 -> bytes.getLong();
            case U8 -> Byte.toUnsignedInt(bytes.get());
            case BF16 -> Bf16.toFloat(bytes.getShort());
          };
    }
    return elements;
  }
}
