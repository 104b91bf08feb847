package dev.gatun.backend.reference;

import dev.gatun.backend.reference.Elements.Reals;
import dev.gatun.backend.reference.Recurrent.Extents;

/// Layer normalisation of a step's products of the gates from `begin` to `end` of a sequence: (p -
/// mean) / √(variance + ε) gain.
record RecurrentNorm(Extents e, Reals gain, int d, int begin, int end) {
  /// Products become what they are normalised to.
  void forward(double[][] products) {
    double mean = mean(products);
    double inverse = inverse(products, mean);
    for (int gate = begin; gate < end; gate++) {
      for (int i = 0; i < e.units(); i++) {
        products[gate][i] = gain.get(at(gate, i)) * (products[gate][i] - mean) * inverse;
      }
    }
  }

  /// Slopes of what was made of the products become those of the products; adds to the gain's.
  void backward(double[][] slopes, double[] dgain, double[][] products) {
    double mean = mean(products);
    double inverse = inverse(products, mean);
    double sum = 0;
    double byValue = 0;
    for (int gate = begin; gate < end; gate++) {
      for (int i = 0; i < e.units(); i++) {
        double value = (products[gate][i] - mean) * inverse;
        double slope = gain.get(at(gate, i)) * slopes[gate][i];
        dgain[at(gate, i)] += slopes[gate][i] * value;
        sum += slope / count();
        byValue += slope * value / count();
      }
    }
    for (int gate = begin; gate < end; gate++) {
      for (int i = 0; i < e.units(); i++) {
        double value = (products[gate][i] - mean) * inverse;
        double slope = gain.get(at(gate, i)) * slopes[gate][i];
        slopes[gate][i] = inverse * (slope - sum - value * byValue);
      }
    }
  }

  private int count() {
    return (end - begin) * e.units();
  }

  private int at(int gate, int i) {
    return (d * e.cell().gates() + gate) * e.units() + i;
  }

  private double mean(double[][] products) {
    double sum = 0;
    for (int gate = begin; gate < end; gate++) {
      for (int i = 0; i < e.units(); i++) {
        sum += products[gate][i];
      }
    }
    return sum / count();
  }

  private double inverse(double[][] products, double mean) {
    double squares = 0;
    for (int gate = begin; gate < end; gate++) {
      for (int i = 0; i < e.units(); i++) {
        squares += (products[gate][i] - mean) * (products[gate][i] - mean);
      }
    }
    return 1 / Math.sqrt(squares / count() + e.epsilon());
  }
}
