package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.search.Result;
import dev.gatun.search.Results;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A search as JSON. The field names are the format.
///
/// @param model the model's name
/// @param data the data set's name
/// @param backend `cpu`, `cuda` or `reference`
/// @param threads of the backend
/// @param seed of the search and of each trial
/// @param batch pictures in a step, or pieces of text
/// @param machine where it ran
/// @param score what trials are judged by: `val acc`, more is better, or `val loss`
/// @param stages in their order
/// @param best the last stage's best trial, null if it has none
/// @param findings what is worrying about it
record SearchReport(
    String model,
    String data,
    String backend,
    int threads,
    long seed,
    int batch,
    Machine machine,
    String score,
    List<Stage> stages,
    @Nullable Trial best,
    List<String> findings) {

  /// @param ranges what was tried, by parameter, in words
  record Stage(double epochs, Map<String, String> ranges, List<Trial> trials) {
    static Stage of(Results results) {
      Map<String, String> ranges = new LinkedHashMap<>();
      results.space().forEach(parameter -> ranges.put(parameter.name(), parameter.range()));
      return new Stage(
          results.length().amount(), ranges, results.trials().stream().map(Trial::of).toList());
    }
  }

  /// @param score null without one
  /// @param trouble why it did not come to its end, null if it did
  record Trial(
      int number,
      Map<String, Object> values,
      @Nullable Double score,
      @Nullable String trouble,
      double seconds) {
    static Trial of(Result result) {
      return new Trial(
          result.trial().number(),
          result.trial().values(),
          Double.isNaN(result.score()) ? null : result.score(),
          result.trouble(),
          result.seconds());
    }
  }

  static SearchReport of(String model, long seed, Task task, Device device, List<Results> results) {
    Results last = results.getLast();
    Result best = last.best();
    return new SearchReport(
        model,
        task.data(),
        device.name(),
        device.threads(),
        seed,
        task.batch(),
        Machine.of(device),
        last.goal().label(),
        results.stream().map(Stage::of).toList(),
        best == null ? null : Trial.of(best),
        last.findings());
  }

  void write(Path file) {
    Report.write(this, file);
  }
}
