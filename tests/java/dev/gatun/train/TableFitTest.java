package dev.gatun.train;

import static dev.gatun.data.TableEncoder.categories;
import static dev.gatun.data.TableEncoder.numbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Evaluation;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Examples;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.Samples;
import dev.gatun.data.Table;
import dev.gatun.data.TableEncoder;
import dev.gatun.data.TestData;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Runs on rows of tables with categories and gaps.
class TableFitTest {
  private static final List<String> TOWNS = List.of("Oslo", "Bergen", "Bodø", "Tromsø");

  @TempDir private Path folder;

  /// Whether it pays depends on a town and on whether a number is missing: on nothing that a line
  /// through codes or through filled numbers could tell.
  private static Table generated(int size) {
    RandomStream random = new RandomStream(1, 0);
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      int town = random.nextInt(TOWNS.size());
      boolean missing = random.nextInt(3) == 0;
      String rooms = missing ? "NA" : String.valueOf(random.nextInt(5));
      String label = (town % 2 == 0) == (town < 2) || missing ? "1" : "0";
      rows.add(List.of(rooms, TOWNS.get(town), label));
    }
    return Table.of(List.of("rooms", "town", "pays"), rows);
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void categoriesAndGaps_areLearnt_andModelAndEncoderComeBack(Backends backend) throws IOException {
    Table.Split split = generated(400).split(0.25, 1);
    TableEncoder encoder =
        TableEncoder.fit(
            split.train(),
            numbers("rooms").missing("NA").fillMean().indicator(),
            categories("town").unknownAsZeros());
    assertEquals(6, encoder.features());
    Examples train = Examples.of(encoder.apply(split.train()), split.train().labels("pays"));
    Examples heldOut = Examples.of(encoder.apply(split.heldOut()), split.heldOut().labels("pays"));
    Net net = Net.input(encoder.features()).dense(2);
    Path file = folder.resolve("model");
    Table asked =
        Table.of(
            List.of("town", "rooms"),
            List.of(List.of("Bergen", "2"), List.of("Bergen", "NA"), List.of("Hamar", "")));
    float[] expected;
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.adam(0.05))
            .preprocess(FeatureScaler.standardize(train))) {
      trainer.fit(train.batch(20), Span.epochs(20));
      assertEquals(1, trainer.evaluate(heldOut.batch(50)).accuracy());
      expected = answers(trainer.model(), encoder, asked);
      trainer.model().save(file);
      encoder.save(folder.resolve("encoder.csv"));
    }
    assertTrue(expected[1] < expected[0], "Bergen does not pay");
    assertTrue(expected[3] > expected[2], "it does without a number of rooms");
    try (Model model = Model.load(net, backend.device(), file)) {
      TableEncoder loaded = TableEncoder.load(folder.resolve("encoder.csv"));
      assertArrayEquals(expected, answers(model, loaded, asked));
    }
  }

  private static float[] answers(Model model, TableEncoder encoder, Table rows) {
    return model.predict(Objects.requireNonNull(model.preprocessing()).apply(encoder.apply(rows)));
  }

  /// An embedding of codes is a dense layer on columns of zeros and ones.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void codes_areTokens_ofTheSameNet(Backends backend) {
    Table table =
        Table.of(
            List.of("a", "b"),
            List.of(List.of("x", "p"), List.of("y", ""), List.of("z", "q"), List.of("", "p")));
    TableEncoder encoder =
        TableEncoder.fit(
            table, categories("a").missingAsZeros(), categories("b").missingAsCategory());
    int units = 3;
    Net net = Net.tokens(2).embedding(encoder.vocabulary(), units).flatten();
    float[] inputs = encoder.apply(table);
    try (Model model = Model.of(net, backend.device(), 1)) {
      float[] vectors = model.read(model.parameterNames().getFirst());
      float[] found = model.predict(encoder.codes(table));
      for (int row = 0; row < table.size(); row++) {
        for (int unit = 0; unit < units; unit++) {
          double expected = 0;
          for (int i = 0; i < encoder.features(); i++) {
            expected += inputs[row * encoder.features() + i] * vectors[i * units + unit];
          }
          double sum = found[row * 2 * units + unit] + found[row * 2 * units + units + unit];
          assertEquals(expected, sum, 1e-6);
        }
      }
    }
    try (Trainer trainer =
        Trainer.of(net.dense(2)).on(backend.device()).optimizer(Optimizer.adam(0.1))) {
      int[] labels = {0, 1, 1, 0};
      float loss = 1;
      for (int i = 0; i < 30; i++) {
        loss = trainer.step(encoder.codes(table), labels, 0.1);
      }
      assertTrue(loss < 0.1, "loss " + loss);
    }
  }

  /// Prices of districts in California, in a few epochs, from five kinds of places and with 207
  /// numbers of bedrooms that nobody knows.
  @Test
  void pricesOfHouses_areLearnt() {
    Path file = TestData.folder("tabular").resolve("california_housing.csv");
    Table.Split housing = Table.read(file, Table.Format.csv().header()).split(0.2, 1);
    TableEncoder encoder =
        TableEncoder.fit(
            housing.train(),
            numbers("longitude", "latitude", "housing_median_age", "total_rooms"),
            numbers("population", "households", "median_income"),
            numbers("total_bedrooms").fillMedian().indicator(),
            categories("ocean_proximity").unknownAsZeros());
    float[] prices = housing.train().numbers("median_house_value");
    FeatureScaler scaler = FeatureScaler.standardize(Samples.of(prices, 1));
    Examples train =
        Examples.of(encoder.apply(housing.train()), scaler.apply(prices), prices.length);
    float[] others = housing.heldOut().numbers("median_house_value");
    Examples heldOut =
        Examples.of(encoder.apply(housing.heldOut()), scaler.apply(others), others.length);
    try (Trainer trainer =
        Trainer.of(Net.input(encoder.features()).dense(64).relu().dense(1))
            .on(Backends.CPU.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.adam(0.01))
            .schedule(Schedule.cosine())
            .preprocess(FeatureScaler.standardize(train))) {
      trainer.fit(train.batch(128), Span.epochs(20));
      Evaluation found = trainer.evaluate(heldOut.batch(512));
      assertTrue(found.loss() < 0.28, "of variances, unexplained: " + found.loss());
    }
  }
}
