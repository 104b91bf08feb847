package dev.gatun.backend;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;

/// How a window moves over a picture, for convolution and pooling.
///
/// @param height the window's height R (for convolution, that of the weights)
/// @param width the window's width S
/// @param strideHeight rows between neighbouring windows
/// @param strideWidth columns between neighbouring windows
/// @param padHeight rows of padding above and below
/// @param padWidth columns of padding left and right
public record Window(
    int height, int width, int strideHeight, int strideWidth, int padHeight, int padWidth) {

  /// Checks the ranges.
  public Window {
    if (height < 1 || width < 1 || strideHeight < 1 || strideWidth < 1) {
      throw new IllegalArgumentException(
          "window and stride must be at least 1, found window %dx%d, stride %dx%d"
              .formatted(height, width, strideHeight, strideWidth));
    }
    if (padHeight < 0 || padWidth < 0) {
      throw new IllegalArgumentException(
          "padding must not be negative, found %dx%d".formatted(padHeight, padWidth));
    }
  }

  /// A square window.
  public static Window square(int size, int stride, int pad) {
    return new Window(size, size, stride, stride, pad, pad);
  }

  /// Whether a convolution with this window, of elements of this type, can be computed so.
  public boolean allows(ConvAlgorithm algorithm, DType dtype) {
    return algorithm != ConvAlgorithm.WINOGRAD
        || (dtype == DType.F32
            && height == 3
            && width == 3
            && strideHeight == 1
            && strideWidth == 1);
  }

  /// The rows of the output for `inputHeight` rows of input: floor((H + 2 pad - R) / stride) + 1,
  /// less than 1 if the window does not fit.
  public long outputHeight(long inputHeight) {
    return Math.floorDiv(inputHeight + 2L * padHeight - height, strideHeight) + 1;
  }

  /// The columns of the output for `inputWidth` columns of input.
  public long outputWidth(long inputWidth) {
    return Math.floorDiv(inputWidth + 2L * padWidth - width, strideWidth) + 1;
  }
}
