package dev.gatun.file;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.data.DataFormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A file of named tensors in the safetensors format: 8 bytes little-endian with the length of the
/// header, the header in JSON (`{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0,
/// 24]}, ..., "__metadata__": {"key": "text"}}`), and the elements, little-endian, row-major,
/// without gaps.
///
/// Nothing in the file is believed before it is checked against the file's size: lengths, shapes
/// and places that do not fit each other are a [DataFormatException].
public final class SafeTensors implements AutoCloseable {
  static final String METADATA = "__metadata__";
  static final int LENGTH_BYTES = 8;
  private static final long MAX_HEADER = 100_000_000; // as the format's first implementation has it
  static final int CHUNK_BYTES = 1 << 20;
  private static final Map<String, Integer> ELEMENT_BYTES =
      Map.ofEntries(
          Map.entry("BOOL", 1),
          Map.entry("U8", 1),
          Map.entry("I8", 1),
          Map.entry("F8_E4M3", 1),
          Map.entry("F8_E5M2", 1),
          Map.entry("I16", 2),
          Map.entry("U16", 2),
          Map.entry("F16", 2),
          Map.entry("BF16", 2),
          Map.entry("I32", 4),
          Map.entry("U32", 4),
          Map.entry("F32", 4),
          Map.entry("I64", 8),
          Map.entry("U64", 8),
          Map.entry("F64", 8));

  private final Path file;
  private final FileChannel channel;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, String> metadata = new TreeMap<>();
  private final long dataStart;

  /// A tensor of the file.
  ///
  /// @param dtype as the file names it
  /// @param shape its extents
  private record Entry(String dtype, Shape shape, long begin, long end) {}

  private SafeTensors(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    long size = channel.size();
    ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    if (size < LENGTH_BYTES) {
      throw bad("a safetensors file of at least 8 bytes expected, found " + size);
    }
    readFully(length, 0);
    long headerBytes = length.getLong(0);
    if (headerBytes < 2 || headerBytes > Math.min(MAX_HEADER, size - LENGTH_BYTES)) {
      throw bad(
          "a safetensors header of 2 to %d bytes expected, the file says %s"
              .formatted(
                  Math.min(MAX_HEADER, size - LENGTH_BYTES), Long.toUnsignedString(headerBytes)));
    }
    dataStart = LENGTH_BYTES + headerBytes;
    ByteBuffer header = ByteBuffer.allocate((int) headerBytes);
    readFully(header, LENGTH_BYTES);
    parse(header.flip());
    requireWhole(size - dataStart);
  }

  /// Opens `file` and checks its header.
  ///
  /// @throws DataFormatException when it cannot be read or is not in the format
  public static SafeTensors open(Path file) {
    FileChannel channel = null;
    try {
      channel = FileChannel.open(file, StandardOpenOption.READ);
      return new SafeTensors(file, channel);
    } catch (NoSuchFileException e) {
      throw new DataFormatException(file, "a safetensors file expected, found nothing", e);
    } catch (IOException e) {
      closeQuietly(channel);
      throw new DataFormatException(file, "cannot be read: " + e, e);
    } catch (RuntimeException | Error e) {
      closeQuietly(channel);
      throw e;
    }
  }

  /// The names of the tensors in the order of the header.
  public List<String> names() {
    return List.copyOf(entries.keySet());
  }

  /// What the file says of itself.
  public Map<String, String> metadata() {
    return Map.copyOf(metadata);
  }

  /// The extents of a tensor.
  ///
  /// @throws DataFormatException when there is none of this name
  public Shape shape(String name) {
    return entry(name).shape();
  }

  /// The type of a tensor's elements as the file names it: `F32`, `BF16`, ...
  ///
  /// @throws DataFormatException when there is none of this name
  public String dtype(String name) {
    return entry(name).dtype();
  }

  /// The elements of an F32 tensor, in a new array.
  ///
  /// @throws DataFormatException when there is no such tensor or it cannot be read
  public float[] floats(String name) {
    Entry entry = entry(name, DType.F32);
    float[] elements = new float[count(name, entry)];
    for (int done = 0; done < elements.length; ) {
      int count = Math.min(CHUNK_BYTES / Float.BYTES, elements.length - done);
      chunk(entry, (long) done * Float.BYTES, count * Float.BYTES)
          .asFloatBuffer()
          .get(elements, done, count);
      done += count;
    }
    return elements;
  }

  /// The elements of an F64 tensor, in a new array.
  ///
  /// @throws DataFormatException when there is no such tensor or it cannot be read
  public double[] doubles(String name) {
    Entry entry = entry(name, DType.F64);
    double[] elements = new double[count(name, entry)];
    for (int done = 0; done < elements.length; ) {
      int count = Math.min(CHUNK_BYTES / Double.BYTES, elements.length - done);
      chunk(entry, (long) done * Double.BYTES, count * Double.BYTES)
          .asDoubleBuffer()
          .get(elements, done, count);
      done += count;
    }
    return elements;
  }

  @Override
  public void close() {
    closeQuietly(channel);
  }

  /// A problem with this file.
  public DataFormatException bad(String problem) {
    return new DataFormatException(file, problem);
  }

