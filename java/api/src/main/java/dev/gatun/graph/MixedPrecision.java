package dev.gatun.graph;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.graph.op.Activate;
import dev.gatun.graph.op.Affine;
import dev.gatun.graph.op.AveragePool;
import dev.gatun.graph.op.BatchNormInference;
import dev.gatun.graph.op.BatchNormTraining;
import dev.gatun.graph.op.BinaryOp;
import dev.gatun.graph.op.Concat;
import dev.gatun.graph.op.Conv2d;
import dev.gatun.graph.op.Convert;
import dev.gatun.graph.op.Copy;
import dev.gatun.graph.op.Dropout;
import dev.gatun.graph.op.Expand;
import dev.gatun.graph.op.GroupNorm;
import dev.gatun.graph.op.LayerNorm;
import dev.gatun.graph.op.MatMul;
import dev.gatun.graph.op.MaxPool;
import dev.gatun.graph.op.Permute;
import dev.gatun.graph.op.Reshape;
import dev.gatun.graph.op.Slice;
import dev.gatun.graph.op.SubsamplePad;
import dev.gatun.graph.op.UnaryOp;
import java.util.List;
import java.util.stream.IntStream;

/// Which inputs an op reads in BF16 in a graph of [dev.gatun.Precision#BF16]. Ops that are not
/// named here read F32.
final class MixedPrecision {
  private MixedPrecision() {}

  private enum Use {
    /// In BF16, for the speed of the product.
    PRODUCT,
    /// As it is stored: in BF16 if any other such input of the op is.
    STORED,
    /// In F32.
    WIDE
  }

  /// The dtype to which input `index` is converted.
  static DType wanted(Op op, List<Value> inputs, int index) {
    DType own = inputs.get(index).dtype();
    if (op instanceof Convert || (own != DType.F32 && own != DType.BF16)) {
      return own;
    }
    return switch (use(op, index)) {
      case PRODUCT -> DType.BF16;
      case STORED -> storesBf16(op, inputs) ? DType.BF16 : DType.F32;
      case WIDE -> DType.F32;
    };
  }

  private static boolean storesBf16(Op op, List<Value> inputs) {
    return IntStream.range(0, inputs.size())
        .anyMatch(i -> use(op, i) == Use.STORED && inputs.get(i).dtype() == DType.BF16);
  }

  private static Use use(Op op, int index) {
    return switch (op) {
      case Conv2d _, Conv2d.BackwardData _, Conv2d.BackwardWeights _, MatMul _ -> Use.PRODUCT;
      case BatchNormTraining _, BatchNormInference _ ->
          index == 0 || index == 5 ? Use.STORED : Use.WIDE;
      case BatchNormTraining.Backward _ -> index < 2 || index == 5 ? Use.STORED : Use.WIDE;
      case GroupNorm _ -> index == 0 ? Use.STORED : Use.WIDE;
      case GroupNorm.Backward _ -> index < 2 ? Use.STORED : Use.WIDE;
      case LayerNorm _ -> index == 0 ? Use.STORED : Use.WIDE;
      case LayerNorm.Backward _ -> index < 2 ? Use.STORED : Use.WIDE;
      case UnaryOp unary -> isSteep(unary.op()) ? Use.WIDE : Use.STORED;
      case Activate _, Activate.Backward _, BinaryOp _, Affine _, Expand _, Dropout _ -> Use.STORED;
      case AveragePool _, AveragePool.Backward _, MaxPool _, MaxPool.Backward _ -> Use.STORED;
      case SubsamplePad _, SubsamplePad.Backward _ -> Use.STORED;
      case Copy _, Permute _, Reshape _, Slice _, Concat _ -> Use.STORED;
      default -> Use.WIDE;
    };
  }

  /// Functions that blow up the error of what they read, or leave the range of what is read next.
  private static boolean isSteep(Unary op) {
    return switch (op) {
      case SQUARE, SQRT, EXP, LOG -> true;
      case NEGATE, ABS, RELU, SIGMOID, TANH, SIGN -> false;
    };
  }
}
