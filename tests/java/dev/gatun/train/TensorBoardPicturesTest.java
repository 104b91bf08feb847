package dev.gatun.train;

import static dev.gatun.Span.epochs;
import static dev.gatun.Span.steps;
import static dev.gatun.tensorboard.TensorBoard.tensorBoard;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Initializer;
import dev.gatun.Layers.Conv;
import dev.gatun.Net;
import dev.gatun.Operation;
import dev.gatun.Optimizer;
import dev.gatun.Trainer;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Text;
import dev.gatun.suite.Backends;
import dev.gatun.train.EventReader.Event;
import dev.gatun.train.EventReader.Node;
import dev.gatun.train.EventReader.Value;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The network and the pictures that a run writes for TensorBoard, read back without it.
class TensorBoardPicturesTest {
  private static final int GAP = 2; // between the pictures of a grid

  @TempDir Path folder;

  private List<Event> fit(Net net, Dataset data, int batch, UnaryOperator<Trainer> settings) {
    try (Trainer trainer = trainer(net, settings)) {
      trainer.fit(data.batch(batch), steps(1));
    }
    return EventReader.run(folder.resolve("train"));
  }

  private Trainer trainer(Net net, UnaryOperator<Trainer> settings) {
    return settings.apply(
        Trainer.of(net)
            .on(Backends.REFERENCE.device())
            .optimizer(Optimizer.sgd(0.05))
            .watch(tensorBoard(folder)));
  }

  /// Nodes are the net's operations, with paths for names; edges lead to nodes.
  @Test
  void theNet_isAGraph() {
    Net net =
        Net.input(6, 6, 1)
            .conv(new Conv(4, 3).stride(2))
            .batchNorm()
            .residual(branch -> branch.conv(4, 3).relu())
            .stage("the end: now", s -> s.flatten().dense(10))
            .stage("the_end__now", s -> s.dense(10));
    List<Event> events =
        fit(net, Pictures.noisy(20, new ImageShape(6, 6, 1), 1, 1), 10, trainer -> trainer);
    List<Event> graphs = events.stream().filter(event -> !event.graph().isEmpty()).toList();
    assertEquals(1, graphs.size());
    assertEquals(0, graphs.getFirst().step());
    Map<String, Node> nodes = new LinkedHashMap<>();
    for (Node node : graphs.getFirst().graph()) {
      assertEquals(null, nodes.put(node.name(), node), node.name() + " twice");
    }
    List<Operation> operations = net.operations(10);
    assertEquals(
        operations.stream().map(Operation::kind).toList(),
        nodes.values().stream().map(Node::op).toList());
    for (Node node : nodes.values()) {
      for (String input : node.inputs()) {
        Node giver = nodes.get(input.replaceAll(":\\d+$", ""));
        assertTrue(giver != null, node.name() + " reads " + input + ", which is not there");
      }
    }
    Node conv = Objects.requireNonNull(nodes.get("conv0/conv2d"));
    assertEquals(List.of("input", "conv0/weight"), conv.inputs());
    assertEquals(List.of(List.of(10L, 3L, 3L, 4L)), conv.shapes());
    assertTrue(
        String.valueOf(conv.words().get("window")).startsWith("Window[height=3"),
        conv.words().toString());
    Node sum = Objects.requireNonNull(nodes.get("residual0/add"));
    assertEquals(
        List.of("residual0/branch/relu0/relu", "batchNorm0/batch_norm_training"), sum.inputs());
    assertEquals(
        List.of(List.of(10L, 10L)),
        Objects.requireNonNull(nodes.get("the_end__now/dense0/matmul")).shapes());
    Node namesake = Objects.requireNonNull(nodes.get("the_end__now/dense0/matmul_1"));
    assertEquals("the_end__now/dense0/weight_1", namesake.inputs().getLast());
  }

