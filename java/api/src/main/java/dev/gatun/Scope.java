package dev.gatun;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// Owns the tensors that a thread makes while the scope is open, and closes them when it is closed:
///
/// ```java
/// Tensor result;
/// try (Scope scope = Scope.open()) {
///   result = scope.keep(x.times(y).sum());   // x.times(y) is closed here, the sum is not
/// }
/// ```
///
/// Scopes nest. A scope belongs to the thread that opened it, and is closed in reverse order of
/// opening.
public final class Scope implements AutoCloseable {
  private static final ThreadLocal<Deque<Scope>> OPEN = ThreadLocal.withInitial(ArrayDeque::new);

  private final List<Tensor> tensors = new ArrayList<>();
  private final Thread thread = Thread.currentThread();
  private boolean closed;

  private Scope() {}

  /// Opens a scope inside those that this thread has open.
  public static Scope open() {
    Scope scope = new Scope();
    OPEN.get().push(scope);
    return scope;
  }

  /// Hands `tensor` to the scope around this one, or to the caller if there is none.
  ///
  /// @throws IllegalArgumentException if `tensor` was not made in this scope
  public <T extends Tensor> T keep(T tensor) {
    requireMine();
    if (!tensors.remove(tensor)) {
      throw new IllegalArgumentException("this scope does not own " + tensor);
    }
    Deque<Scope> open = OPEN.get();
    Scope outer = null;
    for (Scope scope : open.reversed()) {
      if (scope == this) {
        break;
      }
      outer = scope;
    }
    if (outer != null) {
      outer.tensors.add(tensor);
    }
    return tensor;
  }

  /// Whether `tensor` was made in this scope and is still in it.
  boolean owns(Tensor tensor) {
    return tensors.contains(tensor);
  }

  /// Closes the tensors that are left, and scopes opened inside this one that are still open; a
  /// second call does nothing.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    requireMine();
    Deque<Scope> open = OPEN.get();
    while (!closed) {
      Scope innermost = open.pop();
      innermost.closed = true;
      innermost.tensors.reversed().forEach(Tensor::close);
      innermost.tensors.clear();
    }
    if (open.isEmpty()) {
      OPEN.remove();
    }
  }

  /// Puts `tensor` into the innermost open scope of this thread, if there is one.
  static void adopt(Tensor tensor) {
    Scope innermost = OPEN.get().peek();
    if (innermost != null) {
      innermost.tensors.add(tensor);
    }
  }

  private void requireMine() {
    if (closed) {
      throw new IllegalStateException("the scope is closed");
    }
    if (!Thread.currentThread().equals(thread)) {
      throw new IllegalStateException(
          "the scope belongs to " + thread + " and was used by " + Thread.currentThread());
    }
  }
}
