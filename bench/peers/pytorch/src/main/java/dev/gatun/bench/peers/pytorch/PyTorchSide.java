package dev.gatun.bench.peers.pytorch;

import static dev.gatun.bench.peers.pytorch.Tensors.channelsSecond;
import static dev.gatun.bench.peers.pytorch.Tensors.keep;
import static dev.gatun.bench.peers.pytorch.Tensors.uniform;

import dev.gatun.bench.peers.Side;
import dev.gatun.bench.peers.Values;
import dev.gatun.bench.peers.Work;
import dev.gatun.bench.peers.Worker;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.LongArrayRefOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/// PyTorch's side: kernels are calls of ATen's functions, networks run eagerly with autograd.
public final class PyTorchSide implements Side {
  private static final long[] ONE = {1, 1};
  private static final long[] NONE = {0, 0};

  private PyTorchSide() {}

  /// `args`: the number of threads.
  public static void main(String[] args) throws IOException {
    int threads = Integer.parseInt(args[0]);
    torch.set_num_threads(threads);
    torch.set_num_interop_threads(1);
    Worker.serve(new PyTorchSide());
  }

  @Override
  public String description() {
    return "%s, %d threads, %s%s%s"
        .formatted(
            Worker.jarOf(torch.class),
            torch.get_num_threads(),
            torch.hasMKL() ? "MKL" : "OpenBLAS",
            torch.hasMKLDNN() ? ", oneDNN" : "",
            System.getenv("LD_PRELOAD") == null ? "" : ", tcmalloc");
  }

  @Override
  public Task prepare(Work work) {
    return switch (work) {
      case Work.Sgemm sgemm -> sgemm(sgemm.n());
      case Work.Convolution convolution -> convolution(convolution);
      case Work.Adam adam -> adam(adam.parameters());
      case Work.Dropout dropout -> dropout(dropout.elements());
      case Work.BatchNorm batchNorm -> batchNorm(batchNorm);
      case Work.LayerNorm layerNorm -> layerNorm(layerNorm);
      case Work.SoftmaxCrossEntropy loss -> loss(loss.rows(), loss.classes());
      case Work.Training training -> new TrainingTask(training);
      case Work.Inference inference -> new InferenceTask(inference);
      case Work.RecurrentTraining training -> new RecurrentTask(training);
      case Work.RecurrentSteps steps -> new SteppingTask(steps);
    };
  }

  private static Task sgemm(int n) {
    Kernel kernel = new Kernel();
    Tensor a = kernel.hold(uniform(1, n, n));
    Tensor b = kernel.hold(uniform(2, n, n));
    Tensor y = kernel.hold(torch.zeros(n, n));
    return kernel.of(() -> List.of(torch.mm_out(y, a, b)));
  }

  private static Task convolution(Work.Convolution c) {
    Kernel kernel = new Kernel();
    long batch = c.batch();
    Tensor x = kernel.hold(channelsSecond(uniform(1, batch, c.side(), c.side(), c.channels())));
    Tensor w =
        kernel.hold(channelsSecond(uniform(2, c.filters(), c.size(), c.size(), c.channels())));
    long[] stride = {c.stride(), c.stride()};
    long[] pad = {c.pad(), c.pad()};
    if (c.pass() == Work.Pass.FORWARD) {
      return kernel.of(
          () -> List.of(torch.conv2d(x, w, new TensorOptional(), stride, pad, ONE, 1)));
    }
    int side = c.outputSide();
    Tensor dy = kernel.hold(channelsSecond(uniform(3, batch, side, side, c.filters())));
    boolean data = c.pass() != Work.Pass.WEIGHTS;
    boolean weights = c.pass() != Work.Pass.DATA;
    return kernel.of(
        () -> {
          T_TensorTensorTensor_T gradients =
              torch.convolution_backward(
                  dy,
                  x,
                  w,
                  new LongArrayRefOptional(),
                  stride,
                  pad,
                  ONE,
                  false,
                  NONE,
                  1,
                  wanted(data, weights, false));
          List<Tensor> results = new ArrayList<>();
          if (data) {
            results.add(gradients.get0());
          }
          if (weights) {
            results.add(gradients.get1());
          }
          return results;
        });
  }

  private static BoolPointer wanted(boolean... gradients) {
    BoolPointer mask = new BoolPointer(gradients.length);
    for (int i = 0; i < gradients.length; i++) {
      mask.put(i, gradients[i]);
    }
    return mask;
  }

  private static Task adam(int parameters) {
    Kernel kernel = new Kernel();
    Tensor parameter = kernel.hold(uniform(1, parameters));
    Tensor gradient = kernel.hold(uniform(2, parameters));
    List<Tensor> states =
        List.of(kernel.hold(torch.zeros(parameters)), kernel.hold(torch.zeros(parameters)));
    Tensor steps = kernel.hold(torch.zeros(1));
    FusedOptimizer optimizer = FusedOptimizer.adam();
    return kernel.of(
        () -> {
          optimizer.step(parameter, gradient, states, steps);
          return List.of(parameter);
        });
  }

