package dev.gatun.cli;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Evaluation;
import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Alphabet;
import dev.gatun.data.Text;
import dev.gatun.search.Goal;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A language model of characters: a GRU of 256 units that says what comes next, trained by
/// back-propagation through 64 steps, its states carried on along the text. The last tenth of the
/// text is held out.
///
/// @param name of the text
/// @param text the text
/// @param net the network
/// @param batch streams that the text is cut into
/// @param seed of the sample
record CharacterTask(String name, Text.Split text, Net net, int batch, long seed) implements Task {
  static final String MODEL = "chargru";

  private static final int STEPS = 64;
  private static final int BATCH = 64;
  private static final int TEST_STREAMS = 16;
  private static final double HELD_OUT = 0.1;
  private static final double TEMPERATURE = 0.8;
  private static final int SAMPLE = 400;

  static Task of(@Nullable Path data, long seed, @Nullable Integer wanted) {
    if (data == null || !Files.isRegularFile(data)) {
      throw new UsageException(
          "chargru learns from a text: --data expects a file"
              + (data == null ? "" : ", and " + data + " is none"));
    }
    Text text = Text.read(data);
    int batch = wanted == null ? BATCH : wanted;
    requireLength(text.length(), batch);
    int characters = text.alphabet().size();
    Net net = Net.tokens(STEPS).embedding(characters, 64).gru(256).dense(characters);
    String name = String.valueOf(data.getFileName());
    return new CharacterTask(name, text.split(HELD_OUT), net, batch, seed);
  }

  private static void requireLength(int length, int batch) {
    double least = Math.ceil(Math.max(batch / (1 - HELD_OUT), TEST_STREAMS / HELD_OUT) * STEPS);
    if (length <= least + STEPS) {
      throw new UsageException(
          "%d streams of %d characters and the held-out tenth need a longer text than %d characters"
              .formatted(batch, STEPS, length));
    }
  }

  @Override
  public String data() {
    return name;
  }

  @Override
  public String sizes() {
    return String.format(
        Locale.ROOT,
        "%,d training and %,d held-out characters, %d different ones",
        text.train().length(),
        text.heldOut().length(),
        text.alphabet().size());
  }

  @Override
  public String unit() {
    return "characters";
  }

  @Override
  public int unitsEach() {
    return STEPS;
  }

  @Override
  public double learningRate() {
    return 0.004;
  }

  @Override
  public double weightDecay() {
    return 0;
  }

  /// Adam with a decoupled weight decay, gradients of a norm of at most 1.
  @Override
  public void configure(Trainer trainer, Device device, double rate, double weightDecay) {
    trainer
        .optimizer(Optimizer.adam(rate).decoupledWeightDecay(weightDecay))
        .clipNorm(1)
        .carryStates();
  }

  @Override
  public void keepResident(Trainer trainer) {
    throw new UsageException(
        "--resident keeps pictures in the device's memory; %s learns from a text".formatted(MODEL));
  }

  @Override
  public Goal goal() {
    return Goal.LOSS;
  }

  @Override
  public Task validating() {
    requireLength(text.train().length(), batch);
    return new CharacterTask(name, text.train().split(HELD_OUT), net, batch, seed);
  }

  @Override
  public Doctor doctor(Trainer trainer) {
    return Doctor.of(trainer, text.train().batches(batch, STEPS));
  }

  @Override
  public History fit(Trainer trainer, Span length) {
    return trainer.fit(
        text.train().batches(batch, STEPS), text.heldOut().batches(TEST_STREAMS, STEPS), length);
  }

  @Override
  public void conclude(
      PrintWriter out, Trainer trainer, History history, @Nullable Evaluation test) {
    Alphabet alphabet = text.alphabet();
    int[] start = {text.heldOut().tokens()[0]};
    try (Writer writer = new Writer(trainer.model(), TEMPERATURE, seed)) {
      out.println();
      out.println(alphabet.decode(writer.write(start, SAMPLE)));
      out.println();
    }
    if (test != null) {
      out.printf(
          Locale.ROOT,
          "held-out text: %.4f nats per character, accuracy %.4f; %.0f characters/s in training,"
              + " step %.1f ms (median)%n",
          test.loss(),
          test.accuracy(),
          history.imagesPerSecond(),
          history.stepMillis(0.5));
    }
  }
}
