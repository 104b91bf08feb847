package dev.gatun.data;

import static dev.gatun.data.PreprocessingTest.refused;
import static dev.gatun.data.TableEncoder.categories;
import static dev.gatun.data.TableEncoder.numbers;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.data.Table.Format;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Expected numbers are those of pandas' `get_dummies` and of scikit-learn's `SimpleImputer`, by
/// hand.
class TableEncoderTest {
  @TempDir private Path folder;

  private static Table column(String... fields) {
    return Table.of(List.of("a"), Arrays.stream(fields).map(List::of).toList());
  }

  private static float[] filled(TableEncoder.Numbers numbers, String... fields) {
    Table table = column(fields);
    return TableEncoder.fit(table, numbers).apply(table);
  }

  @Test
  void numbers_withoutGaps_areThoseOfTheTable() {
    Table table = Table.of(List.of("a", "b"), List.of(List.of("1", "-2.5"), List.of("3", "4e1")));
    TableEncoder encoder = TableEncoder.fit(table, numbers("b", "a"));
    assertArrayEquals(table.numbers("b", "a"), encoder.apply(table));
    assertEquals(2, encoder.features());
    assertEquals(List.of("b", "a"), encoder.featureNames());
    assertArrayEquals(new float[] {2, 5, 5}, filled(numbers("a"), "2", "5", "5"));
  }

  @Test
  void gaps_areFilled() {
    assertArrayEquals(
        new float[] {1, 4, 2, 9}, filled(numbers("a").fillMean(), "1", "", "2", "9"), "12 / 3");
    assertArrayEquals(
        new float[] {9, 2, 1, 2}, filled(numbers("a").fillMedian(), "9", "", "1", "2"), "odd");
    assertArrayEquals(
        new float[] {9, 1, 2, 4, 3},
        filled(numbers("a").fillMedian(), "9", "1", "2", "4", ""),
        "even: between the two in the middle");
    assertArrayEquals(
        new float[] {7, 3, 7.0f, 3, 9, 3},
        filled(numbers("a").fillMostFrequent(), "7", "3", "7.0", "3", "9", " "),
        "of two as frequent the smaller one");
    assertArrayEquals(new float[] {1, -7.5f}, filled(numbers("a").fill(-7.5f), "1", "\t"));
    assertArrayEquals(new float[] {4, 4, 4}, filled(numbers("a").fillMedian(), "4", "4", ""));
  }

  /// A sum of floats would be off in the sixth digit.
  @Test
  void means_areThoseOfDoubles() {
    String[] fields = new String[1001];
    Arrays.fill(fields, "0.1");
    fields[1000] = "";
    assertEquals(0.1f, filled(numbers("a").fillMean(), fields)[1000]);
  }

  @Test
  void spellingsOfNothing_areDeclared() {
    assertArrayEquals(
        new float[] {1, 2, 2, 3, 2},
        filled(numbers("a").missing("NA", "?").fillMean(), "1", "NA", " ? ", "3", ""));
    says(
        "line 2, column a: a finite number expected, found NA",
        () -> filled(numbers("a").fillMean(), "1", "NA"));
    says(
        "line 2, column a: a finite number expected, found na",
        () -> filled(numbers("a").missing("NA").fillMean(), "1", "na"));
    says(
        "line 2, column a: a finite number expected, found NA",
        () -> filled(numbers("a").missing("NA"), "1", "NA"));
    says(
        "line 2, column a: a finite number expected, found an empty field",
        () -> filled(numbers("a"), "1", ""));
  }

  /// It is there whether or not the training rows have gaps, so that shapes do not depend on them.
  @Test
  void indicator_standsBehindItsNumber() {
    Table train = Table.of(List.of("a", "b"), List.of(List.of("1", "2"), List.of("", "4")));
    TableEncoder encoder = TableEncoder.fit(train, numbers("a", "b").fillMean().indicator());
    assertEquals(List.of("a", "a=", "b", "b="), encoder.featureNames());
    assertArrayEquals(new float[] {1, 0, 2, 0, 1, 1, 4, 0}, encoder.apply(train));
    Table rows = Table.of(List.of("b", "a"), List.of(List.of("", "7")));
    assertArrayEquals(new float[] {7, 0, 3, 1}, encoder.apply(rows), "what training rows taught");
    refused(
        "[table encoder] an indicator for numbers with a fill expected, found none for [a]",
        () -> TableEncoder.fit(train, numbers("a").indicator()));
  }

