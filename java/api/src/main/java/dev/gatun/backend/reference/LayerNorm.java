package dev.gatun.backend.reference;

import dev.gatun.Shape;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Layer normalisation (Ba, Kiros and Hinton 2016) and RMS normalisation (Zhang and Sennrich 2019)
/// of each row along the last axis.
final class LayerNorm {
  private LayerNorm() {}

  static Instruction forward(
      View yView,
      @Nullable View meanView,
      View invStdView,
      View xView,
      @Nullable View gammaView,
      @Nullable View betaView,
      double epsilon) {
    Operands operands = new Operands("layer_norm");
    Operand y = operands.output("y", yView);
    Operand mean = operands.optionalOutput("mean", meanView);
    Operand invStd = operands.output("inv_std", invStdView);
    Operand x = operands.input("x", xView);
    Operand gamma = operands.optionalInput("gamma", gammaView);
    Operand beta = operands.optionalInput("beta", betaView);
    operands.requireFloating(x, y);
    operands.requireWide(x, mean, invStd, gamma, beta);
    operands.requireShapeOf(x, y);
    requireRows(operands, x, mean, invStd);
    requireColumns(x, gamma, beta);
    operands.require(
        epsilon >= 0 && Double.isFinite(epsilon),
        () -> "epsilon must be finite and not negative, but is %s".formatted(epsilon));
    operands.allowInPlace(y, x);
    Reals means = Operand.realsOrNull(mean);
    Reals scale = Operand.realsOrNull(gamma);
    Reals shift = Operand.realsOrNull(beta);
    int columns = x.dim(-1);
    return operands.instruction(
        () ->
            forward(
                y.reals(),
                means,
                invStd.reals(),
                x.reals(),
                scale,
                shift,
                epsilon,
                x.count() / columns,
                columns));
  }

  private static void forward(
      Reals y,
      @Nullable Reals mean,
      Reals invStd,
      Reals x,
      @Nullable Reals gamma,
      @Nullable Reals beta,
      double epsilon,
      int rows,
      int columns) {
    for (int r = 0; r < rows; r++) {
      int row = r * columns;
      double center = 0;
      if (mean != null) {
        for (int c = 0; c < columns; c++) {
          center += x.get(row + c);
        }
        center /= columns;
        mean.set(r, center);
      }
      double squares = 0;
      for (int c = 0; c < columns; c++) {
        double d = x.get(row + c) - center;
        squares += d * d;
      }
      double inverse = 1 / Math.sqrt(squares / columns + epsilon);
      invStd.set(r, inverse);
      for (int c = 0; c < columns; c++) {
        double xhat = (x.get(row + c) - center) * inverse;
        double scaled = gamma == null ? xhat : gamma.get(c) * xhat;
        y.set(row + c, beta == null ? scaled : scaled + beta.get(c));
      }
    }
  }

  static Instruction backward(
      View dxView,
      @Nullable View dgammaView,
      @Nullable View dbetaView,
      View dyView,
      View xView,
      @Nullable View meanView,
      View invStdView,
      @Nullable View gammaView) {
    Operands operands = new Operands("layer_norm_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dgamma = operands.optionalOutput("dgamma", dgammaView);
    Operand dbeta = operands.optionalOutput("dbeta", dbetaView);
    Operand dy = operands.input("dy", dyView);
    Operand x = operands.input("x", xView);
    Operand mean = operands.optionalInput("mean", meanView);
    Operand invStd = operands.input("inv_std", invStdView);
    Operand gamma = operands.optionalInput("gamma", gammaView);
    operands.requireFloating(x, dx, dy);
    operands.requireWide(x, dgamma, dbeta, mean, invStd, gamma);
    operands.requireShapeOf(x, dx, dy);
    requireRows(operands, x, mean, invStd);
    requireColumns(x, dgamma, dbeta, gamma);
    operands.allowInPlace(dx, dy);
    int columns = x.dim(-1);
    double[] byGamma = operands.scratch(columns);
    double[] byBeta = operands.scratch(columns);
    Reals toGamma = Operand.realsOrNull(dgamma);
    Reals toBeta = Operand.realsOrNull(dbeta);
    Reals means = Operand.realsOrNull(mean);
    Reals scale = Operand.realsOrNull(gamma);
    return operands.instruction(
        () -> {
          Arrays.fill(byGamma, 0);
          Arrays.fill(byBeta, 0);
          for (int r = 0; r < x.count() / columns; r++) {
            double center = means == null ? 0 : means.get(r);
            double inverse = invStd.reals().get(r);
            int row = r * columns;
            backwardRow(
                dx.reals(),
                byGamma,
                byBeta,
                dy.reals(),
                x.reals(),
                scale,
                row,
                center,
                inverse,
                means != null);
          }
          for (int c = 0; c < columns; c++) {
            if (toGamma != null) {
              toGamma.set(c, byGamma[c]);
            }
            if (toBeta != null) {
              toBeta.set(c, byBeta[c]);
            }
          }
        });
  }

  private static void backwardRow(
      Reals dx,
      double[] byGamma,
      double[] byBeta,
      Reals dy,
      Reals x,
      @Nullable Reals gamma,
      int row,
      double center,
      double inverse,
      boolean centered) {
    int columns = byGamma.length;
    double sum = 0;
    double product = 0;
    for (int c = 0; c < columns; c++) {
      double slope = dy.get(row + c);
      double xhat = (x.get(row + c) - center) * inverse;
      double g = gamma == null ? slope : gamma.get(c) * slope;
      sum += g;
      product += g * xhat;
      byGamma[c] += slope * xhat;
      byBeta[c] += slope;
    }
    double middle = centered ? sum / columns : 0;
    for (int c = 0; c < columns; c++) {
      double xhat = (x.get(row + c) - center) * inverse;
      double g = gamma == null ? dy.get(row + c) : gamma.get(c) * dy.get(row + c);
      dx.set(row + c, inverse * (g - middle - xhat * product / columns));
    }
  }

  /// [...,1], and at least one value in a row.
  private static void requireRows(Operands operands, Operand x, @Nullable Operand... rows) {
    x.requireAxis();
    if (x.dim(-1) < 1) {
      throw operands.refusal(
          "x must have at least one value in a row, but is %s".formatted(x.view()));
    }
    long[] dims = x.shape().toArray();
    dims[dims.length - 1] = 1;
    for (Operand row : rows) {
      if (row != null) {
        row.requireShape(Shape.of(dims));
      }
    }
  }

  private static void requireColumns(Operand x, @Nullable Operand... columns) {
    for (Operand column : columns) {
      if (column != null) {
        column.requireShape(x.dim(-1));
      }
    }
  }
}
