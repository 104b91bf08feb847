package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.BinaryOp;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.DoubleStream;

/// Writes graphs for the suites: leaves with their elements, and the layers that nets are made of.
final class Nets {
  final Graph graph = new Graph();
  final Map<Value, double[]> leaves = new LinkedHashMap<>();
  private final DType real;
  private final RandomGenerator random;

  /// In F64, so that rewriting may change nothing but the last bits.
  Nets(long seed) {
    this(seed, DType.F64);
  }

  Nets(long seed, DType real) {
    this.real = real;
    this.random = new SplittableRandom(seed);
  }

  /// A leaf of normal elements.
  Value leaf(long... dims) {
    return leaf(real, dims);
  }

  Value leaf(DType dtype, long... dims) {
    return leaf(dtype, () -> dtype.isFloating() ? random.nextGaussian() : random.nextInt(3), dims);
  }

  /// A leaf of elements from 0.5 to 1.5.
  Value positive(long... dims) {
    return leaf(real, () -> 0.5 + random.nextDouble(), dims);
  }

  private Value leaf(DType dtype, DoubleSupplier elements, long... dims) {
    Value leaf = graph.leaf("leaf" + leaves.size(), new TensorType(dtype, Shape.of(dims)));
    DoubleStream stream = DoubleStream.generate(elements).limit(leaf.shape().count());
    leaves.put(leaf, dtype == DType.F32 ? stream.map(x -> (float) x).toArray() : stream.toArray());
    return leaf;
  }

  Value conv(Tensor x, long channels, int size, int stride) {
    Value w = leaf(channels, size, size, x.shape().dim(3));
    return (Value) x.conv2d(w, stride, size / 2);
  }

  /// All outputs: y, mean, inverse standard deviation, new running mean, new running variance.
  List<Value> batchNorm(Tensor x) {
    long channels = x.shape().dim(-1);
    return graph.apply(
        new BatchNormTraining(0.1, 1e-5, false, Activation.NONE),
        List.of(x, leaf(channels), leaf(channels), leaf(channels), positive(channels)));
  }

  Value norm(Tensor x) {
    return batchNorm(x).getFirst();
  }

  Value inference(Tensor x) {
    long channels = x.shape().dim(-1);
    return graph
        .apply(
            new BatchNormInference(1e-5, false, Activation.NONE),
            List.of(x, leaf(channels), leaf(channels), leaf(channels), positive(channels)))
        .getFirst();
  }

  Value gate(Value a, Value b) {
    return graph.apply(new BinaryOp(Binary.GATE), List.of(a, b)).getFirst();
  }

  /// A residual net of two stages, and its loss.
  Value residualLoss() {
    Tensor x = norm(conv(leaf(4, 8, 8, 3), 4, 3, 1)).relu();
    for (int stage = 0; stage < 2; stage++) {
      for (int block = 0; block < 2; block++) {
        int stride = stage > 0 && block == 0 ? 2 : 1;
        long channels = 4L << stage;
        Tensor y = norm(conv(x, channels, 3, stride)).relu();
        y = norm(conv(y, channels, 3, 1));
        Tensor shortcut =
            stride == 1 && x.shape().dim(3) == channels ? x : x.subsamplePad(stride, channels);
        x = y.plus(shortcut).relu();
      }
    }
    Tensor logits = x.globalAveragePool().dense(leaf(3, x.shape().dim(3)), leaf(3));
    return (Value) logits.softmaxCrossEntropy(leaf(DType.I32, 4));
  }

  /// Some values of a net that grows at random, of all kinds of ops, with results that are leaves,
  /// aliases and duplicates.
  List<Value> randomResults(int nodes) {
    List<Tensor> values = new ArrayList<>(List.of(leaf(2, 4, 4, 3), leaf(2, 4, 4, 3)));
    for (int i = 0; i < nodes; i++) {
      Tensor x = values.get(random.nextInt(values.size()));
      Tensor y = values.get(random.nextInt(values.size()));
      values.add(
          switch (random.nextInt(14)) {
            case 0 -> x.relu();
            case 1 -> x.tanh();
            case 2 -> x.times(0.5).plus(1);
            case 3 -> x.plus(y);
            case 4 -> x.times(y);
            case 5 -> norm(x);
            case 6 -> norm(x).relu();
            case 7 -> norm(x).plus(y).relu();
            case 8 -> conv(x, 3, 3, 1).plus(leaf(3));
            case 9 -> conv(x, 3, 1, 1).plus(leaf(3)).relu();
            case 10 -> x.reshape(2, 48).reshape(2, 4, 4, 3);
            case 11 -> x.permute(0, 2, 1, 3);
            case 12 -> x.minus(x.mean(1, 2).reshape(2, 1, 1, 3));
            default -> x.reshape(32, 3).matmul(leaf(3, 3)).plus(leaf(3)).reshape(2, 4, 4, 3);
          });
    }
    List<Value> results = new ArrayList<>();
    Tensor last = values.getLast();
    Value loss = (Value) last.tanh().sum();
    results.add(loss);
    results.addAll(Gradients.of(loss, List.copyOf(leaves.keySet())));
    results.add((Value) last);
    results.add((Value) last.reshape(96));
    results.add((Value) last);
    results.add((Value) values.get(0));
    results.add((Value) values.get(1).reshape(6, 16));
    for (int i = 0; i < 3; i++) {
      results.add((Value) values.get(random.nextInt(values.size())));
    }
    return results;
  }
}
