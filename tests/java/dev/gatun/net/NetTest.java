package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.Initializer;
import dev.gatun.Layer;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Norms.BatchNorm;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/// What the builder accepts and refuses. Nothing here needs a device.
class NetTest {
  private static final Net PICTURES = Net.input(32, 32, 3);

  @Test
  void shapes_followTheLayers() {
    Net net =
        PICTURES.conv(new Conv(8, 3).stride(2)).batchNorm().relu().maxPool(3, 2, 1).averagePool(2);
    assertEquals(Shape.of(4, 4, 8), net.outputShape());
    assertEquals(Shape.of(128), net.flatten().outputShape());
    assertEquals(Shape.of(8), net.globalAveragePool().sigmoid().tanh().dropout(0.5).outputShape());
    assertEquals(Shape.of(32, 32, 3), net.inputShape());
    assertEquals(Shape.of(32, 32, 3), PICTURES.outputShape(), "the shorter network is unchanged");
  }

  @Test
  void parameterCounts_areThoseOfTheLayers() {
    assertEquals(5 * 3 * 3 * 3 + 5, PICTURES.conv(5, 3).parameterCount());
    assertEquals(5 * 3 * 3 * 3, PICTURES.conv(new Conv(5, 3).withoutBias()).parameterCount());
    assertEquals(4 * 3072 + 4, PICTURES.flatten().dense(4).parameterCount());
    assertEquals(4 * 3072, PICTURES.flatten().dense(new Dense(4).withoutBias()).parameterCount());
    assertEquals(6, PICTURES.batchNorm().parameterCount());
    assertEquals(0, PICTURES.relu().maxPool(2).flatten().dropout(0.1).parameterCount());
  }

  @Test
  void wrongShapes_nameTheLayerAndWhatWasFound() {
    shapeError(
        "dense0: [dense] expected [N, inputs] (put flatten() in front), found (2, 32, 32, 3)",
        () -> PICTURES.dense(10));
    shapeError(
        "conv0: [conv2d] the window 7x7 does not fit into 4x4 with padding 0x0",
        () -> Net.input(4, 4, 3).conv(new Conv(8, 7).pad(0)));
    shapeError(
        "averagePool0: [average_pool] the window 40x40 does not fit into 32x32 with padding 0x0",
        () -> PICTURES.averagePool(40));
    shapeError(
        "maxPool0: [max_pool] expected padding less than the window 2x2, found 2x2",
        () -> PICTURES.maxPool(2, 1, 2));
    shapeError(
        "globalAveragePool0: [globalAveragePool] expected [N,H,W,C] or [N,L,C], found f32 (2, 5)",
        () -> Net.input(5).globalAveragePool());
    shapeError(
        "subsamplePad0: [subsample_pad] expected at least the 3 channels of f32 (2, 32, 32, 3),"
            + " found 2",
        () -> PICTURES.subsamplePad(2, 2));
    shapeError(
        "batchNorm0: [batchNorm] expected [N, ..., C], found (2)", () -> Net.input().batchNorm());
  }

  @Test
  void wrongShapes_deepInside_nameTheWholePath() {
    shapeError(
        "body.residual0.branch.conv0: [conv] expected [N,H,W,C], found (2, 3072)",
        () ->
            PICTURES.stage("body", part -> part.residual(branch -> branch.flatten().conv(16, 3))));
    shapeError(
        "body.residual1: [residual] the branch gives (2, 32, 32, 16), the shortcut (2, 32, 32, 3)",
        () ->
            PICTURES.stage(
                "body",
                part ->
                    part.residual(branch -> branch.conv(3, 3))
                        .residual(branch -> branch.conv(16, 3))));
    shapeError(
        "body.concat0: [concat] expected branches that agree but for the last axis, found"
            + " (2, 32, 32, 3) of branch0 and (2, 16, 16, 8) of branch2",
        () ->
            PICTURES.stage(
                "body",
                part -> part.concat(x -> x, x -> x.conv(4, 3), x -> x.conv(8, 3).maxPool(2))));
    shapeError(
        "concat0.branch1.conv1: [conv2d] the window 5x5 does not fit into 3x3 with padding 0x0",
        () -> Net.input(3, 3, 1).concat(x -> x, x -> x.conv(1, 3).conv(new Conv(1, 5).pad(0))));
    shapeError(
        "residual0.shortcut.conv1: [conv2d] the window 5x5 does not fit into 3x3 with padding 0x0",
        () ->
            Net.input(3, 3, 1)
                .residual(branch -> branch, skip -> skip.conv(1, 3).conv(new Conv(1, 5).pad(0))));
  }

