package dev.gatun.bench.peers;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.Optimizer;
import dev.gatun.Precision;
import dev.gatun.Recurrent;
import dev.gatun.ResNet;
import dev.gatun.Stepper;
import dev.gatun.Trainer;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.backend.ffm.FfmBackend;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Supplier;

/// Gatun's side: networks through [Trainer] and [Model], single kernels as recorded programs.
public final class GatunSide implements Side {
  private final int threads;
  private final Backend backend;

  private GatunSide(int threads) {
    this.threads = threads;
    this.backend = FfmBackend.cpu(threads);
  }

  /// `args`: the number of threads.
  public static void main(String[] args) throws IOException {
    Worker.serve(new GatunSide(Integer.parseInt(args[0])));
  }

  @Override
  public String description() {
    return "Gatun, " + backend.description();
  }

  @Override
  public Task prepare(Work work) {
    return switch (work) {
      case Work.Sgemm sgemm -> sgemm(sgemm.n());
      case Work.Convolution convolution -> convolution(convolution);
      case Work.Dropout dropout -> dropout(dropout.elements());
      case Work.BatchNorm batchNorm -> batchNorm(batchNorm);
      case Work.SoftmaxCrossEntropy loss -> loss(loss.rows(), loss.classes());
      case Work.Training training -> new TrainingTask(training, threads);
      case Work.Inference inference -> new InferenceTask(inference, threads);
      case Work.Adam adam -> adam(adam.parameters());
      case Work.LayerNorm layerNorm -> layerNorm(layerNorm);
      case Work.RecurrentTraining training -> new RecurrentTask(training, threads);
      case Work.RecurrentSteps steps -> new SteppingTask(steps, threads);
    };
  }

  private Task sgemm(int n) {
    GatunKernel kernel = new GatunKernel(backend);
    View a = kernel.filled(1, n, n);
    View b = kernel.filled(2, n, n);
    View y = kernel.output(n, n);
    return kernel.record(on -> on.matmul(y, a, b, null, false, false, Activation.NONE));
  }

  private Task convolution(Work.Convolution c) {
    GatunKernel kernel = new GatunKernel(backend);
    long batch = c.batch();
    int side = c.side();
    int outputSide = c.outputSide();
    Window window = Window.square(c.size(), c.stride(), c.pad());
    ConvAlgorithm algorithm = c.freeAlgorithm() ? ConvAlgorithm.AUTO : ConvAlgorithm.DIRECT;
    Supplier<View> x = () -> kernel.filled(1, batch, side, side, c.channels());
    Supplier<View> w = () -> kernel.filled(2, c.filters(), c.size(), c.size(), c.channels());
    Supplier<View> dy = () -> kernel.filled(3, batch, outputSide, outputSide, c.filters());
    return switch (c.pass()) {
      case FORWARD -> {
        View y = kernel.output(batch, outputSide, outputSide, c.filters());
        View in = x.get();
        View weights = w.get();
        yield kernel.record(
            on -> on.conv2d(y, null, in, weights, null, null, window, Activation.NONE, algorithm));
      }
      case DATA -> {
        View dx = kernel.output(batch, side, side, c.channels());
        View out = dy.get();
        View weights = w.get();
        yield kernel.record(
            on ->
                on.conv2dBackwardData(
                    dx, null, out, weights, null, null, null, null, window, algorithm));
      }
      case WEIGHTS -> {
        View dw = kernel.output(c.filters(), c.size(), c.size(), c.channels());
        View in = x.get();
        View out = dy.get();
        yield kernel.record(on -> on.conv2dBackwardWeights(dw, in, out, window, algorithm));
      }
      case BACKWARD -> {
        View dx = kernel.output(batch, side, side, c.channels());
        View dw = kernel.output(c.filters(), c.size(), c.size(), c.channels());
        View in = x.get();
        View weights = w.get();
        View out = dy.get();
        yield kernel.record(
            on -> {
              on.conv2dBackwardData(
                  dx, null, out, weights, null, null, null, null, window, algorithm);
              on.conv2dBackwardWeights(dw, in, out, window, algorithm);
            });
      }
    };
  }

  private Task adam(int parameters) {
    GatunKernel kernel = new GatunKernel(backend);
    View parameter = kernel.filled(1, parameters);
    View gradient = kernel.filled(2, parameters);
    View m = kernel.scratch(parameters);
    View v = kernel.scratch(parameters);
    View rate = kernel.scratch();
    View step = kernel.view(DType.I64);
    kernel.result(parameter);
    backend.fill(rate, 1e-3);
    Backend.Adam attributes = new Backend.Adam(0.9, 0.999, 1e-8, 0, false);
    return kernel.record(
        on -> on.adamStep(parameter, m, v, parameter, m, v, gradient, rate, step, attributes));
  }

