package dev.gatun;

/// The losses that are composed of other operations.
final class Losses {
  private Losses() {}

  /// A loss of logits, each of a yes.
  record Binary(Loss loss) implements Loss {
    @Override
    public Tensor apply(Tensor outputs, Tensor targets) {
      return loss.apply(outputs, targets);
    }

    @Override
    public boolean isBinary() {
      return true;
    }
  }

  /// A loss of outputs that are numbers, never right or wrong.
  record OfNumbers(Loss loss) implements Loss {
    @Override
    public Tensor apply(Tensor outputs, Tensor targets) {
      return loss.apply(outputs, targets);
    }
  }

  static Tensor binaryCrossEntropy(Tensor outputs, Tensor targets) {
    Tensor wanted = values("binaryCrossEntropy", outputs, targets);
    return mean(outputs.softplus().minus(outputs.times(wanted)), targets);
  }

  /// (1 - t) x + (1 + (p - 1) t) softplus(-x).
  static Tensor binaryCrossEntropy(Tensor outputs, Tensor targets, double positiveWeight) {
    if (!(positiveWeight > 0 && Double.isFinite(positiveWeight))) {
      throw new IllegalArgumentException(
          "[binaryCrossEntropy] expected a positive weight greater than 0, found "
              + positiveWeight);
    }
    Tensor wanted = values("binaryCrossEntropy", outputs, targets);
    return weighted(outputs, wanted, wanted.times(positiveWeight - 1), targets);
  }

  static Tensor binaryCrossEntropy(Tensor outputs, Tensor targets, Tensor positiveWeights) {
    Tensor wanted = values("binaryCrossEntropy", outputs, targets);
    return weighted(outputs, wanted, wanted.times(positiveWeights.minus(1)), targets);
  }

  /// `more` is what positive targets count beyond 1.
  private static Tensor weighted(Tensor outputs, Tensor wanted, Tensor more, Tensor targets) {
    Tensor negative = wanted.negate().plus(1).times(outputs);
    return mean(negative.plus(more.plus(1).times(outputs.negate().softplus())), targets);
  }

  static Tensor hinge(Tensor outputs, Tensor targets, double margin) {
    Tensor wanted = values("hinge", outputs, targets);
    if (outputs.shape().dim(-1) < 2) {
      throw new ShapeException(
          "[hinge] expected outputs of at least 2 classes, found " + outputs.shape());
    }
    long[] column = outputs.shape().with(-1, 1).toArray();
    Tensor atLabel = outputs.times(wanted).sum(-1).reshape(column);
    Tensor excess = outputs.minus(atLabel).plus(margin).relu();
    Tensor others = excess.times(wanted.negate().plus(1));
    return mean(others, targets).times((double) outputs.shape().dim(-1));
  }

  static Tensor meanSquaredError(Tensor outputs, Tensor targets) {
    return mean(outputs.minus(values("meanSquaredError", outputs, targets)).square(), targets);
  }

  static Tensor meanAbsoluteError(Tensor outputs, Tensor targets) {
    return mean(outputs.minus(values("meanAbsoluteError", outputs, targets)).abs(), targets);
  }

  static Tensor huber(Tensor outputs, Tensor targets, double delta) {
    if (!(delta > 0 && Double.isFinite(delta))) {
      throw new IllegalArgumentException("[huber] expected a delta greater than 0, found " + delta);
    }
    Tensor distance = outputs.minus(values("huber", outputs, targets)).abs();
    Tensor near = distance.minus(distance.minus(delta).relu()); // min(distance, delta)
    return mean(near.times(distance.minus(near.times(0.5))), targets);
  }

  static Tensor klDivergence(Tensor outputs, Tensor targets) {
    Tensor wanted = values("klDivergence", outputs, targets);
    Tensor orOne = wanted.plus(wanted.sign().negate().plus(1)); // 0 log 0 is 0
    Tensor divergence = wanted.times(orOne.log().minus(outputs.logSoftmax()));
    return mean(divergence, targets).times((double) outputs.shape().dim(-1));
  }

  /// What each output should be.
  private static Tensor values(String loss, Tensor outputs, Tensor targets) {
    Shape shape = outputs.shape();
    if (shape.rank() < 1) {
      throw new ShapeException("[%s] expected outputs [N, ..., C], found a scalar".formatted(loss));
    }
    boolean labels = targets.dtype() == DType.I32;
    boolean fits =
        labels
            ? targets.shape().count() * shape.dim(-1) == shape.count()
                && targets.shape().rank() == shape.rank() - 1
            : targets.shape().equals(shape);
    if (!fits) {
      throw new ShapeException(
          "[%s] expected targets %s, or labels without the last axis, found %s %s"
              .formatted(loss, shape, targets.dtype(), targets.shape()));
    }
    if (!labels) {
      return targets;
    }
    return shape.dim(-1) == 1
        ? targets.as(outputs.dtype()).reshape(shape.toArray())
        : targets.oneHot((int) shape.dim(-1)).as(outputs.dtype());
  }

  /// The mean over the outputs that count: all, or the rows whose label is not negative.
  private static Tensor mean(Tensor each, Tensor targets) {
    if (targets.dtype() != DType.I32) {
      return each.mean();
    }
    Tensor counts = targets.as(each.dtype()).plus(0.5).sign().relu();
    Tensor rows = counts.sum();
    Tensor orOne = rows.plus(rows.sign().negate().plus(1));
    Tensor counted = each.times(counts.reshape(each.shape().with(-1, 1).toArray()));
    return counted.sum().div(orOne.times((double) each.shape().dim(-1)));
  }
}
