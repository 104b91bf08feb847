/// The commands behind `./gatun`.
module dev.gatun.cli {
  requires com.google.gson;
  requires dev.gatun;
  requires dev.gatun.tensorboard;
  requires info.picocli;
  requires java.desktop; // plots are painted
  requires me.tongfei.progressbar;
  requires org.knowm.xchart;
  requires static transitive org.jspecify;
  requires VectorGraphics2D;

  opens dev.gatun.cli to
      com.google.gson,
      info.picocli;
}
