package dev.gatun;

import org.jspecify.annotations.Nullable;

/// What a [Layer] sees of the network while it is traced.
public interface LayerContext {
  /// What the network is traced for.
  Mode mode();

  /// How convolutions are computed that leave the choice to the network.
  ConvAlgorithm convAlgorithm();

  /// The trained parameter `name` of the current layer, with these extents. It is made when it is
  /// first asked for.
  Tensor parameter(String name, Initializer initializer, long... dims);

  /// The state `name` of the current layer: saved with the model, changed by [#update], not
  /// trained.
  Tensor state(String name, double initialValue, long... dims);

  /// What the step before left as the state `name` of the current layer, such as the end of the
  /// sequences that go on in this step; zeros at first. [#update] says what this step leaves. It
  /// belongs to the step that is compiled and not to the model, so its extents may have the batch
  /// in them. Null where steps have nothing to do with one another.
  @Nullable Tensor carried(String name, long... dims);

  /// Stores `value` as the new content of `state` when the step ends.
  void update(Tensor state, Tensor value);

  /// `x` with elements dropped by inverted dropout: in training each is 0 with this probability and
  /// the rest is divided by what stays, so that the expectation is `x`; in inference it is `x`
  /// itself. Another mask at every step, and for every call of this method.
  ///
  /// @param x activations, or weights
  /// @param dropProbability in [0, 1)
  /// @param sharedAxes axes along which elements are dropped together; negative ones count from the
  ///   last
  /// @throws ShapeException if `x` has no such axis
  Tensor dropout(Tensor x, double dropProbability, int... sharedAxes);

  /// What [#dropout] multiplies by, as a tensor of these extents: 0 where an element is dropped, 1
  /// / (1 - dropProbability) elsewhere; all ones in inference. For masks that many elements share.
  Tensor dropoutMask(double dropProbability, long... dims);

  /// Uniform random numbers in [0, 1), multiples of 2^-24, in [DType#F32]: others at every step,
  /// and for every call of this method. In inference all are ½.
  Tensor uniform(long... dims);

  /// Applies `layer` as a part called `name` of the current one; its parameters are called
  /// `name.…`.
  Tensor apply(String name, Layer layer, Tensor x);
}
