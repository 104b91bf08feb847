/// Trains deep networks.
module dev.gatun {
  requires dev.gatun.ffi;
  requires static org.jspecify;

  exports dev.gatun;
  exports dev.gatun.data;
}
