package dev.gatun;

import dev.gatun.data.Batches;
import dev.gatun.data.ExampleBatches;
import dev.gatun.data.Examples;
import dev.gatun.data.ImageShape;
import dev.gatun.data.TextBatches;
import dev.gatun.diagnosis.Minibatch;
import org.jspecify.annotations.Nullable;

/// What a network asks of data that it is trained or judged on.
final class Requirements {
  /// How far probabilities may be from what they should be.
  private static final double ROUNDING = 1e-3;

  private Requirements() {}

  /// Pictures, one at least, of the network's size, and an output for each of their classes.
  ///
  /// @param caller whom a message is from
  /// @param image as it comes to the network, changed and preprocessed
  static void pictures(String caller, Net net, Loss loss, Batches batches, ImageShape image) {
    if (batches.dataset().size() == 0) {
      throw new IllegalArgumentException(
          "[%s] %s has no images".formatted(caller, batches.dataset().name()));
    }
    Shape shape = Shape.of(image.height(), image.width(), image.channels());
    if (!shape.equals(net.inputShape())) {
      throw new ShapeException(
          "[%s] the network expects inputs %s, the pictures of %s are %s"
              .formatted(caller, net.inputShape(), batches.dataset().name(), shape));
    }
    Shape outputs = net.outputShape();
    if (rows(outputs) != 1) {
      throw new ShapeException(
          "[%s] the network has outputs %s, the pictures of %s one label each; put flatten() or"
                  .formatted(caller, outputs, batches.dataset().name())
              + " globalAveragePool() before its last layer");
    }
    long classes = classes(outputs, loss);
    if (classes > 1 && classes < batches.dataset().classes()) {
      throw new ShapeException(
          "[%s] the network tells %d classes apart, %s has %d"
              .formatted(caller, classes, batches.dataset().name(), batches.dataset().classes()));
    }
  }

  /// An output for each class and no others, for pictures that are mixed.
  static void mixed(Net net, Batches batches) {
    if (!net.outputShape().equals(Shape.of(batches.dataset().classes()))) {
      throw new ShapeException(
          "[fit] mixed pictures need a network with as many outputs as there are classes, found %s"
                  .formatted(net.outputShape())
              + " and "
              + batches.dataset().classes());
    }
  }

  /// Inputs of the network's size, preprocessed, and an output for each class or for each number to
  /// be predicted.
  ///
  /// @param caller whom a message is from
  static void examples(String caller, Net net, Loss loss, Examples examples) {
    net.requireInputs(caller, DType.F32);
    Shape outputs = net.outputShape();
    if (examples.features() != net.inputShape().count()) {
      throw new ShapeException(
          "[%s] the network expects inputs %s (%d numbers), the examples have %d"
              .formatted(caller, net.inputShape(), net.inputShape().count(), examples.features()));
    }
    int each = examples.targetsEach();
    if (each > 0 ? outputs.count() != each : rows(outputs) != 1) {
      throw new ShapeException(
          "[%s] the network has outputs %s, the examples %s"
              .formatted(caller, outputs, each > 0 ? each + " targets each" : "one label each"));
    }
    distributions(caller, net, loss, examples.targets());
    long classes = classes(outputs, loss);
    if (each == 0 && classes > 1 && classes < examples.classes()) {
      throw new ShapeException(
          "[%s] the network tells %d classes apart, the examples have a label %d"
              .formatted(caller, classes, examples.classes() - 1));
    }
  }

  /// As many examples as are in a batch.
  ///
  /// @param caller whom a message is from
  static void wholeBatch(String caller, ExampleBatches batches) {
    if (batches.size() > batches.examples().size()) {
      throw new IllegalArgumentException(
          "[%s] there are %d examples, fewer than one batch of %d, and incomplete batches are dropped"
              .formatted(caller, batches.examples().size(), batches.size()));
    }
  }

  /// Sequences of the network's length, and outputs for each character at each step.
  ///
  /// @param caller whom a message is from
  static void text(String caller, Net net, TextBatches text) {
    net.requireInputs(caller, DType.I32);
    Shape shape = Shape.of(text.steps());
    Shape outputs = net.outputShape();
    if (!shape.equals(net.inputShape()) || outputs.rank() != 2 || outputs.dim(0) != text.steps()) {
      throw new ShapeException(
          "[%s] the text has sequences %s with a target for each step, the network makes %s of %s"
              .formatted(caller, shape, outputs, net.inputShape()));
    }
    if (net.vocabulary() < text.classes()) {
      throw new ShapeException(
          "[%s] the network's embedding has a vocabulary of %d, the text %d characters"
              .formatted(caller, net.vocabulary(), text.classes()));
    }
    if (outputs.dim(1) < text.classes()) {
      throw new ShapeException(
          "[%s] the network tells %d characters apart, the text has %d"
              .formatted(caller, outputs.dim(1), text.classes()));
    }
  }

