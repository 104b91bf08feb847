package dev.gatun;

import dev.gatun.data.Dataset;
import dev.gatun.data.Examples;
import dev.gatun.data.Preprocessing;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/// How often a classifier answers what where what is right, and by that how good it is in each
/// class:
///
/// ```java
/// Confusion confusion = Confusion.of(trainer.model(), cifar.test());
/// System.out.println(confusion);
/// double found = confusion.recall(3);
/// ```
///
/// Immutable.
public final class Confusion {
  private static final int AT_ONCE = 256; // pictures
  private static final int MOST_COLUMNS = 50; // of counts, in the table

  private final List<String> classNames;
  private final long[][] counts; // by label, then by answer

  private Confusion(List<String> classNames, long[][] counts) {
    this.classNames = classNames;
    this.counts = counts;
  }

  /// A model's answers to all pictures of a set, which go through the model's preprocessing.
  ///
  /// @throws IllegalStateException if that is not known
  /// @throws ShapeException if the pictures are no inputs of the network, or it tells fewer classes
  ///   apart
  public static Confusion of(Model model, Dataset test) {
    Preprocessing known = model.preprocessing();
    if (known == null) {
      throw new IllegalStateException(
          "[confusion] the images' preprocessing is not known: train, load, or set it");
    }
    byte[] image = new byte[test.image().elements()];
    int each = known.output(test.image()).elements();
    int width = width(model);
    List<String> names = named(width, test.classNames());
    long[][] counts = new long[names.size()][names.size()];
    for (int first = 0; first < test.size(); first += AT_ONCE) {
      int size = Math.min(AT_ONCE, test.size() - first);
      float[] inputs = new float[Math.multiplyExact(size, each)];
      int[] labels = new int[size];
      for (int i = 0; i < size; i++) {
        test.read(first + i, image, 0);
        known.apply(image, inputs, i * each);
        labels[i] = test.label(first + i);
      }
      count(counts, Predictions.of(model.predict(inputs), width).best(), labels);
    }
    return new Confusion(names, counts);
  }

  /// A model's answers to all examples of a set, which go through the model's preprocessing if it
  /// has one. The classes are called "0", "1", ...
  ///
  /// @throws IllegalArgumentException if they have numbers to be predicted
  /// @throws ShapeException if they are no inputs of the network, or it tells fewer classes apart
  public static Confusion of(Model model, Examples test) {
    int[] labels = test.labels();
    if (labels == null) {
      throw new IllegalArgumentException("[confusion] expected labels, found numbers");
    }
    Preprocessing known = model.preprocessing();
    float[] inputs = known == null ? test.inputs() : known.apply(test.inputs());
    Predictions predictions = Predictions.of(model.predict(inputs), width(model));
    int classes = Math.max(predictions.classes(), test.classes());
    return of(predictions, labels, IntStream.range(0, classes).mapToObj(k -> "" + k).toList());
  }

  /// What was predicted, beside what is right.
  ///
  /// @param labels `[N]`, negative ones to be ignored
  /// @param classNames in the order of labels
  /// @throws ShapeException if there are more or fewer labels than predictions, or fewer classes
  ///   are told apart than there are
  /// @throws IndexOutOfBoundsException if a label has no name
  public static Confusion of(Predictions predictions, int[] labels, List<String> classNames) {
    if (labels.length != predictions.size()) {
      throw new ShapeException(
          "[confusion] expected a label for each of %d predictions, found %d"
              .formatted(predictions.size(), labels.length));
    }
    List<String> names = named(predictions.classes(), classNames);
    long[][] counts = new long[names.size()][names.size()];
    count(counts, predictions.best(), labels);
    return new Confusion(names, counts);
  }

  /// The names of the classes, in label order.
  public List<String> classNames() {
    return classNames;
  }

  /// How many examples of class `label` were taken for class `answer`.
  ///
  /// @throws IndexOutOfBoundsException if there is no such class
  public long count(int label, int answer) {
    int classes = classNames.size();
    return counts[Objects.checkIndex(label, classes)][Objects.checkIndex(answer, classes)];
  }

