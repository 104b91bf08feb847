package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.CompiledFunction;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Program;
import dev.gatun.graph.TensorType;
import dev.gatun.spec.Case;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// A recorded instruction, and a compiled op, give the bits of the eager one.
class RecordingTest {
  @TestFactory
  Stream<DynamicTest> recordedEqualsEager() {
    return Cases.onEachBackend(
        Cases.selected(), (backends, example) -> recorded(backends.backend(), example));
  }

  /// Recording runs nothing; what the operands hold counts when the program runs.
  private static void recorded(Backend backend, Case example) {
    try (Trial eager = new Trial(backend, example);
        Trial kept = new Trial(backend, example)) {
      for (int i = 0; i < example.inputs().size(); i++) {
        kept.input(i).store(new double[(int) example.inputs().get(i).shape().count()]);
      }
      try (Program program = backend.record(kept::run)) {
        assertEquals(1, program.instructions());
        kept.checkNothingWritten();
        for (int i = 0; i < example.inputs().size(); i++) {
          kept.input(i).store(example.elements(i));
        }
        program.run();
        kept.checkNothingElseWritten();
        kept.checkSameBits(eager.run(), "the first run");
        program.run();
        kept.checkSameBits(eager, "the second run");
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> compiledEqualsEager() {
    Stream<Case> cases = Cases.selected().filter(example -> !example.inputs().isEmpty());
    return Cases.onEachBackend(cases, (backends, example) -> compiled(backends.device(), example));
  }

  private static void compiled(Device device, Case example) {
    try (Scope _ = Scope.open();
        CompiledFunction function =
            Functions.compile(in -> new ArrayList<>(Tensor.applyAll(example.op(), List.of(in))))) {
      Tensor[] inputs = new Tensor[example.inputs().size()];
      for (int i = 0; i < inputs.length; i++) {
        TensorType type = example.inputs().get(i);
        inputs[i] = Tensor.of(device, example.elements(i), type.shape().toArray()).as(type.dtype());
      }
      List<? extends Tensor> eager = Tensor.applyAll(example.op(), List.of(inputs));
      List<Tensor> compiled = function.apply(inputs);
      List<Tensor> again = function.apply(inputs);
      assertEquals(eager.size(), compiled.size());
      for (int k = 0; k < eager.size(); k++) {
        assertEquals(TensorType.of(eager.get(k)), TensorType.of(compiled.get(k)));
        // The elements of every type are exact in double, and comparison tells apart the zeros.
        assertArrayEquals(eager.get(k).toDoubleArray(), compiled.get(k).toDoubleArray());
        assertArrayEquals(eager.get(k).toDoubleArray(), again.get(k).toDoubleArray());
      }
    }
  }
}
