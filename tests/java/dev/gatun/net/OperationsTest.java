package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Net;
import dev.gatun.Operation;
import dev.gatun.Operation.Operand;
import dev.gatun.Operation.Result;
import dev.gatun.Recurrent;
import dev.gatun.ResNet;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// The operations that a network tells of itself.
class OperationsTest {
  @Test
  void operations_areThoseOfTheLayers_inTheirOrder() {
    Net net = Net.input(5).dense(4).relu().dropout(0.5).stage("head", s -> s.dense(3));
    List<Operation> operations = net.operations(7);
    assertEquals(
        List.of(
            "input: input",
            "step: step",
            "dense0.weight: parameter",
            "dense0.bias: parameter",
            "head.dense0.weight: parameter",
            "head.dense0.bias: parameter",
            "dense0.matmul: matmul",
            "dense0.add: add",
            "relu0.relu: relu",
            "dropout0.dropout: dropout",
            "head.dense0.matmul: matmul",
            "head.dense0.add: add"),
        operations.stream().map(o -> o.name() + ": " + o.kind()).toList());
    assertEquals(List.of(new Result(DType.F32, Shape.of(7, 5))), operations.getFirst().results());
    Operation product = operations.get(6);
    assertEquals(
        List.of(new Operand("input", 0), new Operand("dense0.weight", 0)), product.operands());
    assertEquals(List.of(new Result(DType.F32, Shape.of(7, 4))), product.results());
    assertEquals("true", product.settings().get("transposeB"), product.toString());
    Operation dropout = operations.get(9);
    assertEquals(List.of(new Operand("relu0.relu", 0), new Operand("step", 0)), dropout.operands());
    assertEquals("0.5", dropout.settings().get("dropProbability"), dropout.toString());
  }

  /// In a ResNet-20: nothing reads what is not there yet, names are unique, and every convolution
  /// and addition is there.
  @Test
  void aResNet_isWhole() {
    List<Operation> operations = ResNet.cifar(20, 10).operations(4);
    Map<String, Long> kinds =
        operations.stream().collect(Collectors.groupingBy(Operation::kind, Collectors.counting()));
    assertEquals(19, kinds.get("conv2d"));
    assertEquals(19, kinds.get("batch_norm_training"));
    assertEquals(1, kinds.get("input"));
    assertEquals(2 * 19, kinds.get("state"));
    Set<String> before = new HashSet<>();
    for (Operation operation : operations) {
      for (Operand operand : operation.operands()) {
        assertTrue(before.contains(operand.operation()), operand + " of " + operation);
      }
      assertTrue(before.add(operation.name()), operation.name() + " twice");
    }
    assertEquals(Shape.of(4, 10), operations.getLast().results().getFirst().shape());
  }

  /// A recurrent layer reads its first results; those of which there are several are told apart.
  @Test
  void severalResults_areCounted() {
    List<Operation> operations =
        Net.tokens(6).embedding(9, 3).recurrent(Recurrent.lstm(4).lastState()).operations(2);
    Operation recurrent =
        operations.stream().filter(o -> o.kind().equals("recurrent")).findFirst().orElseThrow();
    assertEquals("lstm0.layer0.recurrent", recurrent.name());
    assertEquals(4, recurrent.results().size());
    assertEquals(DType.I32, operations.getFirst().results().getFirst().dtype());
    assertTrue(
        operations.stream()
            .anyMatch(o -> o.operands().contains(new Operand("lstm0.layer0.recurrent", 1))),
        "the last state is read");
  }

  @Test
  void aBatchThatIsTooSmall_isRefused() {
    Net net = Net.input(5).batchNorm();
    assertTrue(
        String.valueOf(assertThrows(ShapeException.class, () -> net.operations(1)).getMessage())
            .startsWith("batchNorm0: "));
  }
}
