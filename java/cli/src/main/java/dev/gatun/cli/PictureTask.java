package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.Datasets;
import dev.gatun.data.DrawnCharacters;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Split;
import dev.gatun.random.RandomStream;
import dev.gatun.search.Goal;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Classes of pictures.
///
/// @param split the pictures
/// @param net the network
/// @param batch pictures in a step
/// @param learningRate that usually works for it with batches of 128
/// @param augmentation that suits the pictures
/// @param seed of what is held out
record PictureTask(
    Split split,
    Net net,
    int batch,
    double learningRate,
    List<Augmentation> augmentation,
    long seed)
    implements Task {
  static final String MODELS =
      "mlp, cnn, resnet8, resnet14, resnet20, resnet32, ... (6n+2), resnet18, 34, 50, 101, 152";

  private static final Pattern RESNET = Pattern.compile("resnet(\\d{1,4})");
  private static final int IMAGENET_SIDE = 224;
  private static final Set<Integer> IMAGENET_DEPTHS = Set.of(18, 34, 50, 101, 152);

  private static final int BATCH = 128;
  private static final int TEST_BATCH = 250;
  private static final long MOST_RESIDENT_BYTES = 1L << 30;

  static Task of(String model, @Nullable Path data, long seed, @Nullable Integer wanted) {
    requireModel(model);
    int batch = wanted == null ? BATCH : wanted;
    if (batch == 1 && !model.startsWith("resnet")) {
      throw new UsageException(
          "--batch expects at least 2 for %s, whose dense norms compare pictures, found 1"
              .formatted(model));
    }
    Split split = data == null ? DrawnCharacters.make(seed) : open(data, model);
    Dataset train = split.train();
    if (batch > train.size()) {
      throw new UsageException(
          "--batch %d is more than the %d training pictures".formatted(batch, train.size()));
    }
    ImageShape image = train.image();
    int classes = train.classes();
    if (classes < 2) {
      throw new UsageException(
          "--data expects pictures of two classes at least, found only " + train.classNames());
    }
    return switch (model) {
      case "mlp" -> new PictureTask(split, mlp(image, classes), batch, 0.05, List.of(), seed);
      case "cnn" -> new PictureTask(split, cnn(image, classes), batch, 0.05, List.of(), seed);
      default ->
          new PictureTask(
              split, resnet(model, image, classes), batch, 0.1, augmentation(data, image), seed);
    };
  }

  @Override
  public String data() {
    return split.train().name();
  }

  @Override
  public String sizes() {
    return String.format(
        Locale.ROOT,
        "%,d training and %,d test pictures",
        split.train().size(),
        split.test().size());
  }

  @Override
  public String unit() {
    return "images";
  }

  @Override
  public int unitsEach() {
    return 1;
  }

  @Override
  public double weightDecay() {
    return 1e-4;
  }

  /// SGD with momentum 0.9. A GPU keeps sets that are not too large in its memory.
  @Override
  public void configure(Trainer trainer, Device device, double rate, double weightDecay) {
    trainer
        .optimizer(Optimizer.sgd(rate).momentum(0.9).weightDecay(weightDecay))
        .augment(augmentation.toArray(Augmentation[]::new));
    Dataset train = split.train();
    long bytes = (long) train.size() * train.image().elements();
    if (device.name().equals("cuda") && bytes <= MOST_RESIDENT_BYTES) {
      keepResident(trainer);
    }
  }

  @Override
  public void keepResident(Trainer trainer) {
    trainer.resident();
  }

  @Override
  public Goal goal() {
    return Goal.ACCURACY;
  }

  @Override
  public Task validating() {
    Dataset all = split.train();
    int heldOut = Math.ceilDiv(all.size(), 10);
    if (all.size() - heldOut < batch) {
      throw new UsageException(
          "--batch %d is more than the %d training pictures that are not held out"
              .formatted(batch, all.size() - heldOut));
    }
    int[] order = new int[all.size()];
    Arrays.setAll(order, i -> i);
    new RandomStream(seed, 0).shuffle(order);
    Split parts =
        new Split(
            all.subset(Arrays.copyOfRange(order, heldOut, order.length)),
            all.subset(Arrays.copyOf(order, heldOut)));
    return new PictureTask(parts, net, batch, learningRate, augmentation, seed);
  }

  @Override
  public Doctor doctor(Trainer trainer) {
    return Doctor.of(trainer, split.train().batch(batch));
  }

  @Override
  public History fit(Trainer trainer, Span length) {
    return trainer.fit(
        split.train().batch(batch),
        split.test().batch(Math.min(TEST_BATCH, split.test().size())),
        length);
  }

  @Override
  public void conclude(
      PrintWriter out, Trainer trainer, History history, @Nullable Evaluation test) {
    if (test != null) {
      out.printf(
          Locale.ROOT,
          "test accuracy %.4f, loss %.4f; %.0f images/s in training, step %.1f ms (median)%n",
          test.accuracy(),
          test.loss(),
          history.imagesPerSecond(),
          history.stepMillis(0.5));
    }
  }

  /// Before the pictures are read or drawn, which takes a while.
  private static void requireModel(String model) {
    Matcher name = RESNET.matcher(model);
    int depth = name.matches() ? Integer.parseInt(name.group(1)) : 0;
    boolean resnet = IMAGENET_DEPTHS.contains(depth) || (depth >= 8 && depth % 6 == 2);
    if (!resnet && !model.equals("mlp") && !model.equals("cnn")) {
      throw new UsageException("there is no model " + model + "; there are " + Task.MODELS);
    }
  }

  private static Split open(Path data, String model) {
    if (!Files.isDirectory(data)) {
      throw new UsageException("--data expects a folder, and " + data + " is none");
    }
    return isImagenet(model) ? Datasets.open(data, IMAGENET_SIDE) : Datasets.open(data);
  }

  private static boolean isImagenet(String model) {
    Matcher name = RESNET.matcher(model);
    return name.matches() && IMAGENET_DEPTHS.contains(Integer.parseInt(name.group(1)));
  }

  // Norms in front of every ReLU: without them either net is at a loss before the drawn characters
  // with the rates that these bear.
  private static Net mlp(ImageShape image, int classes) {
    return input(image)
        .flatten()
        .dense(256)
        .batchNorm(new BatchNorm())
        .relu()
        .dense(128)
        .batchNorm(new BatchNorm())
        .relu()
        .dense(classes);
  }

  private static Net cnn(ImageShape image, int classes) {
    return input(image)
        .conv(new Conv(32, 3).withoutBias())
        .batchNorm(new BatchNorm())
        .relu()
        .maxPool(2)
        .conv(new Conv(64, 3).withoutBias())
        .batchNorm(new BatchNorm())
        .relu()
        .maxPool(2)
        .flatten()
        .dense(128)
        .batchNorm(new BatchNorm())
        .relu()
        .dropout(0.25)
        .dense(classes);
  }

  private static Net resnet(String model, ImageShape image, int classes) {
    int depth = Integer.parseInt(model.substring("resnet".length()));
    Net net = isImagenet(model) ? ResNet.imagenet(depth, classes) : ResNet.cifar(depth, classes);
    if (!net.inputShape().equals(input(image).inputShape())) {
      throw new UsageException(
          "%s is for pictures of %s, these are %s; try cnn or mlp"
              .formatted(model, net.inputShape(), input(image).inputShape()));
    }
    return net;
  }

  /// Photographs are shifted and mirrored; characters must not be mirrored, and the drawn ones are
  /// varied already.
  private static List<Augmentation> augmentation(@Nullable Path data, ImageShape image) {
    return data == null || image.channels() != 3
        ? List.of()
        : List.of(
            Augmentation.pad(4),
            Augmentation.randomCrop(image.height(), image.width()),
            Augmentation.flipHorizontal());
  }

  private static Net input(ImageShape image) {
    return Net.input(image.height(), image.width(), image.channels());
  }
}
