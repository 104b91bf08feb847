package dev.gatun.backend.reference;

import static dev.gatun.backend.reference.FiniteDifferences.assertGradient;
import static dev.gatun.backend.reference.Tensors.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.DType;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class BatchNormTest {
  /// The operands of a layer with `channels` channels, over inputs of shape `dims`.
  private static final class Layer {
    final Tensors t;
    final View x;
    final View y;
    final View gamma;
    final View beta;
    final View mean;
    final View invStd;
    final View runningMean;
    final View runningVariance;

    Layer(DType dtype, long[] dims, double... values) {
      t = new Tensors(dtype);
      long channels = dims[dims.length - 1];
      x = t.of(dims, values);
      y = t.zeros(dims);
      gamma = t.zeros(channels);
      t.backend.fill(gamma, 1);
      beta = t.zeros(channels);
      mean = t.zeros(channels);
      invStd = t.zeros(channels);
      runningMean = t.zeros(channels);
      runningVariance = t.zeros(channels);
      t.backend.fill(runningVariance, 1);
    }

    /// With the running estimates in place.
    View train(double momentum, double epsilon, @Nullable View residual, Activation activation) {
      t.backend.batchNormTraining(
          y,
          mean,
          invStd,
          runningMean,
          runningVariance,
          x,
          gamma,
          beta,
          residual,
          null,
          runningMean,
          runningVariance,
          momentum,
          epsilon,
          activation);
      return y;
    }

    View infer(double epsilon, @Nullable View residual, Activation activation) {
      t.backend.batchNormInference(
          y, x, gamma, beta, residual, runningMean, runningVariance, epsilon, activation);
      return y;
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void normalisesByTheBiasedVariance(DType dtype) {
    Layer layer = new Layer(dtype, shape(4, 1), 1, 2, 3, 4);
    layer.train(0.1, 0, null, Activation.NONE);
    double[] expected = {-1.34164, -0.44721, 0.44721, 1.34164};
    assertArrayEquals(expected, layer.t.read(layer.y), 5e-6);
    layer.t.assertElements(layer.mean, 2.5);
    layer.t.assertElements(layer.invStd, 1 / Math.sqrt(1.25));
  }

  @Test
  void theRunningVarianceIsUnbiased() {
    Layer layer = new Layer(DType.F64, shape(4, 1), 1, 2, 3, 4);
    layer.t.write(layer.runningMean, 10);
    layer.t.write(layer.runningVariance, 2);
    layer.train(0.1, 0, null, Activation.NONE);
    layer.t.assertElements(layer.runningMean, 0.9 * 10 + 0.1 * 2.5);
    layer.t.assertElements(layer.runningVariance, 0.9 * 2 + 0.1 * 5 / 3);
  }

  @Test
  void newRunningEstimatesMayLieElsewhere() {
    Layer layer = new Layer(DType.F64, shape(2, 1), 1, 3);
    View newMean = layer.t.zeros(1);
    View newVariance = layer.t.zeros(1);
    layer.t.backend.batchNormTraining(
        layer.y,
        layer.mean,
        layer.invStd,
        newMean,
        newVariance,
        layer.x,
        layer.gamma,
        layer.beta,
        null,
        null,
        layer.runningMean,
        layer.runningVariance,
        0.5,
        0,
        Activation.NONE);
    layer.t.assertElements(newMean, 1);
    layer.t.assertElements(newVariance, 0.5 * 1 + 0.5 * 2);
    layer.t.assertElements(layer.runningMean, 0);
    layer.t.assertElements(layer.runningVariance, 1);
  }

  @Test
  void epsilonIsAddedToTheVarianceInsideTheRoot() {
    double sigma = 1e-3;
    Layer layer = new Layer(DType.F64, shape(2, 1), -sigma, sigma);
    layer.train(0.1, 1e-5, null, Activation.NONE);
    assertEquals(301.5, layer.t.read(layer.invStd)[0], 0.05);
  }

  @Test
  void channelsAreIndependentAndScaledAndShifted() {
    Layer layer = new Layer(DType.F64, shape(1, 2, 1, 2), 1, 10, 3, 30);
    layer.t.write(layer.gamma, 2, -1);
    layer.t.write(layer.beta, 0.5, 7);
    layer.train(0.1, 0, null, Activation.NONE);
    layer.t.assertElements(layer.y, -2 + 0.5, 1 + 7, 2 + 0.5, -1 + 7);
    layer.t.assertElements(layer.mean, 2, 20);
    layer.t.assertElements(layer.invStd, 1, 0.1);
  }

  @Test
  void theResidualIsAddedBeforeTheActivation() {
    Layer layer = new Layer(DType.F64, shape(2, 1), 1, 3); // normalised: -1, 1
    View residual = layer.t.of(shape(2, 1), 1.5, -3);
    layer.train(0.1, 0, residual, Activation.RELU);
    layer.t.assertElements(layer.y, 0.5, 0);
  }

  @Test
  void aConstantChannelDoesNotCancel() {
    // E x² - (E x)² would give nonsense here.
    Layer layer = new Layer(DType.F32, shape(3, 1), 1e4, 1e4 + 1, 1e4 + 2);
    layer.train(0.1, 0, null, Activation.NONE);
    layer.t.assertElements(layer.y, -Math.sqrt(1.5), 0, Math.sqrt(1.5));
  }

  @Test
  void inferenceUsesTheRunningEstimates() {
    Layer layer = new Layer(DType.F64, shape(2, 2), 1, 2, 3, 4);
    layer.t.write(layer.runningMean, 1, 2);
    layer.t.write(layer.runningVariance, 4, 0.25);
    layer.t.write(layer.gamma, 3, 1);
    layer.t.write(layer.beta, -1, 0);
    layer.infer(0, null, Activation.NONE);
    layer.t.assertElements(layer.y, -1, 0, 2, 4);
    layer.infer(0, layer.t.of(shape(2, 2), 0.5, -1, 1, 1), Activation.RELU);
    layer.t.assertElements(layer.y, 0, 0, 3, 5);
    layer.infer(12, null, Activation.NONE);
    layer.t.assertElements(layer.y, -1, 0, 3 * 2 / 4.0 - 1, 2 / 3.5);
  }

  @Test
  void inferenceWorksInPlaceOfXAndOfTheResidual() {
    Layer layer = new Layer(DType.F64, shape(3, 1), 1, -2, 3);
    View residual = layer.t.of(shape(3, 1), 5, 6, 7);
    double[] expected = layer.t.read(layer.infer(1e-5, residual, Activation.RELU));
    layer.t.backend.batchNormInference(
        residual,
        layer.x,
        layer.gamma,
        layer.beta,
        residual,
        layer.runningMean,
        layer.runningVariance,
        1e-5,
        Activation.RELU);
    assertArrayEquals(expected, layer.t.read(residual));
    layer.t.write(residual, 5, 6, 7);
    layer.t.backend.batchNormInference(
        layer.x,
        layer.x,
        layer.gamma,
        layer.beta,
        residual,
        layer.runningMean,
        layer.runningVariance,
        1e-5,
        Activation.RELU);
    assertArrayEquals(expected, layer.t.read(layer.x));
  }

  @ParameterizedTest
  @CsvSource({"NONE, false", "NONE, true", "RELU, false", "RELU, true"})
  void gradients(Activation activation, boolean withResidual) {
    long[] dims = {3, 2, 2, 3};
    Layer layer = new Layer(DType.F64, dims, Tensors.random(1, 36));
    Tensors t = layer.t;
    t.write(layer.gamma, 0.5, -1.5, 2);
    t.write(layer.beta, 0.3, 0.2, -0.1);
    View residual = withResidual ? t.of(dims, Tensors.random(2, 36)) : null;
    double[] weights = Tensors.random(3, 36);
    View y = layer.train(0.1, 1e-5, residual, activation);
    View dx = t.zeros(dims);
    View dgamma = t.zeros(3);
    View dbeta = t.zeros(3);
    View dresidual = t.zeros(dims);
    t.backend.batchNormBackward(
        dx,
        dgamma,
        dbeta,
        withResidual ? dresidual : null,
        t.of(dims, weights),
        layer.x,
        activation == Activation.NONE ? null : y,
        layer.mean,
        layer.invStd,
        layer.gamma,
        null,
        activation);
    Supplier<View> forward = () -> layer.train(0.1, 1e-5, residual, activation);
    assertGradient(t, layer.x, t.read(dx), weights, forward);
    assertGradient(t, layer.gamma, t.read(dgamma), weights, forward);
    assertGradient(t, layer.beta, t.read(dbeta), weights, forward);
    if (residual != null) {
      assertGradient(t, residual, t.read(dresidual), weights, forward);
    }
  }

  @Test
  void backwardWorksInPlaceOfDy() {
    long[] dims = {4, 2};
    Layer layer = new Layer(DType.F64, dims, Tensors.random(1, 8));
    Tensors t = layer.t;
    View y = layer.train(0.1, 1e-5, null, Activation.RELU);
    View dx = t.zeros(dims);
    View dresidual = t.zeros(dims);
    View dgamma = t.zeros(2);
    View dbeta = t.zeros(2);
    double[] dy = Tensors.random(2, 8);
    View[][] places = new View[3][];
    View first = t.of(dims, dy);
    places[0] = new View[] {dx, dresidual, first};
    View second = t.of(dims, dy);
    places[1] = new View[] {second, t.zeros(dims), second};
    View third = t.of(dims, dy);
    places[2] = new View[] {t.zeros(dims), third, third};
    for (View[] place : places) {
      t.backend.batchNormBackward(
          place[0],
          dgamma,
          dbeta,
          place[1],
          place[2],
          layer.x,
          y,
          layer.mean,
          layer.invStd,
          layer.gamma,
          null,
          Activation.RELU);
      assertArrayEquals(t.read(dx), t.read(place[0]));
      assertArrayEquals(t.read(dresidual), t.read(place[1]));
    }
  }

  @Test
  void theGateIsThatOfY() {
    Layer layer = new Layer(DType.F64, shape(2, 1), 1, 3);
    Tensors t = layer.t;
    View y = t.of(shape(2, 1), 0, 1e-300);
    View dresidual = t.zeros(2, 1);
    layer.train(0.1, 0, null, Activation.NONE);
    View dbeta = t.zeros(1);
    t.backend.batchNormBackward(
        t.zeros(2, 1),
        t.zeros(1),
        dbeta,
        dresidual,
        t.of(shape(2, 1), 5, 7),
        layer.x,
        y,
        layer.mean,
        layer.invStd,
        layer.gamma,
        null,
        Activation.RELU);
    t.assertElements(dresidual, 0, 7);
    t.assertElements(dbeta, 7);
  }

  @Test
  void noChannels() {
    Layer layer = new Layer(DType.F32, shape(3, 0));
    layer.train(0.1, 1e-5, null, Activation.NONE);
    layer.infer(1e-5, null, Activation.NONE);
  }
}