  private static Task dropout(int elements) {
    Kernel kernel =
        new Kernel() {
          @Override
          public float[] results() {
            return Values.dropout(result(0), Values.uniform(elements, 1));
          }
        };
    Tensor x = kernel.hold(uniform(1, elements));
    return kernel.of(
        () -> {
          T_TensorTensor_T both = torch.native_dropout(x, 0.5, new BoolOptional(true));
          return List.of(both.get0());
        });
  }

  private static Task batchNorm(Work.BatchNorm b) {
    Kernel kernel = new Kernel();
    int channels = b.channels();
    Tensor x = kernel.hold(channelsSecond(uniform(1, b.batch(), b.side(), b.side(), channels)));
    Tensor dy = kernel.hold(channelsSecond(uniform(2, b.batch(), b.side(), b.side(), channels)));
    Tensor gamma = kernel.hold(uniform(3, channels));
    Tensor beta = kernel.hold(uniform(4, channels));
    Tensor runningMean = kernel.hold(torch.zeros(channels));
    Tensor runningVariance = kernel.hold(torch.zeros(channels));
    return kernel.of(
        () -> {
          TensorOptional scale = new TensorOptional(gamma);
          TensorOptional mean = new TensorOptional(runningMean);
          TensorOptional variance = new TensorOptional(runningVariance);
          T_TensorTensorTensor_T forward =
              torch.native_batch_norm(
                  x, scale, new TensorOptional(beta), mean, variance, true, 0.1, 1e-5);
          T_TensorTensorTensor_T backward =
              torch.native_batch_norm_backward(
                  dy,
                  x,
                  scale,
                  mean,
                  variance,
                  new TensorOptional(forward.get1()),
                  new TensorOptional(forward.get2()),
                  true,
                  1e-5,
                  wanted(true, true, true));
          return List.of(forward.get0(), backward.get0(), backward.get1());
        });
  }

  private static Task layerNorm(Work.LayerNorm l) {
    Kernel kernel = new Kernel();
    Tensor x = kernel.hold(uniform(1, l.rows(), l.columns()));
    Tensor dy = kernel.hold(uniform(2, l.rows(), l.columns()));
    Tensor gamma = kernel.hold(uniform(3, l.columns()));
    Tensor beta = kernel.hold(uniform(4, l.columns()));
    long[] dims = {l.columns()};
    return kernel.of(
        () -> {
          TensorOptional scale = new TensorOptional(gamma);
          TensorOptional shift = new TensorOptional(beta);
          T_TensorTensorTensor_T forward = torch.native_layer_norm(x, dims, scale, shift, 1e-5);
          if (!l.backward()) {
            return List.of(forward.get0());
          }
          T_TensorTensorTensor_T backward =
              torch.native_layer_norm_backward(
                  dy,
                  x,
                  dims,
                  forward.get1(),
                  forward.get2(),
                  scale,
                  shift,
                  wanted(true, true, true));
          return List.of(forward.get0(), backward.get0(), backward.get1());
        });
  }

  private static Task loss(int rows, int classes) {
    Kernel kernel =
        new Kernel() {
          @Override
          void runScope() {
            keepResults();
          }
        };
    Tensor logits = kernel.hold(uniform(1, rows, classes));
    Tensor labels = kernel.hold(Tensors.labels(rows, classes));
    logits.requires_grad_(true);
    return kernel.of(
        () -> {
          logits.mutable_grad().reset();
          Tensor loss = torch.cross_entropy_loss(logits, labels);
          loss.backward();
          return List.of(loss, logits.grad());
        });
  }

  /// Calls of ATen's functions. Without gradients, unless a kind says otherwise.
  private static class Kernel implements Task {
    private final List<Tensor> held = new ArrayList<>();
    private Supplier<List<Tensor>> work = List::of;
    private List<float[]> results = List.of();
    private boolean first = true;

    Kernel of(Supplier<List<Tensor>> newWork) {
      work = newWork;
      return this;
    }

    Tensor hold(Tensor tensor) {
      held.add(keep(tensor));
      return tensor;
    }

    @Override
    public final void run() {
      try (PointerScope _ = new PointerScope()) {
        runScope();
      }
    }

    void runScope() {
      try (NoGradGuard _ = new NoGradGuard()) {
        keepResults();
      }
    }

    final void keepResults() {
      List<Tensor> tensors = work.get();
      if (first) {
        first = false;
        results = tensors.stream().map(Tensors::toArray).toList();
      }
    }

    final float[] result(int index) {
      return results.get(index);
    }

    @Override
    public float[] results() {
      float[] all = Values.join(results.stream().map(Values::sample).toArray(float[][]::new));
      results = List.of();
      return all;
    }

    @Override
    public void close() {
      held.forEach(Tensor::close);
    }
  }
}
