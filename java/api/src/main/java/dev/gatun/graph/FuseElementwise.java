package dev.gatun.graph;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.AffineStep;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.BinaryStep;
import dev.gatun.backend.Backend.Step;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Backend.UnaryStep;
import dev.gatun.graph.op.Affine;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Elementwise;
import dev.gatun.graph.op.Expand;
import dev.gatun.graph.op.UnaryOp;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An elementwise op and one before it whose result nobody else reads become one instruction, which
/// passes over memory once. Repeated, this gathers whole chains and trees. The op before is
/// computed later than it was, so no result may be stored in between: it could lie in the memory of
/// what is read.
final class FuseElementwise implements Rule {
  @Override
  public boolean apply(Rewriter graph, int index) {
    Node last = graph.node(index);
    Steps steps = last.op() instanceof Expand ? null : stepsOf(last);
    if (steps == null) {
      return false;
    }
    for (Value term : new LinkedHashSet<>(last.inputs())) {
      Steps joined = joined(graph, last, steps, term);
      if (joined != null && joined.fits()) {
        graph.replace(
            last,
            new Elementwise(joined.inputs.size(), joined.list),
            joined.inputs,
            List.copyOf(last.outputs()),
            List.of(joined.former));
        return true;
      }
    }
    return false;
  }

  private static @Nullable Steps joined(Rewriter graph, Node last, Steps steps, Value term) {
    Node former = term.producer();
    Steps before = former == null ? null : stepsOf(former);
    long reads = last.inputs().stream().filter(input -> input == term).count();
    if (former == null
        || before == null
        || !term.type().equals(last.outputs().getFirst().type())
        || graph.readers(term) != reads
        || graph.resultBetween(former, last)) {
      return null;
    }
    return steps.after(term, before);
  }

  /// A node as steps: one, several, or none for a tensor that is only repeated.
  private static @Nullable Steps stepsOf(Node node) {
    List<Step> list =
        switch (node.op()) {
          case UnaryOp(Unary op) -> List.of(new UnaryStep(op, 0));
          case BinaryOp(Binary op) -> List.of(new BinaryStep(op, 0, 1));
          case Affine(double scale, double shift) -> List.of(new AffineStep(0, scale, shift));
          case Elementwise chain -> chain.steps();
          case Expand _ -> List.of();
          default -> null;
        };
    return list == null ? null : new Steps(node, node.inputs(), list);
  }

  /// Steps on inputs.
  ///
  /// @param former the first of the nodes that they are made of
  private record Steps(Node former, List<Value> inputs, List<Step> list) {
    boolean fits() {
      return inputs.size() <= Backend.MAX_STEP_INPUTS && list.size() <= Backend.MAX_STEPS;
    }

    /// These steps behind those of `before`, which compute the input `term`.
    Steps after(Value term, Steps before) {
      LinkedHashSet<Value> together = new LinkedHashSet<>(before.inputs);
      inputs.stream().filter(input -> input != term).forEach(together::add);
      List<Value> all = List.copyOf(together);
      int[] numbers = before.numbersAmong(all, term, -1, 0);
      int last = numbers[numbers.length - 1];
      int[] own = numbersAmong(all, term, last, before.list.size());
      List<Step> joined = new ArrayList<>();
      before.list.forEach(step -> joined.add(renumbered(step, numbers)));
      list.forEach(step -> joined.add(renumbered(step, own)));
      return new Steps(before.former, all, joined);
    }

    /// The new numbers of this one's values, if its inputs stand among `all`, save `term`, which is
    /// number `known`, and `steps` steps come before.
    private int[] numbersAmong(List<Value> all, Value term, int known, int steps) {
      int[] numbers = new int[inputs.size() + list.size()];
      for (int i = 0; i < inputs.size(); i++) {
        numbers[i] = inputs.get(i) == term ? known : all.indexOf(inputs.get(i));
      }
      for (int k = 0; k < list.size(); k++) {
        numbers[inputs.size() + k] = all.size() + steps + k;
      }
      return numbers;
    }

    private static Step renumbered(Step step, int[] numbers) {
      return switch (step) {
        case UnaryStep(Unary op, int a) -> new UnaryStep(op, numbers[a]);
        case BinaryStep(Binary op, int a, int b) -> new BinaryStep(op, numbers[a], numbers[b]);
        case AffineStep(int a, double scale, double shift) ->
            new AffineStep(numbers[a], scale, shift);
      };
    }
  }
}
