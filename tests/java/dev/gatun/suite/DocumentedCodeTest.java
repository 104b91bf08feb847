package dev.gatun.suite;

import static java.util.stream.Collectors.joining;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.source.util.JavacTask;
import dev.gatun.Repository;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/// What the pages and the Javadoc show as Java is Java: each block compiles, as the body of a
/// method of a class that has the things which examples start from.
class DocumentedCodeTest {
  private static final Pattern BLOCK = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final String TYPES =
      """
      import dev.gatun.*;
      import dev.gatun.backend.*;
      import dev.gatun.data.*;
      import dev.gatun.diagnosis.*;
      import dev.gatun.random.*;
      import dev.gatun.search.*;
      import java.nio.file.Path;
      import java.util.*;
      """;
  private static final String NAMES =
      """
      import static dev.gatun.Optimizer.*;
      import static dev.gatun.ParameterSelector.*;
      import static dev.gatun.Schedule.*;
      import static dev.gatun.Span.*;
      import static dev.gatun.data.Augmentation.*;
      import static dev.gatun.data.TableEncoder.categories;
      import static dev.gatun.data.TableEncoder.numbers;
      import static dev.gatun.tensorboard.TensorBoard.tensorBoard;
      """;
  private static final String FIELDS =
      """
        Device device; Net net; Model model; Trainer trainer; Program program;
        Split cifar; Batches train, validation, test;
        Tensor x, y, w; float[] inputs; int[] labels;
        Alphabet alphabet; int start, length;
        void use(Object value) {}
      """;

  private record Example(Path file, int line, String code) {}

  @Test
  void everyExampleCompiles() throws IOException {
    List<Example> examples = new ArrayList<>();
    examples.addAll(examples(Repository.file("README.md")));
    for (String folder : List.of("docs", "java")) {
      try (Stream<Path> files = Files.walk(Repository.file(folder))) {
        for (Path file : files.filter(DocumentedCodeTest::mayHaveExamples).sorted().toList()) {
          examples.addAll(examples(file));
        }
      }
    }
    assertTrue(examples.size() >= 30, examples.size() + " examples");
    List<String> errors = new ArrayList<>();
    for (Example example : examples) {
      errors.addAll(errors(example));
    }
    assertEquals(List.of(), errors);
  }

  private static boolean mayHaveExamples(Path file) {
    String name = file.toString();
    return name.endsWith(".md")
        || (name.endsWith(".java") && name.contains("src/main/java") && !name.contains("target"));
  }

  private static List<Example> examples(Path file) throws IOException {
    String text = Files.readString(file);
    if (file.toString().endsWith(".java")) {
      text = text.lines().map(DocumentedCodeTest::comment).collect(joining("\n"));
    }
    List<Example> examples = new ArrayList<>();
    Matcher block = BLOCK.matcher(text);
    while (block.find()) {
      int line = (int) text.substring(0, block.start()).lines().count() + 1;
      examples.add(new Example(file, line, block.group(1)));
    }
    return examples;
  }

  /// What a line of Javadoc says, nothing for one of code.
  private static String comment(String line) {
    String stripped = line.strip();
    return stripped.startsWith("///") ? stripped.substring(3).replaceFirst("^ ", "") : "";
  }

  private static List<String> errors(Example example) throws IOException {
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    JavacTask task =
        (JavacTask)
            ToolProvider.getSystemJavaCompiler()
                .getTask(null, null, found, List.of("-proc:none"), null, List.of(source(example)));
    task.analyze();
    String place = Repository.root().relativize(example.file) + ":" + example.line + ": ";
    return found.getDiagnostics().stream()
        .filter(diagnostic -> diagnostic.getKind() == Diagnostic.Kind.ERROR)
        .map(diagnostic -> place + diagnostic.getMessage(Locale.ROOT))
        .toList();
  }

  private static JavaFileObject source(Example example) {
    return SimpleJavaFileObject.forSource(
        URI.create("string:///Example.java"), program(example.code));
  }

  /// Its own imports are enough for an example that has any.
  private static String program(String code) {
    String imports = code.lines().filter(line -> line.startsWith("import ")).collect(joining("\n"));
    String body = code.lines().filter(line -> !line.startsWith("import ")).collect(joining("\n"));
    return TYPES
        + (imports.isEmpty() ? NAMES : imports)
        + "\nclass Example {\n"
        + FIELDS
        + "  void run() throws Exception {\n"
        + (body.contains(";") ? body : expressions(body))
        + "\n}}\n";
  }

  /// An example without statements is an expression, or some, each from a line's first column on.
  private static String expressions(String code) {
    List<String> found = new ArrayList<>();
    for (String line : code.lines().map(line -> line.replaceFirst("//.*", "")).toList()) {
      if (line.isBlank()) {
        continue;
      }
      if (line.startsWith(" ") && !found.isEmpty()) {
        found.set(found.size() - 1, found.getLast() + "\n" + line);
      } else {
        found.add(line);
      }
    }
    return found.stream().map(expression -> "use(" + expression + ");").collect(joining("\n"));
  }
}
