package dev.gatun.tensorboard;

import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Model;
import dev.gatun.Shape;
import dev.gatun.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Writes a trainer's runs into a folder for TensorBoard, without TensorFlow:
///
/// ```java
/// trainer.watch(tensorBoard(Path.of("runs/first")));       // then: tensorboard --logdir runs
/// ```
///
/// In the folder are two runs, as TensorBoard has it, so that training and test are drawn into one
/// chart:
///
/// | run | tag | what |
/// |---|---|---|
/// | train | `loss`, `accuracy`, `learning rate` | of every step |
/// | train | `gradient norm` | of every step, where [dev.gatun.Clipping] measures it |
/// | train | `parameters/NAME` | a histogram, at the beginning and after each epoch |
/// | train | `net`, `settings`, notes | texts, at the beginning |
/// | train | the graph | of the network, at the beginning: layers are boxes, their operations inside |
/// | train | `pictures` | the first batch after augmentation, at the beginning, in a grid |
/// | train | `filters/NAME` | of the first layer, at the beginning and after each epoch, in a grid |
/// | test | `loss`, `accuracy` | after each epoch, at its last step |
///
/// Steps count through all runs of the trainer. A run that is resumed from a checkpoint goes on in
/// a new file of the same folder, and one that goes back to where all was well takes away what it
/// undoes. A folder is for one trainer: a new one takes the place of what an earlier one wrote.
///
/// Grids have the first 64 pictures or filters, row by row. Each is stretched for itself from
/// black, its least number, to white, its greatest, and enlarged if it is small; so what
/// standardising took from pictures does not matter, and colours of filters tell what is more and
/// what is less. Filters are those of a convolution, or of a dense layer over all pixels. Other
/// networks than those whose inputs are pictures `[H, W, 1]` or `[H, W, 3]` have no grids.
///
/// Every event is in its file at once. What cannot be written is an [java.io.UncheckedIOException]
/// in the training.
public final class TensorBoard implements Watcher {
  private final Path folder;
  private final Map<String, String> notes = new LinkedHashMap<>();
  private boolean histograms = true;
  private boolean images = true;
  private long every = 1;

  private @Nullable Model model;
  private @Nullable EventFile train;
  private @Nullable EventFile test;
  private long before; // steps of the trainer's earlier runs
  private long last; // step of the trainer
  private long from; // where events of the present run begin

  private TensorBoard(Path folder) {
    this.folder = folder;
  }

  /// Writes into this folder, which is made when training begins.
  public static TensorBoard tensorBoard(Path folder) {
    return new TensorBoard(folder);
  }

  /// Adds a text of your own.
  ///
  /// @param tag what to call it
  /// @param markdown the text
  public TensorBoard note(String tag, String markdown) {
    notes.put(tag, markdown);
    return this;
  }

  /// Writes the figures of every n-th step only. For runs of millions of steps: each takes about
  /// 120 bytes.
  ///
  /// @throws IllegalArgumentException if n is not at least 1
  public TensorBoard everySteps(long n) {
    if (n < 1) {
      throw new IllegalArgumentException(
          "[tensorBoard] expected a number of steps of at least 1, found " + n);
    }
    every = n;
    return this;
  }

  /// Leaves the histograms of parameters out, which are read from the device after each epoch.
  public TensorBoard withoutHistograms() {
    histograms = false;
    return this;
  }

  /// Leaves pictures and filters out. The first ones cost loading a batch once more, and filters
  /// are read from the device after each epoch.
  public TensorBoard withoutImages() {
    images = false;
    return this;
  }

  @Override
  public void start(Start start) {
    close(); // what an exception left open
    before = start.stepsBefore();
    last = before + start.stepsDone();
    from = last;
    model = start.model();
    EventFile file = restarted("train", last);
    train = file;
    if (last == 0) {
      List<Message> texts = new ArrayList<>();
      texts.add(Events.text("net", code(start.model().net().summary())));
      texts.add(Events.text("settings", table(start.settings())));
      notes.forEach((tag, markdown) -> texts.add(Events.text(tag, markdown)));
      file.write(Events.summary(0, texts));
      file.write(Events.graph(start.model().net().operations(start.batchSize())));
      writePictures(file, start);
      writeHistograms(file, start.model());
      writeFilters(file, start.model());
    }
  }

