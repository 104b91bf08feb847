package dev.gatun.train;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;

/// Reads event files as TensorBoard does: frames, checksums, and the fields by their numbers.
final class EventReader {
  private EventReader() {}

  /// An event.
  ///
  /// @param version of the file, empty but for the first event
  /// @param restart whether events from this step on no longer hold
  /// @param graph the nodes of a network, none but for its event
  record Event(
      double wallTime,
      long step,
      String version,
      boolean restart,
      List<Node> graph,
      List<Value> values) {}

  /// A value; of its kinds the others are empty.
  record Value(
      String tag,
      float number,
      String text,
      double[] histogram,
      double[] counts,
      @Nullable BufferedImage image) {}

  /// A node of a network's graph.
  ///
  /// @param shapes extents of its results
  /// @param words attributes that are texts
  record Node(
      String name,
      String op,
      List<String> inputs,
      List<List<Long>> shapes,
      Map<String, String> words) {}

  /// What TensorBoard shows of a run: the events of its files in the order of their names, without
  /// those that were taken back.
  static List<Event> run(Path folder) {
    List<Event> events = new ArrayList<>();
    for (Path file : files(folder)) {
      for (Event event : read(file)) {
        if (event.restart()) {
          events.removeIf(old -> old.step() >= event.step());
        } else if (event.version().isEmpty()) {
          events.add(event);
        }
      }
    }
    return events;
  }

  static List<Path> files(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().contains("tfevents")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<Event> read(Path file) {
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
      List<Event> events = new ArrayList<>();
      while (bytes.hasRemaining()) {
        byte[] length = new byte[8];
        bytes.get(bytes.position(), length);
        byte[] event = new byte[Math.toIntExact(bytes.getLong())];
        requireMasked(bytes.getInt(), length);
        bytes.get(event);
        requireMasked(bytes.getInt(), event);
        events.add(event(UnknownFieldSet.parseFrom(event)));
      }
      return events;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// CRC-32C (Castagnoli), a bit at a time.
  static int crc(byte[] bytes) {
    int crc = ~0;
    for (byte b : bytes) {
      crc ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) == 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
      }
    }
    return ~crc;
  }

  private static void requireMasked(int found, byte[] bytes) {
    int crc = crc(bytes);
    int expected = ((crc >>> 15) | (crc << 17)) + 0xa282ead8;
    if (found != expected) {
      throw new AssertionError("checksum %08x expected, found %08x".formatted(expected, found));
    }
  }

  private static Event event(UnknownFieldSet event) throws InvalidProtocolBufferException {
    List<Value> values = new ArrayList<>();
    for (ByteString summary : event.getField(5).getLengthDelimitedList()) {
      for (ByteString value :
          UnknownFieldSet.parseFrom(summary).getField(1).getLengthDelimitedList()) {
        values.add(value(UnknownFieldSet.parseFrom(value)));
      }
    }
    boolean restart = false;
    for (ByteString log : event.getField(7).getLengthDelimitedList()) {
      restart = UnknownFieldSet.parseFrom(log).getField(1).getVarintList().equals(List.of(1L));
    }
    List<Node> graph = new ArrayList<>();
    if (event.hasField(4)) {
      for (ByteString node : message(event, 4).getField(1).getLengthDelimitedList()) {
        graph.add(node(UnknownFieldSet.parseFrom(node)));
      }
    }
    return new Event(
        Double.longBitsToDouble(event.getField(1).getFixed64List().getFirst()),
        event.getField(2).getVarintList().getFirst(),
        text(event, 3),
        restart,
        graph,
        values);
  }