  /// How many examples there were.
  public long total() {
    return LongStream.range(0, classNames.size()).map(k -> ofLabel((int) k)).sum();
  }

  /// The share of right answers; NaN without examples.
  public double accuracy() {
    long right = IntStream.range(0, classNames.size()).mapToLong(k -> counts[k][k]).sum();
    return (double) right / total();
  }

  /// Of those that were taken for a class, the share that is of it; NaN if there are none.
  ///
  /// @throws IndexOutOfBoundsException if there is no such class
  public double precision(int label) {
    long answered = IntStream.range(0, classNames.size()).mapToLong(k -> counts[k][label]).sum();
    return (double) count(label, label) / answered;
  }

  /// Of those that are of a class, the share that was taken for it; NaN if there are none.
  ///
  /// @throws IndexOutOfBoundsException if there is no such class
  public double recall(int label) {
    return (double) count(label, label) / ofLabel(label);
  }

  /// The harmonic mean of [#precision] and [#recall]: twice those that were rightly taken for a
  /// class, over those that are of it and those that were taken for it; NaN if there are none.
  ///
  /// @throws IndexOutOfBoundsException if there is no such class
  public double f1(int label) {
    long answered = IntStream.range(0, classNames.size()).mapToLong(k -> counts[k][label]).sum();
    return 2.0 * count(label, label) / (answered + ofLabel(label));
  }

  /// A table: a row for each class with what its examples were taken for, which is left out with
  /// more than 50 classes, and with precision, recall and F1.
  @Override
  public String toString() {
    List<List<String>> rows = new ArrayList<>();
    boolean counted = classNames.size() <= MOST_COLUMNS;
    List<String> head = new ArrayList<>(List.of(counted ? "is \\ taken for" : "class"));
    head.addAll(counted ? classNames : List.of());
    head.addAll(List.of("precision", "recall", "F1"));
    rows.add(head);
    for (int label = 0; label < classNames.size(); label++) {
      List<String> row = new ArrayList<>(List.of(classNames.get(label)));
      for (long count : counted ? counts[label] : new long[0]) {
        row.add(Long.toString(count));
      }
      for (double share : new double[] {precision(label), recall(label), f1(label)}) {
        row.add(Double.isNaN(share) ? "-" : String.format(Locale.ROOT, "%.3f", share));
      }
      rows.add(row);
    }
    return table(rows) + String.format(Locale.ROOT, "accuracy %.3f of %d\n", accuracy(), total());
  }

  private static String table(List<List<String>> rows) {
    int[] widths =
        IntStream.range(0, rows.getFirst().size())
            .map(j -> rows.stream().mapToInt(row -> row.get(j).length()).max().orElse(0))
            .toArray();
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      for (int j = 0; j < widths.length; j++) {
        String pad = " ".repeat(widths[j] - row.get(j).length());
        text.append(j == 0 ? row.get(j) + pad : "  " + pad + row.get(j));
      }
      text.append('\n');
    }
    return text.toString();
  }

  private long ofLabel(int label) {
    return LongStream.of(counts[Objects.checkIndex(label, classNames.size())]).sum();
  }

  /// The outputs of an input, which answer for the whole of it.
  private static int width(Model model) {
    Shape outputs = model.net().outputShape();
    if (Requirements.rows(outputs) != 1) {
      throw new ShapeException(
          "[confusion] expected one answer for an input, found outputs " + outputs);
    }
    return Math.toIntExact(outputs.count());
  }

  /// Names for all answers, those that no label has too.
  private static List<String> named(int width, List<String> classNames) {
    int classes = Math.max(2, width);
    if (classes < classNames.size()) {
      throw new ShapeException(
          "[confusion] expected outputs for %d classes, found %d"
              .formatted(classNames.size(), classes));
    }
    List<String> names = new ArrayList<>(classNames);
    for (int k = names.size(); k < classes; k++) {
      names.add(Integer.toString(k));
    }
    return List.copyOf(names);
  }

  private static void count(long[][] counts, int[] answers, int... labels) {
    for (int n = 0; n < labels.length; n++) {
      if (labels[n] >= 0) {
        counts[Objects.checkIndex(labels[n], counts.length)][answers[n]]++;
      }
    }
  }
}
