package dev.gatun.bench.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `./gatun bench peers`.
@Command(
    name = "peers",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = {
      "Gatun, TensorFlow, PyTorch, DJL and DL4J on the same work, in turns.",
      "ratio: the fastest peer's time / Gatun's. share: of what the machine can do, measured in"
          + " turns with the sides."
    })
public final class PeersCommand implements Callable<Integer> {
  @Option(
      names = "--filter",
      paramLabel = "TEXT",
      description = "Only works whose name contains one of these.",
      split = ",")
  private String @Nullable [] filter;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads of each side.",
      split = ",",
      defaultValue = "2,1")
  private int[] threads = {};

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "How often each side has its turn.",
      defaultValue = "5")
  private int rounds;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      description = "The length of a turn, at least one run.",
      defaultValue = "0.15")
  private double seconds;

  @Option(
      names = "--sides",
      paramLabel = "NAME",
      description = "Who takes part beside Gatun.",
      split = ",",
      defaultValue = "tensorflow,pytorch,djl,dl4j")
  private String[] sides = {};

  @Option(names = "--json", paramLabel = "FILE", description = "Write the results as JSON.")
  private @Nullable Path json;

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path root = Path.of(System.getProperty("gatun.root", "."));
    double loadBefore = HostMachine.load();
    List<Work> works =
        Works.all().stream()
            .filter(work -> filter == null || Arrays.stream(filter).anyMatch(work.name()::contains))
            .toList();
    if (works.isEmpty()) {
      System.err.println("no work has a name like that; these are known:");
      Works.all().forEach(work -> System.err.println("  " + work.name()));
      return 2;
    }
    Path program = root.resolve("build/release/bench/native/roofline");
    List<Integer> counts = Arrays.stream(threads).boxed().toList();
    List<Roofline.Limit> roofline = Roofline.measure(program, counts);
    printRoofline(roofline);
    Sides known = new Sides(root);
    Map<String, String> versions = new LinkedHashMap<>();
    List<Report.Row> rows = new ArrayList<>();
    List<String> names = Arrays.asList(sides);
    System.out.println(Report.Row.heading(names));
    for (int count : counts) {
      rows.addAll(rows(known, works, count, program, versions));
    }
    List<Roofline.Limit> again = Roofline.best(roofline, Roofline.measure(program, counts));
    Report report =
        new Report(
            "./gatun bench peers" + options(),
            HostMachine.of(loadBefore, known.tcmalloc(), versions),
            again,
            rows);
    if (json != null) {
      Files.writeString(json, report.toJson() + "\n");
    }
    return 0;
  }

  private List<Report.Row> rows(
      Sides known, List<Work> works, int count, Path program, Map<String, String> versions)
      throws IOException {
    List<Report.Row> rows = new ArrayList<>();
    List<WorkerProcess> processes = new ArrayList<>();
    try (Roofline limits = new Roofline(program, count)) {
      processes.add(known.start(Report.GATUN, count));
      for (String side : sides) {
        try {
          processes.add(known.start(side, count));
        } catch (UnsupportedOperationException e) { // one without its libraries stops nobody else
          System.out.println(side + " is absent: " + e.getMessage());
          versions.put(side, "absent: " + e.getMessage());
        }
      }
      processes.forEach(process -> versions.put(process.name(), process.description()));
      for (Work work : works) {
        Match.Outcome outcome = Match.play(work, processes, rounds, seconds, limits::rate);
        if (!outcome.times().containsKey(Report.GATUN)) {
          System.out.printf(
              "%-52s %2d gatun: %s%n", work.name(), count, outcome.absent().get(Report.GATUN));
          continue;
        }
        Report.Row row = Report.Row.of(outcome, count);
        rows.add(row);
        System.out.println(row.line(Arrays.asList(sides)));
        outcome.absent().entrySet().stream()
            .filter(
                absence ->
                    absence.getValue().startsWith(Match.OTHER_RESULTS)
                        || absence.getValue().startsWith(Worker.FAILED))
            .forEach(absence -> System.out.println("  " + absence));
      }
    } finally {
      processes.forEach(WorkerProcess::close);
    }
    return rows;
  }

  private String options() {
    StringBuilder text = new StringBuilder();
    if (filter != null) {
      text.append(" --filter '").append(String.join(",", filter)).append('\'');
    }
    text.append(" --threads ")
        .append(Arrays.toString(threads).replaceAll("[\\[\\] ]", ""))
        .append(" --rounds ")
        .append(rounds)
        .append(" --seconds ")
        .append(seconds)
        .append(" --sides ")
        .append(String.join(",", sides));
    return text.toString();
  }

  private static void printRoofline(List<Roofline.Limit> roofline) {
    for (Roofline.Limit limit : roofline) {
      System.out.printf(
          Locale.ROOT,
          "roof %-16s %2d threads %9.1f G/s%n",
          limit.roof().unit(),
          limit.threads(),
          limit.gigaPerSecond());
    }
  }
}
