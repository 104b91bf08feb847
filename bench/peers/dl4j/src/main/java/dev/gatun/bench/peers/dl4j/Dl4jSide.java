package dev.gatun.bench.peers.dl4j;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import dev.gatun.bench.peers.Worker;
import java.io.IOException;
import java.util.List;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.ops.DynamicCustomOp;
import org.nd4j.linalg.api.ops.random.impl.DropOutInverted;
import org.nd4j.linalg.factory.Nd4j;

/// DL4J's side.
public final class Dl4jSide implements Side {
  private final int threads;

  private Dl4jSide(int threads) {
    this.threads = threads;
  }

  /// `args`: the number of threads.
  public static void main(String[] args) throws IOException {
    int threads = Integer.parseInt(args[0]);
    Nd4j.getEnvironment().setMaxThreads(threads);
    Nd4j.getEnvironment().setMaxMasterThreads(threads);
    Worker.serve(new Dl4jSide(threads));
  }

  @Override
  public String description() {
    return "%s, %d threads, %s"
        .formatted(
            Worker.jarOf(Nd4j.class),
            threads,
            System.getProperty("org.bytedeco.javacpp.platform.extension"));
  }

  @Override
  public Task prepare(Work work) {
    return switch (work) {
      case Work.Sgemm sgemm -> sgemm(sgemm.n());
      case Work.Convolution convolution -> convolution(convolution);
      case Work.Adam adam -> adam(adam.parameters());
      case Work.Dropout dropout -> dropout(dropout.elements());
      case Work.LayerNorm layerNorm -> layerNorm(layerNorm);
      case Work.BatchNorm any -> throw none(any);
      case Work.SoftmaxCrossEntropy any -> throw none(any);
      case Work.Training any -> throw none(any);
      case Work.Inference any -> throw none(any);
      case Work.RecurrentTraining any -> throw none(any);
      case Work.RecurrentSteps any -> throw none(any);
    };
  }

  private static UnsupportedOperationException none(Work work) {
    return new UnsupportedOperationException("left out for DL4J: " + work.name());
  }

  private static INDArray uniform(int seed, long... dims) {
    long count = 1;
    for (long dim : dims) {
      count *= dim;
    }
    return Nd4j.createFromArray(Values.uniform(count, seed)).reshape('c', dims);
  }

  private static INDArray zeros(long... dims) {
    return Nd4j.createUninitialized(dims, 'c').assign(0);
  }

  private static Task sgemm(int n) {
    INDArray a = uniform(1, n, n);
    INDArray b = uniform(2, n, n);
    INDArray y = zeros(n, n);
    return new Kernel(() -> a.mmuli(b, y), List.of(y), List.of(a, b));
  }

  /// Channels last, filters [K,R,S,C], explicit padding.
  private static Task convolution(Work.Convolution c) {
    if (c.pass() == Work.Pass.DATA || c.pass() == Work.Pass.WEIGHTS) {
      throw new UnsupportedOperationException("ND4J computes both gradients at once");
    }
    INDArray x = uniform(1, c.batch(), c.side(), c.side(), c.channels());
    INDArray w = uniform(2, c.filters(), c.size(), c.size(), c.channels());
    int size = c.size();
    int stride = c.stride();
    int pad = c.pad();
    int[] attributes = {size, size, stride, stride, pad, pad, 1, 1, 0, 1, 2};
    long out = c.outputSide();
    if (c.pass() == Work.Pass.FORWARD) {
      INDArray y = zeros(c.batch(), out, out, c.filters());
      DynamicCustomOp op =
          DynamicCustomOp.builder("conv2d")
              .addInputs(x, w)
              .addOutputs(y)
              .addIntegerArguments(attributes)
              .build();
      return new Kernel(() -> Nd4j.exec(op), List.of(y), List.of(x, w));
    }
    INDArray dy = uniform(3, c.batch(), out, out, c.filters());
    INDArray dx = zeros(c.batch(), c.side(), c.side(), c.channels());
    INDArray dw = zeros(c.filters(), size, size, c.channels());
    DynamicCustomOp op =
        DynamicCustomOp.builder("conv2d_bp")
            .addInputs(x, w, dy)
            .addOutputs(dx, dw)
            .addIntegerArguments(attributes)
            .build();
    return new Kernel(() -> Nd4j.exec(op), List.of(dx, dw), List.of(x, w, dy));
  }

