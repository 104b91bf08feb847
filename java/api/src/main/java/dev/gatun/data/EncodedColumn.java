package dev.gatun.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A column of a table as a [TableEncoder] was fitted on it.
sealed interface EncodedColumn {
  /// White space around a field does not count.
  static String text(Table table, int row, String column) {
    return table.text(row, column).strip();
  }

  static boolean isMissing(String text, Set<String> spellings) {
    return text.isEmpty() || spellings.contains(text);
  }

  String column();

  /// How many features it becomes.
  int size();

  /// Their names.
  List<String> features();

  /// Writes what becomes of it in a row to `target[offset ..]`, where zeros are.
  void write(Table table, int row, float[] target, int offset);

  /// What a file says of it: pairs of `is` and `value`, see [EncoderFile].
  List<List<String>> facts();

  /// A column of numbers.
  ///
  /// @param fill for gaps; null where they are refused
  /// @param indicator whether there is a second feature, 1 for gaps
  /// @param missing spellings of gaps
  record Numeric(String column, @Nullable Float fill, boolean indicator, Set<String> missing)
      implements EncodedColumn {
    @Override
    public int size() {
      return indicator ? 2 : 1;
    }

    @Override
    public List<String> features() {
      return indicator ? List.of(column, column + "=") : List.of(column);
    }

    @Override
    public void write(Table table, int row, float[] target, int offset) {
      if (fill == null || !isMissing(text(table, row, column), missing)) {
        target[offset] = table.number(row, column);
        return;
      }
      target[offset] = fill;
      if (indicator) {
        target[offset + 1] = 1;
      }
    }

    @Override
    public List<List<String>> facts() {
      List<List<String>> facts = new ArrayList<>();
      facts.add(List.of("numbers", ""));
      missing.stream().sorted().forEach(text -> facts.add(List.of("missing", text)));
      if (fill != null) {
        facts.add(List.of("fill", fill.toString()));
      }
      if (indicator) {
        facts.add(List.of("indicator", ""));
      }
      return facts;
    }
  }

  /// What becomes of a gap in a column of categories.
  enum Gap {
    REFUSED,
    CATEGORY,
    ZEROS
  }

  /// A column of categories.
  ///
  /// @param places of the categories, in their order
  /// @param gap what becomes of gaps
  /// @param unknownAsZeros whether other categories are zeros; else they are refused
  /// @param missing spellings of gaps
  record Categorical(
      String column,
      Map<String, Integer> places,
      Gap gap,
      boolean unknownAsZeros,
      Set<String> missing)
      implements EncodedColumn {
    private static final int SHOWN = 10;

    static Categorical of(
        String column,
        List<String> categories,
        Gap gap,
        boolean unknownAsZeros,
        Set<String> missing) {
      Map<String, Integer> places = new LinkedHashMap<>();
      categories.forEach(category -> places.put(category, places.size()));
      return new Categorical(column, places, gap, unknownAsZeros, missing);
    }

    List<String> categories() {
      return List.copyOf(places.keySet());
    }

    @Override
    public int size() {
      return places.size() + (gap == Gap.CATEGORY ? 1 : 0);
    }

    /// Which of its features is 1 in a row; -1 for none.
    int place(Table table, int row) {
      String text = text(table, row, column);
      boolean missed = isMissing(text, missing);
      if (missed && gap != Gap.REFUSED) {
        return gap == Gap.CATEGORY ? places.size() : -1;
      }
      Integer place = missed ? null : places.get(text);
      if (place != null) {
        return place;
      }
      if (!missed && unknownAsZeros) {
        return -1;
      }
      List<String> known = categories();
      String shown =
          known.size() <= SHOWN
              ? known.toString()
              : "[%s, ...] (%d)"
                  .formatted(String.join(", ", known.subList(0, SHOWN)), known.size());
      throw table.problem(row, column, "one of the training rows' categories " + shown);
    }

    @Override
    public List<String> features() {
      List<String> names = new ArrayList<>();
      places.keySet().forEach(category -> names.add(column + "=" + category));
      if (gap == Gap.CATEGORY) {
        names.add(column + "=");
      }
      return names;
    }

    @Override
    public void write(Table table, int row, float[] target, int offset) {
      int place = place(table, row);
      if (place >= 0) {
        target[offset + place] = 1;
      }
    }

    @Override
    public List<List<String>> facts() {
      List<List<String>> facts = new ArrayList<>();
      facts.add(List.of("categories", ""));
      places.keySet().forEach(category -> facts.add(List.of("category", category)));
      missing.stream().sorted().forEach(text -> facts.add(List.of("missing", text)));
      if (gap != Gap.REFUSED) {
        facts.add(List.of("missing as", gap == Gap.CATEGORY ? "category" : "zeros"));
      }
      if (unknownAsZeros) {
        facts.add(List.of("unknown as", "zeros"));
      }
      return facts;
    }
  }
}
