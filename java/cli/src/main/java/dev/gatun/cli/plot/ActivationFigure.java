package dev.gatun.cli.plot;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// The activations of the lectures and their slopes, as Gatun computes both; the sigmoid alone,
/// with the places -10, 0 and 10 at which the lectures ask for its slope.
final class ActivationFigure {
  private static final int INTERVALS = 400;

  private static final Map<String, UnaryOperator<Tensor>> ACTIVATIONS = new LinkedHashMap<>();

  static {
    ACTIVATIONS.put("sigmoid", Tensor::sigmoid);
    ACTIVATIONS.put("tanh", Tensor::tanh);
    ACTIVATIONS.put("ReLU", Tensor::relu);
    ACTIVATIONS.put("leaky ReLU (0.1)", x -> x.leakyRelu(0.1));
    ACTIVATIONS.put("ELU", Tensor::elu);
    ACTIVATIONS.put("SiLU", Tensor::silu);
    ACTIVATIONS.put("softplus", Tensor::softplus);
  }

  private ActivationFigure() {}

  static Figure of(Device device) {
    List<Curve> values = new ArrayList<>();
    List<Curve> slopes = new ArrayList<>();
    double[] near = between(-4, 4);
    ACTIVATIONS.forEach(
        (name, activation) -> {
          values.add(Curve.line(name, near, values(device, activation, near)));
          slopes.add(Curve.line(name, near, slopes(device, activation, near)));
        });
    double[] far = between(-12, 12);
    double[] asked = {-10, 0, 10};
    Axis x = Axis.linear("x");
    return Figure.of(
        new Panel(
            "Sigmoid",
            x,
            Axis.linear(""),
            List.of(
                Curve.line("value", far, values(device, Tensor::sigmoid, far)),
                Curve.line("slope", far, slopes(device, Tensor::sigmoid, far)),
                new Curve(
                    "slope at -10, 0, 10",
                    asked,
                    slopes(device, Tensor::sigmoid, asked),
                    Curve.Style.DOTS))),
        new Panel(
            "Slope of the sigmoid",
            x,
            Axis.logarithmic(""),
            List.of(Curve.line("slope", far, slopes(device, Tensor::sigmoid, far)))),
        new Panel("Activations", x, Axis.linear("").within(-1.5, 3), values),
        new Panel("Slopes", x, Axis.linear("").within(-0.2, 1.2), slopes));
  }

  private static double[] values(Device device, UnaryOperator<Tensor> activation, double[] x) {
    try (Scope _ = Scope.open()) {
      return activation.apply(tensor(device, x)).toDoubleArray();
    }
  }

  private static double[] slopes(Device device, UnaryOperator<Tensor> activation, double[] x) {
    try (Scope _ = Scope.open()) {
      return Functions.grad(in -> activation.apply(in[0]).sum())
          .apply(tensor(device, x))
          .getFirst()
          .toDoubleArray();
    }
  }

  private static Tensor tensor(Device device, double[] x) {
    float[] elements = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      elements[i] = (float) x[i];
    }
    return Tensor.of(device, elements, x.length);
  }

  private static double[] between(double from, double to) {
    double[] x = new double[INTERVALS + 1];
    Arrays.setAll(x, i -> from + i * (to - from) / INTERVALS);
    return x;
  }
}
