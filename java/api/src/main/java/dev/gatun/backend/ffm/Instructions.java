package dev.gatun.backend.ffm;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.Direction;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.ffi.gatun_h;
import dev.gatun.ffi.gt_step;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Every instruction as one downcall on a stream, which runs it or, if it is recording, keeps it.
abstract class Instructions implements Backend {
  /// The stream, and what lives as long as it does.
  final Handle stream;

  Instructions(Handle stream) {
    this.stream = stream;
  }

  /// A downcall on a stream; returns the status.
  private interface Call {
    int on(MemorySegment stream);
  }

  /// Makes the call while the stream and all operands are kept from being destroyed.
  private void issue(String op, Call call, @Nullable View... operands) {
    MemorySegment target = stream.acquire(op);
    int held = 0;
    try {
      for (; held < operands.length; held++) {
        View operand = operands[held];
        if (operand != null) {
          ours(op, operand).handle().acquire(op);
        }
      }
      Status.check(call.on(target));
    } finally {
      while (held > 0) {
        if (operands[--held] instanceof FfmView view) {
          view.handle().release();
        }
      }
      stream.release();
    }
  }

  private static FfmView ours(String op, View view) {
    if (view instanceof FfmView ours) {
      return ours;
    }
    throw new IllegalArgumentException(
        "[%s] an operand %s %s belongs to another backend: it is a %s"
            .formatted(op, view.dtype(), view.shape(), view.getClass().getName()));
  }

  /// An operand that [#issue] holds; NULL for one that is absent.
  private static MemorySegment at(@Nullable View view) {
    return view == null ? MemorySegment.NULL : ((FfmView) view).handle().address();
  }

