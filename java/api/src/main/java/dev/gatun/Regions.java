package dev.gatun;

import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.AveragePool;
import dev.gatun.graph.op.GatherRows;
import dev.gatun.graph.op.Literal;
import dev.gatun.graph.op.MaxPool;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Pooling over regions that are not a window's: rows, then columns, are gathered and reduced.
final class Regions {
  private Regions() {}

  /// Pools `x [N,H,W,C]` to `[N,height,width,C]`; see [Tensor#adaptiveAveragePool].
  ///
  /// @param reduction MEAN or MAX
  static Tensor adaptive(Tensor x, long height, long width, Reduction reduction) {
    String name = reduction == Reduction.MAX ? "adaptiveMaxPool" : "adaptiveAveragePool";
    Layers.expect(name, x, 4, "[N,H,W,C]");
    if (height < 1 || width < 1) {
      throw new ShapeException(
          "[%s] expected an output of at least 1x1, found %dx%d".formatted(name, height, width));
    }
    long[] dims = x.shape().toArray();
    if (dims[1] < 1 || dims[2] < 1) {
      throw new ShapeException("[%s] there is nothing to pool in %s".formatted(name, x.shape()));
    }
    long rows = dims[1] / height;
    long columns = dims[2] / width;
    if (dims[1] % height == 0
        && dims[2] % width == 0
        && (reduction == Reduction.MEAN || rows * columns <= 255)) {
      Window window = new Window((int) rows, (int) columns, (int) rows, (int) columns, 0, 0);
      return reduction == Reduction.MEAN
          ? Tensor.apply(new AveragePool(window), x)
          : Tensor.applyAll(new MaxPool(window), List.of(x)).getFirst();
    }
    Tensor down = axis(x.reshape(dims[0], dims[1], dims[2] * dims[3]), height, reduction);
    return axis(down.reshape(dims[0] * height, dims[2], dims[3]), width, reduction)
        .reshape(dims[0], height, width, dims[3]);
  }

  /// Pools the middle axis of `x [B,L,D]` to `out` places: place i has what lies from ⌊i L / out⌋
  /// up to ⌈(i + 1) L / out⌉.
  private static Tensor axis(Tensor x, long out, Reduction reduction) {
    long length = x.shape().dim(1);
    long longest = 0;
    List<Double> shares = new ArrayList<>();
    for (long i = 0; i < out; i++) {
      long count = end(i, length, out) - start(i, length, out);
      longest = Math.max(longest, count);
      shares.add(1.0 / count);
    }
    List<Double> rows = new ArrayList<>();
    for (long b = 0; b < x.shape().dim(0); b++) {
      for (long i = 0; i < out; i++) {
        long end = end(i, length, out);
        for (long k = 0; k < longest; k++) {
          long at = start(i, length, out) + k;
          // A region that is shorter has its last place again, or zeros.
          double padding = reduction == Reduction.MAX ? b * length + end - 1 : -1;
          rows.add(at < end ? b * length + at : padding);
        }
      }
    }
    Tensor gathered = gather(x, literal(x, DType.I32, rows, rows.size()), out, longest);
    return reduction == Reduction.MAX
        ? gathered.max(2)
        : gathered.sum(2).times(literal(x, x.dtype(), shares, out, 1));
  }

  private static long start(long i, long length, long out) {
    return Math.floorDiv(i * length, out);
  }

  private static long end(long i, long length, long out) {
    return Math.ceilDiv((i + 1) * length, out);
  }

