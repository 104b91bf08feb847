package dev.gatun;

import dev.gatun.ParameterGroups.Group;
import dev.gatun.graph.Graph;
import dev.gatun.graph.Placement;
import dev.gatun.graph.Slot;
import dev.gatun.graph.TensorType;
import dev.gatun.graph.Value;
import dev.gatun.graph.op.ClipByNorm;
import dev.gatun.graph.op.ClipRows;
import dev.gatun.graph.op.Full;
import dev.gatun.graph.op.Norm;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// The end of a training step: penalties, clipping and the optimizers' steps over the slabs. All
/// slabs have one layout, and everything is written over what it replaces, in the order in which
/// the nodes are added.
final class ParameterUpdate {
  /// What weights count as at least in adaptive clipping (Brock et al. 2021).
  private static final double LEAST_WEIGHT_NORM = 1e-3;

  private final Graph graph;
  private final Slab parameters;
  private final Slab gradients;
  private final ParameterGroups groups;
  private final List<Placement> leaves;
  private final List<Placement> results;

  /// Nodes are added to `graph`, their places to `leaves` and `results`.
  ParameterUpdate(
      Graph graph,
      Slab parameters,
      Slab gradients,
      ParameterGroups groups,
      List<Placement> leaves,
      List<Placement> results) {
    this.graph = graph;
    this.parameters = parameters;
    this.gradients = gradients;
    this.groups = groups;
    this.leaves = leaves;
    this.results = results;
  }

  /// How many state slabs the optimizers need.
  static int stateSlots(Slab parameters, ParameterGroups groups) {
    int slots = 0;
    for (String name : parameters.order()) {
      Group group = groups.of(name, parameters.shape(name));
      if (!group.frozen()) {
        slots = Math.max(slots, group.optimizer().stateSlots());
      }
    }
    return slots;
  }

  /// Some parameters that lie one after the other and follow the same rule.
  private record Run(String first, String last, Shape shape, Group group) {}

  /// Sets to 0, in the gradients, what the mask does not keep.
  void maskGradients(Slab mask) {
    mask("slopes to mask", mask, gradients);
  }

  /// The same in the parameters.
  void maskParameters(Slab mask) {
    mask("weights to mask", mask, parameters);
  }

  private void mask(String what, Slab mask, Slab target) {
    Value all = leaf(what, target.slot(), target.flat());
    Value kept = leaf("mask of " + what, mask.slot(), mask.flat());
    results.add(new Placement(graph.value(all.times(kept)), target.slot()));
  }

  /// The penalties' gradients, added to the loss's. What is frozen has no gradient to add to: its
  /// place in the slab is never written, and would sum them up from step to step.
  void penalise() {
    for (Run run : runs(group -> false)) {
      Group group = run.group();
      if (!group.frozen() && (group.l1() != 0 || group.l2() != 0)) {
        Tensor weights = leaf("weights", parameters, run);
        Tensor sum = leaf("slopes", gradients, run);
        if (group.l1() != 0) {
          sum = sum.plus(weights.sign().times(group.l1()));
        }
        if (group.l2() != 0) {
          sum = sum.plus(weights.times(2 * group.l2()));
        }
        store(sum, gradients, run);
      }
    }
  }

  /// Clips the gradients. Returns the norm before, if it is measured.
  @Nullable Value clip(Clipping clipping) {
    if (clipping instanceof Clipping.None) {
      return null;
    }
    Value all = leaf("gradients", gradients.slot(), gradients.flat());
    Value norm = graph.value(Tensor.apply(new Norm(), all));
    switch (clipping) {
      case Clipping.None none -> {}
      case Clipping.ByNorm by -> {
        if (Double.isFinite(by.maxNorm())) {
          Tensor clipped = Tensor.apply(new ClipByNorm(by.maxNorm()), all, norm);
          results.add(new Placement(graph.value(clipped), gradients.slot()));
        }
      }
      case Clipping.ByTensorNorm by ->
          eachTensor(
              (weights, slopes) ->
                  Tensor.apply(
                      new ClipByNorm(by.maxNorm()), slopes, Tensor.apply(new Norm(), slopes)));
      case Clipping.ByValue by -> {
        Tensor limited = all.minimum(scalar(by.limit())).maximum(scalar(-by.limit()));
        results.add(new Placement(graph.value(limited), gradients.slot()));
      }
      case Clipping.Adaptive by ->
          eachTensor(
              (weights, slopes) ->
                  Tensor.apply(
                          new ClipRows(by.ratio(), LEAST_WEIGHT_NORM), rows(slopes), rows(weights))
                      .reshape(slopes.shape().toArray()));
    }
    return norm;
  }

