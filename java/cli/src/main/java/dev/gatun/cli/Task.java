package dev.gatun.cli;

import dev.gatun.Layers.BatchNorm;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.ResNet;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.Datasets;
import dev.gatun.data.DrawnCharacters;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Split;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a run trains on what: pictures, a network that fits them, and the habits that suit both.
///
/// @param split the pictures
/// @param net the network
/// @param learningRate that usually works for it with batches of 128
/// @param augmentation that suits the pictures
record Task(Split split, Net net, double learningRate, List<Augmentation> augmentation) {
  static final String MODELS =
      "mlp, cnn, resnet8, resnet14, resnet20, resnet32, ... (6n+2), resnet18, 34, 50, 101, 152";

  private static final Pattern RESNET = Pattern.compile("resnet(\\d{1,4})");
  private static final int IMAGENET_SIDE = 224;
  private static final Set<Integer> IMAGENET_DEPTHS = Set.of(18, 34, 50, 101, 152);

  static Task of(String model, @Nullable Path data, long seed) {
    requireModel(model);
    Split split = data == null ? DrawnCharacters.make(seed) : open(data, model);
    Dataset train = split.train();
    ImageShape image = train.image();
    return switch (model) {
      case "mlp" -> new Task(split, mlp(image, train.classes()), 0.05, List.of());
      case "cnn" -> new Task(split, cnn(image, train.classes()), 0.05, List.of());
      default ->
          new Task(split, resnet(model, image, train.classes()), 0.1, augmentation(data, image));
    };
  }

  /// Before the pictures are read or drawn, which takes a while.
  private static void requireModel(String model) {
    Matcher name = RESNET.matcher(model);
    int depth = name.matches() ? Integer.parseInt(name.group(1)) : 0;
    boolean resnet = IMAGENET_DEPTHS.contains(depth) || (depth >= 8 && depth % 6 == 2);
    if (!resnet && !model.equals("mlp") && !model.equals("cnn")) {
      throw new UsageException("there is no model " + model + "; there are " + MODELS);
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

  private static Net mlp(ImageShape image, int classes) {
    return input(image).flatten().dense(256).relu().dense(128).relu().dense(classes);
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
