package dev.gatun.bench;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.Backend.Binary;
import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.Memory;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.random.RandomStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/// The instructions that are measured, at the sizes of a ResNet-20 on batches of 32.
public enum Work {
  /// A product of 512 x 512 matrices.
  SGEMM_512,
  /// A 3x3 convolution of the first stage.
  CONV_16CH_32X32,
  /// A 3x3 convolution of the last stage.
  CONV_64CH_8X8,
  /// Its data gradient.
  CONV_64CH_8X8_BACKWARD_DATA,
  /// Its weight gradient.
  CONV_64CH_8X8_BACKWARD_WEIGHTS,
  /// Batch norm with residual and ReLU.
  BATCH_NORM_TRAINING,
  /// Its gradient.
  BATCH_NORM_BACKWARD,
  /// A sum of two activations of the first stage.
  ADD,
  /// ReLU of the same, which needs no exponential, as the next three do.
  RELU,
  /// Sigmoid.
  SIGMOID,
  /// Tanh.
  TANH,
  /// ELU.
  ELU,
  /// A 2x2 maximum of the same.
  MAX_POOL,
  /// On 1024 rows of 1000 classes.
  SOFTMAX_CROSS_ENTROPY,
  /// On an activation of the first stage.
  DROPOUT,
  /// On a million parameters.
  SGD_STEP;

  private static final int BATCH = 32;
  private static final Window SAME = Window.square(3, 1, 1);

  /// The instruction ready to run on a backend, with operands of its own.
  Ready on(Backend backend) {
    Ready ready = new Ready(backend);
    ready.action = prepare(backend, ready);
    return ready;
  }

  private Runnable prepare(Backend backend, Ready on) {
    return switch (this) {
      case SGEMM_512 -> {
        View y = on.view(512, 512);
        View a = on.view(512, 512);
        View b = on.view(512, 512);
        yield () -> backend.matmul(y, a, b, null, false, false, Activation.NONE);
      }
      case CONV_16CH_32X32 -> convolution(backend, on, 32, 16);
      case CONV_64CH_8X8 -> convolution(backend, on, 8, 64);
      case CONV_64CH_8X8_BACKWARD_DATA -> {
        View dx = on.view(BATCH, 8, 8, 64);
        View dy = on.view(BATCH, 8, 8, 64);
        View w = on.view(64, 3, 3, 64);
        yield () ->
            backend.conv2dBackwardData(
                dx, null, dy, w, null, null, null, null, SAME, ConvAlgorithm.AUTO);
      }
      case CONV_64CH_8X8_BACKWARD_WEIGHTS -> {
        View x = on.view(BATCH, 8, 8, 64);
        View dy = on.view(BATCH, 8, 8, 64);
        View dw = on.view(64, 3, 3, 64);
        yield () -> backend.conv2dBackwardWeights(dw, x, dy, SAME, ConvAlgorithm.AUTO);
      }
      case BATCH_NORM_TRAINING -> {
        View y = on.view(BATCH, 32, 32, 16);
        View x = on.view(BATCH, 32, 32, 16);
        View residual = on.view(BATCH, 32, 32, 16);
        View[] channel = channels(on, 6);
        yield () ->
            backend.batchNormTraining(
                y,
                channel[0],
                channel[1],
                channel[2],
                channel[3],
                x,
                channel[4],
                channel[5],
                residual,
                null,
                channel[2],
                channel[3],
                0.1,
                1e-5,
                Activation.RELU);
      }
      case BATCH_NORM_BACKWARD -> {
        View dx = on.view(BATCH, 32, 32, 16);
        View dresidual = on.view(BATCH, 32, 32, 16);
        View dy = on.view(BATCH, 32, 32, 16);
        View x = on.view(BATCH, 32, 32, 16);
        View y = on.view(BATCH, 32, 32, 16);
        View[] channel = channels(on, 5);
        yield () ->
            backend.batchNormBackward(
                dx,
                channel[0],
                channel[1],
                dresidual,
                dy,
                x,
                y,
                channel[2],
                channel[3],
                channel[4],
                null,
                Activation.RELU);
      }
      case ADD -> {
        View y = on.view(BATCH, 32, 32, 16);
        View a = on.view(BATCH, 32, 32, 16);
        View b = on.view(BATCH, 32, 32, 16);
        yield () -> backend.binary(y, a, b, Binary.ADD);
      }
      case RELU -> unary(backend, on, Unary.RELU);
      case SIGMOID -> unary(backend, on, Unary.SIGMOID);
      case TANH -> unary(backend, on, Unary.TANH);
      case ELU -> {
        View y = on.view(BATCH, 32, 32, 16);
        View x = on.view(BATCH, 32, 32, 16);
        yield () -> backend.activate(y, x, Nonlinearity.ELU, 1);
      }
      case MAX_POOL -> {
        View y = on.view(BATCH, 16, 16, 16);
        View taps = on.view(DType.U8, BATCH, 16, 16, 16);
        View x = on.view(BATCH, 32, 32, 16);
        yield () -> backend.maxPool(y, taps, x, Window.square(2, 2, 0));
      }
      case SOFTMAX_CROSS_ENTROPY -> {
        View loss = on.view();
        View correct = on.view(DType.I32);
        View logits = on.view(1024, 1000);
        View labels = on.view(DType.I32, 1024);
        yield () -> backend.softmaxCrossEntropy(loss, correct, logits, labels, null, 0);
      }
      case DROPOUT -> {
        View y = on.view(BATCH, 32, 32, 16);
        View x = on.view(BATCH, 32, 32, 16);
        yield () -> backend.dropout(y, x, null, 0.5, 1, 0);
      }
      case SGD_STEP -> {
        View parameter = on.view(1 << 20);
        View velocity = on.view(1 << 20);
        View gradient = on.view(1 << 20);
        View rate = on.view();
        Backend.Sgd sgd = new Backend.Sgd(0.9, 0, 1e-4, false);
        yield () -> backend.sgdStep(parameter, velocity, parameter, velocity, gradient, rate, sgd);
      }
    };
  }

