package dev.gatun.backend.reference;

import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Integers;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Filling, copying, permuting, cutting, joining, and the option A shortcut.
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

  static Instruction slice(View yView, View xView, int axis, long begin) {
    Operands operands = new Operands("slice");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    checkPart(operands, y, x, axis);
    int last = x.dim(axis) - y.dim(axis);
    if (last < 0) {
      throw operands.refusal(
          "y must not be longer than x along axis %d: y is %s, x is %s"
              .formatted(axis, y.view(), x.view()));
    }
    operands.require(
        begin >= 0 && begin <= last,
        () ->
            "begin must be 0..%d for y %s and x %s, but is %d"
                .formatted(last, y.view(), x.view(), begin));
    return operands.instruction(
        () -> {
          int inner = inner(x, axis);
          int rows = outer(x, axis);
          for (int row = 0; row < rows; row++) {
            int from = (row * x.dim(axis) + (int) begin) * inner;
            int length = y.dim(axis) * inner;
            move(y.elements(), row * length, x.elements(), from, length);
          }
        });
  }

  static Instruction concat(View yView, List<View> views, int axis, long begin) {
    Operands operands = new Operands("concat");
    operands.require(!views.isEmpty(), () -> "expected 1 or more inputs, found 0");
    Operand y = operands.output("y", yView);
    List<Operand> inputs = new ArrayList<>();
    int taken = 0;
    for (View view : views) {
      Operand input = operands.input("inputs[%d]".formatted(inputs.size()), view);
      checkPart(operands, input, y, axis);
      int room = y.dim(axis) - taken;
      if (input.dim(axis) > room) {
        throw operands.refusal(
            "%s is %s, but y %s has room for %d along axis %d"
                .formatted(input.name(), input.view(), y.view(), room, axis));
      }
      taken += input.dim(axis);
      inputs.add(input);
    }
    int last = y.dim(axis) - taken;
    operands.require(
        begin >= 0 && begin <= last,
        () -> "begin must be 0..%d for y %s, but is %d".formatted(last, y.view(), begin));
    return operands.instruction(
        () -> {
          for (int i = 0; i < y.count(); i++) {
            y.elements().set(i, 0);
          }
          int inner = inner(y, axis);
          int rows = outer(y, axis);
          int start = (int) begin;
          for (Operand input : inputs) {
            int length = input.dim(axis) * inner;
            for (int row = 0; row < rows; row++) {
              int to = (row * y.dim(axis) + start) * inner;
              move(y.elements(), to, input.elements(), row * length, length);
            }
            start += input.dim(axis);
          }
        });
  }

  /// The product of the extents before `axis`.
  private static int outer(Operand operand, int axis) {
    return IntStream.range(0, axis).map(operand::dim).reduce(1, (a, b) -> a * b);
  }

  /// The product of the extents behind `axis`.
  private static int inner(Operand operand, int axis) {
    return IntStream.range(axis + 1, operand.rank()).map(operand::dim).reduce(1, (a, b) -> a * b);
  }

  private static void move(Elements y, int yi, Elements x, int xi, int length) {
    switch (x) {
      case Reals reals -> {
        for (int j = 0; j < length; j++) {
          y.set(yi + j, reals.get(xi + j));
        }
      }
      case Integers integers -> {
        for (int j = 0; j < length; j++) {
          y.setInteger(yi + j, integers.get(xi + j));
        }
      }
    }
  }

  /// `part` has the dtype of `whole` and, but for `axis`, its extents.
  private static void checkPart(Operands operands, Operand part, Operand whole, int axis) {
    part.requireDtype(whole.dtype());
    part.requireRank(whole.rank());
    operands.require(
        axis >= 0 && axis < whole.rank(),
        () ->
            "axis must be 0..%d for %s %s, but is %d"
                .formatted(whole.rank() - 1, whole.name(), whole.view(), axis));
    for (int i = 0; i < whole.rank(); i++) {
      if (i != axis && part.dim(i) != whole.dim(i)) {
        throw operands.refusal(
            "%s and %s may differ along axis %d alone: %s is %s, %s is %s"
                .formatted(
                    part.name(),
                    whole.name(),
                    axis,
                    part.name(),
                    part.view(),
                    whole.name(),
                    whole.view()));
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
