package dev.gatun.net;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.LayerContext;
import dev.gatun.Mode;
import dev.gatun.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A context in which layers run on tensors of F64, one operation after the other, with parameters
/// that a test knows. Parameters it was not given are drawn from the normal distribution.
final class Trace implements LayerContext {
  private final Device device;
  private final Mode mode;
  private final Map<String, Tensor> parameters;
  private final Deque<String> path = new ArrayDeque<>();

  Trace(Device device, Mode mode, Map<String, Tensor> parameters) {
    this.device = device;
    this.mode = mode;
    this.parameters = new LinkedHashMap<>(parameters);
  }

  /// Those given and those drawn, by name, in the order in which they were asked for.
  Map<String, Tensor> parameters() {
    return parameters;
  }

  @Override
  public Mode mode() {
    return mode;
  }

  @Override
  public ConvAlgorithm convAlgorithm() {
    return ConvAlgorithm.AUTO;
  }

  @Override
  public Tensor parameter(String name, Initializer initializer, long... dims) {
    String full = path.isEmpty() ? name : String.join(".", path) + "." + name;
    return parameters.computeIfAbsent(
        full, key -> Tensor.randn(device, 100 + parameters.size(), dims).as(DType.F64).times(0.4));
  }

  @Override
  public Tensor state(String name, double initialValue, long... dims) {
    throw new UnsupportedOperationException(name);
  }

  @Override
  public @Nullable Tensor carried(String name, long... dims) {
    return null;
  }

  @Override
  public void update(Tensor state, Tensor value) {
    throw new UnsupportedOperationException(state.toString());
  }

  @Override
  public Tensor dropout(Tensor x, double dropProbability, int... sharedAxes) {
    if (dropProbability > 0) {
      throw new UnsupportedOperationException("dropout");
    }
    return x;
  }

  @Override
  public Tensor dropoutMask(double dropProbability, long... dims) {
    throw new UnsupportedOperationException("dropoutMask");
  }

  @Override
  public Tensor uniform(long... dims) {
    throw new UnsupportedOperationException("uniform");
  }

  @Override
  public Tensor apply(String name, Layer layer, Tensor x) {
    path.addLast(name);
    try {
      return layer.apply(this, x);
    } finally {
      path.removeLast();
    }
  }
}
