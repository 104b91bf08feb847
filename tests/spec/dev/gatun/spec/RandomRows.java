package dev.gatun.spec;

import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.POSITIVE;
import static dev.gatun.spec.Fill.TIES;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.wide;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Direction;
import dev.gatun.Shape;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Reduction;
import dev.gatun.backend.Window;
import dev.gatun.graph.op.AveragePool;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.GroupNorm;
import dev.gatun.graph.op.LayerNorm;
import dev.gatun.graph.op.MatMul;
import dev.gatun.graph.op.MaxPool;
import dev.gatun.graph.op.Permute;
import dev.gatun.graph.op.Recurrent;
import dev.gatun.graph.op.Reduce;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/// Rows of one sample each, its shape and attributes drawn at random: for combinations that nobody
/// thinks of, of instructions that kernels cut into tiles, tails and shares.
public final class RandomRows {
  /// As many multiply-adds as plain loops do in some hundredths of a second.
  private static final double MOST_WORK = 1.5e7;

  private static final String SUMS = "sums of up to 20,000 terms in f32";

  /// Not about 0, where a mean is nothing but what its terms leave of each other.
  private static final Fill ASIDE = Fill.each("aside", random -> 1 + random.nextGaussian());

  private final RandomGenerator random;

  private RandomRows(RandomGenerator random) {
    this.random = random;
  }

  /// What can be drawn.
  public enum Family {
    PRODUCT,
    CONVOLUTION,
    CONVOLUTION_DATA,
    CONVOLUTION_WEIGHTS,
    POOLING,
    POOLING_BACKWARD,
    BATCH_NORM,
    BATCH_NORM_BACKWARD,
    ROW_NORM,
    ROW_NORM_BACKWARD,
    RECURRENT,
    RECURRENT_BACKWARD,
    LOSS,
    REDUCTION,
    PERMUTATION;

    /// A row; the same `random` gives the same.
    public OpRow draw(RandomGenerator random) {
      RandomRows rows = new RandomRows(random);
      return switch (this) {
        case PRODUCT -> rows.product();
        case CONVOLUTION -> rows.convolution();
        case CONVOLUTION_DATA -> rows.convolutionData();
        case CONVOLUTION_WEIGHTS -> rows.convolutionWeights();
        case POOLING -> rows.pooling();
        case POOLING_BACKWARD -> rows.poolingBackward();
        case BATCH_NORM -> rows.batchNorm();
        case BATCH_NORM_BACKWARD -> rows.batchNormBackward();
        case ROW_NORM -> rows.rowNorm();
        case ROW_NORM_BACKWARD -> rows.rowNormBackward();
        case RECURRENT -> rows.recurrent();
        case RECURRENT_BACKWARD -> rows.recurrentBackward();
        case LOSS -> rows.loss();
        case REDUCTION -> rows.reduction();
        case PERMUTATION -> rows.permutation();
      };
    }
  }

  // ---- products and convolutions

  private OpRow product() {
    while (true) {
      long m = size(600);
      long k = size(1500);
      long n = size(600);
      if ((double) m * k * n > MOST_WORK) {
        continue;
      }
      MatMul op = new MatMul(coin(), coin(), coin(), activation());
      List<Input> inputs = new ArrayList<>();
      inputs.add(op.transposeA() ? real(k, m) : real(m, k));
      inputs.add(op.transposeB() ? real(n, k) : real(k, n));
      if (op.bias()) {
        inputs.add(real(n));
      }
      return row(OpRow.of(op), inputs).ulps(400, SUMS).bf16(1);
    }
  }

  /// The operands' extents of a convolution.
  ///
  /// @param x [N,H,W,C]
  /// @param w [K,R,S,C/groups]
  /// @param y [N,P,Q,K]
  private record Convolved(
      Window window, ConvAlgorithm algorithm, long[] x, long[] w, long[] y, int units) {}

