package dev.gatun.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// A [TableEncoder] as a table: a line for each thing that is known of a column, and the number of
/// features at the end, by which a file that was cut off is known.
///
/// ```
/// column,is,value
/// rooms,numbers,
/// rooms,fill,3.5
/// town,categories,
/// town,category,Bergen
/// town,category,Oslo
/// ,features,3
/// ```
final class EncoderFile {
  private static final List<String> HEADER = List.of("column", "is", "value");
  private static final String END = "features";

  private final Table table;
  private int row;

  private EncoderFile(Table table) {
    this.table = table;
  }

  static void write(Path file, List<EncodedColumn> columns, int features) throws IOException {
    StringBuilder text = new StringBuilder();
    append(text, HEADER);
    for (EncodedColumn column : columns) {
      for (List<String> fact : column.facts()) {
        append(text, List.of(column.column(), fact.get(0), fact.get(1)));
      }
    }
    append(text, List.of("", END, String.valueOf(features)));
    Files.writeString(file, text);
  }

  static List<EncodedColumn> read(Path file) {
    Table table = Table.read(file, Table.Format.csv().header());
    if (!table.columns().equals(HEADER)) {
      throw table.problem(
          "columns " + HEADER + " of a table encoder expected, found " + table.columns());
    }
    return new EncoderFile(table).columns();
  }

  private static void append(StringBuilder text, List<String> fields) {
    String comma = "";
    for (String field : fields) {
      boolean plain = field.chars().noneMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
      text.append(comma).append(plain ? field : '"' + field.replace("\"", "\"\"") + '"');
      comma = ",";
    }
    text.append('\n');
  }

  private List<EncodedColumn> columns() {
    List<EncodedColumn> columns = new ArrayList<>();
    int features = 0;
    while (row < table.size() && !is().equals(END)) {
      EncodedColumn column =
          switch (is()) {
            case "numbers" -> numeric();
            case "categories" -> categorical();
            default -> throw table.problem(row, "is", "numbers or categories");
          };
      columns.add(column);
      features += column.size();
    }
    if (row != table.size() - 1) {
      throw table.problem("the number of features in the last line expected, found none");
    }
    if (!value().equals(String.valueOf(features))) {
      throw table.problem(row, "value", features + ", the number of features,");
    }
    return columns;
  }

  private EncodedColumn numeric() {
    String column = table.text(row, "column");
    Set<String> missing = new LinkedHashSet<>();
    Float fill = null;
    boolean indicator = false;
    while (goesOn(column)) {
      switch (is()) {
        case "missing" -> missing.add(value());
        case "fill" -> fill = table.number(row, "value");
        case "indicator" -> indicator = true;
        default -> throw table.problem(row, "is", "missing, fill or indicator");
      }
    }
    return new EncodedColumn.Numeric(column, fill, indicator, Set.copyOf(missing));
  }

  private EncodedColumn categorical() {
    String column = table.text(row, "column");
    Set<String> categories = new LinkedHashSet<>();
    Set<String> missing = new LinkedHashSet<>();
    EncodedColumn.Gap gap = EncodedColumn.Gap.REFUSED;
    boolean unknownAsZeros = false;
    while (goesOn(column)) {
      switch (is()) {
        case "category" -> {
          if (!categories.add(value())) {
            throw table.problem(row, "value", "a category that stands once");
          }
        }
        case "missing" -> missing.add(value());
        case "missing as" ->
            gap =
                switch (value()) {
                  case "category" -> EncodedColumn.Gap.CATEGORY;
                  case "zeros" -> EncodedColumn.Gap.ZEROS;
                  default -> throw table.problem(row, "value", "category or zeros");
                };
        case "unknown as" -> {
          if (!value().equals("zeros")) {
            throw table.problem(row, "value", "zeros");
          }
          unknownAsZeros = true;
        }
        default -> throw table.problem(row, "is", "category, missing, missing as or unknown as");
      }
    }
    if (categories.isEmpty()) {
      throw table.problem(Math.min(row, table.size() - 1), "is", "category");
    }
    return EncodedColumn.Categorical.of(
        column, List.copyOf(categories), gap, unknownAsZeros, Set.copyOf(missing));
  }

  /// Goes to the next line; whether that is about the same column.
  private boolean goesOn(String column) {
    row++;
    if (row == table.size()
        || is().equals(END)
        || is().equals("numbers")
        || is().equals("categories")) {
      return false;
    }
    if (!table.text(row, "column").equals(column)) {
      throw table.problem(row, "column", column);
    }
    return true;
  }

  private String is() {
    return table.text(row, "is");
  }

  private String value() {
    return table.text(row, "value");
  }
}
