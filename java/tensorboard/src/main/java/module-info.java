/// Writes training runs for TensorBoard, without TensorFlow.
module dev.gatun.tensorboard {
  requires com.google.protobuf;
  requires transitive dev.gatun;
  requires java.desktop; // pictures out
  requires static transitive org.jspecify;

  exports dev.gatun.tensorboard;
}
