package dev.gatun.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.data.Table.Format;
import dev.gatun.random.RandomStream;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Scalers and projections against the examples in scikit-learn's documentation, formulas, and the
/// real sets.
class PreprocessingTest {
  @Test
  void standardize_isScikitLearns() {
    FeatureScaler scaler =
        FeatureScaler.standardize(Samples.of(new float[] {0, 0, 0, 0, 1, 1, 1, 1}, 2));
    assertArrayEquals(new double[] {0.5, 0.5}, scaler.offset());
    assertArrayEquals(new double[] {0.5, 0.5}, scaler.divisor());
    assertArrayEquals(new float[] {3, 3, -1, 1}, scaler.apply(new float[] {2, 2, 0, 1}));
  }

  @Test
  void minMax_isScikitLearns() {
    float[] rows = {-1, 2, -0.5f, 6, 0, 10, 1, 18};
    FeatureScaler scaler = FeatureScaler.minMax(Samples.of(rows, 2));
    assertArrayEquals(
        new float[] {0, 0, 0.25f, 0.25f, 0.5f, 0.5f, 1, 1}, scaler.apply(rows), 1e-7f);
    assertArrayEquals(new float[] {1.5f, 0}, scaler.apply(new float[] {2, 2}), 1e-7f);
    assertArrayEquals(
        new float[] {-3, -3, 0, 0, 3, 3},
        FeatureScaler.minMax(Samples.of(rows, 2), -3, 5)
            .apply(new float[] {-1, 2, -0.25f, 8, 0.5f, 14}),
        1e-6f);
  }

  @Test
  void robust_isScikitLearns() {
    float[] rows = {1, -2, 2, -2, 1, 3, 4, 1, -2};
    FeatureScaler scaler = FeatureScaler.robust(Samples.of(rows, 3));
    assertArrayEquals(new float[] {0, -2, 0, -1, 0, 0.4f, 1, 0, -1.6f}, scaler.apply(rows), 1e-6f);
  }

  @Test
  void robust_doesNotHeedOutliers() {
    float[] rows = {1, 2, 3, 4, 5};
    float[] spoiled = {1, 2, 3, 4, 1e9f};
    assertArrayEquals(
        FeatureScaler.robust(Samples.of(rows, 1)).divisor(),
        FeatureScaler.robust(Samples.of(spoiled, 1)).divisor());
    assertTrue(FeatureScaler.standardize(Samples.of(spoiled, 1)).divisor()[0] > 1e8);
  }

  @Test
  void constantFeatures_areOnlyShifted() {
    float[] rows = new float[3000];
    for (int i = 0; i < rows.length; i += 3) {
      rows[i] = 0.1f;
      rows[i + 1] = -7;
      rows[i + 2] = i;
    }
    Samples samples = Samples.of(rows, 3);
    for (FeatureScaler scaler :
        new FeatureScaler[] {
          FeatureScaler.standardize(samples),
          FeatureScaler.minMax(samples),
          FeatureScaler.robust(samples)
        }) {
      assertEquals(1, scaler.divisor()[0]);
      assertEquals(1, scaler.divisor()[1]);
      assertTrue(scaler.divisor()[2] > 100);
      assertEquals(0, scaler.apply(new float[] {0.1f, -7, 5})[0], 1e-7f);
    }
    Dataset flat = MemoryDataset.of("flat", new ImageShape(1, 1, 1), new byte[] {9, 9}, new int[2]);
    assertEquals(1, Standardizer.fit(flat).deviation()[0]);
  }

