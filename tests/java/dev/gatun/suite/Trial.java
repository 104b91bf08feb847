package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.TensorType;
import dev.gatun.spec.Case;
import java.util.ArrayList;
import java.util.List;

/// A case with its operands in the memory of one backend, each in guarded memory of its own.
final class Trial implements AutoCloseable {
  private final Backend backend;
  private final Case example;
  private final List<Guarded> inputs = new ArrayList<>();
  private final List<Guarded> outputs = new ArrayList<>();

  /// The operands; outputs hold bytes of `poison`, and everything lies `shift` elements behind a
  /// multiple of 64 bytes.
  Trial(Backend backend, Case example, int shift, int poison) {
    this.backend = backend;
    this.example = example;
    List<TensorType> types = example.inputs();
    for (int i = 0; i < types.size(); i++) {
      Guarded input = new Guarded(backend, types.get(i), shift, poison);
      inputs.add(input);
      input.store(example.elements(i));
    }
    for (TensorType type : example.outputs()) {
      outputs.add(new Guarded(backend, type, shift, poison));
    }
  }

  Trial(Backend backend, Case example) {
    this(backend, example, 0, 0x5A);
  }

  List<View> inputs() {
    return inputs.stream().map(Guarded::view).toList();
  }

  List<View> outputs() {
    return outputs.stream().map(Guarded::view).toList();
  }

  Guarded input(int index) {
    return inputs.get(index);
  }

  Guarded output(int index) {
    return outputs.get(index);
  }

  int outputCount() {
    return outputs.size();
  }

  /// Runs the instruction.
  Trial run() {
    return run(backend);
  }

  /// Issues the instruction on `issuer`, such as a recorder.
  Trial run(Backend issuer) {
    example.op().lower(issuer, outputs(), inputs());
    return this;
  }

  /// Fails if an input, or anything around an operand, was written.
  void checkNothingElseWritten() {
    for (int i = 0; i < inputs.size(); i++) {
      inputs.get(i).checkUnchanged("input " + i);
    }
    for (int k = 0; k < outputs.size(); k++) {
      outputs.get(k).checkGuards("output " + k);
    }
  }

  /// Fails if anything was written at all.
  void checkNothingWritten() {
    checkNothingElseWritten();
    for (int k = 0; k < outputs.size(); k++) {
      outputs.get(k).checkUnchanged("output " + k);
    }
  }

  /// Fails unless the outputs have the same bits as those of `other`.
  void checkSameBits(Trial other, String what) {
    for (int k = 0; k < outputs.size(); k++) {
      assertArrayEquals(
          other.outputs.get(k).bytes(), outputs.get(k).bytes(), what + ", output " + k);
    }
  }

  @Override
  public void close() {
    inputs.forEach(Guarded::close);
    outputs.forEach(Guarded::close);
  }
}
