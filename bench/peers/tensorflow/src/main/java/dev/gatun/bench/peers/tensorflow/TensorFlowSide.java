package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import dev.gatun.bench.peers.Worker;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import org.tensorflow.Operand;
import org.tensorflow.TensorFlow;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Gradients;
import org.tensorflow.op.core.Variable;
import org.tensorflow.op.math.Mean;
import org.tensorflow.op.nn.Conv2d;
import org.tensorflow.op.nn.Conv2dBackpropFilter;
import org.tensorflow.op.nn.Conv2dBackpropInput;
import org.tensorflow.op.nn.FusedBatchNorm;
import org.tensorflow.op.nn.FusedBatchNormGrad;
import org.tensorflow.op.nn.SparseSoftmaxCrossEntropyWithLogits;
import org.tensorflow.types.TFloat32;

/// TensorFlow's side: everything is a graph.
public final class TensorFlowSide implements Side {
  private final int threads;

  private TensorFlowSide(int threads) {
    this.threads = threads;
  }

  /// `args`: the number of threads.
  public static void main(String[] args) throws IOException {
    Worker.serve(new TensorFlowSide(Integer.parseInt(args[0])));
  }

  @Override
  public String description() {
    return "%s, TensorFlow %s, %d threads, oneDNN"
        .formatted(Worker.jarOf(TensorFlow.class), TensorFlow.version(), threads);
  }

  @Override
  public Task prepare(Work work) {
    return switch (work) {
      case Work.Sgemm sgemm -> sgemm(sgemm.n());
      case Work.Convolution convolution -> convolution(convolution);
      case Work.Adam adam -> adam(adam.parameters());
      case Work.Dropout dropout -> new DropoutTask(threads, dropout.elements());
      case Work.BatchNorm batchNorm -> batchNorm(batchNorm);
      case Work.LayerNorm layerNorm -> layerNorm(layerNorm);
      case Work.SoftmaxCrossEntropy loss -> loss(loss.rows(), loss.classes());
      case Work.Training training -> new TrainingTask(threads, training);
      case Work.Inference inference -> new InferenceTask(threads, inference);
      case Work.RecurrentTraining training -> new RecurrentTask(threads, training);
      case Work.RecurrentSteps steps -> new SteppingTask(threads, steps);
    };
  }

  private Task sgemm(int n) {
    GraphTask task = new GraphTask(threads);
    return task.result(task.tf().linalg.matMul(task.uniform(1, n, n), task.uniform(2, n, n)));
  }

  private Task convolution(Work.Convolution c) {
    GraphTask task = new GraphTask(threads);
    Ops tf = task.tf();
    long batch = c.batch();
    long side = c.side();
    long out = c.outputSide();
    int size = c.size();
    List<Long> strides = List.of(1L, (long) c.stride(), (long) c.stride(), 1L);
    long pad = c.pad();
    // SAME is faster where it means the same; with a stride it pads at one side only.
    boolean same = c.stride() == 1;
    String padding = same ? "SAME" : pad == 0 ? "VALID" : "EXPLICIT";
    List<Long> pads =
        padding.equals("EXPLICIT") ? List.of(0L, 0L, pad, pad, pad, pad, 0L, 0L) : List.of();
    float[] filters = Values.uniform((long) c.filters() * size * size * c.channels(), 2);
    float[] turned = Values.filtersLast(filters, c.filters());
    long[] filterDims = {size, size, c.channels(), c.filters()};
    int[] filterShape = {size, size, c.channels(), c.filters()};
    int[] inputShape = {c.batch(), c.side(), c.side(), c.channels()};
    if (c.pass() == Work.Pass.FORWARD) {
      return task.result(
          tf.nn.conv2d(
              task.uniform(1, batch, side, side, c.channels()),
              task.feed(turned, filterDims),
              strides,
              padding,
              Conv2d.explicitPaddings(pads)));
    }
    Operand<TFloat32> dy = task.uniform(3, batch, out, out, c.filters());
    if (c.pass() != Work.Pass.WEIGHTS) {
      task.result(
          tf.nn.conv2dBackpropInput(
              tf.constant(inputShape),
              task.feed(turned, filterDims),
              dy,
              strides,
              padding,
              Conv2dBackpropInput.explicitPaddings(pads)));
    }
    if (c.pass() != Work.Pass.DATA) {
      task.result(
          tf.nn.conv2dBackpropFilter(
              task.uniform(1, batch, side, side, c.channels()),
              tf.constant(filterShape),
              dy,
              strides,
              padding,
              Conv2dBackpropFilter.explicitPaddings(pads)),
          dw -> Values.filtersFirst(dw, c.filters()));
    }
    return task;
  }