  /// The first batch as it is augmented: some of its pictures are mirrored, none is there twice.
  @Test
  void pictures_areTheAugmentedBatch() {
    ImageShape shape = new ImageShape(4, 5, 1);
    Dataset data = Pictures.noisy(30, shape, 1, 1);
    Net net = Net.input(4, 5, 1).flatten().dense(10);
    List<Event> events =
        fit(net, data, 12, trainer -> trainer.augment(Augmentation.flipHorizontal()));
    List<int[][]> tiles = tiles(image(events, "pictures", 0), 12, 4, 5, 1);
    Set<Integer> seen = new HashSet<>();
    int mirrored = 0;
    for (int[][] tile : tiles) {
      for (int k = 0; k < 30; k++) {
        byte[] pixels = new byte[shape.elements()];
        data.read(k, pixels, 0);
        boolean same = matches(tile, bytes(pixels), 5, false);
        boolean turned = matches(tile, bytes(pixels), 5, true);
        if (same || turned) {
          assertTrue(seen.add(k), "picture " + k + " twice");
          mirrored += turned ? 1 : 0;
        }
      }
    }
    assertEquals(12, seen.size(), "pictures of the set");
    assertTrue(mirrored > 0 && mirrored < 12, mirrored + " mirrored");
  }

  /// Filters in colour, before and after training.
  @Test
  void filters_areTheFirstLayersWeights() {
    Net net = Net.input(6, 6, 3).conv(5, 3).relu().flatten().dense(10);
    Dataset data = Pictures.noisy(20, new ImageShape(6, 6, 3), 1, 1);
    try (Trainer trainer = trainer(net, t -> t)) {
      float[] before = trainer.model().read("conv0.weight");
      trainer.fit(data.batch(10), epochs(2));
      List<Event> events = EventReader.run(folder.resolve("train"));
      assertEquals(
          List.of(0L, 2L, 4L), List.copyOf(images(events, "filters/conv0.weight").keySet()));
      requireFilters(before, image(events, "filters/conv0.weight", 0), 5, 3, 3, 3);
      requireFilters(
          trainer.model().read("conv0.weight"),
          image(events, "filters/conv0.weight", 4),
          5,
          3,
          3,
          3);
    }
  }

  /// A dense layer over all pixels has a filter for each unit, of which the first 64 are shown.
  @Test
  void unitsOverAllPixels_areFilters() {
    Net net = Net.input(4, 4, 1).flatten().dense(70);
    Dataset data = Pictures.noisy(20, new ImageShape(4, 4, 1), 1, 1);
    try (Trainer trainer = trainer(net, t -> t)) {
      float[] before = trainer.model().read("dense0.weight");
      trainer.fit(data.batch(10), steps(1));
      BufferedImage image =
          image(EventReader.run(folder.resolve("train")), "filters/dense0.weight", 0);
      assertEquals(8 * (32 + GAP) - GAP, image.getWidth());
      assertEquals(image.getWidth(), image.getHeight());
      requireFilters(before, image, 64, 4, 4, 1);
    }
  }

  @Test
  void equalNumbers_areGrey() {
    Net net = Net.input(4, 4, 1).conv(new Conv(1, 3).initializer(Initializer.zeros()));
    Dataset data = Pictures.noisy(20, new ImageShape(4, 4, 1), 1, 1);
    BufferedImage image =
        image(fit(net.flatten().dense(10), data, 10, t -> t), "filters/conv0.weight", 0);
    for (int[] pixel : tiles(image, 1, 3, 3, 1).getFirst()) {
      assertEquals(128, pixel[0]);
    }
  }

  @Test
  void netsWithoutPictures_haveNone() {
    Text text = Text.of("sail anchor lock tide sail anchor lock tide");
    int characters = text.alphabet().size();
    Net net = Net.tokens(4).embedding(characters, 4).gru(5).dense(characters);
    try (Trainer trainer = trainer(net, t -> t)) {
      trainer.fit(text.batches(2, 4), steps(1));
    }
    List<Event> events = EventReader.run(folder.resolve("train"));
    assertTrue(events.stream().flatMap(e -> e.values().stream()).allMatch(v -> v.image() == null));
    assertTrue(
        events.stream()
            .flatMap(event -> event.graph().stream())
            .anyMatch(node -> node.name().equals("gru0/layer0/recurrent")));
  }

