package dev.gatun.backend.reference;

import dev.gatun.DType;
import dev.gatun.backend.View;
import dev.gatun.backend.reference.Elements.Reals;
import java.util.Arrays;

/// Rows of a table by their numbers, and the sums of rows that have one number.
final class Gather {
  private Gather() {}

  static Instruction rows(View yView, View tableView, View indicesView) {
    Operands operands = new Operands("gather_rows");
    Operand y = operands.output("y", yView);
    Operand table = operands.input("table", tableView);
    Operand indices = operands.input("indices", indicesView);
    check(operands, y, table, indices);
    int width = y.dim(1);
    int rows = table.dim(0);
    return operands.instruction(
        () -> {
          Reals to = y.reals();
          Reals from = table.reals();
          for (int n = 0; n < y.dim(0); n++) {
            long row = indices.integers().get(n);
            for (int i = 0; i < width; i++) {
              double value = row < 0 ? 0 : Double.NaN;
              if (row >= 0 && row < rows) {
                value = from.get((int) row * width + i);
              }
              to.set(n * width + i, value);
            }
          }
        });
  }

  static Instruction sums(View dtableView, View dyView, View indicesView) {
    Operands operands = new Operands("scatter_add_rows");
    Operand dtable = operands.output("dtable", dtableView);
    Operand dy = operands.input("dy", dyView);
    Operand indices = operands.input("indices", indicesView);
    check(operands, dy, dtable, indices);
    int width = dy.dim(1);
    int rows = dtable.dim(0);
    double[] sums = operands.scratch(dtable.count());
    return operands.instruction(
        () -> {
          Arrays.fill(sums, 0);
          for (int n = 0; n < dy.dim(0); n++) {
            long row = indices.integers().get(n);
            for (int i = 0; row >= 0 && row < rows && i < width; i++) {
              sums[(int) row * width + i] += dy.reals().get(n * width + i);
            }
          }
          for (int i = 0; i < sums.length; i++) {
            dtable.reals().set(i, sums[i]);
          }
        });
  }

  /// rows [N,W] by indices [N] of table [V,W].
  private static void check(Operands operands, Operand rows, Operand table, Operand indices) {
    operands.requireReal(rows, table);
    rows.requireRank(2);
    table.requireRank(2);
    indices.requireDtype(DType.I32);
    indices.requireShape(rows.dim(0));
    if (rows.dim(1) != table.dim(1)) {
      throw operands.refusal(
          "%s and %s must have rows of one length, but are %s and %s"
              .formatted(rows.name(), table.name(), rows.view(), table.view()));
    }
  }
}
