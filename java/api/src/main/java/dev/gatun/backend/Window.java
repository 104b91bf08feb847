package dev.gatun.backend;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;

/// How a window moves over a picture, for convolution and pooling.
///
/// @param height the window's height R (for convolution, that of the weights)
/// @param width the window's width S
/// @param strideHeight rows between neighbouring windows
/// @param strideWidth columns between neighbouring windows
/// @param padTop rows of padding above
/// @param padLeft columns of padding at the left
/// @param padBottom rows of padding below
/// @param padRight columns of padding at the right
/// @param dilationHeight rows between neighbouring elements of a window
/// @param dilationWidth columns between neighbouring elements of a window
/// @param groups parts of equal size into which a convolution cuts the channels of its input and of
///   its output, each part of the output seeing one part of the input; 1 for pooling
public record Window(
    int height,
    int width,
    int strideHeight,
    int strideWidth,
    int padTop,
    int padLeft,
    int padBottom,
    int padRight,
    int dilationHeight,
    int dilationWidth,
    int groups) {

  /// Checks the ranges.
  public Window {
    if (height < 1 || width < 1 || strideHeight < 1 || strideWidth < 1) {
      throw new IllegalArgumentException(
          "window and stride must be at least 1, found window %dx%d, stride %dx%d"
              .formatted(height, width, strideHeight, strideWidth));
    }
    if (padTop < 0 || padLeft < 0 || padBottom < 0 || padRight < 0) {
      throw new IllegalArgumentException(
          "padding must not be negative, found " + padding(padTop, padLeft, padBottom, padRight));
    }
    if (dilationHeight < 1 || dilationWidth < 1 || groups < 1) {
      throw new IllegalArgumentException(
          "dilation and groups must be at least 1, found dilation %dx%d, %d groups"
              .formatted(dilationHeight, dilationWidth, groups));
    }
  }

  /// A window of neighbouring elements, padded alike on opposite sides.
  public Window(
      int height, int width, int strideHeight, int strideWidth, int padHeight, int padWidth) {
    this(
        height,
        width,
        strideHeight,
        strideWidth,
        padHeight,
        padWidth,
        padHeight,
        padWidth,
        1,
        1,
        1);
  }

  /// A square window.
  public static Window square(int size, int stride, int pad) {
    return new Window(size, size, stride, stride, pad, pad);
  }

  /// The same with other paddings.
  public Window padded(int top, int left, int bottom, int right) {
    return new Window(
        height,
        width,
        strideHeight,
        strideWidth,
        top,
        left,
        bottom,
        right,
        dilationHeight,
        dilationWidth,
        groups);
  }

  /// The same with another dilation.
  public Window dilated(int byHeight, int byWidth) {
    return new Window(
        height,
        width,
        strideHeight,
        strideWidth,
        padTop,
        padLeft,
        padBottom,
        padRight,
        byHeight,
        byWidth,
        groups);
  }

  /// The same with another number of groups.
  public Window grouped(int newGroups) {
    return new Window(
        height,
        width,
        strideHeight,
        strideWidth,
        padTop,
        padLeft,
        padBottom,
        padRight,
        dilationHeight,
        dilationWidth,
        newGroups);
  }

  /// Whether a convolution with this window, of elements of this type, can be computed so.
  public boolean allows(ConvAlgorithm algorithm, DType dtype) {
    return algorithm != ConvAlgorithm.WINOGRAD
        || (dtype == DType.F32
            && height == 3
            && width == 3
            && strideHeight == 1
            && strideWidth == 1
            && isPlain());
  }

  /// Whether there is neither dilation nor more than one group.
  public boolean isPlain() {
    return !isDilated() && groups == 1;
  }

  /// Whether the window's elements lie apart.
  public boolean isDilated() {
    return dilationHeight > 1 || dilationWidth > 1;
  }

  /// The rows that a window covers, those between its elements included.
  public long coveredHeight() {
    return (height - 1L) * dilationHeight + 1;
  }

  /// The columns that a window covers.
  public long coveredWidth() {
    return (width - 1L) * dilationWidth + 1;
  }

  /// The rows of the output for `inputHeight` rows of input: floor((H + padding - covered) /
  /// stride)
  /// + 1, less than 1 if the window does not fit.
  public long outputHeight(long inputHeight) {
    return Math.floorDiv(inputHeight + padTop + padBottom - coveredHeight(), strideHeight) + 1;
  }

  /// The columns of the output for `inputWidth` columns of input.
  public long outputWidth(long inputWidth) {
    return Math.floorDiv(inputWidth + padLeft + padRight - coveredWidth(), strideWidth) + 1;
  }

  /// The size, for messages: `3x3`, `3x3 (dilation 2x2)`.
  public String size() {
    String size = height + "x" + width;
    return isDilated()
        ? "%s (dilation %dx%d)".formatted(size, dilationHeight, dilationWidth)
        : size;
  }

  /// The padding, for messages: `1x1`, or `0+1x0+1` where opposite sides differ.
  public String padding() {
    return padding(padTop, padLeft, padBottom, padRight);
  }

  private static String padding(int top, int left, int bottom, int right) {
    return top == bottom && left == right
        ? top + "x" + left
        : "%d+%dx%d+%d".formatted(top, bottom, left, right);
  }
}
