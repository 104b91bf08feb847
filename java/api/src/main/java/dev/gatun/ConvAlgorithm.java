package dev.gatun;

/// How a convolution and its gradients are computed.
public enum ConvAlgorithm {
  /// As is fastest for the shape: [#WINOGRAD] where it can be and pays, [#DIRECT] elsewhere and in
  /// F64.
  AUTO,
  /// By the sum of products that defines it.
  DIRECT,
  /// By minimal filtering of 4x4 tiles, F(4x4, 3x3) (Lavin and Gray 2015, "Fast Algorithms for
  /// Convolutional Neural Networks"): a quarter of the multiplications, and two to three times as
  /// fast from 16 channels on. For F32 and 3x3 windows at stride 1 only.
  ///
  /// Rounding errors are some seven times those of [#DIRECT]. Measured on normal inputs and Kaiming
  /// weights, the greatest error over the result's root mean square is about 2e-5 forward and 3e-5
  /// in the data gradient with 16 channels and grows with the square root of their number, to 6e-5
  /// and 1e-4 with 512; in the weight gradient it is below 4e-5. The typical error is 1e-6 to 4e-6.
  WINOGRAD
}