  private Convolved convolved() {
    while (true) {
      Window window = window(7, true);
      long channels = size(96);
      long filters = size(96);
      switch (random.nextInt(6)) {
        case 0 -> {
          int groups = 1 + random.nextInt(6);
          channels = groups * size(24);
          filters = groups * size(24);
          window = window.grouped(groups);
        }
        case 1 -> {
          filters = channels * (1 + random.nextInt(2));
          window = window.grouped((int) channels);
        }
        case 2, 3 -> window = plain(random.nextBoolean() ? 3 : 1);
        default -> {}
      }
      long[] x = {size(40), size(30), size(30), channels};
      long height = window.outputHeight(x[1]);
      long width = window.outputWidth(x[2]);
      if (height < 1 || width < 1) {
        continue;
      }
      long[] w = {filters, window.height(), window.width(), channels / window.groups()};
      long[] y = {x[0], height, width, filters};
      if ((double) count(y) * count(w) / filters > MOST_WORK || count(x) > 2e5) {
        continue;
      }
      ConvAlgorithm algorithm = any(ConvAlgorithm.values());
      if (!window.allows(algorithm, DType.F32)) {
        algorithm = ConvAlgorithm.AUTO;
      }
      // Winograd's transforms round more than a sum does.
      boolean filtered = window.allows(ConvAlgorithm.WINOGRAD, DType.F32);
      return new Convolved(window, algorithm, x, w, y, filtered ? 800 : 400);
    }
  }

  private OpRow convolution() {
    Convolved c = convolved();
    Conv2d op =
        new Conv2d(c.window, coin(), random.nextInt(3) == 0, coin(), activation(), c.algorithm);
    List<Input> inputs = new ArrayList<>(List.of(real(c.x), real(c.w)));
    if (op.bias()) {
      inputs.add(real(c.y[3]));
    }
    if (op.residual()) {
      inputs.add(real(c.y));
    }
    return convolved(OpRow.of(op), inputs, c, op.residual() || op.moments());
  }

  private OpRow convolutionData() {
    Convolved c = convolved();
    Conv2d.BackwardData op = new Conv2d.BackwardData(c.window, Shape.of(c.x), c.algorithm);
    List<Input> inputs = new ArrayList<>(List.of(real(c.y), real(c.w)));
    if (coin()) {
      op = op.withAddend();
      inputs.add(real(c.x));
    }
    if (coin()) {
      op = op.withGate();
      inputs.add(real(TIES, c.x));
    }
    if (coin()) {
      op = op.withSums();
      inputs.addAll(List.of(real(c.x), real(c.x[3])));
    }
    return convolved(OpRow.of(op), inputs, c, op.addend() || op.gate() || op.sums());
  }

  private OpRow convolutionWeights() {
    Convolved c = convolved();
    return convolved(
        OpRow.of(new Conv2d.BackwardWeights(c.window, c.algorithm)),
        List.of(real(c.x), real(c.y)),
        c,
        false);
  }

  private static OpRow convolved(OpRow row, List<Input> inputs, Convolved c, boolean fused) {
    row(row, inputs).ulps(c.units, 400, SUMS);
    if (c.algorithm == ConvAlgorithm.WINOGRAD) {
      return row.inF32();
    }
    return fused ? row : row.bf16(1);
  }

  private Window plain(int size) {
    int stride = random.nextInt(3) == 0 ? 2 : 1;
    return Window.square(size, stride, random.nextInt(size / 2 + 2));
  }

  /// Any, mostly with padding that lets it fit.
  private Window window(int most, boolean dilated) {
    int height = 1 + random.nextInt(most);
    int width = 1 + random.nextInt(most);
    Window window =
        new Window(height, width, 1 + random.nextInt(3), 1 + random.nextInt(3), 0, 0)
            .padded(
                random.nextInt(height),
                random.nextInt(width),
                random.nextInt(height),
                random.nextInt(width));
    return dilated && random.nextInt(3) == 0
        ? window.dilated(1 + random.nextInt(3), 1 + random.nextInt(3))
        : window;
  }

