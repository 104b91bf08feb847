package dev.gatun.diagnosis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Doctor;
import dev.gatun.Loss;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Precision;
import dev.gatun.Shape;
import dev.gatun.Trainer;
import dev.gatun.suite.Backends;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What is measured, against what one computes by hand.
class ReadingsTest {
  private static final Net NET = Net.input(2).dense(2).relu().dense(1);
  private static final List<Minibatch> BATCHES =
      List.of(Minibatch.of(new float[] {1, 2, 3, 1}, new float[] {0, 4}));

  private static Trainer trainer(Device device) {
    return Trainer.of(NET).on(device).loss(Loss.meanSquaredError()).optimizer(Optimizer.sgd(0.1));
  }

  private static void write(Trainer trainer) {
    trainer.model().write("dense0.weight", new float[] {1, -1, 2, 0});
    trainer.model().write("dense0.bias", new float[] {0, -10});
    trainer.model().write("dense1.weight", new float[] {3, 5});
    trainer.model().write("dense1.bias", new float[] {1});
  }

  /// x = (1 2; 3 1), W = (1 -1; 2 0) and b = (0 -10) give (-1 -8; 2 -4); of that ReLU leaves (0 0;
  /// 2 0), and (3 5) with 1 makes 1 and 7 of it, where 0 and 4 are wanted. Back come 1 and 3, then
  /// (3 5; 9 15), of which ReLU lets 9 through.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void aBatch_isLaidOpen(Backends backend) {
    requireKnownReadings(backend.device());
  }

  /// The emulated one, unless there is another.
  @Test
  void aBatch_isLaidOpenOnCuda() {
    Backends.requireNative();
    try (Device device = Device.cuda(0)) {
      requireKnownReadings(device);
    }
  }

  private static void requireKnownReadings(Device device) {
    try (Trainer trainer = trainer(device)) {
      write(trainer);
      Inspection seen = Doctor.of(trainer, BATCHES).inspect();
      assertEquals(5, seen.loss(), 1e-5);
      assertEquals(8, seen.equalLoss(), 1e-5);
      assertEquals(
          List.of("dense0", "relu0", "dense1"),
          seen.layers().stream().map(LayerReading::path).toList());
      assertEquals(List.of(1, 0, 2), seen.layers().stream().map(LayerReading::depth).toList());

      LayerReading dense = seen.layers().get(0);
      assertEquals(-11.0 / 4, dense.output().mean(), 1e-6);
      assertEquals(-8, dense.output().least());
      assertEquals(2, dense.output().greatest());
      assertEquals(9, dense.gradientNorm(), 1e-5);
      assertEquals(LayerReading.Kind.OTHER, dense.kind());
      assertTrue(Double.isNaN(dense.saturated()));

      LayerReading relu = seen.layers().get(1);
      assertEquals(LayerReading.Kind.RELU, relu.kind());
      assertEquals(Shape.of(2, 2), relu.shape());
      assertEquals(0.5, relu.output().mean(), 1e-6);
      assertEquals(Math.sqrt(0.75), relu.output().deviation(), 1e-6);
      assertEquals(0.75, relu.output().zeros());
      assertEquals(0.5, relu.deadUnits());
      assertEquals(Math.sqrt(0.5), relu.variation(), 1e-6);
      assertEquals(Math.sqrt(340), relu.gradientNorm(), 1e-5);

      LayerReading last = seen.layers().get(2);
      assertEquals(4, last.output().mean(), 1e-5);
      assertEquals(3, last.variation(), 1e-5);
      assertEquals(Math.sqrt(10), last.gradientNorm(), 1e-5);

      ParameterReading weight = seen.parameter("dense0.weight").orElseThrow();
      assertEquals(Math.sqrt(6), weight.norm(), 1e-6);
      assertEquals(Math.sqrt(810), weight.gradientNorm(), 1e-4);
      assertEquals(6, seen.parameter("dense1.weight").orElseThrow().gradientNorm(), 1e-5);
      assertEquals(4, seen.parameter("dense1.bias").orElseThrow().gradientNorm(), 1e-5);
      assertTrue(seen.isFinite());
      assertTrue(seen.report().contains("relu0"), seen.report());
    }
  }

  /// For plain SGD a step is rate times gradient.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void updates_areThoseOfTheStep(Backends backend) {
    Net net = Net.input(2).dense(8).tanh().dense(1);
    try (Trainer trainer =
        Trainer.of(net)
            .on(backend.device())
            .loss(Loss.meanSquaredError())
            .optimizer(Optimizer.sgd(0.01))) {
      Inspection end =
          Objects.requireNonNull(Doctor.of(trainer, BATCHES).steps(4).trial(0.01).end());
      for (ParameterReading parameter : end.parameters()) {
        double expected = 0.01 * parameter.gradientNorm() / parameter.norm();
        assertEquals(expected, parameter.updateRatio(), 1e-3 * expected, parameter.name());
      }
    }
  }

  /// A sigmoid's ends begin at 4, those of tanh at 2.
  @ParameterizedTest
  @EnumSource(Backends.class)
  void saturation_beginsWhereSlopesAreSmall(Backends backend) {
    float[] inputs = {-5, -3.9f, 0, 4.1f};
    List<Minibatch> batches = List.of(Minibatch.of(inputs, new int[] {0}));
    for (boolean tanh : new boolean[] {false, true}) {
      Net input = Net.input(4).layer("scale", (context, x) -> tanh ? x.times(0.5) : x);
      Net net = tanh ? input.tanh() : input.sigmoid();
      try (Trainer trainer = Trainer.of(net.dense(2)).on(backend.device())) {
        Inspection seen = Doctor.of(trainer, batches).inspect();
        LayerReading layer = seen.layer(tanh ? "tanh0" : "sigmoid0").orElseThrow();
        assertEquals(0.5, layer.saturated(), layer.path());
      }
    }
  }

  @Test
  void inspecting_changesNothing() {
    Net net = Net.input(2).dense(4).batchNorm().relu().dropout(0.5).dense(2);
    float[] inputs = {1, 2, 3, 1, 0, 2, 4, 4};
    int[] labels = {0, 1, 1, 0};
    List<Minibatch> batches = List.of(Minibatch.of(inputs, labels));
    try (Trainer trainer = Trainer.of(net).on(Backends.CPU.device());
        Trainer other = Trainer.of(net).on(Backends.CPU.device())) {
      Diagnosis diagnosis = Doctor.of(trainer, batches).steps(8).examine();
      assertFalse(diagnosis.report().isEmpty());
      Doctor.of(trainer, batches).inspect();
      for (int i = 0; i < 5; i++) {
        assertEquals(other.step(inputs, labels, 0.1), trainer.step(inputs, labels, 0.1));
      }
    }
  }

  @Test
  void frozenParameters_haveNoGradient() {
    try (Trainer trainer =
        Trainer.of(NET)
            .on(Backends.CPU.device())
            .loss(Loss.meanSquaredError())
            .optimizer(
                ParameterGroups.of(Optimizer.sgd(0.1)).frozen(ParameterSelector.under("dense0")))) {
      write(trainer);
      Inspection seen = Doctor.of(trainer, BATCHES).inspect();
      assertTrue(Double.isNaN(seen.parameter("dense0.weight").orElseThrow().gradientNorm()));
      assertTrue(seen.parameter("dense1.weight").orElseThrow().gradientNorm() > 0);
      assertTrue(seen.isFinite());
    }
  }

  /// A residual is one place in the depth, what lies in its branch none.
  @Test
  void depth_countsResidualsOnce() {
    Net net =
        Net.input(4, 4, 2)
            .conv(2, 3)
            .residual(branch -> branch.conv(2, 3).relu().conv(2, 3))
            .stage("stage", stage -> stage.relu().conv(3, 3))
            .flatten()
            .dense(2);
    List<Minibatch> batches = List.of(Minibatch.of(new float[64], new int[2]));
    try (Trainer trainer = Trainer.of(net).on(Backends.REFERENCE.device())) {
      assertEquals(
          List.of("conv0", "residual0", "stage.conv0", "dense0"),
          Doctor.of(trainer, batches).inspect().depth().stream().map(LayerReading::path).toList());
    }
  }

  @Test
  void halfPrecision_isReadToo() {
    try (Trainer trainer = trainer(Backends.CPU.device()).precision(Precision.BF16)) {
      write(trainer);
      Inspection seen = Doctor.of(trainer, BATCHES).inspect();
      assertEquals(5, seen.loss(), 0.1);
      assertEquals(9, seen.layers().get(0).gradientNorm(), 0.2);
    }
  }

  @Test
  void aSpread_isCountedByHand() {
    Spread spread = Spread.of(new float[] {0, 1, 2, Float.NaN, 5, Float.NEGATIVE_INFINITY});
    assertEquals(2, spread.notFinite());
    assertEquals(2, spread.mean());
    assertEquals(Math.sqrt(3.5), spread.deviation(), 1e-12);
    assertEquals(1.0 / 6, spread.zeros(), 1e-12);
    assertEquals(0, spread.least());
    assertEquals(5, spread.greatest());
    Histogram histogram = Histogram.of(new float[] {0, 1, 1, 2}, 0, 2, 2);
    assertEquals(List.of(1L, 3L), histogram.counts());
    assertEquals("▃█", histogram.bars());
    assertEquals(List.of(2L), Histogram.of(new float[] {7, 7}, 7, 7, 1).counts());
  }

  @Test
  void data_isCountedByHand() {
    List<Minibatch> batches =
        List.of(
            Minibatch.of(new float[] {0, 10, 2, 10}, new int[] {1, 1}),
            Minibatch.of(new float[] {0, 10, 2, 10}, new int[] {0, -1}));
    DataReading data = DataReading.of(batches, Shape.of(2), 3);
    assertEquals(2, data.examples());
    assertEquals(new DataReading.Feature(0, 1, 1), data.features().get(0));
    assertEquals(new DataReading.Feature(1, 10, 0), data.features().get(1));
    assertEquals(2L, data.labels().get(1));
    assertEquals(1, data.ignored());
    assertEquals(1, data.sortedBatches());
    assertFalse(data.alike());
  }
}
