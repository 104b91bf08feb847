package dev.gatun.spec;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/// A row of the table: one op, what it is tried with, and what it promises. Written as one
/// expression:
///
/// ```java
/// OpRow.of(new Softmax())
///     .on(real(7, 13))
///     .on(real(0, 5))
///     .ulps(16, "exp, and a sum of 13 terms")
///     .gradient()
///     .refuses("at least one axis", real())
/// ```
public final class OpRow {
  private final Op op;
  private final List<Case.Sample> samples = new ArrayList<>();
  private final List<Refusal> refusals = new ArrayList<>();
  private final List<InPlace> inPlace = new ArrayList<>();
  private Set<Integer> differentiable = Set.of();
  private boolean everyRealInput;
  private boolean onlyF32;
  private double ulpsInF32;
  private double ulpsInF64;
  private double ulpsInBf16;
  private boolean bf16;
  private Acceptance acceptance = OpRow::fits;

  private OpRow(Op op) {
    this.op = op;
  }

  /// A wrong use.
  ///
  /// @param message what the error says, in part
  /// @param op makes the op; its constructor may be what refuses
  /// @param inputs what it is given
  public record Refusal(String message, Supplier<Op> op, List<Input> inputs) {
    /// The inputs' types when real ones are F32.
    public List<TensorType> types() {
      return inputs.stream().map(input -> input.type(DType.F32)).toList();
    }
  }

  /// An output that may be stored in the memory of an input.
  ///
  /// @param output its index
  /// @param input its index
  public record InPlace(int output, int input) {}

  /// What an instruction takes.
  @FunctionalInterface
  public interface Acceptance {
    /// Whether the instruction for `op` takes operands of these types.
    boolean takes(Op op, List<TensorType> outputs, List<TensorType> inputs);
  }

  /// A row for `op`.
  public static OpRow of(Op op) {
    return new OpRow(op);
  }

  /// Tries the row's op with these inputs.
  public OpRow on(Input... inputs) {
    return on(op, inputs);
  }

  /// Tries the same op with other attributes.
  public OpRow on(Op variant, Input... inputs) {
    samples.add(new Case.Sample(variant, List.of(inputs), true));
    return this;
  }

  /// Tries inputs at which the op is not smooth: ties, infinities, NaN. Only values are compared
  /// there.
  public OpRow values(Input... inputs) {
    return values(op, inputs);
  }

  /// Tries other attributes at inputs where the op is not smooth.
  public OpRow values(Op variant, Input... inputs) {
    samples.add(new Case.Sample(variant, List.of(inputs), false));
    return this;
  }

  /// How far a backend may be from the reference: this many units of rounding of the element, or of
  /// the root mean square of its tensor if that is greater. Without a call: not at all.
  ///
  /// @param reason where the error comes from
  public OpRow ulps(double units, String reason) {
    return ulps(units, units, reason);
  }

  /// The same, with another number for F64, where the reference rounds as coarsely as the backend.
  public OpRow ulps(double unitsInF32, double unitsInF64, String reason) {
    if (reason.isBlank() || !(unitsInF32 > 0) || !(unitsInF64 > 0)) {
      throw new IllegalArgumentException("a tolerance is greater than 0 and has a reason");
    }
    this.ulpsInF32 = unitsInF32;
    this.ulpsInF64 = unitsInF64;
    return this;
  }

  /// The op also works on BF16, and every sample is tried in it too. Both backends round once, from
  /// F32 and from F64, so they may differ by `units`: 1, or 0 where nothing is computed.
  public OpRow bf16(double units) {
    this.bf16 = true;
    this.ulpsInBf16 = units;
    return this;
  }

  /// The op is defined for F32 alone.
  public OpRow inF32() {
    onlyF32 = true;
    return this;
  }

  /// The first output has a gradient with respect to every real input.
  public OpRow gradient() {
    everyRealInput = true;
    return this;
  }