  private static int flag(boolean value) {
    return value ? 1 : 0;
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

  @Override
  public void conv2d(
      View y,
      @Nullable View moments,
      View x,
      View w,
      @Nullable View bias,
      @Nullable View residual,
      Window window,
      Activation activation,
      ConvAlgorithm algorithm) {
    checkWindow("conv2d", "w", w, window);
    issue(
        "conv2d",
        s ->
            gatun_h.gt_conv2d(
                s,
                at(y),
                at(moments),
                at(x),
                at(w),
                at(bias),
                at(residual),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight(),
                window.dilationHeight(),
                window.dilationWidth(),
                window.groups(),
                Codes.code(activation),
                Codes.code(algorithm)),
        y,
        moments,
        x,
        w,
        bias,
        residual);
  }

  @Override
  public void conv2dBackwardData(
      View dx,
      @Nullable View sums,
      View dy,
      View w,
      @Nullable View addend,
      @Nullable View gate,
      @Nullable View normX,
      @Nullable View normMean,
      Window window,
      ConvAlgorithm algorithm) {
    checkWindow("conv2d_backward_data", "w", w, window);
    issue(
        "conv2d_backward_data",
        s ->
            gatun_h.gt_conv2d_backward_data(
                s,
                at(dx),
                at(sums),
                at(dy),
                at(w),
                at(addend),
                at(gate),
                at(normX),
                at(normMean),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight(),
                window.dilationHeight(),
                window.dilationWidth(),
                window.groups(),
                Codes.code(algorithm)),
        dx,
        sums,
        dy,
        w,
        addend,
        gate,
        normX,
        normMean);
  }

  @Override
  public void conv2dBackwardWeights(
      View dw, View x, View dy, Window window, ConvAlgorithm algorithm) {
    checkWindow("conv2d_backward_weights", "dw", dw, window);
    issue(
        "conv2d_backward_weights",
        s ->
            gatun_h.gt_conv2d_backward_weights(
                s,
                at(dw),
                at(x),
                at(dy),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight(),
                window.dilationHeight(),
                window.dilationWidth(),
                window.groups(),
                Codes.code(algorithm)),
        dw,
        x,
        dy);
  }

  /// The native side takes the window's size from the weights [K,R,S,C] (and refuses another rank),
  /// so a window that says otherwise is refused here.
  private static void checkWindow(String op, String name, View weights, Window window) {
    Shape shape = weights.shape();
    if (shape.rank() == 4 && (shape.dim(1) != window.height() || shape.dim(2) != window.width())) {
      throw new IllegalArgumentException(
          "[%s] the window is %dx%d, but %s has the shape %s"
              .formatted(op, window.height(), window.width(), name, shape));
    }
  }

  // Normalisation.

  @Override
  public void batchNormTraining(
      View y,
      View mean,
      View invStd,
      View newRunningMean,
      View newRunningVariance,
      View x,
      View gamma,
      View beta,
      @Nullable View residual,
      @Nullable View moments,
      View runningMean,
      View runningVariance,
      double momentum,
      double epsilon,
      Activation activation) {
    issue(
        "batch_norm_training",
        s ->
            gatun_h.gt_batch_norm_training(
                s,
                at(y),
                at(mean),
                at(invStd),
                at(newRunningMean),
                at(newRunningVariance),
                at(x),
                at(gamma),
                at(beta),
                at(residual),
                at(moments),
                at(runningMean),
                at(runningVariance),
                momentum,
                epsilon,
                Codes.code(activation)),
        y,
        mean,
        invStd,
        newRunningMean,
        newRunningVariance,
        x,
        gamma,
        beta,
        residual,
        moments,
        runningMean,
        runningVariance);
  }

  @Override
  public void batchNormBackward(
      View dx,
      View dgamma,
      View dbeta,
      @Nullable View dresidual,
      View dy,
      View x,
      @Nullable View y,
      View mean,
      View invStd,
      View gamma,
      @Nullable View sums,
      Activation activation) {
    issue(
        "batch_norm_backward",
        s ->
            gatun_h.gt_batch_norm_backward(
                s,
                at(dx),
                at(dgamma),
                at(dbeta),
                at(dresidual),
                at(dy),
                at(x),
                at(y),
                at(mean),
                at(invStd),
                at(gamma),
                at(sums),
                Codes.code(activation)),
        dx,
        dgamma,
        dbeta,
        dresidual,
        dy,
        x,
        y,
        mean,
        invStd,
        gamma,
        sums);
  }

  @Override
  public void batchNormInference(
      View y,
      View x,
      View gamma,
      View beta,
      @Nullable View residual,
      View runningMean,
      View runningVariance,
      double epsilon,
      Activation activation) {
    issue(
        "batch_norm_inference",
        s ->
            gatun_h.gt_batch_norm_inference(
                s,
                at(y),
                at(x),
                at(gamma),
                at(beta),
                at(residual),
                at(runningMean),
                at(runningVariance),
                epsilon,
                Codes.code(activation)),
        y,
        x,
        gamma,
        beta,
        residual,
        runningMean,
        runningVariance);
  }

  @Override
  public void layerNorm(
      View y,
      @Nullable View mean,
      View invStd,
      View x,
      @Nullable View gamma,
      @Nullable View beta,
      double epsilon) {
    issue(
        "layer_norm",
        s ->
            gatun_h.gt_layer_norm(
                s, at(y), at(mean), at(invStd), at(x), at(gamma), at(beta), epsilon),
        y,
        mean,
        invStd,
        x,
        gamma,
        beta);
  }

  @Override
  public void layerNormBackward(
      View dx,
      @Nullable View dgamma,
      @Nullable View dbeta,
      View dy,
      View x,
      @Nullable View mean,
      View invStd,
      @Nullable View gamma) {
    issue(
        "layer_norm_backward",
        s ->
            gatun_h.gt_layer_norm_backward(
                s, at(dx), at(dgamma), at(dbeta), at(dy), at(x), at(mean), at(invStd), at(gamma)),
        dx,
        dgamma,
        dbeta,
        dy,
        x,
        mean,
        invStd,
        gamma);
  }

  @Override
  public void groupNorm(
      View y, View mean, View invStd, View x, View gamma, View beta, int groups, double epsilon) {
    issue(
        "group_norm",
        s ->
            gatun_h.gt_group_norm(
                s, at(y), at(mean), at(invStd), at(x), at(gamma), at(beta), groups, epsilon),
        y,
        mean,
        invStd,
        x,
        gamma,
        beta);
  }

  @Override
  public void groupNormBackward(
      View dx,
      View dgamma,
      View dbeta,
      View dy,
      View x,
      View mean,
      View invStd,
      View gamma,
      int groups) {
    issue(
        "group_norm_backward",
        s ->
            gatun_h.gt_group_norm_backward(
                s,
                at(dx),
                at(dgamma),
                at(dbeta),
                at(dy),
                at(x),
                at(mean),
                at(invStd),
                at(gamma),
                groups),
        dx,
        dgamma,
        dbeta,
        dy,
        x,
        mean,
        invStd,
        gamma);
  }

  // Rows of tables and recurrent layers.

  @Override
  public void gatherRows(View y, View table, View indices) {
    issue(
        "gather_rows",
        s -> gatun_h.gt_gather_rows(s, at(y), at(table), at(indices)),
        y,
        table,
        indices);
  }

  @Override
  public void scatterAddRows(View dtable, View dy, View indices) {
    issue(
        "scatter_add_rows",
        s -> gatun_h.gt_scatter_add_rows(s, at(dtable), at(dy), at(indices)),
        dtable,
        dy,
        indices);
  }

  @Override
  public void gatherPictures(
      View y,
      View pictures,
      View indices,
      View values,
      View epoch,
      PictureChange change,
      long seed) {
    issue(
        "gather_pictures",
        s ->
            gatun_h.gt_gather_pictures(
                s,
                at(y),
                at(pictures),
                at(indices),
                at(values),
                at(epoch),
                change.pad(),
                flag(change.crop()),
                flag(change.flip()),
                change.cutout(),
                change.grey(),
                seed),
        y,
        pictures,
        indices,
        values,
        epoch);
  }

  @Override
  public void recurrent(
      View y,
      View last,
      @Nullable View lastCell,
      @Nullable View saved,
      View x,
      @Nullable View skip,
      View weights,
      @Nullable View bias,
      @Nullable View gain,
      @Nullable View first,
      @Nullable View firstCell,
      @Nullable View mask,
      @Nullable View keep,
      Cell cell,
      Direction direction,
      double epsilon) {
    issue(
        "recurrent",
        s ->
            gatun_h.gt_recurrent(
                s,
                at(y),
                at(last),
                at(lastCell),
                at(saved),
                at(x),
                at(skip),
                at(weights),
                at(bias),
                at(gain),
                at(first),
                at(firstCell),
                at(mask),
                at(keep),
                Codes.code(cell),
                Codes.code(direction),
                epsilon),
        y,
        last,
        lastCell,
        saved,
        x,
        skip,
        weights,
        bias,
        gain,
        first,
        firstCell,
        mask,
        keep);
  }

  @Override
  public void recurrentBackward(
      View dx,
      @Nullable View dskip,
      View dweights,
      @Nullable View dbias,
      @Nullable View dgain,
      @Nullable View dfirst,
      @Nullable View dfirstCell,
      @Nullable View dy,
      @Nullable View dlast,
      @Nullable View dlastCell,
      View y,
      @Nullable View saved,
      @Nullable View skip,
      View weights,
      @Nullable View gain,
      @Nullable View first,
      @Nullable View firstCell,
      @Nullable View mask,
      @Nullable View keep,
      Cell cell,
      Direction direction,
      double epsilon) {
    issue(
        "recurrent_backward",
        s ->
            gatun_h.gt_recurrent_backward(
                s,
                at(dx),
                at(dskip),
                at(dweights),
                at(dbias),
                at(dgain),
                at(dfirst),
                at(dfirstCell),
                at(dy),
                at(dlast),
                at(dlastCell),
                at(y),
                at(saved),
                at(skip),
                at(weights),
                at(gain),
                at(first),
                at(firstCell),
                at(mask),
                at(keep),
                Codes.code(cell),
                Codes.code(direction),
                epsilon),
        dx,
        dskip,
        dweights,
        dbias,
        dgain,
        dfirst,
        dfirstCell,
        dy,
        dlast,
        dlastCell,
        y,
        saved,
        skip,
        weights,
        gain,
        first,
        firstCell,
        mask,
        keep);
  }

  // Pooling.

  @Override
  public void maxPool(View y, View taps, View x, Window window) {
    checkPooling("max_pool", window);
    issue(
        "max_pool",
        s ->
            gatun_h.gt_max_pool(
                s,
                at(y),
                at(taps),
                at(x),
                window.height(),
                window.width(),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight()),
        y,
        taps,
        x);
  }

  @Override
  public void maxPoolBackward(View dx, View dy, View taps, Window window) {
    checkPooling("max_pool_backward", window);
    issue(
        "max_pool_backward",
        s ->
            gatun_h.gt_max_pool_backward(
                s,
                at(dx),
                at(dy),
                at(taps),
                window.height(),
                window.width(),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight()),
        dx,
        dy,
        taps);
  }

  @Override
  public void averagePool(View y, View x, Window window, boolean countPadding) {
    checkPooling("average_pool", window);
    issue(
        "average_pool",
        s ->
            gatun_h.gt_average_pool(
                s,
                at(y),
                at(x),
                window.height(),
                window.width(),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight(),
                flag(countPadding)),
        y,
        x);
  }

  @Override
  public void averagePoolBackward(View dx, View dy, Window window, boolean countPadding) {
    checkPooling("average_pool_backward", window);
    issue(
        "average_pool_backward",
        s ->
            gatun_h.gt_average_pool_backward(
                s,
                at(dx),
                at(dy),
                window.height(),
                window.width(),
                window.strideHeight(),
                window.strideWidth(),
                window.padTop(),
                window.padLeft(),
                window.padBottom(),
                window.padRight(),
                flag(countPadding)),
        dx,
        dy);
  }

  /// The native side knows neither for pooling.
  private static void checkPooling(String op, Window window) {
    if (!window.isPlain()) {
      throw new IllegalArgumentException(
          "[%s] pooling has neither dilation nor groups, but the window is %s with %d groups"
              .formatted(op, window.size(), window.groups()));
    }
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
