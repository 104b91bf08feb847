package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Symbolic tensors: what they say when they are used wrongly.
class TraceTest {
  private final Graph graph = new Graph();

  @Test
  void shapeErrorsCarryTheLayersPath() {
    Value x = leaf(8, 32, 32, 16);
    Value w = leaf(16, 3, 3, 32);
    graph.enter("stage1");
    graph.enter("block0");
    graph.enter("conv1");
    assertEquals(
        "stage1.block0.conv1: [conv2d] expected weights for 16 input channels, found f32 (16, 3, 3,"
            + " 32) for x f32 (8, 32, 32, 16)",
        refusal(() -> x.conv2d(w, 1, 1)));
    graph.leave();
    assertTrue(refusal(() -> x.conv2d(w, 1, 1)).startsWith("stage1.block0: [conv2d] "));
    graph.leave();
    graph.leave();
    assertTrue(refusal(() -> x.conv2d(w, 1, 1)).startsWith("[conv2d] "));
  }

  @Test
  void namelessLayersAreLeftOutOfPaths() {
    graph.enter("stage1");
    graph.enter("");
    graph.enter("conv");
    assertEquals("stage1.conv", graph.path());
  }

  @Test
  void aRefusedOpLeavesNoNode() {
    refusal(() -> leaf(2, 3).plus(leaf(4)));
    assertEquals(List.of(), graph.nodes());
  }

  @Test
  void tensorsOfTwoTracesDoNotMix() {
    Value mine = leaf(2);
    Value other = new Graph().leaf("other", new TensorType(DType.F32, Shape.of(2)));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> mine.plus(other));
    assertEquals(
        "a symbolic tensor belongs to another trace: %other: f32 (2); return it from the function"
            + " that made it",
        e.getMessage());
  }

  /// The usual way to get there: a tensor kept from an earlier call.
  @Test
  void aTensorKeptFromATraceIsRefusedInTheNext() {
    List<Tensor> kept = new ArrayList<>();
    try (Device device = Device.reference();
        Scope _ = Scope.open()) {
      Tensor x = Tensor.of(device, new float[] {1, 2}, 2);
      Functions.TensorFunction leaking =
          in -> {
            kept.add(in[0].exp());
            return in[0].times(kept.getFirst()).sum();
          };
      Functions.grad(leaking).apply(x);
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> Functions.grad(leaking).apply(x));
      assertTrue(
          String.valueOf(e.getMessage()).contains("belongs to another trace"), e.getMessage());
      assertThrows(UnsupportedOperationException.class, () -> kept.getFirst().device());
    }
  }

  @Test
  void symbolicTensorsHaveNoElements() {
    Value x = leaf(1);
    for (Runnable read :
        List.<Runnable>of(x::toFloatArray, x::toDoubleArray, x::toIntArray, x::item, x::device)) {
      UnsupportedOperationException e =
          assertThrows(UnsupportedOperationException.class, read::run);
      assertEquals(
          "%leaf: f32 (1) is symbolic: it has no elements while a function is being traced",
          e.getMessage());
    }
  }

  @Test
  void nodesPrintWhatTheyComputeAndWhere() {
    graph.enter("head");
    Value y = (Value) leaf(2, 3).softmax();
    assertEquals(
        "[%0: f32 (2, 3)] = Softmax[][%leaf: f32 (2, 3)] at head",
        graph.nodes().getFirst().toString());
    assertEquals("%0: f32 (2, 3)", y.toString());
  }

  @Test
  void aConcreteTensorIsOneConstantHoweverOftenItIsUsed() {
    try (Device device = Device.reference();
        Tensor c = Tensor.of(device, new float[] {1, 2}, 2)) {
      Value x = leaf(2);
      x.plus(c).times(c);
      assertEquals(1, graph.constants().size());
      assertEquals(c, graph.constants().values().iterator().next());
    }
  }

  private Value leaf(long... dims) {
    return graph.leaf("leaf", new TensorType(DType.F32, Shape.of(dims)));
  }

  private static String refusal(Runnable call) {
    return String.valueOf(assertThrows(ShapeException.class, call::run).getMessage());
  }
}
