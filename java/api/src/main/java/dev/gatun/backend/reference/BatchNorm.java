package dev.gatun.backend.reference;

import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), with an optional
/// residual and activation at the end.
final class BatchNorm {
  private BatchNorm() {}

  static Instruction training(
      View yView,
      View meanView,
      View invStdView,
      View newRunningMeanView,
      View newRunningVarianceView,
      View xView,
      View gammaView,
      View betaView,
      @Nullable View residualView,
      @Nullable View momentsView,
      View runningMeanView,
      View runningVarianceView,
      double momentum,
      double epsilon,
      Activation activation) {
    Operands operands = new Operands("batch_norm_training");
    Operand y = operands.output("y", yView);
    Operand mean = operands.output("mean", meanView);
    Operand invStd = operands.output("inv_std", invStdView);
    Operand newRunningMean = operands.output("new_running_mean", newRunningMeanView);
    Operand newRunningVariance = operands.output("new_running_variance", newRunningVarianceView);
    Operand x = operands.input("x", xView);
    Operand gamma = operands.input("gamma", gammaView);
    Operand beta = operands.input("beta", betaView);
    Operand residual = operands.optionalInput("residual", residualView);
    Operand moments = operands.optionalInput("moments", momentsView);
    Operand runningMean = operands.input("running_mean", runningMeanView);
    Operand runningVariance = operands.input("running_variance", runningVarianceView);
    operands.requireFloating(y, x, residual);
    operands.requireWide(
        x,
        mean,
        invStd,
        newRunningMean,
        newRunningVariance,
        gamma,
        beta,
        runningMean,
        runningVariance);
    if (moments != null) {
      operands.requireReal(x, moments);
    }
    x.requireAxis();
    operands.requireShapeOf(x, y, residual);
    requireChannels(
        x.dim(-1),
        mean,
        invStd,
        newRunningMean,
        newRunningVariance,
        gamma,
        beta,
        runningMean,
        runningVariance);
    if (moments != null) {
      moments.requireShape(2, x.dim(-1));
    }
    requireEpsilon(operands, epsilon);
    operands.require(
        momentum >= 0 && momentum <= 1,
        () -> "momentum must be in 0..1, but is %s".formatted(momentum));
    double m = perChannel(x);
    operands.require(
        m >= 2,
        () ->
            "needs at least 2 values per channel for a variance, but x is %s".formatted(x.view()));
    operands.allowInPlace(newRunningMean, runningMean);
    operands.allowInPlace(newRunningVariance, runningVariance);
    Reals residuals = Operand.realsOrNull(residual);
    Reals known = Operand.realsOrNull(moments);
    int channels = x.dim(-1);
    double[] means = operands.scratch(channels);
    double[] variances = operands.scratch(channels);
    double[] invStds = operands.scratch(channels);
    return operands.instruction(
        () -> {
          if (known == null) {
            statistics(means, variances, x.reals(), x.count(), m);
          }
          for (int c = 0; c < channels; c++) {
            if (known != null) {
              means[c] = known.get(c);
              variances[c] = known.get(channels + c);
            }
            invStds[c] = 1 / Math.sqrt(variances[c] + epsilon);
            mean.reals().set(c, means[c]);
            invStd.reals().set(c, invStds[c]);
            newRunningMean
                .reals()
                .set(c, (1 - momentum) * runningMean.reals().get(c) + momentum * means[c]);
            newRunningVariance
                .reals()
                .set(
                    c,
                    (1 - momentum) * runningVariance.reals().get(c)
                        + momentum * variances[c] * m / (m - 1));
          }
          normalise(
              y.reals(),
              x.reals(),
              means,
              invStds,
              gamma.reals(),
              beta.reals(),
              residuals,
              activation,
              x.count());
        });
  }

