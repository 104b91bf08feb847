package dev.gatun.bench.peers;

import dev.gatun.bench.peers.Work.Convolution;
import dev.gatun.bench.peers.Work.Pass;
import java.util.ArrayList;
import java.util.List;

/// The rows of the table.
public final class Works {
  private Works() {}

  /// All of them, in the table's order.
  public static List<Work> all() {
    List<Work> works = new ArrayList<>();
    works.add(new Work.Training(Network.RESNET20, 128, "f32", true));
    works.add(new Work.Training(Network.RESNET20, 128, "f32", false));
    works.add(new Work.Training(Network.RESNET20, 128, "bf16", true));
    works.add(new Work.Training(Network.RESNET18, 16, "f32", true));
    works.add(new Work.Training(Network.RESNET50, 8, "f32", true));
    works.add(new Work.Inference(Network.RESNET50, 1));
    works.add(new Work.Inference(Network.RESNET50, 16));
    works.add(new Work.Training(Network.MLP, 32, "f32", true));
    for (int n = 256; n <= 4096; n *= 2) {
      works.add(new Work.Sgemm(n));
    }
    works.add(new Convolution("big", Pass.FORWARD, 32, 56, 64, 64, 3, 1, true));
    works.add(new Convolution("big", Pass.BACKWARD, 32, 56, 64, 64, 3, 1, true));
    works.add(new Work.Adam(25_000_000));
    works.add(new Work.Dropout(64 << 20));
    works.add(new Work.BatchNorm(64, 56, 64));
    works.add(new Work.LayerNorm(8192, 1024, false));
    works.add(new Work.LayerNorm(8192, 1024, true));
    works.add(new Work.SoftmaxCrossEntropy(4096, 1000));
    for (Work.Gated cell : Work.Gated.values()) {
      works.add(new Work.RecurrentTraining(cell));
      if (cell != Work.Gated.UGRNN) {
        works.add(new Work.RecurrentSteps(cell, 1));
        works.add(new Work.RecurrentSteps(cell, 200));
      }
    }
    convolutions(works, Network.RESNET20, 128);
    convolutions(works, Network.RESNET50, 8);
    return List.copyOf(works);
  }

  /// The work of this name.
  ///
  /// @throws IllegalArgumentException if there is none
  public static Work named(String name) {
    return all().stream()
        .filter(work -> work.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("there is no work named " + name));
  }

  /// Each convolution of a network once, with the passes that training needs.
  private static void convolutions(List<Work> works, Network network, int batch) {
    List<Work> found = new ArrayList<>();
    network.build(
        new ShapeWalk() {
          @Override
          public Integer conv(Integer x, int in, int out, int size, int stride) {
            Convolution forward =
                new Convolution(
                    network.label(), Pass.FORWARD, batch, x, in, out, size, stride, false);
            if (!found.contains(forward)) {
              found.add(forward);
              if (in > 3) {
                found.add(forward.of(Pass.DATA));
              }
              found.add(forward.of(Pass.WEIGHTS));
            }
            return forward.outputSide();
          }
        },
        network.side());
    works.addAll(found);
  }
}
