package dev.gatun.tensorboard;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/// A message of Protocol Buffers in the making. Fields have their numbers and come in the order of
/// the calls; each call returns the message itself.
final class Message {
  private static final int BUFFER = 64; // most messages are shorter, and each has one

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final CodedOutputStream out = CodedOutputStream.newInstance(bytes, BUFFER);

  private interface Writing {
    void run() throws IOException;
  }

  Message real(int field, double value) {
    return put(() -> out.writeDouble(field, value));
  }

  Message single(int field, float value) {
    return put(() -> out.writeFloat(field, value));
  }

  Message whole(int field, long value) {
    return put(() -> out.writeInt64(field, value));
  }

  Message text(int field, String value) {
    return put(() -> out.writeString(field, value));
  }

  Message bytes(int field, byte[] value) {
    return put(() -> out.writeByteArray(field, value));
  }

  Message message(int field, Message value) {
    return bytes(field, value.toBytes());
  }

  /// Numbers one after the other, as a repeated field.
  Message reals(int field, double[] values) {
    Message elements = new Message();
    for (double value : values) {
      elements.put(() -> elements.out.writeDoubleNoTag(value));
    }
    return message(field, elements);
  }

  byte[] toBytes() {
    put(out::flush);
    return bytes.toByteArray();
  }

  private Message put(Writing writing) {
    try {
      writing.run();
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException("memory refuses bytes", e);
    }
  }
}
