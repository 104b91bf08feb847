package dev.gatun;

/// In which type a training step stores activations, their gradients and the weights as products
/// read them, and in which type it multiplies. Parameters, their gradients, the optimizer's state,
/// statistics and parameters of normalisation, softmax, reductions and the loss are F32 in any.
public enum Precision {
  /// Everything in F32.
  F32,

  /// Everything in F32, but factors of matrix products and convolutions are rounded to TF32, 11
  /// significant bits, so that tensor cores multiply them; sums are F32. Steps of recurrent layers,
  /// convolutions of single channels and the optimizer stay F32. For GPUs: other devices multiply
  /// in F32, as if this were [#F32].
  TF32,

  /// In BF16, which is half the memory and, on processors with BF16 dot products, up to twice the
  /// speed. Sums are F32, and each result is rounded once, to 8 bits of precision. The range is
  /// that of F32, so losses need no scaling.
  BF16
}
