package dev.gatun.data;

import java.util.LinkedHashMap;
import java.util.Map;

/// A change of inputs that was fitted on a training set, and is the same in training, in tests and
/// in use; a model is saved with its own.
///
/// | what lectures use | here |
/// |---|---|
/// | per-channel mean and deviation (ResNet) | [Standardizer#fit] |
/// | per-channel mean (VGG) | [Standardizer#center] |
/// | mean image (AlexNet) | [FeatureScaler#center] |
/// | zero mean, unit deviation for each feature | [FeatureScaler#standardize] |
/// | to the interval [0, 1] | [FeatureScaler#minMax] |
/// | by median and quartiles | [FeatureScaler#robust] |
/// | decorrelated; fewer components | [Projection#pca] |
/// | whitened | [Projection#whitening], [Projection#zca] |
///
/// For pictures, centring is usual and whitening is not. Deviations and covariances are divided by
/// N, as the lectures and scikit-learn's scalers do it (scikit-learn's PCA divides by N - 1).
/// Implementations are immutable.
public sealed interface Preprocessing permits Standardizer, FeatureScaler, Projection {
  /// The shape that an input of shape `input` becomes.
  ///
  /// @throws IllegalArgumentException when this was fitted on inputs of another size
  ImageShape output(ImageShape input);

  /// Writes what becomes of the whole of `image`, bytes that stand for 0 to 1, to `target[offset
  /// ..]`.
  ///
  /// @throws IllegalArgumentException when this was fitted on inputs of another size
  /// @throws IndexOutOfBoundsException when the target is too short
  void apply(byte[] image, float[] target, int offset);

  /// What becomes of inputs one after the other, in a new array.
  ///
  /// @throws IllegalArgumentException when the elements are not a number of whole inputs
  float[] apply(float[] inputs);

  /// What this is called in a file; see [#of(String, Map)].
  String kind();

  /// The numbers that it consists of, by name; for a file.
  Map<String, double[]> values();

  /// A transformation from its [#kind] and [#values].
  ///
  /// @throws IllegalArgumentException when there is no such kind, or values are missing or do not
  ///   fit each other; the message names them
  static Preprocessing of(String kind, Map<String, double[]> values) {
    Map<String, double[]> rest = new LinkedHashMap<>(values);
    Preprocessing made =
        switch (kind) {
          case Standardizer.KIND -> Standardizer.of(taken(rest, "mean"), taken(rest, "deviation"));
          case FeatureScaler.KIND ->
              FeatureScaler.of(taken(rest, "offset"), taken(rest, "divisor"));
          case "pca", "whitening", "zca" ->
              new Projection(
                  Projection.Kind.valueOf(kind.toUpperCase(java.util.Locale.ROOT)),
                  taken(rest, "mean"),
                  taken(rest, "eigenvalues"),
                  taken(rest, "components"),
                  taken(rest, "epsilon"));
          default ->
              throw new IllegalArgumentException(
                  "[preprocessing] standardizer, scaler, pca, whitening or zca expected, found "
                      + kind);
        };
    if (!rest.isEmpty()) {
      throw new IllegalArgumentException(
          "[preprocessing] " + kind + " has no values called " + rest.keySet());
    }
    return made;
  }

  private static double[] taken(Map<String, double[]> values, String name) {
    double[] found = values.remove(name);
    if (found == null) {
      throw new IllegalArgumentException("[preprocessing] values called " + name + " are missing");
    }
    return found;
  }
}
