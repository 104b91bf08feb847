package dev.gatun;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class HoldingsTest {
  private final List<String> closed = new ArrayList<>();
  private final Holdings holdings = new Holdings("owner");

  @Test
  void release_closesOnceInReverseOrder() {
    holdings.add(() -> closed.add("first"));
    holdings.add(() -> closed.add("second"));
    holdings.release();
    holdings.release();
    assertEquals(List.of("second", "first"), closed);
    assertEquals(
        "the owner is closed",
        assertThrows(IllegalStateException.class, holdings::requireOpen).getMessage());
  }

  @Test
  void onlyWhoHoldsSomething_hasSomethingToClose() {
    assertTrue(holdings.closedByOwner());
    holdings.add(() -> closed.add("it"));
    assertFalse(holdings.closedByOwner());
    holdings.closeByOwner();
    assertTrue(holdings.closedByOwner());
  }

  /// What fails does not keep the rest from being given back.
  @Test
  void release_goesOnAfterAFailure() {
    Exception first = new UnsupportedOperationException("first");
    Exception last = new UnsupportedOperationException("last");
    holdings.add(() -> closed.add("a"));
    holdings.add(
        () -> {
          throw last;
        });
    holdings.add(() -> closed.add("b"));
    holdings.add(
        () -> {
          throw first;
        });
    IllegalStateException failure = assertThrows(IllegalStateException.class, holdings::release);
    assertEquals("closing the owner failed", failure.getMessage());
    assertEquals(first, failure.getCause());
    assertArrayEquals(new Throwable[] {last}, failure.getSuppressed());
    assertEquals(List.of("b", "a"), closed);
  }
}
