package dev.gatun.bench.peers;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Asks the native program `roofline` for the machine's limits: once, at their best, or as an open
/// one again and again, for what is possible now. Shared machines change their pace.
public final class Roofline implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter questions;

  /// Starts the program for this number of threads.
  public Roofline(Path program, int threads) throws IOException {
    process =
        new ProcessBuilder(program.toString(), "serve", Integer.toString(threads))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    answers = process.inputReader(StandardCharsets.UTF_8);
    questions = process.outputWriter(StandardCharsets.UTF_8);
  }

  /// What the machine can do now, in units of the roof per second; 0 if it has no such roof.
  public double rate(Work.Roof roof) {
    try {
      questions.write(roof.name() + "\n");
      questions.flush();
      String answer = answers.readLine();
      if (answer == null) {
        throw new IOException("roofline ended");
      }
      return Double.parseDouble(answer) * 1e9;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    process.destroy();
  }

  /// One limit.
  ///
  /// @param roof what is limited
  /// @param threads that were used
  /// @param gigaPerSecond flops or bytes, in 10⁹ per second
  public record Limit(Work.Roof roof, int threads, double gigaPerSecond) {}

  /// Measures with each of these numbers of threads. Takes seconds.
  public static List<Limit> measure(Path program, List<Integer> threads)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    threads.forEach(count -> command.add(count.toString()));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int status = process.waitFor();
    if (status != 0) {
      throw new IOException(program + " ended with " + status);
    }
    return parse(answer);
  }

  /// Of two measurements the better of each limit: nothing is faster than the machine.
  public static List<Limit> best(List<Limit> first, List<Limit> second) {
    List<Limit> limits = new ArrayList<>();
    for (Limit one : first) {
      limits.add(
          second.stream()
              .filter(other -> other.roof() == one.roof() && other.threads() == one.threads())
              .filter(other -> other.gigaPerSecond() > one.gigaPerSecond())
              .findFirst()
              .orElse(one));
    }
    return List.copyOf(limits);
  }

  /// A JSON array of limits.
  static List<Limit> parse(String json) {
    List<Limit> limits = new ArrayList<>();
    Gson gson = new Gson();
    for (JsonElement element : JsonParser.parseString(json).getAsJsonArray()) {
      limits.add(gson.fromJson(element, Limit.class));
    }
    return List.copyOf(limits);
  }
}