  /// As `get_dummies(dummy_na=True)`.
  @Test
  void categories_areSortedColumns_withTheMissingOneLast() {
    Table table = column("Oslo", "Bergen", "", "Oslo");
    TableEncoder encoder = TableEncoder.fit(table, categories("a").missingAsCategory());
    assertEquals(List.of("a=Bergen", "a=Oslo", "a="), encoder.featureNames());
    assertEquals(List.of("Bergen", "Oslo"), encoder.categoriesOf("a"));
    assertArrayEquals(new float[] {0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0}, encoder.apply(table));
    assertArrayEquals(new int[] {1, 0, 2, 1}, encoder.codes(table));
    assertEquals(3, encoder.vocabulary());

    TableEncoder zeros = TableEncoder.fit(table, categories("a").missingAsZeros());
    assertArrayEquals(new float[] {0, 1, 1, 0, 0, 0, 0, 1}, zeros.apply(table));
    assertArrayEquals(new int[] {1, 0, -1, 1}, zeros.codes(table));

    TableEncoder spelled =
        TableEncoder.fit(column("x", "NA"), categories("a").missing("NA").missingAsCategory());
    assertEquals(List.of("a=x", "a="), spelled.featureNames());
    TableEncoder whole = TableEncoder.fit(column("x"), categories("a").missingAsCategory());
    assertArrayEquals(new float[] {0, 1}, whole.apply(column("")), "no training row had a gap");
    assertArrayEquals(
        new float[] {1}, TableEncoder.fit(column("x"), categories("a")).apply(column("x")));
  }

  @Test
  void whiteSpaceAround_doesNotCount_andQuotesAreNoneOfAField() {
    Table table = read("a,b\nx y , 1\n\" x y\",\"2\"\n\"p, q\",\"\"\n");
    TableEncoder encoder = TableEncoder.fit(table, categories("a"), numbers("b").fill(0));
    assertEquals(List.of("p, q", "x y"), encoder.categoriesOf("a"));
    assertArrayEquals(new float[] {0, 1, 1, 0, 1, 2, 1, 0, 0}, encoder.apply(table));
  }

  @Test
  void unknownCategories_areRefused_orZeros() {
    Table train = column("b", "a", "b");
    Table rows = column("a", "c");
    says(
        "line 2, column a: one of the training rows' categories [a, b] expected, found c",
        () -> TableEncoder.fit(train, categories("a")).apply(rows));
    says(
        "line 2, column a: one of the training rows' categories [a, b] expected, found c",
        () -> TableEncoder.fit(train, categories("a").missingAsCategory()).codes(rows));
    TableEncoder zeros = TableEncoder.fit(train, categories("a").unknownAsZeros());
    assertArrayEquals(new float[] {1, 0, 0, 0}, zeros.apply(rows));
    assertArrayEquals(new int[] {0, -1}, zeros.codes(rows));
    says(
        "line 1, column a: one of the training rows' categories [a, b] expected, found an empty"
            + " field",
        () -> zeros.apply(column(" ")));
    String[] many = new String[100];
    Arrays.setAll(many, i -> "c" + (100 + i));
    says(
        "one of the training rows' categories [c100, c101, c102, c103, c104, c105, c106, c107,"
            + " c108, c109, ...] (100) expected, found d",
        () -> TableEncoder.fit(column(many), categories("a")).apply(column("d")));
  }

  @Test
  void missingCategories_areRefused_inTrainingToo() {
    says(
        "line 2, column a: one of the training rows' categories [x] expected, found an empty field",
        () -> TableEncoder.fit(column("x", ""), categories("a")));
    says(
        "line 2, column a: one of the training rows' categories [x] expected, found ?",
        () -> TableEncoder.fit(column("x", "?"), categories("a").missing("?").unknownAsZeros()));
  }

