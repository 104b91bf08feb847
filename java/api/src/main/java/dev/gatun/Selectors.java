package dev.gatun;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// The selectors that can be asked what they are made of, so that a mistyped name is found.
final class Selectors {
  private Selectors() {}

  /// A layer and all layers in it.
  record Under(String path) implements ParameterSelector {
    @Override
    public boolean selects(String name, Shape shape) {
      return name.equals(path) || name.startsWith(path + ".");
    }
  }

  /// Names that match.
  record Matching(Pattern pattern) implements ParameterSelector {
    @Override
    public boolean selects(String name, Shape shape) {
      return pattern.matcher(name).matches();
    }
  }

  /// What a rule makes of others.
  record Made(List<ParameterSelector> parts, ParameterSelector rule) implements ParameterSelector {
    @Override
    public boolean selects(String name, Shape shape) {
      return rule.selects(name, shape);
    }
  }

  /// Checks that each path and each expression in `selector` is that of a tensor.
  ///
  /// @param caller whom a message is from
  /// @throws IllegalArgumentException if one is not
  static void requireFound(String caller, ParameterSelector selector, Map<String, Shape> tensors) {
    switch (selector) {
      case Under(String path) ->
          requireSome(
              caller,
              selector,
              tensors,
              "the path of a parameter or of a layer with some, found under(\"" + path + "\")");
      case Matching(Pattern pattern) ->
          requireSome(
              caller,
              selector,
              tensors,
              "what the name of a parameter matches, found matching(\"" + pattern + "\")");
      case Made made -> made.parts().forEach(part -> requireFound(caller, part, tensors));
      default -> {} // somebody's own
    }
  }

  private static void requireSome(
      String caller, ParameterSelector selector, Map<String, Shape> tensors, String expected) {
    if (tensors.entrySet().stream().noneMatch(e -> selector.selects(e.getKey(), e.getValue()))) {
      throw new IllegalArgumentException(
          "[%s] expected %s; there are %s".formatted(caller, expected, tensors.keySet()));
    }
  }
}
