package dev.gatun.file;

import static dev.gatun.file.SafeTensors.CHUNK_BYTES;
import static dev.gatun.file.SafeTensors.LENGTH_BYTES;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.gatun.DType;
import dev.gatun.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;

/// Writes what [SafeTensors] reads.
public final class SafeTensorsWriter {
  private SafeTensorsWriter() {}

  /// What is to be written.
  ///
  /// @param name of the tensor
  /// @param dtype F32 or F64
  /// @param shape its extents
  /// @param elements called when its turn has come; a `float[]` or a `double[]`
  public record Source(String name, DType dtype, Shape shape, Supplier<Object> elements) {}

  /// Checks that there is a folder to write `file` to.
  ///
  /// @throws IOException when there is none
  public static void requireFolder(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new NoSuchFileException(file.toString(), null, "there is no folder " + folder);
    }
  }

  /// Writes a file with `tensors` in this order. An old file of this name is replaced when the new
  /// one is complete.
  ///
  /// @throws IOException when it cannot be written, which leaves an old file as it is
  public static void write(Path file, Map<String, String> metadata, List<Source> tensors)
      throws IOException {
    requireFolder(file);
    Path target = file.toAbsolutePath();
    // A name that nobody else's file has, and with it no other writer's; such a file is not
    // touched.
    String mark = "%08x".formatted(ThreadLocalRandom.current().nextInt());
    Path part = target.resolveSibling(target.getFileName() + "." + mark + ".part");
    FileChannel channel =
        FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    try {
      try (channel) {
        byte[] header = header(metadata, tensors).getBytes(UTF_8);
        ByteBuffer start =
            ByteBuffer.allocate(LENGTH_BYTES + header.length).order(ByteOrder.LITTLE_ENDIAN);
        writeFully(channel, start.putLong(header.length).put(header).flip());
        for (Source tensor : tensors) {
          writeElements(channel, tensor.elements().get());
        }
        channel.force(true);
      }
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) { // which names no file: the disk is full
      FileSystemException named =
          new FileSystemException(
              file.toString(), null, Objects.requireNonNullElse(e.getMessage(), e.toString()));
      named.initCause(e);
      throw named;
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /// Padded with blanks to a multiple of 8, so that elements are aligned in the file.
  private static String header(Map<String, String> metadata, List<Source> tensors) {
    StringBuilder json =
        new StringBuilder("{").append(Json.quote(SafeTensors.METADATA)).append(":{");
    String comma = "";
    for (Map.Entry<String, String> text : new TreeMap<>(metadata).entrySet()) {
      json.append(comma).append(Json.quote(text.getKey())).append(':');
      json.append(Json.quote(text.getValue()));
      comma = ",";
    }
    json.append('}');
    long at = 0;
    for (Source tensor : tensors) {
      long end = at + tensor.shape().count() * tensor.dtype().bytes();
      json.append(',').append(Json.quote(tensor.name()));
      json.append(":{\"dtype\":\"").append(tensor.dtype()).append("\",\"shape\":[");
      long[] dims = tensor.shape().toArray();
      for (int i = 0; i < dims.length; i++) {
        json.append(i == 0 ? "" : ",").append(dims[i]);
      }
      json.append("],\"data_offsets\":[").append(at).append(',').append(end).append("]}");
      at = end;
    }
    json.append('}');
    int bytes = json.toString().getBytes(UTF_8).length;
    return json + " ".repeat(Math.ceilDiv(bytes, 8) * 8 - bytes);
  }

  private static void writeElements(FileChannel channel, Object elements) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    if (elements instanceof float[] floats) {
      for (int done = 0; done < floats.length; ) {
        int count = Math.min(CHUNK_BYTES / Float.BYTES, floats.length - done);
        buffer.clear().limit(count * Float.BYTES);
        buffer.asFloatBuffer().put(floats, done, count);
        writeFully(channel, buffer);
        done += count;
      }
    } else {
      double[] doubles = (double[]) elements;
      for (int done = 0; done < doubles.length; ) {
        int count = Math.min(CHUNK_BYTES / Double.BYTES, doubles.length - done);
        buffer.clear().limit(count * Double.BYTES);
        buffer.asDoubleBuffer().put(doubles, done, count);
        writeFully(channel, buffer);
        done += count;
      }
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer source) throws IOException {
    while (source.hasRemaining()) {
      channel.write(source);
    }
  }
}
