package dev.gatun.train;

import static dev.gatun.train.Messages.shapeError;

import dev.gatun.Model;
import dev.gatun.MonteCarlo;
import dev.gatun.Net;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Standardizer;
import dev.gatun.data.TestViews;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;

/// What predictions refuse.
class PredictTest {
  /// 2^16 inputs of one number, each with 2^16 outputs: their product is 0 in an int.
  @Test
  void moreOutputsThanAnArrayHas_areRefused() {
    try (Model model = Model.of(Net.input(1).dense(1 << 16), Backends.REFERENCE.device(), 1);
        MonteCarlo sampler = MonteCarlo.of(model, 1)) {
      String expected =
          " an array has 2147483639 elements at most, too few for outputs (65536) of 65536 inputs;"
              + " give fewer at a time";
      shapeError("[predict]" + expected, () -> model.predict(new float[1 << 16]));
      shapeError("[monteCarlo]" + expected, () -> sampler.predict(new float[1 << 16], 1));
    }
  }

  @Test
  void anImageOfAnotherSize_isRefused() {
    ImageShape shape = new ImageShape(4, 4, 1);
    try (Model model =
        Model.of(Net.input(2, 2, 1).flatten().dense(2), Backends.REFERENCE.device(), 1)) {
      model.preprocessing(Standardizer.scale(1));
      TestViews views = TestViews.tenCrop(2, 4);
      shapeError(
          "[predict] expected an image of 4 x 4 x 1, 16 bytes, found 100",
          () -> model.predict(new byte[100], shape, views));
      shapeError(
          "[predict] expected an image of 4 x 4 x 1, 16 bytes, found 15",
          () -> model.predict(new byte[15], shape, views));
    }
  }
}
