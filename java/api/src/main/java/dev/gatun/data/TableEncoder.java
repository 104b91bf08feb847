package dev.gatun.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Rows of a table as inputs of a network: numbers, with something in the place of those that are
/// missing, and for each category a column of zeros and ones (one-hot). What fills gaps, and which
/// categories there are, is learnt from training rows and then the same for all others:
///
/// ```java
/// Table.Split houses =
///     Table.read(Path.of("houses.csv"), Table.Format.csv().header()).split(0.2, 1);
/// TableEncoder encoder =
///     TableEncoder.fit(
///         houses.train(),
///         TableEncoder.numbers("latitude", "area"),
///         TableEncoder.numbers("rooms").missing("NA", "?").fillMedian().indicator(),
///         TableEncoder.categories("town").missingAsCategory().unknownAsZeros());
/// Net net = Net.input(encoder.features()).dense(32).relu().dense(1);
/// float[] inputs = encoder.apply(houses.train());
/// encoder.save(Path.of("houses.encoder.csv"));
/// ```
///
/// A field is missing if it is empty or has one of the spellings that were declared; without a word
/// on what becomes of it, it is refused, as a category is that no training row has. White space
/// around a field does not count. Numbers keep their scale; for that, a [FeatureScaler] is fitted
/// on what comes out here.
///
/// | elsewhere | here |
/// |---|---|
/// | scikit-learn's `SimpleImputer(strategy=...)` | [Numbers#fillMean], [Numbers#fillMedian], [Numbers#fillMostFrequent], [Numbers#fill] |
/// | its `add_indicator=True` | [Numbers#indicator], whether or not training rows have gaps |
/// | its `OneHotEncoder`, `handle_unknown="ignore"` | [#categories], [Categories#unknownAsZeros] |
/// | pandas' `get_dummies`, `dummy_na=True` | [Categories#missingAsZeros], [Categories#missingAsCategory] |
/// | pandas' `na_values` | [Numbers#missing], [Categories#missing] |
///
/// A model's file does not hold it; it has one of its own, [#save]. Immutable.
public final class TableEncoder {
  private final List<EncodedColumn> columns;
  private final List<String> featureNames;

  private TableEncoder(List<EncodedColumn> columns) {
    this.columns = List.copyOf(columns);
    this.featureNames = columns.stream().flatMap(column -> column.features().stream()).toList();
  }

  /// What an encoder takes of a table: [#numbers] or [#categories].
  public sealed interface Columns {}

  /// What fills gaps.
  private enum Fill {
    NONE,
    MEAN,
    MEDIAN,
    MOST_FREQUENT,
    CONSTANT
  }

  /// Columns of numbers: each becomes one feature, or two with an indicator. Immutable.
  public static final class Numbers implements Columns {
    private final List<String> columns;
    private final Set<String> missing;
    private final Fill fill;
    private final float constant;
    private final boolean indicator;

    private Numbers(
        List<String> columns, Set<String> missing, Fill fill, float constant, boolean indicator) {
      this.columns = columns;
      this.missing = missing;
      this.fill = fill;
      this.constant = constant;
      this.indicator = indicator;
    }

    /// The same where fields with one of `spellings` are missing, as empty ones are.
    public Numbers missing(String... spellings) {
      return new Numbers(columns, stripped(spellings), fill, constant, indicator);
    }

    /// The same with the mean of the column's training rows for gaps.
    public Numbers fillMean() {
      return filled(Fill.MEAN, 0);
    }

    /// The same with the median of the column's training rows for gaps; of an even number of them,
    /// what is halfway between the two in the middle.
    public Numbers fillMedian() {
      return filled(Fill.MEDIAN, 0);
    }

    /// The same with the most frequent number of the column's training rows for gaps; of several,
    /// the smallest.
    public Numbers fillMostFrequent() {
      return filled(Fill.MOST_FREQUENT, 0);
    }

    /// The same with `constant` for gaps.
    ///
    /// @throws IllegalArgumentException when it is not finite
    public Numbers fill(float constant) {
      if (!Float.isFinite(constant)) {
        throw new IllegalArgumentException(
            "[table encoder] a finite number to fill gaps with expected, found " + constant);
      }
      return filled(Fill.CONSTANT, constant);
    }

    /// The same with a second feature behind each, 1 where the number is missing and 0 elsewhere.
    public Numbers indicator() {
      return new Numbers(columns, missing, fill, constant, true);
    }

    private Numbers filled(Fill newFill, float newConstant) {
      return new Numbers(columns, missing, newFill, newConstant, indicator);
    }

    private EncodedColumn fit(Table train, String column) {
      return new EncodedColumn.Numeric(column, learnt(train, column), indicator, missing);
    }

