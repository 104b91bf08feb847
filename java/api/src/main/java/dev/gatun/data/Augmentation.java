package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.List;

/// A random change of a training image that keeps its class; [Mixing] is for those that do not.
///
/// For pictures of any kind: [#flipHorizontal], [#pad] and [#randomCrop] for small ones,
/// [#scaledCrop] or [#randomResizedCrop] for large ones; [#brightness], [#contrast], [#saturation],
/// [ColorOffset], [#rotate], [#shear], [#translate], [#stretch], [#distort], [#cutout]. Everything
/// is drawn from a stream of its own for each seed, epoch and image, so the number of threads does
/// not matter.
///
/// Descriptions only; [Pipeline#bind] checks them against a shape and makes them runnable.
public sealed interface Augmentation
    permits Augmentation.Pad,
        Augmentation.RandomCrop,
        Augmentation.FlipHorizontal,
        Augmentation.FlipVertical,
        Augmentation.Cutout,
        ScaledCrop,
        Warp,
        ColorJitter,
        ColorOffset {
  /// The shape that an image of shape `input` becomes.
  ///
  /// @throws IllegalArgumentException when the augmentation does not fit the shape
  ImageShape output(ImageShape input);

  /// Writes the changed `source`, of shape `input`, to the beginning of `target`. Allocates
  /// nothing.
  void apply(byte[] source, ImageShape input, byte[] target, RandomStream random);

  /// `pixels` black pixels on each of the four sides.
  static Augmentation pad(int pixels) {
    return new Pad(pixels);
  }

  /// A window of `height` x `width` at a random place, each place equally likely.
  static Augmentation randomCrop(int height, int width) {
    return new RandomCrop(height, width);
  }

  /// Left and right exchanged for half of the images.
  static Augmentation flipHorizontal() {
    return new FlipHorizontal();
  }

  /// Top and bottom exchanged for half of the images.
  static Augmentation flipVertical() {
    return new FlipVertical();
  }

  /// The crop that residual networks were trained on: [ScaledCrop.ShortSide] with a short side of
  /// 256 to 480 and a window of 224.
  static Augmentation scaledCrop() {
    return scaledCrop(256, 480, 224);
  }

  /// A window of an image whose short side is made `low` to `high`: [ScaledCrop.ShortSide].
  static Augmentation scaledCrop(int low, int high, int size) {
    return new ScaledCrop.ShortSide(low, high, size);
  }

  /// A window with a random share of the area, 0.08 to 1, and aspect, 3/4 to 4/3:
  /// [ScaledCrop.Area].
  static Augmentation randomResizedCrop(int height, int width) {
    return new ScaledCrop.Area(height, width, 0.08, 4.0 / 3);
  }

  /// Brighter or darker by up to this share: [ColorJitter].
  static Augmentation brightness(double limit) {
    return new ColorJitter(ColorJitter.Kind.BRIGHTNESS, limit);
  }

  /// With more or less contrast by up to this share: [ColorJitter].
  static Augmentation contrast(double limit) {
    return new ColorJitter(ColorJitter.Kind.CONTRAST, limit);
  }

  /// More or less colourful by up to this share: [ColorJitter].
  static Augmentation saturation(double limit) {
    return new ColorJitter(ColorJitter.Kind.SATURATION, limit);
  }

  /// Turned by up to this many degrees, either way: [Warp].
  static Augmentation rotate(double degrees) {
    return new Warp(Warp.Kind.ROTATE, degrees);
  }

  /// Slanted by up to this many degrees, either way: [Warp].
  static Augmentation shear(double degrees) {
    return new Warp(Warp.Kind.SHEAR, degrees);
  }

  /// Moved by up to this share of its sides: [Warp].
  static Augmentation translate(double share) {
    return new Warp(Warp.Kind.TRANSLATE, share);
  }

  /// Wider and higher, or less so, by factors of up to e^`limit`: [Warp].
  static Augmentation stretch(double limit) {
    return new Warp(Warp.Kind.STRETCH, limit);
  }

  /// Seen through a lens that moves the corners by up to this share: [Warp].
  static Augmentation distort(double limit) {
    return new Warp(Warp.Kind.DISTORT, limit);
  }

  /// A black square with its centre anywhere (DeVries and Taylor 2017).
  static Augmentation cutout(int size) {
    return new Cutout(size, 0);
  }

  /// Black pixels on all sides.
  ///
  /// @param pixels width of the border, at least 1
  record Pad(int pixels) implements Augmentation {
    /// @throws IllegalArgumentException when `pixels` is below 1
    public Pad {
      if (pixels < 1) {
        throw new IllegalArgumentException("[pad] pixels must be at least 1, found " + pixels);
      }
    }

    @Override
    public ImageShape output(ImageShape input) {
      return new ImageShape(
          Math.addExact(input.height(), Math.multiplyExact(2, pixels)),
          Math.addExact(input.width(), Math.multiplyExact(2, pixels)),
          input.channels());
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      int row = input.width() * input.channels();
      int side = pixels * input.channels();
      int wide = row + 2 * side;
      Arrays.fill(target, 0, pixels * wide + side, (byte) 0);
      for (int y = 0; y < input.height(); y++) {
        int start = (y + pixels) * wide + side;
        System.arraycopy(source, y * row, target, start, row);
        Arrays.fill(target, start + row, start + row + 2 * side, (byte) 0);
      }
      int end = (input.height() + pixels) * wide;
      Arrays.fill(target, end, end + pixels * wide, (byte) 0);
    }
  }

  /// A window at a random place.
  ///
  /// @param height rows of the window
  /// @param width columns of the window
  record RandomCrop(int height, int width) implements Augmentation {
    /// @throws IllegalArgumentException when a side is below 1
    public RandomCrop {
      if (height < 1 || width < 1) {
        throw new IllegalArgumentException(
            "[randomCrop] sides must be at least 1, found " + height + " x " + width);
      }
    }

    @Override
    public ImageShape output(ImageShape input) {
      if (height > input.height() || width > input.width()) {
        throw new IllegalArgumentException(
            "[randomCrop] window "
                + height
                + " x "
                + width
                + " does not fit an image of "
                + input
                + "; pad the image first or choose a smaller window");
      }
      return new ImageShape(height, width, input.channels());
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      int top = random.nextInt(input.height() - height + 1);
      int left = random.nextInt(input.width() - width + 1);
      int row = width * input.channels();
      for (int y = 0; y < height; y++) {
        int start = ((top + y) * input.width() + left) * input.channels();
        System.arraycopy(source, start, target, y * row, row);
      }
    }
  }

  /// Left and right exchanged with probability 1/2.
  record FlipHorizontal() implements Augmentation {
    @Override
    public ImageShape output(ImageShape input) {
      return input;
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      if (random.nextInt() < 0) {
        System.arraycopy(source, 0, target, 0, input.elements());
      } else {
        mirror(source, input, target);
      }
    }

    static void mirror(byte[] source, ImageShape shape, byte[] target) {
      int channels = shape.channels();
      int row = shape.width() * channels;
      for (int start = 0; start < shape.elements(); start += row) {
        int to = start + row;
        for (int from = start; from < start + row; from += channels) {
          to -= channels;
          for (int c = 0; c < channels; c++) {
            target[to + c] = source[from + c];
          }
        }
      }
    }
  }

  /// Top and bottom exchanged with probability 1/2.
  record FlipVertical() implements Augmentation {
    @Override
    public ImageShape output(ImageShape input) {
      return input;
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      if (random.nextInt() < 0) {
        System.arraycopy(source, 0, target, 0, input.elements());
      } else {
        turn(source, input, target);
      }
    }

    static void turn(byte[] source, ImageShape shape, byte[] target) {
      int row = shape.width() * shape.channels();
      for (int start = 0; start < shape.elements(); start += row) {
        System.arraycopy(source, start, target, shape.elements() - start - row, row);
      }
    }
  }

  /// A square of one grey whose centre is anywhere in the image, each pixel equally likely; what
  /// lies outside is cut off. Helps on small images, less on large ones.
  ///
  /// @param size of the square
  /// @param grey that it is filled with, 0 to 255
  record Cutout(int size, int grey) implements Augmentation {
    /// @throws IllegalArgumentException when the size is below 1 or the grey not a byte
    public Cutout {
      if (size < 1 || grey < 0 || grey > 255) {
        throw new IllegalArgumentException(
            "[cutout] a size of at least 1 and a grey of 0 to 255 expected, found "
                + size
                + " and "
                + grey);
      }
    }

    @Override
    public ImageShape output(ImageShape input) {
      return input;
    }

    @Override
    public void apply(byte[] source, ImageShape input, byte[] target, RandomStream random) {
      System.arraycopy(source, 0, target, 0, input.elements());
      int top = random.nextInt(input.height()) - size / 2;
      int left = random.nextInt(input.width()) - size / 2;
      int from = Math.max(0, left);
      int to = (int) Math.min(input.width(), (long) left + size);
      for (int y = Math.max(0, top); y < Math.min(input.height(), (long) top + size); y++) {
        int row = y * input.width();
        Arrays.fill(
            target, (row + from) * input.channels(), (row + to) * input.channels(), (byte) grey);
      }
    }
  }

  /// Augmentations one after the other, each on what the one before it made.
  ///
  /// @param steps in the order of application
  record Pipeline(List<Augmentation> steps) {
    /// Copies the list.
    public Pipeline {
      steps = List.copyOf(steps);
    }

    /// `steps` in the order given.
    public static Pipeline of(Augmentation... steps) {
      return new Pipeline(List.of(steps));
    }

    /// `steps` in the order given.
    public static Pipeline of(List<Augmentation> steps) {
      return new Pipeline(steps);
    }

    /// The pipeline that changes nothing: for evaluation.
    public static Pipeline none() {
      return new Pipeline(List.of());
    }

    /// The shape that an image of shape `input` becomes.
    ///
    /// @throws IllegalArgumentException when a step does not fit; the message names the step
    public ImageShape output(ImageShape input) {
      ImageShape shape = input;
      for (int i = 0; i < steps.size(); i++) {
        try {
          shape = steps.get(i).output(shape);
        } catch (IllegalArgumentException | ArithmeticException e) {
          throw new IllegalArgumentException(
              "[augment] step " + (i + 1) + " of " + steps.size() + ": " + e.getMessage(), e);
        }
      }
      return shape;
    }

    /// The pipeline ready to run on images of shape `input`, with its random numbers from `seed`.
    ///
    /// @throws IllegalArgumentException when a step does not fit; the message names the step
    public Bound bind(ImageShape input, long seed) {
      return new Bound(this, input, seed);
    }

    /// The seed of the random numbers of a pipeline that is bound to `seed`; their stream for an
    /// image is `(epoch << 32) | item`.
    public static long numbers(long seed) {
      return Philox.derive(seed, Bound.PURPOSE);
    }
  }

  /// A pipeline with its working memory, for one thread at a time.
  final class Bound {
    private static final long PURPOSE = 0x6175676d656e74L; // "augment"

    private final Augmentation[] steps;
    private final ImageShape[] shapes; // of the input of each step, then of the output
    private final byte[][] buffers; // of the same shapes
    private final RandomStream random;

    private Bound(Pipeline pipeline, ImageShape input, long seed) {
      steps = pipeline.steps().toArray(Augmentation[]::new);
      pipeline.output(input); // for its messages
      shapes = new ImageShape[steps.length + 1];
      buffers = new byte[steps.length + 1][];
      shapes[0] = input;
      for (int i = 0; i < steps.length; i++) {
        shapes[i + 1] = steps[i].output(shapes[i]);
      }
      for (int i = 0; i < shapes.length; i++) {
        buffers[i] = new byte[shapes[i].elements()];
      }
      random = new RandomStream(Pipeline.numbers(seed), 0);
    }

    /// Where to put the image before [#apply].
    public byte[] input() {
      return buffers[0];
    }

    /// The shape of what [#apply] returns.
    public ImageShape output() {
      return shapes[steps.length];
    }

    /// The changed image, valid until the next call. Allocates nothing.
    ///
    /// The change depends on the seed, `epoch` and `item` only.
    ///
    /// @param epoch the pass over the set, at least 0
    /// @param item the index of the image in the set
    public byte[] apply(int epoch, int item) {
      random.restart(((long) epoch << 32) | item);
      for (int i = 0; i < steps.length; i++) {
        steps[i].apply(buffers[i], shapes[i], buffers[i + 1], random);
      }
      return buffers[steps.length];
    }
  }
}
