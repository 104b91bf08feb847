package dev.gatun.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.FullBatch;
import dev.gatun.Loss;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.data.Augmentation;
import dev.gatun.data.Dataset;
import dev.gatun.data.FeatureScaler;
import dev.gatun.data.ImageShape;
import dev.gatun.data.MemoryDataset;
import dev.gatun.data.Mixing;
import dev.gatun.data.Preprocessing;
import dev.gatun.data.Projection;
import dev.gatun.data.Samples;
import dev.gatun.data.Standardizer;
import dev.gatun.random.RandomStream;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// What is said of preprocessing and of regularisers, each with a few seeds.
class DataClaimsTest {
  private static final int SIDE = 12;
  private static final int CLASSES = 10;

  /// A logistic regression on data far from 0, and the same function on centred data: its bias
  /// makes up for the shift. If the weights are disturbed by a twentieth, the loss on centred data
  /// rises by little, and by more than ten times as much on the others, for there every disturbance
  /// acts on the mean too.
  @Test
  void centredData_forgiveDisturbedWeights() {
    float shift = 8;
    Net net = Net.input(2).dense(2);
    for (long seed = 1; seed <= 5; seed++) {
      RandomStream random = new RandomStream(seed, 0);
      int count = 400;
      float[] centred = new float[2 * count];
      float[] shifted = new float[2 * count];
      int[] labels = new int[count];
      for (int i = 0; i < centred.length; i++) {
        labels[i / 2] = i / 2 % 2;
        centred[i] = (float) (2 * labels[i / 2] - 1 + 0.7 * random.nextGaussian());
        shifted[i] = centred[i] + shift;
      }
      try (Model model = Model.of(net, Clouds.device(), seed);
          Trainer trainer =
              Trainer.of(net)
                  .on(Clouds.device())
                  .seed(seed)
                  .optimizer(Optimizer.sgd(1).momentum(0.9));
          FullBatch near = FullBatch.of(model, Loss.softmaxCrossEntropy(), centred, labels);
          FullBatch far = FullBatch.of(model, Loss.softmaxCrossEntropy(), shifted, labels)) {
        for (int i = 0; i < 300; i++) {
          trainer.step(centred, labels, 0.1);
        }
        float[] w = trainer.model().read("dense0.weight");
        float[] b = trainer.model().read("dense0.bias");
        double[] here = point(w, b, 0);
        double[] there = point(w, b, shift);
        double loss = value(near, here);
        assertEquals(loss, value(far, there), 1e-4, "the same function");
        double nearRise = 0;
        double farRise = 0;
        for (int k = 0; k < 40; k++) {
          double[] disturbance = new double[4];
          double squares = 0;
          for (int i = 0; i < 4; i++) {
            disturbance[i] = random.nextGaussian();
            squares += disturbance[i] * disturbance[i];
          }
          double length = 0.05 * Math.hypot(Math.hypot(w[0], w[1]), Math.hypot(w[2], w[3]));
          for (int i = 0; i < 4; i++) {
            disturbance[i] *= length / Math.sqrt(squares);
          }
          nearRise += value(near, moved(here, disturbance)) - loss;
          farRise += value(far, moved(there, disturbance)) - loss;
        }
        assertTrue(farRise > 10 * nearRise, "centred %.4f, not %.4f".formatted(nearRise, farRise));
      }
    }
  }

  /// Weights and biases one after the other, as a [FullBatch] has them, for inputs that are
  /// shifted.
  private static double[] point(float[] w, float[] b, double shift) {
    return new double[] {
      w[0], w[1], w[2], w[3], b[0] - shift * (w[0] + w[1]), b[1] - shift * (w[2] + w[3])
    };
  }

  private static double[] moved(double[] point, double[] by) {
    double[] moved = point.clone();
    for (int i = 0; i < by.length; i++) {
      moved[i] += by[i];
    }
    return moved;
  }

  private static double value(FullBatch objective, double[] point) {
    return objective.valueAndGradient(point, new double[point.length]);
  }

  /// "In practice for images: center only." Pictures as they are, without their mean image,
  /// standardised, and whitened (ZCA): centred ones do at least as well as any other, and whitened
  /// ones worse, for what is weak in a picture is noise, which whitening makes as strong as the
  /// rest.
  @Test
  void imagesNeedCentringOnly() {
    double[] accuracy = new double[4];
    for (long seed = 1; seed <= 4; seed++) {
      Dataset train = pictures(400, seed, 0);
      Dataset test = pictures(1000, seed, 1);
      Preprocessing[] recipes = {
        Standardizer.of(new double[] {0}, new double[] {1}),
        FeatureScaler.center(Samples.of(train)),
        Standardizer.fit(train),
        Projection.zca(Samples.of(train), 1e-3)
      };
      for (int k = 0; k < recipes.length; k++) {
        try (Trainer trainer =
            Trainer.of(Net.input(SIDE, SIDE, 1).flatten().dense(64).relu().dense(CLASSES))
                .on(Clouds.device())
                .seed(seed)
                .preprocess(recipes[k])
                .optimizer(Optimizer.sgd(0.05).momentum(0.9))) {
          accuracy[k] += fitted(trainer, train, test, 50, 10) / 4;
        }
      }
    }
    String found =
        "raw %.3f, centred %.3f, standardised %.3f, whitened %.3f"
            .formatted(accuracy[0], accuracy[1], accuracy[2], accuracy[3]);
    assertTrue(accuracy[1] > accuracy[0] + 0.03, found);
    assertTrue(accuracy[1] > accuracy[2] - 0.02, found);
    assertTrue(accuracy[1] > accuracy[3] + 0.1, found);
  }

