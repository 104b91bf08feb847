package dev.gatun.backend.reference;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.Direction;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Memory;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.Program;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The backend in plain Java, without a native library: slow, and right. It is what other backends
/// are compared with.
///
/// Instructions run on the calling thread. A piece of memory is an array, so it has at most about 2
/// GiB; a buffer that was mapped stays usable after its memory is closed.
public final class ReferenceBackend implements Backend {
  private final Heap heap;
  private final @Nullable List<Instruction> recorded; // null: instructions run at once
  private volatile boolean closed;

  /// A new backend that holds no memory.
  public ReferenceBackend() {
    this(new Heap(), null);
  }

  private ReferenceBackend(Heap heap, @Nullable List<Instruction> recorded) {
    this.heap = heap;
    this.recorded = recorded;
  }

  @Override
  public String name() {
    return "reference";
  }

  @Override
  public String description() {
    return "reference, pure Java, 1 thread";
  }

  @Override
  public int threads() {
    return 1;
  }

  @Override
  public Memory allocate(long bytes, Memory.Kind kind) {
    checkOpen("allocate");
    return new ReferenceMemory(heap, bytes);
  }

  @Override
  public Program record(@Nullable Frames frames, Consumer<Backend> instructions) {
    checkOpen("record");
    if (recorded != null) {
      throw new IllegalStateException("[record] a recording cannot be made inside a recording");
    }
    List<Instruction> kept = new ArrayList<>();
    ReferenceBackend recorder = new ReferenceBackend(heap, kept);
    try {
      instructions.accept(recorder);
    } finally {
      recorder.endRecording(kept);
    }
    return new ReferenceProgram(kept, frames == null ? null : ReferenceFrames.of(frames, kept));
  }

  /// Under the list's lock, so that no other thread adds to a recording that has ended.
  private void endRecording(List<Instruction> kept) {
    synchronized (kept) {
      closed = true;
    }
  }

  @Override
  public MemoryUse memoryUse() {
    return heap.use();
  }

  /// Closing the backend that a recording was given does nothing: it ends with the recording.
  @Override
  public void close() {
    if (recorded == null) {
      closed = true;
    }
  }

  private void checkOpen(String op) {
    if (closed) {
      throw new IllegalStateException(
          recorded == null
              ? "[%s] the reference backend is closed".formatted(op)
              : "[%s] the recording has ended; use its backend only inside record()".formatted(op));
    }
  }

  private void issue(Instruction instruction) {
    for (Operand operand : instruction.operands()) {
      if (operand.view().memory().heap() != heap) {
        throw new IllegalArgumentException(
            "[%s] %s is memory of another reference backend"
                .formatted(instruction.op(), operand.name()));
      }
    }
    if (recorded == null) {
      checkOpen(instruction.op());
      instruction.loops().run();
    } else {
      synchronized (recorded) {
        checkOpen(instruction.op());
        recorded.add(instruction);
      }
    }
  }

  @Override
  public void fill(View y, double value) {
    issue(Movement.fill(y, value));
  }

  @Override
  public void copy(View y, View x) {
    issue(Movement.copy(y, x));
  }

  @Override
  public void permute(View y, View x, int[] axes) {
    issue(Movement.permute(y, x, axes));
  }

  @Override
  public void slice(View y, View x, int axis, long begin) {
    issue(Movement.slice(y, x, axis, begin));
  }

  @Override
  public void concat(View y, List<View> inputs, int axis, long begin) {
    issue(Movement.concat(y, inputs, axis, begin));
  }

  @Override
  public void subsamplePad(View y, View x, int stride) {
    issue(Movement.subsamplePad(y, x, stride));
  }

  @Override
  public void subsamplePadBackward(View dx, View dy, int stride) {
    issue(Movement.subsamplePadBackward(dx, dy, stride));
  }

  @Override
  public void unary(View y, View x, Unary op) {
    issue(Elementwise.unary(y, x, op));
  }

  @Override
  public void binary(View y, View a, View b, Binary op) {
    issue(Elementwise.binary(y, a, b, op));
  }

  @Override
  public void activate(View y, View x, Nonlinearity function, double parameter) {
    issue(Activations.forward(y, x, function, parameter));
  }

  @Override
  public void activateBackward(View dx, View dy, View x, Nonlinearity function, double parameter) {
    issue(Activations.backward(dx, dy, x, function, parameter));
  }

  @Override
  public void affine(View y, View x, double scale, double shift) {
    issue(Elementwise.affine(y, x, scale, shift));
  }

  @Override
  public void elementwise(View y, List<View> inputs, List<Step> steps) {
    issue(ElementwiseChain.of(y, inputs, steps));
  }

  @Override
  public void reduce(View y, View x, Reduction op, int axes) {
    issue(Reductions.reduce(y, x, op, axes));
  }

  @Override
  public void argmax(View y, View x) {
    issue(Reductions.argmax(y, x));
  }

