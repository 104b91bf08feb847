package dev.gatun.graph.op;

import dev.gatun.ConvAlgorithm;
import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.ShapeException;
import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// y [N,P,Q,K] = activation(x * w + bias + residual), the cross-correlation of x [N,H,W,C] with w
/// [K,R,S,C/groups]. Inputs x, w and, where there are such, bias [K] and residual [N,P,Q,K].
/// Outputs y and, if asked for, moments [2,K], the mean and the variance of y per channel.
///
/// Forms with a residual or moments have no gradient: fusion, which makes them, comes after
/// differentiation.
///
/// @param window the weights' size and how they move
/// @param bias whether there is a bias
/// @param residual whether there is a residual
/// @param moments whether there is a second output
/// @param activation applied to the sum
/// @param algorithm how it is computed, and its gradients
public record Conv2d(
    Window window,
    boolean bias,
    boolean residual,
    boolean moments,
    Activation activation,
    ConvAlgorithm algorithm)
    implements Op {
  /// Without residual and moments.
  public Conv2d(Window window, boolean bias, Activation activation, ConvAlgorithm algorithm) {
    this(window, bias, false, false, activation, algorithm);
  }

  /// Whether convolutions of `dtype` have forms fused with more than a bias and an activation.
  public static boolean fuses(DType dtype) {
    return dtype.isReal();
  }

  /// The convolution with `weights`, moved alike along both axes.
  public static Conv2d of(
      Tensor weights, int stride, int pad, int dilation, int groups, ConvAlgorithm algorithm) {
    Window window = window(weights, stride, pad).dilated(dilation, dilation).grouped(groups);
    return new Conv2d(window, false, Activation.NONE, algorithm);
  }

  /// A window of the size of `weights`, moved alike along both axes.
  public static Window window(Tensor weights, int stride, int pad) {
    Checks.rank("conv2d", "w", TensorType.of(weights), 4, "[K,R,S,C/groups]");
    int height = (int) weights.shape().dim(1);
    int width = (int) weights.shape().dim(2);
    return new Window(height, width, stride, stride, pad, pad);
  }

  /// The same with a bias.
  public Conv2d withBias() {
    return new Conv2d(window, true, residual, moments, activation, algorithm);
  }

  /// The same with a residual.
  public Conv2d withResidual() {
    return new Conv2d(window, bias, true, moments, activation, algorithm);
  }

  /// The same with moments.
  public Conv2d withMoments() {
    return new Conv2d(window, bias, residual, true, activation, algorithm);
  }

  /// The same with another activation.
  public Conv2d with(Activation other) {
    return new Conv2d(window, bias, residual, moments, other, algorithm);
  }

  @Override
  public String name() {
    return "conv2d";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 2 + (bias ? 1 : 0) + (residual ? 1 : 0));
    if (residual || moments) {
      Checks.real(name(), inputs);
    }
    Checks.floating(name(), inputs);
    TensorType x = inputs.get(0);
    TensorType w = inputs.get(1);
    Shape y = output(name(), x, w, window);
    Checks.algorithm(name(), algorithm, window, x);
    if (bias) {
      Checks.shape(name(), "bias", inputs.get(2), Shape.of(y.dim(3)));
    }
    if (residual) {
      Checks.shape(name(), "residual", inputs.getLast(), y);
    }
    if (!moments) {
      return List.of(x.with(y));
    }
    if (y.dim(0) == 0) {
      throw new ShapeException("[conv2d] there are no moments of nothing, found x " + x);
    }
    return List.of(x.with(y), x.with(Shape.of(2, y.dim(3))));
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.conv2d(
        outputs.getFirst(),
        moments ? outputs.get(1) : null,
        inputs.get(0),
        inputs.get(1),
        bias ? inputs.get(2) : null,
        residual ? inputs.getLast() : null,
        window,
        activation,
        algorithm);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    if (residual || moments) {
      throw new UnsupportedOperationException("[conv2d] fused with a residual or moments");
    }
    Tensor dy = activation == Activation.RELU ? at.gradient().where(at.output(0)) : at.gradient();
    Tensor x = at.input(0);
    Tensor w = at.input(1);
    List<@Nullable Tensor> gradients = new ArrayList<>();
    gradients.add(backwardData(dy, w, x.shape()));
    gradients.add(backwardWeights(x, dy));
    if (bias) {
      gradients.add(dy.sum(0, 1, 2));
    }
    return gradients;
  }

  private Tensor backwardData(Tensor dy, Tensor w, Shape x) {
    return Tensor.applyAll(new BackwardData(window, x, algorithm), List.of(dy, w)).getFirst();
  }

  private Tensor backwardWeights(Tensor x, Tensor dy) {
    return Tensor.applyAll(new BackwardWeights(window, algorithm), List.of(x, dy)).getFirst();
  }

  private static Shape output(String op, TensorType x, TensorType w, Window window) {
    Checks.rank(op, "x", x, 4, "[N,H,W,C]");
    Checks.rank(op, "w", w, 4, "[K,R,S,C]");
    if (w.shape().dim(1) != window.height() || w.shape().dim(2) != window.width()) {
      throw new ShapeException(
          "[%s] expected weights of %dx%d, found %s"
              .formatted(op, window.height(), window.width(), w));
    }
    int groups = window.groups();
    grouped(op, groups, x.shape().dim(3), w.shape().dim(0));
    if (w.shape().dim(3) != x.shape().dim(3) / groups) {
      throw new ShapeException(
          "[%s] expected weights for %d input channels%s, found %s for x %s"
              .formatted(
                  op,
                  x.shape().dim(3) / groups,
                  groups == 1 ? "" : " (in each of " + groups + " groups)",
                  w,
                  x));
    }
    return Checks.windowed(op, x, window, w.shape().dim(0));
  }

  private static void grouped(String op, int groups, long channels, long filters) {
    if (channels % groups != 0 || filters % groups != 0) {
      throw new ShapeException(
          "[%s] expected channels that divide into %d groups, found %d to %d"
              .formatted(op, groups, channels, filters));
    }
  }

  /// dx [N,H,W,C] = gate > 0 ? g + addend : 0, g from dy [N,P,Q,K] and w [K,R,S,C]. Inputs dy, w
  /// and, where there are such, addend, gate [N,H,W,C], x [N,H,W,C] and mean [C] of a batch norm.
  /// Outputs dx and, with a batch norm, sums [2,C]: Σ dx and Σ dx (x - mean) per channel.
  ///
  /// Forms with more than dy and w have no gradient.
  ///
  /// @param window as in the forward convolution
  /// @param shape of x
  /// @param addend whether something is added
  /// @param gate whether the sum passes a gate
  /// @param sums whether there is a second output
  /// @param algorithm how it is computed
  public record BackwardData(
      Window window,
      Shape shape,
      boolean addend,
      boolean gate,
      boolean sums,
      ConvAlgorithm algorithm)
      implements Op {
    /// The plain gradient.
    public BackwardData(Window window, Shape shape, ConvAlgorithm algorithm) {
      this(window, shape, false, false, false, algorithm);
    }

    /// The same with something added.
    public BackwardData withAddend() {
      return new BackwardData(window, shape, true, gate, sums, algorithm);
    }

    /// The same behind a gate.
    public BackwardData withGate() {
      return new BackwardData(window, shape, addend, true, sums, algorithm);
    }

    /// The same with the sums of a batch norm's gradient.
    public BackwardData withSums() {
      return new BackwardData(window, shape, addend, gate, true, algorithm);
    }

    @Override
    public String name() {
      return "conv2d_backward_data";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 2 + (addend ? 1 : 0) + (gate ? 1 : 0) + (sums ? 2 : 0));
      if (addend || gate || sums) {
        Checks.real(name(), inputs);
      }
      Checks.floating(name(), inputs);
      TensorType dx = inputs.getFirst().with(shape);
      Checks.shape(name(), "dy", inputs.get(0), output(name(), dx, inputs.get(1), window));
      Checks.algorithm(name(), algorithm, window, dx);
      if (addend) {
        Checks.shape(name(), "addend", inputs.get(2), shape);
      }
      if (gate) {
        Checks.shape(name(), "gate", inputs.get(addend ? 3 : 2), shape);
      }
      if (!sums) {
        return List.of(dx);
      }
      Checks.shape(name(), "a batch norm's x", inputs.get(inputs.size() - 2), shape);
      Checks.shape(name(), "a batch norm's mean", inputs.getLast(), Shape.of(shape.dim(3)));
      return List.of(dx, dx.with(Shape.of(2, shape.dim(3))));
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.conv2dBackwardData(
          outputs.getFirst(),
          sums ? outputs.get(1) : null,
          inputs.get(0),
          inputs.get(1),
          addend ? inputs.get(2) : null,
          gate ? inputs.get(addend ? 3 : 2) : null,
          sums ? inputs.get(inputs.size() - 2) : null,
          sums ? inputs.getLast() : null,
          window,
          algorithm);
    }

    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      if (addend || gate || sums) {
        throw new UnsupportedOperationException(
            "[conv2d_backward_data] fused with an addend, a gate or sums");
      }
      Conv2d forward = new Conv2d(window, false, Activation.NONE, algorithm);
      Tensor ddx = at.gradient();
      return List.of(
          Tensor.applyAll(forward, List.of(ddx, at.input(1))).getFirst(),
          forward.backwardWeights(ddx, at.input(0)));
    }
  }

  /// dw from x [N,H,W,C] and dy [N,P,Q,K]; F32 if they are BF16.
  ///
  /// @param window as in the forward convolution
  /// @param algorithm how it is computed
  public record BackwardWeights(Window window, ConvAlgorithm algorithm) implements Op {
    @Override
    public String name() {
      return "conv2d_backward_weights";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 2);
      Checks.floating(name(), inputs);
      TensorType x = inputs.get(0);
      TensorType dy = inputs.get(1);
      Checks.rank(name(), "x", x, 4, "[N,H,W,C]");
      Checks.rank(name(), "dy", dy, 4, "[N,P,Q,K]");
      long channels = dy.shape().dim(3);
      Checks.shape(name(), "dy", dy, Checks.windowed(name(), x, window, channels));
      Checks.algorithm(name(), algorithm, window, x);
      grouped(name(), window.groups(), x.shape().dim(3), channels);
      Shape dw =
          Shape.of(channels, window.height(), window.width(), x.shape().dim(3) / window.groups());
      return List.of(Checks.wide(x.with(dw)));
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.conv2dBackwardWeights(
          outputs.getFirst(), inputs.get(0), inputs.get(1), window, algorithm);
    }

    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      Conv2d forward = new Conv2d(window, false, Activation.NONE, algorithm);
      Tensor ddw = at.gradient().as(at.input(0).dtype());
      return List.of(
          forward.backwardData(at.input(1), ddw, at.input(0).shape()),
          Tensor.applyAll(forward, List.of(at.input(0), ddw)).getFirst());
    }
  }
}
