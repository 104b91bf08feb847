package dev.gatun.diagnosis;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Shape;
import dev.gatun.diagnosis.LayerReading.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// Where each rule begins to speak, and where it becomes severe: readings on both sides of its
/// limits.
class RulesTest {
  private static final String NONE = "none";

  /// How severe a problem is in what is known, or that it is not found.
  private static String found(String problem, Examination examination) {
    Cases.requireDocumented(problem);
    Optional<Finding> finding =
        Diagnosis.of(examination).findings().stream()
            .filter(found -> found.problem().equals(problem))
            .findFirst();
    return finding.map(found -> found.severity().toString()).orElse(NONE);
  }

  private static Examination model(List<LayerReading> layers, List<ParameterReading> parameters) {
    return Examination.of(new Inspection(32, 1, 0.5, 1, layers, List.of(), parameters));
  }

  private static Examination untrained(List<LayerReading> layers) {
    Inspection initial = new Inspection(32, 1, 0.5, 1, layers, List.of(), List.of());
    return new Examination(null, initial, null, null, null, null, null, null, null, null);
  }

  private static LayerReading layer(String path, int depth, double deviation, double gradient) {
    float[] output = {(float) -deviation, (float) deviation};
    return LayerReading.of(
        path, Kind.OTHER, depth, Shape.of(2, 1), output, new float[] {(float) gradient});
  }

  private static Examination data(float[] inputs, int[] labels, int features) {
    return Examination.of(
        DataReading.of(List.of(Minibatch.of(inputs, labels)), Shape.of(features), 10));
  }

