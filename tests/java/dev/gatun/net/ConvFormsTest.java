package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.ConvAlgorithm;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Conv1d;
import dev.gatun.Layers.ConvTransposed;
import dev.gatun.Model;
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

  /// By loops, with stride, padding, dilation and groups.
  @ParameterizedTest
  @EnumSource
  void conv1d_isItsDefinition(Backends backend) {
    int length = 13;
    int channels = 4;
    int filters = 6;
    int size = 3;
    for (int[] form : new int[][] {{1, 1, 1, 1}, {2, 0, 1, 1}, {1, 2, 2, 1}, {3, 1, 1, 2}}) {
      int groups = form[3];
      try (Scope _ = Scope.open()) {
        Tensor x = Tensor.randn(backend.device(), 1, 2, length, channels);
        Tensor w = Tensor.randn(backend.device(), 2, filters, size, channels / groups);
        Tensor y = x.conv1d(w, form[0], form[1], form[2], groups);
        int out = (length + 2 * form[1] - form[2] * (size - 1) - 1) / form[0] + 1;
        assertEquals(Shape.of(2, out, filters), y.shape());
        float[] in = x.toFloatArray();
        float[] weights = w.toFloatArray();
        float[] found = y.toFloatArray();
        int each = channels / groups;
        for (int i = 0; i < found.length; i++) {
          int k = i % filters;
          int p = i / filters % out;
          int n = i / filters / out;
          double sum = 0;
          for (int s = 0; s < size; s++) {
            int l = p * form[0] + s * form[2] - form[1];
            for (int c = 0; c < each && l >= 0 && l < length; c++) {
              int channel = k / (filters / groups) * each + c;
              sum +=
                  (double) in[(n * length + l) * channels + channel]
                      * weights[(k * size + s) * each + c];
            }
          }
          assertEquals(sum, found[i], 1e-5);
        }
      }
    }
  }

  /// The layers are the functions, with a bias.
  @ParameterizedTest
  @EnumSource
  void layers_areTheFunctions(Backends backend) {
    Net sequence = Net.input(11, 4).conv1d(new Conv1d(6, 3).dilation(2).groups(2).stride(2));
    assertEquals(Shape.of(6, 6), sequence.outputShape());
    assertEquals(6 * 3 * 2 + 6, sequence.parameterCount());
    Net picture = Net.input(4, 5, 3).convTransposed(new ConvTransposed(2, 4, 2));
    assertEquals(Shape.of(8, 10, 2), picture.outputShape());
    assertEquals(3 * 16 * 2 + 2, picture.parameterCount());
    Device device = backend.device();
    try (Scope _ = Scope.open();
        Model first = Model.of(sequence, device, 1);
        Model second = Model.of(picture, device, 1)) {
      Tensor x = Tensor.randn(device, 1, 2, 11, 4);
      Tensor b = Tensor.randn(device, 2, 6);
      first.write("conv1d0.bias", b.toFloatArray());
      Tensor w = Tensor.of(device, first.read("conv1d0.weight"), 6, 3, 2);
      assertArrayEquals(
          x.conv1d(w, 2, 2, 2, 2).plus(b).toFloatArray(), first.predict(x.toFloatArray()), 1e-5f);
      x = Tensor.randn(device, 3, 2, 4, 5, 3);
      b = Tensor.randn(device, 4, 2);
      second.write("convTransposed0.bias", b.toFloatArray());
      w = Tensor.of(device, second.read("convTransposed0.weight"), 3, 4, 4, 2);
      assertArrayEquals(
          x.conv2dTransposed(w, 2, 1, 0).plus(b).toFloatArray(),
          second.predict(x.toFloatArray()),
          1e-5f);
    }
  }

  /// Whatever the size, a transposed layer multiplies height and width by its stride, and its
  /// initial weights the variance by 2, as many as meet in an output.
  @Test
  void transposedLayers_growByTheStride() {
    for (int stride = 1; stride < 4; stride++) {
      for (int size = 1; size < 7; size++) {
        if (stride > 1 || size % 2 == 1) {
          assertEquals(
              Shape.of(5L * stride, 7L * stride, 3),
              Net.input(5, 7, 2).convTransposed(3, size, stride).outputShape());
        }
      }
    }
    Net net = Net.input(12, 12, 32).convTransposed(new ConvTransposed(32, 4, 2).pad(0, 0));
    try (Scope _ = Scope.open();
        Model model = Model.of(net, Backends.CPU.device(), 1)) {
      Tensor x = Tensor.randn(model.device(), 1, 4, 12, 12, 32);
      Tensor y = Tensor.of(model.device(), model.predict(x.toFloatArray()), 4, 26, 26, 32);
      float[] squares = y.square().mean(0, 3).toFloatArray();
      double inner = 0;
      for (int row = 2; row < 24; row++) {
        for (int column = 2; column < 24; column++) {
          inner += squares[26 * row + column] / (22.0 * 22);
        }
      }
      assertEquals(2, inner, 0.15);
    }
    assertEquals(
        "[convTransposed] expected an output padding of 0 to 0, found 1",
        assertThrows(IllegalArgumentException.class, () -> new ConvTransposed(3, 2, 1))
            .getMessage());
    assertEquals(
        "conv1d0: [conv1d] expected [N,L,C], found (2, 4, 4, 1)",
        assertThrows(ShapeException.class, () -> Net.input(4, 4, 1).conv1d(3, 3)).getMessage());
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
