package dev.gatun.bench.peers.tensorflow;

import dev.gatun.bench.peers.RecurrentWeights;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.tensorflow.Operand;
import org.tensorflow.op.Ops;
import org.tensorflow.op.nn.BlockLSTM;
import org.tensorflow.op.nn.BlockLSTMGrad;
import org.tensorflow.op.nn.LSTMBlockCell;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt64;

/// One recurrent layer in TensorFlow's Java interface, which has only an LSTM's kernels. A GRU and
/// a UGRNN are unrolled: the products of all inputs at once, then a handful of nodes for each step.
/// (`GRUBlockCell` computes another cell, with its reset gate before the product.)
///
/// @param tf where nodes go
/// @param cell which
/// @param units of the layer
/// @param parameters of an LSTM weights [F+H, 4H] and offsets; else matrices of inputs and states
///   and offsets, the gates' before the candidate's
record RecurrentLayer(Ops tf, Work.Gated cell, int units, List<Parameter> parameters) {
  /// The first values of a parameter, and where it is in the graph.
  record Parameter(float[] values, long[] dims, Operand<TFloat32> operand) {}

  /// What makes an operand of values.
  @FunctionalInterface
  interface Source {
    Operand<TFloat32> operand(float[] values, long... dims);
  }

  /// Outputs [T,B,H], and the states after the last step.
  record Outputs(Operand<TFloat32> y, List<Operand<TFloat32>> states) {}

  /// A layer that takes so many steps at once.
  static RecurrentLayer of(
      Ops tf, Work.Gated cell, int features, int units, int steps, Source source) {
    RecurrentWeights all = RecurrentWeights.of(cell, features, units);
    List<Parameter> parameters = new ArrayList<>();
    switch (cell) {
      case LSTM -> {
        UnaryOperator<float[]> order = steps == 1 ? RecurrentLayer::exchanged : gates -> gates;
        float[] both =
            Values.join(
                Values.filtersLast(order.apply(all.input()), 4 * units),
                Values.filtersLast(order.apply(all.state()), 4 * units));
        add(parameters, source, both, features + units, 4L * units);
        add(parameters, source, order.apply(all.bias(0)), 4L * units);
      }
      case GRU -> {
        part(parameters, source, all.input(), 0, 2 * units, features);
        part(parameters, source, all.state(), 0, 2 * units, units);
        add(parameters, source, Arrays.copyOf(all.bias(0), 2 * units), 2L * units);
        part(parameters, source, all.input(), 2 * units, units, features);
        part(parameters, source, all.state(), 2 * units, units, units);
        for (float[] bias : List.of(all.inputBias(), all.stateBias())) {
          add(parameters, source, Arrays.copyOfRange(bias, 2 * units, 3 * units), units);
        }
      }
      case UGRNN -> {
        part(parameters, source, all.input(), 0, 2 * units, features);
        part(parameters, source, all.state(), 0, 2 * units, units);
        add(parameters, source, all.inputBias(), 2L * units);
      }
    }
    return new RecurrentLayer(tf, cell, units, List.copyOf(parameters));
  }

  /// The second and third of four gates exchanged, as the kernel of one step has them.
  private static float[] exchanged(float[] gates) {
    int each = gates.length / 4;
    float[] turned = gates.clone();
    System.arraycopy(gates, each, turned, 2 * each, each);
    System.arraycopy(gates, 2 * each, turned, each, each);
    return turned;
  }

  private static void add(List<Parameter> to, Source source, float[] values, long... dims) {
    to.add(new Parameter(values, dims, source.operand(values, dims)));
  }

  /// Some rows of a matrix [rows, columns], transposed.
  private static void part(
      List<Parameter> to, Source source, float[] matrix, int first, int rows, int columns) {
    float[] some = Arrays.copyOfRange(matrix, first * columns, (first + rows) * columns);
    add(to, source, Values.filtersLast(some, rows), columns, rows);
  }

  private Operand<TFloat32> parameter(int index) {
    return parameters.get(index).operand();
  }

  /// How many states there are.
  int states() {
    return cell == Work.Gated.LSTM ? 2 : 1;
  }

  /// Along x [T,B,F] from states [B,H], h before c.
  Outputs run(Operand<TFloat32> x, int steps, int batch, List<? extends Operand<TFloat32>> first) {
    return switch (cell) {
      case LSTM -> steps == 1 ? oneStep(x, batch, first) : block(x, steps, batch, first);
      case GRU, UGRNN -> unrolled(x, steps, batch, first.getFirst());
    };
  }

  private Outputs unrolled(Operand<TFloat32> x, int steps, int batch, Operand<TFloat32> first) {
    List<Operand<TFloat32>> gates = inputs(x, steps, batch, 0, 2L * units);
    List<Operand<TFloat32>> candidates =
        cell == Work.Gated.GRU ? inputs(x, steps, batch, 3, units) : List.of();
    List<Operand<TFloat32>> outputs = new ArrayList<>();
    Operand<TFloat32> h = first;
    for (int t = 0; t < steps; t++) {
      Operand<TFloat32> sums = tf.math.add(gates.get(t), tf.linalg.matMul(h, parameter(1)));
      h = cell == Work.Gated.GRU ? gru(sums, candidates.get(t), h) : ugrnn(sums, h);
      outputs.add(h);
    }
    return new Outputs(tf.stack(outputs), List.of(h));
  }

