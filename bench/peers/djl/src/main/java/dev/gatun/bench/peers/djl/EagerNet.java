package dev.gatun.bench.peers.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Network.Activation;
import dev.gatun.bench.peers.Network.Join;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Walks a network eagerly. The first walk makes the parameters, later ones use them in order.
final class EagerNet implements Network.Builder<NDArray> {
  private final NDManager manager;
  private final boolean folded;
  private final List<NDArray> parameters = new ArrayList<>();
  private final List<NDArray> states = new ArrayList<>();
  private int nextParameter;
  private int nextState;

  private EagerNet(NDManager manager, boolean folded) {
    this.manager = manager;
    this.folded = folded;
  }

  /// With batch statistics.
  static EagerNet training(NDManager manager) {
    return new EagerNet(manager, false);
  }

  /// With norms folded into the convolutions.
  static EagerNet folded(NDManager manager) {
    return new EagerNet(manager, true);
  }

  List<NDArray> parameters() {
    return parameters;
  }

  long parameterCount() {
    return parameters.stream().mapToLong(NDArray::size).sum();
  }

  void restart() {
    nextParameter = 0;
    nextState = 0;
  }

  private boolean needsParameter() {
    return nextParameter == parameters.size();
  }

  private NDArray add(NDArray values) {
    values.attach(manager);
    if (!folded) {
      values.setRequiresGradient(true);
    }
    parameters.add(values);
    return values;
  }

  private NDArray constant(float value, int count) {
    if (needsParameter()) {
      add(manager.full(new Shape(count), value));
    }
    return parameters.get(nextParameter++);
  }

  private NDArray state(float value, int count) {
    if (nextState == states.size()) {
      states.add(manager.full(new Shape(count), value));
    }
    return states.get(nextState++);
  }

  @Override
  public NDArray conv(NDArray x, int in, int out, int size, int stride) {
    if (needsParameter()) {
      NDArray values = DjlSide.uniform(manager, nextParameter + 10, out, size, size, in);
      add(DjlSide.channelsSecond(values.muli(Math.sqrt(6.0 / (size * size * in)))));
    }
    NDArray w = parameters.get(nextParameter++);
    @Nullable NDArray bias = folded ? constant(0.01f, out) : null;
    Shape strides = new Shape(stride, stride);
    Shape pads = new Shape(size / 2, size / 2);
    return Conv2d.conv2d(x, w, bias, strides, pads, new Shape(1, 1), 1).singletonOrThrow();
  }

  @Override
  public NDArray batchNorm(NDArray x, int channels, Join<NDArray> join) {
    NDArray y = x;
    if (!folded) {
      y =
          BatchNorm.batchNorm(
                  x,
                  state(0, channels),
                  state(1, channels),
                  constant(1, channels),
                  constant(0, channels),
                  1,
                  0.9f,
                  1e-5f,
                  true)
              .singletonOrThrow();
    }
    for (NDArray residual : join.residual()) {
      y = y.addi(residual);
    }
    return join.activation() == Activation.RELU ? ai.djl.nn.Activation.relu(y) : y;
  }

  @Override
  public NDArray subsamplePad(NDArray x, int in, int out) {
    NDArray half = x.get(":, :, ::2, ::2");
    return half.pad(new Shape(0, 0, 0, 0, 0, out - in), 0);
  }

  @Override
  public NDArray maxPool(NDArray x) {
    return Pool.maxPool2d(x, new Shape(3, 3), new Shape(2, 2), new Shape(1, 1), false);
  }

  @Override
  public NDArray globalAveragePool(NDArray x) {
    return Pool.globalAvgPool2d(x);
  }

  @Override
  public NDArray dense(NDArray x, int in, int out, Activation activation) {
    if (needsParameter()) {
      NDArray values = DjlSide.uniform(manager, nextParameter + 10, out, in);
      add(values.muli(Math.sqrt(3.0 / in)));
    }
    NDArray w = parameters.get(nextParameter++);
    NDArray y = Linear.linear(x, w, constant(0, out)).singletonOrThrow();
    return activation == Activation.RELU ? ai.djl.nn.Activation.relu(y) : y;
  }
}
