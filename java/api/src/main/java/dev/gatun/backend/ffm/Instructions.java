package dev.gatun.backend.ffm;

import dev.gatun.Shape;
import dev.gatun.backend.View;
import dev.gatun.ffi.gatun_h;
import dev.gatun.ffi.gt_step;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Every instruction as one downcall: here those of tensors, losses and optimizers.
abstract class Instructions extends LayerInstructions {
  Instructions(Handle stream) {
    super(stream);
  }

  @Override
  public void hold(View tensor) {
    issue("hold", s -> gatun_h.gt_stream_hold(s, at(tensor)), tensor);
  }

  @Override
  public void multiplyIn(Products products) {
    issue("stream_set_products", s -> gatun_h.gt_stream_set_products(s, Codes.code(products)));
  }

  // Movement.

  @Override
  public void fill(View y, double value) {
    issue("fill", s -> gatun_h.gt_fill(s, at(y), value), y);
  }

  @Override
  public void copy(View y, View x) {
    issue("copy", s -> gatun_h.gt_copy(s, at(y), at(x)), y, x);
  }

  @Override
  public void permute(View y, View x, int[] axes) {
    if (axes.length > Shape.MAX_RANK) {
      throw new IllegalArgumentException(
          "[permute] at most %d axes were expected, found %d"
              .formatted(Shape.MAX_RANK, axes.length));
    }
    MemorySegment segment = Scratch.segment();
    MemorySegment.copy(axes, 0, segment, ValueLayout.JAVA_INT, 0, axes.length);
    issue("permute", s -> gatun_h.gt_permute(s, at(y), at(x), segment, axes.length), y, x);
  }

  @Override
  public void slice(View y, View x, int axis, long begin) {
    issue("slice", s -> gatun_h.gt_slice(s, at(y), at(x), axis, begin), y, x);
  }

  @Override
  public void concat(View y, List<View> inputs, int axis, long begin) {
    View[] operands = new View[1 + inputs.size()];
    operands[0] = y;
    for (int i = 0; i < inputs.size(); i++) {
      operands[1 + i] = inputs.get(i);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handles = arena.allocate(ValueLayout.ADDRESS, inputs.size());
      issue(
          "concat",
          s -> {
            for (int i = 0; i < inputs.size(); i++) {
              handles.setAtIndex(ValueLayout.ADDRESS, i, at(inputs.get(i)));
            }
            return gatun_h.gt_concat(s, at(y), handles, inputs.size(), axis, begin);
          },
          operands);
    }
  }

  @Override
  public void subsamplePad(View y, View x, int stride) {
    issue("subsample_pad", s -> gatun_h.gt_subsample_pad(s, at(y), at(x), stride), y, x);
  }

  @Override
  public void subsamplePadBackward(View dx, View dy, int stride) {
    issue(
        "subsample_pad_backward",
        s -> gatun_h.gt_subsample_pad_backward(s, at(dx), at(dy), stride),
        dx,
        dy);
  }

  // Elementwise and reductions.

  @Override
  public void unary(View y, View x, Unary op) {
    issue("unary", s -> gatun_h.gt_unary(s, at(y), at(x), Codes.code(op)), y, x);
  }

  @Override
  public void binary(View y, View a, View b, Binary op) {
    issue("binary", s -> gatun_h.gt_binary(s, at(y), at(a), at(b), Codes.code(op)), y, a, b);
  }

  @Override
  public void activate(View y, View x, Nonlinearity function, double parameter) {
    issue(
        "activate",
        s -> gatun_h.gt_activate(s, at(y), at(x), Codes.code(function), parameter),
        y,
        x);
  }

  @Override
  public void activateBackward(View dx, View dy, View x, Nonlinearity function, double parameter) {
    issue(
        "activate_backward",
        s ->
            gatun_h.gt_activate_backward(s, at(dx), at(dy), at(x), Codes.code(function), parameter),
        dx,
        dy,
        x);
  }

  @Override
  public void affine(View y, View x, double scale, double shift) {
    issue("affine", s -> gatun_h.gt_affine(s, at(y), at(x), scale, shift), y, x);
  }

