package dev.gatun.bench;

import dev.gatun.bench.peers.PeersCommand;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `./gatun bench`: runs benchmarks and prints what they say.
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description =
        "Measures native against pure Java, and Gatun against its peers. Run it on a machine that"
            + " does nothing else.",
    subcommands = {Main.Step.class, Main.Ops.class, Main.Downcall.class, PeersCommand.class})
public final class Main {
  private Main() {}

  /// Runs the benchmark that `args` name and exits with 0, 1 if it failed, 2 for wrong usage.
  public static void main(String[] args) {
    System.exit(new CommandLine(new Main()).execute(args));
  }

  /// What all benchmarks can be told.
  abstract static class Measurement implements Callable<Integer> {
    @Option(names = "--json", paramLabel = "FILE", description = "Write JMH's results as JSON.")
    private @Nullable String json;

    Collection<RunResult> run(ChainedOptionsBuilder options) throws RunnerException {
      if (json != null) {
        options.resultFormat(ResultFormatType.JSON).result(json);
      }
      return new Runner(options.shouldFailOnError(false).build()).run();
    }

    /// The medians by the value of parameter `row`, and in each row by that of `column`;
    /// `TUNED_JAVA` without such a parameter.
    static Map<String, Map<String, Double>> table(
        Collection<RunResult> results, String row, String column) {
      Map<String, Map<String, Double>> table = new LinkedHashMap<>();
      for (RunResult result : results) {
        table
            .computeIfAbsent(result.getParams().getParam(row), key -> new LinkedHashMap<>())
            .put(
                Objects.requireNonNullElse(result.getParams().getParam(column), "TUNED_JAVA"),
                result.getPrimaryResult().getStatistics().getPercentile(50));
      }
      return table;
    }
  }

  @Command(name = "step", description = "A training step of ResNet-20 on 32 pictures.")
  static final class Step extends Measurement {
    @Override
    public Integer call() throws RunnerException {
      Map<String, Double> millis =
          table(
                  run(new OptionsBuilder().include(StepBench.class.getName() + ".step")),
                  "batch",
                  "backend")
              .getOrDefault("32", Map.of());
      Double reference = millis.get("reference");
      System.out.printf("%nResNet-20, batch 32, one training step, median:%n");
      millis.forEach(
          (backend, time) ->
              System.out.printf(
                  Locale.ROOT,
                  "  %-10s %10.1f ms%s%n",
                  backend.equals("reference") ? "pure Java" : backend,
                  time,
                  reference == null || backend.equals("reference")
                      ? ""
                      : String.format(
                          Locale.ROOT, "   pure Java / native = %.1f", reference / time)));
      return millis.size() == 3 ? 0 : 1;
    }
  }

  @Command(name = "ops", description = "Single instructions: native, plain Java, tuned Java.")
  static final class Ops extends Measurement {
    @Option(
        names = "--filter",
        paramLabel = "NAME",
        description = "Only these, such as SGEMM_512.",
        split = ",")
    private String @Nullable [] filter;

    @Override
    public Integer call() throws RunnerException {
      ChainedOptionsBuilder options = new OptionsBuilder().include("(OpBench|TunedBench).run");
      if (filter != null) {
        options.param("work", filter); // names without a tuned version fail there, and are left out
      }
      Map<String, Map<String, Double>> table = table(run(options), "work", "contender");
      System.out.printf(
          "%n%-32s %12s %12s %12s   (µs, median)%n", "", "native", "plain Java", "tuned Java");
      table.forEach(
          (work, micros) ->
              System.out.printf(
                  Locale.ROOT,
                  "%-32s %12s %12s %12s%n",
                  work,
                  number(micros.get("NATIVE")),
                  number(micros.get("PLAIN_JAVA")),
                  number(micros.get("TUNED_JAVA"))));
      return table.isEmpty() ? 1 : 0;
    }

    private static String number(@Nullable Double micros) {
      return micros == null ? "-" : String.format(Locale.ROOT, "%.1f", micros);
    }
  }

  @Command(name = "downcall", description = "What a crossing from Java to C costs.")
  static final class Downcall extends Measurement {
    @Override
    public Integer call() throws RunnerException {
      return run(new OptionsBuilder().include(DowncallBench.class.getName())).isEmpty() ? 1 : 0;
    }
  }
}
