/// The C ABI as Java sees it. Every restricted call of Gatun is made here, so a program grants
/// `--enable-native-access=dev.gatun.ffi` and nothing else.
module dev.gatun.ffi {
  requires static transitive org.jspecify;

  exports dev.gatun.ffi to
      dev.gatun;
}
