package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Rows of text with named columns, from a CSV file or from memory:
///
/// ```java
/// Table housing = Table.read(Path.of("california_housing.csv"), Table.Format.csv().header())
///     .withoutMissing("total_bedrooms");
/// float[] inputs = housing.numbers("longitude", "latitude", "median_income");
/// FeatureScaler scaler = FeatureScaler.standardize(Samples.of(inputs, 3));
/// ```
///
/// Immutable. Numbers are read when they are asked for, so that columns of text do no harm. What is
/// empty or a category becomes numbers by a [TableEncoder].
public final class Table {
  private static final long PURPOSE = 0x7461626c65L; // "table"

  private final Path file;
  private final List<String> columns;
  private final List<CsvReader.Row> rows;
  private final Map<String, Integer> places = new HashMap<>();

  private Table(Path file, List<String> columns, List<CsvReader.Row> rows) {
    this.file = file;
    this.columns = List.copyOf(columns);
    this.rows = List.copyOf(rows);
    for (String column : columns) {
      if (places.put(column, places.size()) != null) {
        throw new DataFormatException(file, "the column " + column + " stands twice in the header");
      }
    }
  }

  /// How a file is written. Fields may be in quotes, and then hold separators, line ends and
  /// doubled quotes (RFC 4180); lines of nothing but white space are passed over; the file may be
  /// packed with gzip.
  ///
  /// @param separator between fields; a blank stands for any number of blanks and tabs
  /// @param skipped lines in front that are not read
  /// @param hasHeader whether the first line after those holds the names of the columns; else they
  ///   are called "0", "1", ...
  public record Format(char separator, int skipped, boolean hasHeader) {
    /// @throws IllegalArgumentException when `skipped` is negative or the separator is a quote or a
    ///   line end
    public Format {
      if (skipped < 0 || separator == '"' || separator == '\n' || separator == '\r') {
        throw new IllegalArgumentException(
            "[table] at least 0 skipped lines and a separator that is no quote or line end"
                + " expected, found "
                + skipped
                + " and '"
                + separator
                + "'");
      }
    }

    /// Commas, without a header.
    public static Format csv() {
      return new Format(',', 0, false);
    }

    /// Any number of blanks and tabs, without a header.
    public static Format blanks() {
      return new Format(' ', 0, false);
    }

    /// The same with another separator.
    public Format separator(char newSeparator) {
      return new Format(newSeparator, skipped, hasHeader);
    }

    /// The same with the names of the columns in the first line.
    public Format header() {
      return new Format(separator, skipped, true);
    }

    /// The same with lines in front that are not read.
    public Format skip(int lines) {
      return new Format(separator, lines, hasHeader);
    }
  }

  /// Reads `file`.
  ///
  /// @throws DataFormatException when it cannot be read, has no rows, a row has more or fewer
  ///   fields than the first, or quotes are wrong; the message names the line
  public static Table read(Path file, Format format) {
    CsvReader reader = new CsvReader(file, format.separator());
    for (int i = 0; i < format.skipped(); i++) {
      reader.skipLine();
    }
    List<CsvReader.Row> rows = reader.rows();
    if (rows.size() < (format.hasHeader() ? 2 : 1)) {
      throw new DataFormatException(file, "at least one row expected, found none");
    }
    int width = rows.getFirst().fields().size();
    for (CsvReader.Row row : rows) {
      if (row.fields().size() != width) {
        throw new DataFormatException(
            file,
            "line "
                + row.line()
                + ": "
                + width
                + " fields expected as in line "
                + rows.getFirst().line()
                + ", found "
                + row.fields().size());
      }
    }
    return format.hasHeader()
        ? new Table(file, rows.getFirst().fields(), rows.subList(1, rows.size()))
        : new Table(file, MemoryDataset.numbered(width), rows);
  }