    private @Nullable Float learnt(Table train, String column) {
      return switch (fill) {
        case NONE -> null;
        case CONSTANT -> constant;
        case MEAN ->
            (float) Arrays.stream(present(train, column, "the mean")).average().orElseThrow();
        case MEDIAN -> median(present(train, column, "the median"));
        case MOST_FREQUENT -> mostFrequent(present(train, column, "the most frequent"));
      };
    }

    /// The numbers that are not missing, sorted.
    private double[] present(Table train, String column, String what) {
      double[] numbers =
          rowsWith(train, column, missing).mapToDouble(row -> train.number(row, column)).toArray();
      if (numbers.length == 0) {
        throw train.problem(
            "column %s: at least one number to learn %s from expected, found none in %d rows"
                .formatted(column, what, train.size()));
      }
      Arrays.sort(numbers);
      return numbers;
    }

    private static float median(double[] sorted) {
      int half = sorted.length / 2;
      return (float)
          (sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2);
    }

    private static float mostFrequent(double[] sorted) {
      int longest = 0;
      double found = sorted[0];
      for (int i = 0, start = 0; i < sorted.length; i++) {
        start = sorted[i] == sorted[start] ? start : i;
        if (i - start + 1 > longest) {
          longest = i - start + 1;
          found = sorted[i];
        }
      }
      return (float) found;
    }
  }

  /// Columns of categories: each becomes a feature for every category of its training rows, sorted
  /// as strings are, which is 1 where a row has it and 0 elsewhere. Immutable.
  public static final class Categories implements Columns {
    private final List<String> columns;
    private final Set<String> missing;
    private final EncodedColumn.Gap gap;
    private final boolean unknownAsZeros;

    private Categories(
        List<String> columns, Set<String> missing, EncodedColumn.Gap gap, boolean unknownAsZeros) {
      this.columns = columns;
      this.missing = missing;
      this.gap = gap;
      this.unknownAsZeros = unknownAsZeros;
    }

    /// The same where fields with one of `spellings` are missing, as empty ones are.
    public Categories missing(String... spellings) {
      return new Categories(columns, stripped(spellings), gap, unknownAsZeros);
    }

    /// The same with a category of its own for what is missing, behind the others, whether or not
    /// training rows have gaps.
    public Categories missingAsCategory() {
      return new Categories(columns, missing, EncodedColumn.Gap.CATEGORY, unknownAsZeros);
    }

    /// The same with zeros everywhere for what is missing.
    public Categories missingAsZeros() {
      return new Categories(columns, missing, EncodedColumn.Gap.ZEROS, unknownAsZeros);
    }

    /// The same with zeros everywhere for categories that no training row has.
    public Categories unknownAsZeros() {
      return new Categories(columns, missing, gap, true);
    }

    private EncodedColumn fit(Table train, String column) {
      TreeSet<String> found = new TreeSet<>();
      rowsWith(train, column, missing)
          .forEach(row -> found.add(EncodedColumn.text(train, row, column)));
      if (found.isEmpty()) {
        throw train.problem(
            "column %s: at least one category expected, found none in %d rows"
                .formatted(column, train.size()));
      }
      return EncodedColumn.Categorical.of(column, List.copyOf(found), gap, unknownAsZeros, missing);
    }
  }

  /// Columns of numbers, as they are; gaps are refused.
  ///
  /// @throws IllegalArgumentException when there is no column
  public static Numbers numbers(String... columns) {
    requireSome((Object[]) columns);
    return new Numbers(List.of(columns), Set.of(), Fill.NONE, 0, false);
  }

  /// Columns of categories; gaps and categories that no training row has are refused.
  ///
  /// @throws IllegalArgumentException when there is no column
  public static Categories categories(String... columns) {
    requireSome((Object[]) columns);
    return new Categories(List.of(columns), Set.of(), EncodedColumn.Gap.REFUSED, false);
  }

  /// An encoder of these columns, in this order, that has learnt from `train`.
  ///
  /// @throws IllegalArgumentException when the table has no such column, one is named twice, none
  ///   is, or an indicator is asked for without a fill
  /// @throws DataFormatException when a field is refused, or a column has nothing to learn from;
  ///   the message names it
  public static TableEncoder fit(Table train, Columns... columns) {
    requireSome((Object[]) columns);
    Set<String> taken = new HashSet<>();
    List<EncodedColumn> fitted = new ArrayList<>();
    for (Columns some : columns) {
      List<String> names =
          switch (some) {
            case Numbers numbers -> numbers.columns;
            case Categories categories -> categories.columns;
          };
      if (some instanceof Numbers numbers && numbers.indicator && numbers.fill == Fill.NONE) {
        throw new IllegalArgumentException(
            "[table encoder] an indicator for numbers with a fill expected, found none for "
                + names);
      }
      for (String name : names) {
        if (!taken.add(name)) {
          throw new IllegalArgumentException(
              "[table encoder] columns that stand once expected, found " + name + " twice");
        }
        fitted.add(
            switch (some) {
              case Numbers numbers -> numbers.fit(train, name);
              case Categories categories -> categories.fit(train, name);
            });
      }
    }
    TableEncoder encoder = new TableEncoder(fitted);
    float[] input = new float[encoder.features()];
    for (int row = 0; row < train.size(); row++) {
      encoder.write(train, row, input, 0); // refuses now what would be refused later
    }
    return encoder;
  }

