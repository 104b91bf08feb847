package dev.gatun.graph;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Direction;
import dev.gatun.Precision;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Window;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.Dropout;
import dev.gatun.graph.op.GatherRows;
import dev.gatun.graph.op.GroupNorm;
import dev.gatun.graph.op.LayerNorm;
import dev.gatun.graph.op.MatMul;
import dev.gatun.graph.op.Recurrent;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.stream.DoubleStream;

/// Steps that grow at random: nearly all ops with a gradient, on values that are read once or
/// often, with weights that several layers share and some that are frozen, a loss, gradients, and
/// results that are aliases and duplicates. The same seed gives the same graph.
final class RandomGraphs {
  private static final long[] PICTURES = {2, 4, 4, 4};
  private static final int ROWS = 32;

  final Graph graph;
  final Map<Value, double[]> leaves = new LinkedHashMap<>();
  final List<Value> results = new ArrayList<>();

  /// Leaves that stand for weights and running estimates.
  final Set<Value> weights = new LinkedHashSet<>();

  /// Leaves that have a gradient.
  final List<Value> variables = new ArrayList<>();

  private final DType real;
  private final SplittableRandom random;
  private final List<Tensor> values = new ArrayList<>();
  private final Map<String, Value> shared = new LinkedHashMap<>();
  private final Value step;
  private final boolean smooth;

  /// @param smooth whether to leave out what jumps where it is differentiated
  RandomGraphs(long seed, DType real, Precision precision, boolean smooth) {
    this.graph = new Graph(precision);
    this.real = real;
    this.random = new SplittableRandom(seed);
    this.smooth = smooth;
    this.step = leaf(DType.I64, () -> 3);
    values.add(leaf(PICTURES));
    values.add(leaf(PICTURES));
  }

  /// A training step.
  RandomGraphs training(int nodes) {
    for (int i = 0; i < nodes; i++) {
      values.add(normal(next(true)));
    }
    Value loss = graph.value(loss());
    results.add(loss);
    List<Value> trained = variables.stream().filter(leaf -> random.nextInt(5) > 0).toList();
    results.addAll(Gradients.of(loss, trained));
    others();
    return this;
  }

  /// An inference step.
  RandomGraphs inference(int nodes) {
    for (int i = 0; i < nodes; i++) {
      values.add(normal(next(false)));
    }
    results.add((Value) values.getLast());
    others();
    return this;
  }

  private void others() {
    results.add((Value) values.getLast().reshape(128));
    for (int i = random.nextInt(4); i > 0; i--) {
      Value value = (Value) any();
      results.add(random.nextBoolean() ? value : (Value) value.reshape(16, 8));
    }
  }

  private Tensor any() {
    // Rather the last ones: deep nets.
    int back = Math.min(random.nextInt(4) * random.nextInt(3), values.size() - 1);
    return random.nextInt(4) == 0
        ? values.get(random.nextInt(values.size()))
        : values.get(values.size() - 1 - back);
  }

  /// Keeps numbers small.
  private Tensor normal(Tensor x) {
    return switch (random.nextInt(4)) {
      case 0 -> x.tanh();
      case 1 -> x.times(0.5);
      default -> x;
    };
  }

  private Tensor loss() {
    Tensor x = any();
    Tensor rows = x.reshape(ROWS, 4).as(real);
    boolean weighted = random.nextBoolean();
    List<Tensor> operands = new ArrayList<>();
    operands.add(rows);
    operands.add(
        random.nextBoolean()
            ? leaf(DType.I32, () -> random.nextInt(5) - 1, ROWS)
            : given(random::nextDouble, ROWS, 4));
    if (weighted) {
      operands.add(given(random::nextDouble, 4));
    }
    SoftmaxCrossEntropy op = new SoftmaxCrossEntropy(random.nextBoolean() ? 0 : 0.1, weighted);
    Tensor loss = graph.apply(op, operands).getFirst();
    for (int i = random.nextInt(3); i > 0; i--) {
      Tensor other = any();
      loss =
          loss.plus(
              switch (random.nextInt(4)) {
                case 0 -> other.tanh().as(real).mean();
                case 1 -> other.sigmoid().as(real).sum().times(0.1);
                case 2 -> other.minus(leaf(PICTURES)).tanh().as(real).square().mean();
                default -> graph.apply(op, operands).getFirst().times(0.5);
              });
    }
    return random.nextInt(4) == 0 ? loss.times(loss) : loss;
  }

