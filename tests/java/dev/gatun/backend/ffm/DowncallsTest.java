package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.gatun.ffi.Downcalls;
import dev.gatun.ffi.gatun_h;
import dev.gatun.ffi.probe.ChildJvm;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/// Every instruction of the header is one method of the backend, and the other way round, and each
/// is one downcall.
class DowncallsTest {
  private static final Set<String> NOUNS =
      Set.of("abi", "last", "cuda", "device", "simd", "buffer", "tensor", "stream", "program");

  @Test
  void everyInstruction_isOneDowncallOfItsName() throws Exception {
    String output =
        new ChildJvm().withLibrary().with("-Dgatun.downcalls=count").run(DowncallProbe.class);
    Set<String> called = new TreeSet<>();
    for (String line : output.lines().toList()) {
      List<String> words = new ArrayList<>(List.of(line.split(" ", -1)));
      String method = words.removeFirst();
      words.remove("gt_last_error_message");
      String expected = method.equals("run") ? "gt_program_run" : "gt_" + snakeCase(method);
      assertEquals(List.of(expected), words, method);
      called.add(expected);
    }
    Set<String> instructions = new TreeSet<>();
    for (Method method : gatun_h.class.getDeclaredMethods()) {
      String name = method.getName();
      if (name.endsWith("$address") && !NOUNS.contains(name.split("[_$]", -1)[1])) {
        instructions.add(name.replace("$address", ""));
      }
    }
    assertFalse(instructions.isEmpty());
    instructions.add("gt_program_run");
    assertEquals(instructions, called);
  }

  @Test
  void counts_withoutTheProperty_areRefusedWithTheFlag() {
    assumeFalse(Downcalls.isCounting());
    assertEquals(
        "downcalls are not counted; start Java with -Dgatun.downcalls=count",
        assertThrows(IllegalStateException.class, Downcalls::counts).getMessage());
  }

  private static String snakeCase(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }
}