  // ---- pooling

  private OpRow pooling() {
    Pooled p = pooled();
    if (coin()) {
      return row(OpRow.of(new MaxPool(p.window)), List.of(real(p.x))).bf16(0);
    }
    return row(OpRow.of(new AveragePool(p.window, coin())), List.of(real(p.x)))
        .ulps(64, SUMS)
        .bf16(1);
  }

  private OpRow poolingBackward() {
    Pooled p = pooled();
    Shape dx = Shape.of(p.x);
    if (coin()) {
      int taps = p.window.height() * p.window.width();
      Input chosen = Input.typed(DType.U8, Fill.integers(0, taps - 1), p.y);
      return row(OpRow.of(new MaxPool.Backward(p.window, dx)), List.of(real(p.y), chosen))
          .ulps(64, SUMS)
          .bf16(1);
    }
    return row(OpRow.of(new AveragePool.Backward(p.window, dx, coin())), List.of(real(p.y)))
        .ulps(64, SUMS)
        .bf16(1);
  }

  private record Pooled(Window window, long[] x, long[] y) {}

  private Pooled pooled() {
    while (true) {
      Window window = window(6, false);
      long[] x = {size(9), size(30), size(30), size(80)};
      long height = window.outputHeight(x[1]);
      long width = window.outputWidth(x[2]);
      if (height >= 1 && width >= 1 && count(x) < 2e5) {
        return new Pooled(window, x, new long[] {x[0], height, width, x[3]});
      }
    }
  }

  // ---- norms

  private OpRow batchNorm() {
    long[] dims = dims(2);
    boolean residual = coin();
    return row(
            OpRow.of(new BatchNormTraining(0.1, 1e-3, residual, activation())),
            List.of(NormalisationRows.training(ASIDE, residual, dims)))
        .ulps(1024, SUMS)
        .bf16(1);
  }

  private OpRow batchNormBackward() {
    long[] dims = dims(2);
    Activation activation = activation();
    return row(
            OpRow.of(new BatchNormTraining.Backward(coin(), activation)),
            List.of(NormalisationRows.backward(activation == Activation.RELU, dims)))
        .ulps(1024, SUMS)
        .bf16(1);
  }

  private OpRow rowNorm() {
    long[] dims = dims(1);
    long channels = dims[dims.length - 1];
    if (dims.length > 1 && coin()) {
      return row(
              OpRow.of(new GroupNorm(divisor(channels), 1e-3)),
              List.of(real(dims), wide(NORMAL, channels), wide(NORMAL, channels)))
          .ulps(1024, SUMS)
          .bf16(1);
    }
    LayerNorm op = new LayerNorm(1e-3, coin(), coin(), coin());
    List<Input> inputs = new ArrayList<>(List.of(real(dims)));
    for (int i = 0; i < (op.scaled() ? 1 : 0) + (op.shifted() ? 1 : 0); i++) {
      inputs.add(wide(NORMAL, channels));
    }
    return row(OpRow.of(op), inputs).ulps(1024, SUMS).bf16(1);
  }

  private OpRow rowNormBackward() {
    long[] dims = dims(1);
    long channels = dims[dims.length - 1];
    if (dims.length > 1 && coin()) {
      int groups = divisor(channels);
      return row(
              OpRow.of(new GroupNorm.Backward(groups)),
              List.of(NormalisationRows.groupBackward(groups, dims)))
          .ulps(1024, SUMS)
          .bf16(1);
    }
    boolean centered = coin();
    boolean scaled = coin();
    return row(
            OpRow.of(new LayerNorm.Backward(centered, scaled, coin())),
            List.of(NormalisationRows.layerBackward(centered, scaled, dims)))
        .ulps(1024, SUMS)
        .bf16(1);
  }

  // ---- sequences