  /// The steps of the optimizers, and limits of norms.
  ///
  /// @param rate the scheduled rate of [ParameterGroups#learningRate]
  /// @param step the number of steps done before
  void step(Value rate, Value step, List<Slab> states) {
    for (Run run : runs(ParameterUpdate::alone)) {
      Group group = run.group();
      if (group.frozen()) {
        continue;
      }
      Optimizer optimizer = group.optimizer();
      double factor = group.rate() * optimizer.learningRate() / groups.learningRate();
      Tensor scaled = factor == 1 ? rate : rate.times(factor);
      List<Tensor> before = new ArrayList<>();
      for (Slab slab : states.subList(0, optimizer.stateSlots())) {
        before.add(leaf("state", slab, run));
      }
      List<Tensor> after = step(optimizer, run, scaled, step, before);
      Tensor next = after.getFirst();
      if (Double.isFinite(group.maxNorm())) {
        next =
            Tensor.apply(new ClipRows(group.maxNorm(), 0), rows(next))
                .reshape(run.shape().toArray());
      }
      store(next, parameters, run);
      for (int i = 0; i < before.size(); i++) {
        store(after.get(1 + i), states.get(i), run);
      }
    }
  }

  private List<Tensor> step(
      Optimizer optimizer, Run run, Tensor rate, Value step, List<Tensor> states) {
    Tensor parameter = leaf("parameters", parameters, run);
    Tensor gradient = leaf("gradients", gradients, run);
    try {
      return optimizer.step(parameter, gradient, rate, step, states);
    } catch (ShapeException e) {
      throw new ShapeException(run.first() + ": " + e.getMessage());
    }
  }

  /// Whether parameters of a group are taken one by one.
  private static boolean alone(Group group) {
    return group.optimizer().granularity() == Optimizer.Granularity.PARAMETER
        || Double.isFinite(group.maxNorm());
  }

  private interface PerTensor {
    Tensor clipped(Tensor weights, Tensor slopes);
  }

  private void eachTensor(PerTensor rule) {
    for (String name : parameters.order()) {
      Shape shape = parameters.shape(name);
      Group group = groups.of(name, shape);
      if (!group.frozen()) {
        Run run = new Run(name, name, shape, group);
        store(
            rule.clipped(leaf("weights", parameters, run), leaf("slopes", gradients, run)),
            gradients,
            run);
      }
    }
  }

  /// The parameters in the order of memory, those of one group together, unless they are taken one
  /// by one.
  private List<Run> runs(Predicate<Group> single) {
    List<Run> runs = new ArrayList<>();
    for (String name : parameters.order()) {
      Shape shape = parameters.shape(name);
      Group group = groups.of(name, shape);
      Run last = runs.isEmpty() ? null : runs.getLast();
      if (single.test(group)) {
        runs.add(new Run(name, name, shape, group));
      } else if (last != null && last.group().equals(group)) {
        Shape longer = parameters.flat(last.first(), name);
        runs.set(runs.size() - 1, new Run(last.first(), name, longer, group));
      } else {
        runs.add(new Run(name, name, parameters.flat(name, name), group));
      }
    }
    return runs;
  }

  private Tensor leaf(String name, Slab slab, Run run) {
    return leaf(name + " of " + run.first(), slab.slot(run.first()), run.shape());
  }

  private Value leaf(String name, Slot slot, Shape shape) {
    Value leaf = graph.leaf(name, new TensorType(DType.F32, shape));
    leaves.add(new Placement(leaf, slot));
    return leaf;
  }

  private void store(Tensor value, Slab slab, Run run) {
    results.add(new Placement(graph.value(value), slab.slot(run.first())));
  }

  private Value scalar(double value) {
    TensorType type = new TensorType(DType.F32, Shape.scalar());
    return graph.apply(new Full(type, value), List.of()).getFirst();
  }

  /// A matrix with a row for each unit; a vector is one row.
  private static Tensor rows(Tensor x) {
    return x.shape().rank() < 2 ? x.reshape(1, x.shape().count()) : x.flatten();
  }
}
