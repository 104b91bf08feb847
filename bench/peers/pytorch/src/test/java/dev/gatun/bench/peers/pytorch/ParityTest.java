package dev.gatun.bench.peers.pytorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Layers.Conv;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Schedule;
import dev.gatun.Span;
import dev.gatun.Trainer;
import dev.gatun.bench.peers.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adagrad;
import org.bytedeco.pytorch.AdagradOptions;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.RMSprop;
import org.bytedeco.pytorch.RMSpropOptions;
import org.bytedeco.pytorch.ReduceLROnPlateauScheduler;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.StepLR;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Gatun computes what PyTorch computes: gradients of convolutions, and ten steps of training from
/// equal weights.
class ParityTest {
  private static final int BATCH = 6;
  private static final int CLASSES = 5;
  private static final int STEPS = 10;

  // Both round to f32 in each sum, in another order.
  private static final float TOLERANCE = 1e-4f;

  @ParameterizedTest
  @CsvSource({
    "9, 3, 8, 3, 1, 1",
    "8, 16, 16, 3, 1, 1",
    "11, 5, 7, 3, 2, 1",
    "6, 4, 9, 1, 2, 0",
    "14, 3, 8, 7, 2, 3"
  })
  void convolution(int side, int channels, int filters, int size, int stride, int pad) {
    long[] dims = {2, side, side, channels};
    long[] filterDims = {filters, size, size, channels};
    try (Device device = Device.cpu(2);
        PointerScope _ = new PointerScope()) {
      dev.gatun.Tensor gx = dev.gatun.Tensor.of(device, values(1, dims), dims);
      dev.gatun.Tensor gw = dev.gatun.Tensor.of(device, values(2, filterDims), filterDims);
      List<dev.gatun.Tensor> own =
          Functions.valueAndGrad(in -> in[0].conv2d(in[1], stride, pad).square().sum())
              .apply(gx, gw);

      Tensor x = Tensors.uniform(1, dims).requires_grad_(true);
      Tensor w = Tensors.uniform(2, filterDims).requires_grad_(true);
      Tensor y =
          torch.conv2d(
              Tensors.channelsSecond(x),
              Tensors.channelsSecond(w),
              new TensorOptional(),
              new long[] {stride, stride},
              new long[] {pad, pad},
              new long[] {1, 1},
              1);
      Tensor loss = y.mul(y).sum();
      loss.backward();
      close(new float[] {loss.item_float()}, own.get(0).toFloatArray());
      close(flat(x.grad()), own.get(1).toFloatArray());
      close(flat(w.grad()), own.get(2).toFloatArray());
      own.forEach(dev.gatun.Tensor::close);
      gx.close();
      gw.close();
    }
  }

  @Test
  void sgd() {
    train(Optimizer.sgd(0.05), parameters -> new SGD(parameters, new SGDOptions(0.05)));
  }

  @Test
  void sgdWithMomentumAndDecay() {
    train(
        Optimizer.sgd(0.05).momentum(0.9).weightDecay(1e-2),
        parameters -> {
          SGDOptions options = new SGDOptions(0.05);
          options.momentum().put(0.9);
          options.weight_decay().put(1e-2);
          return new SGD(parameters, options);
        });
  }

  @Test
  void nesterov() {
    train(
        Optimizer.sgd(0.05).nesterov(0.9),
        parameters -> {
          SGDOptions options = new SGDOptions(0.05);
          options.momentum().put(0.9);
          options.nesterov().put(true);
          return new SGD(parameters, options);
        });
  }

  @Test
  void adam() {
    train(Optimizer.adam(0.01), parameters -> new Adam(parameters, new AdamOptions(0.01)));
  }

  @Test
  void amsGradWithDecay() {
    train(
        Optimizer.amsGrad(0.01).weightDecay(1e-2),
        parameters -> {
          AdamOptions options = new AdamOptions(0.01);
          options.amsgrad().put(true);
          options.weight_decay().put(1e-2);
          return new Adam(parameters, options);
        });
  }

  @Test
  void adamW() {
    train(
        Optimizer.adam(0.01).decoupledWeightDecay(0.1),
        parameters -> {
          AdamWOptions options = new AdamWOptions(0.01);
          options.weight_decay().put(0.1);
          return new AdamW(parameters, options);
        });
  }

  @Test
  void adaGrad() {
    train(
        Optimizer.adaGrad(0.05).epsilon(1e-8).weightDecay(1e-2),
        parameters -> {
          AdagradOptions options = new AdagradOptions(0.05);
          options.eps().put(1e-8);
          options.weight_decay().put(1e-2);
          return new Adagrad(parameters, options);
        });
  }

  @Test
  void rmsProp() {
    train(
        Optimizer.rmsProp(0.005).decay(0.9).epsilon(1e-8),
        parameters -> {
          RMSpropOptions options = new RMSpropOptions(0.005);
          options.alpha().put(0.9);
          options.eps().put(1e-8);
          return new RMSprop(parameters, options);
        });
  }

  @Test
  void rmsPropWithMomentum() {
    train(
        Optimizer.rmsProp(0.001).decay(0.95).momentum(0.9).epsilon(1e-8).weightDecay(1e-2),
        parameters -> {
          RMSpropOptions options = new RMSpropOptions(0.001);
          options.alpha().put(0.95);
          options.momentum().put(0.9);
          options.eps().put(1e-8);
          options.weight_decay().put(1e-2);
          return new RMSprop(parameters, options);
        });
  }

