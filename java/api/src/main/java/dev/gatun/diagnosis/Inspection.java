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
/// @param parameters in the order of the network
public record Inspection(
    int examples,
    double loss,
    double accuracy,
    double equalLoss,
    List<LayerReading> layers,
    List<ParameterReading> parameters) {
  /// Copies the lists.
  public Inspection {
    layers = List.copyOf(layers);
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

  /// A table of the layers, and one of the parameters.
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
    return Words.table(rows) + "\n" + Words.table(weights);
  }

  @Override
  public String toString() {
    return "loss %s on %d examples, %d layers"
        .formatted(Words.number(loss), examples, layers.size());
  }
}
