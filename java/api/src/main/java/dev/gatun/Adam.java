package dev.gatun;

import dev.gatun.backend.Backend;
import dev.gatun.graph.Op;
import dev.gatun.graph.op.AdamStep;
import dev.gatun.graph.op.AdaptiveStep;
import java.util.ArrayList;
import java.util.List;

/// Adam (Kingma and Ba, 2015): steps along the mean of gradients, divided by the root of the mean of
/// their squares. With t = 1, 2, … and all of it element by element:
///
///     d = gradient                             (L2: gradient + weightDecay · parameter)
///     m = beta1 · m + (1 - beta1) · d
///     v = beta2 · v + (1 - beta2) · d²
///     parameter -= learningRate · (m / (1 - beta1ᵗ)) / (√(v / (1 - beta2ᵗ)) + epsilon)
///
/// The means begin at 0, which the divisors make up for: without them, as lectures first show it, the
/// first step would be (1 - beta1) / √(1 - beta2) = 3.16 times as long as the rate.
///
/// Decoupled weight decay (AdamW; Loshchilov and Hutter, 2019) shrinks the parameter itself first,
/// by the factor `1 - learningRate · weightDecay`. In PyTorch's form, epsilon outside the root of the
/// corrected mean; the paper's shorter form, which PyTorch and others do not use, scales epsilon too.
///
/// [Form#AMSGRAD] divides by the root of the greatest v so far (Reddi et al. 2018), with v uncorrected
/// while maxima are taken. [Form#NESTEROV] is NAdam (Dozat 2016): with μₜ = beta1 (1 - ½ · 0.96^(t /
/// 250)) and Μₜ = μ₁ ⋯ μₜ it steps along μₜ₊₁ m / (1 - Μₜ₊₁) + (1 - μₜ) d / (1 - Μₜ).
///
/// @param learningRate greater than 0
/// @param beta1 in [0, 1), 0.9 by default
/// @param beta2 in [0, 1), 0.999 by default
/// @param epsilon greater than 0, 1e-8 by default
/// @param weightDecay not negative, 0 by default
/// @param decay how the decay acts
/// @param form which of the family
public record Adam(
    double learningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    WeightDecay decay,
    Form form)
    implements Optimizer {
  /// How a weight decay acts.
  public enum WeightDecay {
    /// As the gradient of `weightDecay / 2 · ‖parameter‖²`.
    L2,
    /// On the parameter itself.
    DECOUPLED
  }

  /// The members of the family.
  public enum Form {
    /// Adam.
    PLAIN,
    /// AMSGrad.
    AMSGRAD,
    /// NAdam.
    NESTEROV
  }

  /// Checks the ranges.
  public Adam {
    Hyperparameters.learningRate("adam", learningRate);
    Hyperparameters.share("adam", "beta1", beta1);
    Hyperparameters.share("adam", "beta2", beta2);
    Hyperparameters.epsilon("adam", epsilon);
    Hyperparameters.weightDecay("adam", weightDecay);
  }

  /// The same with other shares of the old means.
  public Adam betas(double newBeta1, double newBeta2) {
    return new Adam(learningRate, newBeta1, newBeta2, epsilon, weightDecay, decay, form);
  }

  /// The same with another number added to the root.
  public Adam epsilon(double newEpsilon) {
    return new Adam(learningRate, beta1, beta2, newEpsilon, weightDecay, decay, form);
  }

  /// The same with `newWeightDecay · parameter` added to the gradient.
  public Adam weightDecay(double newWeightDecay) {
    return new Adam(learningRate, beta1, beta2, epsilon, newWeightDecay, WeightDecay.L2, form);
  }

  /// The same with a decay of the parameter itself.
  public Adam decoupledWeightDecay(double newWeightDecay) {
    return new Adam(
        learningRate, beta1, beta2, epsilon, newWeightDecay, WeightDecay.DECOUPLED, form);
  }

  /// The same in another form.
  public Adam form(Form newForm) {
    return new Adam(learningRate, beta1, beta2, epsilon, weightDecay, decay, newForm);
  }

  @Override
  public Adam withoutWeightDecay() {
    return new Adam(learningRate, beta1, beta2, epsilon, 0, decay, form);
  }

  /// The means of gradients and of their squares, and the greatest of these for AMSGrad.
  @Override
  public int stateSlots() {
    return form == Form.AMSGRAD ? 3 : 2;
  }

  @Override
  public List<Tensor> step(
      Tensor parameter, Tensor gradient, Tensor rate, Tensor step, List<Tensor> states) {
    List<Tensor> inputs = new ArrayList<>(List.of(parameter, gradient, rate, step));
    inputs.addAll(states);
    return List.copyOf(Tensor.applyAll(op(), inputs));
  }

  private Op op() {
    boolean decoupled = decay == WeightDecay.DECOUPLED;
    return switch (form) {
      case PLAIN -> new AdamStep(new Backend.Adam(beta1, beta2, epsilon, weightDecay, decoupled));
      case AMSGRAD -> adaptive(Backend.AdaptiveRule.AMSGRAD, decoupled);
      case NESTEROV -> adaptive(Backend.AdaptiveRule.NADAM, decoupled);
    };
  }

  private Op adaptive(Backend.AdaptiveRule rule, boolean decoupled) {
    return new AdaptiveStep(
        new Backend.Adaptive(rule, beta1, beta2, epsilon, weightDecay, decoupled));
  }
}
