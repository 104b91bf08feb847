package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Initializer;
import dev.gatun.Layers.Dense;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/// What layers make of the size of signals and gradients, by the scale of their weights: the
/// lectures' six layers, and fifty.
class SignalTest {
  private static final int ROWS = 16;

  /// The lectures have 4096 units; what counts is the deviation of the weights times the root of
  /// their number, which is the same here.
  private static final int WIDTH = 1024;

  private static final int LAYERS = 6;

  /// Deviations of each layer's outputs and of the gradient by its weights, and the share of the
  /// first and last layer's outputs beyond ±0.99.
  private record Statistics(double[] outputs, double[] slopes, double first, double last) {}

  /// Weights are normal with deviation gain / √width; what comes back from above is N(0, 1) / 16.
  private static Statistics statistics(UnaryOperator<Tensor> activation, double gain) {
    Device device = Backends.CPU.device();
    try (Scope _ = Scope.open()) {
      Tensor x = Tensor.randn(device, 100, ROWS, WIDTH);
      Tensor above = Tensor.randn(device, 101, ROWS, WIDTH).times(1 / 16.0);
      Tensor[] weights = new Tensor[LAYERS];
      for (int l = 0; l < LAYERS; l++) {
        weights[l] = Tensor.randn(device, 200 + l, WIDTH, WIDTH).times(gain / Math.sqrt(WIDTH));
      }
      List<Tensor> outputs = new ArrayList<>();
      Tensor h = x;
      for (Tensor w : weights) {
        h = activation.apply(h.matmul(w));
        outputs.add(h);
      }
      List<Tensor> slopes =
          Functions.grad(
                  in -> {
                    Tensor y = x;
                    for (Tensor w : in) {
                      y = activation.apply(y.matmul(w));
                    }
                    return y.times(above).sum();
                  })
              .apply(weights);
      return new Statistics(
          outputs.stream().mapToDouble(SignalTest::deviation).toArray(),
          slopes.stream().mapToDouble(SignalTest::deviation).toArray(),
          saturated(outputs.getFirst()),
          saturated(outputs.getLast()));
    }
  }

  private static double deviation(Tensor x) {
    double mean = x.mean().item();
    return Math.sqrt(x.square().mean().item() - mean * mean);
  }

  private static double saturated(Tensor x) {
    int beyond = 0;
    float[] elements = x.toFloatArray();
    for (float element : elements) {
      beyond += Math.abs(element) > 0.99f ? 1 : 0;
    }
    return (double) beyond / elements.length;
  }

