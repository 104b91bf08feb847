package dev.gatun.diagnosis;

import dev.gatun.Evaluation;
import dev.gatun.History;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the curves of a whole run tell.
final class CurveRules {
  private CurveRules() {}

  /// A warning that curves of a least number of epochs give a reason for.
  abstract static class CurveRule implements Rule {
    private final int leastEpochs;
    private final String problem;
    private final String meaning;
    private final String advice;

    CurveRule(int leastEpochs, String problem, String meaning, String advice) {
      this.leastEpochs = leastEpochs;
      this.problem = problem;
      this.meaning = meaning;
      this.advice = advice;
    }

    @Override
    public List<Finding> apply(Examination examination) {
      Curves curves = examination.curves();
      String seen = curves == null || curves.size() < leastEpochs ? null : read(curves);
      return seen == null
          ? List.of()
          : List.of(Finding.warning(problem, "", seen, meaning, advice));
    }

    /// What is to be seen of the problem, null if it is not there.
    abstract @Nullable String read(Curves curves);
  }

  /// The loss stays where it is for a while before it falls.
  static final class FlatStart extends CurveRule {
    private static final double FLAT = 0.02;
    private static final double FALLEN = 0.3;
    private static final int LEAST_FLAT = 3;
    private static final double SHARE = 0.2;

    FlatStart() {
      super(
          8,
          "flat at first",
          "the initial weights lie where the loss has next to no slope",
          "an initialiser that suits the activation (kaimingNormal for ReLU, glorotNormal for"
              + " tanh), norms, or a check of the initial loss");
    }

    @Override
    @Nullable String read(Curves curves) {
      double first = curves.loss(0);
      int flat = 1;
      while (flat < curves.size() && Math.abs(curves.loss(flat) - first) < FLAT * first) {
        flat++;
      }
      double last = curves.loss(curves.size() - 1);
      if (flat < Math.max(LEAST_FLAT, SHARE * curves.size()) || last > (1 - FALLEN) * first) {
        return null;
      }
      return "the training loss stays near %s for %d of %d epochs and then falls to %s"
          .formatted(Words.number(first), flat, curves.size(), Words.number(last));
    }
  }

  /// The loss has stopped falling although the rate has stayed.
  static final class Plateau extends CurveRule {
    private static final double FLAT = 0.01;
    private static final double LEFT = 0.1;

    Plateau() {
      super(
          8,
          "plateau",
          "steps of this size go round a minimum instead of into it",
          "a schedule that lowers the rate here: stepDecay(0.1), cosine(), or"
              + " reduceOnPlateau");
    }

    @Override
    @Nullable String read(Curves curves) {
      int last = curves.size() - 1;
      int begin = curves.size() - 2 * (curves.size() / 4);
      boolean steady = curves.rate(last) == curves.greatestRate(); // false for NaN
      if (!steady
          || Math.abs(curves.lateFall()) > FLAT
          || curves.loss(last) < LEFT * curves.loss(0)) {
        return null;
      }
      return "since epoch %d the training loss stays near %s, at a learning rate of %s"
          .formatted(begin + 1, Words.number(curves.loss(last)), Words.number(curves.rate(last)));
    }
  }

  /// The rate dropped while the loss was still falling, and then it stood still.
  static final class EarlyDecay extends CurveRule {
    private static final double DROP = 0.5;
    private static final double FALLING = 0.05;
    private static final double FLAT = 0.02;
    private static final int WINDOW = 2;

    EarlyDecay() {
      super(
          6,
          "decayed too early",
          "the higher rate had not done its work",
          "lower the rate later, when the loss has come to a plateau");
    }