  /// Fitted on the first rows only, and applied to the others.
  @Test
  void aTableIsStandardized_byItsTrainingRows() {
    Table wine =
        Table.read(TestData.folder("tabular").resolve("wine_data.csv"), Format.csv().skip(1));
    float[] all = wine.numbers(wine.columnsExcept("13"));
    FeatureScaler scaler = FeatureScaler.standardize(Samples.of(all, 13));
    // The set's documented means and deviations (there 1/(N-1)).
    assertEquals(13.0006, scaler.offset()[0], 1e-4);
    assertEquals(0.8118, scaler.divisor()[0] * Math.sqrt(178 / 177.0), 1e-4);
    assertEquals(746.8933, scaler.offset()[12], 1e-3);
    assertEquals(314.9075, scaler.divisor()[12] * Math.sqrt(178 / 177.0), 1e-3);
    float[] scaled = scaler.apply(all);
    for (int j = 0; j < 13; j++) {
      double sum = 0;
      double squares = 0;
      for (int i = j; i < scaled.length; i += 13) {
        sum += scaled[i];
        squares += scaled[i] * scaled[i];
      }
      assertEquals(0, sum / 178, 1e-6);
      assertEquals(1, squares / 178, 1e-6);
    }
  }

  @Test
  void pca_isScikitLearns() {
    float[] rows = {-1, -1, -2, -1, -3, -2, 1, 1, 2, 1, 3, 2};
    Projection pca = Projection.pca(Samples.of(rows, 2), 2);
    // Squares of the documented singular values, divided by N.
    assertEquals(6.30061232 * 6.30061232 / 6, pca.eigenvalues()[0], 1e-6);
    assertEquals(0.54980396 * 0.54980396 / 6, pca.eigenvalues()[1], 1e-6);
    Table iris = Table.read(TestData.folder("tabular").resolve("iris.csv"), Format.csv().skip(1));
    double[] found =
        Projection.pca(Samples.of(iris.numbers("0", "1", "2", "3"), 4), 4).eigenvalues();
    double total = found[0] + found[1] + found[2] + found[3];
    double[] documented = {0.92461872, 0.05306648, 0.01710261, 0.00521218};
    for (int i = 0; i < 4; i++) {
      assertEquals(documented[i], found[i] / total, 1e-7);
    }
  }

  @Test
  void pca_decorrelates_andLosesTheEigenvaluesLeftOut() {
    float[] rows = mixed(500, 8);
    Samples samples = Samples.of(rows, 8);
    Projection whole = Projection.pca(samples, 8);
    double[][] covariance = covariance(whole.apply(rows), 8);
    for (int i = 0; i < 8; i++) {
      for (int j = 0; j < 8; j++) {
        double expected = i == j ? whole.eigenvalues()[i] : 0;
        assertEquals(expected, covariance[i][j], 1e-5 * whole.eigenvalues()[0]);
      }
    }
    Projection three = Projection.pca(samples, 3);
    float[] restored = three.inverse(three.apply(rows));
    double lost = 0;
    for (int i = 0; i < rows.length; i++) {
      lost += (restored[i] - rows[i]) * (double) (restored[i] - rows[i]);
    }
    double left = 0;
    for (int i = 3; i < 8; i++) {
      left += whole.eigenvalues()[i];
    }
    assertEquals(left, lost / 500, 1e-5 * left);
  }