  /// The first output has a gradient with respect to these inputs, and no others.
  public OpRow gradient(int... inputs) {
    differentiable = new LinkedHashSet<>(Arrays.stream(inputs).boxed().toList());
    return this;
  }

  /// The shape rule and the instruction refuse the row's op on these inputs.
  public OpRow refuses(String message, Input... inputs) {
    return refuses(message, () -> op, inputs);
  }

  /// They refuse these attributes, or these attributes on these inputs.
  public OpRow refuses(String message, Supplier<Op> variant, Input... inputs) {
    refusals.add(new Refusal(message, variant, List.of(inputs)));
    return this;
  }

  /// The header allows `output` in the memory of `input`, though the op, which does not own its
  /// inputs, does not ask for it.
  public OpRow alsoInPlace(int output, int input) {
    inPlace.add(new InPlace(output, input));
    return this;
  }

  /// The instruction takes more than the shape rule gives it.
  public OpRow accepts(Acceptance wider) {
    this.acceptance = wider;
    return this;
  }

  /// The op's attributes hold what the instruction reads from its first output: `rebuilt` makes the
  /// op for another shape.
  public OpRow shapedBy(BiFunction<Op, Shape, Op> rebuilt) {
    return accepts(
        (variant, outputs, inputs) ->
            fits(rebuilt.apply(variant, outputs.getFirst().shape()), outputs, inputs));
  }

  /// The op, with the attributes of the plain samples.
  public Op op() {
    return op;
  }

  /// Every sample in F32, in F64 and where the row says so in BF16; once if it has no real input.
  public List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (Case.Sample sample : samples) {
      cases.add(new Case(this, sample, DType.F32));
      if (!onlyF32 && sample.inputs().stream().anyMatch(input -> input.dtype() == null)) {
        cases.add(new Case(this, sample, DType.F64));
        if (bf16) {
          cases.add(new Case(this, sample, DType.BF16));
        }
      }
    }
    return cases;
  }

  /// The wrong uses.
  public List<Refusal> refusals() {
    return List.copyOf(refusals);
  }

  /// The tolerance for elements of type `dtype` in units of rounding; 0 for the same values.
  public double ulps(DType dtype) {
    return switch (dtype) {
      case F32 -> ulpsInF32;
      case F64 -> ulpsInF64;
      case BF16 -> ulpsInBf16;
      case I32, I64, U8 -> 0;
    };
  }

  /// The inputs of `sample` with respect to which the first output has a gradient.
  public Set<Integer> differentiable(Case.Sample sample) {
    Set<Integer> result = new LinkedHashSet<>();
    for (int i = 0; i < sample.inputs().size(); i++) {
      if (sample.inputs().get(i).dtype() == null
          && (everyRealInput || differentiable.contains(i))) {
        result.add(i);
      }
    }
    return result;
  }

  /// Whether the row promises any gradient.
  public boolean hasGradient() {
    return everyRealInput || !differentiable.isEmpty();
  }

  /// Where `sample` may be computed in place: outputs and inputs of one type, by the op or by the
  /// header.
  public List<InPlace> inPlace(Case example) {
    List<TensorType> inputs = example.inputs();
    List<TensorType> outputs = example.outputs();
    return IntStream.range(0, outputs.size())
        .boxed()
        .flatMap(
            output ->
                IntStream.range(0, inputs.size()).mapToObj(input -> new InPlace(output, input)))
        .filter(pair -> example.op().inPlace(pair.output(), pair.input()) || inPlace.contains(pair))
        .filter(pair -> outputs.get(pair.output()).equals(inputs.get(pair.input())))
        .toList();
  }

  /// Whether the instruction of `variant` takes operands of these types.
  public boolean takes(Op variant, List<TensorType> outputs, List<TensorType> inputs) {
    return acceptance.takes(variant, outputs, inputs);
  }

  private static boolean fits(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    try {
      return op.infer(inputs).equals(outputs);
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  @Override
  public String toString() {
    return op.name();
  }
}
