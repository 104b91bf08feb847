package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.ReferenceBackend;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.spec.Case;
import dev.gatun.spec.OpRow;
import dev.gatun.spec.OpRow.InPlace;
import dev.gatun.spec.OpRow.Refusal;
import dev.gatun.spec.OpTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.AssertionFailedError;

/// Wrong uses are refused with a message that names the instruction, and nothing is written: by the
/// shape rules, and by the instructions themselves, which do not rely on the rules.
class RefusalTest {
  /// What the table lists as refused, by the constructor or the shape rule.
  @TestFactory
  Stream<DynamicTest> shapeRulesRefuse() {
    return refusals((row, refusal) -> refused(refusal));
  }

  private static IllegalArgumentException refused(Refusal refusal) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> refusal.op().get().infer(refusal.types()));
    String message = String.valueOf(e.getMessage());
    assertTrue(
        message.contains(refusal.message()),
        () -> "expected a message with: " + refusal.message() + "\n  found: " + message);
    return e;
  }

  /// The same on the backends, whatever outputs they are given.
  @TestFactory
  Stream<DynamicTest> instructionsRefuseToo() {
    return Arrays.stream(Backends.values())
        .flatMap(
            backends ->
                refusals(
                    (row, refusal) -> {
                      String rule = String.valueOf(refused(refusal).getMessage());
                      // With another number of inputs there is no call to make.
                      if (!rule.contains("inputs, found")) {
                        directly(backends.backend(), row, refusal);
                      }
                    },
                    backends + " "));
  }

  private static void directly(Backend backend, OpRow row, Refusal refusal) {
    Op op;
    try {
      op = refusal.op().get();
    } catch (IllegalArgumentException e) {
      return;
    }
    List<TensorType> outputs = someOutputs(row, op);
    if (row.takes(op, outputs, refusal.types())) {
      return;
    }
    expectRefusal(backend, op, outputs, refusal.types());
  }

  /// Types of outputs, as many as `op` has.
  private static List<TensorType> someOutputs(OpRow row, Op op) {
    for (Case example : row.cases()) {
      try {
        return op.infer(example.inputs());
      } catch (IllegalArgumentException e) {
        // Inputs of a variant with others.
      }
    }
    return row.cases().getFirst().outputs();
  }

  /// Every operand in turn with another dtype, other extents, another rank.
  @TestFactory
  Stream<DynamicTest> instructionsRefuseWrongOperands() {
    return Cases.onEachBackend(
        Cases.selected().filter(RefusalTest::isSmall),
        (backends, example) -> {
          Op op = example.op();
          for (int k = 0; k < example.outputs().size(); k++) {
            for (TensorType wrong : wrongs(example.outputs().get(k))) {
              List<TensorType> outputs = new ArrayList<>(example.outputs());
              outputs.set(k, wrong);
              if (!example.row().takes(op, outputs, example.inputs())) {
                expectRefusal(backends.backend(), op, outputs, example.inputs());
              }
            }
          }
          for (int i = 0; i < example.inputs().size(); i++) {
            for (TensorType wrong : wrongs(example.inputs().get(i))) {
              List<TensorType> inputs = new ArrayList<>(example.inputs());
              inputs.set(i, wrong);
              if (!example.row().takes(op, example.outputs(), inputs)) {
                expectRefusal(backends.backend(), op, example.outputs(), inputs);
              }
            }
          }
        });
  }

  private static List<TensorType> wrongs(TensorType type) {
    List<TensorType> wrongs = new ArrayList<>();
    for (DType dtype : DType.values()) {
      if (dtype != type.dtype()) {
        wrongs.add(new TensorType(dtype, type.shape()));
      }
    }
    Shape shape = type.shape();
    long[] longer = Arrays.copyOf(shape.toArray(), shape.rank() + 1);
    longer[shape.rank()] = 1;
    wrongs.add(type.with(Shape.of(longer)));
    if (shape.rank() > 0) {
      wrongs.add(type.with(Shape.of(Arrays.copyOf(shape.toArray(), shape.rank() - 1))));
    }
    for (int axis = 0; axis < shape.rank(); axis++) {
      wrongs.add(type.with(shape.with(axis, shape.dim(axis) + 1)));
      if (shape.dim(axis) > 0) {
        wrongs.add(type.with(shape.with(axis, shape.dim(axis) - 1)));
      }
    }
    return wrongs;
  }

  private static void expectRefusal(
      Backend backend, Op op, List<TensorType> outputs, List<TensorType> inputs) {
    List<Guarded> all = new ArrayList<>();
    try {
      List<View> outputViews = views(backend, outputs, all);
      List<View> inputViews = views(backend, inputs, all);
      String what = "%s: outputs %s, inputs %s".formatted(op, outputs, inputs);
      expectMessage(what, () -> op.lower(backend, outputViews, inputViews));
      expectMessage(
          what + " while recording",
          () -> backend.record(recorder -> op.lower(recorder, outputViews, inputViews)));
      all.forEach(operand -> operand.checkUnchanged(what));
    } finally {
      all.forEach(Guarded::close);
    }
  }

  private static List<View> views(Backend backend, List<TensorType> types, List<Guarded> all) {
    List<View> views = new ArrayList<>();
    for (TensorType type : types) {
      Guarded operand = new Guarded(backend, type, 0, 0);
      all.add(operand);
      views.add(operand.view());
    }
    return views;
  }

  private static void expectMessage(String what, Runnable call) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, call::run, () -> "not refused: " + what);
    assertTrue(
        String.valueOf(e.getMessage()).matches("(?s)\\[[a-z0-9_]+] .+"),
        () -> "expected a message that starts with the instruction, found: " + e.getMessage());
  }

  /// A closed operand is an [IllegalStateException], one of another backend an
  /// [IllegalArgumentException].
  @TestFactory
  Stream<DynamicTest> instructionsRefuseClosedAndForeignOperands() {
    return Cases.onEachBackend(
        firstOfEachRow(),
        (backends, example) -> {
          Backend backend = backends.backend();
          Backend other = new ReferenceBackend();
          int outputs = example.outputs().size();
          for (int i = 0; i < outputs + example.inputs().size(); i++) {
            try (Trial trial = new Trial(backend, example);
                Trial foreign = new Trial(other, example)) {
              List<View> views = new ArrayList<>(trial.outputs());
              views.addAll(trial.inputs());
              View own = views.get(i);
              views.set(
                  i, i < outputs ? foreign.outputs().get(i) : foreign.inputs().get(i - outputs));
              assertThrows(
                  IllegalArgumentException.class, () -> lower(backend, example, views), "foreign");
              views.set(i, own);
              own.close();
              assertThrows(
                  IllegalStateException.class, () -> lower(backend, example, views), "closed");
              trial.checkNothingWritten();
            }
          }
        });
  }

  private static void lower(Backend backend, Case example, List<View> views) {
    int outputs = example.outputs().size();
    example.op().lower(backend, views.subList(0, outputs), views.subList(outputs, views.size()));
  }

  /// Outputs over other operands, but for what the header allows in place.
  @TestFactory
  Stream<DynamicTest> instructionsRefuseOverlap() {
    return Cases.onEachBackend(
        Cases.selected().filter(RefusalTest::isSmall),
        (backends, example) -> {
          List<TensorType> types = new ArrayList<>(example.outputs());
          types.addAll(example.inputs());
          int outputs = example.outputs().size();
          for (int k = 0; k < outputs; k++) {
            for (int j = k + 1; j < types.size(); j++) {
              long shorter = Math.min(types.get(k).bytes(), types.get(j).bytes());
              if (shorter > Double.BYTES) {
                overlapping(backends.backend(), example, types, k, j, Double.BYTES);
              }
              boolean allowed =
                  j >= outputs
                      && example.row().inPlace(example).contains(new InPlace(k, j - outputs));
              // The same bytes as another shape are neither promised nor refused.
              if (shorter > 0 && !allowed && types.get(k).equals(types.get(j))) {
                overlapping(backends.backend(), example, types, k, j, 0);
              }
            }
          }
        });
  }

  private static void overlapping(
      Backend backend, Case example, List<TensorType> types, int k, int j, long distance) {
    try (Trial trial = new Trial(backend, example);
        Memory shared =
            backend.allocate(
                types.get(k).bytes() + types.get(j).bytes() + distance, Memory.Kind.DEVICE);
        View one = shared.view(0, types.get(k).dtype(), types.get(k).shape());
        View two = shared.view(distance, types.get(j).dtype(), types.get(j).shape())) {
      List<View> views = new ArrayList<>(trial.outputs());
      views.addAll(trial.inputs());
      views.set(k, one);
      views.set(j, two);
      expectMessage(
          "operands %d and %d, %d bytes apart".formatted(k, j, distance),
          () -> lower(backend, example, views));
      trial.checkNothingWritten();
    }
  }

  private static boolean isSmall(Case example) {
    return example.inputs().stream().allMatch(type -> type.shape().count() <= 2_000);
  }

  private static Stream<Case> firstOfEachRow() {
    return OpTable.rows().stream()
        .flatMap(row -> Cases.selected().filter(example -> example.row() == row).limit(1));
  }

  private interface RefusalCheck {
    void on(OpRow row, Refusal refusal);
  }

  private static Stream<DynamicTest> refusals(RefusalCheck check) {
    return refusals(check, "");
  }

  private static Stream<DynamicTest> refusals(RefusalCheck check, String prefix) {
    String wanted = System.getProperty("case", "");
    return OpTable.rows().stream()
        .filter(row -> wanted.isEmpty() || wanted.equals(row.op().name()))
        .flatMap(
            row ->
                row.refusals().stream()
                    .map(
                        refusal ->
                            dynamicTest(
                                prefix
                                    + row.op().name()
                                    + " "
                                    + refusal.inputs()
                                    + ": "
                                    + refusal.message(),
                                () -> named(row, () -> check.on(row, refusal)))));
  }

  private static void named(OpRow row, Runnable check) {
    try {
      check.run();
    } catch (AssertionError e) {
      throw new AssertionFailedError(
          e.getMessage() + "\n  rerun with -Dcase='" + row.op().name() + "'", e);
    }
  }
}