  private Tensor next(boolean training) {
    Tensor x = any();
    Tensor y = any();
    return switch (random.nextInt(smooth ? 40 : 50)) {
      case 0 -> x.sigmoid();
      case 1 -> x.tanh();
      case 2 -> x.square().times(0.1);
      case 3 -> x.square().plus(1).sqrt();
      case 4 -> x.tanh().exp();
      case 5 -> x.square().plus(0.5).log();
      case 6 -> x.negate().plus(0.3);
      case 7 -> x.times(y);
      case 8 -> x.minus(y);
      case 9 -> x.div(y.square().plus(1));
      case 10 -> x.plus(vector(random.nextInt(3)));
      case 11 -> x.times(vector(random.nextInt(3)));
      case 12 -> x.plus(y).times(shared("scalar"));
      case 13 -> x.elu(1);
      case 14 -> x.gelu();
      case 15 -> x.silu().plus(x.softplus());
      case 16 -> batchNorm(x, training).plus(random.nextBoolean() ? y : x);
      case 17 -> batchNorm(conv(x, 3), training);
      case 18 -> conv(x, 3).plus(vector(0));
      case 19 -> conv(x, 1).plus(random.nextBoolean() ? x : y);
      case 20 -> conv(x, 3).plus(conv(y, 3)).plus(x);
      case 21 -> conv(x, 3).plus(vector(0)).plus(y);
      case 22 -> {
        Tensor small = x.conv2d(shared("down", 4, 3, 3, 4), 2, 1);
        yield small.conv2dTransposed(shared("down", 4, 3, 3, 4), 2, 1, 1);
      }
      case 23 -> x.conv2d(shared("grouped", 4, 3, 3, 2), 1, 1, 1, 2, ConvAlgorithm.AUTO);
      case 24 -> x.averagePool(3, 1, 1, random.nextBoolean());
      case 25 -> x.permute(0, 2, 1, 3);
      case 26 -> x.reshape(2, 64).reshape(PICTURES);
      case 27 -> x.minus(x.as(real).mean(1, 2).reshape(2, 1, 1, 4));
      case 28 -> x.as(real).sum(3).reshape(2, 4, 4, 1).times(0.3).expand(PICTURES);
      case 29 -> norm(new LayerNorm(1e-3, true, true, true), x, 2).plus(y);
      case 30 -> norm(new LayerNorm(1e-3, false, true, false), x, 1);
      case 31 -> norm(new GroupNorm(2, 1e-3), x, 2);
      case 32 -> x.as(real).softmax().plus(y);
      case 33 -> x.as(real).logSoftmax().times(0.3);
      case 34 -> dense(x, y, training);
      case 35 -> graph.apply(new Dropout(0.4, 5, random.nextInt(3)), List.of(x, step)).getFirst();
      case 36 -> recurrent(x);
      case 37 -> embedding().plus(x);
      case 38 -> Tensor.concat(1, x.slice(1, 0, 2), y.slice(1, 1, 3));
      case 39 -> x.slice(-1, 1, 3).pad(-1, 1, 1).plus(y);
      // What follows has kinks.
      case 40 -> x.relu();
      case 41 -> batchNorm(x, training).relu();
      case 42 -> batchNorm(conv(x, 3), training).plus(y).relu();
      case 43 -> conv(x, 3).plus(vector(0)).relu();
      case 44 -> x.leakyRelu(random.nextInt(2) * 0.2).minus(y.relu());
      case 45 -> x.maximum(random.nextBoolean() ? y : vector(1));
      case 46 -> x.minimum(y).plus(x.where(y));
      case 47 -> x.abs().times(y.sign());
      case 48 -> x.maxPool(3, 1, 1).plus(x);
      case 49 -> x.minus(x.as(real).max(1, 2).reshape(2, 1, 1, 4)).plus(y.prelu(vector(0)));
      default -> throw new AssertionError();
    };
  }

