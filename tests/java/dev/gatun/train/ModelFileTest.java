package dev.gatun.train;

import static dev.gatun.ParameterSelector.under;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Evaluation;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.DataFormatException;
import dev.gatun.data.Dataset;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.Projection;
import dev.gatun.data.Samples;
import dev.gatun.suite.Backends;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// A model comes back from its file with its preprocessing; a bad file changes nothing.
class ModelFileTest {
  private static final Net NET =
      Net.input(4, 4, 1)
          .concat(x -> x.conv(3, 3).batchNorm(), x -> x.conv(2, 1))
          .relu()
          .flatten()
          .dense(Pictures.CLASSES);
  private static final Net SMALL = Net.input(2).dense(1);

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource
  void whatIsLoaded_predictsTheSame(Backends backend) throws IOException {
    Dataset train = Pictures.noisy(100, new ImageShape(4, 4, 1), 0.3, 1);
    Preprocessing zca = Projection.zca(Samples.of(train), 0.01);
    Path file = folder.resolve("model.safetensors");
    float[] inputs = zca.apply(Pictures.normal(16 * 5, 3));
    float[] outputs;
    Evaluation evaluation;
    Device device = backend.device();
    try (Trainer trainer =
        Trainer.of(NET).on(device).preprocess(zca).optimizer(Optimizer.adam(0.01))) {
      trainer.fit(train.batch(20), Span.epochs(2));
      trainer.model().save(file);
      outputs = trainer.model().predict(inputs);
      evaluation = trainer.evaluate(train.batch(50));
    }
    try (Model loaded = Model.load(NET, device, file)) {
      assertArrayEquals(outputs, loaded.predict(inputs));
      Preprocessing again = Objects.requireNonNull(loaded.preprocessing());
      assertArrayEquals(zca.apply(inputs), again.apply(inputs));
    }
    try (Trainer other = Trainer.of(NET).on(device)) {
      other.model().restore(file);
      Evaluation same = other.evaluate(train.batch(50));
      assertEquals(evaluation.loss(), same.loss());
      assertEquals(evaluation.accuracy(), same.accuracy());
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList()); // no part is left
    }
  }

  /// Fitted means are what training used and what evaluation uses.
  @Test
  void fit_keepsThePreprocessing() {
    Dataset train = Pictures.noisy(40, new ImageShape(4, 4, 1), 0.3, 1);
    FeatureScaler meanImage = FeatureScaler.center(Samples.of(train));
    try (Trainer trainer = Trainer.of(NET).on(Backends.REFERENCE.device()).preprocess(meanImage)) {
      trainer.fit(train.batch(20), Span.epochs(1));
      assertEquals(meanImage, trainer.model().preprocessing());
    }
    try (Trainer trainer = Trainer.of(NET).on(Backends.REFERENCE.device())) {
      trainer.fit(train.batch(20), Span.epochs(1));
      assertEquals("standardizer", Objects.requireNonNull(trainer.model().preprocessing()).kind());
    }
  }

  /// Given, it is the model's also where steps are one's own.
  @Test
  void preprocessing_isKeptByOwnStepsToo() {
    FeatureScaler scaler = FeatureScaler.of(new double[] {1, 2}, new double[] {3, 4});
    try (Trainer trainer =
        Trainer.of(SMALL)
            .on(Backends.REFERENCE.device())
            .loss(Loss.meanSquaredError())
            .preprocess(scaler)) {
      trainer.step(new float[2], new float[1], 0.1);
      assertEquals(scaler, trainer.model().preprocessing());
    }
  }

  /// The body of one network under the head of another.
  @Test
  void restore_ofAPart_leavesTheRest() throws IOException {
    Device device = Backends.REFERENCE.device();
    Net old = Net.input(2).stage("body", part -> part.dense(3).batchNorm()).dense(4);
    Net changed = Net.input(2).stage("body", part -> part.dense(3).batchNorm()).dense(5);
    Path file = folder.resolve("old");
    try (Model trained = Model.of(old, device, 1);
        Model model = Model.of(changed, device, 2)) {
      trained.write("body.batchNorm0.runningMean", new float[] {1, 2, 3});
      trained.save(file);
      float[] head = model.read("dense0.weight");
      says(model, "tensor dense0.weight: F32 (5, 3) expected, found F32 (4, 3)", file);
      model.restore(file, under("dense0").not());
      for (String name : List.of("body.dense0.weight", "body.batchNorm0.runningMean")) {
        assertArrayEquals(trained.read(name), model.read(name));
      }
      assertArrayEquals(head, model.read("dense0.weight"));
      Messages.refused(
          "[restore] expected the path of a parameter or of a layer with some, found"
              + " under(\"dense1\"); there are "
              + all(model),
          () -> model.restore(file, under("dense1").not()));
      Messages.refused(
          "[restore] expected a selector of some of " + all(model) + ", found one of none",
          () -> model.restore(file, (name, shape) -> false));
      assertTrue(
          Messages.message(DataFormatException.class, () -> model.restore(file, under("dense0")))
              .contains("tensor dense0.weight: F32 (5, 3) expected"));
      assertArrayEquals(head, model.read("dense0.weight"));
    }
  }

  private static List<String> all(Model model) {
    return Stream.concat(model.parameterNames().stream(), model.stateNames().stream()).toList();
  }

  @Test
  void theFile_isSafetensors() throws IOException {
    try (Model model = Model.of(SMALL, Backends.REFERENCE.device(), 1)) {
      model.write("dense0.weight", new float[] {1, -2});
      model.write("dense0.bias", new float[] {0.5f});
      Path file = folder.resolve("small");
      model.save(file);
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
      int length = (int) bytes.getLong();
      assertEquals(0, length % 8);
      byte[] header = new byte[length];
      bytes.get(header);
      assertEquals(
          "{\"__metadata__\":{\"format\":\"gatun\"},"
              + "\"dense0.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
              + "\"dense0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
          new String(header, UTF_8).strip());
      assertEquals(1, bytes.getFloat());
      assertEquals(-2, bytes.getFloat());
      assertEquals(0.5f, bytes.getFloat());
      assertEquals(0, bytes.remaining());
    }
  }

  @Test
  void badFiles_areRefused_andChangeNothing() throws IOException {
    String weight = "\"dense0.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}";
    String bias = "\"dense0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}";
    try (Model model = Model.of(SMALL, Backends.REFERENCE.device(), 1)) {
      float[] before = model.read("dense0.weight");
      says(model, "found nothing", folder.resolve("none"));
      says(model, "at least 8 bytes expected, found 3", write(new byte[3]));
      says(model, "the file says 99", write(header(99, "{}", 0)));
      says(model, "the file says 18446744073709551615", write(header(-1, "{}", 0)));
      says(model, "the header is not the JSON expected", write(header(2, "{x", 0)));
      says(model, "stands twice", file("{" + weight + "," + weight + "}", 8));
      says(model, "truncated: 12 bytes of data expected, found 11", file(json(weight, bias), 11));
      says(model, "too long: 12 bytes of data expected, found 13", file(json(weight, bias), 13));
      says(model, "a tensor dense0.bias expected", file(json(weight), 8));
      says(
          model,
          "found also [more]",
          file(
              json(weight, bias, bias.replace("dense0.bias", "more").replace("8,12", "12,16")),
              16));
      says(
          model,
          "tensor dense0.weight: F32 (1, 2) expected, found F32 (2, 1)",
          file(json(weight.replace("1,2", "2,1"), bias), 12));
      says(
          model,
          "tensor dense0.bias: F32 (1) expected, found I32 (1)",
          file(json(weight, bias.replace("F32", "I32")), 12));
      says(model, "a known dtype expected, found F12", file(json(weight.replace("F32", "F12")), 8));
      says(model, "data_offsets 8 bytes apart", file(json(weight.replace("0,8", "8,0")), 8));
      says(model, "whole numbers of at least 0", file(json(weight.replace("1,2", "-1,-2")), 8));
      says(
          model,
          "too many elements",
          file(json(weight.replace("1,2", "4611686018427387904,4611686018427387904")), 8));
      says(
          model,
          "tensor dense0.bias: a beginning at byte 8 of the data expected, found 4",
          file(json(weight, bias.replace("8,12", "4,8")), 8));
      says(model, "dtype, shape and data_offsets expected", file("{\"a\":[]}", 0));
      says(
          model,
          "found brightness",
          file(json("\"__metadata__\":{\"preprocessing\":\"brightness\"}", weight, bias), 12));
      says(
          model,
          "values called mean are missing",
          file(json("\"__metadata__\":{\"preprocessing\":\"standardizer\"}", weight, bias), 12));
      assertArrayEquals(before, model.read("dense0.weight"));
      model.restore(file(json(weight, bias), 12));
      assertArrayEquals(new float[2], model.read("dense0.weight"));
    }
  }

  /// Any prefix of a good file, and any byte of it changed, is read or refused, never a crash.
  @Test
  void damagedFiles_areReadOrRefused() throws IOException {
    try (Model model = Model.of(SMALL, Backends.REFERENCE.device(), 1)) {
      Path good = folder.resolve("good");
      model.save(good);
      byte[] bytes = Files.readAllBytes(good);
      int refused = 0;
      for (int i = 0; i < bytes.length; i++) {
        Path prefix = write(java.util.Arrays.copyOf(bytes, i));
        assertThrows(DataFormatException.class, () -> model.restore(prefix));
        byte[] changed = bytes.clone();
        changed[i] ^= 0x11;
        Path damaged = write(changed);
        try {
          model.restore(damaged);
        } catch (DataFormatException e) {
          refused++;
        }
      }
      assertTrue(refused > bytes.length / 2, refused + " refused");
    }
  }

  private static String json(String... members) {
    return "{" + String.join(",", members) + "}";
  }

  private Path file(String header, int dataBytes) throws IOException {
    return write(header(header.length(), header, dataBytes));
  }

  private static byte[] header(long length, String header, int dataBytes) {
    return ByteBuffer.allocate(8 + header.length() + dataBytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(header.getBytes(UTF_8))
        .array();
  }

  private Path write(byte[] content) throws IOException {
    return Files.write(folder.resolve("file"), content);
  }

  /// An interrupt ends a write as a full disk does: with an error that names no file by itself.
  @Test
  void aFailedWrite_namesTheFile_andKeepsTheOld() throws IOException {
    Path file = folder.resolve("model.safetensors");
    try (Model model = Model.of(Net.input(2).dense(2), Backends.REFERENCE.device(), 1)) {
      model.save(file);
      byte[] before = Files.readAllBytes(file);
      Thread.currentThread().interrupt();
      IOException failure = assertThrows(IOException.class, () -> model.save(file));
      assertTrue(Thread.interrupted());
      String message = String.valueOf(failure.getMessage());
      assertTrue(message.startsWith(file + ": "), message);
      assertArrayEquals(before, Files.readAllBytes(file));
      try (Stream<Path> files = Files.list(folder)) {
        assertEquals(List.of(file), files.toList());
      }
    }
  }

  /// A file beside it that is called as a part once was is somebody's own.
  @Test
  void aFileBesideIt_staysAsItIs() throws IOException {
    Path other = folder.resolve("model.part");
    Files.writeString(other, "of somebody else");
    try (Model model = Model.of(Net.input(2).dense(3), Backends.REFERENCE.device(), 1)) {
      model.save(folder.resolve("model"));
      model.save(folder.resolve("model"));
    }
    assertEquals("of somebody else", Files.readString(other));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(2, files.count());
    }
  }

  private static void says(Model model, String part, Path file) {
    String message =
        String.valueOf(
            assertThrows(DataFormatException.class, () -> model.restore(file)).getMessage());
    assertTrue(message.contains(part), message);
  }
}