  @Test
  void noPictures_ifAsked() {
    Net net = Net.input(4, 4, 1).conv(2, 3).flatten().dense(10);
    try (Trainer trainer =
        Trainer.of(net)
            .on(Backends.REFERENCE.device())
            .watch(tensorBoard(folder).withoutImages())) {
      trainer.fit(Pictures.noisy(20, new ImageShape(4, 4, 1), 1, 1).batch(10), epochs(1));
    }
    assertTrue(
        EventReader.run(folder.resolve("train")).stream()
            .flatMap(event -> event.values().stream())
            .allMatch(value -> value.image() == null));
  }

  private static void requireFilters(
      float[] weights, BufferedImage image, int count, int height, int width, int channels) {
    int each = height * width * channels;
    List<int[][]> tiles = tiles(image, count, height, width, channels);
    for (int k = 0; k < count; k++) {
      double[] filter = new double[each];
      for (int i = 0; i < each; i++) {
        filter[i] = weights[k * each + i];
      }
      double[] levels = stretched(filter);
      for (int i = 0; i < each; i++) {
        assertEquals(levels[i], tiles.get(k)[i / channels][i % channels], 0.51, "filter " + k);
      }
    }
  }

  private static boolean matches(int[][] tile, double[] picture, int width, boolean mirrored) {
    double[] levels = stretched(picture);
    for (int i = 0; i < tile.length; i++) {
      int from = mirrored ? i / width * width + width - 1 - i % width : i;
      if (Math.abs(levels[from] - tile[i][0]) > 0.51) {
        return false;
      }
    }
    return true;
  }

  private static double[] bytes(byte[] pixels) {
    double[] numbers = new double[pixels.length];
    for (int i = 0; i < pixels.length; i++) {
      numbers[i] = pixels[i] & 0xff;
    }
    return numbers;
  }

  /// From 0 for the least to 255 for the greatest.
  private static double[] stretched(double[] picture) {
    double least = Double.POSITIVE_INFINITY;
    double greatest = Double.NEGATIVE_INFINITY;
    for (double element : picture) {
      least = Math.min(least, element);
      greatest = Math.max(greatest, element);
    }
    double[] levels = new double[picture.length];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = 255 * (picture[i] - least) / (greatest - least);
    }
    return levels;
  }

  /// The pictures of a grid, `[pixels][channels]`: enlarged ones have blocks of one colour, and
  /// between them all is black.
  private static List<int[][]> tiles(
      BufferedImage image, int count, int height, int width, int channels) {
    int columns = (int) Math.ceil(Math.sqrt(count));
    int rows = (count + columns - 1) / columns;
    int zoom = (image.getWidth() + GAP) / columns / width;
    assertEquals(columns * (width * zoom + GAP) - GAP, image.getWidth());
    assertEquals(rows * (height * zoom + GAP) - GAP, image.getHeight());
    assertEquals(channels, image.getRaster().getNumBands());
    List<int[][]> tiles = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      tiles.add(new int[height * width][]);
    }
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        int[] pixel = image.getRaster().getPixel(x, y, new int[channels]);
        int row = y / (height * zoom + GAP);
        int column = x / (width * zoom + GAP);
        int i = y % (height * zoom + GAP) / zoom;
        int j = x % (width * zoom + GAP) / zoom;
        if (i >= height || j >= width || row * columns + column >= count) {
          assertEquals(List.of(0), colours(pixel), "between pictures at " + x + ", " + y);
        } else {
          int[][] tile = tiles.get(row * columns + column);
          int[] known = tile[i * width + j];
          assertTrue(known == null || Arrays.equals(known, pixel), "blocks");
          tile[i * width + j] = pixel;
        }
      }
    }
    return tiles;
  }

  private static List<Integer> colours(int[] pixel) {
    return Arrays.stream(pixel).boxed().distinct().toList();
  }

  private static BufferedImage image(List<Event> events, String tag, long step) {
    return Objects.requireNonNull(images(events, tag).get(step), tag + " at step " + step);
  }

  private static Map<Long, BufferedImage> images(List<Event> events, String tag) {
    Map<Long, BufferedImage> images = new LinkedHashMap<>();
    for (Event event : events) {
      for (Value value : event.values()) {
        if (value.tag().equals(tag) && value.image() != null) {
          images.put(event.step(), value.image());
        }
      }
    }
    return images;
  }
}
