package dev.gatun.spec;

import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// The attributes of an op in few words, for ids: `stride=2,channels=16`. False, NONE, AUTO and
/// what the name says are left out.
final class Attributes {
  private Attributes() {}

  static String describe(Op op) {
    List<String> parts = new ArrayList<>();
    collect((Record) op, op.name(), parts);
    return String.join(",", parts);
  }

  private static void collect(Record attributes, String name, List<String> parts) {
    for (RecordComponent component : attributes.getClass().getRecordComponents()) {
      Object value = value(attributes, component);
      switch (value) {
        case Window window -> parts.add(describe(window));
        case Boolean flag -> {
          if (flag) {
            parts.add(component.getName());
          }
        }
        case Enum<?> constant -> {
          if (!Set.of("NONE", "AUTO", name.toUpperCase(Locale.ROOT)).contains(constant.name())) {
            parts.add(component.getName() + "=" + constant);
          }
        }
        case Record nested -> collect(nested, name, parts);
        default -> parts.add(component.getName() + "=" + value.toString().replace(" ", ""));
      }
    }
  }

  /// Such as `3x3/2x2+1x1`: size, stride, padding, and dilation and groups where there are such.
  private static String describe(Window window) {
    String plain =
        "%dx%d/%dx%d+%s"
            .formatted(
                window.height(),
                window.width(),
                window.strideHeight(),
                window.strideWidth(),
                window.padding());
    String dilation =
        window.isDilated()
            ? ",dilation=%dx%d".formatted(window.dilationHeight(), window.dilationWidth())
            : "";
    return plain + dilation + (window.groups() > 1 ? ",groups=" + window.groups() : "");
  }

  private static Object value(Record attributes, RecordComponent component) {
    try {
      return component.getAccessor().invoke(attributes);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }
}
