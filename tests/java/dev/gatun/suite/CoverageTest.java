package dev.gatun.suite;

import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Repository;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.spec.Case;
import dev.gatun.spec.OpTable;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Nothing is without a row: no op, no instruction of [Backend], no function and no attribute of
/// `gatun.h`.
class CoverageTest {
  private static final Pattern INSTRUCTION =
      Pattern.compile("gt_status\\s+gt_(?!stream_)(\\w+)\\(\\s*gt_stream stream,\\s*gt_tensor");

  @Test
  void everyOpHasARow() throws Exception {
    Set<String> ops = new TreeSet<>();
    for (String name : classes("dev.gatun.graph.op")) {
      Class<?> type = Class.forName(name);
      if (Op.class.isAssignableFrom(type) && !type.isInterface()) {
        ops.add(name);
      }
    }
    assertFalse(ops.isEmpty());
    ops.removeAll(OpTable.cases().map(example -> example.op().getClass().getName()).toList());
    assertEquals(Set.of(), ops, "ops without a row in the table");
  }

  @Test
  void everyInstructionIsExercised() {
    Set<String> calls = new TreeSet<>();
    OpTable.cases().forEach(example -> record(example, calls, new TreeSet<>()));
    Set<String> missing = instructions();
    missing.removeAll(calls);
    assertEquals(Set.of(), missing, "instructions that no case of the table issues");
  }

  /// Each of the enumerated functions, and each activation of each instruction that takes one.
  @Test
  void everyEnumeratedAttributeIsExercised() {
    Set<String> used = new TreeSet<>();
    OpTable.cases().forEach(example -> record(example, new TreeSet<>(), used));
    Set<String> missing =
        instructionMethods()
            .flatMap(
                method ->
                    Arrays.stream(method.getParameterTypes())
                        .filter(Class::isEnum)
                        .flatMap(type -> Arrays.stream(type.getEnumConstants()))
                        .map(constant -> method.getName() + " " + constant))
            .collect(toCollection(TreeSet::new));
    assertTrue(missing.contains("unary TANH"));
    missing.removeAll(used);
    assertEquals(Set.of(), missing, "attributes that no case of the table uses");
  }

  @Test
  void everyHeaderInstructionIsABackendMethod() throws IOException {
    Set<String> header =
        INSTRUCTION
            .matcher(Files.readString(Repository.file("native/include/gatun.h")))
            .results()
            .map(match -> camelCase(match.group(1)))
            .collect(toCollection(TreeSet::new));
    assertEquals(header, instructions(), "gatun.h (left) and Backend (right) differ");
  }

  /// Each operand that may be absent is so in one case and present in another.
  @Test
  void everyOptionalOperandIsGivenAndLeftOut() {
    Set<String> used = new TreeSet<>();
    OpTable.cases().forEach(example -> record(example, new TreeSet<>(), used));
    Set<String> missing =
        instructionMethods()
            .flatMap(
                method ->
                    optional(method).flatMap(i -> Stream.of(given(method, i), leftOut(method, i))))
            .collect(toCollection(TreeSet::new));
    assertTrue(missing.contains("conv2d leaves out operand 4"), missing.toString());
    missing.removeAll(used);
    // The op always has a step; InstructionTest leaves it out.
    assertEquals(Set.of("dropout leaves out operand 2"), missing, "calls that no case makes");
  }

  @Test
  void idsAreUnique() {
    Map<String, Long> counts =
        OpTable.cases().collect(Collectors.groupingBy(Case::id, Collectors.counting()));
    counts.values().removeIf(count -> count == 1);
    assertEquals(Map.of(), counts, "ids that name several cases");
  }

  @Test
  void theCaseAskedForExists() {
    assertTrue(
        Cases.selected().findAny().isPresent(),
        () -> "-Dcase='" + System.getProperty("case") + "' names no case of the table");
  }

  /// Runs `example` on the reference backend and notes what it calls.
  private static void record(Case example, Set<String> calls, Set<String> uses) {
    Backend reference = Backends.REFERENCE.backend();
    Backend recorder =
        (Backend)
            Proxy.newProxyInstance(
                Backend.class.getClassLoader(),
                new Class<?>[] {Backend.class},
                (proxy, method, arguments) -> {
                  calls.add(method.getName());
                  Arrays.stream(arguments)
                      .filter(Enum.class::isInstance)
                      .forEach(constant -> uses.add(method.getName() + " " + constant));
                  optional(method)
                      .map(i -> arguments[i] == null ? leftOut(method, i) : given(method, i))
                      .forEach(uses::add);
                  try {
                    return method.invoke(reference, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    boolean small = example.inputs().stream().allMatch(type -> type.shape().count() < 2_000);
    if (small) {
      try (Trial trial = new Trial(reference, example)) {
        trial.run(recorder);
      }
    }
  }

  private static Stream<Integer> optional(Method method) {
    return IntStream.range(0, method.getParameterCount())
        .filter(i -> method.getAnnotatedParameterTypes()[i].isAnnotationPresent(Nullable.class))
        .boxed();
  }

  private static String given(Method method, int operand) {
    return method.getName() + " takes operand " + operand;
  }

  private static String leftOut(Method method, int operand) {
    return method.getName() + " leaves out operand " + operand;
  }

  /// All that take views, but what is only a hint ([Backend#hold]).
  private static Stream<Method> instructionMethods() {
    return Arrays.stream(Backend.class.getMethods())
        .filter(
            method ->
                !method.isDefault()
                    && method.getReturnType() == void.class
                    && method.getParameterCount() > 0
                    && method.getParameterTypes()[0] == View.class);
  }

  private static Set<String> instructions() {
    return instructionMethods().map(Method::getName).collect(toCollection(TreeSet::new));
  }

  /// `conv2d_backward_data` becomes `conv2dBackwardData`.
  private static String camelCase(String name) {
    return Pattern.compile("_(.)")
        .matcher(name)
        .replaceAll(match -> match.group(1).toUpperCase(Locale.ROOT));
  }

  /// The classes of a package, from the directory or the jar that it was loaded from.
  private static Set<String> classes(String packageName) throws IOException, URISyntaxException {
    URI place = Op.class.getProtectionDomain().getCodeSource().getLocation().toURI();
    String folder = packageName.replace('.', '/');
    if (Files.isDirectory(Path.of(place))) {
      return classes(Path.of(place).resolve(folder), packageName);
    }
    try (FileSystem jar = FileSystems.newFileSystem(Path.of(place))) {
      return classes(jar.getPath(folder), packageName);
    }
  }

  private static Set<String> classes(Path folder, String packageName) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class") && !name.equals("package-info.class"))
          .map(name -> packageName + "." + name.substring(0, name.length() - ".class".length()))
          .collect(toCollection(TreeSet::new));
    }
  }
}