  private Task dropout(int elements) {
    GatunKernel kernel =
        new GatunKernel(backend) {
          @Override
          public float[] results() {
            return Values.dropout(read(0), Values.uniform(elements, 1));
          }
        };
    View x = kernel.filled(1, elements);
    View y = kernel.output(elements);
    return kernel.record(on -> on.dropout(y, x, null, 0.5, 1, 0));
  }

  private Task batchNorm(Work.BatchNorm b) {
    GatunKernel kernel = new GatunKernel(backend);
    long[] dims = {b.batch(), b.side(), b.side(), b.channels()};
    View x = kernel.filled(1, dims);
    View dy = kernel.filled(2, dims);
    View gamma = kernel.filled(3, b.channels());
    View beta = kernel.filled(4, b.channels());
    View y = kernel.output(dims);
    View dx = kernel.output(dims);
    View dgamma = kernel.output(b.channels());
    View mean = kernel.scratch(b.channels());
    View invStd = kernel.scratch(b.channels());
    View runningMean = kernel.scratch(b.channels());
    View runningVariance = kernel.scratch(b.channels());
    View dbeta = kernel.scratch(b.channels());
    return kernel.record(
        on -> {
          on.batchNormTraining(
              y,
              mean,
              invStd,
              runningMean,
              runningVariance,
              x,
              gamma,
              beta,
              null,
              null,
              runningMean,
              runningVariance,
              0.1,
              1e-5,
              Activation.NONE);
          on.batchNormBackward(
              dx, dgamma, dbeta, null, dy, x, null, mean, invStd, gamma, null, Activation.NONE);
        });
  }

  private Task layerNorm(Work.LayerNorm l) {
    GatunKernel kernel = new GatunKernel(backend);
    long[] dims = {l.rows(), l.columns()};
    View x = kernel.filled(1, dims);
    View dy = kernel.filled(2, dims);
    View gamma = kernel.filled(3, l.columns());
    View beta = kernel.filled(4, l.columns());
    View y = kernel.output(dims);
    View mean = kernel.scratch(l.rows(), 1);
    View invStd = kernel.scratch(l.rows(), 1);
    if (!l.backward()) {
      return kernel.record(on -> on.layerNorm(y, mean, invStd, x, gamma, beta, 1e-5));
    }
    View dx = kernel.output(dims);
    View dgamma = kernel.output(l.columns());
    View dbeta = kernel.scratch(l.columns());
    return kernel.record(
        on -> {
          on.layerNorm(y, mean, invStd, x, gamma, beta, 1e-5);
          on.layerNormBackward(dx, dgamma, dbeta, dy, x, mean, invStd, gamma);
        });
  }

  private Task loss(int rows, int classes) {
    GatunKernel kernel = new GatunKernel(backend);
    View logits = kernel.filled(1, rows, classes);
    View labels = kernel.labels(rows, classes);
    View loss = kernel.output();
    View dlogits = kernel.output(rows, classes);
    View correct = kernel.view(DType.I32);
    View one = kernel.scratch();
    backend.fill(one, 1);
    return kernel.record(
        on -> on.softmaxCrossEntropyTraining(loss, correct, dlogits, logits, labels, null, one, 0));
  }

  private static Net net(Network network) {
    return switch (network) {
      case RESNET20 -> ResNet.cifar(20, 10);
      case RESNET18 -> ResNet.imagenet(18);
      case RESNET50 -> ResNet.imagenet(50);
      case MLP -> Net.input(784).dense(256).relu().dense(10);
    };
  }

  private static final class TrainingTask implements Task {
    private final Device device;
    private final Trainer trainer;
    private final float[] images;
    private final int[] labels;
    private float loss;

    TrainingTask(Work.Training work, int threads) {
      Network network = work.network();
      images = Values.uniform((long) work.batch() * network.inputCount(), 1);
      labels = Values.labels(work.batch(), network.classes());
      device = Device.cpu(threads);
      trainer =
          Trainer.of(
                  net(network)
                      .convAlgorithm(
                          work.freeAlgorithm() ? ConvAlgorithm.AUTO : ConvAlgorithm.DIRECT))
              .on(device)
              .precision(Precision.valueOf(work.precision().toUpperCase(Locale.ROOT)))
              .optimizer(
                  network == Network.MLP
                      ? Optimizer.sgd(0.01)
                      : Optimizer.sgd(0.01).momentum(0.9).weightDecay(1e-4));
    }

