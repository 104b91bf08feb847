package dev.gatun.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import picocli.CommandLine;

/// What a command line printed and how it ended.
record Cli(int code, String out, String err) {
  static Cli run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    String[] words = List.of(arguments).stream().map(Object::toString).toArray(String[]::new);
    int code = line.execute(words);
    return new Cli(code, out.toString(), err.toString());
  }
}