  @Override
  public void step(Step step) {
    last = before + step.step();
    EventFile file = train;
    if (file == null || last % every != 0) {
      return;
    }
    List<Message> values = new ArrayList<>();
    addJudgement(values, step.loss(), step.accuracy());
    values.add(Events.scalar("learning rate", step.learningRate()));
    if (!Double.isNaN(step.gradientNorm())) {
      values.add(Events.scalar("gradient norm", step.gradientNorm()));
    }
    file.write(Events.summary(last, values));
  }

  /// Without the accuracy of a network that has none.
  private static void addJudgement(List<Message> values, double loss, double accuracy) {
    values.add(Events.scalar("loss", loss));
    if (!Double.isNaN(accuracy)) {
      values.add(Events.scalar("accuracy", accuracy));
    }
  }

  @Override
  public void epoch(History.Epoch epoch) {
    Evaluation evaluation = epoch.test();
    if (evaluation != null) {
      EventFile file = test == null ? restarted("test", from) : test;
      test = file;
      List<Message> values = new ArrayList<>();
      addJudgement(values, evaluation.loss(), evaluation.accuracy());
      file.write(Events.summary(last, values));
    }
    if (train != null && model != null) {
      writeHistograms(train, model);
      writeFilters(train, model);
    }
  }

  @Override
  public void rolledBack(History.RollBack rollBack) {
    last = before + rollBack.to();
    if (train != null) {
      train.write(Events.restart(last + 1));
    }
    if (test != null) {
      test.write(Events.restart(last + 1));
    }
  }

  @Override
  public void end(History history) {
    close();
  }

  /// A file whose events take the place of all that follow on `done` steps.
  private EventFile restarted(String run, long done) {
    EventFile file = EventFile.create(folder.resolve(run));
    file.write(Events.restart(done == 0 ? 0 : done + 1));
    return file;
  }

  private void writeHistograms(EventFile file, Model present) {
    if (!histograms) {
      return;
    }
    for (String name : present.parameterNames()) {
      Histogram histogram = Histogram.of(present.read(name));
      if (histogram != null) {
        Message value = Events.histogram("parameters/" + name, histogram);
        file.write(Events.summary(last, List.of(value)));
      }
    }
  }

  private void writePictures(EventFile file, Start start) {
    Shape input = start.model().net().inputShape();
    if (!images || !Grid.shows(input)) {
      return;
    }
    float[] pictures = start.sample().get().inputs();
    if (pictures != null) {
      Message value = Events.image("pictures", Grid.of(pictures, input));
      file.write(Events.summary(0, List.of(value)));
    }
  }

  private void writeFilters(EventFile file, Model present) {
    Shape input = present.net().inputShape();
    if (!images || !Grid.shows(input)) {
      return;
    }
    for (String name : present.parameterNames()) {
      Shape shape = present.shape(name);
      if (shape.rank() > 1) { // the first layer's weights
        Shape filter = filter(shape, input);
        if (filter != null) {
          Message value = Events.image("filters/" + name, Grid.of(present.read(name), filter));
          file.write(Events.summary(last, List.of(value)));
        }
        return;
      }
    }
  }

  /// The extents of one filter as a picture, if weights of this shape are filters of such inputs:
  /// those of a convolution or of a dense layer.
  private static @Nullable Shape filter(Shape weights, Shape input) {
    if (weights.rank() == 4 && weights.dim(-1) == input.dim(-1)) {
      return Shape.of(weights.dim(1), weights.dim(2), weights.dim(3));
    }
    return weights.rank() == 2 && weights.dim(-1) == input.count() ? input : null;
  }

  private void close() {
    if (train != null) {
      train.close();
    }
    if (test != null) {
      test.close();
    }
    train = null;
    test = null;
    model = null;
  }

  private static String code(String text) {
    return text.lines().map(line -> "    " + line).collect(Collectors.joining("\n"));
  }

  private static String table(Map<String, String> rows) {
    return rows.entrySet().stream()
        .map(row -> "| %s | %s |".formatted(row.getKey(), row.getValue().replace("|", "\\|")))
        .collect(Collectors.joining("\n", "| setting | value |\n|---|---|\n", ""));
  }
}
