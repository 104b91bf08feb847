package dev.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.reference.ReferenceBackend;
import dev.gatun.graph.op.BatchNormTraining;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Each rule alone leaves every result as it was and saves the nodes it is made to save, where it
/// applies, and only there.
class FusionTest {
  // Fused instructions round in another order.
  private static final double ROUNDING = 1e-12;
  private static final Backend BACKEND = new ReferenceBackend();

  @AfterAll
  static void close() {
    BACKEND.close();
  }

  /// Writes a graph and gives its results.
  interface Net extends Function<Nets, List<Value>> {}

  static Stream<Arguments> fitting() {
    return Stream.of(
        fits(new FuseBias(), 1, "conv + bias", n -> one(conv(n).plus(n.leaf(5)))),
        fits(new FuseBias(), 1, "bias + conv", n -> one(n.leaf(5).plus(conv(n)))),
        fits(new FuseBias(), 1, "matmul + bias", n -> one(product(n).plus(n.leaf(5)))),
        fits(new FuseBias(), 1, "dense", n -> one(n.leaf(4, 7).dense(n.leaf(5, 7), n.leaf(5)))),
        fits(
            new FuseBias(),
            1,
            "the second addition is another matter",
            n -> one(product(n).plus(n.leaf(5)).plus(n.leaf(5)))),
        fits(
            new FuseBias(),
            2,
            "two biases of two products",
            n -> one(product(n).plus(n.leaf(5)).times(product(n).plus(n.leaf(5))))),
        fits(new FuseRelu(), 1, "relu of conv", n -> one(conv(n).relu())),
        fits(new FuseRelu(), 1, "relu of matmul", n -> one(product(n).relu())),
        fits(new FuseRelu(), 1, "relu of batch norm", n -> one(n.norm(n.leaf(3, 4, 2, 5)).relu())),
        fits(
            new FuseRelu(),
            1,
            "relu of batch norm whose running estimates are results",
            n -> {
              List<Value> outputs = n.batchNorm(n.leaf(3, 4, 2, 5));
              return List.of((Value) outputs.get(0).relu(), outputs.get(3), outputs.get(4));
            }),
        fits(
            new FuseRelu(),
            1,
            "relu of batch norm for inference",
            n -> one(n.inference(n.leaf(3, 4, 2, 5)).relu())),
        fits(
            new FuseResidual(),
            1,
            "batch norm + residual",
            n -> one(n.norm(n.leaf(3, 4, 2, 5)).plus(n.leaf(3, 4, 2, 5)))),
        fits(
            new FuseResidual(),
            1,
            "residual + batch norm",
            n -> one(n.leaf(3, 4, 2, 5).plus(n.norm(n.leaf(3, 4, 2, 5))))),
        fits(
            new FuseResidual(),
            1,
            "the input itself is the residual",
            n -> {
              Value x = n.leaf(6, 5);
              return one(n.norm(x).plus(x));
            }),
        fits(
            new FuseResidual(),
            1,
            "batch norm for inference + residual",
            n -> one(n.inference(n.leaf(6, 5)).plus(n.leaf(6, 5)))),
        fits(
            new FuseResidual(),
            1,
            "two batch norms, one of them the residual of the other",
            n -> one(n.norm(n.leaf(6, 5)).plus(n.norm(n.leaf(6, 5))))),
        fits(new FuseResidual(), 1, "conv + residual", n -> one(conv(n).plus(n.leaf(2, 4, 6, 5)))),
        fits(
            new FuseAddend(),
            1,
            "the gradients of a value that a convolution and a function read",
            n -> {
              Value x = n.leaf(2, 4, 6, 3);
              return gradients(n, (Value) n.conv(x, 5, 3, 1).sum().plus(x.square().sum()));
            }),
        fits(
            new FuseAddend(),
            1,
            "the gradients of a value that two convolutions read",
            n -> {
              Value x = n.leaf(2, 4, 6, 3);
              Value y = (Value) n.conv(x, 5, 3, 1).square().sum();
              return gradients(n, (Value) y.plus(n.conv(x, 4, 1, 2).square().sum()));
            }),
        fits(
            new FuseGate(),
            1,
            "backwards through relu before a convolution",
            n -> gradients(n, (Value) n.conv(n.leaf(2, 4, 6, 3).relu(), 5, 3, 1).square().sum())),
        fits(
            new FuseBatchNormGate(),
            1,
            "backwards through relu(batch norm)",
            n -> gradients(n, (Value) n.norm(n.leaf(6, 5)).relu().square().sum())),
        fits(
            new FuseBatchNormGate(),
            1,
            "backwards through relu(batch norm + residual)",
            n ->
                gradients(
                    n, (Value) n.norm(n.leaf(6, 5)).plus(n.leaf(6, 5)).relu().square().sum())),
        fits(
            new FuseCrossEntropy(),
            1,
            "softmax cross-entropy and its gradient",
            n -> {
              Value loss = (Value) n.leaf(4, 5).softmaxCrossEntropy(n.leaf(DType.I32, 4));
              List<Value> results = new ArrayList<>(List.of(loss));
              results.addAll(gradients(n, loss));
              return results;
            }));
  }

