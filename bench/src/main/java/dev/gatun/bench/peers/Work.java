package dev.gatun.bench.peers;

import java.util.Locale;

/// Something that all sides can do, at one size. Pictures are channels-last.
public sealed interface Work {
  /// What identifies it: the row's name, and what a worker is told.
  String name();

  /// The type of the tensors' elements, `f32` or `bf16`.
  default String precision() {
    return "f32";
  }

  /// What the machine must do for it at least, for the share of the roofline.
  Cost cost();

  /// The least work, as arithmetic or as traffic with memory.
  ///
  /// @param roof what limits it
  /// @param amount flops or bytes
  record Cost(Roof roof, double amount) {}

  /// The limits of a machine that [Roofline] measures.
  enum Roof {
    /// f32 multiply-adds, two flops each.
    F32("f32 flops"),
    /// bf16 multiply-adds into f32, two flops each.
    BF16("bf16 flops"),
    /// Bytes read.
    READ("bytes read"),
    /// Bytes read plus bytes written elsewhere.
    COPY("bytes copied"),
    /// Bytes read plus bytes written to the same place.
    IN_PLACE("bytes in place");

    private final String unit;

    Roof(String unit) {
      this.unit = unit;
    }

    /// What its rate counts.
    public String unit() {
      return unit;
    }
  }

  /// The three computations of a convolution's training, and both gradients at once.
  enum Pass {
    /// y from x and w.
    FORWARD,
    /// dx from dy and w.
    DATA,
    /// dw from x and dy.
    WEIGHTS,
    /// dx and dw.
    BACKWARD
  }

