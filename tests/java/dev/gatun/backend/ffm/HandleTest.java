package dev.gatun.backend.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HandleTest {
  private static final class Counted extends Handle {
    final AtomicInteger users = new AtomicInteger();
    final AtomicInteger destroyed = new AtomicInteger();
    final AtomicInteger destroyedWhileUsed = new AtomicInteger();

    Counted() {
      super(MemorySegment.ofAddress(64));
    }

    @Override
    void destroy(MemorySegment address) {
      destroyed.incrementAndGet();
      if (users.get() != 0) {
        destroyedWhileUsed.incrementAndGet();
      }
    }

    @Override
    public String toString() {
      return "counted handle";
    }
  }

  @Test
  void close_destroysOnce() {
    Counted handle = new Counted();
    assertTrue(handle.close());
    assertFalse(handle.close());
    assertEquals(1, handle.destroyed.get());
  }

  @Test
  void closeDuringUse_destroysAtTheEndOfTheLastUse() {
    Counted handle = new Counted();
    handle.acquire("first");
    handle.acquire("second");
    assertTrue(handle.close());
    handle.release();
    assertEquals(0, handle.destroyed.get());
    handle.release();
    assertEquals(1, handle.destroyed.get());
  }

  @Test
  void acquireAfterClose_namesOperationAndObject() {
    Counted handle = new Counted();
    handle.close();
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> handle.acquire("matmul"));
    assertEquals("[matmul] counted handle is closed", e.getMessage());
    assertEquals(1, handle.destroyed.get());
  }

  @Test
  void acquireReleaseAndCloseFromManyThreads_destroyOnceAndNeverDuringUse() throws Exception {
    int threads = 4;
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      for (int round = 0; round < 2_000; round++) {
        Counted handle = new Counted();
        CyclicBarrier start = new CyclicBarrier(threads);
        List<Future<Integer>> results = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
          boolean closer = i == round % threads;
          Callable<Integer> work =
              () -> {
                start.await();
                return closer ? (handle.close() ? 1 : 0) : useUntilClosed(handle);
              };
          results.add(pool.submit(work));
        }
        for (Future<Integer> result : results) {
          result.get();
        }
        assertEquals(1, handle.destroyed.get());
        assertEquals(0, handle.destroyedWhileUsed.get());
      }
    }
  }

  private static int useUntilClosed(Counted handle) {
    int uses = 0;
    while (uses < 1_000) {
      try {
        handle.acquire("use");
      } catch (IllegalStateException closed) {
        return uses;
      }
      handle.users.incrementAndGet();
      uses++;
      handle.users.decrementAndGet();
      handle.release();
    }
    return uses;
  }
}
