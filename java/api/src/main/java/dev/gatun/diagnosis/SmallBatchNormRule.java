package dev.gatun.diagnosis;

import java.util.List;
import java.util.Optional;

/// Batch norms that estimate a channel's mean and variance from few numbers.
final class SmallBatchNormRule implements Rule {
  private static final int LEAST = 16;

  @Override
  public List<Finding> apply(Examination examination) {
    Inspection seen = examination.initial() != null ? examination.initial() : examination.present();
    if (seen == null) {
      return List.of();
    }
    DataReading data = examination.data();
    int batch = data == null ? seen.examples() : data.examples();
    Optional<LayerReading> least =
        seen.layers().stream()
            .filter(layer -> layer.kind() == LayerReading.Kind.BATCH_NORM)
            .min((a, b) -> Long.compare(a.rows(), b.rows()));
    long values = least.map(layer -> layer.rows() / seen.examples() * batch).orElse(0L);
    if (least.isEmpty() || values >= LEAST) {
      return List.of();
    }
    return List.of(
        Finding.warning(
            "small batches for batch norm",
            least.get().path(),
            "each channel's mean and variance are those of %d numbers".formatted(values),
            "they are so noisy that training suffers, and unlike the running estimates that"
                + " inference takes",
            "larger batches, layerNorm or groupNorm, or new BatchNorm().freeze() with trained"
                + " estimates"));
  }
}
