package dev.gatun;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which weights of a network are gone for good. [Trainer#prune] keeps them at 0; [LotteryTicket]
/// finds which to take. Immutable.
///
/// Only matrices are pruned: the weights of dense layers, convolutions and embeddings, not biases
/// and norms.
public final class Pruning {
  private final Map<String, boolean[]> kept; // by parameter; what is not here is whole

  private Pruning(Map<String, boolean[]> kept) {
    this.kept = kept;
  }

  /// Where magnitudes are compared.
  public enum Extent {
    /// Over the whole network: layers with small weights lose more.
    GLOBAL,
    /// In each parameter on its own: all lose the same share.
    LAYERWISE
  }

  /// Nothing of the weights of `model` is gone.
  public static Pruning none(Model model) {
    Map<String, boolean[]> kept = new LinkedHashMap<>();
    for (String name : model.parameterNames()) {
      if (ParameterSelector.matrices().selects(name, model.shape(name))) {
        boolean[] all = new boolean[Math.toIntExact(model.shape(name).count())];
        Arrays.fill(all, true);
        kept.put(name, all);
      }
    }
    return new Pruning(kept);
  }

  /// This, and of the weights that are left the share with the least magnitudes in `model`, rounded
  /// down to whole weights; of equal ones those that come first.
  ///
  /// @param share in [0, 1]
  /// @throws IllegalArgumentException if the share is not in its range
  public Pruning byMagnitude(Model model, double share, Extent extent) {
    if (!(share >= 0 && share <= 1)) {
      throw new IllegalArgumentException("[prune] expected a share in [0, 1], found " + share);
    }
    Map<String, boolean[]> next = new LinkedHashMap<>();
    kept.forEach((name, mask) -> next.put(name, mask.clone()));
    List<Weight> weights = new ArrayList<>();
    next.forEach(
        (name, mask) -> {
          float[] elements = model.read(name);
          for (int i = 0; i < mask.length; i++) {
            if (mask[i]) {
              weights.add(new Weight(Math.abs(elements[i]), mask, i));
            }
          }
          if (extent == Extent.LAYERWISE) {
            prune(weights, share);
            weights.clear();
          }
        });
    prune(weights, share);
    return new Pruning(next);
  }

  private record Weight(float magnitude, boolean[] mask, int index) {}

  private static void prune(List<Weight> weights, double share) {
    weights.stream()
        .sorted((a, b) -> Float.compare(a.magnitude(), b.magnitude())) // stable
        .limit(count(weights.size(), share))
        .forEach(weight -> weight.mask()[weight.index()] = false);
  }

  /// Of the decimal number: in binary, 100 · 0.29 is less than 29.
  private static long count(int weights, double share) {
    return BigDecimal.valueOf(share).multiply(BigDecimal.valueOf(weights)).longValue();
  }

  /// Whether each element of the parameter `name` is left, in a new array.
  ///
  /// @throws IllegalArgumentException if it is none of those that are pruned
  public boolean[] mask(String name) {
    boolean[] mask = kept.get(name);
    if (mask == null) {
      throw new IllegalArgumentException(
          "[prune] %s is not pruned; these are: %s".formatted(name, kept.keySet()));
    }
    return mask.clone();
  }

  /// The share of weights that are left.
  public double remaining() {
    long all = 0;
    long left = 0;
    for (boolean[] mask : kept.values()) {
      for (boolean here : mask) {
        all++;
        left += here ? 1 : 0;
      }
    }
    return all == 0 ? 1 : (double) left / all;
  }

  /// Sets the weights that are gone to 0.
  ///
  /// @throws IllegalArgumentException if the model lacks one of the parameters
  /// @throws ShapeException if one has another size
  public void apply(Model model) {
    kept.forEach(
        (name, mask) -> {
          float[] elements = model.read(name);
          requireFit(name, mask, elements.length);
          for (int i = 0; i < mask.length; i++) {
            elements[i] = mask[i] ? elements[i] : 0;
          }
          model.write(name, elements);
        });
  }

  /// Ones and zeros, laid out as the parameters.
  void write(Slab slab) {
    slab.shapes()
        .forEach(
            (name, shape) -> {
              float[] elements = new float[Math.toIntExact(shape.count())];
              boolean[] mask = kept.get(name);
              if (mask != null) {
                requireFit(name, mask, elements.length);
              }
              for (int i = 0; i < elements.length; i++) {
                elements[i] = mask == null || mask[i] ? 1 : 0;
              }
              slab.write(name, elements);
            });
  }

  private static void requireFit(String name, boolean[] mask, int elements) {
    if (mask.length != elements) {
      throw new ShapeException(
          "[prune] expected %d elements in %s, found %d".formatted(mask.length, name, elements));
    }
  }
}
