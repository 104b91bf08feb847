package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Device;
import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.Layers;
import dev.gatun.Layers.Dense;
import dev.gatun.Mode;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.Optimizer;
import dev.gatun.ResNet;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.Trainer;
import dev.gatun.random.RandomStream;
import dev.gatun.suite.Backends;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Parameters and states of layers, and the difference between training and inference.
class LayersTest {
  private static final int[] ONE_LABEL = {0};

  @Test
  void names_arePathsInTheOrderOfTheNetwork() {
    try (Device device = Device.reference();
        Model model = Model.of(ResNet.cifar(8, 10), device, 1)) {
      List<String> names = model.parameterNames();
      assertEquals(
          List.of(
              "conv0.weight",
              "batchNorm0.weight",
              "batchNorm0.bias",
              "stage1.residual0.branch.conv0.weight",
              "stage1.residual0.branch.batchNorm0.weight",
              "stage1.residual0.branch.batchNorm0.bias",
              "stage1.residual0.branch.conv1.weight",
              "stage1.residual0.branch.batchNorm1.weight",
              "stage1.residual0.branch.batchNorm1.bias"),
          names.subList(0, 9));
      assertEquals(List.of("dense0.weight", "dense0.bias"), names.subList(21, 23));
      assertEquals(23, names.size());
      assertEquals(
          List.of("batchNorm0.runningMean", "batchNorm0.runningVariance"),
          model.stateNames().subList(0, 2));
      assertEquals(14, model.stateNames().size());
      assertEquals(Shape.of(16, 3, 3, 3), model.shape("conv0.weight"));
      assertEquals(Shape.of(16), model.shape("batchNorm0.runningMean"));
      assertEquals(
          "the model has no tensor conv0.bias",
          assertThrows(IllegalArgumentException.class, () -> model.shape("conv0.bias"))
              .getMessage());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void customLayers_haveParametersPartsAndInputsOfTheirOwn(Backends backend) {
    Device device = backend.device();
    Layer gated =
        (context, x) -> {
          Tensor inner = context.apply("inner", new Dense(2), x);
          return inner.times(context.parameter("gate", Initializer.constant(0.5), 2));
        };
    try (Model model = Model.of(Net.input(3).layer("gated", gated), device, 1)) {
      assertEquals(
          List.of("gated0.inner.weight", "gated0.inner.bias", "gated0.gate"),
          model.parameterNames());
      model.write("gated0.inner.weight", new float[] {1, 2, 3, -1, 0, 1});
      model.write("gated0.inner.bias", new float[] {10, 20});
      model.write("gated0.gate", new float[] {2, 0.5f});
      assertArrayEquals(
          new float[] {48, 11, 20, 10}, model.predict(new float[] {1, 2, 3, 0, 0, 0}));
    }
  }

  /// More than is copied at a time, and not a multiple of it.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void largeParameters_areReadAsTheyWereWritten(Backends backend) {
    try (Model model = Model.of(Net.input(701).dense(1009), backend.device(), 1)) {
      float[] elements = normal(701 * 1009, 4);
      model.write("dense0.weight", elements);
      assertArrayEquals(elements, model.read("dense0.weight"));
      assertArrayEquals(new float[1009], model.read("dense0.bias"));
      assertEquals(
          "dense0.weight is (1009, 701) with 707309 elements, found 1",
          assertThrows(ShapeException.class, () -> model.write("dense0.weight", new float[1]))
              .getMessage());
    }
  }

  @Test
  void aParameterBeyondAnArray_isRefusedBeforeMemoryIsTaken() {
    try (Device device = Device.reference()) {
      assertEquals(
          "dense0.weight is (60000, 60000); a parameter may have 2147483639 elements at most",
          assertThrows(
                  ShapeException.class, () -> Model.of(Net.input(60_000).dense(60_000), device, 1))
              .getMessage());
      assertEquals(0, device.memoryUse().allocations());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void aParameterAskedForTwice_isOneParameter(Backends backend) {
    Layer tied =
        (context, x) ->
            x.times(context.parameter("w", Initializer.ones(), 1))
                .times(context.parameter("w", Initializer.ones(), 1));
    Net net = Net.input(1).layer("tied", tied);
    assertEquals(1, net.parameterCount());
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.sgd(1))
            .loss((outputs, labels) -> outputs.mean())) {
      trainer.model().write("tied0.w", new float[] {3});
      assertEquals(18, trainer.step(new float[] {2}, ONE_LABEL, 0.125)); // 2 w²
      assertArrayEquals(new float[] {1.5f}, trainer.model().read("tied0.w")); // 3 - 4 w / 8
    }
  }

  /// What a layer reads of a state is what the step began with, whatever it stores.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void states_changeWhenTheStepEnds(Backends backend) {
    Layer counting =
        (context, x) -> {
          Tensor count = context.state("count", 0, 2);
          context.update(count, count.plus(1));
          return x.plus(count);
        };
    Layer swapping =
        (context, x) -> {
          Tensor a = context.state("a", 1, 1);
          Tensor b = context.state("b", 2, 1);
          context.update(a, b);
          context.update(b, a);
          return x.plus(a.times(100)).plus(b.times(10));
        };
    Layer turning =
        (context, x) -> {
          Tensor matrix = context.state("matrix", 1, 2, 2);
          context.update(matrix, matrix.transpose());
          return x.plus(matrix.minus(matrix).sum());
        };
    Layer remembering =
        (context, x) -> {
          Tensor weight = context.parameter("w", Initializer.constant(7), 2);
          context.update(context.state("before", 0, 2), weight);
          return x.plus(weight.times(0.5).minus(3.5));
        };
    Net net =
        Net.input(2)
            .layer("counting", counting)
            .layer("swapping", swapping)
            .layer("turning", turning)
            .layer("remembering", remembering);
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .optimizer(Optimizer.sgd(1))
            .loss((outputs, labels) -> outputs.mean())) {
      Model model = trainer.model();
      model.write("turning0.matrix", new float[] {1, 2, 3, 4});
      float[] zeros = {0, 0};
      assertEquals(120, trainer.step(zeros, ONE_LABEL, 4)); // count 0, a 1, b 2
      assertArrayEquals(new float[] {1, 1}, model.read("counting0.count"));
      assertArrayEquals(new float[] {2}, model.read("swapping0.a"));
      assertArrayEquals(new float[] {1}, model.read("swapping0.b"));
      assertArrayEquals(new float[] {1, 3, 2, 4}, model.read("turning0.matrix"));
      assertArrayEquals(new float[] {7, 7}, model.read("remembering0.before"));
      assertArrayEquals(new float[] {6, 6}, model.read("remembering0.w")); // 7 - 4/4
      assertEquals(1 + 210 - 0.5f, trainer.step(zeros, ONE_LABEL, 4)); // count 1, a 2, b 1, w 6
      assertArrayEquals(new float[] {6, 6}, model.read("remembering0.before"));
      model.predict(zeros);
      assertArrayEquals(new float[] {2, 2}, model.read("counting0.count"), "after inference");
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void mode_isWhatTheNetworkIsCompiledFor(Backends backend) {
    Layer layer = (context, x) -> x.plus(context.mode() == Mode.TRAINING ? 1 : 2);
    try (Trainer trainer =
        Trainer.of(Net.input(1).layer("layer", layer))
            .on(backend.device())
            .loss((outputs, labels) -> outputs.mean())) {
      assertEquals(1, trainer.step(new float[1], ONE_LABEL, 1));
      assertArrayEquals(new float[] {2}, trainer.model().predict(new float[1]));
    }
  }

  /// A network's constants are copied when it is compiled; the tensor may be closed afterwards.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void concreteTensors_areConstants(Backends backend) {
    Device device = backend.device();
    long held = device.memoryUse().bytes();
    Tensor scale = Tensor.of(device, new float[] {2, 3}, 2);
    Net net = Net.input(2).layer("scale", (context, x) -> x.times(scale));
    try (Trainer trainer =
        Trainer.of(net).on(device).loss((outputs, labels) -> outputs.times(scale).sum())) {
      assertEquals(4 + 9, trainer.step(new float[] {1, 1}, ONE_LABEL, 1));
      assertArrayEquals(new float[] {2, 3}, trainer.model().predict(new float[] {1, 1}));
      scale.close();
      assertEquals(8 + 9, trainer.step(new float[] {2, 1}, ONE_LABEL, 1));
      assertArrayEquals(new float[] {4, 3}, trainer.model().predict(new float[] {2, 1}));
    }
    assertEquals(held, device.memoryUse().bytes());
  }

