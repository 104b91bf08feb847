package dev.gatun;

import dev.gatun.data.Batches;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Iterative magnitude pruning with rewinding (Frankle and Carbin 2019, "The Lottery Ticket
/// Hypothesis"): train, take the smallest weights away, set the others back to what they were early
/// on, and train again, some rounds. What is left is a small network that learns as well as the
/// whole one, if it starts from these very numbers.
///
/// ```java
/// var ticket = new LotteryTicket(5, 0.2, steps(100), Pruning.Extent.GLOBAL);
/// List<LotteryTicket.Round> rounds =
///     ticket.find(() -> Trainer.of(net).on(device), train, test, epochs(4));
/// ```
///
/// The first paper rewinds to the very start, which works for small nets; for larger ones it has to
/// be an early step (Frankle et al. 2020). Round k has (1 - share)^k of the weights. What is set
/// back are the weights: a later round's optimizer begins without momentum, and its data with the
/// first batch.
///
/// @param rounds of pruning, at least 0
/// @param share of the weights that are left which each round takes away, in (0, 1); 0.2 in the
///   paper
/// @param rewind how long the network trains before the moment that it is set back to, or null for
///   its initial weights
/// @param extent where magnitudes are compared
public record LotteryTicket(
    int rounds, double share, @Nullable Span rewind, Pruning.Extent extent) {
  /// Checks the ranges.
  public LotteryTicket {
    Hyperparameters.require("lotteryTicket", rounds >= 0, "at least 0 rounds", rounds);
    Hyperparameters.require("lotteryTicket", share > 0 && share < 1, "a share in (0, 1)", share);
  }

  /// A round's outcome.
  ///
  /// @param pruning what was left in this round
  /// @param evaluation after training
  /// @param start what its training began with
  public record Round(Pruning pruning, Evaluation evaluation, Snapshot start) {}

  /// Trains once with all weights, and once after each pruning.
  ///
  /// @param trainers a fresh trainer each time, configured alike; closed here
  /// @param length of training from the moment that weights are set back to; the trainer's schedule
  ///   begins there
  /// @return one more than there are rounds, the whole network first
  public List<Round> find(Supplier<Trainer> trainers, Batches train, Batches test, Span length) {
    List<Round> found = new ArrayList<>();
    @Nullable Snapshot start = null;
    @Nullable Pruning pruning = null;
    for (int round = 0; round <= rounds; round++) {
      Trainer fresh = trainers.get();
      try (Trainer trainer = pruning == null ? fresh : fresh.prune(pruning)) {
        Model model = trainer.model();
        if (start == null || pruning == null) {
          if (rewind != null) {
            trainer.fit(train, rewind);
          }
          start = Snapshot.of(model);
          pruning = Pruning.none(model);
        } else {
          start.restore(model);
          pruning.apply(model);
        }
        trainer.fit(train, length);
        found.add(new Round(pruning, trainer.evaluate(test), start));
        pruning = pruning.byMagnitude(model, share, extent);
      }
    }
    return found;
  }
}
