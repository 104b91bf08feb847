package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.search.Parameter;
import dev.gatun.search.Result;
import dev.gatun.search.Results;
import dev.gatun.search.Search;
import dev.gatun.search.Search.Stage;
import dev.gatun.search.Trial;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gatun search`: looks for a learning rate and a weight decay, coarse to fine or on a grid.
@Command(
    name = "search",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Looks for the learning rate and the weight decay with which a network trains best.",
      "A tenth of the training data is held out to choose by; the test data are not touched. The"
          + " learning rate of a trial does not fall. Trials are drawn at random on logarithmic"
          + " scales; each further stage is drawn around the best tenth of the one before and trains"
          + " three times as long."
    })
final class SearchCommand implements Callable<Integer> {
  private static final int LONGER = 3;
  private static final int ROWS = 5;
  private static final Range DECAYS = new Range(1e-6, 1e-2);

  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "MODEL",
      defaultValue = "mlp",
      description = "One of " + Task.MODELS + " (default: ${DEFAULT-VALUE}).")
  private String model = "mlp";

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description = "As for train; without it, pictures of characters are drawn.")
  private @Nullable Path data;

  @Option(
      names = "--trials",
      paramLabel = "N",
      description = "Trials of each stage (default: ${DEFAULT-VALUE}).",
      defaultValue = "20")
  private int trials;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Epochs of a trial of the first stage (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private int epochs;

  @Option(
      names = "--stages",
      paramLabel = "N",
      description = "How often to search, each time finer and longer (default: ${DEFAULT-VALUE}).",
      defaultValue = "2")
  private int stages;

  @Option(
      names = "--grid",
      description = "One stage, on a grid of equal distances with at most as many trials.")
  private boolean grid;

  @Option(
      names = "--lr",
      paramLabel = "LOW..HIGH",
      converter = Range.Converter.class,
      description =
          "Learning rates to try (default: from a hundredth to ten times what train takes).")
  private @Nullable Range rates;

  @Option(
      names = "--weight-decay",
      paramLabel = "LOW..HIGH",
      converter = Range.Converter.class,
      description = "Weight decays to try (default: 1e-6..1e-2).")
  private @Nullable Range decays;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Pictures in a step (default: 128), or pieces of text (default: 64).")
  private @Nullable Integer batch;

  @Mixin private DeviceOptions where = new DeviceOptions();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of everything random; all trials begin alike (default: ${DEFAULT-VALUE}).",
      defaultValue = "1")
  private long seed;

  @Option(names = "--report", paramLabel = "FILE", description = "Write all trials as JSON.")
  private @Nullable Path report;

  @Override
  public Integer call() {
    check();
    try (Device device = where.open()) {
      Task task = Task.of(model, data, seed, batch).validating();
      List<Results> results = search(task, device);
      if (report != null) {
        SearchReport.of(model, seed, task, device, results).write(report);
      }
      return 0;
    }
  }

  private List<Results> search(Task task, Device device) {
    PrintWriter out = spec.commandLine().getOut();
    double usual = task.learningRate();
    Range rate = rates == null ? new Range(usual / 100, usual * 10) : rates;
    Range decay = decays == null ? DECAYS : decays;
    Parameter<Double> lr = Parameter.logUniform("lr", rate.low(), rate.high());
    Parameter<Double> reg = Parameter.logUniform("reg", decay.low(), decay.high());
    out.printf(
        Locale.ROOT,
        "%s, %,d parameters, on %s, a tenth of it held out to choose by; %s%n",
        model,
        task.net().parameterCount(),
        task.data(),
        device.description());
    out.flush();
    try (SearchProgress progress = new SearchProgress(out)) {
      ToDoubleFunction<Trial> train =
          trial -> {
            try (Trainer trainer = Trainer.of(task.net()).on(device).seed(seed)) {
              task.configure(trainer, device, trial.get(lr), trial.get(reg));
              trainer.watch(progress, trial.watcher());
              return score(task, task.fit(trainer, trial.length()));
            }
          };
      Search search = Search.over(lr, reg).seed(seed).goal(task.goal()).each(progress::result);
      List<Results> results =
          grid ? grid(search, progress, train) : stages(search, progress, train);
      conclude(progress, lr, reg, results);
      return results;
    }
  }

  private static double score(Task task, History history) {
    Evaluation held = history.test();
    return held == null
        ? Double.NaN
        : switch (task.goal()) {
          case ACCURACY -> held.accuracy();
          case LOSS -> held.loss();
        };
  }

  private List<Results> grid(
      Search search, SearchProgress progress, ToDoubleFunction<Trial> train) {
    int points = (int) Math.sqrt(trials);
    progress.begin(points * points);
    progress.line(
        "grid of %d times %d, %s: %s".formatted(points, points, epochs(epochs), ranges(search)));
    return List.of(search.grid(points, Span.epochs(epochs), train));
  }

  private List<Results> stages(
      Search first, SearchProgress progress, ToDoubleFunction<Trial> train) {
    progress.begin(trials * stages);
    List<Results> all = new ArrayList<>();
    Search search = first;
    int length = epochs;
    while (all.size() < stages) {
      progress.line("stage %d, %s: %s".formatted(all.size() + 1, epochs(length), ranges(search)));
      Results results = search.random(new Stage(trials, Span.epochs(length)), train);
      all.add(results);
      if (results.best() == null) {
        break;
      }
      search = search.around(results);
      length *= LONGER;
    }
    return all;
  }

  private void conclude(
      SearchProgress progress, Parameter<Double> lr, Parameter<Double> reg, List<Results> results) {
    Results last = results.getLast();
    last.table(ROWS).lines().forEach(progress::line);
    last.findings().forEach(finding -> progress.line("warning: " + finding));
    Result best = last.best();
    if (best != null) {
      progress.line(
          String.format(
              Locale.ROOT,
              "go on with: ./gatun train %s --lr %.3g --weight-decay %.3g",
              model,
              best.trial().get(lr),
              best.trial().get(reg)));
    }
  }

  private static String epochs(int count) {
    return count == 1 ? "1 epoch each" : count + " epochs each";
  }

  private static String ranges(Search search) {
    return search.space().stream()
        .map(parameter -> parameter.name() + " " + parameter.range())
        .collect(Collectors.joining(", "));
  }

  private void check() {
    Checks.positive("--trials", trials);
    Checks.positive("--epochs", epochs);
    Checks.positive("--stages", stages);
    Checks.positive("--batch", batch);
    double longest = epochs * Math.pow(LONGER, stages - 1);
    if (!grid && longest > Integer.MAX_VALUE) {
      throw new UsageException(
          String.format(
              Locale.ROOT,
              "--stages expects fewer, for each trains %d times as long: trials of the last of %d"
                  + " would have %.3g epochs",
              LONGER,
              stages,
              longest));
    }
    if (grid && trials < 4) {
      throw new UsageException("--grid expects at least 4 trials, found " + trials);
    }
    where.check();
    Checks.writable("--report", report);
  }
}
