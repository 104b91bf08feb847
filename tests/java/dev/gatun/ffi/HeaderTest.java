package dev.gatun.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.gatun.Repository;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// The generated bindings are those of the header as it is now.
class HeaderTest {
  private static final Path HEADER = Repository.file("native/include/gatun.h");

  @Test
  void bindings_areGeneratedFromThisHeader() throws Exception {
    String recorded =
        Files.readString(Repository.file("java/bindings/src/generated/header.sha256")).strip();
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    assertEquals(
        HexFormat.of().formatHex(digest.digest(Files.readAllBytes(HEADER))),
        recorded,
        "gatun.h has changed since the bindings were generated; run tools/bindings");
  }

  @Test
  void everyFunctionOfTheHeader_hasABindingAndTheOtherWayRound() throws Exception {
    Set<String> declared = new TreeSet<>();
    Matcher functions = Pattern.compile("\\b(gt_[a-z0-9_]+)\\(").matcher(header());
    while (functions.find()) {
      declared.add(functions.group(1));
    }
    Set<String> bound = new TreeSet<>();
    for (Method method : gatun_h.class.getDeclaredMethods()) {
      if (method.getName().endsWith("$address")) {
        bound.add(method.getName().replace("$address", ""));
      }
    }
    assertFalse(declared.isEmpty());
    assertEquals(declared, bound);
  }

  @Test
  void everyConstantOfTheHeader_hasItsValueInJava() throws Exception {
    Map<String, Integer> declared = new TreeMap<>();
    Matcher constants =
        Pattern.compile("^#define (GT_[A-Z0-9_]+) (\\d+)$", Pattern.MULTILINE).matcher(header());
    while (constants.find()) {
      declared.put(constants.group(1), Integer.valueOf(constants.group(2)));
    }
    Map<String, Integer> bound = new TreeMap<>();
    for (Method method : gatun_h.class.getDeclaredMethods()) {
      if (method.getName().startsWith("GT_")) {
        bound.put(method.getName(), (Integer) method.invoke(null));
      }
    }
    assertFalse(declared.isEmpty());
    assertEquals(declared, bound);
  }

  /// The header without its comments.
  private static String header() throws Exception {
    return Files.readString(HEADER).replaceAll("(?s)/\\*.*?\\*/", "").replaceAll("(?m)[ \t]+$", "");
  }
}