  @Test
  void constantsOfAnotherDevice_areRefused() {
    try (Device here = Device.reference();
        Device there = Device.reference();
        Tensor scale = Tensor.of(there, new float[] {2, 3}, 2);
        Trainer trainer =
            Trainer.of(Net.input(2).layer("scale", (context, x) -> x.times(scale))).on(here)) {
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class, () -> trainer.step(new float[] {1, 1}, ONE_LABEL, 1));
      assertEquals(
          "a layer or loss uses "
              + scale
              + ", which lives on another device than the model (reference, pure Java, 1 thread)",
          refused.getMessage());
    }
  }

  /// Inverted dropout: kept elements are doubled, about half are kept, and the mask is a function
  /// of seed, step and layer.
  @Test
  void dropoutMasks_differBetweenLayersStepsAndSeeds() {
    float[][] first = masks(Backends.REFERENCE.device(), 1);
    for (float[] mask : first) {
      int kept = 0;
      for (float x : mask) {
        assertEquals(x == 0 ? 0 : 2, x);
        kept += x == 0 ? 0 : 1;
      }
      assertEquals(0.5, kept / (double) mask.length, 0.05);
    }
    for (int i = 0; i < first.length; i++) {
      for (int k = 0; k < i; k++) {
        assertEquals(0.5, agreement(first[i], first[k]), 0.05, i + " and " + k);
      }
    }
    assertArrayEquals(first, masks(Backends.REFERENCE.device(), 1));
    assertEquals(0.5, agreement(first[0], masks(Backends.REFERENCE.device(), 2)[0]), 0.05);
  }

  @Test
  void dropoutMasks_areTheSameOnEveryDevice() {
    assertArrayEquals(masks(Backends.REFERENCE.device(), 1), masks(Backends.CPU.device(), 1));
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void dropout_vanishesInInference(Backends backend) {
    float[] inputs = normal(64, 1);
    try (Model model = Model.of(Net.input(64).dropout(0.9), backend.device(), 1)) {
      assertArrayEquals(inputs, model.predict(inputs));
    }
  }

  /// running = 0.9 · old + 0.1 · batch, with the variance of the sample.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void batchNorm_movesItsEstimatesInTrainingOnly(Backends backend) {
    int channels = 3;
    int rows = 8 * 4 * 4;
    Net net =
        Net.input(4, 4, channels).batchNorm(new BatchNorm(0.25, 1e-3)).globalAveragePool().dense(2);
    float[] inputs = normal(rows * channels, 2);
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = inputs[i] * (1 + i % channels) + i % channels;
    }
    double[] mean = new double[channels];
    double[] variance = new double[channels];
    for (int i = 0; i < inputs.length; i++) {
      mean[i % channels] += (double) inputs[i] / rows;
    }
    for (int i = 0; i < inputs.length; i++) {
      double distance = inputs[i] - mean[i % channels];
      variance[i % channels] += distance * distance / (rows - 1);
    }
    try (Trainer trainer = Trainer.of(net).on(backend.device())) {
      Model model = trainer.model();
      trainer.step(inputs, new int[8], 0);
      float[] runningMean = model.read("batchNorm0.runningMean");
      float[] runningVariance = model.read("batchNorm0.runningVariance");
      for (int c = 0; c < channels; c++) {
        assertEquals(0.25 * mean[c], runningMean[c], 1e-5);
        assertEquals(0.75 + 0.25 * variance[c], runningVariance[c], 1e-5 * variance[c]);
      }
      float[] outputs = model.predict(inputs);
      assertArrayEquals(runningMean, model.read("batchNorm0.runningMean"));
      assertArrayEquals(runningVariance, model.read("batchNorm0.runningVariance"));
      trainer.step(inputs, new int[8], 0);
      float[] twice = model.read("batchNorm0.runningMean");
      for (int c = 0; c < channels; c++) {
        assertEquals(0.4375 * mean[c], twice[c], 1e-5);
      }
      assertNotEquals(outputs[0], model.predict(inputs)[0], "other estimates, other outputs");
    }
  }

  /// In inference each input is normalised by the estimates, whatever else is in the batch.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void batchNorm_inInference_usesTheEstimates(Backends backend) {
    try (Model model =
        Model.of(Net.input(2).batchNorm(new BatchNorm(0.1, 0.5)), backend.device(), 1)) {
      model.write("batchNorm0.runningMean", new float[] {1, -1});
      model.write("batchNorm0.runningVariance", new float[] {3.5f, 0.5f});
      model.write("batchNorm0.weight", new float[] {2, 3});
      model.write("batchNorm0.bias", new float[] {10, 20});
      assertArrayEquals(
          new float[] {12, 29, 9, 23}, model.predict(new float[] {3, 2, 0, 0}), 1e-5f);
      assertArrayEquals(new float[] {9, 23}, model.predict(new float[] {0, 0}), 1e-5f);
    }
  }

  /// Four masks of 2048 elements: two layers at each of two steps.
  private static float[][] masks(Device device, long seed) {
    int size = 2048;
    Layer dropping =
        (context, x) -> {
          Tensor dropped = new Layers.Dropout(0.5).apply(context, x);
          context.update(context.state("seen", 0, size), dropped.mean(0));
          return x;
        };
    float[] ones = new float[size];
    Arrays.fill(ones, 1);
    Net net = Net.input(size).layer("drop", dropping).layer("drop", dropping);
    try (Trainer trainer =
        Trainer.of(net).on(device).seed(seed).loss((outputs, labels) -> outputs.mean())) {
      float[][] masks = new float[4][];
      for (int step = 0; step < 2; step++) {
        trainer.step(ones, ONE_LABEL, 0);
        masks[2 * step] = trainer.model().read("drop0.seen");
        masks[2 * step + 1] = trainer.model().read("drop1.seen");
      }
      return masks;
    }
  }

  private static double agreement(float[] a, float[] b) {
    int same = 0;
    for (int i = 0; i < a.length; i++) {
      same += a[i] == b[i] ? 1 : 0;
    }
    return (double) same / a.length;
  }

  private static float[] normal(int count, long seed) {
    RandomStream random = new RandomStream(seed, 0);
    float[] elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }
}
