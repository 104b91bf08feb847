package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.ConvAlgorithm;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.Scope;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Dilated, grouped, depthwise and transposed convolution, by what they are the same as.
class ConvFormsTest {
  @Test
  void shapes_followTheFormula() {
    Net input = Net.input(14, 14, 6);
    assertEquals(Shape.of(14, 14, 8), input.conv(new Conv(8, 3).dilation(2)).outputShape());
    assertEquals(Shape.of(10, 10, 8), input.conv(new Conv(8, 3).dilation(2).pad(0)).outputShape());
    assertEquals(Shape.of(7, 7, 6), input.depthwiseConv(5, 2).outputShape());
    assertEquals(6 * 9 + 6, input.depthwiseConv(3).parameterCount());
    assertEquals(8 * 9 * 3, input.conv(new Conv(8, 3).groups(2).withoutBias()).parameterCount());
  }

  @Test
  void whatDoesNotDivide_isRefused_withThePath() {
    Net input = Net.input(8, 8, 6);
    String message =
        assertThrows(ShapeException.class, () -> input.conv(new Conv(8, 3).groups(4))).getMessage();
    assertEquals(
        "conv0: [conv] expected channels that divide into 4 groups, found (2, 8, 8, 6)", message);
    assertEquals(
        "[conv] expected filters that divide into the groups, found 6 filters and 4 groups",
        assertThrows(IllegalArgumentException.class, () -> new Conv(6, 3).groups(4)).getMessage());
    Conv winograd = new Conv(6, 3).groups(2).algorithm(ConvAlgorithm.WINOGRAD);
    String refused =
        String.valueOf(assertThrows(ShapeException.class, () -> input.conv(winograd)).getMessage());
    assertTrue(refused.contains("WINOGRAD"), refused);
  }

  @ParameterizedTest
  @EnumSource
  void depthwise_isEachChannelConvolvedAlone(Backends backend) {
    try (Scope _ = Scope.open()) {
      Device device = backend.device();
      Tensor x = Tensor.randn(device, 1, 2, 7, 6, 3);
      Tensor w = Tensor.randn(device, 2, 3, 3, 3, 1);
      float[] together = x.conv2d(w, 2, 1, 2, 3, ConvAlgorithm.AUTO).toFloatArray();
      for (int c = 0; c < 3; c++) {
        float[] alone =
            channel(x, c, 3).conv2d(part(w, c), 2, 1, 2, 1, ConvAlgorithm.AUTO).toFloatArray();
        for (int i = 0; i < alone.length; i++) {
          assertEquals(alone[i], together[i * 3 + c], 1e-5f);
        }
      }
    }
  }

  /// <conv(x), y> = <x, transposed(y)>, and its output padding chooses the height.
  @ParameterizedTest
  @EnumSource
  void transposed_isTheAdjoint(Backends backend) {
    try (Scope _ = Scope.open()) {
      Device device = backend.device();
      Tensor w = Tensor.randn(device, 2, 4, 3, 3, 5);
      for (int outputPad = 0; outputPad < 2; outputPad++) {
        Tensor x = Tensor.randn(device, 1, 2, 7 + outputPad, 9 + outputPad, 5);
        Tensor forward = x.conv2d(w, 2, 1);
        Tensor y = Tensor.randn(device, 3, forward.shape().toArray());
        Tensor back = y.conv2dTransposed(w, 2, 1, outputPad);
        assertEquals(x.shape(), back.shape());
        double left = forward.times(y).sum().item();
        double right = x.times(back).sum().item();
        assertEquals(left, right, 1e-4 * Math.abs(left) + 1e-3);
      }
    }
  }

  /// The gradient with respect to x of <transposed(x), y> is conv(y).
  @ParameterizedTest
  @EnumSource
  void transposed_hasTheConvolutionForGradient(Backends backend) {
    try (Scope _ = Scope.open()) {
      Device device = backend.device();
      Tensor x = Tensor.randn(device, 1, 2, 4, 5, 3);
      Tensor w = Tensor.randn(device, 2, 3, 3, 3, 4);
      Tensor y = Tensor.randn(device, 3, 2, 7, 9, 4);
      List<Tensor> gradients =
          Functions.grad(in -> in[0].conv2dTransposed(in[1], 2, 1, 0).times(in[2]).sum())
              .apply(x, w, y);
      assertArrayEquals(
          y.conv2d(w, 2, 1).toFloatArray(), gradients.getFirst().toFloatArray(), 1e-4f);
    }
  }

  @Test
  void transposed_refusesAnOutputPaddingOfAStride() {
    try (Scope _ = Scope.open();
        Device device = Device.reference()) {
      Tensor x = Tensor.randn(device, 1, 2, 4, 5, 3);
      Tensor w = Tensor.randn(device, 2, 3, 3, 3, 4);
      assertEquals(
          "[conv2d_transposed] expected x [N,P,Q,K] and an output padding of 0 to 1, found"
              + " (2, 4, 5, 3) and 2",
          assertThrows(ShapeException.class, () -> x.conv2dTransposed(w, 2, 1, 2)).getMessage());
    }
  }

  /// Channel `c` of `channels` as a picture of its own.
  private static Tensor channel(Tensor x, int c, int channels) {
    float[] all = x.toFloatArray();
    float[] one = new float[all.length / channels];
    for (int i = 0; i < one.length; i++) {
      one[i] = all[i * channels + c];
    }
    long[] dims = x.shape().toArray();
    dims[3] = 1;
    return Tensor.of(x.device(), one, dims);
  }

  private static Tensor part(Tensor w, int c) {
    float[] all = w.toFloatArray();
    float[] one = new float[9];
    System.arraycopy(all, 9 * c, one, 0, 9);
    return Tensor.of(w.device(), one, 1, 3, 3, 1);
  }
}