  /// Within 6 %: the widths differ, and the samples are few.
  private static void near(double[] expected, double... found) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 0.06 * expected[i], "layer " + (i + 1));
    }
  }

  /// What ReLU's signals may differ by. Nothing holds them near their mean: through each layer of n
  /// units the logarithm of their mean square takes a step at random with a variance of 5 / n (that
  /// of a square of a rectified normal over the square of its mean; Hanin and Nica 2020), and so
  /// does a gradient on its way back. After l layers that is a deviation of √(5 l / n) of the
  /// square and half of it of the root; the value to compare with is a sample itself, of 4096
  /// units. Two deviations of both.
  private static void nearInReluNets(int[] layers, double[] expected, double... found) {
    for (int i = 0; i < expected.length; i++) {
      double spread = Math.sqrt(5.0 * layers[i] / WIDTH + 5.0 * layers[i] / 4096);
      assertEquals(expected[i], found[i], spread * expected[i], "layer " + (i + 1));
    }
  }

  /// Small weights: signals shrink by 0.64 a layer. The gradients by the weights are small, but not
  /// zero, as some lectures have it.
  @Test
  void smallWeights_letTanhFade() {
    Statistics found = statistics(Tensor::tanh, 0.64);
    near(new double[] {.492, .288, .178, .113, .072, .046}, found.outputs());
    near(new double[] {.018, .018, .018, .018, .018, .018}, found.slopes());
  }

  /// Large ones: many units saturate. The gradients, again said to be zero, are larger than those
  /// of Xavier's weights.
  @Test
  void largeWeights_saturateTanh() {
    Statistics found = statistics(Tensor::tanh, 3.2);
    near(new double[] {.872, .853, .850, .850, .850, .850}, found.outputs());
    assertEquals(0.41, found.first(), 0.02);
    assertEquals(0.33, found.last(), 0.02);
    near(new double[] {.54}, found.slopes());
    near(new double[] {.093}, found.slopes()[LAYERS - 1]);
  }

  /// One over the root of the inputs: signals and gradients stay.
  @Test
  void xaviersWeights_suitTanh() {
    Statistics found = statistics(Tensor::tanh, 1);
    near(new double[] {.626, .485, .407, .356, .320, .293}, found.outputs());
    near(new double[] {.087}, found.slopes());
    near(new double[] {.074}, found.slopes()[LAYERS - 1]);
  }

  /// The figures of Glorot and Bengio 2010. The initialisation that was standard then, uniform
  /// within 1 / √width, has a third of the variance: per layer it keeps 1 / √3 of the signals, and
  /// of the gradients that come back, 3^(-5/2) = 0.064 from the first layer to the last; tanh takes
  /// some of the larger ones at the one end only. The normalised one keeps about half of both.
  /// Gradients by the weights, products of both, hardly differ by layer in either.
  @Test
  void glorotsWeights_keepSignalsAndGradients() {
    Statistics standard = statistics(Tensor::tanh, 1 / Math.sqrt(3));
    Statistics normalised = statistics(Tensor::tanh, 1);
    int last = LAYERS - 1;
    assertEquals(0.064, standard.outputs()[last] / standard.outputs()[0], 0.02);
    assertTrue(normalised.outputs()[last] / normalised.outputs()[0] > 0.4);
    // The deviation of a gradient by weights is that of the input times that of what comes back.
    double lost = Math.pow(3, -2);
    assertTrue(returned(standard) < 1.1 * lost, "from layer 6 to 2: " + returned(standard));
    assertTrue(returned(normalised) > 0.5, "from layer 6 to 2: " + returned(normalised));
    for (Statistics found : List.of(standard, normalised)) {
      assertTrue(Math.abs(Math.log(found.slopes()[0] / found.slopes()[last])) < Math.log(1.5));
    }
  }

  /// What is left at the second layer of the gradient at the last.
  private static double returned(Statistics found) {
    int last = LAYERS - 1;
    double second = found.slopes()[1] / found.outputs()[0];
    return second / (found.slopes()[last] / found.outputs()[last - 1]);
  }

  /// The same lets ReLU fade by 0.71 a layer; √2 of it does not. A signal at layer l has come
  /// through l of them; a gradient by the weights has all six behind it, some forward and some
  /// backward.
  @Test
  void kaimingsWeights_suitRelu() {
    int[] through = {1, 2, 3, 4, 5, 6};
    int[] all = {6, 6, 6, 6, 6, 6};
    Statistics xavier = statistics(Tensor::relu, 1);
    nearInReluNets(through, new double[] {.586, .415, .292, .209, .149, .109}, xavier.outputs());
    nearInReluNets(all, new double[] {.031, .031, .031, .031, .031, .031}, xavier.slopes());
    Statistics kaiming = statistics(Tensor::relu, Math.sqrt(2));
    nearInReluNets(through, new double[] {.827, .839, .851, .857, .852, .821}, kaiming.outputs());
    nearInReluNets(all, new double[] {.179, .179, .179, .179, .179, .179}, kaiming.slopes());
  }

  /// A layer keeps the variance of its input with weights of variance 1 / fan-in, and that of the
  /// gradient with 1 / fan-out; Glorot's is between.
  @Test
  void variances_areKeptByTheirFan() {
    try (Scope _ = Scope.open()) {
      Device device = Backends.CPU.device();
      Tensor x = Tensor.randn(device, 1, 2000, 784);
      Tensor dy = Tensor.randn(device, 2, 2000, 256);
      var normal = Initializer.Distribution.NORMAL;
      double[] in = kept(Initializer.lecunNormal(), x, dy);
      assertEquals(1, in[0], 0.01);
      assertEquals(256 / 784.0, in[1], 0.01);
      double[] out = kept(Initializer.varianceScaling(1, Initializer.Fan.OUT, normal), x, dy);
      assertEquals(784 / 256.0, out[0], 0.03);
      assertEquals(1, out[1], 0.01);
      double[] glorot = kept(Initializer.glorotNormal(), x, dy);
      assertEquals(2 * 784 / (784 + 256.0), glorot[0], 0.02);
      assertEquals(2 * 256 / (784 + 256.0), glorot[1], 0.02);
    }
  }

  /// By how much the mean square changes forward and backward.
  private static double[] kept(Initializer initializer, Tensor x, Tensor dy) {
    try (Model model =
        Model.of(
            Net.input(784).dense(new Dense(256).withoutBias().initializer(initializer)),
            x.device(),
            5)) { // a seed of its own: streams of one seed are the same numbers
      Tensor w = Tensor.of(x.device(), model.read("dense0.weight"), 256, 784);
      return new double[] {
        x.matmulTransposed(w).square().mean().item() / x.square().mean().item(),
        dy.matmul(w).square().mean().item() / dy.square().mean().item()
      };
    }
  }

  /// Multiplying again and again: through 50 layers signals, and gradients on their way back,
  /// shrink as 0.9^50 or grow as 1.1^50, or stay.
  @Test
  void fiftyLayers_multiplyTheirGain() {
    Device device = Backends.CPU.device();
    int width = 512;
    for (double gain : new double[] {0.9, 1, 1.1}) {
      try (Scope _ = Scope.open()) {
        Tensor[] weights = new Tensor[50];
        for (int l = 0; l < 50; l++) {
          weights[l] = Tensor.randn(device, l, width, width).times(gain * Math.sqrt(2.0 / width));
        }
        Functions.TensorFunction net =
            in -> {
              Tensor h = in[0];
              for (Tensor w : weights) {
                h = h.matmul(w).relu();
              }
              return h;
            };
        Tensor x = Tensor.randn(device, 99, 8, width);
        Tensor y = net.apply(x);
        double forward = Math.log(norm(y) / norm(x)) / 50;
        Tensor above = Tensor.randn(device, 98, 8, width);
        Tensor slope = Functions.grad(in -> net.apply(in).times(above).sum()).apply(x).getFirst();
        double backward = Math.log(norm(slope) / norm(above)) / 50;
        assertEquals(Math.log(gain), forward, 0.02, "a layer, forward");
        assertEquals(Math.log(gain), backward, 0.02, "a layer, backward");
      }
    }
  }

  /// Past the first layer of a plain net of 30 tanh layers little comes back; with residual
  /// branches it does, for each passes on what is above and adds to it.
  @Test
  void residuals_bringGradientsBack() {
    double plain = slopeOfTheFirst(false);
    double residual = slopeOfTheFirst(true);
    assertTrue(
        residual > 0.1 && plain < 1e-4, "plain %.2e, residual %.2e".formatted(plain, residual));
  }

  /// The norm of the gradient by the input over that by the output.
  private static double slopeOfTheFirst(boolean residual) {
    Device device = Backends.CPU.device();
    try (Scope _ = Scope.open()) {
      int width = 64;
      Tensor above = Tensor.randn(device, 98, 8, width);
      Tensor slope =
          Functions.grad(
                  in -> {
                    Tensor h = in[0];
                    for (int l = 0; l < 30; l++) {
                      Tensor w =
                          Tensor.randn(device, l, width, width).times(0.7 / Math.sqrt(width));
                      Tensor branch = h.matmul(w).tanh();
                      h = residual ? h.plus(branch) : branch;
                    }
                    return h.times(above).sum();
                  })
              .apply(Tensor.randn(device, 99, 8, width))
              .getFirst();
      return norm(slope) / norm(above);
    }
  }

  private static double norm(Tensor x) {
    return Math.sqrt(x.square().sum().item());
  }

  /// Units that start alike stay alike: symmetry must be broken.
  @Test
  void constantWeights_neverBecomeDifferent() {
    Net net =
        Net.input(4)
            .dense(new Dense(5).initializer(Initializer.constant(0.1)))
            .tanh()
            .dense(new Dense(3).initializer(Initializer.constant(0.2)));
    RandomStream random = new RandomStream(1, 0);
    float[] x = new float[20 * 4];
    int[] labels = new int[20];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
      labels[i / 4] = i % 3;
    }
    try (Trainer trainer =
        Trainer.of(net).on(Backends.REFERENCE.device()).optimizer(Optimizer.sgd(0.5))) {
      for (int i = 0; i < 50; i++) {
        trainer.step(x, labels, 0.5);
      }
      float[] weights = trainer.model().read("dense0.weight");
      float[] first = Arrays.copyOf(weights, 4);
      assertTrue(first[0] != 0.1f && first[0] != first[1], "they do move");
      for (int unit = 1; unit < 5; unit++) {
        assertArrayEquals(first, Arrays.copyOfRange(weights, 4 * unit, 4 * unit + 4), 1e-6f);
      }
    }
  }
}