  /// A problem of the file that `cause` has shown.
  public DataFormatException bad(String problem, Throwable cause) {
    return new DataFormatException(file, problem, cause);
  }

  private void parse(ByteBuffer bytes) {
    Object parsed;
    try {
      parsed = Json.parse(UTF_8.newDecoder().decode(bytes).toString());
    } catch (CharacterCodingException e) {
      throw new DataFormatException(file, "a header in UTF-8 expected", e);
    } catch (IllegalArgumentException e) {
      throw new DataFormatException(file, "the header is not the JSON expected: " + e.getMessage());
    }
    if (!(parsed instanceof Map<?, ?> members)) {
      throw bad("a header that is a JSON object expected, found " + parsed);
    }
    members.forEach(
        (key, value) -> {
          String name = (String) key;
          if (name.equals(METADATA)) {
            texts(value);
          } else {
            entries.put(name, entry(name, value));
          }
        });
  }

  private void texts(Object value) {
    if (!(value instanceof Map<?, ?> members)) {
      throw bad(METADATA + ": an object expected, found " + value);
    }
    members.forEach(
        (key, text) -> {
          if (!(text instanceof String string)) {
            throw bad(METADATA + ": texts expected, found " + key + " = " + text);
          }
          metadata.put((String) key, string);
        });
  }

  private Entry entry(String name, Object value) {
    if (!(value instanceof Map<?, ?> members)
        || members.size() != 3
        || !(members.get("dtype") instanceof String dtype)) {
      throw bad(
          "tensor %s: dtype, shape and data_offsets expected, found %s".formatted(name, value));
    }
    Integer bytes = ELEMENT_BYTES.get(dtype);
    if (bytes == null) {
      throw bad("tensor %s: a known dtype expected, found %s".formatted(name, dtype));
    }
    long[] dims = numbers(name, "shape", members.get("shape"));
    long[] offsets = numbers(name, "data_offsets", members.get("data_offsets"));
    Shape shape;
    long expected;
    try {
      shape = Shape.of(dims);
      expected = Math.multiplyExact(shape.count(), bytes.longValue());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new DataFormatException(file, "tensor " + name + ": " + e.getMessage(), e);
    }
    if (offsets.length != 2 || offsets[0] > offsets[1] || offsets[1] - offsets[0] != expected) {
      throw bad(
          "tensor %s: two data_offsets %d bytes apart expected for %s %s, found %s"
              .formatted(name, expected, dtype, shape, members.get("data_offsets")));
    }
    return new Entry(dtype, shape, offsets[0], offsets[1]);
  }

  private long[] numbers(String name, String what, @Nullable Object value) {
    if (!(value instanceof List<?> list)) {
      throw bad("tensor %s: %s: an array expected, found %s".formatted(name, what, value));
    }
    long[] numbers = new long[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(list.get(i) instanceof Long number) || number < 0) {
        throw bad(
            "tensor %s: %s: whole numbers of at least 0 expected, found %s"
                .formatted(name, what, value));
      }
      numbers[i] = number;
    }
    return numbers;
  }

  /// The tensors fill the data without gaps, and do not lie over each other.
  private void requireWhole(long dataBytes) {
    List<Map.Entry<String, Entry>> order = new ArrayList<>(entries.entrySet());
    order.sort(
        Comparator.comparingLong((Map.Entry<String, Entry> e) -> e.getValue().begin())
            .thenComparingLong(e -> e.getValue().end()));
    long end = 0;
    for (Map.Entry<String, Entry> tensor : order) {
      if (tensor.getValue().begin() != end) {
        throw bad(
            "tensor %s: a beginning at byte %d of the data expected, found %d"
                .formatted(tensor.getKey(), end, tensor.getValue().begin()));
      }
      end = tensor.getValue().end();
    }
    if (end != dataBytes) {
      throw bad(
          "%s: %d bytes of data expected, found %d"
              .formatted(dataBytes < end ? "truncated" : "too long", end, dataBytes));
    }
  }

  private Entry entry(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw bad("a tensor %s expected, there are %s".formatted(name, entries.keySet()));
    }
    return entry;
  }

  private Entry entry(String name, DType dtype) {
    Entry entry = entry(name);
    if (!entry.dtype().equals(dtype.name())) {
      throw bad("tensor %s: %s expected, found %s".formatted(name, dtype, entry.dtype()));
    }
    return entry;
  }

  private int count(String name, Entry entry) {
    long count = entry.shape().count();
    if (count > Integer.MAX_VALUE - 8) {
      throw bad("tensor %s: %s is too large for an array".formatted(name, entry.shape()));
    }
    return (int) count;
  }

  private ByteBuffer chunk(Entry entry, long from, int bytes) {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    try {
      readFully(buffer, dataStart + entry.begin() + from);
    } catch (IOException e) {
      throw new DataFormatException(file, "cannot be read: " + e, e);
    }
    return buffer.flip();
  }

  private void readFully(ByteBuffer target, long position) throws IOException {
    long at = position;
    while (target.hasRemaining()) {
      int read = channel.read(target, at);
      if (read < 0) {
        throw bad("truncated while it was read, at byte " + at);
      }
      at += read;
    }
  }

  private static void closeQuietly(@Nullable FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        // it was only read
      }
    }
  }
}
