package dev.gatun.bench.peers.pytorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Functions.TensorFunction;
import dev.gatun.Scope;
import dev.gatun.bench.peers.Values;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.DynamicTest;

/// A function of Gatun's tensors and the same one of PyTorch's, on the same numbers.
final class Comparison {
  static final Device DEVICE = Device.cpu(2);

  // Both round to f32 in each sum, in another order.
  private static final float TOLERANCE = 1e-5f;

  private Comparison() {}

  /// The same function of PyTorch's tensors.
  interface Other {
    Tensor apply(Tensor... in);
  }

  static DynamicTest test(String name, TensorFunction own, Other other, long[]... shapes) {
    return dynamicTest(name, () -> compare(own, other, shapes));
  }

  /// The scalar and its gradients by all inputs.
  static void compare(TensorFunction own, Other other, long[]... shapes) {
    try (Scope _ = Scope.open();
        PointerScope _ = new PointerScope()) {
      dev.gatun.Tensor[] ours = new dev.gatun.Tensor[shapes.length];
      Tensor[] theirs = new Tensor[shapes.length];
      for (int i = 0; i < shapes.length; i++) {
        ours[i] = dev.gatun.Tensor.of(DEVICE, Values.uniform(count(shapes[i]), i + 1), shapes[i]);
        theirs[i] = Tensors.uniform(i + 1, shapes[i]).requires_grad_(true);
      }
      List<dev.gatun.Tensor> found = Functions.valueAndGrad(own).apply(ours);
      Tensor expected = other.apply(theirs);
      expected.backward();
      float value = expected.item_float();
      assertArrayEquals(
          new float[] {value},
          found.getFirst().toFloatArray(),
          10 * TOLERANCE * (1 + Math.abs(value)));
      for (int i = 0; i < shapes.length; i++) {
        float[] gradient = Tensors.toArray(theirs[i].grad().reshape(-1));
        float scale = 0;
        for (float slope : gradient) {
          scale = Math.max(scale, Math.abs(slope));
        }
        assertArrayEquals(
            gradient, found.get(i + 1).toFloatArray(), TOLERANCE * scale, "input " + i);
      }
    }
  }

  private static long count(long[] shape) {
    long count = 1;
    for (long dim : shape) {
      count *= dim;
    }
    return count;
  }
}