  /// Rows from memory, such as those of a data base or of a request that asks for predictions:
  ///
  /// ```java
  /// Table house = Table.of(List.of("area", "town"), List.of(List.of("120", "Oslo")));
  /// ```
  ///
  /// Messages call them "rows in memory", and count lines from 1.
  ///
  /// @param columns their names
  /// @param rows a field for each column; null is an empty one
  /// @throws DataFormatException when there are no rows, a row has more or fewer fields than there
  ///   are columns, or a column stands twice
  public static Table of(
      List<String> columns, List<? extends List<? extends @Nullable String>> rows) {
    Path memory = Path.of("rows in memory");
    if (rows.isEmpty()) {
      throw new DataFormatException(memory, "at least one row expected, found none");
    }
    List<CsvReader.Row> lines = new ArrayList<>();
    for (List<? extends @Nullable String> row : rows) {
      int line = lines.size() + 1;
      if (row.size() != columns.size()) {
        throw new DataFormatException(
            memory,
            "line %d: %d fields expected, one for each column, found %d"
                .formatted(line, columns.size(), row.size()));
      }
      List<String> fields = new ArrayList<>();
      for (String field : row) {
        fields.add(field == null ? "" : field);
      }
      lines.add(new CsvReader.Row(line, List.copyOf(fields)));
    }
    return new Table(memory, columns, lines);
  }

  /// The number of rows.
  public int size() {
    return rows.size();
  }

  /// The names of the columns.
  public List<String> columns() {
    return columns;
  }

  /// A field as it stands in the file.
  ///
  /// @throws IllegalArgumentException when there is no such column
  /// @throws IndexOutOfBoundsException when `row` is not in `[0, size())`
  public String text(int row, String column) {
    return rows.get(row).fields().get(place(column));
  }

  /// The numbers of some columns row by row: `[size, columns]`.
  ///
  /// @throws IllegalArgumentException when there is no such column, or none is asked for
  /// @throws DataFormatException when a field is empty or not a finite number; the message names it
  public float[] numbers(String... wanted) {
    if (wanted.length == 0) {
      throw new IllegalArgumentException("[table] at least one column expected, found none");
    }
    int[] from = Arrays.stream(wanted).mapToInt(this::place).toArray();
    float[] numbers = new float[Math.multiplyExact(rows.size(), wanted.length)];
    int to = 0;
    for (CsvReader.Row row : rows) {
      for (int j : from) {
        numbers[to++] = number(row, j);
      }
    }
    return numbers;
  }

  /// The names of all columns but `left`.
  ///
  /// @throws IllegalArgumentException when there is no such column
  public String[] columnsExcept(String... left) {
    Set<Integer> out = new HashSet<>();
    for (String column : left) {
      out.add(place(column));
    }
    return IntStream.range(0, columns.size())
        .filter(j -> !out.contains(j))
        .mapToObj(columns::get)
        .toArray(String[]::new);
  }

  /// The labels of a column of whole numbers.
  ///
  /// @throws IllegalArgumentException when there is no such column
  /// @throws DataFormatException when a field is not a whole number from 0 to 2147483646; the
  ///   message names it
  public int[] labels(String column) {
    int place = place(column);
    return rows.stream()
        .mapToInt(
            row -> {
              double number = wide(row, place); // a float has not all whole numbers
              if (!(number >= 0 && number < Integer.MAX_VALUE && number == (int) number)) {
                throw problem(row, place, "a whole number from 0 to " + (Integer.MAX_VALUE - 1));
              }
              return (int) number;
            })
        .toArray();
  }

  /// The labels of a column of names: the place of each in `classNames`.
  ///
  /// @throws IllegalArgumentException when there is no such column
  /// @throws DataFormatException when a field is not one of `classNames`; the message names it
  public int[] labels(String column, List<String> classNames) {
    int place = place(column);
    return rows.stream()
        .mapToInt(
            row -> {
              int label = classNames.indexOf(row.fields().get(place));
              if (label < 0) {
                throw problem(row, place, "one of " + classNames);
              }
              return label;
            })
        .toArray();
  }

