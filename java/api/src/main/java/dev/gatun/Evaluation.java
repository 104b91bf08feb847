package dev.gatun;

/// How well a model does on a set.
///
/// @param loss the mean over the images, by the weights of their classes if the loss has some
/// @param accuracy the share of right answers, 0 to 1: of rows of outputs whose greatest stands at
///   the label, or at the greatest target; by a binary loss the binary accuracy where there is one
///   output, or a target for each ([Loss#isBinary]). NaN where outputs are numbers: a single one by
///   any other loss, and several by [Loss#meanSquaredError], [Loss#meanAbsoluteError] and
///   [Loss#huber] with a target for each
/// @param images how many there were, or other examples
/// @param seconds how long it took
public record Evaluation(double loss, double accuracy, long images, double seconds) {}
