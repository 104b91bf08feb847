package dev.gatun;

import dev.gatun.graph.Executable;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.MatMul;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Means and variances of what the layers with weights give for a fixed batch, by channel, as one
/// program that reads the present parameters.
final class LayerStatistics implements AutoCloseable {
  private final Holdings holdings = new Holdings("layer statistics");
  private final Map<String, Buffers> layers = new LinkedHashMap<>();
  private final Set<String> byColumns = new HashSet<>();
  private final Executable executable;

  private record Buffers(FloatBuffer means, FloatBuffer variances) {}

  /// Of a layer's outputs.
  ///
  /// @param means of each channel
  /// @param variances of each channel, divided by the count
  record Moments(double[] means, double[] variances) {
    /// The variance of all channels together.
    double variance() {
      double mean = 0;
      for (double of : means) {
        mean += of / means.length;
      }
      double variance = 0;
      for (int k = 0; k < means.length; k++) {
        double away = means[k] - mean;
        variance += (variances[k] + away * away) / means.length;
      }
      return variance;
    }
  }

  private record Measured(String layer, int means, int variances) {}

  LayerStatistics(Model model, float[] inputs) {
    model.net().requireInputs("dataInitializer", DType.F32);
    long each = model.net().inputShape().count();
    if (inputs.length % each != 0 || inputs.length < 2 * each) {
      throw new ShapeException(
          "[dataInitializer] expected at least two inputs %s (%d elements each), found %d elements"
              .formatted(model.net().inputShape(), each, inputs.length));
    }
    Graph graph = new Graph();
    Value x = graph.leaf("inputs", model.net().inputs(inputs.length / each));
    NetTrace trace = new NetTrace(graph, Mode.INFERENCE, 0);
    trace.run(model.net(), x);
    for (NetTrace.Parameter spec : trace.parameters()) {
      if (trace.nodes().stream().anyMatch(node -> readsByColumns(node, spec.leaf()))) {
        byColumns.add(spec.name());
      }
    }
    Staging staging = holdings.add(new Staging());
    int inputEntry = staging.place(x);
    int stepEntry = staging.place(trace.step());
    List<Measured> measured = new ArrayList<>();
    trace
        .outputs()
        .forEach(
            (layer, output) -> {
              long channels = output.shape().dim(-1);
              Tensor rows = output.reshape(output.shape().count() / channels, channels);
              Tensor mean = rows.mean(0);
              Tensor variance = rows.minus(mean).square().mean(0);
              measured.add(
                  new Measured(
                      layer,
                      staging.place(graph.value(mean)),
                      staging.place(graph.value(variance))));
            });
    try {
      staging.allocate(model.device().backend());
      List<Placement> leaves = new ArrayList<>(model.placements(trace));
      leaves.add(staging.placement(inputEntry));
      leaves.add(staging.placement(stepEntry));
      leaves.addAll(holdings.add(Constants.of(graph, model.device())).placements());
      List<Placement> results = new ArrayList<>();
      for (Measured of : measured) {
        results.add(staging.placement(of.means()));
        results.add(staging.placement(of.variances()));
      }
      executable =
          holdings.add(Executable.compile(model.device().backend(), graph, leaves, results));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
    staging.floats(inputEntry).put(0, inputs);
    for (Measured of : measured) {
      layers.put(
          of.layer(), new Buffers(staging.floats(of.means()), staging.floats(of.variances())));
    }
  }

  /// Whether the last axis of `weights` counts the outputs of `node`, not the first.
  private static boolean readsByColumns(Node node, Value weights) {
    boolean columns =
        switch (node.op()) {
          case Conv2d.BackwardData _ -> true; // a transposed convolution
          case MatMul product -> !product.transposeB();
          default -> false;
        };
    return columns && node.inputs().get(1) == weights;
  }

  /// Whether an output channel of `layer` has a column of its weights, not a row.
  boolean hasColumns(String layer) {
    return byColumns.contains(layer + ".weight");
  }

  /// The layers with weights, by path, in the order in which the network meets them.
  List<String> layers() {
    return List.copyOf(layers.keySet());
  }

  /// Runs the network, and tells what `layer` gives.
  Moments measure(String layer) {
    executable.run();
    Buffers buffers = layers.get(layer);
    if (buffers == null) {
      throw new IllegalArgumentException("there is no layer " + layer);
    }
    return new Moments(doubles(buffers.means()), doubles(buffers.variances()));
  }

  @Override
  public void close() {
    holdings.release();
  }

  private static double[] doubles(FloatBuffer buffer) {
    double[] elements = new double[buffer.capacity()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = buffer.get(i);
    }
    return elements;
  }
}
