package dev.gatun.graph.op;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A batch of pictures from a data set in the device's memory, changed at random. Inputs: pictures
/// [V,P,Q,C], u8; indices [N], i32, zeros being made of those outside; values [C,256], f32, what
/// each byte of a channel becomes; epoch, an i64 scalar. Output [N,height,width,C].
///
/// Each picture's change is a function of seed, epoch and index: that of
/// [dev.gatun.data.Augmentation].
///
/// @param height of the result
/// @param width of the result
/// @param change what happens to pictures
/// @param seed of the changes
/// @param dtype of the result, floating
public record GatherPictures(int height, int width, PictureChange change, long seed, DType dtype)
    implements Op {
  private static final int LEVELS = 256;

  /// Checks the type.
  public GatherPictures {
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException(
          "[gather_pictures] expected a dtype of f32, f64 or bf16, found "
              + dtype.name().toLowerCase(Locale.ROOT));
    }
  }

  @Override
  public String name() {
    return "gather_pictures";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 4);
    TensorType pictures = inputs.getFirst();
    TensorType indices = inputs.get(1);
    Checks.dtype(name(), "pictures", pictures, DType.U8);
    Checks.rank(name(), "pictures", pictures, 4, "[V,P,Q,C]");
    Checks.dtype(name(), "indices", indices, DType.I32);
    Checks.rank(name(), "indices", indices, 1, "[N]");
    long channels = pictures.shape().dim(3);
    Checks.dtype(name(), "values", inputs.get(2), DType.F32);
    Checks.shape(name(), "values", inputs.get(2), Shape.of(channels, LEVELS));
    Checks.dtype(name(), "epoch", inputs.get(3), DType.I64);
    Checks.shape(name(), "epoch", inputs.get(3), Shape.scalar());
    if (!change.fits(pictures.shape().dim(1), height)
        || !change.fits(pictures.shape().dim(2), width)) {
      throw new ShapeException(
          "[%s] expected pictures that become %d x %d by %s, found %s"
              .formatted(name(), height, width, change, pictures));
    }
    Shape shape = Shape.of(indices.shape().dim(0), height, width, channels);
    return List.of(new TensorType(dtype, shape));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.gatherPictures(
        outputs.getFirst(),
        inputs.get(0),
        inputs.get(1),
        inputs.get(2),
        inputs.get(3),
        change,
        seed);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    return Arrays.asList(null, null, null, null);
  }
}
