package dev.gatun.spec;

import dev.gatun.DType;
import dev.gatun.backend.Bf16;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/// One thing to try: an op with inputs of one real type.
///
/// @param row where it stands in the table
/// @param sample the op and its inputs
/// @param dtype of the real inputs
public record Case(OpRow row, Sample sample, DType dtype) {
  private static final long SEED = 42;

  /// An op with its inputs.
  ///
  /// @param op the op with its attributes
  /// @param inputs what it is tried with
  /// @param smooth whether a small change of the inputs changes the result in proportion
  public record Sample(Op op, List<Input> inputs, boolean smooth) {}

  /// The name to find the case by: `softmax[f32,(7,13),seed=42]`. Unique in the table.
  public String id() {
    String shapes = sample.inputs().stream().map(Input::toString).collect(Collectors.joining("x"));
    String attributes = Attributes.describe(sample.op());
    return "%s[%s,%s%s,seed=%d]"
        .formatted(
            op().name(),
            dtype.name().toLowerCase(Locale.ROOT),
            shapes.isEmpty() ? "" : shapes + ",",
            attributes,
            SEED)
        .replace(",,", ",");
  }

  /// The op.
  public Op op() {
    return sample.op();
  }

  /// The types of the inputs.
  public List<TensorType> inputs() {
    return sample.inputs().stream().map(input -> input.type(dtype)).toList();
  }

  /// The types of the outputs.
  public List<TensorType> outputs() {
    return op().infer(inputs());
  }

  /// The elements of input `index`, exact in its type.
  public double[] elements(int index) {
    Input input = sample.inputs().get(index);
    double[] elements =
        input
            .fill()
            .rule()
            .elements((int) input.shape().count(), new SplittableRandom(SEED * 1_000 + index));
    DType type = input.type(dtype).dtype();
    for (int i = 0; i < elements.length; i++) {
      elements[i] =
          switch (type) {
            case F32 -> (float) elements[i];
            case BF16 -> Bf16.toFloat(Bf16.of((float) elements[i]));
            case F64, I32, I64, U8 -> elements[i];
          };
    }
    return elements;
  }

  @Override
  public String toString() {
    return id();
  }
}
