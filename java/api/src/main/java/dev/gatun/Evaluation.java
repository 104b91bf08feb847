package dev.gatun;

/// How well a model does on a set.
///
/// @param loss the mean over the images, by the weights of their classes if the loss has some
/// @param accuracy the share of right answers, 0 to 1: of rows of outputs whose greatest stands at
///   the label, or at the greatest target. That says nothing where several outputs are numbers of
///   their own, as in a regression, or a yes or no each. Of networks with one output it is the
///   binary accuracy if their loss is binary ([Loss#isBinary]), else NaN
/// @param images how many there were, or other examples
/// @param seconds how long it took
public record Evaluation(double loss, double accuracy, long images, double seconds) {}