  /// The mean and the biased variance of each channel. The variance is a second pass: E x² - (E x)²
  /// would cancel.
  static void statistics(double[] mean, double[] variance, Reals x, int count, double m) {
    int channels = mean.length;
    Arrays.fill(mean, 0);
    Arrays.fill(variance, 0);
    for (int row = 0; row < count; row += channels) {
      for (int c = 0; c < channels; c++) {
        mean[c] += x.get(row + c);
      }
    }
    for (int c = 0; c < channels; c++) {
      mean[c] /= m;
    }
    for (int row = 0; row < count; row += channels) {
      for (int c = 0; c < channels; c++) {
        double deviation = x.get(row + c) - mean[c];
        variance[c] += deviation * deviation;
      }
    }
    for (int c = 0; c < channels; c++) {
      variance[c] /= m;
    }
  }

  private static void normalise(
      Reals y,
      Reals x,
      double[] mean,
      double[] invStd,
      Reals gamma,
      Reals beta,
      @Nullable Reals residual,
      Activation activation,
      int count) {
    int channels = mean.length;
    for (int row = 0; row < count; row += channels) {
      for (int c = 0; c < channels; c++) {
        double shift = beta.get(c) + (residual == null ? 0 : residual.get(row + c));
        double value = gamma.get(c) * (x.get(row + c) - mean[c]) * invStd[c] + shift;
        y.set(row + c, Elementwise.activate(activation, value));
      }
    }
  }

