package dev.gatun.bench.peers.tensorflow;

import static dev.gatun.tensorboard.TensorBoard.tensorBoard;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Message;
import dev.gatun.Device;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Dataset;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tensorflow.proto.AttrValue;
import org.tensorflow.proto.DataClass;
import org.tensorflow.proto.DataType;
import org.tensorflow.proto.Event;
import org.tensorflow.proto.GraphDef;
import org.tensorflow.proto.HistogramProto;
import org.tensorflow.proto.NodeDef;
import org.tensorflow.proto.SessionLog;
import org.tensorflow.proto.Summary;
import org.tensorflow.proto.TensorShapeProto;

/// What Gatun writes for TensorBoard, read by TensorFlow's own classes: no field is unknown to
/// them, and they find the values where these belong.
class EventParityTest {
  private static final Net NET = Net.input(2, 2, 1).flatten().dense(3);

  @TempDir Path folder;

  @Test
  void tensorFlow_readsTheEvents() throws IOException {
    History history;
    float[] weights;
    try (Device device = Device.reference();
        Trainer trainer =
            Trainer.of(NET)
                .on(device)
                .optimizer(Optimizer.sgd(0.1))
                .clipNorm(1)
                .watch(tensorBoard(folder).note("remark", "of *mine*"))) {
      Dataset set = set();
      history = trainer.fit(set.batch(3), set.batch(6), Span.epochs(1));
      weights = trainer.model().read("dense0.weight");
    }
    List<Event> train = events("train");
    assertEquals("brain.Event:2", train.getFirst().getFileVersion());
    assertEquals(SessionLog.SessionStatus.START, train.get(1).getSessionLog().getStatus());
    for (Event event : train) {
      assertEquals(0, event.getUnknownFields().getSerializedSize());
      for (Summary.Value value : event.getSummary().getValueList()) {
        assertEquals(0, value.getUnknownFields().getSerializedSize(), value.getTag());
      }
    }

    Summary.Value remark = value(train, 0, "remark");
    assertEquals(DataType.DT_STRING, remark.getTensor().getDtype());
    assertEquals("of *mine*", remark.getTensor().getStringVal(0).toStringUtf8());
    assertEquals("text", remark.getMetadata().getPluginData().getPluginName());
    assertEquals(DataClass.DATA_CLASS_TENSOR, remark.getMetadata().getDataClass());

    for (int step = 1; step <= 2; step++) {
      assertEquals(
          history.losses()[step - 1], value(train, step, "loss").getSimpleValue(), "step " + step);
      assertEquals(
          history.gradientNorms()[step - 1], value(train, step, "gradient norm").getSimpleValue());
      assertEquals(0.1f, value(train, step, "learning rate").getSimpleValue());
    }
    assertEquals(
        (float) Objects.requireNonNull(history.test()).loss(),
        value(events("test"), 2, "loss").getSimpleValue());

    HistogramProto histogram = value(train, 2, "parameters/dense0.weight").getHisto();
    double[] elements = new double[weights.length];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = weights[i];
    }
    assertEquals(DoubleStream.of(elements).min().orElseThrow(), histogram.getMin());
    assertEquals(DoubleStream.of(elements).max().orElseThrow(), histogram.getMax());
    assertEquals(12, histogram.getNum());
    assertEquals(DoubleStream.of(elements).sum(), histogram.getSum(), 1e-12);
    assertEquals(DoubleStream.of(elements).map(x -> x * x).sum(), histogram.getSumSquares(), 1e-12);
    assertEquals(histogram.getBucketLimitCount(), histogram.getBucketCount());
    assertEquals(12, histogram.getBucketList().stream().mapToDouble(Double::doubleValue).sum());
  }

  /// The network as a graph that has no unknown field, and whose edges lead to its nodes.
  @Test
  void tensorFlow_readsTheGraph() throws IOException {
    Net net = Net.input(2, 2, 1).conv(4, 3).stage("end", s -> s.flatten().dense(3));
    List<Event> train = fit(net);
    List<Event> graphs = train.stream().filter(event -> !event.getGraphDef().isEmpty()).toList();
    assertEquals(1, graphs.size());
    GraphDef graph = GraphDef.parseFrom(graphs.getFirst().getGraphDef());
    requireKnown(graph);
    Map<String, NodeDef> nodes = new LinkedHashMap<>();
    for (NodeDef node : graph.getNodeList()) {
      requireKnown(node);
      for (AttrValue value : node.getAttrMap().values()) {
        requireKnown(value);
        value.getList().getShapeList().forEach(EventParityTest::requireKnown);
      }
      for (String input : node.getInputList()) {
        assertTrue(nodes.containsKey(input), input + " comes before " + node.getName());
      }
      assertEquals(null, nodes.put(node.getName(), node), node.getName() + " twice");
    }
    assertEquals(
        List.of("input", "conv0/weight", "conv0/bias", "end/dense0/weight", "end/dense0/bias"),
        List.copyOf(nodes.keySet()).subList(0, 5));
    NodeDef conv = Objects.requireNonNull(nodes.get("conv0/conv2d"));
    assertEquals("conv2d", conv.getOp());
    assertEquals(List.of("input", "conv0/weight"), List.copyOf(conv.getInputList()));
    assertEquals(DataType.DT_FLOAT, conv.getAttrOrThrow("dtype").getType());
    assertEquals(
        List.of(3L, 2L, 2L, 4L),
        conv.getAttrOrThrow("_output_shapes").getList().getShape(0).getDimList().stream()
            .map(TensorShapeProto.Dim::getSize)
            .toList());
    assertTrue(
        conv.getAttrOrThrow("window").getS().toStringUtf8().startsWith("Window[height=3, width=3"));
  }

  /// Pictures of the batch and filters, as files that are what their messages say.
  @Test
  void tensorFlow_readsThePictures() throws IOException {
    List<Event> train = fit(Net.input(2, 2, 1).conv(4, 3).flatten().dense(3));
    for (String tag : List.of("pictures", "filters/conv0.weight")) {
      Summary.Image image = value(train, 0, tag).getImage();
      requireKnown(image);
      BufferedImage picture = ImageIO.read(image.getEncodedImageString().newInput());
      assertEquals(1, image.getColorspace(), "grey");
      assertEquals(picture.getHeight(), image.getHeight(), tag);
      assertEquals(picture.getWidth(), image.getWidth(), tag);
      assertEquals(1, picture.getRaster().getNumBands(), tag);
    }
  }

  private List<Event> fit(Net net) throws IOException {
    try (Device device = Device.reference();
        Trainer trainer = Trainer.of(net).on(device).watch(tensorBoard(folder))) {
      trainer.fit(set().batch(3), Span.steps(1));
    }
    return events("train");
  }

  private static void requireKnown(Message message) {
    assertEquals(0, message.getUnknownFields().getSerializedSize(), message.toString());
  }

  private static Dataset set() {
    byte[] pixels = new byte[6 * 4];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i * 37);
    }
    return MemoryDataset.of("six", new ImageShape(2, 2, 1), pixels, new int[] {0, 1, 2, 0, 1, 2});
  }

  private static Summary.Value value(List<Event> events, long step, String tag) {
    List<Summary.Value> found =
        events.stream()
            .filter(event -> event.getStep() == step)
            .flatMap(event -> event.getSummary().getValueList().stream())
            .filter(value -> value.getTag().equals(tag))
            .toList();
    assertEquals(1, found.size(), tag + " at step " + step);
    return found.getFirst();
  }

  /// Of the only file of a run.
  private List<Event> events(String run) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(folder.resolve(run))) {
      files = all.toList();
    }
    assertEquals(1, files.size());
    ByteBuffer bytes =
        ByteBuffer.wrap(Files.readAllBytes(files.getFirst())).order(ByteOrder.LITTLE_ENDIAN);
    List<Event> events = new ArrayList<>();
    while (bytes.hasRemaining()) {
      byte[] event = new byte[Math.toIntExact(bytes.getLong())];
      bytes.getInt();
      bytes.get(event);
      bytes.getInt();
      events.add(Event.parseFrom(event));
    }
    assertTrue(events.size() > 2);
    return events;
  }
}
