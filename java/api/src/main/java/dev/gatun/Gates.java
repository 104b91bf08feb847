package dev.gatun;

import dev.gatun.diagnosis.GateReading;
import dev.gatun.diagnosis.GateReading.Gate;
import dev.gatun.graph.Node;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Recurrent;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Where the gates of a recurrent layer are to be seen: among what its instruction saves for the
/// gradient, so that nothing has to be computed for it.
///
/// @param path of the layer
/// @param cell what a step computes
/// @param directions cells side by side, D
/// @param saves how many values of a unit and step are saved, S
/// @param saved what is saved, `[T,N,D·S·units]`
/// @param mask which steps count, `[T,N]`; null for all
record Gates(String path, Cell cell, int directions, int saves, Value saved, @Nullable Value mask) {
  /// Of a node that is a recurrent layer with gates, else null.
  static @Nullable Gates of(Node node) {
    if (!(node.op() instanceof Recurrent op) || !op.saving() || places(op.cell()).isEmpty()) {
      return null;
    }
    int masks = node.inputs().size() - (op.kept() ? 2 : 1);
    return new Gates(
        node.path(),
        op.cell(),
        op.direction().count(),
        op.saved(),
        node.outputs().getLast(),
        op.masked() ? node.inputs().get(masks) : null);
  }

  /// What there is to see in the saved values and the mask, which are copied from the device.
  List<GateReading> read(float[] values, float @Nullable [] counts) {
    int steps = Math.toIntExact(saved.shape().dim(0));
    int rows = Math.toIntExact(saved.shape().dim(1)) * directions; // of a step
    int units = Math.toIntExact(saved.shape().dim(2)) / directions / saves;
    List<GateReading> readings = new ArrayList<>();
    places(cell)
        .forEach(
            (gate, place) -> {
              float[] of = new float[steps * rows * units];
              for (int row = 0; row < steps * rows; row++) {
                boolean padding = counts != null && counts[row / directions] == 0;
                for (int i = 0; i < units; i++) {
                  of[row * units + i] =
                      padding ? Float.NaN : values[(row * saves + place) * units + i];
                }
              }
              readings.add(GateReading.of(path, gate, steps, directions * units, of));
            });
    return readings;
  }

  /// The places of sigmoids among the values that a cell saves, in their order.
  private static Map<Gate, Integer> places(Cell cell) {
    Map<Gate, Integer> places = new EnumMap<>(Gate.class);
    switch (cell) {
      case TANH, RELU, SIGMOID -> {}
      case UGRNN -> places.put(Gate.UPDATE, 1);
      case GRU, GRU_RESET_BEFORE -> {
        places.put(Gate.RESET, 0);
        places.put(Gate.UPDATE, 1);
      }
      case LSTM -> {
        places.put(Gate.INPUT, 0);
        places.put(Gate.FORGET, 1);
        places.put(Gate.OUTPUT, 3);
      }
      case INTERSECTION -> {
        places.put(Gate.SKIP, 2);
        places.put(Gate.UPDATE, 3);
      }
    }
    return places;
  }
}
