package dev.gatun.bench.peers.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.GradientCollector;
import ai.djl.training.loss.Loss;
import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import dev.gatun.bench.peers.Worker;
import java.io.IOException;
import java.util.List;
import java.util.function.Function;

/// DJL's side. Single gradients are out of its reach: it differentiates whole computations.
public final class DjlSide implements Side {
  private final NDManager root = NDManager.newBaseManager();
  private final int threads;

  private DjlSide(int threads) {
    this.threads = threads;
  }

  /// `args`: the number of threads.
  public static void main(String[] args) throws IOException {
    System.setProperty("ai.djl.pytorch.num_threads", args[0]);
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
    Worker.serve(new DjlSide(Integer.parseInt(args[0])));
  }

  @Override
  public String description() {
    return "DJL %s, PyTorch %s, %d threads%s"
        .formatted(
            Worker.jarOf(Engine.class),
            Engine.getInstance().getVersion(),
            threads,
            System.getenv("LD_PRELOAD") == null ? "" : ", tcmalloc");
  }

  @Override
  public Task prepare(Work work) {
    if (!work.precision().equals("f32")) {
      throw new UnsupportedOperationException("DJL trains in f32");
    }
    return switch (work) {
      case Work.Sgemm sgemm -> sgemm(sgemm.n());
      case Work.Convolution convolution -> convolution(convolution);
      case Work.Adam adam -> adam(adam.parameters());
      case Work.Dropout dropout -> dropout(dropout.elements());
      case Work.LayerNorm layerNorm -> layerNorm(layerNorm);
      case Work.SoftmaxCrossEntropy loss -> loss(loss.rows(), loss.classes());
      case Work.Training training -> new TrainingTask(root, training);
      case Work.Inference inference -> new InferenceTask(root, inference);
      case Work.RecurrentTraining training -> new RecurrentTask(root, training);
      case Work.RecurrentSteps steps -> new SteppingTask(root, steps);
      case Work.BatchNorm any ->
          throw new UnsupportedOperationException("DJL has no gradient of " + any.name());
    };
  }

  static NDArray uniform(NDManager manager, int seed, long... dims) {
    Shape shape = new Shape(dims);
    return manager.create(Values.uniform(shape.size(), seed), shape);
  }

  /// Pictures given as [N,H,W,C], or filters as [K,R,S,C], with channels second: a view of the same
  /// memory, which PyTorch takes as channels-last.
  static NDArray channelsSecond(NDArray array) {
    return array.transpose(0, 3, 1, 2);
  }

  private Task sgemm(int n) {
    Kernel kernel = new Kernel(root);
    NDArray a = uniform(kernel.manager(), 1, n, n);
    NDArray b = uniform(kernel.manager(), 2, n, n);
    return kernel.of(in -> in.move(a).matMul(b));
  }

  private Task convolution(Work.Convolution c) {
    if (c.pass() != Work.Pass.FORWARD) {
      throw new UnsupportedOperationException("DJL has no gradient of a single convolution");
    }
    Kernel kernel = new Kernel(root);
    NDArray x =
        channelsSecond(uniform(kernel.manager(), 1, c.batch(), c.side(), c.side(), c.channels()));
    NDArray w =
        channelsSecond(uniform(kernel.manager(), 2, c.filters(), c.size(), c.size(), c.channels()));
    Shape stride = new Shape(c.stride(), c.stride());
    Shape pad = new Shape(c.pad(), c.pad());
    return kernel.of(
        in ->
            Conv2d.conv2d(in.move(x), w, null, stride, pad, new Shape(1, 1), 1).singletonOrThrow());
  }

