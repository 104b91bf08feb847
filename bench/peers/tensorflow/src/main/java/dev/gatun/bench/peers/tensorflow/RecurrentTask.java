package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import dev.gatun.bench.peers.tensorflow.RecurrentLayer.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.tensorflow.Operand;
import org.tensorflow.op.Op;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Gradients;
import org.tensorflow.op.core.Variable;
import org.tensorflow.op.linalg.MatMul;
import org.tensorflow.op.nn.BlockLSTM;
import org.tensorflow.op.nn.SparseSoftmaxCrossEntropyWithLogits;
import org.tensorflow.types.TFloat32;

/// A training step of a recurrent layer and a dense head, time first, with Adam. An LSTM's kernels
/// have no registered gradient in Java, so that of the head is written out.
final class RecurrentTask implements Side.Task {
  private static final int STEPS = Work.RecurrentTraining.STEPS;
  private static final int BATCH = Work.RecurrentTraining.BATCH;
  private static final int UNITS = Work.RecurrentTraining.UNITS;
  private static final int CLASSES = Work.RecurrentTraining.CLASSES;

  private final GraphTask task;
  private final Operand<TFloat32> loss;
  private float value;

  RecurrentTask(int threads, Work.RecurrentTraining work) {
    task = new GraphTask(threads);
    Ops tf = task.tf();
    int features = Work.RecurrentTraining.FEATURES;
    Operand<TFloat32> x = task.uniform(1, STEPS, BATCH, features);
    RecurrentLayer layer =
        RecurrentLayer.of(tf, work.cell(), features, UNITS, STEPS, task::variable);
    float[] matrix = Values.filtersLast(RecurrentWeights.head(CLASSES, UNITS), CLASSES);
    long[] dims = {UNITS, CLASSES};
    Parameter head = new Parameter(matrix, dims, task.variable(matrix, dims));
    float[] zeros = new float[CLASSES];
    Parameter offsets = new Parameter(zeros, new long[] {CLASSES}, task.variable(zeros, CLASSES));
    List<Parameter> parameters =
        Stream.concat(layer.parameters().stream(), Stream.of(head, offsets)).toList();
    List<Operand<TFloat32>> first =
        Stream.<Operand<TFloat32>>generate(() -> tf.constant(new float[BATCH][UNITS]))
            .limit(layer.states())
            .toList();
    boolean block = work.cell() == Work.Gated.LSTM;
    BlockLSTM<TFloat32> kernel = block ? layer.blockLstm(x, STEPS, first) : null;
    Operand<TFloat32> y = kernel == null ? layer.run(x, STEPS, BATCH, first).y() : kernel.h();
    Operand<TFloat32> rows = tf.reshape(y, tf.constant(new int[] {STEPS * BATCH, UNITS}));
    Operand<TFloat32> logits =
        tf.nn.biasAdd(tf.linalg.matMul(rows, head.operand()), offsets.operand());
    SparseSoftmaxCrossEntropyWithLogits<TFloat32> both =
        tf.nn.sparseSoftmaxCrossEntropyWithLogits(logits, task.labels(STEPS * BATCH, CLASSES));
    loss = tf.math.mean(both.loss(), tf.constant(new int[] {0}));
    Operand<TFloat32> slopes = tf.math.mul(both.backprop(), tf.constant(1f / (STEPS * BATCH)));
    List<Operand<TFloat32>> gradients = new ArrayList<>();
    if (kernel == null) {
      List<Operand<?>> all = new ArrayList<>();
      parameters.forEach(parameter -> all.add(parameter.operand()));
      tf.gradients(List.of(logits), all, Gradients.dx(List.of(slopes)))
          .forEach(gradient -> gradients.add(real(gradient)));
    } else {
      Operand<TFloat32> back = tf.linalg.matMul(slopes, head.operand(), MatMul.transposeB(true));
      back = tf.reshape(back, tf.constant(new int[] {STEPS, BATCH, UNITS}));
      gradients.addAll(layer.blockGradients(kernel, x, STEPS, first, back));
      gradients.add(tf.linalg.matMul(rows, slopes, MatMul.transposeA(true)));
      gradients.add(tf.reduceSum(slopes, tf.constant(0)));
    }
    update(tf, parameters, gradients);
  }

  @SuppressWarnings("unchecked")
  private static Operand<TFloat32> real(Operand<?> operand) {
    return (Operand<TFloat32>) operand;
  }

  private void update(Ops tf, List<Parameter> parameters, List<Operand<TFloat32>> gradients) {
    List<Op> updates = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      Parameter parameter = parameters.get(i);
      float[] zeros = new float[parameter.values().length];
      updates.add(
          tf.train.applyAdam(
              (Variable<TFloat32>) parameter.operand(),
              task.variable(zeros, parameter.dims()),
              task.variable(zeros, parameter.dims()),
              tf.constant(0.9f),
              tf.constant(0.999f),
              tf.constant(1e-3f),
              tf.constant(0.9f),
              tf.constant(0.999f),
              tf.constant(1e-8f),
              gradients.get(i)));
    }
    task.target(tf.withControlDependencies(updates).noOp());
  }

  @Override
  public void run() {
    value = task.fetch(loss)[0];
  }

  @Override
  public float[] results() {
    float before = value;
    run();
    return Values.descent(before, value, CLASSES);
  }

  @Override
  public void close() {
    task.close();
  }
}
