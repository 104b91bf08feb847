package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.spec.Case;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Gradient rules against central finite differences in F64, for a weighted sum of the first
/// output: at some elements of each input, and along one random direction through all of them.
class GradientTest {
  // The error of the difference is about H² from the curve and 1e-16 / H from rounding, both near
  // 1e-10.
  private static final double H = 1e-5;
  private static final double TOLERANCE = 1e-6;
  private static final int ELEMENTS = 20;
  // Larger samples are there for kernels that split work; their gradients are made of the same
  // rule.
  private static final long LARGEST = 8_000;

  @TestFactory
  Stream<DynamicTest> gradientsMatchFiniteDifferences() {
    Stream<Case> cases =
        Cases.selected()
            .filter(it -> it.dtype() == DType.F64 && it.sample().smooth() && it.row().hasGradient())
            .filter(
                it ->
                    it.inputs().stream().mapToLong(type -> type.shape().count()).sum() <= LARGEST);
    return Cases.onEachBackend(
        cases, (backend, example) -> new Check(backend.device(), example).run());
  }

  /// What a row does not promise, the op does not give: it throws, or says null for the input.
  @TestFactory
  Stream<DynamicTest> rowsTellEveryGradient() {
    return Cases.each(
        example -> {
          Graph graph = new Graph();
          List<Value> inputs =
              example.inputs().stream().map(type -> graph.leaf("x", type)).toList();
          List<Value> outputs = graph.apply(example.op(), inputs);
          List<@Nullable Tensor> flowing = new ArrayList<>();
          outputs.forEach(output -> flowing.add(null));
          flowing.set(0, graph.leaf("dy", outputs.getFirst().type()));
          Op.Local at = new Op.Local(List.copyOf(inputs), List.copyOf(outputs), flowing);
          Set<Integer> promised = example.row().differentiable(example.sample());
          if (!example.row().hasGradient() && !allNull(example.op(), at)) {
            assertThrows(UnsupportedOperationException.class, () -> example.op().gradient(at));
            return;
          }
          if (!outputs.getFirst().dtype().isReal()) {
            return;
          }
          List<@Nullable Tensor> gradients = example.op().gradient(at);
          assertEquals(inputs.size(), gradients.size(), "one entry per input");
          for (int i = 0; i < gradients.size(); i++) {
            Tensor gradient = gradients.get(i);
            if (!promised.contains(i)) {
              assertNull(gradient, "input " + i + " has a gradient that its row does not promise");
            } else if (gradient != null) {
              assertEquals(
                  TensorType.of(inputs.get(i)),
                  TensorType.of(gradient),
                  "the gradient of input " + i);
            }
          }
        });
  }

  private static boolean allNull(Op op, Op.Local at) {
    try {
      return op.gradient(at).stream().allMatch(gradient -> gradient == null);
    } catch (UnsupportedOperationException e) {
      return false;
    }
  }

  /// One case on one device.
  private static final class Check {
    private final Device device;
    private final Case example;
    private final List<double[]> inputs;
    private final List<Integer> real;
    private final double[] weights;

    Check(Device device, Case example) {
      this.device = device;
      this.example = example;
      this.inputs =
          IntStream.range(0, example.inputs().size()).mapToObj(example::elements).toList();
      this.real =
          IntStream.range(0, inputs.size())
              .filter(i -> example.inputs().get(i).dtype().isReal())
              .boxed()
              .toList();
      this.weights =
          normal((int) example.outputs().getFirst().shape().count(), new SplittableRandom(7));
    }

    void run() {
      List<double[]> gradients = gradients();
      RandomGenerator random = new SplittableRandom(1);
      List<double[]> direction = new ArrayList<>();
      double along = 0;
      double size = 1;
      for (int j = 0; j < real.size(); j++) {
        double[] gradient = gradients.get(j);
        double[] steps = new double[gradient.length];
        if (promised(real.get(j))) {
          elements(real.get(j), gradient, random);
          steps = normal(gradient.length, random);
        }
        direction.add(steps);
        for (int i = 0; i < steps.length; i++) {
          along += gradient[i] * steps[i];
          size += Math.abs(gradient[i] * steps[i]);
        }
      }
      // Shorter, since many elements move at once.
      double h = H / 10;
      double numeric = (loss(moved(direction, h)) - loss(moved(direction, -h))) / (2 * h);
      assertEquals(numeric, along, 10 * TOLERANCE * size, "along a random direction");
    }

    private boolean promised(int input) {
      return example.row().differentiable(example.sample()).contains(input);
    }

    private void elements(int input, double[] gradient, RandomGenerator random) {
      for (int k = 0; k < Math.min(ELEMENTS, gradient.length); k++) {
        int i = gradient.length <= ELEMENTS ? k : random.nextInt(gradient.length);
        double numeric = (loss(moved(input, i, H)) - loss(moved(input, i, -H))) / (2 * H);
        assertEquals(
            numeric,
            gradient[i],
            TOLERANCE * Math.max(1, Math.abs(numeric)),
            "input %d, element %d".formatted(input, i));
      }
    }

    /// Those of the real inputs.
    private List<double[]> gradients() {
      try (Scope _ = Scope.open()) {
        Tensor weight = Tensor.of(device, weights, example.outputs().getFirst().shape().toArray());
        return Functions.grad(
                in -> Tensor.applyAll(example.op(), List.of(in)).getFirst().times(weight).sum())
            .apply(tensors(inputs))
            .stream()
            .map(Tensor::toDoubleArray)
            .toList();
      }
    }

    private double loss(List<double[]> elements) {
      try (Scope _ = Scope.open()) {
        double[] output =
            Tensor.applyAll(example.op(), List.of(tensors(elements))).getFirst().toDoubleArray();
        double sum = 0;
        for (int i = 0; i < output.length; i++) {
          sum += weights[i] * output[i];
        }
        return sum;
      }
    }

    private Tensor[] tensors(List<double[]> elements) {
      Tensor[] tensors = new Tensor[elements.size()];
      for (int i = 0; i < tensors.length; i++) {
        TensorType type = example.inputs().get(i);
        tensors[i] = Tensor.of(device, elements.get(i), type.shape().toArray()).as(type.dtype());
      }
      return tensors;
    }

    private List<double[]> moved(int input, int element, double by) {
      List<double[]> moved = new ArrayList<>(inputs);
      moved.set(input, inputs.get(input).clone());
      moved.get(input)[element] += by;
      return moved;
    }

    private List<double[]> moved(List<double[]> direction, double by) {
      List<double[]> moved = new ArrayList<>(inputs);
      for (int j = 0; j < real.size(); j++) {
        double[] elements = inputs.get(real.get(j)).clone();
        for (int i = 0; i < elements.length; i++) {
          elements[i] += by * direction.get(j)[i];
        }
        moved.set(real.get(j), elements);
      }
      return moved;
    }

    private static double[] normal(int count, RandomGenerator random) {
      double[] elements = new double[count];
      for (int i = 0; i < count; i++) {
        elements[i] = random.nextGaussian();
      }
      return elements;
    }
  }
}
