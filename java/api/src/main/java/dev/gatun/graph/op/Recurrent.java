package dev.gatun.graph.op;

import dev.gatun.Cell;
import dev.gatun.Direction;
import dev.gatun.Shape;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A recurrent layer along whole sequences, real: T steps, B sequences, H units, D directions, G
/// gates, S saved values; the formulas are in `gatun.h`.
///
/// Inputs, those in brackets if they are there: x [T,B,D·G·H], (skip [T,B,H] of a cell that has
/// it), weights [D·G·H,H], (bias [D·H]), (gain [D·G·H]), (first [D,B,H], and firstCell of a cell
/// that has one), (mask [T,B]), (keep [D,B,H]). Outputs: y [T,B,D·H], last [D,B,H], (lastCell),
/// (saved [T,B,D·S·H]).
///
/// @param cell what a step computes
/// @param direction the order of the steps
/// @param biased whether there is an offset inside a GRU's reset gate
/// @param started whether there are first states; else they are zeros
/// @param masked whether there is a mask
/// @param kept whether the state is multiplied where the weights read it
/// @param saving whether what the gradient needs is saved; there is no gradient without it
/// @param epsilon of the layer normalisation of the states' products, which has a gain; 0 for none
public record Recurrent(
    Cell cell,
    Direction direction,
    boolean biased,
    boolean started,
    boolean masked,
    boolean kept,
    boolean saving,
    double epsilon)
    implements Op {
  /// Checks what the cell has.
  public Recurrent {
    if (biased && !cell.hasInnerBias()) {
      throw new IllegalArgumentException(
          "[recurrent] %s has no gate with an offset inside".formatted(cell));
    }
    Checks.attribute(
        epsilon >= 0 && Double.isFinite(epsilon),
        "recurrent",
        "a finite epsilon of at least 0",
        epsilon);
  }

  /// The op that gives what the gradient needs, without options.
  public static Recurrent of(Cell cell, Direction direction) {
    return new Recurrent(cell, direction, false, false, false, false, true, 0);
  }

  @Override
  public String name() {
    return "recurrent";
  }

  private boolean normalised() {
    return epsilon > 0;
  }

  /// How many values of a unit and step the gradient reads.
  public int saved() {
    return cell.saved() + (normalised() ? cell.gates() : 0);
  }

  private boolean saves() {
    return saving && saved() > 0;
  }

  private boolean startsCell() {
    return started && cell.hasCell();
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    int count =
        2 + count(cell.hasSkip(), biased, normalised(), started, startsCell(), masked, kept);
    Checks.arity(name(), inputs, count);
    Checks.real(name(), inputs);
    Reader<TensorType> next = new Reader<>(inputs);
    TensorType x = next.read();
    TensorType skip = next.readIf(cell.hasSkip());
    TensorType weights = next.read();
    Checks.rank(name(), "x", x, 3, "[T,B,D·G·H]");
    Checks.rank(name(), "weights", weights, 2, "[D·G·H,H]");
    Extents e = new Extents(name(), x, x.shape().dim(0), x.shape().dim(1), weights.shape().dim(1));
    e.check("x", x, e.steps(cell.gates()));
    e.check("skip", skip, e.input());
    e.check("weights", weights, e.matrix());
    e.check("bias", next.readIf(biased), Shape.of(direction.count() * e.units));
    e.check("gain", next.readIf(normalised()), e.gain());
    e.check("first", next.readIf(started), e.states());
    e.check("first_cell", next.readIf(startsCell()), e.states());
    e.check("mask", next.readIf(masked), Shape.of(e.steps, e.batch));
    e.check("keep", next.readIf(kept), e.states());
    List<TensorType> outputs = new ArrayList<>(List.of(x.with(e.steps(1)), x.with(e.states())));
    if (cell.hasCell()) {
      outputs.add(x.with(e.states()));
    }
    if (saves()) {
      outputs.add(x.with(e.steps(saved())));
    }
    return List.copyOf(outputs);
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    Reader<View> to = new Reader<>(outputs);
    Reader<View> from = new Reader<>(inputs);
    backend.recurrent(
        to.read(),
        to.read(),
        to.readIf(cell.hasCell()),
        to.readIf(saves()),
        from.read(),
        from.readIf(cell.hasSkip()),
        from.read(),
        from.readIf(biased),
        from.readIf(normalised()),
        from.readIf(started),
        from.readIf(startsCell()),
        from.readIf(masked),
        from.readIf(kept),
        cell,
        direction,
        epsilon);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    if (!saving) {
      throw new UnsupportedOperationException(
          "[recurrent] has no gradient if it does not save what that needs");
    }
    Tensor dy = at.gradients().get(0);
    Tensor dlast = at.gradients().get(1);
    Tensor dlastCell = cell.hasCell() ? at.gradients().get(2) : null;
    List<Tensor> operands = new ArrayList<>();
    for (Tensor slope : Arrays.asList(dy, dlast, dlastCell)) {
      if (slope != null) {
        operands.add(slope);
      }
    }
    operands.add(at.output(0));
    if (saves()) {
      operands.add(at.outputs().getLast());
    }
    List<@Nullable Tensor> gradients = new ArrayList<>();
    for (int i = 1; i < at.inputs().size(); i++) {
      if (i != biasIndex()) {
        operands.add(at.input(i));
      }
    }
    Backward backward = new Backward(this, dy != null, dlast != null, dlastCell != null);
    gradients.addAll(Tensor.applyAll(backward, operands));
    for (int i = 0; i < count(masked, kept); i++) {
      gradients.add(null);
    }
    return gradients;
  }

  private int biasIndex() {
    return biased ? 2 + count(cell.hasSkip()) : -1;
  }

  private static int count(boolean... present) {
    int count = 0;
    for (boolean one : present) {
      count += one ? 1 : 0;
    }
    return count;
  }

  /// The extents that all operands share.
  private final class Extents {
    private final String op;
    private final TensorType like;
    private final long steps;
    private final long batch;
    private final long units;

    Extents(String op, TensorType like, long steps, long batch, long units) {
      this.op = op;
      this.like = like;
      this.steps = steps;
      this.batch = batch;
      this.units = units;
    }

    Shape steps(int values) {
      return Shape.of(steps, batch, units * direction.count() * values);
    }

    Shape states() {
      return Shape.of(direction.count(), batch, units);
    }

    Shape input() {
      return Shape.of(steps, batch, units);
    }

    Shape gain() {
      return Shape.of(units * direction.count() * cell.gates());
    }

    Shape matrix() {
      return Shape.of(units * direction.count() * cell.gates(), units);
    }

    void check(String what, @Nullable TensorType type, Shape expected) {
      if (type != null) {
        Checks.shape(op, what, type, expected);
      }
    }

    TensorType of(Shape shape) {
      return like.with(shape);
    }
  }

  /// A list whose elements are there or not.
  private static final class Reader<T> {
    private final List<T> list;
    private int next;

    Reader(List<T> list) {
      this.list = list;
    }

    T read() {
      return list.get(next++);
    }

    @Nullable T readIf(boolean present) {
      return present ? read() : null;
    }
  }

  /// The gradient. Inputs (dy), (dlast), (dlastCell), y, (saved), (skip), weights, (gain), (first,
  /// firstCell), (mask), (keep); outputs dx, (dskip), dweights, (dbias), (dgain), (dfirst,
  /// dfirstCell).
  ///
  /// @param forward the layer
  /// @param slopes whether y has a gradient
  /// @param lastSlopes whether the last state has one
  /// @param lastCellSlopes whether the last second state has one
  public record Backward(
      Recurrent forward, boolean slopes, boolean lastSlopes, boolean lastCellSlopes) implements Op {
    @Override
    public String name() {
      return "recurrent_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Cell cell = forward.cell;
      boolean saved = forward.saved() > 0;
      int count =
          2
              + count(slopes, lastSlopes, lastCellSlopes, saved, cell.hasSkip())
              + count(forward.normalised())
              + count(forward.started, forward.startsCell(), forward.masked, forward.kept);
      Checks.arity(name(), inputs, count);
      Checks.real(name(), inputs);
      Reader<TensorType> next = new Reader<>(inputs);
      TensorType dy = next.readIf(slopes);
      TensorType dlast = next.readIf(lastSlopes);
      TensorType dlastCell = next.readIf(lastCellSlopes);
      TensorType y = next.read();
      TensorType kept = next.readIf(saved);
      TensorType skip = next.readIf(cell.hasSkip());
      TensorType weights = next.read();
      Checks.rank(name(), "y", y, 3, "[T,B,D·H]");
      Checks.rank(name(), "weights", weights, 2, "[D·G·H,H]");
      Extents e =
          forward
          .new Extents(name(), y, y.shape().dim(0), y.shape().dim(1), weights.shape().dim(1));
      e.check("y", y, e.steps(1));
      e.check("dy", dy, e.steps(1));
      e.check("dlast", dlast, e.states());
      e.check("dlast_cell", dlastCell, e.states());
      e.check("saved", kept, e.steps(forward.saved()));
      e.check("skip", skip, e.input());
      e.check("weights", weights, e.matrix());
      e.check("gain", next.readIf(forward.normalised()), e.gain());
      e.check("first", next.readIf(forward.started), e.states());
      e.check("first_cell", next.readIf(forward.startsCell()), e.states());
      e.check("mask", next.readIf(forward.masked), Shape.of(e.steps, e.batch));
      e.check("keep", next.readIf(forward.kept), e.states());
      List<TensorType> outputs = new ArrayList<>(List.of(e.of(e.steps(cell.gates()))));
      if (cell.hasSkip()) {
        outputs.add(e.of(e.input()));
      }
      outputs.add(weights);
      if (forward.biased) {
        outputs.add(e.of(Shape.of(forward.direction.count() * e.units)));
      }
      if (forward.normalised()) {
        outputs.add(e.of(e.gain()));
      }
      for (int i = 0; i < count(forward.started, forward.startsCell()); i++) {
        outputs.add(e.of(e.states()));
      }
      return List.copyOf(outputs);
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      Cell cell = forward.cell;
      Reader<View> to = new Reader<>(outputs);
      Reader<View> from = new Reader<>(inputs);
      backend.recurrentBackward(
          to.read(),
          to.readIf(cell.hasSkip()),
          to.read(),
          to.readIf(forward.biased),
          to.readIf(forward.normalised()),
          to.readIf(forward.started),
          to.readIf(forward.startsCell()),
          from.readIf(slopes),
          from.readIf(lastSlopes),
          from.readIf(lastCellSlopes),
          from.read(),
          from.readIf(forward.saved() > 0),
          from.readIf(cell.hasSkip()),
          from.read(),
          from.readIf(forward.normalised()),
          from.readIf(forward.started),
          from.readIf(forward.startsCell()),
          from.readIf(forward.masked),
          from.readIf(forward.kept),
          cell,
          forward.direction,
          forward.epsilon);
    }
  }
}
