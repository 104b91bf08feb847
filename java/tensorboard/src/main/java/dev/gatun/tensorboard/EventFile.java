package dev.gatun.tensorboard;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.zip.CRC32C;

/// A file of events as TensorFlow's records: each is its length, a checksum of that, its bytes, and
/// a checksum of them, little-endian. Every event goes to the system at once, so a run that comes
/// to grief has shown all that it did, and a run that goes on is seen.
final class EventFile implements AutoCloseable {
  private static final int AROUND = 8 + 4 + 4;
  private static final int MASK = 0xa282ead8;

  private final Path path;
  private final FileChannel channel;
  private ByteBuffer record = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);

  private EventFile(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /// A new file in this folder, which is made if there is none. Files of a folder are read in the
  /// order of their names, so these begin with the second.
  ///
  /// @throws UncheckedIOException if that fails
  static EventFile create(Path folder) {
    try {
      Files.createDirectories(folder);
      String prefix =
          String.format(
              Locale.ROOT, "events.out.tfevents.%010d.", System.currentTimeMillis() / 1000);
      for (int number = 0; ; number++) {
        Path path =
            folder.resolve("%s%03d.%d".formatted(prefix, number, ProcessHandle.current().pid()));
        try {
          FileChannel channel =
              FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
          EventFile file = new EventFile(path, channel);
          file.write(Events.version());
          return file;
        } catch (FileAlreadyExistsException e) {
          // made within the same second
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no event file can be made in " + folder + ": " + e, e);
    }
  }

  void write(Message event) {
    byte[] bytes = event.toBytes();
    if (record.capacity() < bytes.length + AROUND) {
      record = ByteBuffer.allocate(2 * (bytes.length + AROUND)).order(ByteOrder.LITTLE_ENDIAN);
    }
    record.clear().putLong(bytes.length);
    record.putInt(checksum(record.array(), Long.BYTES)).put(bytes);
    record.putInt(checksum(bytes, bytes.length)).flip();
    try {
      while (record.hasRemaining()) {
        channel.write(record);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("events cannot be written to " + path + ": " + e, e);
    }
  }

  /// CRC-32C, rotated and displaced, so that a checksum of what has checksums in it is another.
  static int checksum(byte[] bytes, int count) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, count);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("events cannot be written to " + path + ": " + e, e);
    }
  }
}
