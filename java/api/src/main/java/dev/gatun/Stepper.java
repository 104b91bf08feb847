package dev.gatun;

import java.lang.ref.Cleaner;

/// Runs a recurrent network along sequences, some steps at a time: recurrent layers go on where the
/// call before left them. The lengths need not be those the network was made for, so one that was
/// trained on pieces of text can write some, character by character:
///
/// ```java
/// RandomStream random = new RandomStream(1, 0);
/// try (Stepper stepper = Stepper.of(model, 1, 1)) {
///   int token = start;
///   for (int written = 0; written < length; written++) {
///     float[] logits = stepper.next(token);
///     token = Predictions.of(logits, logits.length).temperature(0.8).sample(random)[0];
///     System.out.print(alphabet.decode(token));
///   }
/// }
/// ```
///
/// [Predictions#best] in the place of the draw always takes the most probable.
///
/// Inference mode. Used by one thread at a time; close it before the model.
public final class Stepper implements AutoCloseable {
  private final Model model;
  private final InferenceStep step;
  private final int elements;
  private final int outputs;
  private final Holdings holdings = new Holdings("stepper");
  private final Cleaner.Cleanable cleanable = Leaks.watch(this, holdings);

  private Stepper(Model model, int batch, int steps) {
    this.model = model;
    this.elements = Math.toIntExact(model.net().inputs(batch, steps).shape().count());
    this.step = holdings.add(InferenceStep.stepping(model, batch, steps));
    this.outputs = step.outputElements();
  }

  /// A stepper of `model` for `batch` sequences at a time, `steps` steps a call.
  ///
  /// @throws ShapeException if the network's inputs are not sequences, or its parameters depend on
  ///   their length
  /// @throws IllegalArgumentException if a layer reads sequences from their end
  public static Stepper of(Model model, int batch, int steps) {
    if (batch < 1 || steps < 1) {
      throw new IllegalArgumentException(
          "[stepper] expected at least 1 sequence and 1 step, found %d and %d"
              .formatted(batch, steps));
    }
    return new Stepper(model, batch, steps);
  }

  /// The outputs for the next steps.
  ///
  /// @param tokens `[batch, steps]`
  /// @throws ShapeException if there are more or fewer, or the network's inputs are not tokens
  /// @throws IllegalArgumentException if a token is not below the vocabulary of an embedding
  public float[] next(int... tokens) {
    require(DType.I32, tokens.length);
    model.net().requireTokens("stepper", tokens);
    step.run(tokens, 0, elements);
    return read();
  }

  /// The outputs for the next steps.
  ///
  /// @param inputs `[batch, steps, ...]`, preprocessed as in training
  /// @throws ShapeException if there are more or fewer, or the network's inputs are tokens
  public float[] next(float[] inputs) {
    require(DType.F32, inputs.length);
    step.run(inputs, 0, elements);
    return read();
  }

  /// Begins sequences anew: the states are zeros again.
  public void reset() {
    holdings.requireOpen();
    step.resetStates();
  }

  /// Gives the memory back; a second call does nothing.
  @Override
  public void close() {
    holdings.closeByOwner();
    cleanable.clean();
  }

  private void require(DType type, int found) {
    holdings.requireOpen();
    model.requireOpen();
    model.net().requireInputs("stepper", type);
    if (found != elements) {
      throw new ShapeException(
          "[stepper] expected %d elements, found %d".formatted(elements, found));
    }
  }

  private float[] read() {
    float[] result = new float[outputs];
    step.readOutputs(result, 0, outputs);
    return result;
  }
}