  /// y = a b for square matrices, row-major.
  record Sgemm(int n) implements Work {
    @Override
    public String name() {
      return "sgemm " + n;
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.F32, 2.0 * n * n * n);
    }
  }

  /// A square convolution without bias.
  ///
  /// @param net what it is part of, for the name
  /// @param pass what is computed
  /// @param batch pictures
  /// @param side their height and width
  /// @param channels of x
  /// @param filters channels of y
  /// @param size of the window
  /// @param stride of the window
  /// @param freeAlgorithm whether Gatun may choose another algorithm than the direct one
  record Convolution(
      String net,
      Pass pass,
      int batch,
      int side,
      int channels,
      int filters,
      int size,
      int stride,
      boolean freeAlgorithm)
      implements Work {
    @Override
    public String name() {
      return "%s conv %dx%d%s %d-%d on %dx%dx%d %s%s"
          .formatted(
              net,
              size,
              size,
              stride == 1 ? "" : "/" + stride,
              channels,
              filters,
              batch,
              side,
              side,
              pass.toString().toLowerCase(Locale.ROOT),
              freeAlgorithm ? " best" : "");
    }

    /// The same convolution with another pass.
    Convolution of(Pass other) {
      return new Convolution(
          net, other, batch, side, channels, filters, size, stride, freeAlgorithm);
    }

    /// Rows and columns of zeros around x.
    public int pad() {
      return size / 2;
    }

    /// Height and width of y.
    public int outputSide() {
      return (side + 2 * pad() - size) / stride + 1;
    }

    /// Only the taps inside the picture count.
    @Override
    public Cost cost() {
      long taps = 0;
      for (int p = 0; p < outputSide(); p++) {
        for (int r = 0; r < size; r++) {
          int h = p * stride + r - pad();
          taps += h >= 0 && h < side ? 1 : 0;
        }
      }
      double flops = 2.0 * batch * taps * taps * channels * filters;
      return new Cost(Roof.F32, pass == Pass.BACKWARD ? 2 * flops : flops);
    }
  }

  /// One step of Adam on one flat vector: 16 bytes read and 12 written for each parameter.
  record Adam(int parameters) implements Work {
    @Override
    public String name() {
      return "adam " + parameters / 1_000_000 + "M";
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.IN_PLACE, 28.0 * parameters);
    }
  }

  /// Dropout of half the elements, forward.
  record Dropout(int elements) implements Work {
    @Override
    public String name() {
      return "dropout " + (elements >> 20) + "Mi";
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.COPY, 8.0 * elements);
    }
  }

  /// Batch norm in training, forward and backward: x is read twice and y written, then x and dy are
  /// read twice and dx written.
  record BatchNorm(int batch, int side, int channels) implements Work {
    @Override
    public String name() {
      return "batch norm %dx%dx%dx%d forward+backward".formatted(batch, side, side, channels);
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.COPY, 32.0 * batch * side * side * channels);
    }
  }

  /// Layer norm of rows, forward or forward and backward. A row stays in cache between its passes.
  record LayerNorm(int rows, int columns, boolean backward) implements Work {
    @Override
    public String name() {
      return "layer norm %dx%d forward%s".formatted(rows, columns, backward ? "+backward" : "");
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.COPY, (backward ? 20.0 : 8.0) * rows * columns);
    }
  }

  /// The mean loss and its gradient: logits are read and their gradient is written.
  record SoftmaxCrossEntropy(int rows, int classes) implements Work {
    @Override
    public String name() {
      return "softmax cross-entropy %dx%d forward+backward".formatted(rows, classes);
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.COPY, 8.0 * rows * classes);
    }
  }

  /// A training step with SGD and momentum 0.9; the MLP's without momentum. From labels and
  /// pictures to the loss as a number.
  record Training(Network network, int batch, String precision, boolean freeAlgorithm)
      implements Work {
    @Override
    public String name() {
      return "%s train b%d%s%s"
          .formatted(
              network.label(),
              batch,
              precision.equals("f32") ? "" : " " + precision,
              freeAlgorithm ? "" : " direct");
    }

    @Override
    public Cost cost() {
      return new Cost(
          precision.equals("bf16") ? Roof.BF16 : Roof.F32, network.trainingFlops() * batch);
    }
  }

  /// The network's answer for a batch, with running statistics.
  record Inference(Network network, int batch) implements Work {
    @Override
    public String name() {
      return "%s inference b%d".formatted(network.label(), batch);
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.F32, network.inferenceFlops() * batch);
    }
  }

  /// The cells that are compared.
  enum Gated {
    /// Three gates; the reset gate behind the product, as all libraries have it.
    GRU(3),
    /// Four gates.
    LSTM(4),
    /// Two gates. No library has it: peers write a step of it in their own operations.
    UGRNN(2);

    private final int gates;

    Gated(int gates) {
      this.gates = gates;
    }

    /// How many.
    public int gates() {
      return gates;
    }

    /// What `units` cells compute for one step: products of the input and of the state.
    double flops(int features, int units) {
      return 2.0 * gates * units * (features + units);
    }

    /// The name in rows.
    String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// A training step of one recurrent layer with a dense head at every step and Adam: forward,
  /// cross-entropy over all steps, backward, update.
  record RecurrentTraining(Gated cell) implements Work {
    /// Sequences.
    public static final int BATCH = 64;

    /// Their length.
    public static final int STEPS = 64;

    /// Of an input.
    public static final int FEATURES = 128;

    /// Of the layer.
    public static final int UNITS = 256;

    /// Logits of a step.
    public static final int CLASSES = 128;

    @Override
    public String name() {
      return "%s %d-%d-%d train b%d t%d"
          .formatted(cell.label(), FEATURES, UNITS, CLASSES, BATCH, STEPS);
    }

    @Override
    public Cost cost() {
      double layer = cell.flops(FEATURES, UNITS);
      double forward = layer + 2.0 * UNITS * CLASSES;
      double inputGradient = layer - cell.flops(0, UNITS); // nobody asks for it
      return new Cost(Roof.F32, (3 * forward - inputGradient) * BATCH * STEPS);
    }
  }

  /// Inference of one recurrent layer for one sequence, from states to states, some steps a call.
  record RecurrentSteps(Gated cell, int steps) implements Work {
    /// Of an input and of the layer.
    public static final int UNITS = 64;

    @Override
    public String name() {
      return "%s %d-%d inference b1, %d %s a call"
          .formatted(cell.label(), UNITS, UNITS, steps, steps == 1 ? "step" : "steps");
    }

    @Override
    public Cost cost() {
      return new Cost(Roof.F32, cell.flops(UNITS, UNITS) * steps);
    }
  }
}