  /// Gradients whose norm changes by `ratio` from the last to the first of so many layers.
  private static Examination gradients(double ratio, int layers) {
    List<LayerReading> all = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      all.add(layer("dense" + i, i + 1, 1, i == 0 ? ratio : 1));
    }
    return model(all, List.of());
  }

  @Test
  void gradients_changeByAThousand() {
    assertEquals(NONE, found("exploding gradients", gradients(990, 4)));
    assertEquals("WARNING", found("exploding gradients", gradients(1010, 4)));
    assertEquals("SEVERE", found("exploding gradients", gradients(1.01e6, 4)));
    assertEquals(NONE, found("exploding gradients", gradients(1.01e6, 3)));
    assertEquals(NONE, found("vanishing gradients", gradients(1 / 990.0, 4)));
    assertEquals("WARNING", found("vanishing gradients", gradients(1 / 1010.0, 4)));
    assertEquals("SEVERE", found("vanishing gradients", gradients(1 / 1.01e6, 4)));
  }

  /// The last hidden layer's outputs; the last layer's do not count.
  private static Examination signals(double deviation) {
    return untrained(
        List.of(
            layer("dense0", 1, 1, 1),
            layer("dense1", 2, deviation, 1),
            layer("dense2", 3, 1e9, 1)));
  }

  @Test
  void signals_changeByAThousand() {
    assertEquals(NONE, found("signals explode", signals(990)));
    assertEquals("WARNING", found("signals explode", signals(1010)));
    assertEquals("SEVERE", found("signals explode", signals(1.01e5)));
    assertEquals(NONE, found("signals die out", signals(1 / 990.0)));
    assertEquals("WARNING", found("signals die out", signals(1 / 1010.0)));
    assertEquals("SEVERE", found("signals die out", signals(1 / 1.01e5)));
  }

  /// So many of ten units give 0 for all rows.
  private static Examination dead(int units, int rows) {
    float[] output = new float[rows * 10];
    for (int i = 0; i < output.length; i++) {
      output[i] = i % 10 < units ? 0 : 1 + i % 3;
    }
    LayerReading relu =
        LayerReading.of("relu0", Kind.RELU, 0, Shape.of(rows, 10), output, new float[1]);
    return model(List.of(relu, layer("dense1", 1, 1, 1)), List.of());
  }

  @Test
  void units_areDead_whereHalfOfThemAre() {
    assertEquals(NONE, found("dead units", dead(4, 24)));
    assertEquals("WARNING", found("dead units", dead(5, 24)));
    assertEquals("WARNING", found("dead units", dead(8, 24)));
    assertEquals("SEVERE", found("dead units", dead(9, 24)));
    assertEquals(NONE, found("dead units", dead(10, 23)));
  }

  /// Of ten outputs of a tanh so many are near its ends.
  private static Examination saturated(int outputs) {
    float[] output = new float[10];
    for (int i = 0; i < 10; i++) {
      output[i] = i < outputs ? 0.97f : 0.9f;
    }
    LayerReading tanh =
        LayerReading.of("tanh0", Kind.TANH, 0, Shape.of(2, 5), output, new float[1]);
    return model(List.of(tanh, layer("dense1", 1, 1, 1)), List.of());
  }

  @Test
  void units_areSaturated_whereHalfOfTheirOutputsAre() {
    assertEquals(NONE, found("saturated units", saturated(4)));
    assertEquals("WARNING", found("saturated units", saturated(5)));
    assertEquals("SEVERE", found("saturated units", saturated(9)));
  }

  /// Batch norm behind a convolution: rows of so many pictures of 1 x `width` pixels.
  private static Inspection norm(int pictures, int width) {
    Shape shape = Shape.of(pictures, 1, width, 2);
    float[] output = new float[pictures * width * 2];
    for (int i = 0; i < output.length; i++) {
      output[i] = i % 5;
    }
    LayerReading norm =
        LayerReading.of("batchNorm0", Kind.BATCH_NORM, 0, shape, output, new float[1]);
    LayerReading last = layer("dense1", 1, 1, 1);
    return new Inspection(pictures, 1, 0.5, 1, List.of(norm, last), List.of(), List.of());
  }

  @Test
  void batchNorm_wantsSixteenNumbers() {
    String problem = "small batches for batch norm";
    assertEquals("WARNING", found(problem, Examination.of(norm(15, 1))));
    assertEquals(NONE, found(problem, Examination.of(norm(16, 1))));
    assertEquals("WARNING", found(problem, Examination.of(norm(5, 3))));
    assertEquals(NONE, found(problem, Examination.of(norm(4, 4))));
    // Batches count, not the examples that were looked at.
    DataReading batches =
        DataReading.of(List.of(Minibatch.of(new float[8], new int[8])), Shape.of(1), 10);
    for (int width : new int[] {1, 2}) {
      Inspection initial = norm(4, width);
      assertEquals(
          width == 1 ? "WARNING" : NONE,
          found(
              problem,
              new Examination(batches, initial, null, null, null, null, null, null, null, null)));
    }
  }

  /// Weights that a step moves by these shares of their norms.
  private static Examination updates(double... ratios) {
    List<ParameterReading> weights = new ArrayList<>();
    float[] ones = {1, 1};
    for (double ratio : ratios) {
      String name = "dense" + weights.size();
      weights.add(ParameterReading.of(name, Shape.of(2, 1), ones, ones).updated(ratio));
    }
    return model(List.of(layer("dense0", 1, 1, 1)), weights);
  }

  @Test
  void updates_areJudgedByTheirMedian() {
    assertEquals(NONE, found("updates too large", updates(1e-3, 0.09, 0.9)));
    assertEquals("WARNING", found("updates too large", updates(1e-3, 0.11, 0.9)));
    assertEquals(NONE, found("updates too small", updates(1e-9, 1.1e-5, 1e-3)));
    assertEquals("WARNING", found("updates too small", updates(1e-9, 0.9e-5, 1e-3)));
  }

  /// Two examples with one feature, `mean` ± `deviation`.
  private static Examination inputs(double mean, double deviation) {
    float[] inputs = {(float) (mean - deviation), (float) (mean + deviation)};
    return data(inputs, new int[] {0, 1}, 1);
  }

  @Test
  void inputs_areStandardised() {
    String problem = "inputs not standardised";
    assertEquals(NONE, found(problem, inputs(0, 1)));
    assertEquals(NONE, found(problem, inputs(2.9, 1)));
    assertEquals("WARNING", found(problem, inputs(3.1, 1)));
    assertEquals(NONE, found(problem, inputs(0.5, 0.1)), "pixels");
    assertEquals(NONE, found(problem, inputs(14, 5)));
    assertEquals("WARNING", found(problem, inputs(16, 5)));
    assertEquals(NONE, found(problem, inputs(0, 9.9)));
    assertEquals("WARNING", found(problem, inputs(0, 10.1)));
    assertEquals(NONE, found(problem, inputs(0, 0.031)));
    assertEquals("WARNING", found(problem, inputs(0, 0.029)));
  }

  private static Examination targets(double mean, double deviation) {
    float[] targets = {(float) (mean - deviation), (float) (mean + deviation)};
    return Examination.of(
        DataReading.of(List.of(Minibatch.of(new float[] {-1, 1}, targets)), Shape.of(1), 1));
  }

  @Test
  void targets_areStandardised() {
    String problem = "targets not standardised";
    assertEquals(NONE, found(problem, targets(-9.9, 1)));
    assertEquals("WARNING", found(problem, targets(-10.1, 1)));
    assertEquals(NONE, found(problem, targets(0, 9.9)));
    assertEquals("WARNING", found(problem, targets(0, 10.1)));
  }

  /// Of ten labels so many are 3.
  private static Examination labels(int threes) {
    float[] inputs = new float[10];
    int[] labels = new int[10];
    for (int i = 0; i < 10; i++) {
      inputs[i] = i % 2 == 0 ? -1 : 1;
      labels[i] = i < threes ? 3 : 4;
    }
    return data(inputs, labels, 1);
  }

  @Test
  void labels_areImbalanced_whereFourInFiveAreOne() {
    assertEquals(NONE, found("labels imbalanced", labels(7)));
    assertEquals("WARNING", found("labels imbalanced", labels(8)));
    assertEquals(NONE, found("labels all alike", labels(9)));
    assertEquals("SEVERE", found("labels all alike", labels(10)));
  }

  /// So many of four batches have one label only.
  private static Examination sorted(int batches) {
    List<Minibatch> all = new ArrayList<>();
    for (int b = 0; b < 4; b++) {
      int[] labels = b < batches ? new int[] {b, b} : new int[] {0, 1};
      all.add(Minibatch.of(new float[] {-1, 1}, labels));
    }
    return Examination.of(DataReading.of(all, Shape.of(1), 10));
  }

  @Test
  void batches_areSorted_whereMostHaveOneLabel() {
    assertEquals(NONE, found("batches sorted by label", sorted(2)));
    assertEquals("WARNING", found("batches sorted by label", sorted(3)));
  }

  /// Outputs of two examples that differ by this share of their size.
  private static Examination outputs(double share) {
    float[] output = {(float) (1 - share), (float) (1 + share)};
    LayerReading last =
        LayerReading.of("dense0", Kind.OTHER, 1, Shape.of(2, 1), output, new float[1]);
    return model(List.of(last), List.of());
  }

  @Test
  void outputs_areConstant_belowATenThousandth() {
    assertEquals(NONE, found("constant outputs", outputs(1.1e-4)));
    assertEquals("SEVERE", found("constant outputs", outputs(0.9e-4)));
  }

  /// Ten epochs whose last has these figures.
  private static Examination ending(
      double trainLoss, double trainAccuracy, double testLoss, double testAccuracy) {
    History.Epoch[] epochs = new History.Epoch[10];
    for (int i = 0; i < 10; i++) {
      double loss = 2 - 0.1 * i;
      Evaluation test = new Evaluation(1 + 0.01 * (9 - i), 0.5, 1, 0);
      epochs[i] = new History.Epoch(i + 1, loss, 0.5, 0.1, test, 0);
    }
    Evaluation test = new Evaluation(testLoss, testAccuracy, 1, 0);
    epochs[9] = new History.Epoch(10, trainLoss, trainAccuracy, 0.1, test, 0);
    return Examination.of(new Curves(Arrays.asList(epochs)));
  }

  @Test
  void overfitting_isAGapOrARise() {
    assertEquals(NONE, found("overfitting", ending(1, 0.94, 1, 0.8)));
    assertEquals("WARNING", found("overfitting", ending(1, 0.96, 1, 0.8)));
    assertEquals(NONE, found("overfitting", ending(1, 0.8, 1.2, 0.8)));
    assertEquals("WARNING", found("overfitting", ending(1, 0.8, 1.23, 0.8)));
  }
}
