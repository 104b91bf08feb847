package dev.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.DType;
import dev.gatun.Device;
import dev.gatun.Functions;
import dev.gatun.Scope;
import dev.gatun.Tensor;
import dev.gatun.suite.Backends;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Who owns an eager tensor.
class ScopeTest {
  private static final Device DEVICE = Backends.REFERENCE.device();

  @Test
  void aTensorDiesWithItsScope() {
    long before = DEVICE.memoryUse().bytes();
    Tensor x;
    try (Scope _ = Scope.open()) {
      x = ones();
      x.plus(1).square().sum();
      assertTrue(DEVICE.memoryUse().bytes() > before);
    }
    assertClosed(x);
    assertEquals(before, DEVICE.memoryUse().bytes());
  }

  @Test
  void outsideAnyScopeATensorIsTheCallers() {
    Tensor x = ones();
    try (Scope _ = Scope.open()) {
      ones();
    }
    assertOpen(x);
    x.close();
  }

  @Test
  void keptTensorsMoveToTheScopeAround() {
    Tensor kept;
    try (Scope outer = Scope.open()) {
      Tensor moved;
      Tensor left;
      try (Scope inner = Scope.open()) {
        moved = inner.keep(ones());
        left = ones();
      }
      assertOpen(moved);
      assertClosed(left);
      kept = outer.keep(moved.plus(1));
    }
    assertArrayEquals(new float[] {2, 2}, kept.toFloatArray());
    kept.close();
  }

  @Test
  void aTensorBelongsToTheInnermostScope() {
    try (Scope outer = Scope.open()) {
      Tensor x = ones();
      try (Scope inner = Scope.open()) {
        IllegalArgumentException e =
            assertThrows(IllegalArgumentException.class, () -> inner.keep(x));
        assertEquals("this scope does not own f32 (2) on reference [1.0, 1.0]", e.getMessage());
        Tensor y = ones();
        assertThrows(IllegalArgumentException.class, () -> outer.keep(y));
      }
      assertOpen(x);
    }
  }

  @Test
  void closingAScopeClosesTheScopesInside() {
    Scope outer = Scope.open();
    Tensor x = ones();
    Scope inner = Scope.open();
    Tensor y = ones();
    outer.close();
    assertClosed(x);
    assertClosed(y);
    inner.close();
    outer.close();
    assertThrows(IllegalStateException.class, () -> inner.keep(y));
    Tensor free = ones();
    assertOpen(free);
    free.close();
  }

  @Test
  void aTensorClosedByHandMayStayInItsScope() {
    try (Scope scope = Scope.open()) {
      Tensor x = ones();
      x.close();
      assertClosed(x);
      assertClosed(scope.keep(x));
    }
  }

  @Test
  void scopesOfThreadsAreTheirOwn() throws InterruptedException {
    AtomicReference<@Nullable Tensor> made = new AtomicReference<>();
    AtomicReference<@Nullable Throwable> refused = new AtomicReference<>();
    try (Scope scope = Scope.open()) {
      Runnable close = scope::close;
      Thread thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    made.set(ones());
                    try {
                      close.run();
                    } catch (IllegalStateException e) {
                      refused.set(e);
                    }
                  });
      thread.join();
      Throwable e = refused.get();
      assertTrue(e != null && String.valueOf(e.getMessage()).startsWith("the scope belongs to "));
    }
    Tensor free = made.get();
    assertTrue(free != null);
    if (free != null) {
      assertOpen(free);
      free.close();
    }
  }

  @Test
  void anExceptionClosesWhatWasMade() {
    long before = DEVICE.memoryUse().bytes();
    assertThrows(
        IllegalArgumentException.class,
        () -> {
          try (Scope _ = Scope.open()) {
            ones().plus(ones()).matmul(ones());
          }
        });
    assertEquals(before, DEVICE.memoryUse().bytes());
  }

  /// A gradient's intermediate tensors die at once; its results are the caller's.
  @Test
  void gradientsLeaveNothingButTheirResults() {
    try (Tensor x = ones()) {
      long before = DEVICE.memoryUse().bytes();
      Tensor gradient = Functions.grad(in -> in[0].exp().square().sum()).apply(x).getFirst();
      assertEquals(before + 8, DEVICE.memoryUse().bytes());
      gradient.close();
      try (Scope _ = Scope.open()) {
        Functions.valueAndGrad(in -> in[0].exp().square().sum()).apply(x);
      }
      assertEquals(before, DEVICE.memoryUse().bytes());
    }
  }

  private static Tensor ones() {
    return Tensor.full(DEVICE, DType.F32, 1, 2);
  }

  private static void assertOpen(Tensor tensor) {
    assertEquals(1, tensor.toFloatArray()[0]);
  }

  private static void assertClosed(Tensor tensor) {
    assertThrows(IllegalStateException.class, tensor::toFloatArray);
  }
}
