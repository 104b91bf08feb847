package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.PictureChange;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.Standardizer;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.GatherPictures;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/// A training set as bytes in a device's memory, from which a step gathers its batches, changed and
/// standardised: the very numbers that a [dev.gatun.data.Loader] would make of the same seed.
final class ResidentPictures implements AutoCloseable {
  private static final int LEVELS = 256;
  private static final int CHUNK_BYTES = 1 << 24; // of what is copied at once

  private final Holdings holdings = new Holdings("training set on a device");
  private final Dataset dataset;
  private final GatherPictures gather;
  private final TensorType type;
  private final Memory pictures;
  private final Memory values; // [channels, 256]

  /// A batch in the program of a step.
  ///
  /// @param pictures what the net reads
  /// @param indices which pictures of the set these are
  /// @param epoch the pass over the set
  /// @param leaves where the set lies
  record Batch(Value pictures, Value indices, Value epoch, List<Placement> leaves) {}

  /// Copies `dataset` to the device.
  ///
  /// @throws IllegalArgumentException if the device has no instruction for the pipeline, the
  ///   preprocessing is not the same for all pixels of a channel, or a label is outside the classes
  ResidentPictures(
      Backend backend,
      Dataset dataset,
      Augmentation.Pipeline pipeline,
      Preprocessing preprocessing,
      long seed) {
    if (!(preprocessing instanceof Standardizer standardizer)) {
      throw new IllegalArgumentException(
          "[resident] pictures on the device can be standardised per channel, found "
              + preprocessing.kind());
    }
    this.dataset = dataset;
    ImageShape image = pipeline.output(dataset.image());
    standardizer.output(image); // for its messages
    gather =
        new GatherPictures(
            image.height(),
            image.width(),
            change(pipeline),
            Augmentation.Pipeline.numbers(seed),
            DType.F32);
    type = new TensorType(DType.U8, shape(dataset));
    try {
      pictures =
          holdings.add(
              backend.allocate(type.bytes(), Memory.Kind.DEVICE, "pictures of the training set"));
      values =
          holdings.add(
              backend.allocate(
                  (long) image.channels() * LEVELS * Float.BYTES,
                  Memory.Kind.DEVICE,
                  "standardised values of bytes"));
      copyPictures();
      copyValues(standardizer);
    } catch (RuntimeException | Error e) {
      holdings.release();
      throw e;
    }
  }

  Dataset dataset() {
    return dataset;
  }

  /// Batches of `count` pictures in the program of a step.
  Batch trace(Graph graph, int count) {
    Value set = graph.leaf("trainingSet", type);
    Value levels =
        graph.leaf(
            "standardisedBytes", new TensorType(DType.F32, Shape.of(dataset.channels(), LEVELS)));
    Value indices = graph.leaf("indices", new TensorType(DType.I32, Shape.of(count)));
    Value epoch = graph.leaf("epoch", new TensorType(DType.I64, Shape.scalar()));
    Value batch = graph.apply(gather, List.of(set, indices, levels, epoch)).getFirst();
    List<Placement> leaves =
        List.of(
            new Placement(set, new Slot(pictures, 0)), new Placement(levels, new Slot(values, 0)));
    return new Batch(batch, indices, epoch, leaves);
  }

  @Override
  public void close() {
    holdings.release();
  }

  /// What an instruction does that a pipeline asks for: at most a pad, a crop, a flip and a cutout,
  /// in this order.
  private static PictureChange change(Augmentation.Pipeline pipeline) {
    PictureChange change = PictureChange.NONE;
    int done = 0;
    for (Augmentation step : pipeline.steps()) {
      int place =
          switch (step) {
            case Augmentation.Pad _ -> 1;
            case Augmentation.RandomCrop _ -> 2;
            case Augmentation.FlipHorizontal _ -> 3;
            case Augmentation.Cutout _ -> 4;
            default -> 0;
          };
      if (place <= done) {
        throw new IllegalArgumentException(
            "[resident] pictures on the device can be changed by pad, randomCrop, flipHorizontal"
                + " and cutout, each once and in this order, found "
                + pipeline.steps());
      }
      done = place;
      change = with(change, step);
    }
    return change;
  }

  private static PictureChange with(PictureChange change, Augmentation step) {
    int pad = step instanceof Augmentation.Pad border ? border.pixels() : change.pad();
    boolean crop = step instanceof Augmentation.RandomCrop || change.crop();
    boolean flip = step instanceof Augmentation.FlipHorizontal || change.flip();
    return step instanceof Augmentation.Cutout square
        ? new PictureChange(pad, crop, flip, square.size(), square.grey())
        : new PictureChange(pad, crop, flip, change.cutout(), change.grey());
  }

  private static Shape shape(Dataset dataset) {
    return Shape.of(dataset.size(), dataset.height(), dataset.width(), dataset.channels());
  }

  private void copyPictures() {
    int each = dataset.image().elements();
    int atOnce = Math.max(1, CHUNK_BYTES / each);
    byte[] chunk = new byte[Math.min(atOnce, dataset.size()) * each];
    int classes = dataset.classes();
    for (int first = 0; first < dataset.size(); first += atOnce) {
      int count = Math.min(atOnce, dataset.size() - first);
      for (int i = 0; i < count; i++) {
        int label = dataset.label(first + i);
        if (label < 0 || label >= classes) {
          throw new IllegalArgumentException(
              "[resident] label %d of image %d of %s is none of its %d classes"
                  .formatted(label, first + i, dataset.name(), classes));
        }
        dataset.read(first + i, chunk, i * each);
      }
      pictures.write((long) first * each, ByteBuffer.wrap(chunk, 0, count * each));
    }
  }

  private void copyValues(Standardizer standardizer) {
    int channels = dataset.channels();
    byte[] levels = new byte[LEVELS * channels]; // a picture that has each byte in each channel
    for (int i = 0; i < levels.length; i++) {
      levels[i] = (byte) (i / channels);
    }
    float[] standardised = new float[levels.length];
    standardizer.apply(levels, standardised, 0);
    ByteBuffer bytes =
        ByteBuffer.allocate(levels.length * Float.BYTES).order(ByteOrder.nativeOrder());
    for (int c = 0; c < channels; c++) {
      for (int level = 0; level < LEVELS; level++) {
        bytes.putFloat(standardised[level * channels + c]);
      }
    }
    values.write(0, bytes.flip());
  }
}
