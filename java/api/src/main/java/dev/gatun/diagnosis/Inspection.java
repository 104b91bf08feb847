package dev.gatun.diagnosis;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A batch laid open: what every layer of a model gives for it, and what comes back.
///
/// @param examples in the batch
/// @param loss its mean loss
/// @param accuracy the share of right answers
/// @param equalLoss the loss if all outputs were 0: that of who knows nothing
/// @param layers in the order in which signals pass them; the last gives the outputs
/// @param gates of the recurrent layers that have some, in the same order
/// @param parameters in the order of the network
public record Inspection(
    int examples,
    double loss,
    double accuracy,
    double equalLoss,
    List<LayerReading> layers,
    List<GateReading> gates,
    List<ParameterReading> parameters) {
  private static final int MOST_COLUMNS = 16; // of a picture of all steps

  /// Copies the lists.
  public Inspection {
    layers = List.copyOf(layers);
    gates = List.copyOf(gates);
    parameters = List.copyOf(parameters);
  }

  /// The layers that signals go through one after the other and that learn: those with a
  /// [LayerReading#depth], the least deep first.
  public List<LayerReading> depth() {
    return layers.stream().filter(layer -> layer.depth() > 0).toList();
  }

  /// The layer of this path.
  public Optional<LayerReading> layer(String path) {
    return layers.stream().filter(layer -> layer.path().equals(path)).findFirst();
  }

  /// The parameter of this name.
  public Optional<ParameterReading> parameter(String name) {
    return parameters.stream().filter(parameter -> parameter.name().equals(name)).findFirst();
  }

  /// Whether loss, outputs, gradients and parameters are all finite.
  public boolean isFinite() {
    return Double.isFinite(loss)
        && layers.stream().allMatch(l -> l.output().isFinite() && !Double.isNaN(l.gradientNorm()))
        && parameters.stream().allMatch(parameter -> parameter.notFinite() == 0);
  }

  /// A table of the layers, one of the gates if there are any, and one of the parameters.
  public String report() {
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of("layer", "mean", "deviation", "zeros", "dead", "saturated", "gradient", "values"));
    for (LayerReading layer : layers) {
      Spread output = layer.output();
      rows.add(
          List.of(
              layer.path(),
              Words.number(output.mean()),
              Words.number(output.deviation()),
              Words.percent(output.zeros()),
              Words.percent(layer.deadUnits()),
              Double.isNaN(layer.saturated()) ? "" : Words.percent(layer.saturated()),
              Words.number(layer.gradientNorm()),
              "|" + output.histogram().bars() + "|"));
    }
    List<List<String>> weights = new ArrayList<>();
    weights.add(List.of("parameter", "norm", "gradient", "update/norm"));
    for (ParameterReading parameter : parameters) {
      weights.add(
          List.of(
              parameter.name(),
              Words.number(parameter.norm()),
              Words.number(parameter.gradientNorm()),
              Double.isNaN(parameter.updateRatio()) ? "" : Words.number(parameter.updateRatio())));
    }
    return Words.table(rows) + "\n" + gateTable() + Words.table(weights);
  }

  private String gateTable() {
    if (gates.isEmpty()) {
      return "";
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("gate", "below 0.1", "always", "by step", "above 0.9", "always", "by step"));
    for (GateReading gate : gates) {
      rows.add(
          List.of(
              gate.path() + " " + gate.gate(),
              Words.percent(gate.left()),
              Words.percent(gate.shutUnits()),
              bars(gate.leftByStep()),
              Words.percent(gate.right()),
              Words.percent(gate.openUnits()),
              bars(gate.rightByStep())));
    }
    return Words.table(rows) + "\n";
  }

  /// A column for each step, or for some of them together, full for a share of 1.
  private static String bars(List<Double> shares) {
    int columns = Math.min(MOST_COLUMNS, shares.size());
    StringBuilder bars = new StringBuilder("|");
    for (int k = 0; k < columns; k++) {
      List<Double> some =
          shares.subList(k * shares.size() / columns, (k + 1) * shares.size() / columns);
      double share = some.stream().mapToDouble(Double::doubleValue).average().orElse(0);
      bars.append(Histogram.bar(share));
    }
    return bars.append("|").toString();
  }

  @Override
  public String toString() {
    return "loss %s on %d examples, %d layers"
        .formatted(Words.number(loss), examples, layers.size());
  }
}
