package dev.gatun.cli.plot;

import dev.gatun.Device;

/// The figures that there are, by the names of the command line.
public enum Plot {
  /// [ActivationFigure].
  activations("activations and their slopes"),
  /// [CliffFigure].
  cliff("a recurrent network's cliff, with and without clipping"),
  /// [CostFigure].
  costs("training cost by epoch of seven optimizers"),
  /// [DepthFigure].
  depth("loss by depth: with and without batch norm, plain and residual"),
  /// [InitializationFigure].
  initialization("signals, gradients and loss by the scale of weights"),
  /// [MomentumFigure].
  momentum("SGD and momentum: a local minimum, a saddle, a valley, noise"),
  /// [NormFigure].
  norms("loss by the scale of weights, without and with norms"),
  /// [RateFigure].
  rates("losses at four rates, and where a rate drops"),
  /// [ScalerFigure].
  scalers("scalers of data with outliers"),
  /// [ScheduleFigure].
  schedules("learning-rate schedules"),
  /// [SignalFigure].
  signals("histograms of signals and gradients by layer"),
  /// [ValleyFigure].
  valley("ways of optimizers in a valley");

  private final String subject;

  Plot(String subject) {
    this.subject = subject;
  }

  /// What it shows, in a few words.
  public String subject() {
    return subject;
  }

  /// Computes it.
  ///
  /// @param device for tensors and trainings
  /// @param seed of everything random
  public Figure figure(Device device, long seed) {
    return switch (this) {
      case activations -> ActivationFigure.of(device);
      case cliff -> CliffFigure.of(device);
      case costs -> CostFigure.of(device, seed);
      case depth -> DepthFigure.of(device, seed);
      case initialization -> InitializationFigure.of(device, seed);
      case momentum -> MomentumFigure.of(device);
      case norms -> NormFigure.of(device, seed);
      case rates -> RateFigure.of(device, seed);
      case scalers -> ScalerFigure.of(seed);
      case schedules -> ScheduleFigure.of();
      case signals -> SignalFigure.of(device, seed);
      case valley -> ValleyFigure.of(device);
    };
  }
}
