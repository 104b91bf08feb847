package dev.gatun;

import dev.gatun.data.Examples;
import dev.gatun.diagnosis.Minibatch;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Node;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.Reshape;
import dev.gatun.graph.op.SoftmaxCrossEntropy;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// The loss of a batch and how many answers are right, as values of a graph. A row of outputs is
/// right where its greatest element stands at the label, or at the greatest target; a logit that is
/// a yes or no of its own where it is on the right side of 0.
///
/// @param loss a real scalar
/// @param correct an I32 scalar
record Score(Value loss, Value correct) {
  /// What outputs are compared with.
  enum Targets {
    /// A class for each row of outputs.
    LABELS,
    /// A share of each class for each row of outputs, as mixed labels have it.
    SHARES,
    /// A number for each output.
    VALUES;

    /// Those of a batch.
    static Targets of(Minibatch batch) {
      return batch.labels() == null ? VALUES : LABELS;
    }

    /// Those of a set.
    static Targets of(Examples examples) {
      return examples.targetsEach() > 0 ? VALUES : LABELS;
    }

    /// The targets' type for outputs `[N, ..., C]`.
    TensorType type(Value outputs) {
      Shape shape = outputs.shape();
      if (shape.rank() < 2) {
        throw new ShapeException(
            "[loss] expected outputs [N, classes], found "
                + outputs.type()
                + "; end the network with dense(classes)");
      }
      return switch (this) {
        case LABELS ->
            new TensorType(DType.I32, Shape.of(Arrays.copyOf(shape.toArray(), shape.rank() - 1)));
        case SHARES, VALUES -> outputs.type();
      };
    }
  }

  /// @param kind what `targets` are
  static Score of(Graph graph, Loss loss, Value outputs, Value targets, Targets kind) {
    if (loss instanceof CrossEntropy && outputs.shape().dim(-1) == 1) {
      throw new ShapeException(
          "[loss] softmax cross-entropy expected an output for each class, found %s; take dense(2), or"
                  .formatted(outputs.type())
              + " Loss.binaryCrossEntropy()");
    }
    Value value = graph.value(compared(loss, outputs, targets));
    if (!value.shape().equals(Shape.scalar())) {
      throw new ShapeException(
          "[loss] expected a scalar, found " + value.type() + "; reduce it by mean()");
    }
    Node producer = value.producer();
    boolean judges =
        producer != null
            && producer.op() instanceof SoftmaxCrossEntropy
            && source(producer.inputs().get(0)) == outputs
            && source(producer.inputs().get(1)) == targets;
    List<Value> judged =
        judges && producer != null
            ? producer.outputs()
            : graph.apply(new SoftmaxCrossEntropy(), judged(loss, outputs, targets, kind));
    return new Score(value, judged.get(1));
  }

  /// The share of right answers; NaN where nothing counts, or outputs are numbers, which are never
  /// right or wrong.
  ///
  /// @param rows of outputs that count
  static double accuracy(Net net, Loss loss, Targets kind, long correct, long rows) {
    Shape outputs = net.outputShape();
    long width = outputs.rank() > 0 ? outputs.dim(-1) : 0;
    boolean numbers = loss instanceof Losses.OfNumbers && kind == Targets.VALUES;
    if (rows == 0 || numbers || (width == 1 && !loss.isBinary())) {
      return Double.NaN;
    }
    return (double) correct / (areAlone(loss, width, kind) ? rows * width : rows);
  }

  /// Whether each output is a yes or no of its own.
  private static boolean areAlone(Loss loss, long width, Targets kind) {
    return loss.isBinary() && (width == 1 || kind == Targets.VALUES);
  }

  /// Logits `[N,C]` and targets for them. A logit x alone becomes (0, x), whose softmax has the
  /// sigmoid of x in its second place, and a number t that it should be (1 - t, t).
  private static List<Tensor> judged(Loss loss, Value outputs, Value targets, Targets kind) {
    Tensor logits = SoftmaxCrossEntropy.rows(outputs);
    Tensor wanted = SoftmaxCrossEntropy.rows(targets);
    long width = outputs.shape().dim(-1);
    if (!areAlone(loss, width, kind)) {
      return List.of(logits, wanted);
    }
    if (width > 1) {
      logits = logits.reshape(outputs.shape().count(), 1);
      wanted = wanted.reshape(outputs.shape().count(), 1);
    }
    Tensor second = Regions.literal(outputs, DType.F32, List.of(0.0, 1.0), 2);
    if (wanted.dtype() == DType.I32) {
      return List.of(logits.times(second), wanted);
    }
    Tensor sign = Regions.literal(outputs, DType.F32, List.of(-1.0, 1.0), 2);
    Tensor first = Regions.literal(outputs, DType.F32, List.of(1.0, 0.0), 2);
    return List.of(logits.times(second), wanted.times(sign).plus(first));
  }

  private static Tensor compared(Loss loss, Value outputs, Value targets) {
    try {
      return Objects.requireNonNull(
          loss.apply(outputs, targets), "[loss] expected a scalar, found null");
    } catch (ShapeException e) {
      String hint =
          targets.dtype().isFloating()
              ? ""
              : "; a loss of numbers takes labels by targets.oneHot(classes), or targets that are"
                  + " numbers from the start";
      throw new ShapeException(
          "[loss] of outputs %s and targets %s: %s%s"
              .formatted(outputs.type(), targets.type(), e.getMessage(), hint));
    }
  }

  /// What a value is a reshaped form of.
  static Value source(Value value) {
    Node producer = value.producer();
    return producer != null && producer.op() instanceof Reshape
        ? source(producer.inputs().getFirst())
        : value;
  }
}
