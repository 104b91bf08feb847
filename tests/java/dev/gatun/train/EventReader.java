package dev.gatun.train;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// Reads event files as TensorBoard does: frames, checksums, and the fields by their numbers.
final class EventReader {
  private EventReader() {}

  /// An event.
  ///
  /// @param version of the file, empty but for the first event
  /// @param restart whether events from this step on no longer hold
  record Event(double wallTime, long step, String version, boolean restart, List<Value> values) {}

  /// A value; of its kinds the others are empty.
  record Value(String tag, float number, String text, double[] histogram, double[] counts) {}

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
    return new Event(
        Double.longBitsToDouble(event.getField(1).getFixed64List().getFirst()),
        event.getField(2).getVarintList().getFirst(),
        text(event, 3),
        restart,
        values);
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
    return new Value(text(value, 1), number, text, histogram, counts);
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
