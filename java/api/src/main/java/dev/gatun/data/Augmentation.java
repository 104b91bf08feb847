package dev.gatun.data;

import dev.gatun.random.Philox;
import dev.gatun.random.RandomStream;
import java.util.Arrays;
import java.util.List;

/// A random change of a training image that keeps its class.
///
/// Descriptions only; [Pipeline#bind] checks them against a shape and makes them runnable.
public sealed interface Augmentation {
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
      random = new RandomStream(Philox.derive(seed, PURPOSE), 0);
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
