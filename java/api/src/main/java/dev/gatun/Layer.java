package dev.gatun;

/// A part of a network: a function of a tensor and of parameters that it asks its context for. The
/// built-in layers are records in [Layers]; your own is a lambda:
///
/// ```java
/// net.layer("swish", (context, x) -> x.times(x.sigmoid()))
/// ```
@FunctionalInterface
public interface Layer {
  /// Applies the layer to a batch `x [N, ...]`.
  ///
  /// @throws ShapeException if `x` does not fit
  Tensor apply(LayerContext context, Tensor x);
}
