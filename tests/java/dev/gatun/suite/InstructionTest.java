package dev.gatun.suite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.DType;
import dev.gatun.Shape;
import dev.gatun.backend.Backend;
import dev.gatun.backend.Backend.Activation;
import dev.gatun.backend.View;
import dev.gatun.graph.TensorType;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What instructions take that no op asks for.
class InstructionTest {
  private static final TensorType VECTOR = new TensorType(DType.F32, Shape.of(77));

  @ParameterizedTest
  @EnumSource(Backends.class)
  void dropoutWithoutAStepIsThatOfStepZero(Backends backends) {
    Backend backend = backends.backend();
    try (Guarded x = new Guarded(backend, VECTOR, 0, 0);
        Guarded without = new Guarded(backend, VECTOR, 0, 1);
        Guarded with = new Guarded(backend, VECTOR, 0, 2);
        Guarded step = new Guarded(backend, new TensorType(DType.I64, Shape.scalar()), 0, 0)) {
      x.store(IntStream.rangeClosed(1, 77).asDoubleStream().toArray());
      backend.dropout(without.view(), x.view(), null, 0.4, 9, 3);
      backend.dropout(with.view(), x.view(), step.view(), 0.4, 9, 3);
      assertArrayEquals(with.elements(), without.elements());
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void dropoutRefusesWhatIsNoProbability(Backends backends) {
    Backend backend = backends.backend();
    try (Guarded x = new Guarded(backend, VECTOR, 0, 0);
        Guarded y = new Guarded(backend, VECTOR, 0, 1)) {
      for (double wrong : new double[] {-0.1, 1, Double.NaN}) {
        assertThrows(
            IllegalArgumentException.class,
            () -> backend.dropout(y.view(), x.view(), null, wrong, 9, 3));
      }
      y.checkUnchanged("y");
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void clipRefusesWhatIsNoNorm(Backends backends) {
    Backend backend = backends.backend();
    try (Guarded x = new Guarded(backend, VECTOR, 0, 0);
        Guarded y = new Guarded(backend, VECTOR, 0, 1);
        Guarded norm = new Guarded(backend, VECTOR.with(Shape.scalar()), 0, 0)) {
      for (double wrong : new double[] {0, -1, Double.NaN}) {
        assertThrows(
            IllegalArgumentException.class,
            () -> backend.clipByNorm(y.view(), x.view(), norm.view(), wrong));
      }
      y.checkUnchanged("y");
    }
  }

  @ParameterizedTest
  @EnumSource(Backends.class)
  void batchNormRefusesWrongAttributes(Backends backends) {
    Backend backend = backends.backend();
    TensorType rows = VECTOR.with(Shape.of(7, 11));
    TensorType channels = VECTOR.with(Shape.of(11));
    List<Guarded> x = List.of(new Guarded(backend, rows, 0, 0), new Guarded(backend, rows, 0, 1));
    List<Guarded> c = Stream.generate(() -> new Guarded(backend, channels, 0, 1)).limit(8).toList();
    View y = x.get(1).view();
    double[][] wrong = {{-0.1, 1e-5}, {1.1, 1e-5}, {0.1, -1}, {0.1, Double.NaN}};
    for (double[] pair : wrong) {
      assertThrows(
          IllegalArgumentException.class,
          () ->
              backend.batchNormTraining(
                  y,
                  c.get(0).view(),
                  c.get(1).view(),
                  c.get(2).view(),
                  c.get(3).view(),
                  x.get(0).view(),
                  c.get(4).view(),
                  c.get(5).view(),
                  null,
                  null,
                  c.get(6).view(),
                  c.get(7).view(),
                  pair[0],
                  pair[1],
                  Activation.NONE));
    }
    x.get(1).checkUnchanged("y");
    c.forEach(operand -> operand.checkUnchanged("a value per channel"));
    x.forEach(Guarded::close);
    c.forEach(Guarded::close);
  }
}
