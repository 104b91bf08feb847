package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Unary;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// An elementwise function of one operand.
///
/// @param op which
public record UnaryOp(Unary op) implements Op {
  @Override
  public String name() {
    return op.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, 1);
    Checks.floating(name(), inputs);
    return inputs;
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.unary(outputs.getFirst(), inputs.getFirst(), op);
  }

  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor dy = at.gradient();
    Tensor x = at.input(0);
    Tensor y = at.output(0);
    return Collections.singletonList(
        switch (op) {
          case NEGATE -> dy.negate();
          case ABS -> dy.times(x.sign());
          case SQUARE -> dy.times(x).times(2);
          case SQRT -> dy.div(y).times(0.5);
          case EXP -> dy.times(y);
          case LOG -> dy.div(x);
          case RELU -> dy.where(y);
          case SIGMOID -> dy.times(y.minus(y.square()));
          case TANH -> dy.times(y.square().times(-1).plus(1));
          case SIGN -> null;
        });
  }

  @Override
  public boolean inPlace(int output, int input) {
    return true;
  }
}