  private Tensor dense(Tensor x, Tensor y, boolean training) {
    Tensor rows = x.reshape(ROWS, 4);
    Tensor w = shared("dense" + random.nextInt(2), 4, 4);
    Tensor product =
        switch (random.nextInt(3)) {
          case 0 -> rows.matmul(w);
          case 1 -> rows.matmulTransposed(w);
          default ->
              graph
                  .apply(
                      new MatMul(true, false, false, Activation.NONE),
                      List.of(rows.permute(1, 0), w))
                  .getFirst();
        };
    product =
        switch (random.nextInt(4)) {
          case 0 -> product.plus(vector(0));
          case 1 -> product.plus(y.reshape(ROWS, 4));
          case 2 -> batchNorm(product.plus(vector(0)), training);
          default -> product;
        };
    if (!smooth && random.nextBoolean()) {
      product = product.relu();
    }
    return product.reshape(PICTURES);
  }

  private Tensor recurrent(Tensor x) {
    Cell cell = List.of(Cell.TANH, Cell.LSTM, Cell.UGRNN).get(random.nextInt(3));
    int units = 4 / cell.gates();
    Tensor weights = shared("recurrent" + cell, 4, units);
    Tensor sequence = x.as(real).reshape(4, 8, 4);
    List<? extends Tensor> outputs =
        Tensor.applyAll(Recurrent.of(cell, Direction.FORWARD), List.of(sequence, weights));
    Tensor y = outputs.getFirst().reshape(4, 8, units, 1).expand(4, 8, units, 4 / units);
    if (random.nextBoolean()) {
      y = y.plus(outputs.get(1).sum().tanh());
    }
    return y.reshape(PICTURES);
  }

  private Tensor embedding() {
    Value table = shared("table", 5, 4);
    Value indices = leaf(DType.I32, () -> random.nextInt(6) - 1, ROWS);
    return graph.apply(new GatherRows(), List.of(table, indices)).getFirst().reshape(PICTURES);
  }

  private Tensor norm(Op op, Tensor x, int parameters) {
    List<Tensor> operands = new ArrayList<>(List.of(x));
    for (int i = 0; i < parameters; i++) {
      operands.add(shared("norm" + i, 4));
    }
    return graph.apply(op, operands).getFirst();
  }

  private Tensor batchNorm(Tensor x, boolean training) {
    int which = random.nextInt(2);
    List<Tensor> operands =
        List.of(
            x,
            shared("gamma" + which, 4),
            shared("beta" + which, 4),
            estimate("mean" + which),
            estimate("variance" + which));
    boolean fixed = !training || random.nextInt(4) == 0;
    return graph
        .apply(
            fixed
                ? new BatchNormInference(1e-3, false, Activation.NONE)
                : new BatchNormTraining(0.1, 1e-3, false, Activation.NONE),
            operands)
        .getFirst();
  }

  private Tensor conv(Tensor x, int size) {
    Value w = shared("conv" + size + random.nextInt(2), 4, size, size, 4);
    return graph
        .apply(
            new Conv2d(
                Window.square(size, 1, size / 2), false, Activation.NONE, ConvAlgorithm.AUTO),
            List.of(x, w))
        .getFirst();
  }

  /// One that is broadcast.
  private Value vector(int kind) {
    return switch (kind) {
      case 0 -> shared("vector" + random.nextInt(2), 4);
      case 1 -> shared("pictures", 2, 1, 1, 4);
      default -> shared("column", 4, 1);
    };
  }

  private Value shared(String name, long... dims) {
    return shared.computeIfAbsent(
        name,
        any -> {
          Value leaf = given(() -> 0.4 * random.nextGaussian(), dims);
          weights.add(leaf);
          variables.add(leaf);
          return leaf;
        });
  }

  /// A running estimate of four channels, above 0.
  private Value estimate(String name) {
    return shared.computeIfAbsent(
        name,
        any -> {
          Value leaf = given(() -> 0.5 + random.nextDouble(), 4);
          weights.add(leaf);
          return leaf;
        });
  }

  /// A variable.
  Value leaf(long... dims) {
    Value leaf = leaf(real, random::nextGaussian, dims);
    variables.add(leaf);
    return leaf;
  }

  /// A real leaf without a gradient.
  private Value given(DoubleSupplier elements, long... dims) {
    return leaf(real, elements, dims);
  }

  private Value leaf(DType dtype, DoubleSupplier elements, long... dims) {
    Value leaf = graph.leaf("leaf" + leaves.size(), new TensorType(dtype, Shape.of(dims)));
    double[] drawn = DoubleStream.generate(elements).limit(leaf.shape().count()).toArray();
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = (float) drawn[i];
    }
    leaves.put(leaf, drawn);
    return leaf;
  }
}
