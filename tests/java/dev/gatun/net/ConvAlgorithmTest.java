package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.ConvAlgorithm;
import dev.gatun.Device;
import dev.gatun.Layers.Conv;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.ShapeException;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// The choice of a convolution's algorithm: the layer's, or else the network's where it can be.
class ConvAlgorithmTest {
  private static final Net NET =
      Net.input(16, 16, 16).conv(new Conv(16, 3).withoutBias()).conv(new Conv(8, 3).stride(2));

  @Test
  void theNetworkChoosesForItsLayers() {
    float[] direct = predict(NET.convAlgorithm(ConvAlgorithm.DIRECT));
    float[] winograd = predict(NET.convAlgorithm(ConvAlgorithm.WINOGRAD));
    assertFalse(Arrays.equals(direct, winograd), "the rounding of the two differs");
    assertArrayEquals(direct, winograd, 1e-4f);
  }

  @Test
  void theLayersOwnChoiceWins() {
    Net net =
        Net.input(16, 16, 16)
            .conv(new Conv(16, 3).withoutBias().algorithm(ConvAlgorithm.DIRECT))
            .conv(new Conv(8, 3).stride(2));
    assertArrayEquals(
        predict(NET.convAlgorithm(ConvAlgorithm.DIRECT)),
        predict(net.convAlgorithm(ConvAlgorithm.WINOGRAD)));
  }

  @Test
  void anImpossibleChoiceOfALayerIsRefused() {
    Conv strided = new Conv(8, 3).stride(2).algorithm(ConvAlgorithm.WINOGRAD);
    ShapeException refusal = assertThrows(ShapeException.class, () -> NET.conv(strided));
    assertEquals(
        "conv2: [conv2d] WINOGRAD needs f32, a 3x3 window and stride 1, found f32, 3x3 and 2x2",
        refusal.getMessage());
  }

  private static float[] predict(Net net) {
    Device device = Backends.CPU.device();
    try (Model model = Model.of(net, device, 3)) {
      float[] inputs = new float[2 * 16 * 16 * 16];
      SplittableRandom random = new SplittableRandom(5);
      for (int i = 0; i < inputs.length; i++) {
        inputs[i] = (float) random.nextGaussian();
      }
      return model.predict(inputs);
    }
  }
}