  /// Their nets have one vocabulary for all places of a row.
  @Test
  void codes_ofAColumn_beginBehindThoseOfTheOneBefore() {
    Table table =
        Table.of(List.of("a", "n", "b"), List.of(List.of("x", "1", "x"), List.of("y", "2", "")));
    TableEncoder encoder =
        TableEncoder.fit(table, categories("a"), numbers("n"), categories("b").missingAsCategory());
    assertArrayEquals(new int[] {0, 2, 1, 3}, encoder.codes(table));
    assertEquals(4, encoder.vocabulary());
    assertArrayEquals(new float[] {1, 0, 1, 1, 0, 0, 1, 2, 0, 1}, encoder.apply(table));
    TableEncoder numbers = TableEncoder.fit(table, numbers("n"));
    String message =
        String.valueOf(
            assertThrows(IllegalStateException.class, () -> numbers.codes(table)).getMessage());
    assertEquals("[table encoder] a column of categories expected, found numbers alone", message);
  }

  @Test
  void columnsOfNothing_areRefused() {
    says(
        "column a: at least one number to learn the mean from expected, found none in 2 rows",
        () -> filled(numbers("a").fillMean(), "", " "));
    says(
        "column a: at least one number to learn the median from",
        () -> filled(numbers("a").missing("?").fillMedian(), "?"));
    says(
        "column a: at least one number to learn the most frequent from",
        () -> filled(numbers("a").fillMostFrequent(), ""));
    says(
        "column a: at least one category expected, found none in 2 rows",
        () -> TableEncoder.fit(column("", ""), categories("a").missingAsCategory()));
    assertArrayEquals(new float[] {3, 3}, filled(numbers("a").fill(3), "", ""));
  }

  @Test
  void whatMakesNoSense_isRefused() {
    Table table = column("1");
    refused("[table encoder] at least one column expected, found none", TableEncoder::numbers);
    refused("[table encoder] at least one column expected, found none", TableEncoder::categories);
    refused(
        "[table encoder] at least one column expected, found none", () -> TableEncoder.fit(table));
    refused(
        "[table encoder] columns that stand once expected, found a twice",
        () -> TableEncoder.fit(table, numbers("a"), categories("a")));
    refused(
        "[table] a column of [a] expected, found b", () -> TableEncoder.fit(table, numbers("b")));
    refused(
        "[table encoder] a finite number to fill gaps with expected, found NaN",
        () -> numbers("a").fill(Float.NaN));
    TableEncoder encoder = TableEncoder.fit(table, numbers("a"));
    refused(
        "[table] a column of [b] expected, found a",
        () -> encoder.apply(Table.of(List.of("b"), List.of(List.of("1")))));
    refused(
        "[table encoder] a column of categories expected, found a",
        () -> encoder.categoriesOf("a"));
  }

  @Test
  void descriptions_areImmutable() {
    TableEncoder.Numbers plain = numbers("a");
    plain.fillMean().indicator();
    says("found an empty field", () -> filled(plain, "1", ""));
    String[] names = {"a"};
    TableEncoder.Categories categories = categories(names);
    names[0] = "b";
    assertEquals(1, TableEncoder.fit(column("x"), categories).features());
  }

  @Test
  void file_givesTheSameEncoder() throws IOException {
    Table train =
        Table.of(
            List.of("n", "tricky, \"name\"\n", " m", "c"),
            List.of(
                List.of("0.1", "a \"b\"\r\n, c", "1", "x"),
                List.of("", "", "2", "y"),
                List.of("0.4", "é=Ω", "3", "?")));
    TableEncoder encoder =
        TableEncoder.fit(
            train,
            numbers("n").missing("NA", "\"").fillMean().indicator(),
            categories("tricky, \"name\"\n").missingAsCategory().unknownAsZeros(),
            numbers(" m"),
            categories("c").missing("?", "-").missingAsZeros());
    Path file = folder.resolve("encoder.csv");
    encoder.save(file);
    TableEncoder loaded = TableEncoder.load(file);
    assertEquals(encoder, loaded);
    assertEquals(encoder.hashCode(), loaded.hashCode());
    assertEquals(encoder.featureNames(), loaded.featureNames());
    assertArrayEquals(encoder.apply(train), loaded.apply(train));
    assertArrayEquals(encoder.codes(train), loaded.codes(train));
    assertEquals("table encoder of 4 columns, 8 features", loaded.toString());
    assertNotEquals(encoder, TableEncoder.fit(train, numbers(" m")));
    assertThrows(NoSuchFileException.class, () -> encoder.save(folder.resolve("no/encoder.csv")));
  }