  @Override
  public void elementwise(View y, List<View> inputs, List<Step> steps) {
    // What is more than these has no room in the scratch memory.
    if (inputs.size() > MAX_STEP_INPUTS || steps.size() > MAX_STEPS) {
      throw new IllegalArgumentException(
          "[elementwise] at most %d inputs and %d steps were expected, found %d and %d"
              .formatted(MAX_STEP_INPUTS, MAX_STEPS, inputs.size(), steps.size()));
    }
    View[] operands = new View[1 + inputs.size()];
    operands[0] = y;
    for (int i = 0; i < inputs.size(); i++) {
      operands[1 + i] = inputs.get(i);
    }
    MemorySegment handles = Scratch.segment();
    MemorySegment chain = handles.asSlice(MAX_STEP_INPUTS * ValueLayout.ADDRESS.byteSize());
    chain.fill((byte) 0);
    for (int k = 0; k < steps.size(); k++) {
      write(gt_step.asSlice(chain, k), steps.get(k));
    }
    issue(
        "elementwise",
        s -> {
          for (int i = 0; i < inputs.size(); i++) {
            handles.setAtIndex(ValueLayout.ADDRESS, i, at(inputs.get(i)));
          }
          return gatun_h.gt_elementwise(s, at(y), handles, inputs.size(), chain, steps.size());
        },
        operands);
  }

  private static void write(MemorySegment to, Step step) {
    switch (step) {
      case UnaryStep(Unary op, int a) -> {
        gt_step.kind(to, gatun_h.GT_STEP_UNARY());
        gt_step.op(to, Codes.code(op));
        gt_step.a(to, a);
      }
      case BinaryStep(Binary op, int a, int b) -> {
        gt_step.kind(to, gatun_h.GT_STEP_BINARY());
        gt_step.op(to, Codes.code(op));
        gt_step.a(to, a);
        gt_step.b(to, b);
      }
      case AffineStep(int a, double scale, double shift) -> {
        gt_step.kind(to, gatun_h.GT_STEP_AFFINE());
        gt_step.a(to, a);
        gt_step.scale(to, scale);
        gt_step.shift(to, shift);
      }
    }
  }

  @Override
  public void reduce(View y, View x, Reduction op, int axes) {
    issue("reduce", s -> gatun_h.gt_reduce(s, at(y), at(x), Codes.code(op), axes), y, x);
  }

  @Override
  public void argmax(View y, View x) {
    issue("argmax", s -> gatun_h.gt_argmax(s, at(y), at(x)), y, x);
  }

  // Matrix product and convolution.

  @Override
  public void matmul(
      View y,
      View a,
      View b,
      @Nullable View bias,
      boolean transposeA,
      boolean transposeB,
      Activation activation) {
    issue(
        "matmul",
        s ->
            gatun_h.gt_matmul(
                s,
                at(y),
                at(a),
                at(b),
                at(bias),
                flag(transposeA),
                flag(transposeB),
                Codes.code(activation)),
        y,
        a,
        b,
        bias);
  }

  // Regularisation and loss.

  @Override
  public void dropout(
      View y, View x, @Nullable View step, double dropProbability, long seed, int layer) {
    issue(
        "dropout",
        s -> gatun_h.gt_dropout(s, at(y), at(x), at(step), dropProbability, seed, layer),
        y,
        x,
        step);
  }

  @Override
  public void softmax(View y, View x) {
    issue("softmax", s -> gatun_h.gt_softmax(s, at(y), at(x)), y, x);
  }

  @Override
  public void logSoftmax(View y, View x) {
    issue("log_softmax", s -> gatun_h.gt_log_softmax(s, at(y), at(x)), y, x);
  }

  @Override
  public void oneHot(View y, View labels) {
    issue("one_hot", s -> gatun_h.gt_one_hot(s, at(y), at(labels)), y, labels);
  }

  @Override
  public void softmaxCrossEntropy(
      View loss,
      View correct,
      View logits,
      View targets,
      @Nullable View classWeights,
      double labelSmoothing) {
    issue(
        "softmax_cross_entropy",
        s ->
            gatun_h.gt_softmax_cross_entropy(
                s,
                at(loss),
                at(correct),
                at(logits),
                at(targets),
                at(classWeights),
                labelSmoothing),
        loss,
        correct,
        logits,
        targets,
        classWeights);
  }

