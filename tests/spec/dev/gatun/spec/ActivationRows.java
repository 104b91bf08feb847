package dev.gatun.spec;

import static dev.gatun.spec.Fill.AWAY_FROM_ZERO;
import static dev.gatun.spec.Fill.NORMAL;
import static dev.gatun.spec.Fill.SPECIAL;
import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.graph.op.Activate;
import java.util.List;
import java.util.stream.Stream;

/// Activations and their gradients.
final class ActivationRows {
  private static final String POLYNOMIAL =
      "vector polynomials for exp, log and the normal distribution, good to 8 units";

  private ActivationRows() {}

  static List<OpRow> rows() {
    return Stream.of(Nonlinearity.values())
        .flatMap(function -> Stream.of(forward(function), backward(function)))
        .toList();
  }

  private static OpRow forward(Nonlinearity function) {
    Fill fill = fill(function);
    double parameter = parameter(function);
    OpRow row =
        OpRow.of(new Activate(function, parameter))
            .bf16(1)
            .on(real(fill, 7, 13))
            .on(real(fill))
            .on(real(fill, 0, 3))
            .on(real(fill, 5, 7, 11, 13))
            .on(real(fill, 97, 1031))
            .on(real(Fill.normal(5), 7, 13))
            .values(real(SPECIAL, 33))
            .values(real(Fill.cycle(-1000, 1000, 0), 9))
            .ulps(16, POLYNOMIAL)
            .gradient()
            .refuses("a finite parameter", () -> new Activate(function, Double.NaN), real(2))
            .refuses("real tensor (f32, f64 or bf16), found i32 (2)", integers())
            .refuses("expected 1 inputs, found 2", real(2), real(2));
    return hasParameter(function)
        ? row.on(new Activate(function, 0.1), real(fill, 7, 13))
            .on(new Activate(function, -0.5), real(fill, 3))
        : row;
  }

  private static OpRow backward(Nonlinearity function) {
    Fill fill = fill(function);
    Activate.Backward op = new Activate.Backward(function, parameter(function));
    OpRow row =
        OpRow.of(op)
            .bf16(1)
            .on(real(7, 13), real(fill, 7, 13))
            .on(real(), real(fill))
            .on(real(0, 3), real(fill, 0, 3))
            .on(real(97, 1031), real(fill, 97, 1031))
            .values(real(33), real(SPECIAL, 33))
            .values(real(9), real(Fill.cycle(-1000, 1000, 0), 9))
            .ulps(16, POLYNOMIAL)
            .refuses(
                "a finite parameter",
                () -> new Activate.Backward(function, Double.POSITIVE_INFINITY),
                real(2),
                real(2))
            .refuses("expected x (2), found f32 (3)", real(2), real(3))
            .refuses("dtypes differ", real(2), typed(DType.F64, NORMAL, 2))
            .refuses("expected 2 inputs, found 1", real(2));
    return function == Nonlinearity.LEAKY_RELU ? row.gradient(0) : row.gradient();
  }

  private static boolean hasParameter(Nonlinearity function) {
    return function == Nonlinearity.LEAKY_RELU || function == Nonlinearity.ELU;
  }

  private static double parameter(Nonlinearity function) {
    return switch (function) {
      case LEAKY_RELU -> 0.01;
      case ELU -> 1.5;
      case GELU, GELU_TANH, SILU, SOFTPLUS -> 0;
    };
  }

  /// Those with a kink are tried away from it.
  private static Fill fill(Nonlinearity function) {
    return hasParameter(function) ? AWAY_FROM_ZERO : NORMAL;
  }

  private static Input integers() {
    return typed(DType.I32, Fill.integers(0, 9), 2);
  }
}