    @Override
    public void run() {
      loss = trainer.step(images, labels, 1e-3);
    }

    @Override
    public float[] results() {
      return Values.training(trainer.model().net().parameterCount(), loss);
    }

    @Override
    public void close() {
      trainer.close();
      device.close();
    }
  }

  private static final class InferenceTask implements Task {
    private final Device device;
    private final Model model;
    private final float[] images;
    private float[] logits = {};

    InferenceTask(Work.Inference work, int threads) {
      Network network = work.network();
      images = Values.uniform((long) work.batch() * network.inputCount(), 1);
      device = Device.cpu(threads);
      model = Model.of(net(network), device, 1);
    }

    @Override
    public void run() {
      logits = model.predict(images);
    }

    @Override
    public float[] results() {
      return new float[] {logits.length};
    }

    @Override
    public void close() {
      model.close();
      device.close();
    }
  }

  private static Recurrent layer(Work.Gated cell, int units) {
    return switch (cell) {
      case GRU -> Recurrent.gru(units);
      case LSTM -> Recurrent.lstm(units);
      case UGRNN -> Recurrent.ugrnn(units);
    };
  }

  private static void write(Model model, Work.Gated cell, int features, int units) {
    RecurrentWeights weights = RecurrentWeights.of(cell, features, units);
    boolean gru = cell == Work.Gated.GRU;
    String layer = cell.toString().toLowerCase(Locale.ROOT) + "0.layer0.";
    model.write(layer + "inputWeight", weights.input());
    model.write(layer + "recurrentWeight", weights.state());
    model.write(layer + "bias", weights.bias(gru ? units : 0));
    if (gru) {
      float[] last = Arrays.copyOfRange(weights.stateBias(), 2 * units, 3 * units);
      model.write(layer + "recurrentBias", last);
    }
  }

  private static final class RecurrentTask implements Task {
    private final Device device;
    private final Trainer trainer;
    private final float[] inputs;
    private final int[] labels;
    private float loss;

    RecurrentTask(Work.RecurrentTraining work, int threads) {
      int steps = Work.RecurrentTraining.STEPS;
      int batch = Work.RecurrentTraining.BATCH;
      int features = Work.RecurrentTraining.FEATURES;
      int units = Work.RecurrentTraining.UNITS;
      int classes = Work.RecurrentTraining.CLASSES;
      // The other sides have the sequences one after the other along time.
      float[] timeFirst = Values.uniform((long) batch * steps * features, 1);
      int[] labelsTimeFirst = Values.labels(batch * steps, classes);
      inputs = new float[timeFirst.length];
      labels = new int[labelsTimeFirst.length];
      for (int n = 0; n < batch; n++) {
        for (int t = 0; t < steps; t++) {
          int from = t * batch + n;
          int to = n * steps + t;
          System.arraycopy(timeFirst, from * features, inputs, to * features, features);
          labels[to] = labelsTimeFirst[from];
        }
      }
      device = Device.cpu(threads);
      Net net = Net.input(steps, features).recurrent(layer(work.cell(), units)).dense(classes);
      trainer = Trainer.of(net).on(device).optimizer(Optimizer.adam(1e-3));
      write(trainer.model(), work.cell(), features, units);
      trainer.model().write("dense0.weight", RecurrentWeights.head(classes, units));
    }

    @Override
    public void run() {
      loss = trainer.step(inputs, labels, 1e-3);
    }

    @Override
    public float[] results() {
      float first = loss;
      run();
      return Values.descent(first, loss, Work.RecurrentTraining.CLASSES);
    }

    @Override
    public void close() {
      trainer.close();
      device.close();
    }
  }

  private static final class SteppingTask implements Task {
    private final Device device;
    private final Model model;
    private final Stepper stepper;
    private final float[] inputs;
    private float[] outputs = {};

    SteppingTask(Work.RecurrentSteps work, int threads) {
      int units = Work.RecurrentSteps.UNITS;
      inputs = Values.uniform((long) work.steps() * units, 1);
      device = Device.cpu(threads);
      model =
          Model.of(Net.input(work.steps(), units).recurrent(layer(work.cell(), units)), device, 1);
      write(model, work.cell(), units, units);
      stepper = Stepper.of(model, 1, work.steps());
    }

    @Override
    public void run() {
      outputs = stepper.next(inputs);
    }

    @Override
    public float[] results() {
      return Values.sample(outputs);
    }

    @Override
    public void close() {
      stepper.close();
      model.close();
      device.close();
    }
  }
}