  /// Pools `x [N,H,W,C]` to `[N,height,width,C]`; see [Tensor#fractionalMaxPool].
  static Tensor fractional(Tensor x, int size, long height, long width, Tensor samples) {
    String name = "fractionalMaxPool";
    Layers.expect(name, x, 4, "[N,H,W,C]");
    long[] dims = x.shape().toArray();
    if (size < 1
        || height < 1
        || width < 1
        || height + size - 1 > dims[1]
        || width + size - 1 > dims[2]) {
      throw new ShapeException(
          "[%s] expected windows of at least 1 and an output of at least 1x1 that leaves them room,"
                  .formatted(name)
              + " found %dx%d by windows of %d from %s".formatted(height, width, size, x.shape()));
    }
    if (!samples.shape().equals(Shape.of(dims[0], 2)) || samples.dtype() != DType.F32) {
      throw new ShapeException(
          "[%s] expected f32 samples [N,2] for %s, found %s"
              .formatted(name, x.shape(), TensorType.of(samples)));
    }
    Tensor ofRows = samples.times(literal(x, DType.F32, List.of(1.0, 0.0), 2)).sum(1);
    Tensor ofColumns = samples.times(literal(x, DType.F32, List.of(0.0, 1.0), 2)).sum(1);
    Tensor down =
        windows(
            x.reshape(dims[0], dims[1], dims[2] * dims[3]),
            starts(ofRows.reshape(dims[0], 1), dims[1], height, size),
            size);
    Tensor columns = starts(ofColumns.reshape(dims[0], 1), dims[2], width, size);
    Tensor ofEachRow =
        columns
            .reshape(dims[0], 1, width)
            .expand(dims[0], height, width)
            .reshape(dims[0] * height, width);
    return windows(down.reshape(dims[0] * height, dims[2], dims[3]), ofEachRow, size)
        .reshape(dims[0], height, width, dims[3]);
  }

  /// Where windows begin, `[N,out]`, in PyTorch's way: with a = (length - size) / (out - 1), window
  /// i at ⌊(i + u) a⌋ - ⌊u a⌋, the last at the end. Computed in F32, as there.
  ///
  /// @param samples u, `[N,1]`
  private static Tensor starts(Tensor samples, long length, long out, int size) {
    double room = length - size;
    if (out == 1) {
      return samples.times(0).plus(room);
    }
    double step = (float) room / (float) (out - 1);
    List<Double> places = new ArrayList<>();
    List<Double> inner = new ArrayList<>();
    List<Double> last = new ArrayList<>();
    for (long i = 0; i < out; i++) {
      boolean ends = i == out - 1;
      places.add((double) i);
      inner.add(ends ? 0.0 : 1.0);
      last.add(ends ? room : 0.0);
    }
    Tensor from = literal(samples, DType.F32, places, out);
    Tensor begins = floor(from.plus(samples).times(step)).minus(floor(samples.times(step)));
    return begins
        .times(literal(samples, DType.F32, inner, out))
        .plus(literal(samples, DType.F32, last, out));
  }

  /// Of numbers that are not negative.
  private static Tensor floor(Tensor x) {
    return x.as(DType.I32).as(DType.F32);
  }

  /// The greatest of `size` neighbours from each of `starts [B,P]` on, along the middle axis of `x
  /// [B,L,D]`. Indices are summed in F64, which has room for all.
  private static Tensor windows(Tensor x, Tensor starts, int size) {
    long batch = x.shape().dim(0);
    long length = x.shape().dim(1);
    long out = starts.shape().dim(1);
    List<Double> firsts = new ArrayList<>();
    for (long b = 0; b < batch; b++) {
      firsts.add((double) (b * length));
    }
    List<Double> offsets = IntStream.range(0, size).mapToObj(k -> (double) k).toList();
    Tensor rows =
        starts
            .as(DType.F64)
            .reshape(batch, out, 1)
            .plus(literal(x, DType.F64, firsts, batch, 1, 1))
            .plus(literal(x, DType.F64, offsets, size))
            .reshape(batch * out * size)
            .as(DType.I32);
    return gather(x, rows, out, size).max(2);
  }

  /// `[B,L,D]` to `[B,out,each,D]`, by rows of all B L.
  private static Tensor gather(Tensor x, Tensor rows, long out, long each) {
    long[] dims = x.shape().toArray();
    return Tensor.apply(new GatherRows(), x.reshape(dims[0] * dims[1], dims[2]), rows)
        .reshape(dims[0], out, each, dims[2]);
  }

  /// Numbers on the device, or in the graph, of `beside`.
  static Tensor literal(Tensor beside, DType dtype, List<Double> elements, long... dims) {
    Op op = new Literal(new TensorType(dtype, Shape.of(dims)), elements);
    return beside instanceof Value value
        ? value.graph().apply(op, List.of()).getFirst()
        : ConcreteTensor.run(beside.device(), op, List.of()).getFirst();
  }
}