  @ParameterizedTest(name = "{0} {2}")
  @MethodSource
  void fitting(Rule rule, int saved, String name, Net net) {
    check(List.of(rule), saved, net);
  }

  static Stream<Arguments> notFitting() {
    return Stream.of(
        fits(new FuseBias(), 0, "a bias of full shape", n -> one(product(n).plus(n.leaf(4, 5)))),
        fits(new FuseBias(), 0, "a scalar", n -> one(product(n).plus(n.leaf()))),
        fits(new FuseBias(), 0, "a column", n -> one(product(n).plus(n.leaf(4, 1)))),
        fits(new FuseBias(), 0, "a difference", n -> one(product(n).minus(n.leaf(5)))),
        fits(
            new FuseBias(),
            0,
            "the product is a result",
            n -> {
              Value product = product(n);
              return List.of((Value) product.plus(n.leaf(5)), product);
            }),
        fits(
            new FuseBias(),
            0,
            "the product is read twice",
            n -> {
              Value product = product(n);
              return one(product.plus(n.leaf(5)).times(product.exp()));
            }),
        fits(new FuseRelu(), 0, "relu of a sum", n -> one(n.leaf(3).plus(n.leaf(3)).relu())),
        fits(
            new FuseRelu(),
            0,
            "what comes before the relu is a result",
            n -> {
              Value product = product(n);
              return List.of((Value) product.relu(), product);
            }),
        fits(
            new FuseBias(),
            0,
            "a result is stored between product and bias",
            n -> {
              Value product = product(n);
              Value stored = (Value) n.leaf(4, 7).times(2);
              return List.of(stored, (Value) product.plus(n.leaf(5)));
            }),
        fits(
            new FuseRelu(),
            0,
            "a result is stored between product and relu",
            n -> {
              Value product = product(n);
              Value stored = (Value) n.leaf(4, 7).times(2);
              return List.of(stored, (Value) product.relu());
            }),
        fits(
            new FuseRelu(),
            0,
            "the mean is read before the relu",
            n -> {
              List<Value> outputs = n.batchNorm(n.leaf(6, 5));
              Value scaled = (Value) outputs.get(1).times(2);
              return List.of((Value) outputs.get(0).relu(), scaled);
            }),
        fits(
            new FuseResidual(),
            0,
            "twice the same batch norm",
            n -> {
              Value y = n.norm(n.leaf(6, 5));
              return one(y.plus(y));
            }),
        fits(
            new FuseResidual(),
            0,
            "a broadcast residual",
            n -> one(n.norm(n.leaf(6, 5)).plus(n.leaf(5)))),
        fits(
            new FuseResidual(),
            0,
            "a residual made of the batch's mean",
            n -> {
              List<Value> outputs = n.batchNorm(n.leaf(6, 5));
              return one(outputs.get(0).plus(outputs.get(1).expand(6, 5)));
            }),
        fits(
            new FuseResidual(),
            0,
            "a convolution that is a result",
            n -> {
              Value y = conv(n);
              return List.of((Value) y.plus(n.leaf(2, 4, 6, 5)), y);
            }),
        fits(new FuseAddend(), 0, "a sum of other things", n -> one(conv(n).plus(conv(n)))),
        fits(
            new FuseGate(),
            0,
            "a gate whose gradient is a result",
            n -> {
              Value x = n.leaf(2, 4, 6, 3);
              Value y = (Value) x.relu();
              Value loss = (Value) n.conv(y, 5, 3, 1).square().sum();
              return Gradients.of(loss, List.of(x, y));
            }),
        fits(
            new FuseBatchNormGate(),
            0,
            "a batch norm whose input comes after the gate",
            n -> {
              Value gated = n.gate(n.leaf(6, 5), n.leaf(6, 5));
              Value late = (Value) n.leaf(6, 5).exp();
              return n.graph.apply(
                  new BatchNormTraining.Backward(false, Activation.NONE),
                  List.of(gated, late, n.leaf(5), n.positive(5), n.leaf(5)));
            }),
        fits(
            new FuseBatchNormGate(),
            0,
            "a gate that no batch norm reads",
            n -> one(n.gate(n.leaf(6, 5), n.leaf(6, 5)))),
        fits(
            new FuseCrossEntropy(),
            0,
            "the gradient depends on the loss",
            n -> {
              Value loss = (Value) n.leaf(4, 5).softmaxCrossEntropy(n.leaf(DType.I32, 4));
              List<Value> results = new ArrayList<>(List.of(loss));
              results.addAll(gradients(n, (Value) loss.square()));
              return results;
            }));
  }

