package dev.gatun.graph.op;

import dev.gatun.Tensor;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.graph.Op;
import dev.gatun.graph.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Batch normalisation by the running estimates. Inputs x [...,C], gamma, beta, running mean,
/// running variance [C] and, with a residual, residual [...,C].
///
/// @param epsilon added to the variance
/// @param residual whether there is a sixth input, added before the activation
/// @param activation applied last
public record BatchNormInference(double epsilon, boolean residual, Activation activation)
    implements Op {
  /// Checks the range.
  public BatchNormInference {
    BatchNormTraining.checkEpsilon("batch_norm_inference", epsilon);
  }

  @Override
  public String name() {
    return "batch_norm_inference";
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    Checks.arity(name(), inputs, residual ? 6 : 5);
    BatchNormTraining.check(name(), inputs, 1, 4);
    if (residual) {
      Checks.shape(name(), "residual", inputs.get(5), inputs.getFirst().shape());
    }
    return List.of(inputs.getFirst());
  }

  @Override
  public void lower(Backend backend, List<View> outputs, List<View> inputs) {
    backend.batchNormInference(
        outputs.getFirst(),
        inputs.get(0),
        inputs.get(1),
        inputs.get(2),
        residual ? inputs.get(5) : null,
        inputs.get(3),
        inputs.get(4),
        epsilon,
        activation);
  }

  /// With fixed estimates the norm is a linear map, composed here from elementwise ops.
  @Override
  public List<@Nullable Tensor> gradient(Local at) {
    Tensor dy = activation == Activation.RELU ? at.gradient().where(at.output(0)) : at.gradient();
    Tensor std = at.input(4).plus(epsilon).sqrt();
    Tensor centred = at.input(0).minus(at.input(3)).div(std);
    List<@Nullable Tensor> gradients = new ArrayList<>();
    gradients.add(dy.times(at.input(1).div(std)));
    gradients.add(BinaryOp.sumTo(dy.times(centred), at.input(1).shape()));
    gradients.add(BinaryOp.sumTo(dy, at.input(2).shape()));
    gradients.add(null);
    gradients.add(null);
    if (residual) {
      gradients.add(dy);
    }
    return gradients;
  }

  @Override
  public boolean inPlace(int output, int input) {
    return input == 0 || input == 5;
  }
}
