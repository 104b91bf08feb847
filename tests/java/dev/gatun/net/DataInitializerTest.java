package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DataInitializer;
import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.ConvTransposed;
import dev.gatun.Layers.Dense;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Nets that start far too small, with inputs of their own for the outputs of every layer.
class DataInitializerTest {
  private static final int COUNT = 64;
  private static final Initializer TINY = Initializer.normal(0.001);

  /// The net up to its layer number `layers`.
  private static Net net(int layers) {
    Net net = Net.input(6, 6, 2).conv(new Conv(8, 3).initializer(TINY));
    if (layers > 1) {
      net = net.relu().conv(new Conv(12, 3).stride(2).initializer(TINY));
    }
    if (layers > 2) {
      net = net.tanh().flatten().dense(new Dense(10).initializer(TINY));
    }
    return net;
  }

  private static float[] inputs() {
    return Initializer.normal(3).sample(Shape.of(COUNT, 6, 6, 2), 5, 0);
  }

  /// What the first `layers` layers give with the weights of `model`.
  private static float[] outputs(Model model, int layers) {
    try (Model part = Model.of(net(layers), model.device(), 1)) {
      for (String name : part.parameterNames()) {
        part.write(name, model.read(name));
      }
      return part.predict(inputs());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void lsuv_givesEveryLayerUnitVariance(Backends backend) {
    try (Model model = Model.of(net(3), backend.device(), 1)) {
      DataInitializer.lsuv().apply(model, inputs());
      for (int layers = 1; layers <= 3; layers++) {
        double[] moments = moments(outputs(model, layers), 0, 1);
        assertEquals(1, moments[1], 0.1, "variance of layer " + layers);
      }
      float[] dense = model.read("dense0.weight"); // rows of one length, at right angles
      double first = dot(dense, 0, 0);
      assertEquals(first, dot(dense, 1, 1), 1e-4 * first);
      assertEquals(0, dot(dense, 0, 1), 1e-4 * first);
    }
  }

  private static double dot(float[] matrix, int a, int b) {
    int length = matrix.length / 10;
    double sum = 0;
    for (int i = 0; i < length; i++) {
      sum += (double) matrix[a * length + i] * matrix[b * length + i];
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void krahenbuhl_givesEveryChannelMeanZeroAndUnitVariance(Backends backend) {
    try (Model model = Model.of(net(3), backend.device(), 1)) {
      DataInitializer.krahenbuhl().apply(model, inputs());
      int[] channels = {8, 12, 10};
      for (int layers = 1; layers <= 3; layers++) {
        float[] outputs = outputs(model, layers);
        for (int k = 0; k < channels[layers - 1]; k++) {
          double[] moments = moments(outputs, k, channels[layers - 1]);
          assertEquals(0, moments[0], 2e-3, "mean of channel " + k + " of layer " + layers);
          assertEquals(1, moments[1], 1e-3, "variance of channel " + k + " of layer " + layers);
        }
      }
    }
  }

  /// Weights whose last axis counts the outputs, and some rows for each.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void krahenbuhl_knowsWhichWeightsAreAChannels(Backends backend) {
    Net transposed =
        Net.input(6, 6, 2).convTransposed(new ConvTransposed(5, 3, 2).initializer(TINY));
    Net matrix =
        Net.input(6, 6, 2)
            .flatten()
            .layer("own", (context, x) -> x.matmul(context.parameter("weight", TINY, 72, 5)));
    Net maxout = Net.input(6, 6, 2).flatten().maxout(5, 3);
    for (Net net : List.of(transposed, matrix, maxout)) {
      try (Model model = Model.of(net, backend.device(), 1)) {
        DataInitializer.krahenbuhl().apply(model, inputs());
        float[] outputs = model.predict(inputs());
        for (int k = 0; k < 5; k++) {
          assertEquals(1, moments(outputs, k, 5)[1], 1e-3, "variance of channel " + k);
        }
      }
    }
  }

  /// Mean and variance of every `stride`-th element.
  private static double[] moments(float[] elements, int from, int stride) {
    double sum = 0;
    double squares = 0;
    int count = 0;
    for (int i = from; i < elements.length; i += stride) {
      sum += elements[i];
      squares += (double) elements[i] * elements[i];
      count++;
    }
    double mean = sum / count;
    return new double[] {mean, squares / count - mean * mean};
  }

  @Test
  void inputsThatDoNotFit_areRefused() {
    try (Device device = Device.reference();
        Model model = Model.of(net(1), device, 1)) {
      String expected = "[dataInitializer] expected at least two inputs (6, 6, 2)";
      for (int length : new int[] {0, 72, 100}) {
        String found =
            String.valueOf(
                assertThrows(
                        ShapeException.class,
                        () -> DataInitializer.lsuv().apply(model, new float[length]))
                    .getMessage());
        assertTrue(found.startsWith(expected), found);
      }
    }
  }

  /// Zero inputs have no variance to correct: weights stay finite.
  @Test
  void constantOutputs_areLeftAlone() {
    try (Device device = Device.reference();
        Model model = Model.of(net(2), device, 1)) {
      float[] zeros = new float[4 * 72];
      DataInitializer.lsuv().apply(model, zeros);
      DataInitializer.krahenbuhl().apply(model, zeros);
      for (String name : model.parameterNames()) {
        float[] elements = model.read(name);
        assertTrue(Arrays.equals(elements, elements.clone()));
        for (float element : elements) {
          assertTrue(Float.isFinite(element), name);
        }
      }
    }
  }
}
