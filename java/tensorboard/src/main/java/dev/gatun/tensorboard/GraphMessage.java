package dev.gatun.tensorboard;

import dev.gatun.DType;
import dev.gatun.Operation;
import dev.gatun.Shape;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A network as a message of Protocol Buffers, TensorFlow's `GraphDef`. Its nodes are operations;
/// their names are paths with slashes, of which TensorBoard makes boxes within boxes.
final class GraphMessage {
  // Of a GraphDef.
  private static final int NODE = 1;

  // Of a NodeDef.
  private static final int NAME = 1;
  private static final int OP = 2;
  private static final int INPUT = 3;
  private static final int ATTRIBUTE = 5;

  // Of an entry of a map.
  private static final int KEY = 1;
  private static final int VALUE = 2;

  // Of an attribute's value, and of a list of such.
  private static final int LIST = 1;
  private static final int STRING = 2;
  private static final int TYPE = 6;
  private static final int SHAPE = 7;

  // Of a TensorShapeProto, and of its extents.
  private static final int EXTENT = 2;
  private static final int SIZE = 1;

  /// The attribute from which TensorBoard takes what it writes beside edges.
  private static final String SHAPES = "_output_shapes";

  private GraphMessage() {}

  static Message of(List<Operation> operations) {
    Map<String, String> names = names(operations);
    Message graph = new Message();
    operations.forEach(operation -> graph.message(NODE, node(operation, names)));
    return graph;
  }

  private static Message node(Operation operation, Map<String, String> names) {
    Message node =
        new Message()
            .text(NAME, names.getOrDefault(operation.name(), ""))
            .text(OP, operation.kind());
    for (Operation.Operand operand : operation.operands()) {
      String giver = names.getOrDefault(operand.operation(), "");
      node.text(INPUT, operand.result() == 0 ? giver : giver + ":" + operand.result());
    }
    Message shapes = new Message();
    operation.results().forEach(result -> shapes.message(SHAPE, shape(result.shape())));
    node.message(ATTRIBUTE, entry(SHAPES, new Message().message(LIST, shapes)));
    if (!operation.results().isEmpty()) {
      long type = type(operation.results().getFirst().dtype());
      node.message(ATTRIBUTE, entry("dtype", new Message().whole(TYPE, type)));
    }
    operation
        .settings()
        .forEach(
            (name, words) ->
                node.message(ATTRIBUTE, entry(name, new Message().text(STRING, words))));
    return node;
  }

  private static Message entry(String key, Message value) {
    return new Message().text(KEY, key).message(VALUE, value);
  }

  private static Message shape(Shape shape) {
    Message message = new Message();
    for (long extent : shape.toArray()) {
      message.message(EXTENT, new Message().whole(SIZE, extent));
    }
    return message;
  }

  /// TensorFlow's number of a type.
  private static int type(DType dtype) {
    return switch (dtype) {
      case F32 -> 1;
      case F64 -> 2;
      case I32 -> 3;
      case U8 -> 4;
      case I64 -> 9;
      case BF16 -> 14;
    };
  }

  /// Each operation's name as TensorFlow has it: slashes for dots, and an underscore for what may
  /// not be in a name, such as the colon, which stands before a result's number.
  private static Map<String, String> names(List<Operation> operations) {
    Map<String, String> names = new HashMap<>();
    Set<String> taken = new HashSet<>();
    for (Operation operation : operations) {
      String wanted = operation.name().replace('.', '/').replaceAll("[^A-Za-z0-9_/-]", "_");
      String name = wanted;
      for (int i = 1; !taken.add(name); i++) {
        name = wanted + "_" + i;
      }
      names.put(operation.name(), name);
    }
    return names;
  }
}