  @ParameterizedTest(name = "{0} {2}")
  @MethodSource
  void notFitting(Rule rule, int saved, String name, Net net) {
    check(List.of(rule), saved, net);
  }

  /// The gradient that the residual path reads is an output of the fused backward batch norm.
  @Test
  void gateSharedWithTheResidualPathStaysAnOutput() {
    Nets nets = new Nets(1);
    Value loss = (Value) nets.norm(nets.leaf(6, 5)).plus(nets.leaf(6, 5)).relu().square().sum();
    List<Value> results = gradients(nets, loss);
    Fusion.apply(nets.graph, results, List.of(new FuseBatchNormGate()));
    Node backward =
        nets.graph.nodes().stream()
            .filter(node -> node.op().name().equals("batch_norm_backward"))
            .findAny()
            .orElseThrow();
    assertEquals(4, backward.outputs().size());
  }

  @Test
  void batchNormTakesTheMomentsOfItsConvolution() {
    List<String> ops = fused(new FuseMoments(), n -> one(n.norm(conv(n))));
    assertEquals(1, count(ops, "Conv2d[", "moments=true"), ops.toString());
    assertEquals(1, count(ops, "BatchNormTraining[", "moments=true"), ops.toString());
    List<String> others = fused(new FuseMoments(), n -> one(n.norm(conv(n).exp())));
    assertEquals(0, count(others, "moments=true"), others.toString());
  }

  @Test
  void twoBatchNormsTakeMomentsOfTheirOwn() {
    List<String> ops =
        fused(
            new FuseMoments(),
            n -> {
              Value y = conv(n);
              return one(n.norm(y).times(n.norm(y)));
            });
    assertEquals(1, count(ops, "Conv2d[", "moments=true"), ops.toString());
    assertEquals(1, count(ops, "BatchNormTraining[", "moments=true"), ops.toString());
  }