  @Test
  void whitening_andZca_giveTheIdentity() {
    float[] rows = mixed(500, 8);
    Samples samples = Samples.of(rows, 8);
    for (Projection projection :
        new Projection[] {Projection.whitening(samples, 8, 1e-6), Projection.zca(samples, 1e-6)}) {
      float[] white = projection.apply(rows);
      double[][] covariance = covariance(white, 8);
      for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
          assertEquals(i == j ? 1 : 0, covariance[i][j], 1e-3, projection.kind());
        }
      }
      assertArrayEquals(rows, projection.inverse(white), 1e-3f);
    }
  }

  /// λ / (λ + ε) is left of a component's variance, and the inverse undoes just that.
  @Test
  void epsilon_isAddedToTheVariances() {
    float[] rows = mixed(500, 4);
    Samples samples = Samples.of(rows, 4);
    Projection whitening = Projection.whitening(samples, 4, 0.5);
    double[][] covariance = covariance(whitening.apply(rows), 4);
    for (int i = 0; i < 4; i++) {
      double eigenvalue = whitening.eigenvalues()[i];
      assertEquals(eigenvalue / (eigenvalue + 0.5), covariance[i][i], 1e-5);
    }
    for (Projection projection : new Projection[] {whitening, Projection.zca(samples, 0.5)}) {
      assertArrayEquals(rows, projection.inverse(projection.apply(rows)), 1e-4f);
    }
  }

  /// Of all whitening matrices, ZCA's is symmetric.
  @Test
  void zca_isSymmetric_andKeepsDigitsInShape() {
    Table digits = Table.read(TestData.folder("tabular").resolve("digits.csv.gz"), Format.csv());
    float[] rows = digits.numbers(digits.columnsExcept("64"));
    Projection zca = Projection.zca(Samples.of(rows, 64), 0.1);
    float[] identity = new float[64 * 64];
    for (int i = 0; i < 64; i++) {
      for (int j = 0; j < 64; j++) {
        identity[i * 64 + j] = (float) zca.mean()[j] + (i == j ? 1 : 0);
      }
    }
    float[] matrix = zca.apply(identity);
    for (int i = 0; i < 64; i++) {
      for (int j = 0; j < i; j++) {
        assertEquals(matrix[i * 64 + j], matrix[j * 64 + i], 1e-5);
      }
    }
    assertEquals(new ImageShape(8, 8, 1), zca.output(new ImageShape(8, 8, 1)));
    assertEquals(
        new ImageShape(1, 1, 10),
        Projection.pca(Samples.of(rows, 64), 10).output(new ImageShape(8, 8, 1)));
  }

  @Test
  void images_areCentredByTheirMeanImage_orByChannel() {
    Dataset dataset = SampleData.dataset(40, new ImageShape(3, 5, 3));
    FeatureScaler meanImage = FeatureScaler.center(Samples.of(dataset));
    double sum = 0;
    for (int i = 0; i < 40; i++) {
      sum += (SampleData.image(dataset, i)[17] & 0xFF) / 255.0;
    }
    assertEquals(sum / 40, meanImage.offset()[17], 1e-12);
    float[] out = new float[45];
    meanImage.apply(SampleData.image(dataset, 3), out, 0);
    assertEquals((SampleData.image(dataset, 3)[17] & 0xFF) / 255.0 - sum / 40, out[17], 1e-6);
    Standardizer channels = Standardizer.center(dataset);
    assertArrayEquals(Standardizer.fit(dataset).mean(), channels.mean());
    assertArrayEquals(new double[] {1, 1, 1}, channels.deviation());
  }

  /// The values that everyone uses for CIFAR-10, of all 50,000 pictures.
  @Test
  void cifarsMeansAndDeviations() {
    Dataset train = Datasets.open(TestData.folder("cifar10")).train();
    Standardizer fitted = Standardizer.fit(train);
    assertArrayEquals(new double[] {0.49140, 0.48216, 0.44653}, fitted.mean(), 1e-5);
    assertArrayEquals(new double[] {0.24703, 0.24349, 0.26159}, fitted.deviation(), 1e-5);
    double[] image = FeatureScaler.center(Samples.of(train)).offset();
    double[] mean = new double[3];
    for (int i = 0; i < image.length; i++) {
      mean[i % 3] += image[i] / 1024;
    }
    assertArrayEquals(fitted.mean(), mean, 1e-12);
  }

  @Test
  void anyKind_comesBackFromItsValues() {
    float[] rows = mixed(50, 6);
    Samples samples = Samples.of(rows, 6);
    for (Preprocessing fitted :
        new Preprocessing[] {
          Standardizer.of(new double[] {1, 2}, new double[] {3, 4}),
          FeatureScaler.robust(samples),
          Projection.pca(samples, 2),
          Projection.whitening(samples, 3, 0.1),
          Projection.zca(samples)
        }) {
      Preprocessing again = Preprocessing.of(fitted.kind(), fitted.values());
      assertEquals(fitted.getClass(), again.getClass());
      assertArrayEquals(fitted.apply(rows), again.apply(rows), fitted.kind());
    }
  }

  @Test
  void whatDoesNotFit_isRefused() {
    Samples two = Samples.of(new float[] {1, 2, 3, 4}, 2);
    refused("1 to 2 components expected, found 3", () -> Projection.pca(two, 3));
    refused("found -1", () -> Projection.zca(two, -1));
    refused("do not vary in component 1", () -> Projection.whitening(two, 2, 0));
    refused("found 3 elements", () -> FeatureScaler.minMax(two).apply(new float[3]));
    refused(
        "inputs of 2 elements", () -> FeatureScaler.minMax(two).output(new ImageShape(1, 3, 1)));
    refused("inputs of 2 elements", () -> Projection.zca(two).apply(new byte[3], new float[3], 0));
    refused("an interval expected", () -> FeatureScaler.minMax(two, 1, 1));
    refused("feature 1", () -> FeatureScaler.of(new double[2], new double[] {1, 0}));
    refused(
        "sample 1, feature 0: a finite value expected, found NaN",
        () -> FeatureScaler.robust(Samples.of(new float[] {1, 2, Float.NaN, 4}, 2)));
    refused("at least one vector", () -> Samples.of(new float[0], 2));
    refused("found log", () -> Preprocessing.of("log", Map.of()));
    refused(
        "values called deviation are missing",
        () -> Preprocessing.of("standardizer", Map.of("mean", new double[1])));
    refused(
        "no values called [hue]",
        () ->
            Preprocessing.of(
                "standardizer",
                Map.of(
                    "mean", new double[1], "deviation", new double[] {1}, "hue", new double[1])));
    refused(
        "found 2, 2, 3 and 1 values",
        () ->
            Preprocessing.of(
                "pca",
                Map.of(
                    "mean", new double[2],
                    "eigenvalues", new double[2],
                    "components", new double[3],
                    "epsilon", new double[1])));
    for (String kind : new String[] {"pca", "whitening", "zca"}) {
      refused("as variances are, found -1.0", () -> projection(kind, -1, 2));
      refused("an epsilon of at least 0 expected, found -2.0", () -> projection(kind, 1, -2));
    }
  }

  private static Preprocessing projection(String kind, double eigenvalue, double epsilon) {
    return Preprocessing.of(
        kind,
        Map.of(
            "mean", new double[1],
            "eigenvalues", new double[] {eigenvalue},
            "components", new double[] {1},
            "epsilon", new double[] {epsilon}));
  }

  @Test
  void scaler_inverse_bringsBack() {
    FeatureScaler scaler = FeatureScaler.of(new double[] {100, -3}, new double[] {50, 0.25});
    assertArrayEquals(
        new float[] {200, -2.5f, 100, -3}, scaler.inverse(new float[] {2, 2, 0, 0}), 0f);
    float[] rows = mixed(50, 3);
    FeatureScaler fitted = FeatureScaler.standardize(Samples.of(rows, 3));
    assertArrayEquals(rows, fitted.inverse(fitted.apply(rows)), 1e-5f);
    refused("a multiple of 2 features expected", () -> scaler.inverse(new float[3]));
    assertEquals("scaler of 2 features", scaler.toString());
  }

  static void refused(String part, Runnable action) {
    Messages.assertSays(assertThrows(IllegalArgumentException.class, action::run), part);
  }

  /// Vectors that are correlated, with variances from 0.04 to 10 and more.
  private static float[] mixed(int count, int features) {
    RandomStream random = new RandomStream(5, 0);
    double[] mix = new double[features * features];
    for (int i = 0; i < mix.length; i++) {
      mix[i] = random.nextGaussian();
    }
    float[] rows = new float[count * features];
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < features; j++) {
        double strength = random.nextGaussian() * (0.3 + j);
        for (int k = 0; k < features; k++) {
          rows[i * features + k] += (float) (strength * mix[j * features + k]);
        }
      }
      rows[i * features] += 3;
    }
    return rows;
  }

  private static double[][] covariance(float[] rows, int features) {
    int count = rows.length / features;
    double[] mean = new double[features];
    for (int i = 0; i < rows.length; i++) {
      mean[i % features] += rows[i] / (double) count;
    }
    double[][] covariance = new double[features][features];
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < features; j++) {
        for (int k = 0; k < features; k++) {
          covariance[j][k] +=
              (rows[i * features + j] - mean[j]) * (rows[i * features + k] - mean[k]) / count;
        }
      }
    }
    return covariance;
  }
}
