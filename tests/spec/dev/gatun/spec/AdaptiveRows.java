package dev.gatun.spec;

import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Adaptive;
import dev.gatun.backend.Backend.AdaptiveRule;
import dev.gatun.graph.op.AdaptiveStep;
import dev.gatun.graph.op.ClipRows;
import dev.gatun.graph.op.Lerp;
import java.util.ArrayList;
import java.util.List;

/// The adaptive optimizers beside Adam, averages of weights, and limits of rows.
final class AdaptiveRows {
  private AdaptiveRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(step(AdaptiveRule.AMSGRAD, 0.9, 0.1, false))
            .on(inputs(3, 0, 7, 13))
            .on(inputs(3, 3))
            .on(inputs(3, 3, 0, 3))
            .on(step(AdaptiveRule.AMSGRAD, 0.9, 0.1, true), inputs(3, 1_000_000, 100_003))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .alsoInPlace(2, 5)
            .alsoInPlace(3, 6)
            .refuses("expected 7 inputs, found 6", inputs(2, 0, 5))
            .refuses(
                "expected greatest (5), found f32 (6)",
                real(5),
                real(5),
                rate(),
                done(0),
                real(5),
                real(5),
                real(6))
            .refuses(
                "expected step of type I64, found f32 ()",
                real(5),
                real(5),
                rate(),
                rate(),
                real(5),
                real(5),
                real(5))
            .refuses(
                "expected beta1 in [0, 1), found 1.0",
                () -> step(AdaptiveRule.AMSGRAD, 1, 0, false),
                inputs(3, 0, 5))
            .refuses(
                "expected beta2 in [0, 1), found 1.0",
                () -> new AdaptiveStep(new Adaptive(AdaptiveRule.AMSGRAD, 0, 1, 1, 0, false)),
                inputs(3, 0, 5))
            .refuses(
                "expected an epsilon above 0, found 0.0",
                () -> new AdaptiveStep(new Adaptive(AdaptiveRule.AMSGRAD, 0, 0, 0, 0, false)),
                inputs(3, 0, 5)),
        OpRow.of(step(AdaptiveRule.NADAM, 0.9, 0.1, false))
            .on(inputs(2, 0, 7, 13))
            .on(inputs(2, 3))
            .on(inputs(2, 3, 0, 3))
            .on(step(AdaptiveRule.NADAM, 0.9, 0.1, true), inputs(2, 999, 10_007))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .alsoInPlace(2, 5)
            .refuses("expected 6 inputs, found 5", inputs(1, 0, 5)),
        OpRow.of(step(AdaptiveRule.ADAGRAD, 0, 0, false))
            .on(squares(0, 7, 13))
            .on(squares(3))
            .on(squares(3, 0, 3))
            .on(step(AdaptiveRule.ADAGRAD, 0, 0.1, false), squares(2, 100_003))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .refuses("expected 5 inputs, found 6", inputs(2, 0, 5)),
        OpRow.of(step(AdaptiveRule.RMSPROP, 0, 0, false))
            .on(squares(0, 7, 13))
            .on(squares(3, 100_003))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .refuses("expected 5 inputs, found 4", inputs(0, 0, 5)),
        OpRow.of(step(AdaptiveRule.RMSPROP, 0.9, 0.1, false))
            .on(inputs(2, 5, 31))
            .on(step(AdaptiveRule.RMSPROP, 0.9, 0, false), inputs(2, 5, 0, 2))
            .on(step(AdaptiveRule.RMSPROP, 0.9, 0, false), inputs(2, 5, 100_003))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .alsoInPlace(2, 5)
            .refuses("expected 6 inputs, found 5", inputs(1, 0, 5)),
        OpRow.of(step(AdaptiveRule.LION, 0.9, 0, false))
            .on(inputs(1, 0, 7, 13))
            .on(inputs(1, 3))
            .on(inputs(1, 3, 0, 3))
            .on(step(AdaptiveRule.LION, 0.9, 0.1, true), inputs(1, 2, 100_003))
            .ulps(8, "attributes rounded to the dtype, then up to six operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .refuses("expected 5 inputs, found 4", inputs(0, 0, 5)),
        OpRow.of(new Lerp())
            .on(real(7, 13), real(7, 13), rate())
            .on(real(), real(), rate())
            .on(real(0, 3), real(0, 3), rate())
            .on(real(100_003), real(100_003), real(Fill.constant(0.999)))
            .ulps(8, "a difference, a product and a sum, each rounded")
            .gradient()
            .refuses("expected b (5), found f32 (4)", real(5), real(4), rate())
            .refuses("expected weight (), found f32 (5)", real(5), real(5), real(5))
            .refuses("expected 3 inputs, found 2", real(5), real(5))
            .refuses("dtypes differ", real(5), real(5), typed(DType.F64, Fill.POSITIVE)),
        OpRow.of(new ClipRows(1.5, 0))
            .on(real(7, 13))
            .on(real(1, 1))
            .on(real(0, 3))
            .on(real(3, 0))
            .on(real(3, 40_009))
            .on(new ClipRows(0.5, 1e-3), real(7, 13), real(7, 13))
            .on(new ClipRows(0.01, 1e-3), real(300, 65), real(300, 65))
            .on(new ClipRows(0.5, 1e-3), real(3, 5), real(Fill.constant(0), 3, 5))
            .values(real(Fill.SPECIAL, 3, 3))
            // In F32 norms are summed in F64, so only the factor and two products round, by half a
            // unit each: 1.5. In F64 each side rounds two roots and three products and quotients:
            // 5.
            // The CPU adds squares in the reference's order, CUDA, which takes rows of up to 65,
            // does
            // not: a sum of 65 walks √65 / 4 roundings of 2^-53 away, its root half of that, which
            // is
            // half a unit, times √2 for the norms of x and reference. Four deviations: 2.7.
            .ulps(
                2,
                8,
                "the norm, the factor and the product, each rounded; in F64 the order of sums")
            .refuses("expected x [R,C], found f32 (5)", real(5))
            .refuses("expected reference (2, 3), found f32 (3, 2)", real(2, 3), real(3, 2))
            .refuses("expected 2 inputs, found 3", real(2, 3), real(2, 3), real(2, 3))
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3, 3))
            .refuses(
                "expected a ratio greater than 0, found 0.0", () -> new ClipRows(0, 0), real(2, 3))
            .refuses(
                "expected a floor of at least 0, found -1.0",
                () -> new ClipRows(1, -1),
                real(2, 3)));
  }

  private static AdaptiveStep step(
      AdaptiveRule rule, double beta1, double weightDecay, boolean decoupled) {
    return new AdaptiveStep(new Adaptive(rule, beta1, 0.99, 1e-8, weightDecay, decoupled));
  }

  /// Parameter, gradient, learning rate, step and states: a mean, a mean of squares and the
  /// greatest of these.
  private static Input[] inputs(int states, int steps, long... dims) {
    List<Input> inputs = new ArrayList<>(List.of(real(dims), real(dims), rate(), done(steps)));
    for (int i = 0; i < states; i++) {
      inputs.add(i == 0 ? real(dims) : real(Fill.POSITIVE, dims));
    }
    return inputs.toArray(Input[]::new);
  }

  /// The same with squares alone.
  private static Input[] squares(int steps, long... dims) {
    return new Input[] {real(dims), real(dims), rate(), done(steps), real(Fill.POSITIVE, dims)};
  }

  private static Input done(int steps) {
    return typed(DType.I64, Fill.constant(steps));
  }

  private static Input rate() {
    return real(Fill.constant(0.1));
  }
}
