package dev.gatun;

/// How a learning rate that is right for one batch size is carried over to another. Rules of thumb,
/// so nothing applies them by itself: the literature calls the interplay of batch size and rate
/// unclear.
///
/// ```java
/// sgd(BatchScaling.LINEAR.rate(0.1, 256, 1024))   // 0.4
/// ```
public enum BatchScaling {
  /// N times the batch, N times the rate: for SGD (Goyal et al. 2017), with a warm-up.
  LINEAR,
  /// N times the batch, √N times the rate, which keeps the variance of the step: usual for adaptive
  /// optimizers (Krizhevsky 2014).
  SQUARE_ROOT;

  /// The rate for batches of `batch`, when `rate` is right for batches of `base`.
  ///
  /// @throws IllegalArgumentException if a batch size is below 1
  public double rate(double rate, int base, int batch) {
    if (base < 1 || batch < 1) {
      throw new IllegalArgumentException(
          "[batchScaling] expected batch sizes of at least 1, found " + base + " and " + batch);
    }
    double ratio = (double) batch / base;
    return rate * (this == LINEAR ? ratio : Math.sqrt(ratio));
  }
}
