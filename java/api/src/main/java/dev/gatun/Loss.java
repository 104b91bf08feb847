package dev.gatun;

/// What training makes small: a function of the network's outputs and of what they should be to a
/// scalar. Targets come in two forms: labels, one class for each row of outputs, and values, one
/// number for each output.
@FunctionalInterface
public interface Loss {
  /// The mean loss of a batch.
  ///
  /// @param outputs of the network, `[N, ..., C]`
  /// @param targets labels `[N, ...]` of [DType#I32], negative ones marking rows that do not count;
  ///   or values `[N, ..., C]` of the outputs' type
  Tensor apply(Tensor outputs, Tensor targets);

  /// Whether a network's outputs are each the logit of a yes, as [#binaryCrossEntropy] has it. Its
  /// accuracy is then the binary accuracy: the share of outputs that are above 0, a probability of
  /// ½, where the target is above ½, and not above it elsewhere; but several outputs that have one
  /// label are right where the greatest stands at it. For any other loss an only output is a
  /// number, which is never right or wrong.
  ///
  /// By default false. A loss of your own that is binary is a class, for a lambda cannot say so.
  default boolean isBinary() {
    return false;
  }

  /// The mean over rows of `-log softmax(outputs)[label]`, ln C for C classes at the start of
  /// training. With values as targets, distributions over the classes: the mean of `-Σ target · log
  /// softmax(outputs)`; a trainer refuses values that are none.
  static CrossEntropy softmaxCrossEntropy() {
    return new CrossEntropy(0, null);
  }

  /// The mean over all outputs of `-target · log s - (1 - target) · log (1 - s)` with s = sigmoid
  /// of the output and targets in [0, 1], computed without overflow; ln 2 at the start of training.
  /// Labels stand for 1 at the label and 0 elsewhere, or for 0 and 1 themselves where there is one
  /// output, which then has the binary accuracy ([#isBinary]).
  static Loss binaryCrossEntropy() {
    return new Losses.Binary(Losses::binaryCrossEntropy);
  }

  /// The same with the first term, that of positive targets, times `positiveWeight`.
  static Loss binaryCrossEntropy(double positiveWeight) {
    return new Losses.Binary(
        (outputs, targets) -> Losses.binaryCrossEntropy(outputs, targets, positiveWeight));
  }

  /// The same with a weight for each output, as for classes that are rare to different degrees.
  ///
  /// @param positiveWeights `[C]`, on the device of the model; open while the loss is in use
  static Loss binaryCrossEntropy(Tensor positiveWeights) {
    return new Losses.Binary(
        (outputs, targets) -> Losses.binaryCrossEntropy(outputs, targets, positiveWeights));
  }

  /// The multiclass support vector machine's: the mean over rows of `Σ max(0, output - output at
  /// the label + 1)` over all classes but the label; C - 1 for equal outputs of C classes. Targets
  /// are labels, or values that are 1 at the label and 0 elsewhere. The gradient at a kink is 0.
  static Loss hinge() {
    return hinge(1);
  }

  /// The same with another margin than 1.
  static Loss hinge(double margin) {
    return (outputs, targets) -> Losses.hinge(outputs, targets, margin);
  }

  /// The mean over all outputs of `(output - target)²`. Labels stand for 1 at the label and 0
  /// elsewhere, or for themselves where there is one output; so they do in the losses below. Where
  /// targets are values, outputs are numbers, which are never right or wrong: there is no accuracy.
  static Loss meanSquaredError() {
    return new Losses.OfNumbers(Losses::meanSquaredError);
  }

  /// The mean over all outputs of `|output - target|`, whose gradient at 0 is 0. There is no
  /// accuracy by values.
  static Loss meanAbsoluteError() {
    return new Losses.OfNumbers(Losses::meanAbsoluteError);
  }

  /// The mean over all outputs of d²/2 for distances d = |output - target| up to `delta`, and of
  /// `delta · (d - delta/2)` beyond (Huber 1964). There is no accuracy by values.
  static Loss huber(double delta) {
    return new Losses.OfNumbers((outputs, targets) -> Losses.huber(outputs, targets, delta));
  }

  /// The mean over rows of the divergence of softmax(outputs) from the targets, which are
  /// distributions over the classes: `Σ target · (log target - log softmax(outputs))`. It has the
  /// gradient of [#softmaxCrossEntropy], and is 0 at its least.
  static Loss klDivergence() {
    return Losses::klDivergence;
  }
}
