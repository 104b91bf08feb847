package dev.gatun;

import java.util.ArrayDeque;
import java.util.Deque;

/// What an object owns and must give back, in reverse order of acquisition. Knows nothing of its
/// owner.
final class Holdings implements Leaks.Resource {
  private final String owner;
  private final Deque<AutoCloseable> held = new ArrayDeque<>();
  private boolean closed;

  Holdings(String owner) {
    this.owner = owner;
  }

  /// Takes `resource` over, and returns it.
  synchronized <T extends AutoCloseable> T add(T resource) {
    held.push(resource);
    return resource;
  }

  synchronized void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the " + owner + " is closed");
    }
  }

  synchronized void closeByOwner() {
    closed = true;
  }

  /// Who holds nothing has nothing to close.
  @Override
  public synchronized boolean closedByOwner() {
    return closed || held.isEmpty();
  }

  @Override
  public synchronized void release() {
    closed = true;
    IllegalStateException failure = null;
    while (!held.isEmpty()) {
      try {
        held.pop().close();
      } catch (Exception e) { // the rest is given back all the same
        if (failure == null) {
          failure = new IllegalStateException("closing the " + owner + " failed", e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  @Override
  public String toString() {
    return owner;
  }
}