  @Override
  public void softmaxCrossEntropyBackward(
      View dlogits,
      View logits,
      View targets,
      @Nullable View classWeights,
      View dloss,
      double labelSmoothing) {
    issue(
        "softmax_cross_entropy_backward",
        s ->
            gatun_h.gt_softmax_cross_entropy_backward(
                s,
                at(dlogits),
                at(logits),
                at(targets),
                at(classWeights),
                at(dloss),
                labelSmoothing),
        dlogits,
        logits,
        targets,
        classWeights,
        dloss);
  }

  @Override
  public void softmaxCrossEntropyTraining(
      View loss,
      View correct,
      View dlogits,
      View logits,
      View targets,
      @Nullable View classWeights,
      View dloss,
      double labelSmoothing) {
    issue(
        "softmax_cross_entropy_training",
        s ->
            gatun_h.gt_softmax_cross_entropy_training(
                s,
                at(loss),
                at(correct),
                at(dlogits),
                at(logits),
                at(targets),
                at(classWeights),
                at(dloss),
                labelSmoothing),
        loss,
        correct,
        dlogits,
        logits,
        targets,
        classWeights,
        dloss);
  }

  // The optimizer on slabs.

  @Override
  public void norm(View norm, View x) {
    issue("norm", s -> gatun_h.gt_norm(s, at(norm), at(x)), norm, x);
  }

  @Override
  public void clipByNorm(View y, View x, View norm, double maxNorm) {
    issue(
        "clip_by_norm",
        s -> gatun_h.gt_clip_by_norm(s, at(y), at(x), at(norm), maxNorm),
        y,
        x,
        norm);
  }

  @Override
  public void sgdStep(
      View newParameter,
      @Nullable View newVelocity,
      View parameter,
      @Nullable View velocity,
      View gradient,
      View learningRate,
      Sgd attributes) {
    issue(
        "sgd_step",
        s ->
            gatun_h.gt_sgd_step(
                s,
                at(newParameter),
                at(newVelocity),
                at(parameter),
                at(velocity),
                at(gradient),
                at(learningRate),
                attributes.momentum(),
                attributes.dampening(),
                attributes.weightDecay(),
                flag(attributes.nesterov()),
                flag(attributes.rateInVelocity())),
        newParameter,
        newVelocity,
        parameter,
        velocity,
        gradient,
        learningRate);
  }

  @Override
  public void adamStep(
      View newParameter,
      View newM,
      View newV,
      View parameter,
      View m,
      View v,
      View gradient,
      View learningRate,
      View step,
      Adam attributes) {
    issue(
        "adam_step",
        s ->
            gatun_h.gt_adam_step(
                s,
                at(newParameter),
                at(newM),
                at(newV),
                at(parameter),
                at(m),
                at(v),
                at(gradient),
                at(learningRate),
                at(step),
                attributes.beta1(),
                attributes.beta2(),
                attributes.epsilon(),
                attributes.weightDecay(),
                flag(attributes.decoupled())),
        newParameter,
        newM,
        newV,
        parameter,
        m,
        v,
        gradient,
        learningRate,
        step);
  }

  @Override
  public void adaptiveStep(
      View newParameter,
      @Nullable View newM,
      @Nullable View newV,
      @Nullable View newGreatest,
      View parameter,
      @Nullable View m,
      @Nullable View v,
      @Nullable View greatest,
      View gradient,
      View learningRate,
      View step,
      Adaptive attributes) {
    issue(
        "adaptive_step",
        s ->
            gatun_h.gt_adaptive_step(
                s,
                at(newParameter),
                at(newM),
                at(newV),
                at(newGreatest),
                at(parameter),
                at(m),
                at(v),
                at(greatest),
                at(gradient),
                at(learningRate),
                at(step),
                Codes.code(attributes.rule()),
                attributes.beta1(),
                attributes.beta2(),
                attributes.epsilon(),
                attributes.weightDecay(),
                flag(attributes.decoupled())),
        newParameter,
        newM,
        newV,
        newGreatest,
        parameter,
        m,
        v,
        greatest,
        gradient,
        learningRate,
        step);
  }

  @Override
  public void lerp(View y, View a, View b, View weight) {
    issue("lerp", s -> gatun_h.gt_lerp(s, at(y), at(a), at(b), at(weight)), y, a, b, weight);
  }

  @Override
  public void clipRows(View y, View x, @Nullable View reference, double ratio, double floor) {
    issue(
        "clip_rows",
        s -> gatun_h.gt_clip_rows(s, at(y), at(x), at(reference), ratio, floor),
        y,
        x,
        reference);
  }
}
