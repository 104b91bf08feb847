package dev.gatun.suite;

import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.gatun.spec.Case;
import dev.gatun.spec.OpTable;
import java.util.Arrays;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.opentest4j.AssertionFailedError;
import org.opentest4j.TestAbortedException;

/// Tests made of the table's cases. `-Dcase='softmax[f32,(7,13),seed=42]'` runs one alone,
/// `-Dcase=softmax` those of one op.
final class Cases {
  private Cases() {}

  /// A check of a case.
  interface Check {
    void on(Case example) throws Exception;
  }

  /// A check of a case on a backend.
  interface BackendCheck {
    void on(Backends backend, Case example) throws Exception;
  }

  /// The cases asked for; all of them without `-Dcase`.
  static Stream<Case> selected() {
    String wanted = System.getProperty("case", "");
    return OpTable.cases().filter(example -> matches(example.id(), wanted));
  }

  /// One test for each case.
  static Stream<DynamicTest> each(Check check) {
    return each(check, example -> true);
  }

  /// One test for each case that is `wanted`.
  static Stream<DynamicTest> each(Check check, Predicate<Case> wanted) {
    return selected()
        .filter(wanted)
        .map(example -> dynamicTest(example.id(), () -> run(example, check)));
  }

  /// One test for each case and backend.
  static Stream<DynamicTest> onEachBackend(Stream<Case> cases, BackendCheck check) {
    return cases.flatMap(
        example ->
            Arrays.stream(Backends.values())
                .map(
                    backend ->
                        dynamicTest(
                            backend + " " + example.id(),
                            () -> run(example, it -> check.on(backend, it)))));
  }

  private static boolean matches(String id, String wanted) {
    return wanted.isEmpty() || id.equals(wanted) || id.startsWith(wanted + "[");
  }

  private static void run(Case example, Check check) {
    try {
      check.on(example);
    } catch (TestAbortedException e) {
      throw e;
    } catch (Exception | AssertionError e) {
      throw new AssertionFailedError(
          e.getMessage() + "\n  rerun with -Dcase='" + example.id() + "'", e);
    }
  }
}
