package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The rows of a table that indices name. Inputs table [V,W], real, and indices [N], i32; output
/// [N,W]. A negative index gives zeros, one of V or more NaN.
public record GatherRows() implements Op {
  @Override
  public String name() {
    return "gather_rows";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2);
    TensorType table = inputs.getFirst();
    Checks.real(name(), List.of(table));
    Checks.rank(name(), "a table", table, 2, "[V,W]");
    Checks.dtype(name(), "indices", inputs.get(1), DType.I32);
    Checks.rank(name(), "indices", inputs.get(1), 1, "[N]");
    return List.of(table.with(Shape.of(inputs.get(1).shape().dim(0), table.shape().dim(1))));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.gatherRows(outputs.getFirst(), inputs.get(0), inputs.get(1));
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Backward backward = new Backward(at.input(0).shape().dim(0));
    return Arrays.asList(
        Tensor.applyAll(backward, List.of(at.gradient(), at.input(1))).getFirst(), null);
  }

  /// The transpose. Inputs dy [N,W] and indices [N]; output [rows,W], the sums of the rows of dy
  /// that name each row.
  ///
  /// @param rows of the table
  public record Backward(long rows) implements Op {
    /// Checks the range.
    public Backward {
      Checks.attribute(
          rows >= 0, "scatter_add_rows", "a number of rows of at least 0", (double) rows);
    }

    @Override
    public String name() {
      return "scatter_add_rows";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 2);
      TensorType dy = inputs.getFirst();
      Checks.real(name(), List.of(dy));
      Checks.rank(name(), "rows", dy, 2, "[N,W]");
      Checks.dtype(name(), "indices", inputs.get(1), DType.I32);
      if (inputs.get(1).shape().rank() != 1 || inputs.get(1).shape().dim(0) != dy.shape().dim(0)) {
        throw new ShapeException(
            "[%s] expected an index for each row of %s, found %s"
                .formatted(name(), dy, inputs.get(1)));
      }
      return List.of(dy.with(Shape.of(rows, dy.shape().dim(1))));
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.scatterAddRows(outputs.getFirst(), inputs.get(0), inputs.get(1));
    }

    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      return Arrays.asList(
          Tensor.applyAll(new GatherRows(), List.of(at.gradient(), at.input(1))).getFirst(), null);
    }
  }
}
