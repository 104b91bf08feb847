package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.gatun.Device;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.ResNet;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Predictions use weights that have taken in the batch norms, and never those of a former content.
class FoldingTest {
  private static final Net NET = ResNet.cifar(8, 10, ResNet.Shortcut.PROJECTION);

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void predictionsFollowEachChangeOfTheModel(String kind) {
    SplittableRandom random = new SplittableRandom(3);
    float[] inputs = normal(2 * 32 * 32 * 3, random);
    try (Device device = kind.equals("cpu") ? Device.cpu() : Device.reference();
        Model model = Model.of(NET, device, 1)) {
      float[] before = model.predict(inputs);
      assertEquals(20, before.length);
      for (String name : model.stateNames()) {
        float[] state = model.read(name);
        for (int i = 0; i < state.length; i++) {
          state[i] = 0.5f + random.nextFloat();
        }
        model.write(name, state);
      }
      float[] after = model.predict(inputs);
      assertNotEquals(before[0], after[0]);
      try (Model fresh = Model.of(NET, device, 1)) {
        for (String name : model.stateNames()) {
          fresh.write(name, model.read(name));
        }
        float[] expected = fresh.predict(inputs);
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i], after[i], "output " + i);
        }
      }
    }
  }

  private static float[] normal(int count, SplittableRandom random) {
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }
}