  /// How many numbers a row becomes.
  public int features() {
    return featureNames.size();
  }

  /// What these numbers are: "area" for a number, "rooms=" for an indicator that it is missing,
  /// "town=Oslo" for a category, and "town=" for the one that it is missing.
  public List<String> featureNames() {
    return featureNames;
  }

  /// The categories of a column, in the order of their features, without the one for what is
  /// missing.
  ///
  /// @throws IllegalArgumentException when it is no column of categories
  public List<String> categoriesOf(String column) {
    return categorical().stream()
        .filter(categorical -> categorical.column().equals(column))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "[table encoder] a column of categories expected, found " + column))
        .categories();
  }

  /// The inputs of a network, `[size, features]`, row by row. Other columns of the table do not
  /// matter.
  ///
  /// @throws IllegalArgumentException when the table lacks a column
  /// @throws DataFormatException when a field is refused; the message names it
  public float[] apply(Table table) {
    float[] inputs = new float[Math.multiplyExact(table.size(), features())];
    for (int row = 0; row < table.size(); row++) {
      write(table, row, inputs, row * features());
    }
    return inputs;
  }

  /// The columns of categories as tokens, `[size, columns of categories]`, for networks that begin
  /// with `Net.tokens(columns).embedding(encoder.vocabulary(), units)`: a code counts the features
  /// of columns of categories in front of that which is 1. Where all are zeros it is -1, for which
  /// an embedding has zeros.
  ///
  /// A network takes tokens or numbers. With numbers beside them, categories belong into [#apply]:
  /// a dense layer on it learns a vector for each, as an embedding does.
  ///
  /// @throws IllegalStateException when there is no column of categories
  /// @throws IllegalArgumentException when the table lacks a column
  /// @throws DataFormatException when a field is refused; the message names it
  public int[] codes(Table table) {
    List<EncodedColumn.Categorical> categorical = categorical();
    if (categorical.isEmpty()) {
      throw new IllegalStateException(
          "[table encoder] a column of categories expected, found numbers alone");
    }
    int[] codes = new int[Math.multiplyExact(table.size(), categorical.size())];
    int at = 0;
    for (int row = 0; row < table.size(); row++) {
      int first = 0;
      for (EncodedColumn.Categorical column : categorical) {
        int place = column.place(table, row);
        codes[at++] = place < 0 ? -1 : first + place;
        first += column.size();
      }
    }
    return codes;
  }

  /// How many [#codes] there are.
  public int vocabulary() {
    return categorical().stream().mapToInt(EncodedColumn.Categorical::size).sum();
  }

  /// Writes all that it has learnt to a file, to be kept beside a model's: a CSV file with the
  /// columns column, is and value.
  ///
  /// @throws IOException when it cannot be written
  public void save(Path file) throws IOException {
    EncoderFile.write(file, columns, features());
  }

  /// What was saved.
  ///
  /// @throws DataFormatException when the file cannot be read or is not of an encoder; the message
  ///   names the line
  public static TableEncoder load(Path file) {
    return new TableEncoder(EncoderFile.read(file));
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof TableEncoder encoder && columns.equals(encoder.columns);
  }

  @Override
  public int hashCode() {
    return columns.hashCode();
  }

  @Override
  public String toString() {
    return "table encoder of %d columns, %d features".formatted(columns.size(), features());
  }

  private void write(Table table, int row, float[] target, int offset) {
    int at = offset;
    for (EncodedColumn column : columns) {
      column.write(table, row, target, at);
      at += column.size();
    }
  }

  private List<EncodedColumn.Categorical> categorical() {
    return columns.stream()
        .filter(EncodedColumn.Categorical.class::isInstance)
        .map(EncodedColumn.Categorical.class::cast)
        .toList();
  }

  /// The rows where a column is not missing.
  private static IntStream rowsWith(Table table, String column, Set<String> missing) {
    return IntStream.range(0, table.size())
        .filter(row -> !EncodedColumn.isMissing(EncodedColumn.text(table, row, column), missing));
  }

  private static Set<String> stripped(String... spellings) {
    return Set.copyOf(Arrays.stream(spellings).map(String::strip).toList());
  }

  private static void requireSome(Object... columns) {
    if (columns.length == 0) {
      throw new IllegalArgumentException(
          "[table encoder] at least one column expected, found none");
    }
  }
}
