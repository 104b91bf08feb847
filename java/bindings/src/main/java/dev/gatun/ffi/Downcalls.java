package dev.gatun.ffi;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/// Counts the calls into the native library, for tests and for diagnosis. Nothing is counted, and
/// nothing is paid, unless the JVM is started with `-Dgatun.downcalls=count`.
/// `-Djextract.trace.downcalls=true` prints each call on standard error.
public final class Downcalls {
  static final boolean COUNTING = "count".equals(System.getProperty("gatun.downcalls"));
  static final boolean PRINTING = Boolean.getBoolean("jextract.trace.downcalls");

  private static final ConcurrentHashMap<String, LongAdder> COUNTS = new ConcurrentHashMap<>();

  private Downcalls() {}

  /// Whether this JVM counts downcalls.
  public static boolean isCounting() {
    return COUNTING;
  }

  /// How often each function has been called, by its name in the header.
  ///
  /// @throws IllegalStateException if this JVM does not count
  public static Map<String, Long> counts() {
    if (!COUNTING) {
      throw new IllegalStateException(
          "downcalls are not counted; start Java with -Dgatun.downcalls=count");
    }
    Map<String, Long> counts = new TreeMap<>();
    COUNTS.forEach((function, count) -> counts.put(function, count.sum()));
    return counts;
  }

  /// How many calls have been made, of all functions.
  ///
  /// @throws IllegalStateException if this JVM does not count
  public static long total() {
    return counts().values().stream().mapToLong(Long::longValue).sum();
  }

  static void record(String function, Object[] arguments) {
    if (COUNTING) {
      COUNTS.computeIfAbsent(function, name -> new LongAdder()).increment();
    }
    if (PRINTING) {
      String list = Arrays.toString(arguments);
      System.err.println(function + "(" + list.substring(1, list.length() - 1) + ")");
    }
  }
}
