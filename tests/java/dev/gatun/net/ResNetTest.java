package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Layer;
import dev.gatun.Layers.Residual;
import dev.gatun.Layers.Sequential;
import dev.gatun.Layers.StochasticDepth;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.ResNet;
import dev.gatun.ResNet.Options;
import dev.gatun.ResNet.Shortcut;
import dev.gatun.Shape;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResNetTest {
  /// He et al. 2015, table 6, exactly: convolutions and batch norms without offsets of their own, a
  /// dense layer with 64 inputs.
  @ParameterizedTest
  @CsvSource({
    "20, 269722",
    "32, 464154",
    "44, 658586",
    "56, 853018",
    "110, 1727962",
  })
  void cifar_hasTheParametersOfThePaper(int depth, long parameters) {
    assertEquals(parameters, ResNet.cifar(depth, 10).parameterCount());
  }

  /// The counts of PyTorch's models, whose bottlenecks have the stride in the 3x3 convolution too.
  @ParameterizedTest
  @CsvSource({
    "18, 11689512",
    "34, 21797672",
    "50, 25557032",
    "101, 44549160",
    "152, 60192808",
  })
  void imagenet_hasTheParametersOfPyTorch(int depth, long parameters) {
    assertEquals(parameters, ResNet.imagenet(depth).parameterCount());
  }

  /// A projection is a 1x1 convolution and a batch norm: 16·32 + 64 and 32·64 + 128 more.
  @Test
  void projections_addTheirOwnParameters() {
    long pad = ResNet.cifar(20, 10, Shortcut.PAD).parameterCount();
    long projection = ResNet.cifar(20, 10, Shortcut.PROJECTION).parameterCount();
    assertEquals(pad + (16 * 32 + 64) + (32 * 64 + 128), projection);
    assertEquals(272_474, projection);
  }

  /// Huang et al. 2016: block l of L is lost with probability l / L times that of the last.
  @Test
  void stochasticDepth_growsLinearly() {
    Net cifar = ResNet.cifar(20, 10, Options.of(Shortcut.PAD).stochasticDepth(0.5));
    assertEquals(ResNet.cifar(20, 10).parameterCount(), cifar.parameterCount());
    double[] drops = drops(cifar.layers()).toArray();
    double[] expected = IntStream.rangeClosed(1, 9).mapToDouble(l -> 0.5 * l / 9).toArray();
    assertArrayEquals(expected, drops);
    Net imagenet = ResNet.imagenet(50, 7, Options.of(Shortcut.PROJECTION).stochasticDepth(0.2));
    drops = drops(imagenet.layers()).toArray();
    expected = IntStream.rangeClosed(1, 16).mapToDouble(l -> 0.2 * l / 16).toArray();
    assertArrayEquals(expected, drops);
    assertEquals(0, drops(ResNet.cifar(20, 10).layers()).count());
    assertThrows(IllegalArgumentException.class, () -> Options.of(Shortcut.PAD).stochasticDepth(1));
  }

  private static DoubleStream drops(Layer layer) {
    return switch (layer) {
      case Sequential sequential ->
          sequential.parts().stream().flatMapToDouble(part -> drops(part.layer()));
      case Residual residual -> drops(residual.branch());
      case StochasticDepth depth -> DoubleStream.of(depth.dropProbability());
      default -> DoubleStream.empty();
    };
  }

  /// A net with stochastic depth learns to tell noise apart, and its inference loses no block.
  @Test
  void stochasticDepth_trains() {
    Net net = ResNet.cifar(8, 2, Options.of(Shortcut.PAD).stochasticDepth(0.5));
    float[] x = pictures(4);
    int[] labels = {0, 1, 0, 1};
    try (Trainer trainer = Trainer.of(net).on(Backends.CPU.device())) {
      double first = trainer.step(x, labels, 0.02);
      double last = first;
      for (int i = 0; i < 30; i++) {
        last = trainer.step(x, labels, 0.02);
      }
      assertTrue(last < 0.5 * first, first + " fell to " + last);
      assertArrayEquals(trainer.model().predict(x), trainer.model().predict(x));
    }
  }

  /// The last norm of each branch starts at 0, the others at 1; a block is then what its shortcut
  /// is.
  @ParameterizedTest
  @ValueSource(ints = {18, 50})
  void zeroInitResidual_startsWithTheShortcuts(int depth) {
    Net net = ResNet.imagenet(depth, 10, Options.of(Shortcut.PROJECTION).zeroInitResidual());
    String last = depth == 18 ? "batchNorm1" : "batchNorm2";
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1)) {
      int zeros = 0;
      for (String name : model.parameterNames()) {
        if (name.contains("batchNorm") && name.endsWith("weight")) {
          boolean ends = name.endsWith(".branch." + last + ".weight");
          float[] expected = new float[Math.toIntExact(model.shape(name).count())];
          Arrays.fill(expected, ends ? 0 : 1);
          assertArrayEquals(expected, model.read(name), name);
          zeros += ends ? 1 : 0;
        }
      }
      assertEquals(depth == 18 ? 8 : 16, zeros);
    }
  }

  /// Branches that are 0 change nothing: the net answers as one without any block would, whatever
  /// their convolutions are.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void zeroBranches_areTheIdentity(Backends backend) {
    Net block =
        Net.input(6, 6, 4)
            .residual(
                branch ->
                    branch
                        .conv(4, 3)
                        .batchNorm()
                        .relu()
                        .conv(4, 3)
                        .batchNorm(new BatchNorm().initialWeight(0)));
    float[] x = Arrays.copyOf(pictures(1), 2 * 6 * 6 * 4);
    try (Model model = Model.of(block, backend.device(), 1)) {
      assertArrayEquals(x, model.predict(x));
    }
  }

  private static float[] pictures(int count) {
    RandomStream random = new RandomStream(4, 0);
    float[] pixels = new float[count * 32 * 32 * 3];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    return pixels;
  }

  @Test
  void otherClasses_changeTheHeadOnly() {
    assertEquals(
        ResNet.cifar(20, 10).parameterCount() + 90 * 65, ResNet.cifar(20, 100).parameterCount());
    assertEquals(
        ResNet.imagenet(50).parameterCount() - 990 * 2049,
        ResNet.imagenet(50, 10).parameterCount());
  }

  @Test
  void shapes_areThoseOfTheData() {
    Net cifar = ResNet.cifar(8, 7);
    assertEquals(Shape.of(32, 32, 3), cifar.inputShape());
    assertEquals(Shape.of(7), cifar.outputShape());
    assertEquals(Shape.of(224, 224, 3), ResNet.imagenet(18).inputShape());
    assertEquals(Shape.of(1000), ResNet.imagenet(18).outputShape());
  }

  @ParameterizedTest
  @ValueSource(ints = {-4, 0, 2, 7, 18, 21, 50 + 1})
  void cifar_ofAnotherDepth_isRefused(int depth) {
    assertEquals(
        "[resnet] expected a depth of 6n+2 (8, 14, 20, 32, 44, 56, 110, ...), found " + depth,
        assertThrows(IllegalArgumentException.class, () -> ResNet.cifar(depth, 10)).getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 20, 51})
  void imagenet_ofAnotherDepth_isRefused(int depth) {
    assertEquals(
        "[resnet] expected a depth of 18, 34, 50, 101 or 152, found " + depth,
        assertThrows(IllegalArgumentException.class, () -> ResNet.imagenet(depth)).getMessage());
  }

  @Test
  void noClass_isRefused() {
    assertEquals(
        "[dense] expected units of at least 1, found 0",
        assertThrows(IllegalArgumentException.class, () -> ResNet.cifar(20, 0)).getMessage());
  }
}
