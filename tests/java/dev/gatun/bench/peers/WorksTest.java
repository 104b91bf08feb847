package dev.gatun.bench.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.bench.peers.Work.Convolution;
import dev.gatun.bench.peers.Work.Pass;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WorksTest {
  @Test
  void namesAreDifferentAndFindTheirWork() {
    List<Work> works = Works.all();
    Set<String> names = new HashSet<>();
    for (Work work : works) {
      assertTrue(names.add(work.name()), work.name());
      assertEquals(work, Works.named(work.name()));
      assertTrue(work.cost().amount() > 0, work.name());
    }
    assertThrows(IllegalArgumentException.class, () -> Works.named("nothing"));
  }

  @Test
  void everyConvolutionOfTheResNetsIsThere() {
    assertEquals(6, forward("resnet20"));
    assertEquals(23, forward("resnet50"));
  }

  private static long forward(String net) {
    return Works.all().stream()
        .filter(
            work ->
                work instanceof Convolution convolution
                    && convolution.net().equals(net)
                    && convolution.pass() == Pass.FORWARD)
        .count();
  }

  @Test
  void onlyTapsInsideThePictureCount() {
    Convolution dense = new Convolution("x", Pass.FORWARD, 1, 4, 1, 1, 1, 1, false);
    assertEquals(2 * 16, dense.cost().amount());
    Convolution padded = new Convolution("x", Pass.FORWARD, 1, 4, 1, 1, 3, 1, false);
    assertEquals(2 * 10 * 10, padded.cost().amount()); // 2 + 3 + 3 + 2 rows, as many columns
    Convolution strided = new Convolution("x", Pass.FORWARD, 1, 4, 1, 1, 3, 2, false);
    assertEquals(2, strided.outputSide());
    assertEquals(2 * 5 * 5, strided.cost().amount());
  }

  @Test
  void theNetworksHaveTheKnownCost() {
    // With padding taps 40.6 M, 1.81 G and 4.09 G multiply-adds. Without, a 3x3 convolution of a
    // side n keeps (3n - 2)² of its (3n)² taps, (3n - 1)² with stride 2.
    double stage1 = 9.0 * (3 * 16 + 6 * 16 * 16) * 32 * 32 * Math.pow(94 / 96.0, 2);
    double stage2 =
        9.0 * 16 * 16 * (16 * 32 * Math.pow(47 / 48.0, 2))
            + 9.0 * 16 * 16 * (5 * 32 * 32 * Math.pow(46 / 48.0, 2));
    double stage3 =
        9.0 * 8 * 8 * (32 * 64 * Math.pow(23 / 24.0, 2))
            + 9.0 * 8 * 8 * (5 * 64 * 64 * Math.pow(22 / 24.0, 2));
    assertEquals(stage1 + stage2 + stage3 + 640, Network.RESNET20.inferenceFlops() / 2, 1);
    assertEquals(4.0e9, Network.RESNET50.inferenceFlops() / 2, 0.15e9);
    assertEquals(1.75e9, Network.RESNET18.inferenceFlops() / 2, 0.1e9);
    assertEquals(2.0 * (784 * 256 + 256 * 10), Network.MLP.inferenceFlops());
    assertEquals(3 * Network.MLP.inferenceFlops() - 2.0 * 784 * 256, Network.MLP.trainingFlops());
  }
}