  private Task adam(int parameters) {
    GraphTask task = new GraphTask(threads);
    Ops tf = task.tf();
    Variable<TFloat32> parameter = task.variable(Values.uniform(parameters, 1), parameters);
    Variable<TFloat32> first = task.variable(new float[parameters], parameters);
    Variable<TFloat32> second = task.variable(new float[parameters], parameters);
    task.target(
        tf.train.applyAdam(
            parameter,
            first,
            second,
            tf.constant(0.9f),
            tf.constant(0.999f),
            tf.constant(1e-3f),
            tf.constant(0.9f),
            tf.constant(0.999f),
            tf.constant(1e-8f),
            task.uniform(2, parameters)));
    return task.reading(parameter);
  }

  private Task batchNorm(Work.BatchNorm b) {
    GraphTask task = new GraphTask(threads);
    Ops tf = task.tf();
    int channels = b.channels();
    Operand<TFloat32> x = task.uniform(1, b.batch(), b.side(), b.side(), channels);
    Operand<TFloat32> dy = task.uniform(2, b.batch(), b.side(), b.side(), channels);
    Operand<TFloat32> gamma = task.uniform(3, channels);
    Operand<TFloat32> beta = task.uniform(4, channels);
    Operand<TFloat32> zeros = task.feed(new float[channels], channels);
    FusedBatchNorm<TFloat32, TFloat32> forward =
        tf.nn.fusedBatchNorm(
            x,
            gamma,
            beta,
            zeros,
            zeros,
            FusedBatchNorm.epsilon(1e-5f),
            FusedBatchNorm.exponentialAvgFactor(0.1f),
            FusedBatchNorm.isTraining(true));
    FusedBatchNormGrad<TFloat32, TFloat32> backward =
        tf.nn.fusedBatchNormGrad(
            dy,
            x,
            gamma,
            forward.reserveSpace1(),
            forward.reserveSpace2(),
            forward.reserveSpace3(),
            FusedBatchNormGrad.epsilon(1e-5f),
            FusedBatchNormGrad.isTraining(true));
    return task.result(forward.y()).result(backward.xBackprop()).result(backward.scaleBackprop());
  }

  /// Composed, as there is no instruction for it.
  private Task layerNorm(Work.LayerNorm l) {
    GraphTask task = new GraphTask(threads);
    Ops tf = task.tf();
    Operand<TFloat32> x = task.uniform(1, l.rows(), l.columns());
    Operand<TFloat32> gamma = task.uniform(3, l.columns());
    Operand<TFloat32> beta = task.uniform(4, l.columns());
    Operand<TFloat32> mean = tf.math.mean(x, tf.constant(new int[] {1}), Mean.keepDims(true));
    Operand<TFloat32> variance =
        tf.math.mean(
            tf.math.squaredDifference(x, mean), tf.constant(new int[] {1}), Mean.keepDims(true));
    Operand<TFloat32> invStd = tf.math.rsqrt(tf.math.add(variance, tf.constant(1e-5f)));
    Operand<TFloat32> normal = tf.math.mul(tf.math.sub(x, mean), invStd);
    Operand<TFloat32> y = tf.math.add(tf.math.mul(normal, gamma), beta);
    task.result(y);
    if (l.backward()) {
      Operand<TFloat32> dy = task.uniform(2, l.rows(), l.columns());
      Iterator<Operand<?>> gradients =
          tf.gradients(List.of(y), List.of(x, gamma, beta), Gradients.dx(List.of(dy))).iterator();
      task.result(gradients.next()).result(gradients.next()).target(gradients.next());
    }
    return task;
  }

  private Task loss(int rows, int classes) {
    GraphTask task = new GraphTask(threads);
    Ops tf = task.tf();
    SparseSoftmaxCrossEntropyWithLogits<TFloat32> both =
        tf.nn.sparseSoftmaxCrossEntropyWithLogits(
            task.uniform(1, rows, classes), task.labels(rows, classes));
    Operand<TFloat32> loss = tf.math.mean(both.loss(), tf.constant(new int[] {0}));
    return task.result(loss).result(tf.math.mul(both.backprop(), tf.constant(1f / rows)));
  }
}