  static Instruction backward(
      View dxView,
      View dgammaView,
      View dbetaView,
      @Nullable View dresidualView,
      View dyView,
      View xView,
      @Nullable View yView,
      View meanView,
      View invStdView,
      View gammaView,
      @Nullable View sumsView,
      Activation activation) {
    Operands operands = new Operands("batch_norm_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dgamma = operands.output("dgamma", dgammaView);
    Operand dbeta = operands.output("dbeta", dbetaView);
    Operand dresidual = operands.optionalOutput("dresidual", dresidualView);
    Operand dy = operands.input("dy", dyView);
    Operand x = operands.input("x", xView);
    Operand y = operands.optionalInput("y", yView);
    Operand mean = operands.input("mean", meanView);
    Operand invStd = operands.input("inv_std", invStdView);
    Operand gamma = operands.input("gamma", gammaView);
    Operand sums = operands.optionalInput("sums", sumsView);
    operands.requireFloating(dx, dresidual, dy, x, y);
    operands.requireWide(x, dgamma, dbeta, mean, invStd, gamma);
    if (sums != null) {
      operands.requireReal(x, sums);
    }
    x.requireAxis();
    operands.requireShapeOf(x, dx, dresidual, dy, y);
    requireChannels(x.dim(-1), dgamma, dbeta, mean, invStd, gamma);
    if (sums != null) {
      sums.requireShape(2, x.dim(-1));
    }
    operands.require(
        activation == Activation.NONE || y != null,
        () -> "y is needed with an activation, but is null");
    operands.allowInPlace(dx, dy);
    operands.allowInPlace(dresidual, dy);
    Reals gate = activation == Activation.RELU ? Operand.realsOrNull(y) : null;
    Reals dresiduals = Operand.realsOrNull(dresidual);
    Reals known = Operand.realsOrNull(sums);
    double m = perChannel(x);
    double[] dgammas = operands.scratch(x.dim(-1));
    double[] dbetas = operands.scratch(x.dim(-1));
    return operands.instruction(
        () -> {
          if (known == null) {
            sums(
                dgammas,
                dbetas,
                dy.reals(),
                x.reals(),
                gate,
                mean.reals(),
                invStd.reals(),
                x.count());
          }
          for (int c = 0; c < dgammas.length; c++) {
            if (known != null) {
              dbetas[c] = known.get(c);
              dgammas[c] = known.get(dgammas.length + c) * invStd.reals().get(c);
            }
            dgamma.reals().set(c, dgammas[c]);
            dbeta.reals().set(c, dbetas[c]);
          }
          gradients(
              dx.reals(),
              dresiduals,
              dgammas,
              dbetas,
              dy.reals(),
              x.reals(),
              gate,
              mean.reals(),
              invStd.reals(),
              gamma.reals(),
              m,
              x.count());
        });
  }

  private static void sums(
      double[] dgamma,
      double[] dbeta,
      Reals dy,
      Reals x,
      @Nullable Reals gate,
      Reals mean,
      Reals invStd,
      int count) {
    int channels = dgamma.length;
    Arrays.fill(dgamma, 0);
    Arrays.fill(dbeta, 0);
    for (int row = 0; row < count; row += channels) {
      for (int c = 0; c < channels; c++) {
        double g = gated(dy, gate, row + c);
        double xhat = (x.get(row + c) - mean.get(c)) * invStd.get(c);
        dgamma[c] += g * xhat;
        dbeta[c] += g;
      }
    }
  }

  private static void gradients(
      Reals dx,
      @Nullable Reals dresidual,
      double[] dgamma,
      double[] dbeta,
      Reals dy,
      Reals x,
      @Nullable Reals gate,
      Reals mean,
      Reals invStd,
      Reals gamma,
      double m,
      int count) {
    int channels = dgamma.length;
    for (int row = 0; row < count; row += channels) {
      for (int c = 0; c < channels; c++) {
        double g = gated(dy, gate, row + c);
        double xhat = (x.get(row + c) - mean.get(c)) * invStd.get(c);
        double centred = g - (dbeta[c] + xhat * dgamma[c]) / m;
        dx.set(row + c, gamma.get(c) * invStd.get(c) * centred);
        if (dresidual != null) {
          dresidual.set(row + c, g);
        }
      }
    }
  }

  /// dy behind the ReLU whose result is `gate`, if there is one.
  private static double gated(Reals dy, @Nullable Reals gate, int i) {
    return gate == null || gate.get(i) > 0 ? dy.get(i) : 0;
  }

  static Instruction inference(
      View yView,
      View xView,
      View gammaView,
      View betaView,
      @Nullable View residualView,
      View runningMeanView,
      View runningVarianceView,
      double epsilon,
      Activation activation) {
    Operands operands = new Operands("batch_norm_inference");
    Operand y = operands.output("y", yView);
    Operand x = operands.input("x", xView);
    Operand gamma = operands.input("gamma", gammaView);
    Operand beta = operands.input("beta", betaView);
    Operand residual = operands.optionalInput("residual", residualView);
    Operand runningMean = operands.input("running_mean", runningMeanView);
    Operand runningVariance = operands.input("running_variance", runningVarianceView);
    operands.requireFloating(y, x, residual);
    operands.requireWide(x, gamma, beta, runningMean, runningVariance);
    x.requireAxis();
    operands.requireShapeOf(x, y, residual);
    requireChannels(x.dim(-1), gamma, beta, runningMean, runningVariance);
    requireEpsilon(operands, epsilon);
    operands.allowInPlace(y, x);
    operands.allowInPlace(y, residual);
    Reals residuals = Operand.realsOrNull(residual);
    int channels = x.dim(-1);
    double[] means = operands.scratch(channels);
    double[] invStds = operands.scratch(channels);
    return operands.instruction(
        () -> {
          for (int c = 0; c < channels; c++) {
            means[c] = runningMean.reals().get(c);
            invStds[c] = 1 / Math.sqrt(runningVariance.reals().get(c) + epsilon);
          }
          normalise(
              y.reals(),
              x.reals(),
              means,
              invStds,
              gamma.reals(),
              beta.reals(),
              residuals,
              activation,
              x.count());
        });
  }

  private static void requireChannels(int channels, Operand... operands) {
    for (Operand operand : operands) {
      operand.requireShape(channels);
    }
  }

  private static void requireEpsilon(Operands operands, double epsilon) {
    operands.require(
        epsilon >= 0 && Double.isFinite(epsilon),
        () -> "epsilon must be finite and not negative, but is %s".formatted(epsilon));
  }

  /// How many elements each channel has. A `double`, since shapes without channels may have many.
  private static double perChannel(Operand x) {
    double m = 1;
    for (int axis = 0; axis < x.rank() - 1; axis++) {
      m *= x.dim(axis);
    }
    return m;
  }
}
