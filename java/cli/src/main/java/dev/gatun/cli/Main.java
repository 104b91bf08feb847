package dev.gatun.cli;

import dev.gatun.DeviceException;
import dev.gatun.DeviceUnavailableException;
import dev.gatun.DivergedException;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.data.DataFormatException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.IExecutionExceptionHandler;

/// Entry of the command line. Exit codes: 0, 1 a failed run or a severe finding, 2 wrong usage.
@Command(
    name = "gatun",
    description = "Trains deep networks.",
    mixinStandardHelpOptions = true,
    version = "Gatun 0.1.0-SNAPSHOT",
    subcommands = {TrainCommand.class, DoctorCommand.class, SearchCommand.class, PlotCommand.class})
public final class Main {
  private Main() {}

  /// Runs the command that `args` name and exits with its code.
  public static void main(String[] args) {
    System.setProperty("java.awt.headless", "true"); // pictures go into files, never to a display
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    CommandLine line = new CommandLine(new Main()).setExecutionExceptionHandler(explain());
    String[] version = line.getCommandSpec().version();
    line.getSubcommands().values().forEach(command -> command.getCommandSpec().version(version));
    return line;
  }

  /// Failures that a user can do something about are told in a sentence; anything else is a bug and
  /// shows its trace.
  private static IExecutionExceptionHandler explain() {
    return (exception, command, parsed) -> {
      PrintWriter err = command.getErr();
      return switch (exception) {
        case UsageException _ -> {
          err.println("gatun: " + exception.getMessage());
          yield ExitCode.USAGE;
        }
        case DivergedException _,
            DeviceUnavailableException _,
            DeviceException _,
            OutOfDeviceMemoryException _,
            DataFormatException _,
            UncheckedIOException _ -> {
          err.println("gatun: " + exception.getMessage());
          yield ExitCode.SOFTWARE;
        }
        default -> {
          err.println("gatun: this is a bug; please report it with the lines below");
          exception.printStackTrace(err);
          yield ExitCode.SOFTWARE;
        }
      };
    };
  }
}
