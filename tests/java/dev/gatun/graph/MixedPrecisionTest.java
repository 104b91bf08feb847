package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.Precision;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Convert;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What a graph of [Precision#BF16] stores in which type.
class MixedPrecisionTest {
  private final Graph graph = new Graph(Precision.BF16);
  private final Value x = leaf("x", 2, 6, 6, 3);

  @Test
  void products_readAndWriteBf16() {
    assertEquals(DType.BF16, x.conv2d(leaf("w", 4, 3, 3, 3), 1, 1).dtype());
    assertEquals(DType.BF16, leaf("a", 5, 7).matmul(leaf("b", 7, 3)).dtype());
  }

  @Test
  void others_followWhatTheyRead() {
    assertEquals(DType.F32, x.relu().dtype());
    assertEquals(DType.F32, x.plus(leaf("b", 3)).averagePool(2, 2, 0).dtype());
    Tensor y = x.conv2d(leaf("w", 4, 3, 3, 3), 1, 1);
    assertEquals(DType.BF16, y.plus(leaf("b", 4)).relu().maxPool(2, 2, 0).dtype());
    assertEquals(DType.BF16, y.subsamplePad(2, 8).reshape(2, -1).times(0.5).dtype());
    assertEquals(DType.BF16, Tensor.concat(-1, leaf("d", 2, 6, 6, 1), y).slice(0, 0, 1).dtype());
    assertEquals(DType.F32, Tensor.concat(-1, x, x).pad(1, 1, 0).dtype());
    assertEquals(DType.BF16, leaf("c", 4).times(y).tanh().dtype());
  }

  @Test
  void sums_areF32() {
    Tensor y = x.conv2d(leaf("w", 4, 3, 3, 3), 1, 1);
    assertEquals(DType.F32, y.mean().dtype());
    assertEquals(DType.F32, y.exp().dtype());
    assertEquals(DType.F32, y.reshape(2, -1).softmax().dtype());
    BatchNormTraining op = new BatchNormTraining(0.1, 1e-5, false, Activation.NONE);
    List<Tensor> inputs = List.of(y, leaf("g", 4), leaf("b", 4), leaf("m", 4), leaf("v", 4));
    List<DType> types = Tensor.applyAll(op, inputs).stream().map(Tensor::dtype).toList();
    assertEquals(List.of(DType.BF16, DType.F32, DType.F32, DType.F32, DType.F32), types);
  }

  @Test
  void gradients_ofF32Variables_areF32() {
    Value w = leaf("w", 4, 3, 3, 3);
    Value bias = leaf("b", 4);
    Tensor loss = x.conv2d(w, 1, 1).plus(bias).relu().mean();
    List<Value> gradients = Gradients.of((Value) loss, List.of(w, bias, x));
    for (Value gradient : gradients) {
      assertEquals(DType.F32, gradient.dtype());
    }
    assertEquals(Shape.of(4, 3, 3, 3), gradients.getFirst().shape());
  }

  @Test
  void aValue_isConvertedOnce() {
    Value w = leaf("w", 3, 3, 3, 3);
    x.conv2d(w, 1, 1);
    x.conv2d(w, 2, 1);
    assertEquals(
        2, graph.nodes().stream().filter(node -> node.op() instanceof Convert).count(), "x and w");
  }

  /// Types stay, and each node knows what it multiplies in: what fusion makes of it too, and not
  /// what comes after the step's own ops.
  @Test
  void tf32_isForTheNodesItWasAskedFor() {
    Graph products = new Graph(Precision.TF32);
    TensorType square = new TensorType(DType.F32, Shape.of(4, 4));
    Value a = products.leaf("a", square);
    Value b = products.leaf("b", new TensorType(DType.F32, Shape.of(4)));
    Value rectified = (Value) a.matmul(a).plus(b).relu();
    products.computeIn(Precision.F32);
    Value after = (Value) rectified.matmul(a);
    assertEquals(DType.F32, rectified.dtype());
    Fusion.apply(products, List.of(rectified, after));
    assertEquals(
        List.of(Precision.TF32, Precision.F32),
        products.nodes().stream().map(Node::precision).toList());
  }

  private Value leaf(String name, long... dims) {
    return graph.leaf(name, new TensorType(DType.F32, Shape.of(dims)));
  }
}