  private static Node node(UnknownFieldSet node) throws InvalidProtocolBufferException {
    List<List<Long>> shapes = new ArrayList<>();
    Map<String, String> words = new LinkedHashMap<>();
    for (ByteString bytes : node.getField(5).getLengthDelimitedList()) {
      UnknownFieldSet attribute = UnknownFieldSet.parseFrom(bytes);
      UnknownFieldSet value = message(attribute, 2);
      if (text(attribute, 1).equals("_output_shapes")) {
        for (ByteString shape : message(value, 1).getField(7).getLengthDelimitedList()) {
          List<Long> extents = new ArrayList<>();
          UnknownFieldSet dims = UnknownFieldSet.parseFrom(shape);
          for (ByteString extent : dims.getField(2).getLengthDelimitedList()) {
            extents.addAll(UnknownFieldSet.parseFrom(extent).getField(1).getVarintList());
          }
          shapes.add(extents);
        }
      } else if (value.hasField(2)) {
        words.put(text(attribute, 1), text(value, 2));
      }
    }
    List<String> inputs =
        node.getField(3).getLengthDelimitedList().stream().map(ByteString::toStringUtf8).toList();
    return new Node(text(node, 1), text(node, 2), inputs, shapes, words);
  }

  /// A picture, which has the extents and colours that are said of it.
  private static BufferedImage image(UnknownFieldSet image) {
    try {
      BufferedImage picture =
          ImageIO.read(
              new ByteArrayInputStream(
                  image.getField(4).getLengthDelimitedList().getFirst().toByteArray()));
      List<Long> said = new ArrayList<>();
      for (int field = 1; field <= 3; field++) {
        said.addAll(image.getField(field).getVarintList());
      }
      List<Long> found =
          List.of(
              (long) picture.getHeight(),
              (long) picture.getWidth(),
              (long) picture.getRaster().getNumBands());
      if (!said.equals(found)) {
        throw new AssertionError("a picture " + found + " is said to be " + said);
      }
      return picture;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Value value(UnknownFieldSet value) throws InvalidProtocolBufferException {
    float number = Float.NaN;
    for (int bits : value.getField(2).getFixed32List()) {
      number = Float.intBitsToFloat(bits);
    }
    String text = "";
    if (value.hasField(8)) {
      UnknownFieldSet tensor = message(value, 8);
      UnknownFieldSet metadata = message(value, 9);
      if (tensor.getField(1).getVarintList().equals(List.of(7L))
          && text(message(metadata, 1), 1).equals("text")) {
        text = text(tensor, 8);
      }
    }
    double[] histogram = new double[0];
    double[] counts = histogram;
    if (value.hasField(5)) {
      UnknownFieldSet content = message(value, 5);
      histogram = new double[5];
      for (int i = 0; i < 5; i++) {
        histogram[i] = Double.longBitsToDouble(content.getField(i + 1).getFixed64List().getFirst());
      }
      double[] limits = doubles(content, 6);
      counts = doubles(content, 7);
      if (limits.length != counts.length || limits[limits.length - 1] != histogram[1]) {
        throw new AssertionError("limits and counts do not fit");
      }
    }
    BufferedImage image = value.hasField(4) ? image(message(value, 4)) : null;
    return new Value(text(value, 1), number, text, histogram, counts, image);
  }

  private static UnknownFieldSet message(UnknownFieldSet parent, int field)
      throws InvalidProtocolBufferException {
    return UnknownFieldSet.parseFrom(parent.getField(field).getLengthDelimitedList().getFirst());
  }

  private static String text(UnknownFieldSet message, int field) {
    return String.join(
        "",
        message.getField(field).getLengthDelimitedList().stream()
            .map(ByteString::toStringUtf8)
            .toList());
  }

  /// A repeated field of numbers, one after the other.
  private static double[] doubles(UnknownFieldSet message, int field) {
    ByteBuffer packed =
        message
            .getField(field)
            .getLengthDelimitedList()
            .getFirst()
            .asReadOnlyByteBuffer()
            .order(ByteOrder.LITTLE_ENDIAN);
    double[] numbers = new double[packed.remaining() / Double.BYTES];
    packed.asDoubleBuffer().get(numbers);
    return numbers;
  }
}
