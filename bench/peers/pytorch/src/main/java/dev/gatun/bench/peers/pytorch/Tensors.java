package dev.gatun.bench.peers.pytorch;

import dev.gatun.bench.peers.Values;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/// Java's numbers as PyTorch's tensors and back.
final class Tensors {
  private Tensors() {}

  /// A tensor that no [PointerScope] closes.
  static Tensor keep(Tensor tensor) {
    return tensor.retainReference();
  }

  /// A copy of the values.
  static Tensor of(float[] values, long... dims) {
    try (FloatPointer pointer = new FloatPointer(values)) {
      return torch.from_blob((Pointer) pointer, dims).clone(new MemoryFormatOptional());
    }
  }

  /// Uniform values, as all sides have them.
  static Tensor uniform(int seed, long... dims) {
    long count = 1;
    for (long dim : dims) {
      count *= dim;
    }
    return of(Values.uniform(count, seed), dims);
  }

  /// Pictures that are given as [N,H,W,C], or filters as [K,R,S,C], seen as PyTorch sees
  /// channels-last: [N,C,H,W].
  static Tensor channelsSecond(Tensor tensor) {
    return tensor.permute(0, 3, 1, 2);
  }

  /// Class numbers.
  static Tensor labels(int count, int classes) {
    int[] labels = Values.labels(count, classes);
    long[] wide = new long[count];
    for (int i = 0; i < count; i++) {
      wide[i] = labels[i];
    }
    try (LongPointer pointer = new LongPointer(wide)) {
      return torch
          .from_blob(pointer, new long[] {count}, new TensorOptions(torch.ScalarType.Long))
          .clone(new MemoryFormatOptional());
    }
  }

  /// The elements in row-major order; of four dimensions, with channels last.
  static float[] toArray(Tensor tensor) {
    try (PointerScope _ = new PointerScope();
        NoGradGuard _ = new NoGradGuard()) {
      Tensor ordered = tensor.dim() == 4 ? tensor.permute(0, 2, 3, 1) : tensor;
      Tensor dense = ordered.to(torch.ScalarType.Float).contiguous();
      float[] values = new float[Math.toIntExact(dense.numel())];
      dense.data_ptr_float().get(values);
      return values;
    }
  }
}
