package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Network;
import dev.gatun.bench.peers.Network.Activation;
import dev.gatun.bench.peers.Network.Join;
import dev.gatun.bench.peers.Values;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.tensorflow.Operand;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.StridedSlice;
import org.tensorflow.op.nn.FusedBatchNorm;
import org.tensorflow.types.TBfloat16;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.family.TNumber;

/// Builds a network's graph. Padding is SAME, as TensorFlow's own networks have it.
///
/// @param <T> the type between the layers
final class GraphNet<T extends TNumber> implements Network.Builder<Operand<T>> {
  private final GraphTask task;
  private final Ops tf;
  private final Class<T> type;
  private final boolean folded;
  private final List<Operand<TFloat32>> parameters = new ArrayList<>();
  private final List<Shape> shapes = new ArrayList<>();

  private GraphNet(GraphTask task, Class<T> type, boolean folded) {
    this.task = task;
    this.tf = task.tf();
    this.type = type;
    this.folded = folded;
  }

  /// With batch statistics.
  static GraphNet<TFloat32> training(GraphTask task) {
    return new GraphNet<>(task, TFloat32.class, false);
  }

  /// The same with activations in bf16.
  static GraphNet<TBfloat16> trainingBf16(GraphTask task) {
    return new GraphNet<>(task, TBfloat16.class, false);
  }

  /// With norms folded into constant weights and biases.
  static GraphNet<TFloat32> folded(GraphTask task) {
    return new GraphNet<>(task, TFloat32.class, true);
  }

  /// The variables, in f32.
  List<Operand<TFloat32>> parameters() {
    return parameters;
  }

  /// Their shapes.
  List<Shape> shapes() {
    return shapes;
  }

  /// In the type between the layers.
  @SuppressWarnings("unchecked")
  Operand<T> cast(Operand<TFloat32> x) {
    return type == TFloat32.class ? (Operand<T>) x : tf.dtypes.cast(x, type);
  }

  private Operand<TFloat32> weights(double scale, long... dims) {
    Shape shape = Shape.of(dims);
    float[] values = Values.uniform(shape.size(), 10 + parameters.size());
    for (int i = 0; i < values.length; i++) {
      values[i] *= (float) scale;
    }
    return parameter(values, shape);
  }

  private Operand<TFloat32> constant(float value, long count) {
    float[] values = new float[Math.toIntExact(count)];
    Arrays.fill(values, value);
    return parameter(values, Shape.of(count));
  }

  private Operand<TFloat32> parameter(float[] values, Shape shape) {
    Operand<TFloat32> parameter =
        folded
            ? tf.constant(TFloat32.tensorOf(shape, DataBuffers.of(values)))
            : task.variable(values, shape.asArray());
    parameters.add(parameter);
    shapes.add(shape);
    return parameter;
  }

  @Override
  public Operand<T> conv(Operand<T> x, int in, int out, int size, int stride) {
    Operand<T> w = cast(weights(Math.sqrt(6.0 / (size * size * in)), size, size, in, out));
    List<Long> strides = List.of(1L, (long) stride, (long) stride, 1L);
    Operand<T> y = tf.nn.conv2d(x, w, strides, "SAME");
    return folded ? tf.nn.biasAdd(y, cast(constant(0.01f, out))) : y;
  }

  @Override
  public Operand<T> batchNorm(Operand<T> x, int channels, Join<Operand<T>> join) {
    Operand<T> y = x;
    if (!folded) {
      Operand<TFloat32> none = tf.constant(new float[0]);
      y =
          tf.nn
              .fusedBatchNorm(
                  x,
                  constant(1, channels),
                  constant(0, channels),
                  none,
                  none,
                  FusedBatchNorm.epsilon(1e-5f),
                  FusedBatchNorm.isTraining(true))
              .y();
    }
    for (Operand<T> residual : join.residual()) {
      y = tf.math.add(y, residual);
    }
    return join.activation() == Activation.RELU ? tf.nn.relu(y) : y;
  }

  @Override
  public Operand<T> subsamplePad(Operand<T> x, int in, int out) {
    Operand<T> half =
        tf.stridedSlice(
            x,
            tf.constant(new int[] {0, 0, 0, 0}),
            tf.constant(new int[] {0, 0, 0, 0}),
            tf.constant(new int[] {1, 2, 2, 1}),
            StridedSlice.beginMask(15L),
            StridedSlice.endMask(15L));
    int[][] pads = {{0, 0}, {0, 0}, {0, 0}, {0, out - in}};
    return tf.pad(half, tf.constant(pads), cast(tf.constant(0f)));
  }

  @Override
  public Operand<T> maxPool(Operand<T> x) {
    return tf.nn.maxPool(
        x, tf.constant(new int[] {1, 3, 3, 1}), tf.constant(new int[] {1, 2, 2, 1}), "SAME");
  }

  @Override
  public Operand<T> globalAveragePool(Operand<T> x) {
    return tf.math.mean(x, tf.constant(new int[] {1, 2}));
  }

  @Override
  public Operand<T> dense(Operand<T> x, int in, int out, Activation activation) {
    Operand<T> w = cast(weights(Math.sqrt(3.0 / in), in, out));
    Operand<T> y = tf.nn.biasAdd(tf.linalg.matMul(x, w), cast(constant(0, out)));
    return activation == Activation.RELU ? tf.nn.relu(y) : y;
  }
}
