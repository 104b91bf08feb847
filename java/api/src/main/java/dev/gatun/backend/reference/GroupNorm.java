package dev.gatun.backend.reference;

import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;

/// Group normalisation (Wu and He 2018): each group of neighbouring channels of each picture.
final class GroupNorm {
  private final int places;
  private final int channels;
  private final int groups;

  private GroupNorm(Operands operands, Operand x, int groups) {
    if (x.rank() < 2) {
      throw operands.refusal("x must be [N,...,C], but is %s".formatted(x.view()));
    }
    channels = x.dim(-1);
    this.groups = groups;
    operands.require(
        groups >= 1 && channels >= 1 && channels % groups == 0,
        () -> "groups must divide the channels of x, but are %d of %s".formatted(groups, x.view()));
    if (x.dim(0) > 0 && x.count() == 0) {
      throw operands.refusal("a group must have a value, but x is %s".formatted(x.view()));
    }
    places = x.dim(0) == 0 ? 0 : x.count() / x.dim(0) / channels;
  }

  /// What is done with a value.
  private interface Body {
    void at(int index, int channel);
  }

  private void each(int picture, int group, Body body) {
    int width = channels / groups;
    for (int p = 0; p < places; p++) {
      for (int k = 0; k < width; k++) {
        int channel = group * width + k;
        body.at((picture * places + p) * channels + channel, channel);
      }
    }
  }

  private double count() {
    return (double) places * channels / groups;
  }

  static Instruction forward(
      View yView,
      View meanView,
      View invStdView,
      View xView,
      View gammaView,
      View betaView,
      int groups,
      double epsilon) {
    Operands operands = new Operands("group_norm");
    Operand y = operands.output("y", yView);
    Operand mean = operands.output("mean", meanView);
    Operand invStd = operands.output("inv_std", invStdView);
    Operand x = operands.input("x", xView);
    Operand gamma = operands.input("gamma", gammaView);
    Operand beta = operands.input("beta", betaView);
    operands.requireFloating(x, y);
    operands.requireWide(x, mean, invStd, gamma, beta);
    GroupNorm shape = new GroupNorm(operands, x, groups);
    operands.requireShapeOf(x, y);
    for (Operand row : new Operand[] {mean, invStd}) {
      row.requireShape(x.dim(0), groups);
    }
    for (Operand channel : new Operand[] {gamma, beta}) {
      channel.requireShape(x.dim(-1));
    }
    operands.require(
        epsilon >= 0 && Double.isFinite(epsilon),
        () -> "epsilon must be finite and not negative, but is %s".formatted(epsilon));
    operands.allowInPlace(y, x);
    return operands.instruction(
        () -> {
          for (int i = 0; i < x.dim(0) * groups; i++) {
            shape.forward(
                y.reals(),
                mean.reals(),
                invStd.reals(),
                x.reals(),
                gamma.reals(),
                beta.reals(),
                i,
                epsilon);
          }
        });
  }

  /// Group i of all groups of all pictures.
  private void forward(
      Reals y, Reals mean, Reals invStd, Reals x, Reals gamma, Reals beta, int i, double epsilon) {
    double[] sums = new double[2];
    each(i / groups, i % groups, (at, c) -> sums[0] += x.get(at));
    double center = sums[0] / count();
    each(i / groups, i % groups, (at, c) -> sums[1] += Math.pow(x.get(at) - center, 2));
    double inverse = 1 / Math.sqrt(sums[1] / count() + epsilon);
    mean.set(i, center);
    invStd.set(i, inverse);
    each(
        i / groups,
        i % groups,
        (at, c) -> y.set(at, gamma.get(c) * ((x.get(at) - center) * inverse) + beta.get(c)));
  }

  static Instruction backward(
      View dxView,
      View dgammaView,
      View dbetaView,
      View dyView,
      View xView,
      View meanView,
      View invStdView,
      View gammaView,
      int groups) {
    Operands operands = new Operands("group_norm_backward");
    Operand dx = operands.output("dx", dxView);
    Operand dgamma = operands.output("dgamma", dgammaView);
    Operand dbeta = operands.output("dbeta", dbetaView);
    Operand dy = operands.input("dy", dyView);
    Operand x = operands.input("x", xView);
    Operand mean = operands.input("mean", meanView);
    Operand invStd = operands.input("inv_std", invStdView);
    Operand gamma = operands.input("gamma", gammaView);
    operands.requireFloating(x, dx, dy);
    operands.requireWide(x, dgamma, dbeta, mean, invStd, gamma);
    GroupNorm shape = new GroupNorm(operands, x, groups);
    operands.requireShapeOf(x, dx, dy);
    for (Operand row : new Operand[] {mean, invStd}) {
      row.requireShape(x.dim(0), groups);
    }
    for (Operand channel : new Operand[] {dgamma, dbeta, gamma}) {
      channel.requireShape(x.dim(-1));
    }
    operands.allowInPlace(dx, dy);
    double[] byGamma = operands.scratch(x.dim(-1));
    double[] byBeta = operands.scratch(x.dim(-1));
    return operands.instruction(
        () -> {
          Arrays.fill(byGamma, 0);
          Arrays.fill(byBeta, 0);
          for (int i = 0; i < x.dim(0) * groups; i++) {
            shape.backward(
                dx.reals(),
                byGamma,
                byBeta,
                dy.reals(),
                x.reals(),
                mean.reals().get(i),
                invStd.reals().get(i),
                gamma.reals(),
                i);
          }
          for (int c = 0; c < byGamma.length; c++) {
            dgamma.reals().set(c, byGamma[c]);
            dbeta.reals().set(c, byBeta[c]);
          }
        });
  }

  private void backward(
      Reals dx,
      double[] byGamma,
      double[] byBeta,
      Reals dy,
      Reals x,
      double center,
      double inverse,
      Reals gamma,
      int i) {
    double[] sums = new double[2];
    each(
        i / groups,
        i % groups,
        (at, c) -> {
          double xhat = (x.get(at) - center) * inverse;
          sums[0] += gamma.get(c) * dy.get(at);
          sums[1] += gamma.get(c) * dy.get(at) * xhat;
          byGamma[c] += dy.get(at) * xhat;
          byBeta[c] += dy.get(at);
        });
    each(
        i / groups,
        i % groups,
        (at, c) -> {
          double xhat = (x.get(at) - center) * inverse;
          dx.set(at, inverse * (gamma.get(c) * dy.get(at) - (sums[0] + xhat * sums[1]) / count()));
        });
  }
}