  private static Runnable unary(Backend backend, Ready on, Unary function) {
    View y = on.view(BATCH, 32, 32, 16);
    View x = on.view(BATCH, 32, 32, 16);
    return () -> backend.unary(y, x, function);
  }

  private static Runnable convolution(Backend backend, Ready on, int side, int channels) {
    View y = on.view(BATCH, side, side, channels);
    View x = on.view(BATCH, side, side, channels);
    View w = on.view(channels, 3, 3, channels);
    return () ->
        backend.conv2d(y, null, x, w, null, null, SAME, Activation.NONE, ConvAlgorithm.AUTO);
  }

  private static View[] channels(Ready on, int count) {
    View[] views = new View[count];
    for (int i = 0; i < count; i++) {
      views[i] = on.view(16);
    }
    return views;
  }

  /// An instruction with its operands.
  static final class Ready implements AutoCloseable {
    private final Backend backend;
    private final List<AutoCloseable> held = new ArrayList<>();
    private Runnable action = () -> {};

    private Ready(Backend backend) {
      this.backend = backend;
    }

    void run() {
      action.run();
    }

    private View view(long... dims) {
      return view(DType.F32, dims);
    }

    /// Real tensors hold uniform numbers in [0, 1), the others zeros.
    private View view(DType dtype, long... dims) {
      Shape shape = Shape.of(dims);
      int count = Math.toIntExact(shape.count());
      Memory memory = backend.allocate((long) count * dtype.bytes(), Memory.Kind.DEVICE);
      if (dtype == DType.F32) {
        RandomStream random = new RandomStream(1, held.size());
        ByteBuffer bytes = ByteBuffer.allocateDirect(4 * count).order(ByteOrder.nativeOrder());
        for (int i = 0; i < count; i++) {
          bytes.putFloat(random.nextFloat());
        }
        memory.write(0, bytes.flip());
      }
      View view = memory.view(0, dtype, shape);
      held.add(view);
      held.add(memory);
      return view;
    }

    @Override
    public void close() {
      for (AutoCloseable one : held.reversed()) {
        try {
          one.close();
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
    }
  }
}