  @Test
  void theGradientOfBatchNormTakesTheSumsOfTheConvolutionBehindIt() {
    Net net =
        n -> {
          Value y = n.norm(n.leaf(2, 4, 6, 3));
          return gradients(n, (Value) n.conv(y, 5, 3, 1).square().sum());
        };
    List<String> ops = fused(new FuseGradientSums(), net);
    assertEquals(1, count(ops, "BackwardData[", "sums=true"), ops.toString());
    assertEquals(1, count(ops, "Backward[", "residual=", "sums=true"), ops.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv", "conv + bias", "conv + residual", "matmul", "matmul transposed"})
  void batchNormByRunningEstimatesGoesIntoConstantWeights(String kind) {
    Net net =
        n -> {
          Tensor y =
              switch (kind) {
                case "conv" -> conv(n);
                case "conv + bias" -> conv(n).plus(n.leaf(5));
                case "conv + residual" -> conv(n);
                case "matmul" -> product(n);
                default -> n.leaf(4, 7).dense(n.leaf(5, 7), n.leaf(5));
              };
          Tensor z = n.inference(y);
          return one(kind.endsWith("residual") ? z.plus(n.leaf(2, 4, 6, 5)).relu() : z.relu());
        };
    Nets plain = new Nets(7);
    List<Value> expected = net.apply(plain);
    Nets folded = new Nets(7);
    List<Value> actual = net.apply(folded);
    Fusion.apply(folded.graph, actual, folded.leaves.keySet());
    List<String> names = folded.graph.nodes().stream().map(node -> node.op().name()).toList();
    assertTrue(!names.contains("batch_norm_inference") && !names.contains("relu"), "" + names);
    assertTrue(names.getLast().equals(kind.startsWith("conv") ? "conv2d" : "matmul"), "" + names);
    Runs.assertSame(
        Runs.interpret(BACKEND, plain.graph, plain.leaves, expected),
        Runs.interpret(BACKEND, folded.graph, folded.leaves, actual),
        1e-9);
  }

  /// With weights that each run computes there would be more to do, not less.
  @Test
  void batchNormDoesNotGoIntoWeightsThatAreNotConstant() {
    Nets nets = new Nets(7);
    Value y = (Value) nets.leaf(2, 4, 6, 3).conv2d(nets.leaf(5, 3, 3, 3).times(2), 1, 1);
    List<Value> results = one(nets.inference(y));
    Fusion.apply(nets.graph, results, nets.leaves.keySet());
    assertTrue(
        nets.graph.nodes().stream().anyMatch(n -> n.op().name().equals("batch_norm_inference")));
  }

  /// The ops after `rule` alone, which leaves all results as they were.
  private static List<String> fused(Rule rule, Net net) {
    check(List.of(rule), 0, net);
    Nets nets = new Nets(7);
    List<Value> results = net.apply(nets);
    Fusion.apply(nets.graph, results, List.of(rule));
    return nets.graph.nodes().stream().map(node -> node.op().toString()).toList();
  }

  private static long count(List<String> ops, String... parts) {
    return ops.stream().filter(op -> Stream.of(parts).allMatch(op::contains)).count();
  }

  /// A residual block forward is two convolutions and two batch norms, whatever it looked like.
  @Test
  void allRulesTogetherLeaveTheInstructionsOfAResidualBlock() {
    Nets nets = new Nets(2);
    Value x = nets.leaf(2, 4, 4, 3);
    Value y = nets.norm(nets.conv(x, 3, 3, 1).relu());
    Value z = (Value) nets.norm(nets.conv(y.relu(), 3, 3, 1)).plus(x).relu();
    Fusion.apply(nets.graph, List.of(z));
    assertEquals(
        List.of("conv2d", "batch_norm_training", "conv2d", "batch_norm_training"),
        nets.graph.nodes().stream().map(node -> node.op().name()).toList());
  }

  @Test
  void aResidualNetLosesItsActivationsGatesAndAdditions() {
    Nets nets = new Nets(3);
    Value loss = nets.residualLoss();
    List<Value> results = new ArrayList<>(List.of(loss));
    results.addAll(gradients(nets, loss));
    Fusion.apply(nets.graph, results);
    List<String> names = nets.graph.nodes().stream().map(node -> node.op().name()).toList();
    assertTrue(names.contains("batch_norm_backward"));
    assertEquals(0, names.stream().filter("add"::equals).count(), names.toString());
    assertEquals(0, names.stream().filter("relu"::equals).count(), names.toString());
    assertEquals(0, names.stream().filter("gate"::equals).count(), names.toString());
    Fusion.apply(nets.graph, results, List.of(new FuseMoments(), new FuseGradientSums()));
    List<String> ops = nets.graph.nodes().stream().map(node -> node.op().toString()).toList();
    // Nine batch norms behind convolutions; the gradient of the last comes from the pool.
    assertEquals(9, count(ops, "BatchNormTraining[", "moments=true"), ops.toString());
    assertEquals(8, count(ops, "Backward[", "residual=", "sums=true"), ops.toString());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void allRulesTogetherLeaveRandomNetsAsTheyWere(long seed) {
    Nets plain = new Nets(seed);
    List<Value> expected = plain.randomResults(25);
    Nets fused = new Nets(seed);
    List<Value> actual = fused.randomResults(25);
    int before = fused.graph.nodes().size();
    Fusion.apply(fused.graph, actual);
    assertTrue(fused.graph.nodes().size() < before);
    Runs.assertSame(
        Runs.interpret(BACKEND, plain.graph, plain.leaves, expected),
        Runs.interpret(BACKEND, fused.graph, fused.leaves, actual),
        1e-9);
  }

  private static void check(List<Rule> rules, int saved, Net net) {
    Nets plain = new Nets(7);
    List<Value> expected = net.apply(plain);
    Fusion.apply(plain.graph, expected, List.of());
    Nets fused = new Nets(7);
    List<Value> actual = net.apply(fused);
    Fusion.apply(fused.graph, actual, rules);
    assertEquals(plain.graph.nodes().size() - saved, fused.graph.nodes().size(), "nodes");
    Runs.assertSame(
        Runs.interpret(BACKEND, plain.graph, plain.leaves, expected),
        Runs.interpret(BACKEND, fused.graph, fused.leaves, actual),
        ROUNDING);
  }

  private static Arguments fits(Rule rule, int saved, String name, Net net) {
    return Arguments.of(Named.of(rule.getClass().getSimpleName(), rule), saved, name, net);
  }

  private static List<Value> one(Tensor result) {
    return List.of((Value) result);
  }

  private static List<Value> gradients(Nets nets, Value loss) {
    List<Value> real = nets.leaves.keySet().stream().filter(leaf -> leaf.dtype().isReal()).toList();
    return Gradients.of(loss, real);
  }

  private static Value conv(Nets nets) {
    return nets.conv(nets.leaf(2, 4, 6, 3), 5, 3, 1);
  }

  private static Value product(Nets nets) {
    return (Value) nets.leaf(4, 7).matmul(nets.leaf(7, 5));
  }
}
