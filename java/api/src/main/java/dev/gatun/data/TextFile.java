package dev.gatun.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/// Reads files of text in UTF-8, which may be packed with gzip.
final class TextFile {
  private static final int MAX_BYTES = 1 << 30;

  private TextFile() {}

  /// The whole content, without a byte order mark.
  ///
  /// @throws DataFormatException when it cannot be read or is not text in UTF-8
  static String read(Path file) {
    try (InputStream in = open(file)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new DataFormatException(file, "at most " + MAX_BYTES + " bytes of text expected");
      }
      String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return text.startsWith("\uFEFF") ? text.substring(1) : text; // a byte order mark
    } catch (CharacterCodingException e) {
      throw new DataFormatException(file, "text in UTF-8 expected", e);
    } catch (IOException e) {
      throw new DataFormatException(file, "cannot be read: " + e, e);
    }
  }

  private static InputStream open(Path file) throws IOException {
    BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file));
    in.mark(2);
    boolean packed = in.read() == 0x1f && in.read() == 0x8b;
    in.reset();
    return packed ? new GZIPInputStream(in, 1 << 16) : in;
  }
}
