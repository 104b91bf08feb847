package dev.gatun.bench.peers.pytorch;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;

/// PyTorch's fused optimizers, which its C++ interface lacks: called through the dispatcher, as
/// Python's `fused=True` does.
final class FusedOptimizer {
  private static final double RATE = 1e-3;

  private final OperatorHandle operator;

  private FusedOptimizer(String name) {
    operator = Dispatcher.singleton().findSchemaOrThrow(name, "");
    operator.retainReference();
  }

  /// SGD with momentum and weight decay.
  static FusedOptimizer sgd() {
    return new FusedOptimizer("aten::_fused_sgd_");
  }

  /// Adam.
  static FusedOptimizer adam() {
    return new FusedOptimizer("aten::_fused_adam_");
  }

  /// A step of SGD; without `velocities` there is no momentum and no decay.
  void step(List<Tensor> parameters, List<Tensor> gradients, List<Tensor> velocities) {
    boolean momentum = !velocities.isEmpty();
    try (PointerScope _ = new PointerScope()) {
      call(
          list(parameters),
          list(gradients),
          list(velocities),
          new IValue(momentum ? 1e-4 : 0.0),
          new IValue(momentum ? 0.9 : 0.0),
          new IValue(RATE),
          new IValue(0.0),
          new IValue(false),
          new IValue(false),
          new IValue(false),
          new IValue(),
          new IValue());
    }
  }

  /// A step of Adam without decay. `states`: first and second moments; `steps`: how many there
  /// were.
  void step(Tensor parameter, Tensor gradient, List<Tensor> states, Tensor steps) {
    step(
        List.of(parameter),
        List.of(gradient),
        List.of(states.get(0)),
        List.of(states.get(1)),
        List.of(steps));
  }

  /// The same for several parameters, each with its own moments and number of steps.
  void step(
      List<Tensor> parameters,
      List<Tensor> gradients,
      List<Tensor> first,
      List<Tensor> second,
      List<Tensor> steps) {
    try (PointerScope _ = new PointerScope()) {
      steps.forEach(step -> step.add_(new Scalar(1)));
      call(
          list(parameters),
          list(gradients),
          list(first),
          list(second),
          list(List.of()),
          list(steps),
          new IValue(RATE),
          new IValue(0.9),
          new IValue(0.999),
          new IValue(0.0),
          new IValue(1e-8),
          new IValue(false),
          new IValue(false),
          new IValue(),
          new IValue());
    }
  }

  private void call(IValue... arguments) {
    operator.callBoxed(new IValueVector(arguments));
  }

  private static IValue list(List<Tensor> tensors) {
    GenericList list = new GenericList(new Type.TypePtr(TensorType.get()));
    for (Tensor tensor : tensors) {
      list.push_back(new IValue(tensor));
    }
    return new IValue(list);
  }
}
