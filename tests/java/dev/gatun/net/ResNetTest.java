package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Net;
import dev.gatun.ResNet;
import dev.gatun.ResNet.Shortcut;
import dev.gatun.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
