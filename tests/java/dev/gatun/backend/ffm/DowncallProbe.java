package dev.gatun.backend.ffm;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.ffi.Downcalls;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;

/// Calls every instruction once, with operands that most of them refuse, and prints which native
/// functions were called: `method function...`. Then the same for `run`.
final class DowncallProbe {
  private DowncallProbe() {}

  public static void main(String[] arguments) throws Exception {
    try (FfmBackend backend = FfmBackend.cpu(1);
        Memory memory = backend.allocate(64, Memory.Kind.DEVICE);
        View view = memory.view(0, DType.F32, Shape.of(1));
        Program program = backend.record(b -> b.fill(view, 1))) {
      for (Method method : Backend.class.getMethods()) {
        if (!method.isDefault()
            && method.getParameterCount() > 0
            && method.getParameterTypes()[0] == View.class) {
          Map<String, Long> before = Downcalls.counts();
          try {
            method.invoke(backend, operands(method, view));
          } catch (InvocationTargetException refused) {
            if (!(refused.getCause() instanceof IllegalArgumentException)) {
              throw refused;
            }
          }
          print(method.getName(), before);
        }
      }
      Map<String, Long> before = Downcalls.counts();
      program.run();
      print("run", before);
    }
  }

  private static Object[] operands(Method method, View view) {
    Class<?>[] types = method.getParameterTypes();
    Object[] operands = new Object[types.length];
    for (int i = 0; i < types.length; i++) {
      Class<?> type = types[i];
      if (type == View.class) {
        operands[i] = view;
      } else if (type == int[].class) {
        operands[i] = new int[] {0};
      } else if (type == int.class) {
        operands[i] = 1;
      } else if (type == long.class) {
        operands[i] = 1L;
      } else if (type == double.class) {
        operands[i] = 0.5;
      } else if (type == boolean.class) {
        operands[i] = false;
      } else if (type == Window.class) {
        operands[i] = Window.square(1, 1, 0);
      } else if (type == Backend.Sgd.class) {
        operands[i] = new Backend.Sgd(0, 0, 0, false);
      } else if (type == Backend.Adam.class) {
        operands[i] = new Backend.Adam(0, 0, 1, 0, false);
      } else if (type == Backend.Adaptive.class) {
        operands[i] = new Backend.Adaptive(Backend.AdaptiveRule.LION, 0, 0, 1, 0, false);
      } else if (type == PictureChange.class) {
        operands[i] = PictureChange.NONE;
      } else if (type == List.class) {
        operands[i] = List.of();
      } else if (type.isEnum()) {
        operands[i] = type.getEnumConstants()[0];
      } else {
        throw new AssertionError("no operand for " + type);
      }
    }
    return operands;
  }

  private static void print(String method, Map<String, Long> before) {
    StringBuilder line = new StringBuilder(method);
    Downcalls.counts()
        .forEach(
            (function, count) -> {
              for (long i = before.getOrDefault(function, 0L); i < count; i++) {
                line.append(' ').append(function);
              }
            });
    System.out.println(line);
  }
}