  private Task adam(int parameters) {
    Kernel kernel = new Kernel(root);
    NDArray parameter = uniform(kernel.manager(), 1, parameters);
    NDArray gradient = uniform(kernel.manager(), 2, parameters);
    NDArray first = kernel.manager().zeros(new Shape(parameters));
    NDArray second = kernel.manager().zeros(new Shape(parameters));
    float correction = (float) (1e-3 * Math.sqrt(1 - 0.999) / (1 - 0.9));
    return kernel.of(
        in -> {
          NDList inputs = new NDList(parameter, gradient, first, second);
          parameter
              .getNDArrayInternal()
              .adamUpdate(
                  inputs,
                  new NDList(parameter),
                  1e-3f,
                  correction,
                  0,
                  1,
                  -1,
                  0.9f,
                  0.999f,
                  1e-8f,
                  true,
                  false);
          return parameter;
        });
  }

  private Task dropout(int elements) {
    Kernel kernel =
        new Kernel(root) {
          @Override
          public float[] results() {
            return Values.dropout(result(), Values.uniform(elements, 1));
          }
        };
    NDArray x = uniform(kernel.manager(), 1, elements);
    return kernel.of(in -> Dropout.dropout(in.move(x), 0.5f, true).singletonOrThrow());
  }

  private Task layerNorm(Work.LayerNorm l) {
    if (l.backward()) {
      throw new UnsupportedOperationException("DJL has no gradient of a single layer norm");
    }
    Kernel kernel = new Kernel(root);
    NDArray x = uniform(kernel.manager(), 1, l.rows(), l.columns());
    NDArray gamma = uniform(kernel.manager(), 3, l.columns());
    NDArray beta = uniform(kernel.manager(), 4, l.columns());
    return kernel.of(
        in ->
            LayerNorm.layerNorm(in.move(x), new Shape(l.columns()), gamma, beta, 1e-5f)
                .singletonOrThrow());
  }

  private Task loss(int rows, int classes) {
    Kernel kernel = new Kernel(root);
    NDArray logits = uniform(kernel.manager(), 1, rows, classes);
    NDArray labels = kernel.manager().create(Values.labels(rows, classes));
    logits.setRequiresGradient(true);
    Loss loss = Loss.softmaxCrossEntropyLoss();
    return kernel.ofTwo(
        in -> {
          try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            collector.zeroGradients();
            NDArray value = loss.evaluate(new NDList(labels), new NDList(in.move(logits)));
            collector.backward(value);
            NDArray gradient = logits.getGradient();
            gradient.attach(in.manager());
            return List.of(value, gradient);
          }
        });
  }

  /// Where the arrays of one run go, to be freed after it.
  record Run(NDManager manager) {
    /// The same array, for the time of this run its own: so is what is computed from it.
    NDArray move(NDArray array) {
      array.tempAttach(manager);
      return array;
    }
  }

  /// One call.
  private static class Kernel implements Task {
    private final NDManager manager;
    private Function<Run, List<NDArray>> work = run -> List.of();
    private List<float[]> results = List.of();
    private boolean first = true;

    Kernel(NDManager root) {
      manager = root.newSubManager();
    }

    NDManager manager() {
      return manager;
    }

    Kernel of(Function<Run, NDArray> call) {
      return ofTwo(run -> List.of(call.apply(run)));
    }

    Kernel ofTwo(Function<Run, List<NDArray>> call) {
      work = call;
      return this;
    }

    final float[] result() {
      return results.getFirst();
    }

    @Override
    public final void run() {
      try (NDManager scope = manager.newSubManager()) {
        List<NDArray> arrays = work.apply(new Run(scope));
        if (first) {
          first = false;
          results = arrays.stream().map(Kernel::elements).toList();
        }
      }
    }

    private static float[] elements(NDArray array) {
      NDArray ordered = array.getShape().dimension() == 4 ? array.transpose(0, 2, 3, 1) : array;
      return ordered.toFloatArray();
    }

    @Override
    public float[] results() {
      return Values.join(results.stream().map(Values::sample).toArray(float[][]::new));
    }

    @Override
    public void close() {
      manager.close();
    }
  }
}
