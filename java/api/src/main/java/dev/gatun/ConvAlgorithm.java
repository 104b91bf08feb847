package dev.gatun;

/// How a convolution and its gradients are computed.
public enum ConvAlgorithm {
  /// As is fastest for the shape.
  AUTO,
  /// By the sum of products that defines it.
  DIRECT
}
