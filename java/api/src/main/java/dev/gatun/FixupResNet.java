package dev.gatun;

import dev.gatun.Layers.Bias;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;

/// Residual networks without normalisation (Zhang et al. 2019, "Fixup Initialization"). With L
/// blocks of m = 2 convolutions each:
///
/// - the last convolution of each block and the classifier start at 0, so every block starts as the
///   identity;
/// - the first convolution of each block starts Kaiming normal times L^(-1 / (2m - 2)) = 1 / √L;
/// - a learned number is added before each convolution and each activation, and one multiplies the
///   end of each block.
///
/// The paper trains these numbers with a tenth of the rate:
///
/// ```java
/// ParameterGroups.of(sgd(0.1).momentum(0.9)).rate(0.1, matching(".*(shift|scale).*"))
/// ```
public final class FixupResNet {
  private FixupResNet() {}

  /// The network for 32x32 RGB pictures of depth 6n+2, with the shortcuts of [ResNet#cifar].
  ///
  /// @throws IllegalArgumentException if the depth is not 6n+2 with n ≥ 1, or there is no class
  public static Net cifar(int depth, int classes) {
    if (depth < 8 || (depth - 2) % 6 != 0) {
      throw new IllegalArgumentException(
          "[fixup] expected a depth of 6n+2 (8, 14, 20, 32, 44, 56, 110, ...), found " + depth);
    }
    int each = (depth - 2) / 6;
    Initializer first = Initializer.kaimingNormal().times(1 / Math.sqrt(3.0 * each));
    Net net = shift(Net.input(32, 32, 3).conv(conv(16, 1, Initializer.kaimingNormal()))).relu();
    for (int stage = 0; stage < 3; stage++) {
      int filters = 16 << stage;
      int entry = stage == 0 ? 1 : 2;
      net =
          net.stage(
              "stage" + (stage + 1),
              part -> {
                Net blocks = part;
                for (int block = 0; block < each; block++) {
                  blocks = block(blocks, filters, block == 0 ? entry : 1, first);
                }
                return blocks;
              });
    }
    Initializer zeros = Initializer.zeros();
    return shift(net.globalAveragePool()).dense(new Dense(classes, Bias.WITH, zeros));
  }

  private static Net block(Net net, int filters, int stride, Initializer first) {
    return net.residual(
            branch -> {
              Net half = shift(shift(branch).conv(conv(filters, stride, first))).relu();
              Net whole = shift(half).conv(conv(filters, 1, Initializer.zeros()));
              return shift(scale(whole));
            },
            shortcut -> stride == 1 ? shortcut : shortcut.subsamplePad(stride, filters))
        .relu();
  }

  private static Conv conv(int filters, int stride, Initializer initializer) {
    return new Conv(filters, 3).stride(stride).withoutBias().initializer(initializer);
  }

  /// x + b, b a number.
  private static Net shift(Net net) {
    return net.layer(
        "shift", (context, x) -> x.plus(context.parameter("bias", Initializer.zeros(), 1)));
  }

  /// a x, a a number.
  private static Net scale(Net net) {
    return net.layer(
        "scale", (context, x) -> x.times(context.parameter("weight", Initializer.ones(), 1)));
  }
}
