/// The commands behind `./gatun`.
module dev.gatun.cli {
  requires com.google.gson;
  requires dev.gatun;
  requires dev.gatun.tensorboard;
  requires info.picocli;
  requires me.tongfei.progressbar;
  requires static transitive org.jspecify;

  opens dev.gatun.cli to
      com.google.gson,
      info.picocli;
}
