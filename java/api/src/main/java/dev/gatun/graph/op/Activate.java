package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Nonlinearity;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// An activation.
///
/// @param function which
/// @param parameter its slope, or alpha; 0 for those without one
public record Activate(Nonlinearity function, double parameter) implements Op {
  /// One without a parameter.
  public Activate(Nonlinearity function) {
    this(function, 0);
  }

  /// Checks the range.
  public Activate {
    Checks.attribute(Double.isFinite(parameter), "activate", "a finite parameter", parameter);
  }

  @Override
  public String name() {
    return "activate";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    return inputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.activate(outputs.getFirst(), inputs.getFirst(), function, parameter);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Op backward = new Backward(function, parameter);
    return Collections.singletonList(
        Tensor.applyAll(backward, List.of(at.gradient(), at.input(0))).getFirst());
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }

  /// The gradient: dy times the derivative at x. Inputs dy and x.
  ///
  /// @param function as in the forward op
  /// @param parameter as in the forward op
  public record Backward(Nonlinearity function, double parameter) implements Op {
    /// Checks the range.
    public Backward {
      Checks.attribute(
          Double.isFinite(parameter), "activate_backward", "a finite parameter", parameter);
    }

    @Override
    public String name() {
      return "activate_backward";
    }

    @Override
    public List<TensorType> infer(List<TensorType> inputs) {
      Checks.arity(name(), inputs, 2);
      Checks.floating(name(), inputs);
      Checks.shape(name(), "x", inputs.get(1), inputs.getFirst().shape());
      return List.of(inputs.getFirst());
    }

    @Override
    public void lower(Backend backend, List<View> outputs, List<View> inputs) {
      backend.activateBackward(
          outputs.getFirst(), inputs.get(0), inputs.get(1), function, parameter);
    }

    /// By dy it is itself; by x the second derivative, composed, for it is seldom wanted.
    @Override
    public List<@Nullable Tensor> gradient(Local at) {
      Tensor upstream = at.gradient();
      Tensor x = at.input(1);
      Tensor byDy = Tensor.applyAll(this, List.of(upstream, x)).getFirst();
      Tensor bend = secondDerivative(x);
      return Arrays.asList(byDy, bend == null ? null : upstream.times(at.input(0)).times(bend));
    }

    private @Nullable Tensor secondDerivative(Tensor x) {
      return switch (function) {
        case LEAKY_RELU -> null;
        case ELU -> {
          Tensor low = x.negate().relu();
          yield low.negate().exp().times(parameter).where(low);
        }
        case GELU -> {
          Tensor square = x.square();
          Tensor density = square.times(-0.5).exp().times(1 / Math.sqrt(2 * Math.PI));
          yield density.times(square.negate().plus(2));
        }
        case GELU_TANH -> {
          // x s(v) with v = 2 sqrt(2 / pi) (x + 0.044715 x^3): s' (2 v' + x v'') + x s'' v'^2.
          double by = 2 * Math.sqrt(2 / Math.PI);
          Tensor s = x.plus(x.square().times(x).times(0.044715)).times(by).sigmoid();
          Tensor first = s.minus(s.square());
          Tensor second = first.times(s.times(-2).plus(1));
          Tensor slope = x.square().times(3 * 0.044715 * by).plus(by);
          Tensor xBend = x.square().times(6 * 0.044715 * by);
          yield first.times(slope.times(2).plus(xBend)).plus(x.times(second).times(slope.square()));
        }
        case SILU -> {
          Tensor s = x.sigmoid();
          yield s.minus(s.square()).times(x.times(s.times(-2).plus(1)).plus(2));
        }
        case SOFTPLUS -> {
          Tensor s = x.sigmoid();
          yield s.minus(s.square());
        }
      };
    }

    @Override
    public boolean inPlace(int output, int input) {
      return true;
    }
  }
}
