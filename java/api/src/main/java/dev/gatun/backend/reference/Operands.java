package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.OutOfDeviceMemoryException;
import dev.gatun.ShapeException;
import dev.gatun.backend.View;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Collects and checks the operands of one instruction: they are open, their dtypes fit, and
/// outputs share no memory with other operands but where the instruction works in place.
final class Operands {
  private final String op;
  private final List<Operand> outputs = new ArrayList<>();
  private final List<Operand> inputs = new ArrayList<>();
  private final List<InPlace> inPlace = new ArrayList<>();

  private record InPlace(Operand output, Operand input) {}

  Operands(String op) {
    this.op = op;
  }

  Operand output(String name, View view) {
    Operand operand = open(name, view);
    outputs.add(operand);
    return operand;
  }

  @Nullable Operand optionalOutput(String name, @Nullable View view) {
    return view == null ? null : output(name, view);
  }

  Operand input(String name, View view) {
    Operand operand = open(name, view);
    inputs.add(operand);
    return operand;
  }

  @Nullable Operand optionalInput(String name, @Nullable View view) {
    return view == null ? null : input(name, view);
  }

  /// Checks that these are all f32 or all f64.
  void requireReal(@Nullable Operand... operands) {
    Operand first = null;
    for (Operand operand : operands) {
      if (operand == null) {
        continue;
      }
      if (!operand.dtype().isReal()) {
        throw refusal("%s must be f32 or f64, but is %s".formatted(operand.name(), operand.view()));
      }
      if (first == null) {
        first = operand;
      } else if (operand.dtype() != first.dtype()) {
        throw refusal(
            "dtypes differ: %s is %s, %s is %s"
                .formatted(first.name(), first.view(), operand.name(), operand.view()));
      }
    }
  }

  /// Checks that these are all f32, all f64 or all bf16.
  void requireFloating(@Nullable Operand... stored) {
    Operand first = Objects.requireNonNull(stored[0]);
    for (Operand operand : stored) {
      requireFloating(first, operand, first.dtype());
    }
  }

  /// Checks that these have the dtype of `like`, or f32 if that is bf16.
  void requireWide(Operand like, @Nullable Operand... sums) {
    for (Operand operand : sums) {
      requireFloating(like, operand, like.dtype() == DType.BF16 ? DType.F32 : like.dtype());
    }
  }

  private void requireFloating(Operand first, @Nullable Operand operand, DType expected) {
    if (operand == null) {
      return;
    }
    if (!operand.dtype().isFloating()) {
      throw refusal(
          "%s must be f32, f64 or bf16, but is %s".formatted(operand.name(), operand.view()));
    }
    if (operand.dtype() != expected) {
      throw refusal(
          "dtypes differ: %s is %s, %s is %s"
              .formatted(first.name(), first.view(), operand.name(), operand.view()));
    }
  }

  /// Checks that these have the shape of `like`.
  void requireShapeOf(Operand like, @Nullable Operand... operands) {
    for (Operand operand : operands) {
      if (operand != null && !operand.shape().equals(like.shape())) {
        throw refusal(
            "shapes differ: %s is %s, %s is %s"
                .formatted(operand.name(), operand.view(), like.name(), like.view()));
      }
    }
  }

  /// Checks an attribute.
  void require(boolean condition, Supplier<String> message) {
    if (!condition) {
      throw new IllegalArgumentException("[%s] %s".formatted(op, message.get()));
    }
  }

  /// A failed check of a shape or dtype.
  ShapeException refusal(String message) {
    return new ShapeException("[%s] %s".formatted(op, message));
  }

  /// Allows `output` to be the very memory of `input`.
  void allowInPlace(@Nullable Operand output, @Nullable Operand input) {
    if (output != null && input != null) {
      inPlace.add(new InPlace(output, input));
    }
  }

  /// Accumulators that live as long as the instruction.
  double[] scratch(int count) {
    try {
      return new double[count];
    } catch (OutOfMemoryError e) {
      throw new OutOfDeviceMemoryException(
          "[%s] the Java heap has no room for %d bytes of scratch memory; -Xmx raises its limit"
              .formatted(op, 8L * count));
    }
  }

  /// The instruction, if outputs and other operands share no memory that they must not share.
  Instruction instruction(Runnable loops) {
    List<Operand> all = new ArrayList<>(outputs);
    all.addAll(inputs);
    for (int i = 0; i < outputs.size(); i++) {
      for (int j = i + 1; j < all.size(); j++) {
        checkOverlap(outputs.get(i), all.get(j));
      }
    }
    return new Instruction(op, List.copyOf(all), loops);
  }

  private void checkOverlap(Operand output, Operand other) {
    if (!output.view().overlaps(other.view())) {
      return;
    }
    if (!inPlace.contains(new InPlace(output, other))) {
      throw new IllegalArgumentException(
          "[%s] %s and %s share memory, which this instruction does not allow"
              .formatted(op, output.name(), other.name()));
    }
    if (!output.view().isSameMemory(other.view())) {
      throw new IllegalArgumentException(
          "[%s] %s and %s share part of their memory; they may only be the same memory or disjoint"
              .formatted(op, output.name(), other.name()));
    }
  }

  private Operand open(String name, View view) {
    Objects.requireNonNull(view, () -> "[%s] %s is null".formatted(op, name));
    if (!(view instanceof ReferenceView own)) {
      throw new IllegalArgumentException(
          "[%s] %s is a view of another backend, not of the reference backend".formatted(op, name));
    }
    Elements elements = own.elements();
    if (elements == null) {
      throw new IllegalStateException("[%s] %s is closed: %s".formatted(op, name, own));
    }
    return new Operand(op, name, own, elements);
  }
}
