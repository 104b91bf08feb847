package dev.gatun;

import java.util.List;

/// Initial weights that are corrected on a batch of data, before training. For networks without
/// normalisation; the layers with weights are taken from the first to the last, each seen through
/// those that are corrected already, in inference mode.
///
/// ```java
/// DataInitializer.lsuv().apply(trainer.model(), inputs);
/// ```
public sealed interface DataInitializer {
  /// Layer-sequential unit variance (Mishkin and Matas 2016): the outputs of each layer get
  /// variance 1 to within 0.1, in 10 corrections at most.
  static Lsuv lsuv() {
    return new Lsuv(0.1, 10);
  }

  /// Within-layer normalisation of Krähenbühl et al. 2016: each output channel of each layer gets
  /// mean 0 and variance 1, by its weights and its bias. Their second part, which makes rates of
  /// change equal between layers, is not done.
  static Krahenbuhl krahenbuhl() {
    return new Krahenbuhl();
  }

  /// Corrects the weights of `model`.
  ///
  /// @param inputs one after the other, standardised as in training
  /// @throws ShapeException if the length is not a multiple of an input's, or there are fewer than
  ///   two
  void apply(Model model, float[] inputs);

  /// See [#lsuv].
  ///
  /// @param tolerance of the variance, greater than 0
  /// @param corrections of a layer at most
  record Lsuv(double tolerance, int corrections) implements DataInitializer {
    /// Checks the ranges.
    public Lsuv {
      Hyperparameters.require("lsuv", tolerance > 0, "a tolerance greater than 0", tolerance);
      Hyperparameters.require("lsuv", corrections > 0, "at least 1 correction", corrections);
    }

    /// Also draws orthonormal weights first, as the paper does.
    @Override
    public void apply(Model model, float[] inputs) {
      try (LayerStatistics statistics = new LayerStatistics(model, inputs)) {
        List<String> layers = statistics.layers();
        for (int i = 0; i < layers.size(); i++) {
          String weights = layers.get(i) + ".weight";
          model.write(weights, Initializer.orthogonal(1).sample(model.shape(weights), 1, i));
        }
        for (String layer : layers) {
          correct(model, statistics, layer);
        }
      }
    }

    private void correct(Model model, LayerStatistics statistics, String layer) {
      for (int i = 0; i < corrections; i++) {
        double variance = statistics.measure(layer).variance();
        if (Math.abs(variance - 1) < tolerance || !(variance > 0)) {
          return;
        }
        float[] weights = model.read(layer + ".weight");
        scale(weights, 0, weights.length, 1 / Math.sqrt(variance));
        model.write(layer + ".weight", weights);
      }
    }
  }

  /// See [#krahenbuhl].
  record Krahenbuhl() implements DataInitializer {
    @Override
    public void apply(Model model, float[] inputs) {
      try (LayerStatistics statistics = new LayerStatistics(model, inputs)) {
        for (String layer : statistics.layers()) {
          correct(model, statistics.measure(layer), layer, statistics.hasColumns(layer));
        }
      }
    }

    /// Row i of the weights and element i of the bias belong to channel i modulo their number:
    /// maxout has several of each.
    ///
    /// @param columns whether it is columns of the weights
    private static void correct(
        Model model, LayerStatistics.Moments moments, String layer, boolean columns) {
      float[] weights = model.read(layer + ".weight");
      int channels = moments.means().length;
      int each =
          columns ? 1 : weights.length / Math.toIntExact(model.shape(layer + ".weight").dim(0));
      boolean biased = model.parameterNames().contains(layer + ".bias");
      float[] bias = biased ? model.read(layer + ".bias") : new float[0];
      for (int k = 0; k < channels; k++) {
        double deviation = Math.sqrt(moments.variances()[k]);
        if (deviation > 0) {
          for (int from = k * each; from < weights.length; from += channels * each) {
            scale(weights, from, each, 1 / deviation);
          }
          for (int i = k; i < bias.length; i += channels) {
            bias[i] = (float) ((bias[i] - moments.means()[k]) / deviation);
          }
        }
      }
      model.write(layer + ".weight", weights);
      if (biased) {
        model.write(layer + ".bias", bias);
      }
    }
  }

  private static void scale(float[] elements, int from, int count, double factor) {
    for (int i = from; i < from + count; i++) {
      elements[i] = (float) (factor * elements[i]);
    }
  }
}