  /// PyTorch's C++ interface has two schedules; the values of the others in Python are golden
  /// values of the tests of schedules.
  @Test
  void stepDecay() {
    try (PointerScope _ = new PointerScope()) {
      org.bytedeco.pytorch.Optimizer optimizer = oneParameter();
      StepLR other = new StepLR(optimizer, 7, 0.3);
      other.step(); // Python's does it when it is made
      Schedule own = Schedule.stepDecay(0.3).every(Span.steps(7));
      for (int step = 0; step < 30; step++) {
        assertEquals(rate(optimizer), own.factor(new Schedule.Moment(step, 10, 100)), 1e-12);
        optimizer.step();
        other.step();
      }
    }
  }

  @Test
  void reduceOnPlateau() {
    double[] losses = {
      3, 2, 2.1, 2, 1.9999, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4
    };
    try (PointerScope _ = new PointerScope()) {
      org.bytedeco.pytorch.Optimizer optimizer = oneParameter();
      ReduceLROnPlateauScheduler other =
          new ReduceLROnPlateauScheduler(
              optimizer,
              ReduceLROnPlateauScheduler.SchedulerMode.min,
              0.5f,
              2,
              1e-3,
              ReduceLROnPlateauScheduler.ThresholdMode.rel,
              0,
              new float[] {0},
              1e-8,
              false);
      Schedule own = Schedule.reduceOnPlateau(0.5).patience(2).threshold(1e-3);
      List<Double> seen = new ArrayList<>();
      boolean fell = false;
      for (double loss : losses) {
        double expected = rate(optimizer);
        Schedule.Moment moment = new Schedule.Moment(seen.size(), 1, 100, List.copyOf(seen));
        assertEquals(expected, own.factor(moment), 1e-6, "after " + seen);
        fell |= expected < 1;
        other.step((float) loss);
        seen.add(loss);
      }
      assertTrue(fell, "the rate never fell");
    }
  }

  /// Of rate 1.
  private static org.bytedeco.pytorch.Optimizer oneParameter() {
    Tensor parameter = torch.zeros(1).requires_grad_(true);
    return new SGD(new TensorVector(new Tensor[] {parameter}), new SGDOptions(1));
  }

  private static double rate(org.bytedeco.pytorch.Optimizer optimizer) {
    return optimizer.param_groups().get(0).options().get_lr();
  }

  /// Convolution, batch norm, ReLU, mean, dense, cross-entropy.
  private static void train(
      Optimizer own, Function<TensorVector, org.bytedeco.pytorch.Optimizer> other) {
    Net net =
        Net.input(8, 8, 3)
            .conv(new Conv(16, 3).stride(2).withoutBias())
            .batchNorm()
            .relu()
            .globalAveragePool()
            .dense(CLASSES);
    try (Device device = Device.cpu(2);
        Trainer trainer = Trainer.of(net).on(device).optimizer(own);
        PointerScope _ = new PointerScope()) {
      Model model = trainer.model();
      List<Tensor> parameters = new ArrayList<>();
      for (String name : model.parameterNames()) {
        long[] dims = model.shape(name).toArray();
        parameters.add(Tensors.of(model.read(name), dims).requires_grad_(true));
      }
      Tensor mean = torch.zeros(16);
      Tensor variance = torch.ones(16);
      org.bytedeco.pytorch.Optimizer optimizer =
          other.apply(new TensorVector(parameters.toArray(Tensor[]::new)));
      float[] pictures = values(3, BATCH, 8, 8, 3);
      Tensor labels = Tensors.labels(BATCH, CLASSES);
      Tensor x = Tensors.channelsSecond(Tensors.of(pictures, BATCH, 8, 8, 3));
      for (int step = 0; step < STEPS; step++) {
        optimizer.zero_grad();
        Tensor loss = torch.cross_entropy_loss(logits(x, parameters, mean, variance), labels);
        loss.backward();
        optimizer.step();
        float ownLoss = trainer.step(pictures, Values.labels(BATCH, CLASSES), own.learningRate());
        assertEquals(loss.item_float(), ownLoss, TOLERANCE, "loss of step " + step);
      }
      for (int i = 0; i < parameters.size(); i++) {
        close(flat(parameters.get(i)), model.read(model.parameterNames().get(i)));
      }
      close(flat(mean), model.read("batchNorm0.runningMean"));
      close(flat(variance), model.read("batchNorm0.runningVariance"));
    }
  }

  private static Tensor logits(Tensor x, List<Tensor> p, Tensor mean, Tensor variance) {
    Tensor y =
        torch.conv2d(
            x,
            Tensors.channelsSecond(p.get(0)),
            new TensorOptional(),
            new long[] {2, 2},
            new long[] {1, 1},
            new long[] {1, 1},
            1);
    Tensor normal =
        torch.batch_norm(
            y,
            new TensorOptional(p.get(1)),
            new TensorOptional(p.get(2)),
            new TensorOptional(mean),
            new TensorOptional(variance),
            true,
            0.1,
            1e-5,
            false);
    Tensor features = torch.adaptive_avg_pool2d(normal.relu(), 1, 1).flatten(1, -1);
    return torch.linear(features, p.get(3), new TensorOptional(p.get(4)));
  }

  private static float[] values(int seed, long... dims) {
    long count = 1;
    for (long dim : dims) {
      count *= dim;
    }
    return Values.uniform(count, seed);
  }

  private static float[] flat(Tensor tensor) {
    return Tensors.toArray(tensor.reshape(-1));
  }

  /// Equal up to a share of the greatest value.
  private static void close(float[] expected, float[] found) {
    float scale = 0;
    for (float value : expected) {
      scale = Math.max(scale, Math.abs(value));
    }
    assertArrayEquals(expected, found, TOLERANCE * scale);
  }
}
