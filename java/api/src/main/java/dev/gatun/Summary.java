package dev.gatun;

import dev.gatun.Layers.Concat;
import dev.gatun.Layers.Named;
import dev.gatun.Layers.Residual;
import dev.gatun.Layers.Sequential;
import dev.gatun.graph.Graph;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// The table of a network's layers.
final class Summary {
  private final List<String[]> rows = new ArrayList<>();
  private final NetTrace trace;

  private Summary(NetTrace trace) {
    this.trace = trace;
  }

  static String of(Net net) {
    Graph graph = new Graph();
    Summary summary = new Summary(new NetTrace(graph, Mode.TRAINING, 0));
    summary.rows.add(new String[] {"layer", "output", "parameters"});
    summary.rows.add(new String[] {"input", net.inputShape().toString(), ""});
    summary.walk(net.layers(), graph.leaf("input", net.inputs(2)), "");
    return summary.format(net.parameterCount());
  }

  /// Sequences are shown by their parts, a residual by its branch and shortcut, a concatenation by
  /// its branches, anything else by a row.
  private Tensor walk(Layer layer, Tensor x, String indent) {
    if (layer instanceof Sequential sequential) {
      Tensor y = x;
      for (Named part : sequential.parts()) {
        y = part(part, y, indent);
      }
      return y;
    }
    return layer.apply(trace, x);
  }

  private Tensor part(Named part, Tensor x, String indent) {
    int row = rows.size();
    long before = count();
    Tensor y =
        trace.apply(
            part.name(),
            (context, in) ->
                switch (part.layer()) {
                  case Sequential sequential -> {
                    rows.add(new String[0]);
                    yield walk(sequential, in, indent + "  ");
                  }
                  case Residual(Layer branch, Layer shortcut) -> {
                    rows.add(new String[0]);
                    Tensor out = part(new Named("branch", branch), in, indent + "  ");
                    yield out.plus(part(new Named("shortcut", shortcut), in, indent + "  "));
                  }
                  case Concat concat -> {
                    rows.add(new String[0]);
                    List<Tensor> outs = new ArrayList<>();
                    for (Layer branch : concat.branches()) {
                      outs.add(
                          part(new Named(Concat.name(outs.size()), branch), in, indent + "  "));
                    }
                    yield Tensor.concat(-1, outs.toArray(Tensor[]::new));
                  }
                  default -> {
                    rows.add(new String[0]);
                    yield part.layer().apply(context, in);
                  }
                },
            x);
    long parameters = count() - before;
    String number = parameters == 0 ? "" : String.format(Locale.ROOT, "%,d", parameters);
    rows.set(row, new String[] {indent + part.name(), withoutBatch(y.shape()), number});
    return y;
  }

  private long count() {
    return trace.parameters().stream().mapToLong(parameter -> parameter.shape().count()).sum();
  }

  private String format(long total) {
    int[] widths = new int[3];
    for (String[] row : rows) {
      for (int i = 0; i < 3; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (String[] row : rows) {
      String line =
          String.format(
              Locale.ROOT,
              "%-" + widths[0] + "s  %-" + widths[1] + "s  %" + widths[2] + "s",
              (Object[]) row);
      text.append(line.stripTrailing()).append('\n');
    }
    return text.append(String.format(Locale.ROOT, "%,d parameters", total)).append('\n').toString();
  }

  private static String withoutBatch(Shape shape) {
    long[] dims = shape.toArray();
    return Shape.of(Arrays.copyOfRange(dims, 1, dims.length)).toString();
  }
}
