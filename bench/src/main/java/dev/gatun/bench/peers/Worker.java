package dev.gatun.bench.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The process around a side. It reads commands from its input and answers each with one line on
/// its output that starts with [#MARK]; libraries may print what they like between.
///
/// | command | answer |
/// |---|---|
/// | `prepare NAME` | `ready MILLIS VALUE...`, the warm time and the results, or `cannot WHY` |
/// | `measure SECONDS` | `times MILLIS...` of the prepared work |
/// | `release` | `released` |
///
/// Input that ends ends the process.
public final class Worker {
  static final String MARK = "@gatun ";

  /// How the reason begins when a side could not do what it should.
  static final String FAILED = "failed: ";

  private static final double WARM_SECONDS = 0.2;
  private static final double LONG_MILLIS = 100;
  private static final double MIN_SAMPLE_SECONDS = 0.3e-3;
  private static final int MAX_SAMPLES = 400;

  private final Side side;
  private Side.@Nullable Task task;
  private double warmMillis;

  private Worker(Side side) {
    this.side = side;
  }

  /// Serves until the input ends. What the library prints to `System.out` goes to the error stream.
  public static void serve(Side side) throws IOException {
    PrintStream answers = System.out;
    System.setOut(System.err);
    Worker worker = new Worker(side);
    answers.println(MARK + "hello " + side.description());
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      answers.println(MARK + worker.answer(line));
    }
    worker.release();
  }

  /// The name of the jar that a class comes from, without its ending: library and version.
  public static String jarOf(Class<?> type) {
    CodeSource source = type.getProtectionDomain().getCodeSource();
    return source == null
        ? type.getModule().toString()
        : source.getLocation().getPath().replaceFirst(".*/", "").replaceFirst("\\.jar$", "");
  }

  private String answer(String line) {
    String[] words = line.split(" ", 2);
    return switch (words[0]) {
      case "prepare" -> prepare(words[1]);
      case "measure" -> measure(Double.parseDouble(words[1]));
      case "release" -> release();
      default -> "cannot understand " + line;
    };
  }

  private String prepare(String name) {
    release();
    try {
      Side.Task prepared = side.prepare(Works.named(name));
      task = prepared;
      prepared.run();
      float[] results = prepared.results();
      warmMillis = warm(prepared);
      StringBuilder text = new StringBuilder("ready " + format(warmMillis));
      for (float value : results) {
        text.append(' ').append(value);
      }
      return text.toString();
    } catch (RuntimeException | LinkageError e) {
      release();
      String why = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
      if (e instanceof UnsupportedOperationException) {
        return "cannot " + why;
      }
      e.printStackTrace();
      return "cannot " + FAILED + e.getClass().getSimpleName() + ": " + why;
    }
  }

  /// The time of the last of several runs.
  private static double warm(Side.Task task) {
    long start = System.nanoTime();
    double last;
    do {
      long before = System.nanoTime();
      task.run();
      last = System.nanoTime() - before;
    } while (System.nanoTime() - start < WARM_SECONDS * 1e9);
    return last * 1e-6;
  }

  private String measure(double seconds) {
    if (task == null) {
      return "cannot measure before prepare";
    }
    if (warmMillis < LONG_MILLIS) {
      task.run(); // caches hold what other processes left
    }
    int runsPerSample =
        (int) Math.clamp(Math.ceil(1e3 * MIN_SAMPLE_SECONDS / warmMillis), 1, 100_000);
    List<Double> times = new ArrayList<>();
    long start = System.nanoTime();
    do {
      long before = System.nanoTime();
      for (int i = 0; i < runsPerSample; i++) {
        task.run();
      }
      times.add((System.nanoTime() - before) * 1e-6 / runsPerSample);
    } while (System.nanoTime() - start < seconds * 1e9 && times.size() < MAX_SAMPLES);
    StringBuilder text = new StringBuilder("times");
    times.forEach(time -> text.append(' ').append(format(time)));
    return text.toString();
  }

  private String release() {
    if (task != null) {
      task.close();
      task = null;
    }
    return "released";
  }

  private static String format(double millis) {
    return String.format(Locale.ROOT, "%.6f", millis);
  }
}
