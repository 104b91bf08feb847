package dev.gatun.bench.peers;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A side in a process of its own, which is kept from work to work. A process that dies is a side
/// that cannot do the work; the next work gets another process.
final class WorkerProcess implements Contender {
  private final String name;
  private final List<String> command;
  private final Map<String, String> environment;
  private final File log;
  private Connection connection;

  /// Starts the process. What it prints beside its answers is added to `log`.
  WorkerProcess(String name, List<String> command, Map<String, String> environment, File log)
      throws IOException {
    this.name = name;
    this.command = command;
    this.environment = environment;
    this.log = log;
    this.connection = connect();
  }

  @Override
  public String name() {
    return name;
  }

  /// How the side described itself.
  String description() {
    return connection.description;
  }

  @Override
  public Ready prepare(Work work) {
    try {
      if (!connection.alive) {
        connection = connect();
      }
      String[] words = connection.ask("prepare " + work.name()).split(" ", -1);
      float[] results = new float[words.length - 2];
      for (int i = 0; i < results.length; i++) {
        results[i] = Float.parseFloat(words[i + 2]);
      }
      return new Ready(Double.parseDouble(words[1]), results);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public double[] measure(double seconds) {
    String[] words = connection.ask("measure " + seconds).split(" ", -1);
    double[] times = new double[words.length - 1];
    for (int i = 0; i < times.length; i++) {
      times[i] = Double.parseDouble(words[i + 1]);
    }
    return times;
  }

  @Override
  public void release() {
    if (connection.alive) {
      connection.ask("release");
    }
  }

  @Override
  public void close() {
    connection.close();
  }

  private Connection connect() throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    builder.redirectError(ProcessBuilder.Redirect.appendTo(log));
    return new Connection(name, builder.start());
  }

  private static final class Connection {
    private final String name;
    private final Process process;
    private final BufferedReader answers;
    private final BufferedWriter commands;
    private final String description;
    private boolean alive = true;

    Connection(String name, Process process) {
      this.name = name;
      this.process = process;
      this.answers = process.inputReader(StandardCharsets.UTF_8);
      this.commands = process.outputWriter(StandardCharsets.UTF_8);
      this.description = read().replaceFirst("^hello ", "");
    }

    String ask(String command) {
      try {
        commands.write(command + "\n");
        commands.flush();
      } catch (IOException e) {
        throw dead(e);
      }
      return read();
    }

    private String read() {
      try {
        for (String line = answers.readLine(); line != null; line = answers.readLine()) {
          if (line.startsWith(Worker.MARK)) {
            String answer = line.substring(Worker.MARK.length());
            if (answer.startsWith("cannot ")) {
              throw new UnsupportedOperationException(answer.substring("cannot ".length()));
            }
            return answer;
          }
        }
      } catch (IOException e) {
        throw dead(e);
      }
      throw dead(null);
    }

    private UnsupportedOperationException dead(@Nullable IOException e) {
      alive = false;
      process.destroyForcibly();
      return new UnsupportedOperationException(
          Worker.FAILED + "the process ended, see build/peers/" + name + ".log", e);
    }

    void close() {
      try {
        commands.close();
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
          process.destroyForcibly();
        }
      } catch (IOException e) {
        process.destroyForcibly();
      } catch (InterruptedException e) {
        process.destroyForcibly();
        Thread.currentThread().interrupt();
      }
    }
  }
}
