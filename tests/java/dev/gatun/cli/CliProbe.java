package dev.gatun.cli;

/// Runs a command line in a process of its own and prints how it ended.
final class CliProbe {
  private CliProbe() {}

  public static void main(String[] arguments) {
    System.out.println("exit " + Main.commandLine().execute(arguments));
  }
}
