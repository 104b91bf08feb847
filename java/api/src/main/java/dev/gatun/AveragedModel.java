package dev.gatun;

import dev.gatun.data.Preprocessing;
import dev.gatun.graph.Executable;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Lerp;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/// A model that follows another one as an average, by one program over their slabs.
final class AveragedModel implements AutoCloseable {
  private final Holdings holdings = new Holdings("averaged model");
  private final Averaging averaging;
  private final Model model;
  private final FloatBuffer weight;
  private final Executable executable;
  private long count;

  AveragedModel(Averaging averaging, Model source, long seed) {
    this.averaging = averaging;
    try {
      model = holdings.add(Model.of(source.net(), source.device(), seed));
      Preprocessing known = source.preprocessing();
      if (known != null) {
        model.preprocessing(known);
      }
      Graph graph = new Graph();
      Value share = graph.leaf("weight", new TensorType(DType.F32, Shape.scalar()));
      Staging staging = holdings.add(new Staging());
      int entry = staging.place(share);
      staging.allocate(source.device().backend());
      weight = staging.floats(entry);
      List<Placement> leaves = new ArrayList<>(List.of(staging.placement(entry)));
      List<Placement> results = new ArrayList<>();
      follow(graph, model.parameters(), source.parameters(), share, leaves, results);
      follow(graph, model.states(), source.states(), share, leaves, results);
      executable =
          holdings.add(Executable.compile(source.device().backend(), graph, leaves, results));
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
  }

  /// Whether the moment has come.
  boolean isDue(Schedule.Moment moment) {
    return averaging.weight(moment, count) != 0;
  }

  /// Averages, if the moment has come.
  void follow(Schedule.Moment moment) {
    double share = averaging.weight(moment, count);
    if (share != 0) {
      weight.put(0, (float) share);
      executable.run();
      model.changed();
      count++;
    }
  }

  /// Averages so far.
  long count() {
    return count;
  }

  /// Goes on as if it had this many averages; their mean is written to the model.
  void restart(long averages) {
    count = averages;
  }

  /// Whether there is an average.
  boolean hasBegun() {
    return count > 0;
  }

  Model model() {
    return model;
  }

  @Override
  public void close() {
    model.close();
    holdings.release();
  }

  private static void follow(
      Graph graph,
      Slab average,
      Slab source,
      Value share,
      List<Placement> leaves,
      List<Placement> results) {
    if (average.flat().count() == 0) {
      return;
    }
    TensorType flat = new TensorType(DType.F32, average.flat());
    Value old = graph.leaf("average", flat);
    Value present = graph.leaf("present", flat);
    leaves.add(new Placement(old, average.slot()));
    leaves.add(new Placement(present, source.slot()));
    Tensor next = Tensor.apply(new Lerp(), old, present, share);
    results.add(new Placement(graph.value(next), average.slot()));
  }
}
