package dev.gatun;

import java.util.Arrays;

/// The extent of a tensor along each axis, outermost first; rank 0 is a scalar. Extents may be 0.
public final class Shape {
  /// The most axes a tensor may have.
  public static final int MAX_RANK = 8;

  private static final Shape SCALAR = new Shape(new long[0], 1);

  private final long[] dims;
  private final long count;

  private Shape(long[] dims, long count) {
    this.dims = dims;
    this.count = count;
  }

  /// The shape with these extents.
  ///
  /// @throws IllegalArgumentException if there are more than [#MAX_RANK] axes, an extent is
  ///   negative, or the element count overflows
  public static Shape of(long... dims) {
    if (dims.length == 0) {
      return SCALAR;
    }
    if (dims.length > MAX_RANK) {
      throw new IllegalArgumentException(
          "a shape has at most "
              + MAX_RANK
              + " axes, found "
              + dims.length
              + " in "
              + Arrays.toString(dims));
    }
    long count = 1;
    for (long dim : dims) {
      if (dim < 0) {
        throw new IllegalArgumentException("an extent is negative in " + Arrays.toString(dims));
      }
      if (dim != 0 && count > Long.MAX_VALUE / 8 / dim) {
        throw new IllegalArgumentException("too many elements in " + Arrays.toString(dims));
      }
      count *= dim;
    }
    return new Shape(dims.clone(), count);
  }

  /// The shape of a single number.
  public static Shape scalar() {
    return SCALAR;
  }

  /// The number of axes.
  public int rank() {
    return dims.length;
  }

  /// The extent along `axis`; negative axes count from the last.
  ///
  /// @throws IndexOutOfBoundsException if there is no such axis
  public long dim(int axis) {
    int index = axis < 0 ? axis + dims.length : axis;
    if (index < 0 || index >= dims.length) {
      throw new IndexOutOfBoundsException(
          "axis " + axis + " of a shape with " + dims.length + " axes: " + this);
    }
    return dims[index];
  }

  /// The number of elements: the product of the extents, 1 for a scalar.
  public long count() {
    return count;
  }

  /// The extents, in a new array.
  public long[] toArray() {
    return dims.clone();
  }

  /// This shape with the extent of `axis` changed.
  public Shape with(int axis, long dim) {
    long[] changed = dims.clone();
    changed[axis < 0 ? axis + dims.length : axis] = dim;
    return of(changed);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /// Such as `(128, 32, 32, 3)`; `()` for a scalar.
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("(");
    for (int i = 0; i < dims.length; i++) {
      text.append(i == 0 ? "" : ", ").append(dims[i]);
    }
    return text.append(')').toString();
  }
}
