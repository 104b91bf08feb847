package dev.gatun.spec;

import java.util.List;
import java.util.stream.Stream;

/// The op table. To add an op, add its row to the file of its family; agreement of the backends,
/// gradients, refused inputs, recording, determinism and coverage follow from the row.
public final class OpTable {
  private static final List<OpRow> ROWS =
      Stream.of(
              MovementRows.rows(),
              ElementwiseRows.rows(),
              ActivationRows.rows(),
              ReductionRows.rows(),
              ProductRows.rows(),
              GroupedConvolutionRows.rows(),
              NormalisationRows.rows(),
              RecurrentRows.rows(),
              PoolingRows.rows(),
              PictureRows.rows(),
              LossRows.rows(),
              OptimizerRows.rows(),
              AdaptiveRows.rows())
          .flatMap(List::stream)
          .toList();

  private OpTable() {}

  /// All rows.
  public static List<OpRow> rows() {
    return ROWS;
  }

  /// All cases of all rows.
  public static Stream<Case> cases() {
    return ROWS.stream().flatMap(row -> row.cases().stream());
  }
}
