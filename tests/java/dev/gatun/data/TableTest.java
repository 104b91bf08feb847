package dev.gatun.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.data.Table.Format;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TableTest {
  @TempDir Path folder;

  @Test
  void quotes_lineEnds_andEmptyFields() throws IOException {
    Table table =
        read("name,size\r\n\"a, \"\"b\"\"\nc\",1\r\n,-2.5e1\r\n\r\nd,3", Format.csv().header());
    assertEquals(List.of("name", "size"), table.columns());
    assertEquals(3, table.size());
    assertEquals("a, \"b\"\nc", table.text(0, "name"));
    assertEquals("", table.text(1, "name"));
    assertArrayEquals(new float[] {1, -25, 3}, table.numbers("size"));
    assertEquals(2, table.withoutMissing().size());
    assertArrayEquals(new float[] {3, 1}, table.rows(2, 0).numbers("size"));
    assertEquals(List.of("", "a, \"b\"\nc", "d"), table.distinct("name"));
    assertArrayEquals(new int[] {1, 0}, table.rows(2, 1).labels("name", List.of("", "d")));
  }

  @Test
  void blanks_separateOnce() throws IOException {
    Table table = read("  1 \t 2\n3   4  \n", Format.blanks());
    assertArrayEquals(new float[] {1, 2, 3, 4}, table.numbers("0", "1"));
    assertArrayEquals(
        new float[] {5, 6}, read("5;6", Format.csv().separator(';')).numbers("0", "1"));
  }

  @Test
  void numbers_asTablesWriteThem() throws IOException {
    Table table = read("+1.5,1e+3, -.5,2E-1\n", Format.csv());
    assertArrayEquals(new float[] {1.5f, 1000, -.5f, .2f}, table.numbers("0", "1", "2", "3"));
    assertArrayEquals(new int[] {7}, read("+7", Format.csv()).labels("0"));
  }

  /// Such lines stand at the ends of files that people have edited.
  @Test
  void linesOfWhiteSpace_arePassedOver() throws IOException {
    Table table = read("a,b\n1,2\n  \t \r\n\t\n3,4\n   ", Format.csv().header());
    assertArrayEquals(new float[] {1, 2, 3, 4}, table.numbers("a", "b"));
    assertArrayEquals(new float[] {1, 3}, read("1\n \n3\n", Format.csv()).numbers("0"));
    assertArrayEquals(
        new float[] {1, 2, 3, 4}, read("1 2\n \t\n3 4\n \n", Format.blanks()).numbers("0", "1"));
    Table tabs = read("1\t2\n\t\n \n", Format.csv().separator('\t'));
    assertEquals(2, tabs.size(), "a tab stands between two empty fields");
    assertEquals("", tabs.text(1, "1"));
    fails("line 4: 2 fields expected as in line 1, found 1", "1,2\n \n \n3\n", Format.csv());
  }

  @Test
  void errors_sayWhere() throws IOException {
    fails("line 3: 2 fields expected as in line 1, found 3", "a,b\n1,2\n1,2,3\n", Format.csv());
    fails("line 2: the quotes that are opened here are not closed", "1,2\n3,\"4\n5", Format.csv());
    fails("line 1: quotes around the whole field", "1,a\"b\"\n", Format.csv());
    fails("line 1: a separator expected behind quotes, found x", "\"1\"x,2\n", Format.csv());
    fails("at least one row expected, found none", "a,b\n", Format.csv().header());
    fails("at least one row expected, found none", "", Format.csv());
    fails("the column a stands twice", "a,a\n1,2\n", Format.csv().header());
    Table table = read("a,b\n1,x\n,3\n", Format.csv().header());
    says("line 2, column b: a finite number expected, found x", () -> table.numbers("b"));
    says(
        "line 3, column a: a finite number expected, found an empty field",
        () -> table.numbers("a"));
    // Numbers of Java, but of no table.
    for (String number : List.of("1f", "2D", "0x1p3", "NaN", "Infinity", "\u0661")) {
      says("expected, found " + number, () -> read(number, Format.csv()).numbers("0"));
      says("expected, found " + number, () -> read(number, Format.csv()).labels("0"));
    }
    says("line 2, column b: one of [3] expected, found x", () -> table.labels("b", List.of("3")));
    says(
        "a whole number from 0 to 2147483646 expected, found 1.5",
        () -> read("1.5", Format.csv()).labels("0"));
    says(
        "a whole number from 0 to 2147483646 expected, found 2147483647",
        () -> read("2147483647", Format.csv()).labels("0"));
    says(
        "a whole number from 0 to 2147483646 expected, found an empty field",
        () -> read("1,\n", Format.csv()).labels("1"));
    PreprocessingTest.refused("a column of [a, b] expected, found c", () -> table.numbers("c"));
    PreprocessingTest.refused("at least one column", table::numbers);
    PreprocessingTest.refused("found -1", () -> Format.csv().skip(-1));
    Path binary = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe, 1});
    says("text in UTF-8 expected", () -> Table.read(binary, Format.csv()));
    says("cannot be read", () -> Table.read(folder.resolve("none.csv"), Format.csv()));
  }

  @Test
  void realTables() {
    Path tabular = TestData.folder("tabular");
    Table iris = Table.read(tabular.resolve("iris.csv"), Format.csv().skip(1));
    assertEquals(150, iris.size());
    assertEquals(50, IntStream.of(iris.labels("4")).filter(l -> l == 2).count());
    Table housing = Table.read(tabular.resolve("california_housing.csv"), Format.csv().header());
    assertEquals(20640, housing.size());
    assertEquals(20640 - 207, housing.withoutMissing("total_bedrooms").size());
    assertEquals(5, housing.distinct("ocean_proximity").size());
    Table target = Table.read(tabular.resolve("diabetes_target.csv.gz"), Format.blanks());
    double sum = 0;
    for (float value : target.numbers("0")) {
      sum += value;
    }
    assertEquals(152.1335, sum / 442, 1e-4);
    Table diabetes = Table.read(tabular.resolve("diabetes_data.csv.gz"), Format.blanks());
    assertEquals(List.of(442, 10), List.of(diabetes.size(), diabetes.columns().size()));
  }

  @Test
  void rowsFromMemory_areATable() {
    Table table = Table.of(List.of("a", "b"), List.of(List.of("1", "x"), Arrays.asList("2", null)));
    assertEquals(List.of("a", "b"), table.columns());
    assertArrayEquals(new float[] {1, 2}, table.numbers("a"));
    assertEquals("", table.text(1, "b"));
    assertEquals(1, table.withoutMissing().size());
    says(
        "rows in memory: line 2, column b: one of [x] expected, found an empty field",
        () -> table.labels("b", List.of("x")));
    says(
        "rows in memory: at least one row expected, found none",
        () -> Table.of(List.of("a"), List.of()));
    says(
        "rows in memory: line 2: 2 fields expected, one for each column, found 1",
        () -> Table.of(List.of("a", "b"), List.of(List.of("1", "2"), List.of("3"))));
    says(
        "the column a stands twice", () -> Table.of(List.of("a", "a"), List.of(List.of("1", "2"))));
  }

  @Test
  void parts_areTheWhole_shuffled() throws IOException {
    Table table = read("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", Format.csv());
    Table.Split split = table.split(0.3, 1);
    int[] train = split.train().labels("0");
    int[] heldOut = split.heldOut().labels("0");
    assertEquals(List.of(7, 3), List.of(train.length, heldOut.length));
    int[] all = IntStream.concat(Arrays.stream(train), Arrays.stream(heldOut)).toArray();
    assertFalse(Arrays.equals(table.labels("0"), all));
    Arrays.sort(all);
    assertArrayEquals(table.labels("0"), all);
    assertArrayEquals(heldOut, table.split(0.3, 1).heldOut().labels("0"));
    assertFalse(Arrays.equals(heldOut, table.split(0.3, 2).heldOut().labels("0")));
    PreprocessingTest.refused("leaves some of 10 rows in both parts", () -> table.split(0, 1));
    PreprocessingTest.refused("found NaN", () -> table.split(Double.NaN, 1));
  }

  private Table read(String text, Format format) {
    try {
      return Table.read(Files.write(folder.resolve("table.csv"), text.getBytes(UTF_8)), format);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private void fails(String part, String text, Format format) {
    says(part, () -> read(text, format));
  }

  private static void says(String part, Runnable action) {
    Messages.assertSays(assertThrows(DataFormatException.class, action::run), part);
  }

  /// More than the 24 bits that a float has for them.
  @Test
  void greatLabels_areExact() throws IOException {
    assertArrayEquals(
        new int[] {16_777_217, 2_147_483_646},
        read("16777217\n2147483646\n", Format.csv()).labels("0"));
  }
}
