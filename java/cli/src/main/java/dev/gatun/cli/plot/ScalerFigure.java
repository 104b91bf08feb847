package dev.gatun.cli.plot;

import dev.gatun.data.FeatureScaler;
import dev.gatun.data.Samples;
import dev.gatun.random.RandomStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What scalers make of two features of which one has outliers: they set the mean and the
/// deviation, squeeze all others into a corner of min-max, and hardly touch median and quartiles.
/// All scaled ones are drawn to the same measure, in which the robust one's outliers have no place.
///
/// The features are drawn: a skewed one, like incomes, and a normal one of which a few samples are
/// wildly off, like persons to a household.
final class ScalerFigure {
  private static final int SAMPLES = 400;
  private static final int OUTLIERS = 12;

  private ScalerFigure() {}

  static Figure of(long seed) {
    float[] drawn = draw(new RandomStream(seed, 0));
    Samples samples = Samples.of(drawn, 2);
    List<Panel> panels = new ArrayList<>();
    Axis income = Axis.linear("income");
    Axis persons = Axis.linear("persons");
    panels.add(new Panel("As they are", income, persons, dots(drawn)));
    Map<String, FeatureScaler> scalers = new LinkedHashMap<>();
    scalers.put("Standardised", FeatureScaler.standardize(samples));
    scalers.put("Min-max", FeatureScaler.minMax(samples));
    scalers.put("Robust: median and quartiles", FeatureScaler.robust(samples));
    scalers.forEach(
        (title, scaler) ->
            panels.add(
                new Panel(
                    title,
                    income.within(-3, 5),
                    persons.within(-3, 9),
                    dots(scaler.apply(drawn)))));
    return new Figure(panels);
  }

  /// Pairs, the outliers last.
  private static float[] draw(RandomStream random) {
    float[] pairs = new float[2 * (SAMPLES + OUTLIERS)];
    for (int i = 0; i < SAMPLES + OUTLIERS; i++) {
      pairs[2 * i] = (float) (3 * Math.exp(0.5 * random.nextGaussian()));
      pairs[2 * i + 1] =
          i < SAMPLES
              ? (float) (3 + 0.7 * random.nextGaussian())
              : (float) random.nextDouble(20, 80);
    }
    return pairs;
  }

  private static List<Curve> dots(float[] pairs) {
    return List.of(dots("samples", pairs, 0, SAMPLES), dots("outliers", pairs, SAMPLES, OUTLIERS));
  }

  private static Curve dots(String name, float[] pairs, int first, int count) {
    double[] x = new double[count];
    double[] y = new double[count];
    for (int i = 0; i < count; i++) {
      x[i] = pairs[2 * (first + i)];
      y[i] = pairs[2 * (first + i) + 1];
    }
    return new Curve(name, x, y, Curve.Style.DOTS);
  }
}