  private static Task adam(int parameters) {
    INDArray parameter = uniform(1, parameters);
    INDArray gradient = uniform(2, parameters);
    INDArray update = zeros(parameters);
    INDArray second = zeros(parameters);
    INDArray first = zeros(parameters);
    DynamicCustomOp op =
        DynamicCustomOp.builder("adam_updater")
            .addInputs(gradient, second, first)
            .addOutputs(update, second, first)
            .addFloatingPointArguments(1e-3, 0.9, 0.999, 1e-8)
            .addIntegerArguments(0)
            .build();
    Runnable step =
        () -> {
          Nd4j.exec(op);
          parameter.subi(update);
        };
    return new Kernel(step, List.of(parameter), List.of(gradient, update, second, first));
  }

  private static Task dropout(int elements) {
    INDArray x = uniform(1, elements);
    INDArray y = zeros(elements);
    DropOutInverted op = new DropOutInverted(x, y, 0.5);
    return new Kernel(() -> Nd4j.getExecutioner().exec(op), List.of(y), List.of(x)) {
      @Override
      public float[] results() {
        return Values.dropout(y.data().asFloat(), Values.uniform(elements, 1));
      }
    };
  }

  private static Task layerNorm(Work.LayerNorm l) {
    INDArray x = uniform(1, l.rows(), l.columns());
    INDArray gamma = uniform(3, l.columns());
    INDArray beta = uniform(4, l.columns());
    INDArray y = zeros(l.rows(), l.columns());
    DynamicCustomOp forward =
        DynamicCustomOp.builder("layer_norm")
            .addInputs(x, gamma, beta)
            .addOutputs(y)
            .addIntegerArguments(1)
            .addBooleanArguments(false)
            .build();
    if (!l.backward()) {
      return new Kernel(() -> Nd4j.exec(forward), List.of(y), List.of(x, gamma, beta));
    }
    INDArray dy = uniform(2, l.rows(), l.columns());
    INDArray dx = zeros(l.rows(), l.columns());
    INDArray dgamma = zeros(l.columns());
    INDArray dbeta = zeros(l.columns());
    DynamicCustomOp backward =
        DynamicCustomOp.builder("layer_norm_bp")
            .addInputs(x, gamma, beta, dy)
            .addOutputs(dx, dgamma, dbeta)
            .addIntegerArguments(1)
            .addBooleanArguments(false)
            .build();
    Runnable both =
        () -> {
          Nd4j.exec(forward);
          Nd4j.exec(backward);
        };
    return new Kernel(both, List.of(y, dx, dgamma), List.of(x, gamma, beta, dy, dbeta));
  }

  /// Operations on arrays that are there for the whole time.
  private static class Kernel implements Task {
    private final Runnable work;
    private final List<INDArray> results;
    private final List<INDArray> others;

    Kernel(Runnable work, List<INDArray> results, List<INDArray> others) {
      this.work = work;
      this.results = results;
      this.others = others;
    }

    @Override
    public void run() {
      work.run();
      Nd4j.getExecutioner().commit();
    }

    @Override
    public float[] results() {
      float[][] samples = new float[results.size()][];
      for (int i = 0; i < samples.length; i++) {
        samples[i] = Values.sample(results.get(i).dup('c').data().asFloat());
      }
      return Values.join(samples);
    }

    @Override
    public void close() {
      results.forEach(INDArray::close);
      others.forEach(INDArray::close);
    }
  }
}