  private OpRow recurrent() {
    Recurrent op = layer();
    return row(OpRow.of(op), List.of(RecurrentRows.inputs(op, size(12), size(40), units(op))))
        .ulps(8192, 2048, RecurrentRows.CARRIED);
  }

  private OpRow recurrentBackward() {
    Recurrent forward = layer();
    boolean slopes = coin();
    Recurrent.Backward op =
        new Recurrent.Backward(
            forward, slopes, !slopes || coin(), forward.cell().hasCell() && coin());
    return row(OpRow.of(op), List.of(RecurrentRows.slopes(op, size(12), size(40), units(forward))))
        .ulps(8192, 2048, RecurrentRows.CARRIED);
  }

  private Recurrent layer() {
    Cell cell = any(Cell.values());
    Direction direction = any(Direction.values());
    return new Recurrent(
        cell,
        direction,
        cell.hasInnerBias() && coin(),
        coin(),
        coin(),
        coin(),
        true,
        random.nextInt(3) == 0 ? RecurrentRows.EPSILON : 0);
  }

  /// The norm of one number is 0, and its gradient nothing but rounding.
  private long units(Recurrent layer) {
    return Math.max(size(70), layer.epsilon() > 0 ? 2 : 1);
  }

  // ---- the rest

  private OpRow loss() {
    long rows = size(300);
    int classes = (int) size(500);
    double smoothing = coin() ? 0 : 0.9 * random.nextDouble();
    boolean weighted = coin();
    List<Input> inputs =
        new ArrayList<>(List.of(real(Fill.normal(3), rows, classes), Input.labels(classes, rows)));
    if (weighted) {
      inputs.add(real(POSITIVE, classes));
    }
    return row(OpRow.of(new SoftmaxCrossEntropy(smoothing, weighted)), inputs).ulps(128, SUMS);
  }

  private OpRow reduction() {
    long[] dims = dims(1);
    Reduction reduction = any(Reduction.values());
    int axes = random.nextInt(1 << dims.length);
    OpRow row = row(OpRow.of(new Reduce(reduction, axes)), List.of(real(dims)));
    return reduction == Reduction.MAX ? row : row.ulps(64, 2048, SUMS);
  }

  private OpRow permutation() {
    long[] dims = dims(1);
    List<Integer> axes = new ArrayList<>(IntStream.range(0, dims.length).boxed().toList());
    for (int i = axes.size() - 1; i > 0; i--) {
      axes.set(i, axes.set(random.nextInt(i + 1), axes.get(i)));
    }
    return row(OpRow.of(new Permute(axes)), List.of(real(dims)));
  }

  // ---- numbers

  private static OpRow row(OpRow row, List<Input> inputs) {
    return row.on(inputs.toArray(Input[]::new));
  }

  /// From 1 to `most`, small ones as likely as large ones, and often about a multiple of 8.
  private long size(int most) {
    double drawn = Math.exp(random.nextDouble() * Math.log(most + 1));
    if (random.nextInt(3) == 0) {
      drawn = Math.rint(drawn / 8) * 8 + random.nextInt(3) - 1;
    }
    return Math.clamp((long) drawn, 1, most);
  }

  /// Up to four extents, with at least `values` for each of the last axis.
  private long[] dims(int values) {
    while (true) {
      long[] dims = LongStream.generate(() -> size(200)).limit(1 + random.nextInt(4)).toArray();
      long all = count(dims);
      if (all <= 2e5 && all / dims[dims.length - 1] >= values) {
        return dims;
      }
    }
  }

  private int divisor(long n) {
    while (true) {
      int candidate = 1 + random.nextInt((int) n);
      if (n % candidate == 0) {
        return candidate;
      }
    }
  }

  private <T> T any(T[] of) {
    return List.of(of).get(random.nextInt(of.length));
  }

  private boolean coin() {
    return random.nextBoolean();
  }

  private Activation activation() {
    return coin() ? Activation.NONE : Activation.RELU;
  }

  private static long count(long[] dims) {
    return Shape.of(dims).count();
  }
}
