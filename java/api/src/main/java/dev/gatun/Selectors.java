package dev.gatun;

import java.util.List;
import java.util.Map;

/// The selectors that can be asked what they are made of, so that a mistyped path is found.
final class Selectors {
  private Selectors() {}

  /// A layer and all layers in it.
  record Under(String path) implements ParameterSelector {
    @Override
    public boolean selects(String name, Shape shape) {
      return name.equals(path) || name.startsWith(path + ".");
    }
  }

  /// What a rule makes of others.
  record Made(List<ParameterSelector> parts, ParameterSelector rule) implements ParameterSelector {
    @Override
    public boolean selects(String name, Shape shape) {
      return rule.selects(name, shape);
    }
  }

  /// Checks that each path in `selector` is that of a tensor.
  ///
  /// @param caller whom a message is from
  /// @throws IllegalArgumentException if one is not
  static void requireFound(String caller, ParameterSelector selector, Map<String, Shape> tensors) {
    switch (selector) {
      case Under under -> {
        if (tensors.entrySet().stream().noneMatch(e -> under.selects(e.getKey(), e.getValue()))) {
          throw new IllegalArgumentException(
              "[%s] expected the path of a parameter or of a layer with some, found under(\"%s\");"
                      .formatted(caller, under.path())
                  + " there are "
                  + tensors.keySet());
        }
      }
      case Made made -> made.parts().forEach(part -> requireFound(caller, part, tensors));
      default -> {} // somebody's own
    }
  }
}
