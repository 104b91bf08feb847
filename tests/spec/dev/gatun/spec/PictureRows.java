package dev.gatun.spec;

import static dev.gatun.spec.Input.real;
import static dev.gatun.spec.Input.typed;

import dev.gatun.DType;
import dev.gatun.backend.PictureChange;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.op.GatherPictures;
import java.util.ArrayList;
import java.util.List;

/// Batches of pictures from a data set in memory. Bytes are looked up, so nothing may differ.
final class PictureRows {
  private static final Fill BYTES = Fill.integers(0, 255);
  private static final Fill INDICES = Fill.cycle(4, 0, -1, 4, 2, 5);
  private static final PictureChange CROP = new PictureChange(0, true, false, 0, 0);
  private static final PictureChange FLIP = new PictureChange(0, false, true, 0, 0);
  private static final PictureChange CUTOUT = new PictureChange(1, false, false, 4, 200);
  private static final PictureChange ALL = new PictureChange(4, true, true, 5, 127);

  private PictureRows() {}

  static List<OpRow> rows() {
    return List.of(row(DType.F32), row(DType.F64), row(DType.BF16));
  }

  private static OpRow row(DType dtype) {
    return OpRow.of(new GatherPictures(6, 7, PictureChange.NONE, 1, dtype))
        .on(inputs(5, 6, 7, 3, 6))
        .on(inputs(5, 6, 7, 1, 0))
        .on(new GatherPictures(3, 5, CROP, 2, dtype), inputs(5, 6, 7, 3, 6))
        .on(new GatherPictures(6, 7, CROP, 2, dtype), inputs(5, 6, 7, 2, 6))
        .on(new GatherPictures(6, 7, FLIP, -3, dtype), inputs(5, 6, 7, 3, 40))
        .on(new GatherPictures(8, 9, CUTOUT, 4, dtype), inputs(5, 6, 7, 3, 40))
        .on(new GatherPictures(32, 32, ALL, 1L << 40, dtype), inputs(5, 32, 32, 3, 64))
        .on(new GatherPictures(224, 200, CROP, 6, dtype), inputs(2, 256, 256, 3, 4))
        .accepts(PictureRows::makesBatches)
        .refuses("expected 4 inputs", typed(DType.U8, BYTES, 5, 6, 7, 3))
        .refuses("expected pictures of type U8", changed(0, real(5, 6, 7, 3)))
        .refuses("expected pictures [V,P,Q,C]", changed(0, typed(DType.U8, BYTES, 5, 42, 3)))
        .refuses("expected indices of type I32", changed(1, typed(DType.I64, INDICES, 6)))
        .refuses("expected indices [N]", changed(1, typed(DType.I32, INDICES, 6, 1)))
        .refuses("expected values (3, 256)", changed(2, typed(DType.F32, Fill.NORMAL, 3, 255)))
        .refuses("expected epoch of type I64", changed(3, typed(DType.I32, Fill.constant(1))))
        .refuses(
            "expected pictures that become 6 x 7", changed(0, typed(DType.U8, BYTES, 5, 7, 7, 3)))
        .refuses(
            "expected pictures that become 9 x 7",
            () -> new GatherPictures(9, 7, CROP, 1, dtype),
            inputs(5, 6, 7, 3, 6))
        .refuses(
            "a grey of 0 to 255",
            () -> new GatherPictures(6, 7, new PictureChange(0, false, false, 2, 256), 1, dtype),
            inputs(5, 6, 7, 3, 6))
        .refuses(
            "expected a dtype of f32, f64 or bf16",
            () -> new GatherPictures(6, 7, PictureChange.NONE, 1, DType.U8),
            inputs(5, 6, 7, 3, 6));
  }

  private static Input[] inputs(long pictures, long height, long width, long channels, long batch) {
    return new Input[] {
      typed(DType.U8, BYTES, pictures, height, width, channels),
      typed(DType.I32, INDICES, batch),
      typed(DType.F32, Fill.NORMAL, channels, 256),
      typed(DType.I64, Fill.constant(7))
    };
  }

  /// The plain inputs, with another one at `index`.
  private static Input[] changed(int index, Input input) {
    List<Input> inputs = new ArrayList<>(List.of(inputs(5, 6, 7, 3, 6)));
    inputs.set(index, input);
    return inputs.toArray(Input[]::new);
  }

  /// The contract of the instruction: the result's size and type are those of its output.
  private static boolean makesBatches(Op op, List<TensorType> outputs, List<TensorType> inputs) {
    GatherPictures gather = (GatherPictures) op;
    TensorType y = outputs.getFirst();
    if (!y.dtype().isFloating() || y.shape().rank() != 4) {
      return false;
    }
    int height = (int) y.shape().dim(1);
    int width = (int) y.shape().dim(2);
    try {
      return new GatherPictures(height, width, gather.change(), gather.seed(), y.dtype())
          .infer(inputs)
          .equals(outputs);
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