  @Test
  void wrongShapes_inCustomLayers_nameThemToo() {
    Layer product = (context, x) -> x.matmul(context.parameter("w", Initializer.ones(), 4, 2));
    shapeError(
        "part.product0: [matmul] inner dimensions differ: (2, 3) x (4, 2)",
        () -> Net.input(3).stage("part", part -> part.layer("product", product)));
    Layer twice =
        (context, x) ->
            x.plus(context.parameter("w", Initializer.ones(), 3))
                .plus(context.parameter("w", Initializer.ones(), 1));
    shapeError(
        "the parameter twice0.w is (3), now asked for as (1)",
        () -> Net.input(3).layer("twice", twice));
    Layer states = (context, x) -> x.plus(context.state("s", 0, 3)).plus(context.state("s", 0, 1));
    shapeError(
        "the state states0.s is (3), now asked for as (1)",
        () -> Net.input(3).layer("states", states));
    Layer update =
        (context, x) -> {
          context.update(context.state("s", 0, 3), x);
          return x;
        };
    shapeError(
        "the state update0.s is (3), its new value (2, 3)",
        () -> Net.input(3).layer("update", update));
  }

  @Test
  void attributes_outOfRange_areRefused() {
    refused("[conv] expected filters of at least 1, found 0", () -> PICTURES.conv(0, 3));
    refused("[conv] expected size of at least 1, found 0", () -> PICTURES.conv(3, 0));
    refused("[conv] expected stride of at least 1, found 0", () -> new Conv(3, 3).stride(0));
    refused("[conv] expected pad of at least 0, found -1", () -> new Conv(3, 3).pad(-1));
    refused("[concat] expected 1 or more branches, found 0", () -> PICTURES.concat());
    refused("[dense] expected units of at least 1, found -2", () -> new Dense(-2));
    refused(
        "[dropout] expected a drop probability in [0, 1), found 1.0", () -> PICTURES.dropout(1));
    refused(
        "[dropout] expected a drop probability in [0, 1), found NaN",
        () -> PICTURES.dropout(Double.NaN));
    refused("[batchNorm] expected a momentum in (0, 1], found 0.0", () -> new BatchNorm(0, 1e-5));
    refused(
        "[batchNorm] expected an epsilon of at least 0, found -1.0", () -> new BatchNorm(0.1, -1));
    refused("[input] expected extents of at least 1, found (32, 0, 3)", () -> Net.input(32, 0, 3));
  }

  @Test
  void layerNames_areDistinctAndWithoutDots() {
    refused(
        "[net] there is a layer called body already",
        () -> PICTURES.stage("body", Net::relu).stage("body", Net::relu));
    refused(
        "[net] there is a layer called body.inner already",
        () ->
            PICTURES.stage(
                "body", part -> part.stage("inner", Net::relu).stage("inner", Net::relu)));
    refused(
        "[net] expected a layer name that is not empty and has no dot, found \"\"",
        () -> PICTURES.stage("", Net::relu));
    refused(
        "[net] expected a layer name that is not empty and has no dot, found \"a.b\"",
        () -> PICTURES.stage("a.b", Net::relu));
    refused(
        "[net] expected a layer name that is not empty and has no dot, found \"a.b0\"",
        () -> PICTURES.layer("a.b", (context, x) -> x));
    PICTURES.stage("a", part -> part.stage("x", Net::relu)).stage("x", Net::relu);
  }

  @Test
  void aName_isAParameterOrAState_notBoth() {
    Layer both =
        (context, x) ->
            x.times(context.parameter("w", Initializer.ones(), 3)).plus(context.state("w", 5, 3));
    refused(
        "both0.w is asked for as a parameter and as a state; give one another name",
        () -> Net.input(3).layer("both", both));
  }

  @Test
  void update_ofSomethingElse_isRefused() {
    Layer layer =
        (context, x) -> {
          context.update(x, x);
          return x;
        };
    refused(
        "not a state of this network: %input: f32 (2, 3)",
        () -> Net.input(3).layer("layer", layer));
  }

  @Test
  @SuppressWarnings("NullAway") // as users without a checker write it
  void aLayerThatGivesNull_isNamed() {
    NullPointerException thrown =
        assertThrows(
            NullPointerException.class,
            () -> PICTURES.stage("body", part -> part.layer("mine", (context, x) -> null)));
    assertEquals("body.mine0: a tensor expected of the layer, found null", thrown.getMessage());
  }

  @Test
  void aLayerThatLosesTheBatch_isNamed() {
    shapeError(
        "body.mean0: expected outputs [N, ...] of inputs (2, 6), found (6)",
        () -> Net.input(6).stage("body", part -> part.layer("mean", (context, x) -> x.mean(0))));
  }

  @Test
  void aNetAndAModel_printOneLine() {
    Net net = Net.input(28, 28, 1).flatten().dense(100).relu().dense(10);
    assertEquals("net of (28, 28, 1) to (10), 4 layers, 79,510 parameters", net.toString());
    try (Model model = Model.of(net, Backends.REFERENCE.device(), 1)) {
      assertEquals("model of 79510 parameters on reference", model.toString());
    }
  }

  private static void shapeError(String message, Executable building) {
    assertEquals(message, assertThrows(ShapeException.class, building).getMessage());
  }

  private static void refused(String message, Executable building) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, building).getMessage());
  }
}