  private Operand<TFloat32> gru(
      Operand<TFloat32> sums, Operand<TFloat32> candidate, Operand<TFloat32> h) {
    List<Operand<TFloat32>> gates = halves(tf.math.sigmoid(sums));
    Operand<TFloat32> inside = tf.nn.biasAdd(tf.linalg.matMul(h, parameter(4)), parameter(6));
    Operand<TFloat32> n = tf.math.tanh(tf.math.add(candidate, tf.math.mul(gates.get(0), inside)));
    return mixed(gates.get(1), h, n);
  }

  private Operand<TFloat32> ugrnn(Operand<TFloat32> sums, Operand<TFloat32> h) {
    List<Operand<TFloat32>> gates = halves(sums);
    return mixed(tf.math.sigmoid(gates.get(1)), h, tf.math.tanh(gates.get(0)));
  }

  /// b + gate (a - b)
  private Operand<TFloat32> mixed(
      Operand<TFloat32> gate, Operand<TFloat32> a, Operand<TFloat32> b) {
    return tf.math.add(b, tf.math.mul(gate, tf.math.sub(a, b)));
  }

  private List<Operand<TFloat32>> halves(Operand<TFloat32> both) {
    return List.copyOf(tf.split(tf.constant(1), both, 2L).output());
  }

  /// The products of the inputs with a matrix, and offsets, for each step.
  private List<Operand<TFloat32>> inputs(
      Operand<TFloat32> x, int steps, int batch, int matrix, long rows) {
    Operand<TFloat32> products =
        tf.nn.biasAdd(tf.linalg.matMul(flat(x), parameter(matrix)), parameter(matrix + 2));
    return List.copyOf(
        tf.unstack(tf.reshape(products, tf.constant(new long[] {steps, batch, rows})), (long) steps)
            .output());
  }

  /// [T,B,F] as [T B, F].
  private Operand<TFloat32> flat(Operand<TFloat32> x) {
    return tf.reshape(x, tf.constant(new long[] {-1, x.shape().get(2)}));
  }

  private Outputs oneStep(Operand<TFloat32> x, int batch, List<? extends Operand<TFloat32>> first) {
    Operand<TFloat32> none = peepholes();
    LSTMBlockCell<TFloat32> step =
        tf.nn.lSTMBlockCell(
            flat(x),
            first.get(1),
            first.get(0),
            parameter(0),
            none,
            none,
            none,
            parameter(1),
            LSTMBlockCell.forgetBias(0f),
            LSTMBlockCell.cellClip(-1f));
    Operand<TFloat32> y = tf.reshape(step.h(), tf.constant(new long[] {1, batch, units}));
    return new Outputs(y, List.of(step.h(), step.cs()));
  }

  private Outputs block(
      Operand<TFloat32> x, int steps, int batch, List<? extends Operand<TFloat32>> first) {
    BlockLSTM<TFloat32> all = blockLstm(x, steps, first);
    List<Operand<TFloat32>> states = new ArrayList<>();
    for (Operand<TFloat32> values : List.of(all.h(), all.cs())) {
      Operand<TFloat32> last =
          tf.slice(
              values,
              tf.constant(new int[] {steps - 1, 0, 0}),
              tf.constant(new int[] {1, batch, units}));
      states.add(tf.reshape(last, tf.constant(new int[] {batch, units})));
    }
    return new Outputs(all.h(), List.copyOf(states));
  }

  /// An LSTM along all steps, as one kernel.
  BlockLSTM<TFloat32> blockLstm(
      Operand<TFloat32> x, int steps, List<? extends Operand<TFloat32>> first) {
    Operand<TFloat32> none = peepholes();
    return tf.nn.blockLSTM(
        steps(steps), x, first.get(1), first.get(0), parameter(0), none, none, none, parameter(1));
  }

  /// Its gradients, of weights and offsets, from that of its outputs.
  List<Operand<TFloat32>> blockGradients(
      BlockLSTM<TFloat32> all,
      Operand<TFloat32> x,
      int steps,
      List<? extends Operand<TFloat32>> first,
      Operand<TFloat32> slopes) {
    Operand<TFloat32> none = peepholes();
    BlockLSTMGrad<TFloat32> gradient =
        tf.nn.blockLSTMGrad(
            steps(steps),
            x,
            first.get(1),
            first.get(0),
            parameter(0),
            none,
            none,
            none,
            parameter(1),
            all.i(),
            all.cs(),
            all.f(),
            all.o(),
            all.ci(),
            all.co(),
            all.h(),
            tf.zerosLike(all.cs()),
            slopes,
            false);
    return List.of(gradient.wGrad(), gradient.bGrad());
  }

  private Operand<TInt64> steps(int steps) {
    return tf.constant((long) steps);
  }

  private Operand<TFloat32> peepholes() {
    return tf.constant(new float[units]);
  }
}
