package dev.gatun.train;

import static dev.gatun.train.Messages.shapeError;

import dev.gatun.Model;
import dev.gatun.Net;
import dev.gatun.data.ImageShape;
import dev.gatun.data.Standardizer;
import dev.gatun.data.TestViews;
import dev.gatun.suite.Backends;
import org.junit.jupiter.api.Test;

/// What predictions refuse.
class PredictTest {
  @Test
  void anImageOfAnotherSize_isRefused() {
    ImageShape shape = new ImageShape(4, 4, 1);
    try (Model model = Model.of(Net.input(2, 2, 1).flatten().dense(2), Backends.REFERENCE.device(), 1)) {
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