  @Test
  void file_isText() throws IOException {
    Table train =
        Table.of(List.of("rooms", "town"), List.of(List.of("3", "a, b"), List.of("4", "")));
    Path file = folder.resolve("encoder.csv");
    TableEncoder.fit(
            train,
            numbers("rooms").missing("NA").fillMean().indicator(),
            categories("town").missingAsZeros().unknownAsZeros())
        .save(file);
    assertEquals(
        """
        column,is,value
        rooms,numbers,
        rooms,missing,NA
        rooms,fill,3.5
        rooms,indicator,
        town,categories,
        town,category,"a, b"
        town,missing as,zeros
        town,unknown as,zeros
        ,features,3
        """,
        Files.readString(file));
  }

  @Test
  void damagedFiles_areRefused() {
    String head = "column,is,value\n";
    damaged("columns [column, is, value] of a table encoder expected, found [a, b]", "a,b\n1,2\n");
    damaged(
        "line 2, column is: numbers or categories expected, found fill",
        head + "a,fill,1\n,features,1\n");
    damaged(
        "line 3, column is: missing, fill or indicator expected, found category",
        head + "a,numbers,\na,category,x\n,features,1\n");
    damaged(
        "line 3, column is: category, missing, missing as or unknown as expected, found fill",
        head + "a,categories,\na,fill,2\n,features,1\n");
    damaged(
        "line 3, column column: a expected, found b", head + "a,numbers,\nb,fill,2\n,features,1\n");
    damaged(
        "line 3, column value: a finite number expected, found x",
        head + "a,numbers,\na,fill,x\n,features,1\n");
    damaged(
        "line 4, column value: category or zeros expected, found refused",
        head + "a,categories,\na,category,x\na,missing as,refused\n,features,1\n");
    damaged(
        "line 4, column value: a category that stands once expected, found x",
        head + "a,categories,\na,category,x\na,category,x\n,features,1\n");
    damaged(
        "line 3, column is: category expected, found features",
        head + "a,categories,\n,features,0\n");
    damaged("the number of features in the last line expected, found none", head + "a,numbers,\n");
    damaged(
        "line 3, column value: 1, the number of features, expected, found 2",
        head + "a,numbers,\n,features,2\n");
    says("cannot be read", () -> TableEncoder.load(folder.resolve("none.csv")));
  }

  private void damaged(String part, String text) {
    Path file = folder.resolve("damaged.csv");
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    says(part, () -> TableEncoder.load(file));
  }

  @Test
  void california_hasFiveCategories_and207Gaps() {
    Path tabular = TestData.folder("tabular");
    Table housing = Table.read(tabular.resolve("california_housing.csv"), Format.csv().header());
    TableEncoder encoder =
        TableEncoder.fit(
            housing,
            numbers("total_bedrooms").fillMedian().indicator(),
            categories("ocean_proximity"));
    assertEquals(
        List.of("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"),
        encoder.categoriesOf("ocean_proximity"));
    float[] inputs = encoder.apply(housing);
    double[] sums = new double[7];
    for (int i = 0; i < inputs.length; i++) {
      sums[i % 7] += inputs[i];
    }
    assertArrayEquals(
        new double[] {207, 9136, 6551, 5, 2290, 2658}, Arrays.copyOfRange(sums, 1, 7));
    for (int i = 0; i < inputs.length; i += 7) {
      assertTrue(inputs[i + 1] == 0 || inputs[i] == 435, "scikit-learn's median");
    }
  }

  private Table read(String text) {
    try {
      return Table.read(
          Files.write(folder.resolve("table.csv"), text.getBytes(UTF_8)), Format.csv().header());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void says(String part, Runnable action) {
    Messages.assertSays(assertThrows(DataFormatException.class, action::run), part);
  }
}