  /// Inputs and targets of at least one example, and labels below the number of classes. Returns
  /// the number of examples.
  static int step(Net net, Loss loss, Minibatch batch) {
    float[] inputs = batch.inputs();
    int[] tokens = batch.tokens();
    net.requireInputs("step", inputs == null ? DType.I32 : DType.F32);
    int found = inputs != null ? inputs.length : tokens == null ? 0 : tokens.length;
    if (tokens != null) {
      net.requireTokens("step", tokens);
    }
    int examples = targets("step", net, found, batch);
    int[] labels = batch.labels();
    if (labels == null) {
      distributions("step", net, loss, batch.values());
    } else {
      labels("step", net, loss, labels);
    }
    return examples;
  }

  /// As many targets as the examples of a batch have. Returns the number of examples.
  ///
  /// @param caller whom a message is from
  /// @param inputs elements that there are
  static int targets(String caller, Net net, int inputs, Minibatch batch) {
    Shape outputs = net.outputShape();
    int[] labels = batch.labels();
    float[] values = batch.values();
    return labels == null
        ? examples(
            caller, net, inputs, values == null ? 0 : values.length, "targets", outputs.count())
        : examples(caller, net, inputs, labels.length, "labels", rows(outputs));
  }

  /// Targets for softmax cross-entropy that are distributions over the outputs: of other numbers it
  /// would make something small that nobody wants. Rows that begin with a negative number are
  /// ignored; those that are not finite are told elsewhere.
  ///
  /// @param caller whom a message is from
  private static void distributions(String caller, Net net, Loss loss, float @Nullable [] targets) {
    int classes = Math.toIntExact(classes(net.outputShape(), loss));
    if (!(loss instanceof CrossEntropy) || targets == null || classes == 1) {
      return; // an only output is refused with the loss
    }
    for (int row = 0; row < targets.length / classes; row++) {
      if (targets[row * classes] < 0) {
        continue;
      }
      double sum = 0;
      double least = 0;
      for (int k = 0; k < classes; k++) {
        sum += targets[row * classes + k];
        least = Math.min(least, targets[row * classes + k]);
      }
      if (Double.isFinite(sum) && (least < -ROUNDING || Math.abs(sum - 1) > ROUNDING)) {
        throw new IllegalArgumentException(
            ("[%s] softmax cross-entropy expected targets that are a distribution over %d classes,"
                    + " found numbers from %s with the sum %s in row %d; name a loss of numbers,"
                    + " such as .loss(Loss.meanSquaredError()), or of a yes or no for each output,"
                    + " .loss(Loss.binaryCrossEntropy())")
                .formatted(caller, classes, (float) least, (float) sum, row));
      }
    }
  }

  /// A finite learning rate.
  static void rate(double learningRate) {
    if (!Double.isFinite(learningRate)) {
      throw new IllegalArgumentException(
          "[step] expected a finite learning rate, found " + learningRate);
    }
  }

  /// @param each targets an input has
  private static int examples(
      String caller, Net net, int inputs, int targets, String what, long each) {
    if (targets == 0) {
      throw new ShapeException("[%s] expected at least one input, found none".formatted(caller));
    }
    if (targets % each != 0) {
      throw new ShapeException(
          "[%s] expected %d %s an input for outputs %s, found %d in all"
              .formatted(caller, each, what, net.outputShape(), targets));
    }
    int batch = (int) (targets / each);
    long elements = batch * net.inputShape().count();
    if (inputs != elements) {
      throw new ShapeException(
          "[%s] expected %d inputs %s (%d elements), found %d elements"
              .formatted(caller, batch, net.inputShape(), elements, inputs));
    }
    return batch;
  }

  /// The rows of outputs that an input has: 1, save for networks that answer for every place.
  static long rows(Shape outputs) {
    return outputs.rank() < 1 ? 1 : outputs.count() / Math.max(1, outputs.dim(-1));
  }

  /// How many classes a row of outputs tells apart. 1 stands for an output that is compared with
  /// labels as numbers, whatever they are.
  static long classes(Shape outputs, Loss loss) {
    long last = outputs.rank() < 1 ? 1 : outputs.dim(-1);
    return last == 1 && loss.isBinary() ? 2 : last;
  }

  /// Labels below the number of classes.
  ///
  /// @param caller whom a message is from
  static void labels(String caller, Net net, Loss loss, int[] labels) {
    long classes = classes(net.outputShape(), loss);
    for (int i = 0; i < labels.length; i++) {
      if (classes > 1 && labels[i] >= classes) {
        throw new IllegalArgumentException(
            "[%s] expected labels below %d, found %d for input %d"
                .formatted(caller, classes, labels[i], i));
      }
    }
  }
}
