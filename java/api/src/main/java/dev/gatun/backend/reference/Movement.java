package dev.gatun.backend.reference;

import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Filling, copying, permuting, and the option A shortcut.
final class Movement {
  private Movement() {}

  static Instruction fill(View yView, double value) {
    Operands operands = new Operands("fill");
    Operand y = operands.output("y", yView);
    return operands.instruction(
        () -> {
          for (int i = 0; i < y.count(); i++) {
            y.elements().set(i, value);
          }
        });
  }

  static Instruction copy(View yView, View xView) {
    Operands operands = new Operands("copy");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    if (y.count() != x.count()) {
      throw operands.refusal(
          "element counts differ: y is %s, x is %s".formatted(y.view(), x.view()));
    }
    if (y.dtype() == x.dtype()) {
      operands.allowInPlace(y, x);
    }
    return operands.instruction(() -> copy(y.elements(), x.elements(), y.count()));
  }

  private static void copy(Elements y, Elements x, int count) {
    switch (x) {
      case Reals reals -> {
        for (int i = 0; i < count; i++) {
          y.set(i, reals.get(i));
        }
      }
      case Integers integers -> {
        for (int i = 0; i < count; i++) {
          y.setInteger(i, integers.get(i));
        }
      }
    }
  }

  static Instruction permute(View yView, View xView, int[] axes) {
    Operands operands = new Operands("permute");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    y.requireDtype(x.dtype());
    int rank = x.rank();
    operands.require(
        isPermutation(axes, rank),
        () ->
            "axes must be a permutation of 0..%d, but are %s"
                .formatted(rank - 1, Arrays.toString(axes)));
    long[] dims = new long[rank];
    int[] extents = new int[rank];
    int[] strides = new int[rank]; // of x along the axes of y
    int[] dense = Strided.dense(x);
    for (int i = 0; i < rank; i++) {
      dims[i] = x.dim(axes[i]);
      extents[i] = x.dim(axes[i]);
      strides[i] = dense[axes[i]];
    }
    y.requireShape(dims);
    Strided source = new Strided(extents, strides);
    return operands.instruction(() -> permute(y.elements(), x.elements(), source, y.count()));
  }

  private static boolean isPermutation(int[] axes, int rank) {
    int[] sorted = axes.clone();
    Arrays.sort(sorted);
    return Arrays.equals(sorted, IntStream.range(0, rank).toArray());
  }

  private static void permute(Elements y, Elements x, Strided source, int count) {
    int length = source.rowLength();
    int step = source.step();
    for (int yi = 0, row = 0; yi < count; yi += length, row++) {
      int xi = source.start(row);
      switch (x) {
        case Reals reals -> {
          for (int j = 0; j < length; j++) {
            y.set(yi + j, reals.get(xi + j * step));
          }
        }
        case Integers integers -> {
          for (int j = 0; j < length; j++) {
            y.setInteger(yi + j, integers.get(xi + j * step));
          }
        }
      }
    }
  }

  static Instruction subsamplePad(View yView, View xView, int stride) {
    Operands operands = new Operands("subsample_pad");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    checkSubsample(operands, y, x, stride);
    return operands.instruction(() -> subsamplePad(y, x, stride));
  }

  private static void subsamplePad(Operand yOperand, Operand xOperand, int s) {
    Reals y = yOperand.reals(); // [N,P,Q,K]
    Reals x = xOperand.reals(); // [N,H,W,C]
    int heightIn = xOperand.dim(1);
    int widthIn = xOperand.dim(2);
    int channels = xOperand.dim(3);
    int height = yOperand.dim(1);
    int width = yOperand.dim(2);
    int padded = yOperand.dim(3);
    int yi = 0;
    for (int n = 0; n < yOperand.dim(0); n++) {
      for (int h = 0; h < height; h++) {
        for (int w = 0; w < width; w++) {
          int xi = ((n * heightIn + s * h) * widthIn + s * w) * channels;
          for (int k = 0; k < padded; k++) {
            y.set(yi++, k < channels ? x.get(xi + k) : 0);
          }
        }
      }
    }
  }

  static Instruction subsamplePadBackward(View dxView, View dyView, int stride) {
    Operands operands = new Operands("subsample_pad_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dy = operands.input("dy", dyView);
    checkSubsample(operands, dy, dx, stride);
    return operands.instruction(() -> subsamplePadBackward(dx, dy, stride));
  }

  private static void subsamplePadBackward(Operand dxOperand, Operand dyOperand, int s) {
    Reals dx = dxOperand.reals(); // [N,H,W,C]
    Reals dy = dyOperand.reals(); // [N,P,Q,K]
    int channels = dxOperand.dim(3);
    int heightOut = dyOperand.dim(1);
    int widthOut = dyOperand.dim(2);
    int padded = dyOperand.dim(3);
    int xi = 0;
    for (int n = 0; n < dxOperand.dim(0); n++) {
      for (int h = 0; h < dxOperand.dim(1); h++) {
        for (int w = 0; w < dxOperand.dim(2); w++) {
          boolean taken = h % s == 0 && w % s == 0;
          int yi = ((n * heightOut + h / s) * widthOut + w / s) * padded;
          for (int c = 0; c < channels; c++) {
            dx.set(xi++, taken ? dy.get(yi + c) : 0);
          }
        }
      }
    }
  }

  /// `small` is [N, ceil(H/s), ceil(W/s), K] where `large` is [N,H,W,C] and K >= C.
  private static void checkSubsample(Operands operands, Operand small, Operand large, int stride) {
    operands.requireFloating(small, large);
    large.requireRank(4);
    small.requireRank(4);
    operands.require(stride >= 1, () -> "stride must be at least 1, but is %d".formatted(stride));
    int channels = large.dim(3);
    int padded = small.dim(3);
    if (padded < channels) {
      throw operands.refusal(
          "%s must have at least the %d channels of %s, but is %s"
              .formatted(small.name(), channels, large.name(), small.view()));
    }
    small.requireShape(
        large.dim(0),
        Math.ceilDiv(large.dim(1), stride),
        Math.ceilDiv(large.dim(2), stride),
        padded);
  }
}
