package dev.gatun.backend.ffm;

import dev.gatun.Cell;
import dev.gatun.ConvAlgorithm;
import dev.gatun.Direction;
import dev.gatun.Shape;
import dev.gatun.backend.PictureChange;
import dev.gatun.backend.View;
import dev.gatun.backend.Window;
import dev.gatun.ffi.gatun_h;
import org.jspecify.annotations.Nullable;

/// The instructions of convolution, norms, tables, recurrent layers and pooling, each as one
/// downcall.
abstract class LayerInstructions extends NativeStream {
  LayerInstructions(Handle stream) {
    super(stream);
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
}