  @Override
  public void matmul(
      View y,
      View a,
      View b,
      @Nullable View bias,
      boolean transposeA,
      boolean transposeB,
      Activation activation) {
    issue(MatMul.matmul(y, a, b, bias, transposeA, transposeB, activation));
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
    issue(Convolution.forward(y, moments, x, w, bias, residual, window, activation, algorithm));
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
    issue(
        Convolution.backwardData(
            dx, sums, dy, w, addend, gate, normX, normMean, window, algorithm));
  }

  @Override
  public void conv2dBackwardWeights(
      View dw, View x, View dy, Window window, ConvAlgorithm algorithm) {
    issue(Convolution.backwardWeights(dw, x, dy, window, algorithm));
  }

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
        BatchNorm.training(
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
            runningVariance,
            momentum,
            epsilon,
            activation));
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
        BatchNorm.backward(
            dx, dgamma, dbeta, dresidual, dy, x, y, mean, invStd, gamma, sums, activation));
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
        BatchNorm.inference(
            y, x, gamma, beta, residual, runningMean, runningVariance, epsilon, activation));
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
    issue(LayerNorm.forward(y, mean, invStd, x, gamma, beta, epsilon));
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
    issue(LayerNorm.backward(dx, dgamma, dbeta, dy, x, mean, invStd, gamma));
  }

  @Override
  public void groupNorm(
      View y, View mean, View invStd, View x, View gamma, View beta, int groups, double epsilon) {
    issue(GroupNorm.forward(y, mean, invStd, x, gamma, beta, groups, epsilon));
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
    issue(GroupNorm.backward(dx, dgamma, dbeta, dy, x, mean, invStd, gamma, groups));
  }

  @Override
  public void gatherRows(View y, View table, View indices) {
    issue(Gather.rows(y, table, indices));
  }

  @Override
  public void scatterAddRows(View dtable, View dy, View indices) {
    issue(Gather.sums(dtable, dy, indices));
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
    issue(Pictures.gather(y, pictures, indices, values, epoch, change, seed));
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
        Recurrent.forward(
            y, last, lastCell, saved, x, skip, weights, bias, gain, first, firstCell, mask, keep,
            cell, direction, epsilon));
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
        Recurrent.backward(
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
            keep,
            cell,
            direction,
            epsilon));
  }

  @Override
  public void maxPool(View y, View taps, View x, Window window) {
    issue(Pooling.max(y, taps, x, window));
  }

  @Override
  public void maxPoolBackward(View dx, View dy, View taps, Window window) {
    issue(Pooling.maxBackward(dx, dy, taps, window));
  }

  @Override
  public void averagePool(View y, View x, Window window, boolean countPadding) {
    issue(Pooling.average(y, x, window, countPadding));
  }

  @Override
  public void averagePoolBackward(View dx, View dy, Window window, boolean countPadding) {
    issue(Pooling.averageBackward(dx, dy, window, countPadding));
  }

  @Override
  public void dropout(
      View y, View x, @Nullable View step, double dropProbability, long seed, int layer) {
    issue(Dropout.dropout(y, x, step, dropProbability, seed, layer));
  }

  @Override
  public void softmax(View y, View x) {
    issue(Loss.softmax(y, x));
  }

  @Override
  public void logSoftmax(View y, View x) {
    issue(Loss.logSoftmax(y, x));
  }

  @Override
  public void oneHot(View y, View labels) {
    issue(Loss.oneHot(y, labels));
  }

  @Override
  public void softmaxCrossEntropy(
      View loss,
      View correct,
      View logits,
      View targets,
      @Nullable View classWeights,
      double labelSmoothing) {
    issue(CrossEntropy.forward(loss, correct, logits, targets, classWeights, labelSmoothing));
  }

  @Override
  public void softmaxCrossEntropyBackward(
      View dlogits,
      View logits,
      View targets,
      @Nullable View classWeights,
      View dloss,
      double labelSmoothing) {
    issue(CrossEntropy.backward(dlogits, logits, targets, classWeights, dloss, labelSmoothing));
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
        CrossEntropy.training(
            loss, correct, dlogits, logits, targets, classWeights, dloss, labelSmoothing));
  }

  @Override
  public void norm(View norm, View x) {
    issue(Optimizer.norm(norm, x));
  }

  @Override
  public void clipByNorm(View y, View x, View norm, double maxNorm) {
    issue(Optimizer.clipByNorm(y, x, norm, maxNorm));
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
        Optimizer.sgdStep(
            newParameter, newVelocity, parameter, velocity, gradient, learningRate, attributes));
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
        AdamRule.step(
            newParameter, newM, newV, parameter, m, v, gradient, learningRate, step, attributes));
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
        AdaptiveRules.step(
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
            step,
            attributes));
  }

  @Override
  public void lerp(View y, View a, View b, View weight) {
    issue(Optimizer.lerp(y, a, b, weight));
  }

  @Override
  public void clipRows(View y, View x, @Nullable View reference, double ratio, double floor) {
    issue(Optimizer.clipRows(y, x, reference, ratio, floor));
  }
}