    @Override
    @Nullable String read(Curves curves) {
      for (int k = WINDOW + 1; k + WINDOW < curves.size(); k++) {
        double before = 1 - curves.loss(k - 1) / curves.loss(k - 1 - WINDOW);
        double after = 1 - curves.loss(k + WINDOW) / curves.loss(k);
        boolean dropped = curves.rate(k) <= DROP * curves.rate(k - 1);
        if (dropped && before > FALLING && after < FLAT) {
          return ("the rate fell from %s to %s after epoch %d, when the training loss was falling"
                  + " by %s in %d epochs; then it fell by %s")
              .formatted(
                  Words.number(curves.rate(k - 1)),
                  Words.number(curves.rate(k)),
                  k,
                  Words.percent(before),
                  WINDOW,
                  Words.percent(Math.max(0, after)));
        }
      }
      return null;
    }
  }

  /// The loss rises again and again.
  static final class Oscillation extends CurveRule {
    private static final double RISE = 1.1;
    private static final double SHARE = 0.3;
    private static final double LEFT = 0.1;

    Oscillation() {
      super(
          6,
          "loss rises and falls",
          "steps jump from one side of the valley to the other",
          "a third of the learning rate, larger batches, or clipNorm(1)");
    }

    @Override
    @Nullable String read(Curves curves) {
      int rises = 0;
      for (int k = 1; k < curves.size(); k++) {
        boolean matters = curves.loss(k) > LEFT * curves.loss(0);
        rises += matters && curves.loss(k) > RISE * curves.loss(k - 1) ? 1 : 0;
      }
      if (rises < SHARE * (curves.size() - 1)) {
        return null;
      }
      return "the training loss rose by more than a tenth after %d of %d epochs"
          .formatted(rises, curves.size() - 1);
    }
  }

  /// The training set is learned at the cost of the test set.
  static final class Overfitting extends CurveRule {
    private static final double GAP = 0.15;
    private static final double RISE = 1.2;

    Overfitting() {
      super(
          3,
          "overfitting",
          "the network learns examples by heart that tell nothing of others",
          "more data or augmentation, weight decay, dropout, label smoothing, or"
              + " stopEarly(EarlyStopping.patience(5).restoreBest())");
    }

    @Override
    @Nullable String read(Curves curves) {
      History.Epoch last = curves.epochs().getLast();
      Evaluation test = last.test();
      int best = 0;
      for (int k = 1; k < curves.size(); k++) {
        best = curves.testLoss(k) < curves.testLoss(best) ? k : best;
      }
      double least = curves.testLoss(best);
      if (test == null || Double.isNaN(least)) {
        return null;
      }
      boolean rising = test.loss() > RISE * least && last.trainLoss() < curves.loss(best);
      double gap = last.trainAccuracy() - test.accuracy(); // NaN where there is no accuracy
      if (!rising && !(gap > GAP)) {
        return null;
      }
      String accuracies =
          Double.isNaN(gap)
              ? ""
              : "accuracy %s in training and %s on the test set; "
                  .formatted(Words.percent(last.trainAccuracy()), Words.percent(test.accuracy()));
      return "%stest loss %s, at epoch %d it was %s"
          .formatted(
              accuracies,
              Words.number(test.loss()),
              curves.epochs().get(best).number(),
              Words.number(least));
    }
  }

  /// Training and test set are learned alike, and neither well.
  static final class Underfitting extends CurveRule {
    private static final double FLAT = 0.02;
    private static final double LEFT = 0.5;
    private static final double GAP = 1.05;

    Underfitting() {
      super(
          8,
          "underfitting",
          "the network is too small for the task, or held back",
          "more units or layers, less weight decay, dropout and augmentation, or a higher"
              + " learning rate");
    }

    @Override
    @Nullable String read(Curves curves) {
      History.Epoch last = curves.epochs().getLast();
      Evaluation test = last.test();
      if (test == null
          || test.loss() > GAP * last.trainLoss()
          || last.trainLoss() < LEFT * curves.loss(0)
          || curves.lateFall() > FLAT) {
        return null;
      }
      return "training loss %s and test loss %s, %s of the first epoch's, and no longer falling"
          .formatted(
              Words.number(last.trainLoss()),
              Words.number(test.loss()),
              Words.percent(last.trainLoss() / curves.loss(0)));
    }
  }
}
