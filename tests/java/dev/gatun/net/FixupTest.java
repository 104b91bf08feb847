package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.FixupResNet;
import dev.gatun.Initializer;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Shape;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;

class FixupTest {
  @Test
  void branchesStartAtZero_andTheirFirstWeightsAreScaled() {
    Net net = FixupResNet.cifar(20, 10);
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1)) {
      int firsts = 0;
      for (String name : model.parameterNames()) {
        float[] elements = model.read(name);
        if (name.endsWith("branch.conv1.weight") || name.startsWith("dense0")) {
          assertArrayEquals(new float[elements.length], elements, name);
        } else if (name.endsWith("branch.conv0.weight")) {
          double expected = 2.0 / (9 * model.shape(name).dim(-1)) / 9; // L = 9 blocks
          assertEquals(
              expected, variance(elements), 6 * expected * Math.sqrt(2.0 / elements.length), name);
          firsts++;
        } else if (name.endsWith("scale0.weight")) {
          assertArrayEquals(new float[] {1}, elements);
        } else if (name.contains("shift")) {
          assertArrayEquals(new float[1], elements);
        }
      }
      assertEquals(9, firsts);
      float[] input = Initializer.normal(1).sample(Shape.of(1, 32, 32, 3), 1, 0);
      assertArrayEquals(new float[10], model.predict(input));
    }
  }

  /// 110 layers and no batch norm: the first steps on one batch go down from ln 10.
  @Test
  void aVeryDeepNet_trainsWithoutNormalisation() {
    Backends.requireNative();
    float[] images = Initializer.normal(1).sample(Shape.of(4, 32, 32, 3), 2, 0);
    int[] labels = {0, 3, 5, 9};
    try (Trainer trainer =
        Trainer.of(FixupResNet.cifar(110, 10))
            .on(Backends.CPU.device())
            .optimizer(
                ParameterGroups.of(Optimizer.sgd(1).momentum(0.9))
                    .rate(0.1, ParameterSelector.matching(".*(shift|scale).*")))) {
      assertEquals(Math.log(10), trainer.step(images, labels, 0.02), 1e-5);
      float last = 0;
      for (int i = 0; i < 15; i++) {
        last = trainer.step(images, labels, 0.02);
      }
      assertTrue(last < 0.8 * Math.log(10), "loss " + last);
    }
  }

  @Test
  void depthsThatDoNotFit_areRefused() {
    assertEquals(
        "[fixup] expected a depth of 6n+2 (8, 14, 20, 32, 44, 56, 110, ...), found 21",
        assertThrows(IllegalArgumentException.class, () -> FixupResNet.cifar(21, 10)).getMessage());
  }

  private static double variance(float[] elements) {
    double squares = 0;
    for (float element : elements) {
      squares += (double) element * element;
    }
    return squares / elements.length;
  }
}
