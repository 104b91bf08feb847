package dev.gatun.tensorboard;

import dev.gatun.Operation;
import java.util.List;

/// What stands in event files, as messages of Protocol Buffers. The names and numbers of the fields
/// are those of TensorFlow's `Event`, `Summary` and `TensorProto`; a network's are in
/// [GraphMessage].
final class Events {
  /// What a file begins with. From version 2 on, [#restart] is understood.
  private static final String VERSION = "brain.Event:2";

  // Of an Event.
  private static final int WALL_TIME = 1;
  private static final int STEP = 2;
  private static final int FILE_VERSION = 3;
  private static final int GRAPH_DEF = 4;
  private static final int SUMMARY = 5;
  private static final int SESSION_LOG = 7;

  // Of a SessionLog.
  private static final int STATUS = 1;
  private static final int START = 1;

  // Of a Summary, and of its values.
  private static final int VALUE = 1;
  private static final int TAG = 1;
  private static final int SIMPLE_VALUE = 2;
  private static final int IMAGE = 4;
  private static final int HISTOGRAM = 5;
  private static final int TENSOR = 8;
  private static final int METADATA = 9;

  // Of a TensorProto.
  private static final int DTYPE = 1;
  private static final int DT_STRING = 7;
  private static final int STRING_VALUE = 8;

  // Of a value's metadata.
  private static final int PLUGIN = 1;
  private static final int PLUGIN_NAME = 1;
  private static final int DATA_CLASS = 4;
  private static final int DATA_CLASS_TENSOR = 2;

  private Events() {}

  /// The first event of a file.
  static Message version() {
    return at(0).text(FILE_VERSION, VERSION);
  }

  /// Says that what a run wrote for this step and later ones no longer holds.
  static Message restart(long step) {
    return at(step).message(SESSION_LOG, new Message().whole(STATUS, START));
  }

  /// The network of a run.
  static Message graph(List<Operation> operations) {
    return at(0).message(GRAPH_DEF, GraphMessage.of(operations));
  }

  /// Values of a step.
  static Message summary(long step, List<Message> values) {
    Message summary = new Message();
    values.forEach(value -> summary.message(VALUE, value));
    return at(step).message(SUMMARY, summary);
  }

  /// A value that is a number.
  static Message scalar(String tag, double value) {
    return new Message().text(TAG, tag).single(SIMPLE_VALUE, (float) value);
  }

  /// A value that is a text in Markdown.
  static Message text(String tag, String markdown) {
    Message tensor = new Message().whole(DTYPE, DT_STRING).text(STRING_VALUE, markdown);
    Message metadata =
        new Message()
            .message(PLUGIN, new Message().text(PLUGIN_NAME, "text"))
            .whole(DATA_CLASS, DATA_CLASS_TENSOR);
    return new Message().text(TAG, tag).message(TENSOR, tensor).message(METADATA, metadata);
  }

  /// A value that is a distribution.
  static Message histogram(String tag, Histogram histogram) {
    Message content =
        new Message()
            .real(1, histogram.min())
            .real(2, histogram.max())
            .real(3, histogram.count())
            .real(4, histogram.sum())
            .real(5, histogram.sumOfSquares())
            .reals(6, histogram.limits())
            .reals(7, histogram.counts());
    return new Message().text(TAG, tag).message(HISTOGRAM, content);
  }

  /// A value that is a picture.
  static Message image(String tag, Grid grid) {
    Message content =
        new Message()
            .whole(1, grid.height())
            .whole(2, grid.width())
            .whole(3, grid.channels()) // 1 is grey, 3 is RGB
            .bytes(4, grid.png());
    return new Message().text(TAG, tag).message(IMAGE, content);
  }

  private static Message at(long step) {
    return new Message().real(WALL_TIME, System.currentTimeMillis() * 1e-3).whole(STEP, step);
  }
}
