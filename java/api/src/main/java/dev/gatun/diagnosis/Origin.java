package dev.gatun.diagnosis;

/// Where a run first had a number that was not finite.
///
/// @param step in which, from 1
/// @param part of the step
/// @param path the first layer or parameter, in the order in which the step computes them; empty
///   for inputs and the loss
/// @param rate the step's learning rate
public record Origin(int step, Part part, String path, double rate) {
  /// What a step computes, in its order.
  public enum Part {
    /// The batch came with it.
    INPUTS("the inputs"),
    /// A layer gave it.
    OUTPUT("the output"),
    /// The loss of finite outputs.
    LOSS("the loss of finite outputs"),
    /// The gradient of a finite loss.
    GRADIENT("the gradient"),
    /// A parameter moved there along a finite gradient.
    UPDATE("the updated value");

    private final String words;

    Part(String words) {
      this.words = words;
    }
  }

  @Override
  public String toString() {
    return "step %d: %s%s".formatted(step, part.words, path.isEmpty() ? "" : " of " + path);
  }
}
