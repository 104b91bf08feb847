package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.tensorflow.Graph;
import org.tensorflow.Operand;
import org.tensorflow.Result;
import org.tensorflow.Session;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.op.Op;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Placeholder;
import org.tensorflow.op.core.Variable;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt32;

/// A graph with a session. Inputs are fed, for the optimizer would compute constants once; results
/// that nobody reads stay in the session.
final class GraphTask implements Side.Task {
  private final Graph graph = new Graph();
  private final Ops tf = Ops.create(graph);
  private final Session session;
  private final Map<Operand<?>, Tensor> feeds = new LinkedHashMap<>();
  private final List<Op> targets = new ArrayList<>();
  private final List<Read> reads = new ArrayList<>();
  private final Map<Operand<?>, Operand<?>> carried = new LinkedHashMap<>();
  private @Nullable Result last;

  /// A result, and how its layout becomes the work's.
  private record Read(Operand<?> operand, UnaryOperator<float[]> layout) {}

  GraphTask(int threads) {
    session =
        new Session(
            graph,
            ConfigProto.newBuilder()
                .setIntraOpParallelismThreads(threads)
                .setInterOpParallelismThreads(1)
                .build());
  }

  Ops tf() {
    return tf;
  }

  /// An input.
  Placeholder<TFloat32> feed(float[] values, long... dims) {
    Shape shape = Shape.of(dims);
    Placeholder<TFloat32> input = tf.placeholder(TFloat32.class, Placeholder.shape(shape));
    feeds.put(input, TFloat32.tensorOf(shape, DataBuffers.of(values)));
    return input;
  }

  /// An input of uniform values, as all sides have them.
  Placeholder<TFloat32> uniform(int seed, long... dims) {
    return feed(Values.uniform(Shape.of(dims).size(), seed), dims);
  }

  /// An input of class numbers.
  Placeholder<TInt32> labels(int count, int classes) {
    Shape shape = Shape.of(count);
    Placeholder<TInt32> input = tf.placeholder(TInt32.class, Placeholder.shape(shape));
    feeds.put(input, TInt32.tensorOf(shape, DataBuffers.of(Values.labels(count, classes))));
    return input;
  }

  /// A variable with these values.
  Variable<TFloat32> variable(float[] values, long... dims) {
    Shape shape = Shape.of(dims);
    Variable<TFloat32> variable = tf.variable(shape, TFloat32.class);
    Placeholder<TFloat32> initial = tf.placeholder(TFloat32.class, Placeholder.shape(shape));
    Op assign = tf.assign(variable, initial);
    try (Tensor tensor = TFloat32.tensorOf(shape, DataBuffers.of(values))) {
      session.runner().feed(initial, tensor).addTarget(assign).run().close();
    }
    return variable;
  }

  /// In the next run `input` is fed with what this one computes as `output`. Only [#fetch] does so.
  void carry(Placeholder<TFloat32> input, Operand<TFloat32> output) {
    carried.put(input, output);
  }

  /// The graph computes this.
  GraphTask target(Op op) {
    targets.add(op);
    return this;
  }

  /// The graph computes this, and it is one of the results.
  GraphTask result(Operand<?> operand) {
    return result(operand, layout -> layout);
  }

  /// The same with a change of layout.
  GraphTask result(Operand<?> operand, UnaryOperator<float[]> layout) {
    reads.add(new Read(operand, layout));
    return target(operand);
  }

  /// What another operand holds after the run is a result.
  GraphTask reading(Operand<?> operand) {
    reads.add(new Read(operand, layout -> layout));
    return this;
  }

  private Session.Runner runner() {
    Session.Runner runner = session.runner();
    feeds.forEach(runner::feed);
    return runner;
  }

  @Override
  public void run() {
    Session.Runner runner = runner();
    targets.forEach(runner::addTarget);
    runner.run().close();
  }

  /// Runs, and returns one operand's elements.
  float[] fetch(Operand<?> operand) {
    Session.Runner runner = runner();
    targets.forEach(runner::addTarget);
    runner.fetch(operand);
    carried.values().forEach(runner::fetch);
    Result result = runner.run();
    int index = 1;
    for (Operand<?> input : carried.keySet()) {
      Tensor before = feeds.put(input, result.get(index++));
      if (last == null && before != null) {
        before.close();
      }
    }
    if (last != null) {
      last.close(); // what was fed lay in it
    }
    last = result;
    return elements(result.get(0));
  }

  /// The elements of the results; the graph does not run again.
  float[][] read() {
    Session.Runner runner = runner();
    reads.forEach(read -> runner.fetch(read.operand()));
    float[][] values = new float[reads.size()][];
    try (Result result = runner.run()) {
      for (int i = 0; i < values.length; i++) {
        values[i] = reads.get(i).layout().apply(elements(result.get(i)));
      }
    }
    return values;
  }

  private static float[] elements(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.shape().size())];
    ((TFloat32) tensor).copyTo(DataBuffers.of(values, false, false));
    return values;
  }

  @Override
  public float[] results() {
    float[][] values = read();
    for (int i = 0; i < values.length; i++) {
      values[i] = Values.sample(values[i]);
    }
    return Values.join(values);
  }

  @Override
  public void close() {
    feeds.keySet().removeAll(carried.keySet());
    feeds.values().forEach(Tensor::close);
    if (last != null) {
      last.close();
    }
    session.close();
    graph.close();
  }
}
