package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.channelsSecond;
import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Network.Activation;
import dev.gatun.bench.peers.Network.Join;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// Walks a network eagerly. The first walk makes the parameters, later ones use them in order.
final class EagerNet implements Network.Builder<Tensor> {
  /// What the walk is for.
  enum Mode {
    /// Batch statistics, everything in f32.
    TRAINING,
    /// The same with convolutions and what lies between them in bf16, as autocast does it.
    TRAINING_BF16,
    /// Norms folded into the convolutions' weights and biases.
    FOLDED
  }

  private static final long[] ONE = {1, 1};

  private final Mode mode;
  private final List<Tensor> parameters = new ArrayList<>();
  private final List<Tensor> states = new ArrayList<>();
  private int nextParameter;
  private int nextState;

  EagerNet(Mode mode) {
    this.mode = mode;
  }

  List<Tensor> parameters() {
    return parameters;
  }

  long parameterCount() {
    return parameters.stream().mapToLong(Tensor::numel).sum();
  }

  void restart() {
    nextParameter = 0;
    nextState = 0;
  }

  void close() {
    parameters.forEach(Tensor::close);
    states.forEach(Tensor::close);
  }

  private Tensor filters(int out, int size, int in) {
    if (nextParameter == parameters.size()) {
      double scale = Math.sqrt(6.0 / (size * size * in));
      Tensor values = uniform(nextParameter + 10, out, size, size, in).mul_(new Scalar(scale));
      add(channelsSecond(values));
    }
    return parameters.get(nextParameter++);
  }

  private Tensor parameter(float value, long... dims) {
    if (nextParameter == parameters.size()) {
      add(torch.zeros(dims).add_(new Scalar(value)));
    }
    return parameters.get(nextParameter++);
  }

  private void add(Tensor values) {
    Tensor parameter = values.detach();
    if (mode != Mode.FOLDED) {
      parameter.requires_grad_(true);
    }
    parameters.add(keep(parameter));
  }

  private Tensor state(float value, long count) {
    if (nextState == states.size()) {
      states.add(keep(torch.zeros(count).add_(new Scalar(value))));
    }
    return states.get(nextState++);
  }

  private Tensor cast(Tensor tensor) {
    return mode == Mode.TRAINING_BF16 ? tensor.to(torch.ScalarType.BFloat16) : tensor;
  }

  @Override
  public Tensor conv(Tensor x, int in, int out, int size, int stride) {
    Tensor w = filters(out, size, in);
    TensorOptional bias =
        mode == Mode.FOLDED ? new TensorOptional(parameter(0.01f, out)) : new TensorOptional();
    long[] strides = {stride, stride};
    long[] pads = {size / 2, size / 2};
    return torch.conv2d(cast(x), cast(w), bias, strides, pads, ONE, 1);
  }

  @Override
  public Tensor batchNorm(Tensor x, int channels, Join<Tensor> join) {
    Tensor y = x;
    if (mode != Mode.FOLDED) {
      y =
          torch.batch_norm(
              x,
              new TensorOptional(parameter(1, channels)),
              new TensorOptional(parameter(0, channels)),
              new TensorOptional(state(0, channels)),
              new TensorOptional(state(1, channels)),
              true,
              0.1,
              1e-5,
              false);
    }
    for (Tensor residual : join.residual()) {
      y = y.add_(residual);
    }
    return join.activation() == Activation.RELU ? y.relu_() : y;
  }

  @Override
  public Tensor subsamplePad(Tensor x, int in, int out) {
    LongOptional all = new LongOptional();
    Tensor half = x.slice(2, all, all, 2).slice(3, all, all, 2);
    return torch.constant_pad_nd(half, 0, 0, 0, 0, 0, out - in);
  }

  @Override
  public Tensor maxPool(Tensor x) {
    return torch.max_pool2d(x, new long[] {3, 3}, new long[] {2, 2}, new long[] {1, 1}, ONE, false);
  }

  @Override
  public Tensor globalAveragePool(Tensor x) {
    return torch.adaptive_avg_pool2d(x, 1, 1).flatten(1, -1);
  }

  @Override
  public Tensor dense(Tensor x, int in, int out, Activation activation) {
    if (nextParameter == parameters.size()) {
      try (PointerScope _ = new PointerScope()) {
        add(uniform(nextParameter + 10, out, in).mul_(new Scalar(Math.sqrt(3.0 / in))));
      }
    }
    Tensor w = parameters.get(nextParameter++);
    Tensor y = torch.linear(cast(x), cast(w), new TensorOptional(cast(parameter(0, out))));
    return activation == Activation.RELU ? y.relu_() : y;
  }
}