  /// Sixty pictures to learn from, and a wide dense layer that knows them by heart. Dropout before
  /// the last layer helps a little, shifted pictures a lot, batch norm with them no less. Cutout
  /// and mixup are advised for small sets too; on these pictures, mostly noise, they cost accuracy.
  @Test
  void smallSets_wantRegularisers() {
    double[] accuracy = new double[6];
    for (long seed = 1; seed <= 4; seed++) {
      Dataset train = pictures(60, seed, 0);
      Dataset test = pictures(1000, seed, 1);
      for (int k = 0; k < accuracy.length; k++) {
        Net net = Net.input(SIDE, SIDE, 1).flatten().dense(256);
        net = (k == 3 ? net.batchNorm() : net).relu();
        net = k == 1 ? net.dropout(0.5) : net;
        try (Trainer trainer =
            Trainer.of(net.dense(CLASSES))
                .on(Clouds.device())
                .seed(seed)
                .optimizer(Optimizer.adam(2e-3))) {
          switch (k) {
            case 2, 3 -> trainer.augment(Augmentation.pad(2), Augmentation.randomCrop(SIDE, SIDE));
            case 4 -> trainer.augment(Augmentation.cutout(SIDE / 3));
            case 5 -> trainer.mix(Mixing.mixup(0.2));
            default -> {}
          }
          accuracy[k] += fitted(trainer, train, test, 20, 80) / 4;
        }
      }
    }
    String found =
        "plain %.3f, dropout %.3f, shifted %.3f, and batch norm %.3f; cutout %.3f, mixup %.3f"
            .formatted(
                accuracy[0], accuracy[1], accuracy[2], accuracy[3], accuracy[4], accuracy[5]);
    assertTrue(accuracy[1] > accuracy[0], found);
    assertTrue(accuracy[2] > accuracy[0] + 0.05, found);
    assertTrue(accuracy[3] > accuracy[0] + 0.05, found);
    assertTrue(accuracy[4] < accuracy[0] - 0.05, found);
    assertTrue(accuracy[5] < accuracy[0] - 0.02, found);
  }

  private static double fitted(
      Trainer trainer, Dataset train, Dataset test, int batch, int epochs) {
    return Objects.requireNonNull(
            trainer.fit(train.batch(batch), test.batch(250), Span.epochs(epochs)).test())
        .accuracy();
  }

  /// Smooth pictures, one a class, moved by up to 2 pixels under noise stronger than they are.
  /// Parts of one seed have the same classes.
  private static Dataset pictures(int count, long seed, int part) {
    int grid = 5;
    RandomStream prototypes = new RandomStream(seed, 0);
    double[][] knots = new double[CLASSES][grid * grid];
    for (double[] knot : knots) {
      for (int i = 0; i < knot.length; i++) {
        knot[i] = prototypes.nextGaussian();
      }
    }
    RandomStream random = new RandomStream(seed, 1 + part);
    byte[] pixels = new byte[count * SIDE * SIDE];
    int[] labels = new int[count];
    for (int n = 0; n < count; n++) {
      labels[n] = n % CLASSES;
      int down = random.nextInt(5) - 2;
      int right = random.nextInt(5) - 2;
      for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
          double value = between(knots[labels[n]], grid, clamp(y + down), clamp(x + right));
          pixels[(n * SIDE + y) * SIDE + x] =
              (byte)
                  Math.clamp(Math.round(128 + 40 * (value + 1.5 * random.nextGaussian())), 0, 255);
        }
      }
    }
    return MemoryDataset.of("smooth pictures", new ImageShape(SIDE, SIDE, 1), pixels, labels);
  }

  private static int clamp(int pixel) {
    return Math.clamp(pixel, 0, SIDE - 1);
  }

  /// Linear between the four knots around a pixel.
  private static double between(double[] knots, int grid, int y, int x) {
    double u = y * (grid - 1.01) / (SIDE - 1);
    double v = x * (grid - 1.01) / (SIDE - 1);
    int row = (int) u;
    int column = (int) v;
    int at = row * grid + column;
    double f = u - row;
    double g = v - column;
    return (1 - f) * ((1 - g) * knots[at] + g * knots[at + 1])
        + f * ((1 - g) * knots[at + grid] + g * knots[at + grid + 1]);
  }
}
