package dev.gatun.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Initializer;
import dev.gatun.Layers.Conv;
import dev.gatun.Layers.Dense;
import dev.gatun.Net;
import dev.gatun.ResNet;
import java.util.List;
import org.junit.jupiter.api.Test;

class SummaryTest {
  @Test
  void summary_showsEveryPartWithItsOutputAndParameters() {
    Net net =
        Net.input(8, 8, 3)
            .conv(new Conv(4, 3).withoutBias())
            .batchNorm()
            .relu()
            .stage(
                "stage1",
                part ->
                    part.residual(branch -> branch.conv(4, 3).relu())
                        .residual(
                            branch -> branch.conv(new Conv(8, 3).stride(2)),
                            shortcut -> shortcut.subsamplePad(2, 8)))
            .layer(
                "mine",
                (context, x) ->
                    context
                        .apply("inner", new Dense(200), x.flatten())
                        .times(context.parameter("scale", Initializer.ones(), 200)))
            .dense(10);
    assertEquals(
        """
        layer                output     parameters
        input                (8, 8, 3)
        conv0                (8, 8, 4)         108
        batchNorm0           (8, 8, 4)           8
        relu0                (8, 8, 4)
        stage1               (4, 4, 8)         444
          residual0          (8, 8, 4)         148
            branch           (8, 8, 4)         148
              conv0          (8, 8, 4)         148
              relu0          (8, 8, 4)
            shortcut         (8, 8, 4)
          residual1          (4, 4, 8)         296
            branch           (4, 4, 8)         296
              conv0          (4, 4, 8)         296
            shortcut         (4, 4, 8)
              subsamplePad0  (4, 4, 8)
        mine0                (200)          26,000
        dense0               (10)            2,010
        28,570 parameters
        """,
        net.summary());
    assertEquals(28_570, net.parameterCount());
  }

  @Test
  void summary_showsEveryBranchOfAConcatenation() {
    Net net =
        Net.input(8, 8, 3)
            .concat(x -> x, x -> x.conv(4, 3).relu(), x -> x.concat(y -> y.conv(2, 1), y -> y))
            .concat(x -> x);
    assertEquals(
        """
        layer          output      parameters
        input          (8, 8, 3)
        concat0        (8, 8, 12)         120
          branch0      (8, 8, 3)
          branch1      (8, 8, 4)          112
            conv0      (8, 8, 4)          112
            relu0      (8, 8, 4)
          branch2      (8, 8, 5)            8
            concat0    (8, 8, 5)            8
              branch0  (8, 8, 2)            8
                conv0  (8, 8, 2)            8
              branch1  (8, 8, 3)
        concat1        (8, 8, 12)
          branch0      (8, 8, 12)
        120 parameters
        """,
        net.summary());
    assertEquals(120, net.parameterCount());
  }

  @Test
  void summary_ofNoLayers_isTheInput() {
    assertEquals(
        """
        layer  output  parameters
        input  (3)
        0 parameters
        """,
        Net.input(3).summary());
  }

  @Test
  void summary_ofAResNet_addsUp() {
    List<String> lines = ResNet.cifar(20, 10).summary().lines().toList();
    assertEquals("269,722 parameters", lines.getLast());
    long top =
        lines.subList(1, lines.size() - 1).stream()
            .filter(line -> !line.startsWith(" ") && line.matches(".*\\) +[0-9,]+"))
            .mapToLong(line -> Long.parseLong(line.replaceAll(".*\\) +", "").replace(",", "")))
            .sum();
    assertEquals(269_722, top);
    assertTrue(lines.stream().anyMatch(line -> line.startsWith("stage3 ")), lines::toString);
  }
}
