package dev.gatun;

import java.util.List;
import java.util.regex.Pattern;

/// Some of the parameters of a network; see [ParameterGroups].
@FunctionalInterface
public interface ParameterSelector {
  /// Whether the parameter of this name and shape is selected.
  boolean selects(String name, Shape shape);

  /// All parameters.
  static ParameterSelector all() {
    return (name, shape) -> true;
  }

  /// Parameters with one axis or none: biases, and the scales and offsets of normalisation.
  static ParameterSelector vectors() {
    return (name, shape) -> shape.rank() < 2;
  }

  /// Parameters with two axes or more: the weights of dense layers, convolutions and embeddings.
  static ParameterSelector matrices() {
    return vectors().not();
  }

  /// The parameters of a layer and of all layers in it: `under("stage1")`.
  ///
  /// Where it is used, a path that no parameter has is an [IllegalArgumentException].
  static ParameterSelector under(String path) {
    return new Selectors.Under(path);
  }

  /// Parameters whose whole name matches a regular expression: `matching(".*\\.bias")`.
  ///
  /// Where it is used, an expression that no name matches is an [IllegalArgumentException].
  static ParameterSelector matching(String regex) {
    return new Selectors.Matching(Pattern.compile(regex));
  }

  /// What this selects and `other` selects too.
  default ParameterSelector and(ParameterSelector other) {
    return new Selectors.Made(
        List.of(this, other), (name, shape) -> selects(name, shape) && other.selects(name, shape));
  }

  /// What this or `other` selects.
  default ParameterSelector or(ParameterSelector other) {
    return new Selectors.Made(
        List.of(this, other), (name, shape) -> selects(name, shape) || other.selects(name, shape));
  }

  /// What this does not select.
  default ParameterSelector not() {
    return new Selectors.Made(List.of(this), (name, shape) -> !selects(name, shape));
  }
}
