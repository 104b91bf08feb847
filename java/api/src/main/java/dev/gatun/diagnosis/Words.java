package dev.gatun.diagnosis;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Numbers and tables in words.
final class Words {
  private static final int MOST_NAMED = 3;

  private Words() {}

  /// Three digits: `0.123`, `12.3`, `1.2e-05`.
  static String number(double value) {
    if (value == 0 || !Double.isFinite(value)) {
      return value == 0 ? "0" : Double.toString(value);
    }
    double size = Math.abs(value);
    if (size < 1e-3 || size >= 1e5) {
      return String.format(Locale.ROOT, "%.1e", value);
    }
    return String.format(Locale.ROOT, size < 1 ? "%.3f" : size < 100 ? "%.2f" : "%.0f", value);
  }

  /// `12 %`; what is not none is not rounded to none, and what is not all not to all.
  static String percent(double share) {
    if (share > 0 && share < 0.01) {
      return "<1 %";
    }
    return share > 0.99 && share < 1 ? ">99 %" : String.format(Locale.ROOT, "%.0f %%", 100 * share);
  }

  /// The first few names, and how many more there are.
  static String names(List<String> names) {
    String first = names.stream().limit(MOST_NAMED).collect(Collectors.joining(", "));
    int more = names.size() - MOST_NAMED;
    return more > 0 ? first + " and " + more + " more" : first;
  }

  /// Columns as wide as their widest cell, the first to the left and the others to the right.
  static String table(List<List<String>> rows) {
    int columns = rows.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < columns; i++) {
        String pad = " ".repeat(widths[i] - row.get(i).length());
        line.append(i == 0 ? row.get(i) + pad : "  " + pad + row.get(i));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
