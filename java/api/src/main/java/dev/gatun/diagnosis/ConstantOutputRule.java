package dev.gatun.diagnosis;

import java.util.List;

/// Outputs of a model with some training that are the same whatever the input is.
final class ConstantOutputRule implements Rule {
  private static final double LEAST = 1e-4;

  @Override
  public List<Finding> apply(Examination examination) {
    Inspection trained = examination.trained().orElse(null);
    DataReading data = examination.data();
    if (trained == null
        || trained.layers().isEmpty()
        || trained.examples() < 2
        || (data != null && data.alike())) {
      return List.of();
    }
    LayerReading last = trained.layers().getLast();
    double size = Math.hypot(last.output().mean(), last.output().deviation());
    if (last.variation() > LEAST * size) {
      return List.of();
    }
    return List.of(
        Finding.severe(
            "constant outputs",
            last.path(),
            "outputs differ by %s between examples and are about %s"
                .formatted(Words.number(last.variation()), Words.number(size)),
            "the network gives the same answer whatever the input is",
            "see the other findings: dead or saturated units, signals that die out; else look where"
                + " the input is lost"));
  }
}
