package dev.gatun.diagnosis;

import java.util.List;
import java.util.Optional;

/// Numbers that are infinite or NaN, and where they came from.
final class NotFiniteRule implements Rule {
  @Override
  public List<Finding> apply(Examination examination) {
    Origin origin = examination.origin();
    if (origin != null) {
      return List.of(
          Finding.severe(
              "not finite",
              origin.path(),
              "first infinity or NaN in "
                  + origin
                  + ", at learning rate "
                  + Words.number(origin.rate()),
              meaning(origin),
              advice(origin)));
    }
    Inspection present = examination.present();
    Optional<String> where = present == null ? Optional.empty() : first(present);
    return where
        .map(
            path ->
                List.of(
                    Finding.severe(
                        "not finite",
                        path,
                        "the present model has infinities or NaN there",
                        "training has ruined it",
                        "begin anew, or from a checkpoint, and examine the trainer for the step"
                            + " and layer where it begins")))
        .orElse(List.of());
  }

  private static Optional<String> first(Inspection present) {
    return present.parameters().stream()
        .filter(parameter -> parameter.notFinite() > 0)
        .map(ParameterReading::name)
        .findFirst()
        .or(
            () ->
                present.layers().stream()
                    .filter(layer -> !layer.output().isFinite())
                    .map(LayerReading::path)
                    .findFirst());
  }

  private static String meaning(Origin origin) {
    return switch (origin.part()) {
      case INPUTS -> "the data brings it in";
      case OUTPUT ->
          origin.step() == 1
              ? "the layer makes it of finite inputs before anything was learned"
              : "weights grew, or the layer divides, takes a root or a logarithm where it may not";
      case LOSS -> "the loss takes a logarithm or divides where it may not, or is too large";
      case GRADIENT -> "the slope there is infinite, as that of a root at 0, or too large";
      case UPDATE -> "the step was too large";
    };
  }

  private static String advice(Origin origin) {
    return switch (origin.part()) {
      case INPUTS -> "find it in the data";
      case OUTPUT, LOSS, GRADIENT ->
          origin.step() == 1
              ? "an epsilon in the layer's or loss's root, logarithm or division; smaller initial"
                  + " weights"
              : "a lower rate, a warm-up, clipNorm(1); an epsilon in roots and divisions";
      case UPDATE -> "a lower rate, a warm-up, or clipNorm(1)";
    };
  }
}
