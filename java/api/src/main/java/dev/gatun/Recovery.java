package dev.gatun;

/// What a run does when its loss is not finite: it goes back to where it was when all was well, and
/// on from there with a lower learning rate. `trainer.recover(Recovery.attempts(3))`.
///
/// A moment is good if its numbers are finite and so is the next loss that they give. If a run
/// comes to grief again before the next good moment, it goes back by one more, for numbers may be
/// finite and past help. The same seed gives the same batches again, which is why the rate has to
/// be another. In memory are the beginning of the run and the two last good moments, each with all
/// that a checkpoint has ([Trainer#checkpoint]).
///
/// @param attempts how often a run goes back, at least 1; after that it ends with a
///   [DivergedException]
/// @param rate what the learning rate is multiplied by each time, in (0, 1)
/// @param every how far such moments are apart
public record Recovery(int attempts, double rate, Span every) {
  /// Checks the ranges.
  public Recovery {
    Hyperparameters.require("recovery", attempts >= 1, "at least 1 attempt", attempts);
    Hyperparameters.require("recovery", rate > 0 && rate < 1, "a rate in (0, 1)", rate);
    Hyperparameters.require(
        "recovery", every.amount() > 0, "moments more than 0 apart", every.amount());
  }

  /// Goes back this often, by an epoch at most, each time with half the learning rate.
  public static Recovery attempts(int attempts) {
    return new Recovery(attempts, 0.5, Span.epochs(1));
  }

  /// The same with the learning rate multiplied by `factor` each time.
  public Recovery rate(double factor) {
    return new Recovery(attempts, factor, every);
  }

  /// The same with good moments this far apart.
  public Recovery every(Span span) {
    return new Recovery(attempts, rate, span);
  }
}
