/// Trains deep networks.
module dev.gatun {
  requires dev.gatun.ffi;
  requires java.desktop; // pictures in, drawn characters
  requires jdk.jfr; // events of training; in every JDK, and free while nothing is recorded
  requires static transitive org.jspecify;

  exports dev.gatun;
  exports dev.gatun.data;
  exports dev.gatun.diagnosis;
  exports dev.gatun.random;
  exports dev.gatun.search;
}
