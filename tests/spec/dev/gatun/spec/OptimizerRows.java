package dev.gatun.spec;

import static dev.gatun.spec.Fill.AWAY_FROM_ZERO;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Adam;
import dev.gatun.backend.Backend.Sgd;
import dev.gatun.graph.op.AdamStep;
import dev.gatun.graph.op.ClipByNorm;
import dev.gatun.graph.op.Norm;
import dev.gatun.graph.op.SgdStep;
import java.util.List;

/// What the optimizer does to slabs.
final class OptimizerRows {
  private OptimizerRows() {}

  static List<OpRow> rows() {
    return List.of(
        OpRow.of(new Norm())
            .on(real(7, 13))
            .on(real(AWAY_FROM_ZERO))
            .on(real(AWAY_FROM_ZERO, 1))
            .on(real(5, 7, 11, 13))
            .on(real(100_003))
            .values(real(0))
            .values(real(Fill.constant(0), 5))
            .values(real(Fill.cycle(1e30, 2), 9))
            .values(real(Fill.SPECIAL, 9))
            .ulps(1, 256, "summed in F64 and rounded once; in F64 the reference adds one by one")
            .gradient()
            .refuses("real tensor", typed(DType.I32, Fill.integers(0, 9), 3))
            .refuses("expected 1 inputs", real(2), real()),
        OpRow.of(new ClipByNorm(1.5))
            .on(real(7, 13), real(Fill.constant(9.5)))
            .on(real(7, 13), real(Fill.constant(1)))
            .on(real(7, 13), real(Fill.constant(1.5)))
            .on(real(5), real(Fill.constant(0)))
            .on(real(5), real(Fill.constant(Double.NaN)))
            .on(real(5), real(Fill.constant(Double.POSITIVE_INFINITY)))
            .on(real(), real(Fill.constant(2)))
            .on(real(0), real(Fill.constant(2)))
            .on(real(100_003), real(Fill.constant(316)))
            .ulps(2, "the factor and the product, each rounded")
            .refuses("expected norm (), found f32 (1)", real(5), real(1))
            .refuses("dtypes differ", real(5), typed(DType.F64, Fill.POSITIVE))
            .refuses(
                "expected a greatest norm above 0, found 0.0",
                () -> new ClipByNorm(0),
                real(5),
                real(Fill.POSITIVE))
            .refuses("found NaN", () -> new ClipByNorm(Double.NaN), real(5), real(Fill.POSITIVE)),
        OpRow.of(sgd(0, 0, 0, false))
            .on(real(7, 13), real(7, 13), rate())
            .on(real(), real(), rate())
            .on(real(0, 3), real(0, 3), rate())
            .on(sgd(0, 0, 1e-4, false), real(5, 7, 11), real(5, 7, 11), rate())
            .on(sgd(0.9, 0, 1e-4, false), real(7, 13), real(7, 13), rate(), real(7, 13))
            .on(sgd(0.9, 0.5, 0, false), real(17), real(17), rate(), real(17))
            .on(sgd(0.9, 0, 5e-4, true), real(31), real(31), rate(), real(31))
            .on(sgd(0.9, 0, 1e-4, true), real(100_003), real(100_003), rate(), real(100_003))
            .on(rateInVelocity(0, false), real(5, 7), real(5, 7), rate())
            .on(rateInVelocity(0.9, false), real(31), real(31), rate(), real(31))
            .on(rateInVelocity(0.9, true), real(31), real(31), rate(), real(31))
            .ulps(8, "attributes rounded to the dtype, then up to six operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 3)
            .refuses("expected gradient (5), found f32 (4)", real(5), real(4), rate())
            .refuses("expected learning rate (), found f32 (1)", real(5), real(5), real(1))
            .refuses(
                "expected velocity (5), found f32 (6)",
                () -> sgd(0.9, 0, 0, false),
                real(5),
                real(5),
                rate(),
                real(6))
            .refuses(
                "expected 4 inputs, found 3", () -> sgd(0.9, 0, 0, false), real(5), real(5), rate())
            .refuses("expected 3 inputs, found 4", real(5), real(5), rate(), real(5))
            .refuses("dtypes differ", real(5), real(5), typed(DType.F64, Fill.POSITIVE)),
        OpRow.of(adam(0, false))
            .on(adamInputs(0, 7, 13))
            .on(adamInputs(3))
            .on(adamInputs(3, 0, 3))
            .on(adamInputs(1_000_000, 17))
            .on(adam(0.1, false), adamInputs(4, 5, 7, 11))
            .on(adam(0.1, true), adamInputs(9, 31))
            .on(adam(0.1, true), adamInputs(9, 100_003))
            .ulps(16, "attributes rounded to the dtype, then about ten operations")
            .alsoInPlace(0, 0)
            .alsoInPlace(1, 4)
            .alsoInPlace(2, 5)
            .refuses("expected 6 inputs, found 3", real(5), real(5), rate())
            .refuses(
                "expected gradient (5), found f32 (4)",
                real(5),
                real(4),
                rate(),
                step(0),
                real(5),
                real(5))
            .refuses(
                "expected step of type I64, found f32 ()",
                real(5),
                real(5),
                rate(),
                rate(),
                real(5),
                real(5))
            .refuses(
                "expected v (5), found f32 (6)",
                real(5),
                real(5),
                rate(),
                step(0),
                real(5),
                real(6))
            .refuses(
                "expected beta1 in [0, 1), found 1.0",
                () -> new AdamStep(new Adam(1, 0.999, 1e-8, 0, false)),
                adamInputs(0, 5))
            .refuses(
                "expected beta2 in [0, 1), found -1.0",
                () -> new AdamStep(new Adam(0.9, -1, 1e-8, 0, false)),
                adamInputs(0, 5))
            .refuses(
                "expected an epsilon above 0, found 0.0",
                () -> new AdamStep(new Adam(0.9, 0.999, 0, 0, false)),
                adamInputs(0, 5)));
  }

  private static SgdStep rateInVelocity(double momentum, boolean nesterov) {
    return new SgdStep(new Sgd(momentum, 0, 1e-4, nesterov, true));
  }

  private static AdamStep adam(double weightDecay, boolean decoupled) {
    return new AdamStep(new Adam(0.9, 0.999, 1e-8, weightDecay, decoupled));
  }

  /// Parameter, gradient, learning rate, step, m and v.
  private static Input[] adamInputs(int step, long... dims) {
    return new Input[] {
      real(dims), real(dims), rate(), step(step), real(dims), real(Fill.POSITIVE, dims)
    };
  }

  private static Input step(int done) {
    return typed(DType.I64, Fill.constant(done));
  }

  private static SgdStep sgd(
      double momentum, double dampening, double weightDecay, boolean nesterov) {
    return new SgdStep(new Sgd(momentum, dampening, weightDecay, nesterov));
  }

  private static Input rate() {
    return real(Fill.constant(0.1));
  }
}