  /// The different texts of a column, sorted.
  ///
  /// @throws IllegalArgumentException when there is no such column
  public List<String> distinct(String column) {
    int place = place(column);
    return rows.stream().map(row -> row.fields().get(place)).distinct().sorted().toList();
  }

  /// The rows without an empty field in `checked`, or in any column if none is given.
  ///
  /// @throws IllegalArgumentException when there is no such column
  /// @throws DataFormatException when no row is left
  public Table withoutMissing(String... checked) {
    int[] places =
        checked.length == 0
            ? IntStream.range(0, columns.size()).toArray()
            : Arrays.stream(checked).mapToInt(this::place).toArray();
    List<CsvReader.Row> whole =
        rows.stream()
            .filter(row -> IntStream.of(places).noneMatch(j -> row.fields().get(j).isBlank()))
            .toList();
    if (whole.isEmpty()) {
      throw new DataFormatException(file, "a row without empty fields expected, found none");
    }
    return new Table(file, columns, whole);
  }

  /// The rows at `indices`, in that order: to cut a table into training and test.
  ///
  /// @throws IndexOutOfBoundsException when an index is not in `[0, size())`
  public Table rows(int... indices) {
    List<CsvReader.Row> chosen = new ArrayList<>();
    for (int index : indices) {
      chosen.add(rows.get(index));
    }
    return new Table(file, columns, chosen);
  }

  /// Two parts of a table.
  ///
  /// @param train to learn from, and to fit a [TableEncoder] on
  /// @param heldOut the rest, to measure on
  public record Split(Table train, Table heldOut) {}

  /// Cut in two at random, of which the second part is this share of the whole.
  ///
  /// @param seed the same seed gives the same parts
  /// @throws IllegalArgumentException when a part would be empty
  public Split split(double heldOut, long seed) {
    int[] order = IntStream.range(0, size()).toArray();
    int cut = size() - (int) Math.round(heldOut * size());
    if (!(cut > 0 && cut < size())) {
      throw new IllegalArgumentException(
          "[table] expected a share that leaves some of %d rows in both parts, found %s"
              .formatted(size(), heldOut));
    }
    new RandomStream(Philox.derive(seed, PURPOSE), 0).shuffle(order);
    return new Split(rows(Arrays.copyOf(order, cut)), rows(Arrays.copyOfRange(order, cut, size())));
  }

  /// A field as a number.
  ///
  /// @throws DataFormatException when it is empty or not a finite number; the message names it
  float number(int row, String column) {
    return number(rows.get(row), place(column));
  }

  /// What is wrong with a field.
  DataFormatException problem(int row, String column, String expected) {
    return problem(rows.get(row), place(column), expected);
  }

  /// What is wrong with the table as a whole.
  DataFormatException problem(String problem) {
    return new DataFormatException(file, problem);
  }

  private int place(String column) {
    Integer place = places.get(column);
    if (place == null) {
      throw new IllegalArgumentException(
          "[table] a column of " + columns + " expected, found " + column);
    }
    return place;
  }

  /// NaN if it is no number.
  private static double wide(CsvReader.Row row, int place) {
    String field = row.fields().get(place).strip();
    try {
      return isDecimal(field) ? Double.parseDouble(field) : Double.NaN;
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  /// Java takes more for numbers than tables do: `1f`, `0x1p3`.
  private static boolean isDecimal(String field) {
    return field.chars().allMatch(c -> "0123456789+-.eE".indexOf(c) >= 0);
  }

  private float number(CsvReader.Row row, int place) {
    String field = row.fields().get(place).strip();
    try {
      float number = isDecimal(field) ? Float.parseFloat(field) : Float.NaN;
      if (Float.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw problem(row, place, "a finite number");
  }

  private DataFormatException problem(CsvReader.Row row, int place, String expected) {
    String field = row.fields().get(place);
    return new DataFormatException(
        file,
        "line "
            + row.line()
            + ", column "
            + columns.get(place)
            + ": "
            + expected
            + " expected, found "
            + (field.isBlank() ? "an empty field" : field));
  }
}
