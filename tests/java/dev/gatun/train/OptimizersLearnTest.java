package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.History;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.ParameterGroups;
import dev.gatun.ParameterSelector;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Datasets;
import dev.gatun.data.Split;
import dev.gatun.data.TestData;
import dev.gatun.suite.Backends;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Each optimizer, at a rate that suits it, learns to read digits in two passes over MNIST (Muon in
/// one, AdaGrad in four): by a net with one hidden layer to 0.96 and more.
class OptimizersLearnTest {
  static List<Arguments> optimizers() {
    return List.of(
        of("momentum", Optimizer.sgd(0.1).momentum(0.9)),
        of("momentum, rate inside", Optimizer.sgd(0.1).momentum(0.9).rateInVelocity()),
        of("Nesterov", Optimizer.sgd(0.1).nesterov(0.9)),
        of("AdaGrad", Optimizer.adaGrad(0.02)),
        of("RMSProp", Optimizer.rmsProp(1e-3)),
        of("Adam", Optimizer.adam(2e-3)),
        Arguments.of(
            "AdamW",
            ParameterGroups.of(Optimizer.adamW(2e-3)).withoutDecay(ParameterSelector.vectors())),
        of("AMSGrad", Optimizer.amsGrad(2e-3)),
        of("NAdam", Optimizer.nAdam(2e-3)),
        of("Lion", Optimizer.lion(5e-4)),
        of("LAMB", Optimizer.lamb(0.01)),
        Arguments.of(
            "Muon",
            ParameterGroups.of(Optimizer.muon(0.02))
                .optimizer(Optimizer.adam(2e-3), ParameterSelector.vectors())));
  }

  private static Arguments of(String name, Optimizer optimizer) {
    return Arguments.of(name, ParameterGroups.of(optimizer));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("optimizers")
  void digits_areRead(String name, ParameterGroups groups) {
    Split mnist = Datasets.open(TestData.folder("mnist"));
    try (Trainer trainer =
        Trainer.of(Net.input(28, 28, 1).flatten().dense(128).relu().dense(10))
            .on(Backends.CPU.device())
            .optimizer(groups)
            .schedule(Schedule.cosine())) {
      int passes = name.equals("Muon") ? 1 : name.equals("AdaGrad") ? 4 : 2;
      History history =
          trainer.fit(mnist.train().batch(100), mnist.test().batch(500), Span.epochs(passes));
      double accuracy = Objects.requireNonNull(history.test()).accuracy();
      assertTrue(accuracy >= 0.96, "test accuracy " + accuracy);
    }
  }
}
