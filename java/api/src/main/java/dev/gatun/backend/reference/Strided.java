package dev.gatun.backend.reference;

import org.jspecify.annotations.Nullable;

/// Where the elements of an operand lie when a shape is walked row by row; a row runs along the
/// last axis.
final class Strided {
  private final int[] dims; // the shape that is walked
  private final int[] strides; // between neighbours along each axis of it; 0 repeats an element

  Strided(int[] dims, int[] strides) {
    this.dims = dims;
    this.strides = strides;
  }

  /// The distances between neighbours along each axis of `operand` itself.
  static int[] dense(Operand operand) {
    int[] strides = new int[operand.rank()];
    int stride = 1;
    for (int axis = operand.rank() - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= operand.dim(axis);
    }
    return strides;
  }

  /// `operand` while the shape of `walked` is walked, extents of 1 being repeated (NumPy
  /// broadcasting); null if the shapes do not fit.
  static @Nullable Strided broadcast(Operand operand, Operand walked) {
    int rank = walked.rank();
    int missing = rank - operand.rank();
    if (missing < 0) {
      return null;
    }
    int[] own = dense(operand);
    int[] dims = new int[rank];
    int[] strides = new int[rank];
    for (int axis = 0; axis < rank; axis++) {
      dims[axis] = walked.dim(axis);
      int extent = axis < missing ? 1 : operand.dim(axis - missing);
      if (extent != 1 && extent != dims[axis]) {
        return null;
      }
      strides[axis] = extent == 1 ? 0 : own[axis - missing];
    }
    return new Strided(dims, strides);
  }

  /// Both in row-major order: one long row.
  static Strided row(int count) {
    return new Strided(new int[] {count}, new int[] {1});
  }

  int rowLength() {
    return dims.length == 0 ? 1 : dims[dims.length - 1];
  }

  /// The distance between neighbours of a row.
  int step() {
    return dims.length == 0 ? 0 : strides[dims.length - 1];
  }

  /// The index of the operand's element where row number `row` begins.
  int start(int row) {
    int index = 0;
    for (int axis = dims.length - 2; axis >= 0; axis--) {
      index += row % dims[axis] * strides[axis];
      row /= dims[axis];
    }
    return index;
  }
}
